// SPDX-License-Identifier: MIT
// Any bytes as what a program does at a local door: packets, with and without
// descriptors, and words of the memory that it shares with the daemon. Whatever it
// does, the loop comes back, and when the program has gone nothing of it is left.
//
// The input is a row of steps, each with its bytes behind it.
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "fake_pit.h"
#include "fuzz.h"
#include "ipc/ring.h"
#include "local/local.h"
#include "server/inside.h"
#include "support/doors.h"
#include "support/local_client.h"

#define SLOTS  4u
#define MEMORY (SLOTS * LOCAL_CLIENT_ROOM + LOCAL_CLIENT_MORE)
#define TURNS  64 // of the loop, for what one step asks for

static struct sp_server server;
static struct sp_serve_loop serve;
static struct sp_door door = {.packets = true, .address = "unix:/fuzz"};
static struct local_client client;
static int turns;

// What is left of the input.
struct input {
    const uint8_t *at;
    size_t left;
};

static void take(struct input *input, void *room, size_t size)
{
    const size_t some = size < input->left ? size : input->left;
    memset(room, 0, size);
    memcpy(room, input->at, some);
    input->at += some;
    input->left -= some;
}

static uint8_t byte_of(struct input *input)
{
    uint8_t byte;
    take(input, &byte, 1);
    return byte;
}

// ---- The daemon
// -----------------------------------------------------------------------

static void before(void *user)
{
    bool came = sp_local_ops.look(&serve);
    (void)user;
    came = snakepit_queue_drain(serve.queue, 0) > 0 || came;
    came = sp_local_ops.sleep(&serve) || came;
    if (turns-- == 0) {
        sp_loop_stop(&serve.loop);
    }
    sp_loop_wake(&serve.loop);
}

static void woken(void *user)
{
    (void)user;
}

static void turn(int times)
{
    turns = times;
    serve.loop.stop = false;
    sp_loop_run(&serve.loop);
}

static void open_daemon(void)
{
    static struct sp_config *config;
    static const char none[] = "pooling_enabled: false\nserve: {max_memory: 1GiB}\n";
    (void)pit_prepare(NULL);
    fake_pit_never_ready();
    pit_open("|    max_queue: 64\n");
    SP_CHECK(sp_config_read_memory(none, sizeof none - 1, &config, NULL) ==
             SNAKEPIT_OK);
    server.options = (struct sp_server_options){.pit = pit,
                                                .config = &config->serve,
                                                .log = &doors_no_log,
                                                .packets = &sp_local_ops,
                                                .packets_user = sp_local_new()};
    SP_CHECK(pthread_mutex_init(&server.lock, NULL) == 0);
    SP_CHECK(pthread_cond_init(&server.all_gone, NULL) == 0);
    server.budget.most = config->serve.max_memory;
    serve.options = &server.options;
    serve.server = &server;
    serve.budget = &server.budget;
    SP_CHECK(sp_loop_init(&serve.loop, woken, NULL, NULL) == SNAKEPIT_OK);
    sp_loop_before_waits(&serve.loop, before);
    SP_CHECK(snakepit_queue_new(pit, &serve.queue, NULL) == SNAKEPIT_OK);
    SP_CHECK(sp_local_ops.prepare(&serve) == SNAKEPIT_OK);
}

// ---- The program
// ------------------------------------------------------------------------

// Nobody waits for an answer here: the daemon is this thread.
static bool hear(uint32_t wanted, const uint8_t **body, size_t *size)
{
    struct sp_message_head head = {0};
    sp_packet_fds_close(&client.fds);
    do {
        snakepit_err err = sp_channel_receive_with(
            client.fd, client.inbox.room, &head, body, NULL, &client.fds);
        if (err != SNAKEPIT_OK) {
            return false;
        }
    } while (head.type != wanted);
    *size = head.size;
    return true;
}

