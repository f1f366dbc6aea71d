// SPDX-License-Identifier: MIT
// Clients of a local door that write random bytes over all that they share with the
// daemon, show it wrong memory, say half of something, flood it, and go in the middle
// of anything. The daemon neither crashes nor hangs, its other clients get right
// answers, and nothing stays.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fake_pit.h"
#include "ipc/ring.h"
#include "local/local.h"
#include "server/inside.h"
#include "support/census.h"
#include "support/chance.h"
#include "support/doors.h"
#include "support/local_client.h"

#include <cmocka.h> // has a macro that is called as one of ours

#define HOSTILE 4u
#define GOOD    2u
#define SLOTS   16u

static char path[96];
static struct sp_server *server;
static uint64_t until;
static _Atomic uint64_t right;
static _Atomic uint64_t wrong;
static _Atomic uint64_t refused;
static _Atomic uint64_t lost;
static _Atomic uint64_t attacks;
static _Atomic uint64_t slowest; // ns, of a call

// ---- The good ones ------------------------------------------------------------------

// {"x": a number of four bytes}
static void write_args(uint8_t args[8], uint32_t nonce)
{
    static const uint8_t head[] = {0x81, 0xa1, 'x', 0xce};
    memcpy(args, head, sizeof head);
    memcpy(args + sizeof head, &nonce, sizeof nonce);
}

static void call_right(struct local_client *client, uint32_t nonce)
{
    struct sp_slot_result result;
    uint8_t args[8];
    const uint32_t slot = nonce % SLOTS;
    const uint64_t begun = sp_clock_now();
    write_args(args, nonce);
    local_client_fill(client, slot, "echo", args, sizeof args);
    local_client_submit(client, slot, 0);
    if (!local_client_await(client, slot, &result)) {
        lost++;
    } else if (result.status == SP_STATUS_FAULT) {
        refused++; // the pool's line is full
    } else if (result.call == client->call && result.status == SP_STATUS_OK &&
               result.body_size == sizeof args &&
               memcmp(client->results.base + result.body, args, sizeof args) == 0) {
        right++;
    } else {
        wrong++;
    }
    const uint64_t took = sp_clock_now() - begun;
    if (took > slowest) {
        slowest = took;
    }
}

static void *be_good(void *argument)
{
    struct local_client *client = calloc(1, sizeof *client);
    uint32_t nonce = (uint32_t)(uintptr_t)argument << 24;
    if (client == NULL || !local_client_begin(client, path, SLOTS)) {
        lost++;
    }
    while (client != NULL && sp_clock_now() < until && atomic_load(&lost) == 0) {
        call_right(client, nonce++);
    }
    if (client != NULL) {
        local_client_end(client);
    }
    free(client);
    return NULL;
}

// ---- The hostile ones
// -----------------------------------------------------------------

static void fill_by_chance(uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)dice();
    }
}

// Any packet with any descriptors.
static void say_anything(struct local_client *client)
{
    uint8_t bytes[300];
    const size_t size = below(sizeof bytes);
    const int fds[] = {client->fd, STDERR_FILENO, client->fd, 0, 1, 2, client->fd};
    fill_by_chance(bytes, size);
    if (below(4) == 0) {
        (void)send(client->fd, bytes, size, MSG_NOSIGNAL | MSG_DONTWAIT);
        return;
    }
    (void)sp_channel_send_with(client->fd,
                               below(8) == 0 ? (uint32_t)nasty()
                                             : 126 + (uint32_t)below(16),
                               bytes,
                               size,
                               fds,
                               below(3) == 0 ? below(8) : 0);
}

// Something that is nearly right.
static void say_nearly(struct local_client *client)
{
    const struct sp_local_cancel cancel = {
        .circuit = below(3) == 0 ? nasty() : 1,
        .call = below(2000),
        .slot = below(8) == 0 ? (uint32_t)nasty() : (uint32_t)below(SLOTS)};
    const uint64_t number = below(2) == 0 ? nasty() : 1;
    switch (below(20)) {
    case 0:
        (void)local_client_say(client, SP_LOCAL_CLOSE, &number, sizeof number);
        break;
    case 1:
        (void)local_client_ask(
            client, "default", (uint32_t)nasty(), client->requests.fd, nasty());
        break;
    case 2:
        (void)local_client_say(client, SP_LOCAL_ASK, &cancel, below(sizeof cancel));
        break;
    default:
        (void)local_client_say(client, SP_LOCAL_CANCEL, &cancel, sizeof cancel);
        break;
    }
}

