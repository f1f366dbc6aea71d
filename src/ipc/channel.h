// SPDX-License-Identifier: MIT
// The control channel: a SOCK_SEQPACKET pair, one message a packet. Bodies are
// MessagePack maps unless a row says otherwise. What grows with the user's program (a
// configuration, the tools of an adapter) may be larger than a packet: such a body
// travels as a memfd beside its head. Neither side waits for the other's answer.
#ifndef IPC_CHANNEL_H
#define IPC_CHANNEL_H

#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/slice.h"

#define SP_MESSAGE_MAX 163840u              // bytes of a packet, head included
#define SP_LARGE_MAX   (UINT32_C(64) << 20) // bytes of a body that is not in it

// What a host takes of one process, far beyond what one has to say; more is a flood,
// for which it is killed.
#define SP_MESSAGES_AT_ONCE  2000
#define SP_MESSAGES_A_SECOND 1000

enum sp_message_type {
    SP_MESSAGE_CONFIG = 1, // host: the first one; what the worker is to be
    SP_MESSAGE_HELLO = 2,  // worker: struct sp_hello; the lifeline is held
    SP_MESSAGE_READY = 3, // worker: the adapter is constructed; interpreter, tools, GIL
    SP_MESSAGE_FAILED = 4, // worker: it is not; "type", "message", "traceback"
    SP_MESSAGE_PING = 5,   // host: u64, any number
    SP_MESSAGE_PONG = 6,   // worker: the same number
    SP_MESSAGE_CANCEL = 7, // host: struct sp_cancel; stop that call if it still runs
    SP_MESSAGE_STOP = 8,   // host: begin no call any more, leave when the running
                           // ones are done
    SP_MESSAGE_EVENTS = 9, // worker: no body; there are events to read
    SP_MESSAGE_GIL = 10,   // worker: no body; the GIL was off and is on
    // Worker: no body; SIGTERM told it to leave: it begins no call any more. Once more
    // for each further one: what it runs is interrupted.
    SP_MESSAGE_LEAVING = 11,
    // No body. Host: the start is late; where is it? Worker: its stack was written.
    SP_MESSAGE_WHERE = 12,
    SP_MESSAGE_MAP = 13,    // host: struct sp_map, with the memory beside it
    SP_MESSAGE_MAPPED = 14, // worker: struct sp_mapped
    SP_MESSAGE_UNMAP = 15,  // host: struct sp_map; no call names that window any more

    // Between a host and the template of a pool, which also have CONFIG, and READY: it
    // can fork.
    SP_MESSAGE_FORK = 64,       // host: u64 ticket, with SP_FORK_FDS descriptors
    SP_MESSAGE_FORKED = 65,     // template: struct sp_forked
    SP_MESSAGE_UNFORKABLE = 66, // template: a text; workers must be exec'ed
    SP_MESSAGE_STAGE = 67,      // template: a text; what its start does now
};

// Where one message is received; for whoever watches many channels on one thread. Too
// large for a stack, and for the memory of each thread.
struct sp_inbox {
    uint8_t room[SP_MESSAGE_MAX];
};

struct sp_message_head {
    uint32_t type;
    uint32_t size; // bytes of the body
};

struct sp_hello {
    uint32_t version; // SP_LAYOUT_VERSION
    int32_t pid;
    int32_t tid; // of the thread that holds the lifeline
    uint32_t reserved;
};

struct sp_cancel {
    uint64_t call;
    uint32_t slot;
    uint32_t reserved;
};

struct sp_map {
    uint64_t serial; // repeated in MAPPED
    uint64_t size;   // bytes of the memory, a sealed memfd
    uint32_t window; // its number, 1 to SP_WINDOWS_MAX
    uint32_t reserved;
};

struct sp_mapped {
    uint64_t serial;
    uint32_t error; // 0: it is mapped
    uint32_t reserved;
};

// What a FORK brings, in this order: stdout, stderr, then SP_FD_CONTROL to
// SP_FD_DOORBELL.
#define SP_FORK_FDS 7

struct sp_forked {
    uint64_t ticket;
    int32_t pid;   // of the new process, or -1
    int32_t error; // the errno that kept it from being made, or 0
};

// Sends one message without waiting. SYSTEM, with errno: the other side is gone, its
// queue is full, or there is no descriptor or memory for a large body.
// INVALID_ARGUMENT: over SP_LARGE_MAX.
snakepit_err sp_channel_send(int fd, uint32_t type, const void *body, size_t size);

// Receives one message into `room` (SP_MESSAGE_MAX bytes); `*body` points behind the
// head in it. Waits unless the descriptor is non-blocking. END: the other side is gone.
// NOT_FOUND: nothing is there now. PROTOCOL: no message of ours.
snakepit_err sp_channel_receive(int fd,
                                uint8_t *room,
                                struct sp_message_head *head,
                                const uint8_t **body);

// The same where a large body may come: its bytes are in `large` then, an empty buffer
// before, and sp_buf_fini() is the caller's. NULL: a large one is PROTOCOL. SYSTEM,
// with errno: one came, and there is no descriptor or memory for it. Believes nothing
// of who sent it, and never waits for that.
snakepit_err sp_channel_receive_large(int fd,
                                      uint8_t *room,
                                      struct sp_message_head *head,
                                      const uint8_t **body,
                                      struct sp_buf *large);

// ---- With descriptors ---------------------------------------------------------

#define SP_PACKET_FDS 7u // at most, in one packet

struct sp_packet_fds {
    int of[SP_PACKET_FDS];
    size_t count;
};

// Sends one message without waiting, beside it descriptors, which stay the caller's.
// SYSTEM as above. INVALID_ARGUMENT: it does not fit into a packet.
snakepit_err sp_channel_send_with(int fd,
                                  uint32_t type,
                                  const void *body,
                                  size_t size,
                                  const int *descriptors,
                                  size_t count);
// As sp_channel_receive_large(); what came beside the message is the caller's,
// close-on-exec; on failure nothing did. SYSTEM, with errno: this process may have no
// more of them.
snakepit_err sp_channel_receive_with(int fd,
                                     uint8_t *room,
                                     struct sp_message_head *head,
                                     const uint8_t **body,
                                     struct sp_buf *large,
                                     struct sp_packet_fds *fds);
// Closes those that are left.
void sp_packet_fds_close(struct sp_packet_fds *fds);

// Sends FORK with descriptors, which stay the caller's. SYSTEM as above.
snakepit_err
sp_channel_send_fork(int fd, uint64_t ticket, const int descriptors[SP_FORK_FDS]);
// Waits for FORK; its descriptors are the caller's then, close-on-exec. END: the other
// side is gone, or a signal came (errno is EINTR). PROTOCOL: it was another message;
// descriptors that came with it are closed.
snakepit_err
sp_channel_receive_fork(int fd, uint64_t *ticket, int descriptors[SP_FORK_FDS]);

#endif
