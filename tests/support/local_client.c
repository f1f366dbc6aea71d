// SPDX-License-Identifier: MIT
#include "support/local_client.h"

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "ipc/bell.h"
#include "ipc/ring.h"
#include "payload/wire.h"

bool local_client_connect(struct local_client *client, const char *path)
{
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    memset(client, 0, sizeof *client);
    client->requests.fd = -1;
    client->control.fd = -1;
    client->results.fd = -1;
    client->bell = -1;
    client->doorbell = -1;
    (void)snprintf(to.sun_path, sizeof to.sun_path, "%s", path);
    client->fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
    return client->fd >= 0 &&
           connect(client->fd, (const struct sockaddr *)(const void *)&to, sizeof to) ==
               0;
}

bool local_client_say(struct local_client *client,
                      enum sp_local_message type,
                      const void *body,
                      size_t size)
{
    return sp_channel_send(client->fd, type, body, size) == SNAKEPIT_OK;
}

uint32_t
local_client_hear(struct local_client *client, const uint8_t **body, size_t *size)
{
    struct pollfd fd = {.fd = client->fd, .events = POLLIN};
    struct sp_message_head head = {0};
    sp_packet_fds_close(&client->fds);
    if (poll(&fd, 1, LOCAL_CLIENT_MS) != 1 ||
        sp_channel_receive_with(
            client->fd, client->inbox.room, &head, body, NULL, &client->fds) !=
            SNAKEPIT_OK) {
        return 0;
    }
    *size = head.size;
    return head.type;
}

uint32_t
local_client_answer(struct local_client *client, const uint8_t **body, size_t *size)
{
    uint32_t type;
    do {
        type = local_client_hear(client, body, size);
    } while (type == SP_LOCAL_POOLS);
    return type;
}

bool local_client_is_closed(struct local_client *client)
{
    const uint8_t *body;
    size_t size;
    uint32_t type;
    const uint64_t until = sp_clock_now() + LOCAL_CLIENT_MS * SP_NS_PER_MS;
    do {
        type = local_client_hear(client, &body, &size);
    } while (type != 0);
    return sp_clock_now() < until;
}

bool local_client_greet(struct local_client *client, uint32_t version)
{
    const struct sp_local_greeting greeting = {.magic = SP_LOCAL_MAGIC,
                                               .version = version};
    return local_client_say(client, SP_LOCAL_GREETING, &greeting, sizeof greeting);
}

bool local_client_ask(struct local_client *client,
                      const char *pool,
                      uint32_t slots,
                      int memory,
                      uint64_t bytes)
{
    uint8_t body[sizeof(struct sp_local_open) + 64];
    const struct sp_local_open open = {.circuit = ++client->circuit,
                                       .requests_size = bytes,
                                       .slots = slots,
                                       .name_size = (uint32_t)strlen(pool)};
    memcpy(body, &open, sizeof open);
    memcpy(body + sizeof open, pool, open.name_size);
    return sp_channel_send_with(client->fd,
                                SP_LOCAL_OPEN,
                                body,
                                sizeof open + open.name_size,
                                &memory,
                                memory >= 0 ? 1 : 0) == SNAKEPIT_OK;
}

bool local_client_take(struct local_client *client,
                       const struct sp_local_opened *opened)
{
    const int *fds = client->fds.of;
    bool attached =
        client->fds.count == SP_LOCAL_FDS &&
        sp_segment_attach(&client->control,
                          fds[SP_LOCAL_FD_CONTROL],
                          opened->control_size,
                          true,
                          NULL) == SNAKEPIT_OK &&
        sp_segment_attach(&client->results,
                          fds[SP_LOCAL_FD_RESULTS],
                          opened->results_size,
                          false,
                          NULL) == SNAKEPIT_OK &&
        sp_control_open(client->control.base, opened->control_size, &client->view) ==
            SNAKEPIT_OK;
    if (attached) {
        client->bell = dup(fds[SP_LOCAL_FD_BELL]);
        client->doorbell = dup(fds[SP_LOCAL_FD_DOORBELL]);
    }
    sp_packet_fds_close(&client->fds);
    return attached;
}

