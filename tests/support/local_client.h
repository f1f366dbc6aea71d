// SPDX-License-Identifier: MIT
// A program at a daemon's local door, by hand: it can do right, and each step of it
// wrong. Nothing of it is the library's client.
#ifndef SUPPORT_LOCAL_CLIENT_H
#define SUPPORT_LOCAL_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ipc/channel.h"
#include "ipc/control.h"
#include "ipc/local.h"
#include "ipc/segment.h"

#define LOCAL_CLIENT_ROOM 4096u             // bytes of the requests that a slot has
#define LOCAL_CLIENT_ARGS 1024u             // in there, where its arguments lie
#define LOCAL_CLIENT_MORE UINT64_C(1048576) // bytes behind that, for large tensors
#define LOCAL_CLIENT_MS   30000             // that the daemon may take for anything

struct local_client {
    int fd; // -1: it is not connected
    struct sp_inbox inbox;
    struct sp_packet_fds fds; // that came with the last message
    struct sp_segment requests;
    struct sp_segment control;
    struct sp_segment results;
    struct sp_control_view view;
    int bell;
    int doorbell;
    uint64_t circuit;
    uint64_t call; // the number of the last one
    uint64_t tail; // of the ring of submissions
    uint64_t done; // of the ring of completions
    uint64_t returns;
};

// All: false when the daemon does not do its part, or takes too long.
bool local_client_connect(struct local_client *client, const char *path);
bool local_client_say(struct local_client *client,
                      enum sp_local_message type,
                      const void *body,
                      size_t size);
// The next message: its type, 0 at the end of the connection. `*body` is borrowed until
// the next one.
uint32_t
local_client_hear(struct local_client *client, const uint8_t **body, size_t *size);
// The same without what is told again and again.
uint32_t
local_client_answer(struct local_client *client, const uint8_t **body, size_t *size);
// Waits for the end of the connection.
bool local_client_is_closed(struct local_client *client);
bool local_client_greet(struct local_client *client, uint32_t version);
// Asks for a circuit that shows `memory`, and says so many bytes of it.
bool local_client_ask(struct local_client *client,
                      const char *pool,
                      uint32_t slots,
                      int memory,
                      uint64_t bytes);
// Maps what came beside OPENED.
bool local_client_take(struct local_client *client,
                       const struct sp_local_opened *opened);
// Makes the memory, with so many bytes behind that of the slots, asks for a circuit
// with it, and opens that.
bool local_client_open_with(struct local_client *client,
                            const char *pool,
                            uint32_t slots,
                            uint64_t more);
bool local_client_open(struct local_client *client, const char *pool, uint32_t slots);
// All of it: connected, greeted, with a circuit of `slots`.
bool local_client_begin(struct local_client *client, const char *path, uint32_t slots);
void local_client_end(struct local_client *client);

// A call as it should be; `args` are MessagePack.
void local_client_fill(struct local_client *client,
                       uint32_t slot,
                       const char *tool,
                       const void *args,
                       size_t size);
// A call with {"t": a tensor of so many bytes, behind the slots}, which the client
// knows by `lease`.
void local_client_fill_tensor(struct local_client *client,
                              uint32_t slot,
                              const char *tool,
                              uint64_t bytes,
                              uint32_t lease);
// Its number in the ring, its state, and the bell.
void local_client_submit(struct local_client *client, uint32_t slot, uint32_t bits);
void local_client_ring(struct local_client *client);
bool local_client_await(const struct local_client *client,
                        uint32_t slot,
                        struct sp_slot_result *result);
void local_client_return(struct local_client *client, uint32_t lease);

#endif