// A field of a request that is nearly right.
static void spoil_request(struct local_client *client, uint32_t slot)
{
    volatile struct sp_slot_request *request = &client->view.slots[slot].request;
    switch (below(13)) {
    case 12:
        request->lease = (uint32_t)nasty();
        break;
    case 0:
        request->name = nasty();
        break;
    case 1:
        request->name_size = (uint16_t)nasty();
        break;
    case 2:
        request->session_size = (uint16_t)below(300);
        break;
    case 3:
        request->trace_size = (uint16_t)below(600);
        break;
    case 4:
        request->body = nasty();
        break;
    case 5:
        request->body_size = (uint32_t)nasty();
        break;
    case 6:
        request->kind = (uint8_t)below(4);
        break;
    case 7:
        request->deadline = nasty();
        break;
    case 8:
        request->tube_head = nasty();
        break;
    case 9:
        request->priority = (uint8_t)below(9);
        break;
    case 10:
        request->queue = (uint8_t)dice();
        break;
    default:
        request->call = nasty();
        break;
    }
}

static void scribble(struct local_client *client)
{
    const struct sp_control_view *view = &client->view;
    volatile uint8_t *requests = client->requests.base;
    volatile uint64_t *control = (volatile uint64_t *)(void *)client->control.base;
    switch (below(6)) {
    case 0: // anywhere
        control[below(client->control.size / sizeof *control)] = nasty();
        break;
    case 1:
        requests[below(client->requests.size)] = (uint8_t)dice();
        break;
    case 2:
        view->slots[below(SLOTS)].result.state = (uint32_t)nasty();
        break;
    case 3:
        sp_ring_put(view->submit,
                    SLOTS - 1,
                    below(3) == 0 ? nasty() : client->tail++,
                    (uint32_t)below(SLOTS + 2));
        break;
    case 4:
        sp_ring_put(view->result_returns,
                    view->shape.leases - 1,
                    below(3) == 0 ? nasty() : client->returns++,
                    (uint32_t)nasty());
        break;
    default:
        spoil_request(client, (uint32_t)below(SLOTS));
        break;
    }
}

// Mostly right, so that what is wrong comes deep.
static void misuse(struct local_client *client)
{
    static const char *const tools[] = {"echo", "large", "fault", "bad_tool"};
    static const char *const tools_of_tensors[] = {"echo", "large"};
    uint8_t args[8];
    const uint64_t end = sp_clock_now() + below(30) * SP_NS_PER_MS;
    while (sp_clock_now() < end) {
        const uint32_t slot = (uint32_t)below(SLOTS);
        write_args(args, (uint32_t)dice());
        if (below(4) == 0) { // is read where it lies
            local_client_fill_tensor(client,
                                     slot,
                                     tools_of_tensors[below(2)],
                                     below(LOCAL_CLIENT_MORE + 1000),
                                     (uint32_t)below(SLOTS));
        } else {
            local_client_fill(client, slot, tools[below(4)], args, sizeof args);
        }
        client->view.slots[slot].request.kind = below(4) == 0 ? SP_CALL_STREAM : 0;
        client->view.slots[slot].request.queue = (uint8_t)below(3);
        if (below(3) == 0) {
            spoil_request(client, slot);
        }
        local_client_submit(
            client, slot, below(2) == 0 ? SP_SLOT_NOTIFY | SP_SLOT_READER : 0);
        for (uint64_t i = below(8); i > 0; i--) {
            scribble(client);
        }
        if (below(4) == 0) {
            say_nearly(client);
        }
        local_client_ring(client);
    }
}

// Memory that is not what is said of it.
static void show_wrong_memory(struct local_client *client)
{
    const unsigned flags[] = {MFD_CLOEXEC, MFD_CLOEXEC | MFD_ALLOW_SEALING};
    int memory = memfd_create("wrong", flags[below(2)]);
    if (ftruncate(memory, (off_t)below(1 << 20)) == 0) {
        (void)local_client_ask(client, "default", (uint32_t)nasty(), memory, nasty());
    }
    (void)close(memory);
}