static void come_in(void)
{
    int ends[2];
    const uint8_t *body;
    size_t size;
    const struct sp_peer peer = {.address = "fuzz", .door = &door, .uid = geteuid()};
    struct sp_local_opened opened;
    memset(&client, 0, offsetof(struct local_client, inbox));
    client.fds.count = 0;
    client.circuit = 0;
    client.call = 0;
    client.tail = 0;
    client.bell = -1;
    client.doorbell = -1;
    client.control.fd = -1;
    client.results.fd = -1;
    client.requests.fd = -1;
    SP_CHECK(socketpair(
                 AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, ends) == 0);
    client.fd = ends[0];
    server.connections++;
    atomic_fetch_add(&serve.load, 1);
    SP_CHECK(sp_local_ops.open(&serve, ends[1], &peer) == SNAKEPIT_OK);
    SP_CHECK(local_client_greet(&client, SP_LAYOUT_VERSION));
    SP_CHECK(sp_segment_create(
                 &client.requests, SP_SEGMENT_NAMES "requests", MEMORY, true, NULL) ==
             SNAKEPIT_OK);
    SP_CHECK(local_client_ask(&client, "default", SLOTS, client.requests.fd, MEMORY));
    turn(2);
    SP_CHECK(hear(SP_LOCAL_OPENED, &body, &size) && size == sizeof opened);
    memcpy(&opened, body, sizeof opened);
    SP_CHECK(local_client_take(&client, &opened));
}

// A packet whose type and descriptors the input chooses.
static void say(struct input *input)
{
    uint8_t bytes[128];
    const uint32_t type = 124u + byte_of(input) % 20;
    const size_t size = byte_of(input) % sizeof bytes;
    const size_t count = byte_of(input) % 9;
    int fds[SP_PACKET_FDS];
    for (size_t i = 0; i < SP_PACKET_FDS; i++) {
        fds[i] = client.requests.fd;
    }
    take(input, bytes, size);
    (void)sp_channel_send_with(
        client.fd, type, bytes, size, fds, count <= SP_PACKET_FDS ? count : 0);
}

// A call that is right but for a few bytes of its slot.
static void submit(struct input *input)
{
    static const uint8_t args[] = {0x81, 0xa1, 'x', 1};
    uint8_t spoilt[4];
    const uint32_t slot = byte_of(input) % SLOTS;
    const uint8_t how = byte_of(input);
    struct sp_slot_request *request = &client.view.slots[slot].request;
    if ((how & 0x20) != 0) {
        local_client_fill_tensor(&client, slot, "echo", LOCAL_CLIENT_MORE, slot);
    } else {
        local_client_fill(&client, slot, "echo", args, sizeof args);
    }
    request->kind = how % 3 == 0 ? SP_CALL_STREAM : SP_CALL_TOOL;
    if ((how & 0x80) != 0) {
        take(input, spoilt, sizeof spoilt);
        memcpy((uint8_t *)request + spoilt[0] % (sizeof *request - 3), spoilt + 1, 3);
    }
    local_client_submit(&client, slot, (how & 0x40) != 0 ? SP_SLOT_NOTIFY : 0);
}

// Bytes anywhere in what both write, and in the arguments.
static void scribble(struct input *input)
{
    uint8_t head[4];
    uint8_t bytes[32];
    take(input, head, sizeof head);
    const struct sp_segment *into =
        head[0] % 2 == 0 ? &client.control : &client.requests;
    const size_t size = head[1] % sizeof bytes;
    const size_t at = ((size_t)head[2] << 8 | head[3]) % (into->size - sizeof bytes);
    take(input, bytes, size);
    memcpy(into->base + at, bytes, size);
}

static void cancel(struct input *input)
{
    const struct sp_local_cancel body = {.circuit = client.circuit,
                                         .call = byte_of(input),
                                         .slot = byte_of(input) % (SLOTS + 1)};
    (void)local_client_say(&client, SP_LOCAL_CANCEL, &body, sizeof body);
}

static void leave(void)
{
    local_client_end(&client);
    for (int i = 0; i < TURNS && server.connections > 0; i++) {
        turn(1);
    }
    SP_CHECK(server.connections == 0);
    SP_CHECK(atomic_load(&server.budget.used) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static bool opened;
    struct input input = {data, size};
    if (!opened) {
        open_daemon();
        opened = true;
    }
    come_in();
    while (input.left > 0) {
        switch (byte_of(&input) % 6) {
        case 0:
            say(&input);
            break;
        case 1:
            scribble(&input);
            break;
        case 2:
            cancel(&input);
            break;
        case 3:
            turn(1);
            break;
        default:
            submit(&input);
            break;
        }
    }
    turn(1);
    leave();
    return 0;
}