bool local_client_open_with(struct local_client *client,
                            const char *pool,
                            uint32_t slots,
                            uint64_t more)
{
    const uint64_t bytes = (uint64_t)slots * LOCAL_CLIENT_ROOM + more;
    const uint8_t *body;
    size_t size;
    struct sp_local_opened opened;
    if (sp_segment_create(
            &client->requests, SP_SEGMENT_NAMES "requests", bytes, true, NULL) !=
            SNAKEPIT_OK ||
        !local_client_ask(client, pool, slots, client->requests.fd, bytes) ||
        local_client_answer(client, &body, &size) != SP_LOCAL_OPENED ||
        size != sizeof opened) {
        return false;
    }
    memcpy(&opened, body, sizeof opened);
    return opened.circuit == client->circuit && local_client_take(client, &opened);
}

bool local_client_open(struct local_client *client, const char *pool, uint32_t slots)
{
    return local_client_open_with(client, pool, slots, 0);
}

bool local_client_begin(struct local_client *client, const char *path, uint32_t slots)
{
    const uint8_t *body;
    size_t size;
    return local_client_connect(client, path) &&
           local_client_greet(client, SP_LAYOUT_VERSION) &&
           local_client_answer(client, &body, &size) == SP_LOCAL_WELCOME &&
           local_client_open(client, "default", slots);
}

void local_client_end(struct local_client *client)
{
    int *fds[] = {&client->fd, &client->bell, &client->doorbell};
    sp_packet_fds_close(&client->fds);
    sp_segment_fini(&client->requests);
    sp_segment_fini(&client->control);
    sp_segment_fini(&client->results);
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++) {
        if (*fds[i] >= 0) {
            (void)close(*fds[i]);
            *fds[i] = -1;
        }
    }
}

// ---- Calls ------------------------------------------------------------------------

void local_client_fill(struct local_client *client,
                       uint32_t slot,
                       const char *tool,
                       const void *args,
                       size_t size)
{
    const uint64_t at = (uint64_t)slot * LOCAL_CLIENT_ROOM;
    struct sp_slot_request *request = &client->view.slots[slot].request;
    memset(request, 0, sizeof *request);
    memcpy(client->requests.base + at, tool, strlen(tool));
    if (size > 0) {
        memcpy(client->requests.base + at + LOCAL_CLIENT_ARGS, args, size);
    }
    request->call = ++client->call;
    request->name = at;
    request->name_size = (uint16_t)strlen(tool);
    request->body = at + LOCAL_CLIENT_ARGS;
    request->body_size = (uint32_t)size;
    request->lease = SP_NO_LEASE;
    request->deadline = SP_NEVER;
}

void local_client_fill_tensor(struct local_client *client,
                              uint32_t slot,
                              const char *tool,
                              uint64_t bytes,
                              uint32_t lease)
{
    const uint64_t place = (uint64_t)client->view.shape.slots * LOCAL_CLIENT_ROOM;
    uint8_t args[3 + 3 + SP_TENSOR_HEAD + 8] = {
        0x81, 0xa1, 't', 0xc7, SP_TENSOR_HEAD + 8, SP_EXT_TENSOR, SNAKEPIT_UINT8, 1};
    memcpy(args + 6 + 8, &place, sizeof place);
    memcpy(args + 6 + SP_TENSOR_HEAD, &bytes, sizeof bytes);
    local_client_fill(client, slot, tool, args, sizeof args);
    client->view.slots[slot].request.lease = lease;
}

void local_client_ring(struct local_client *client)
{
    const uint64_t one = 1;
    if (sp_bell_claim(&client->view.header->bell)) {
        ssize_t written = write(client->bell, &one, sizeof one);
        (void)written;
    }
}

void local_client_submit(struct local_client *client, uint32_t slot, uint32_t bits)
{
    atomic_store(&client->view.slots[slot].result.state, SP_SLOT_QUEUED | bits);
    sp_ring_put(
        client->view.submit, client->view.shape.slots - 1, client->tail++, slot);
    local_client_ring(client);
}

bool local_client_await(const struct local_client *client,
                        uint32_t slot,
                        struct sp_slot_result *result)
{
    struct sp_slot_result *shared = &client->view.slots[slot].result;
    const uint64_t until = sp_clock_now() + LOCAL_CLIENT_MS * SP_NS_PER_MS;
    while ((atomic_load(&shared->state) & SP_SLOT_STATE) != SP_SLOT_DONE) {
        if (sp_clock_now() > until) {
            return false;
        }
        (void)sched_yield();
    }
    memcpy(result, shared, sizeof *result);
    return true;
}

void local_client_return(struct local_client *client, uint32_t lease)
{
    sp_ring_put(client->view.result_returns,
                client->view.shape.leases - 1,
                client->returns++,
                lease);
}