static void attack(struct local_client *client)
{
    const uint8_t *body;
    size_t size;
    const uint64_t way = below(6);
    if (!local_client_connect(client, path)) {
        return;
    }
    if (way == 0) {
        say_anything(client);
        return;
    }
    (void)local_client_greet(client,
                             below(20) == 0 ? (uint32_t)nasty() : SP_LAYOUT_VERSION);
    if (way == 1 || local_client_answer(client, &body, &size) != SP_LOCAL_WELCOME) {
        return;
    }
    if (way == 2) {
        for (uint64_t i = below(20); i > 0; i--) {
            say_anything(client);
        }
    } else if (way == 3) {
        show_wrong_memory(client);
    } else if (local_client_open_with(
                   client, "default", SLOTS, below(2) * LOCAL_CLIENT_MORE)) {
        misuse(client);
    }
}

static void *be_hostile(void *argument)
{
    struct local_client *client = calloc(1, sizeof *client);
    (void)argument;
    while (client != NULL && sp_clock_now() < until) {
        attack(client);
        local_client_end(client);
        attacks++;
    }
    free(client);
    return NULL;
}

// ---- The run
// --------------------------------------------------------------------------

static void run(void)
{
    pthread_t threads[GOOD + HOSTILE];
    for (uintptr_t i = 0; i < GOOD + HOSTILE; i++) {
        assert_int_equal(
            pthread_create(
                &threads[i], NULL, i < GOOD ? be_good : be_hostile, (void *)i),
            0);
    }
    for (size_t i = 0; i < GOOD + HOSTILE; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
    }
}

static void await_nobody(void)
{
    const uint64_t late = sp_clock_now() + 60 * SP_NS_PER_S;
    while (sp_server_connections(server) > 0 || atomic_load(&server->budget.used) > 0) {
        assert_true(sp_clock_now() < late);
        (void)usleep(1000);
    }
}

static void hostile_clients_harm_nobody(void **state)
{
    char folder[] = "/tmp/snakepit-local-XXXXXX";
    char yaml[256];
    struct sp_config *config = NULL;
    snakepit_message why = {{0}};
    const uint32_t seconds = census_variable("SNAKEPIT_STRESS_SECONDS", 5);
    chance_seed = census_variable("SNAKEPIT_STRESS_SEED", (uint32_t)getpid());
    assert_non_null(mkdtemp(folder));
    (void)pit_prepare(state);
    pit_open_ready("|    max_queue: 10000\n");
    (void)snprintf(path, sizeof path, "%s/door.sock", folder);
    const int length = snprintf(yaml,
                                sizeof yaml,
                                "pooling_enabled: false\n"
                                "serve: {listen: [{address: \"unix:%s\", door: "
                                "local}], loops: 2, header_timeout_ms: 1000}\n",
                                path);
    assert_int_equal(sp_config_read_memory(yaml, (size_t)length, &config, &why),
                     SNAKEPIT_OK);
    struct sp_local *local = sp_local_new();
    const struct sp_server_options options = {.pit = pit,
                                              .config = &config->serve,
                                              .log = &doors_no_log,
                                              .packets = &sp_local_ops,
                                              .packets_user = local};
    static const struct sp_protocol nothing = {.open = NULL};
    struct sp_server_options all = options;
    all.protocol = &nothing;
    assert_int_equal(sp_server_open(&all, &server, &why), SNAKEPIT_OK);
    const struct census before = census_take();
    until = sp_clock_now() + seconds * SP_NS_PER_S;
    run();
    await_nobody();
    struct census after = census_take();
    // The pool's loop lets go of the memory of those who have left.
    const uint64_t late = sp_clock_now() + 60 * SP_NS_PER_S;
    while (after.descriptors > before.descriptors && sp_clock_now() < late) {
        (void)usleep(1000);
        after = census_take();
    }
    (void)printf("seed as given or pid %d: %llu right, %llu refused, %llu attacks; the "
                 "slowest call took %llu us\n",
                 getpid(),
                 (unsigned long long)right,
                 (unsigned long long)refused,
                 (unsigned long long)attacks,
                 (unsigned long long)(slowest / 1000));
    assert_int_equal(wrong, 0);
    assert_int_equal(lost, 0);
    assert_true(right > 0 && attacks > 0);
    assert_int_equal(after.descriptors, before.descriptors);
    sp_server_close(server);
    (void)pit_tidy(state);
    sp_server_free(server);
    sp_local_free(local);
    sp_config_free(config);
    assert_int_equal(rmdir(folder), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(hostile_clients_harm_nobody)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
