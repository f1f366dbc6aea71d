// SPDX-License-Identifier: MIT
// What the files of the module share. Owner of everything: the thread of the loop, but
// for what says otherwise.
#ifndef LOCAL_INSIDE_H
#define LOCAL_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/list.h"
#include "base/loop.h"
#include "ipc/arena.h"
#include "ipc/channel.h"
#include "ipc/control.h"
#include "ipc/local.h"
#include "ipc/segment.h"
#include "ipc/tube.h"
#include "local/local.h"
#include "pit/glance.h"
#include "pool/deferred.h"
#include "pool/window.h"
#include "server/server.h"

#define SP_LOCAL_CIRCUITS_MOST 64u   // of a connection
#define SP_LOCAL_SLOTS_MOST    1024u // of a circuit
#define SP_LOCAL_LEASES        1024u // of a circuit, in each direction
// Of the segments that one connection shows, together; address space alone.
#define SP_LOCAL_REQUESTS_MOST (UINT64_C(1) << 36)
// Of a circuit's results; memory is taken only where answers lie, and counts in
// `max_memory`.
#define SP_LOCAL_RESULTS (UINT64_C(1) << 30)
// What is copied on the loop; more is copied beside it.
#define SP_LOCAL_LARGE ((size_t)256 * 1024)

// ---- news.c -------------------------------------------------------------------

#define SP_LOCAL_NEWS_MOST  1024u // that are kept for those who follow
#define SP_LOCAL_NEWS_BYTES ((size_t)4 << 20)
#define SP_LOCAL_SAID_MOST  65536u // bytes of one; one that is larger is lost for all

// One piece of news. Nobody changes it.
struct sp_local_said {
    _Atomic uint32_t owners;
    enum sp_local_topic topic;
    enum sp_log_level level;
    size_t size;
    uint8_t body[]; // a map, see enum sp_local_topic
};

// Any thread.
struct sp_local_news {
    _Atomic uint32_t followers;                     // 0: nothing is kept
    pthread_mutex_t lock;                           // of the rest
    struct sp_local_said *kept[SP_LOCAL_NEWS_MOST]; // NULL: without memory
    uint64_t first;
    uint64_t next;
    size_t bytes;
};

// What a client wants to hear of.
struct sp_local_follow {
    enum sp_log_level level; // of notices; SP_LOG_OFF: of none
    bool events;
    bool sessions;
    bool records; // has the calls recorded, which is no news
};

static inline bool sp_local_follows(const struct sp_local_follow *follow)
{
    return follow->level < SP_LOG_OFF || follow->events || follow->sessions;
}

void sp_local_news_init(struct sp_local_news *news);
void sp_local_news_fini(struct sp_local_news *news);
// The number of the next one.
uint64_t sp_local_news_next(struct sp_local_news *news);
// Takes the first from number `*from` on that is followed; NULL: there is none yet.
// `*from` becomes the number to go on with, and `*lost` grows by those that are not
// there any more.
struct sp_local_said *sp_local_news_take(struct sp_local_news *news,
                                         const struct sp_local_follow *follow,
                                         uint64_t *from,
                                         uint64_t *lost);
// NULL is fine.
void sp_local_said_unref(struct sp_local_said *said);

// ---- users.c ------------------------------------------------------------------

// A user of the machine who has connections, or calls that have not ended.
struct sp_local_user {
    struct sp_link link; // of struct sp_local. Guarded by its lock, as the next three
    uint32_t uid;
    uint32_t refs;
    uint32_t connections;
    _Atomic uint32_t calls; // under way. Any thread
};

struct sp_local {
    pthread_mutex_t lock;
    struct sp_link users;
    struct sp_local_news news;
};

// One more connection of a user; NULL: there are `most` already, or, with errno ENOMEM,
// there is no memory.
struct sp_local_user *
sp_local_user_begin(struct sp_local *local, uint32_t uid, uint32_t most);
// A connection of the user's has ended.
void sp_local_user_end(struct sp_local *local, struct sp_local_user *user);
// The user is known as long as anybody has such a reference. Any thread.
void sp_local_user_ref(struct sp_local *local, struct sp_local_user *user);
void sp_local_user_unref(struct sp_local *local, struct sp_local_user *user);

// ---- local.c ------------------------------------------------------------------

// What one loop has.
struct sp_local_loop {
    struct sp_serve_loop *serve;
    struct sp_local *local;
    struct sp_link connections; // those that have done nothing for longest come first
    struct sp_link awake;       // circuits that are looked at in each turn
    struct sp_inbox *inbox;
    struct sp_local_returns *returns;
    snakepit_writer *args;       // of the call that is taken now
    snakepit_writer *text;       // of what is said now
    struct sp_buf scratch;       // a chunk with tensors
    struct sp_buf pools;         // what was said of them last: a list
    struct sp_pit_glance glance; // at one of them, while that list is made
    uint64_t pools_told;         // how often that has changed
    bool pools_whole;            // all of them have the workers that they should have
    struct sp_timer look_at_pools;
    struct sp_timer tell_news;
    uint32_t followers; // connections that are told news
    // See linger.c.
    uint64_t idle_since;   // ticks; 0: it has something to do
    uint32_t short_pauses; // between calls, of late
};

// ---- connection.c -------------------------------------------------------------

struct sp_local_connection {
    struct sp_link link;
    struct sp_local_loop *loop;
    struct sp_watch watch;
    struct sp_peer peer;
    struct sp_door_counts *counts;
    struct sp_local_user *user;
    struct sp_link circuits;
    uint32_t circuit_count;
    uint32_t calls;      // under way
    uint64_t shown;      // bytes of the segments that it shows
    uint64_t pools_seen; // see `pools_told`
    struct sp_local_follow follow;
    uint64_t news_from;   // the number of the first one that it was not told
    uint64_t news_lost;   // before that
    struct sp_timer late; // until it has greeted
    struct sp_task end;
    const char *why; // of its end; NULL: it lives
    int fd;
    bool greeted;
    bool told_leaving;
};

// Takes `fd`. NO_MEMORY, SYSTEM.
snakepit_err sp_local_connection_open(struct sp_local_loop *loop,
                                      int fd,
                                      const struct sp_peer *peer);
// It ends when what runs now has returned; `why` is constant, for the log.
static inline void sp_local_connection_fail(struct sp_local_connection *connection,
                                            const char *why)
{
    if (connection->why == NULL) {
        connection->why = why;
        sp_loop_later(
            &connection->loop->serve->loop, &connection->end, connection->end.run);
    }
}
// One that was told that the daemon goes: it ends once nothing of it is under way.
static inline void sp_local_connection_leave(struct sp_local_connection *connection)
{
    if (connection->calls == 0) {
        sp_local_connection_fail(connection, "the daemon ends");
    }
}
// At once: what it has begun is cancelled.
void sp_local_connection_close(struct sp_local_connection *connection, const char *why);
// Says that the daemon goes, once, and ends it when nothing of it is under way.
void sp_local_connection_drain(struct sp_local_connection *connection);

// ---- say.c --------------------------------------------------------------------

// Says something; who does not take it is closed.
void sp_local_connection_say(struct sp_local_connection *connection,
                             enum sp_local_message type,
                             const void *body,
                             size_t size);
// The same of what is in loop->text.
void sp_local_connection_say_text(struct sp_local_connection *connection,
                                  enum sp_local_message type);

// ---- pools.c ------------------------------------------------------------------

// Writes what the greeting is answered with into loop->text. False: no memory.
bool sp_local_write_welcome(struct sp_local_loop *loop);
// Looks at the pools, and again and again from then on; who has not heard of a change
// is told.
void sp_local_look_at_pools(struct sp_local_loop *loop);

// ---- follow.c -----------------------------------------------------------------

// From now on the client is told that. NO_MEMORY: not all of it.
snakepit_err sp_local_connection_follow(struct sp_local_connection *connection,
                                        const struct sp_local_follow *follow);
void sp_local_connection_unfollow(struct sp_local_connection *connection);

// ---- ask.c --------------------------------------------------------------------

// Answers a question, now or later.
void sp_local_ask(struct sp_local_connection *connection,
                  const struct sp_local_ask *ask,
                  struct sp_slice question);

// ---- circuit.c ----------------------------------------------------------------

// A range of the results that the client uses.
struct sp_local_lease {
    uint64_t offset;
    uint64_t bytes;  // 0: nobody has the number
    uint32_t joined; // one more than another one that ends with it; 0: none
};

struct sp_local_call;

// What goes through one piece of shared memory. After its connection has ended it is
// there until its calls are reported, and does nothing more.
struct sp_local_circuit {
    struct sp_link link;  // of its connection
    struct sp_link awake; // of its loop, while it is looked at
    struct sp_local_loop *loop;
    struct sp_local *local;
    struct sp_local_connection *connection; // NULL: it has ended
    struct sp_local_user *user;
    snakepit *pit;
    uint64_t number; // the client's
    char *pool;
    struct sp_segment requests;
    struct sp_segment control;
    struct sp_segment results;
    struct sp_control_view view;
    struct sp_arena arena;
    struct sp_budget *budget; // of the server, where what is lent counts; or NULL
    struct sp_local_lease *leases;
    uint32_t next_lease;
    struct sp_watch rung;
    int bell;
    int doorbell;       // ours
    int heard;          // the client's end: we empty it when it is full
    uint32_t announced; // the word of the bell that it sleeps on
    bool asleep;
    uint64_t submit_head; // what we have taken
    uint64_t done_tail;   // what we have put
    uint64_t returns_head;
    struct sp_local_call *calls; // one for each slot
    struct sp_link stalled;      // streams that wait for room
    struct sp_link asking;       // calls whose tool asks
    uint64_t returned_tail;      // what we have returned of its leases
    // See loan.c.
    int memory;               // the requests, of a client of our user; -1: the window's
    struct sp_window *window; // NULL: there is none yet
    struct sp_link loans;     // that have not ended
    uint64_t lent[SP_LOCAL_LEASES / 64]; // bit n: its lease n is with us
    uint32_t refs;                       // its connection, and each call
};

// Opens what an OPEN asks for; takes `memory` in any case. `why` explains a refusal.
// Wrong memory is PROTOCOL.
snakepit_err sp_local_circuit_open(struct sp_local_connection *connection,
                                   const struct sp_local_open *open,
                                   const char *name,
                                   int memory,
                                   snakepit_message *why);
struct sp_local_circuit *
sp_local_circuit_find(const struct sp_local_connection *connection, uint64_t number);
// Its connection knows it no longer.
void sp_local_circuit_unlink(struct sp_local_circuit *circuit);
void sp_local_circuit_unref(struct sp_local_circuit *circuit);

// ---- linger.c -----------------------------------------------------------------

// The circuit that is awake if there is only one; or NULL.
struct sp_local_circuit *sp_local_only_circuit(const struct sp_local_loop *loop);
// Before the loop sleeps: polls for the next call of a single client, where that has
// paid off lately. Whether a call has come.
bool sp_local_linger(struct sp_local_loop *loop);
// A call has come: learns how long its client paused before it.
void sp_local_note_pause(struct sp_local_loop *loop);

// ---- bell.c -------------------------------------------------------------------

// It is looked at before the loop waits.
void sp_local_circuit_wake(struct sp_local_circuit *circuit);
// Has the client ring from now on. False: something has come meanwhile.
bool sp_local_circuit_sleep(struct sp_local_circuit *circuit);

// Whether there is something to take.
bool sp_local_circuit_has_come(const struct sp_local_circuit *circuit);

// Says that there is news of a slot.
void sp_local_circuit_notify(struct sp_local_circuit *circuit,
                             uint32_t slot,
                             uint32_t queue);

// ---- lend.c -------------------------------------------------------------------

// A range of the results. NO_MEMORY: none is left, of the range, of numbers, or of
// `max_memory`.
snakepit_err sp_local_circuit_lend(struct sp_local_circuit *circuit,
                                   uint64_t bytes,
                                   uint32_t *lease,
                                   uint64_t *offset);
// Of a lease, and of those that were joined to it.
void sp_local_circuit_end_lease(struct sp_local_circuit *circuit, uint32_t number);
void sp_local_circuit_join(struct sp_local_circuit *circuit,
                           uint32_t lease,
                           uint32_t other);
// Takes back what the client has returned. False: it makes no sense.
bool sp_local_circuit_collect(struct sp_local_circuit *circuit);

// ---- loan.c -------------------------------------------------------------------

struct sp_local_returns;
struct sp_local_loan;

// Whether memory of the client may be lent to workers: a client of our own user could
// read theirs as well.
bool sp_local_may_lend(const struct sp_local_connection *connection);
// Begins a loan for a call, whose tensors the client knows by `lease`. False: they are
// to be copied.
bool sp_local_lend(struct sp_local_call *call, uint32_t lease);
// NULL: there is none.
struct sp_loan *sp_local_loan_of(const struct sp_local_call *call);
// The call is over. True: somebody still reads its tensors, and the client gets their
// lease back later.
bool sp_local_loan_leave(struct sp_local_call *call);
// The circuit is not used any more.
void sp_local_loans_leave(struct sp_local_circuit *circuit);

// Where loans of a loop go when they end; NULL: no memory.
struct sp_local_returns *sp_local_returns_new(struct sp_loop *loop);
// Tells the clients of those that have ended.
void sp_local_returns_take(struct sp_local_returns *returns);
// The loop ends, and has no connections any more. NULL is fine.
void sp_local_returns_close(struct sp_local_returns *returns);

// ---- intake.c -----------------------------------------------------------------

struct sp_kept_chunk {
    uint32_t lease;
    uint64_t end; // read once the head is there
};

// What is known of a call, from when it is taken from its slot until it is reported.
struct sp_local_call {
    struct sp_link stalled;
    struct sp_local_circuit *circuit;
    uint64_t number; // the client's; 0: there is none in the slot
    snakepit_call_id id;
    uint32_t queue; // of the client
    bool cancelled; // the client wants that
    bool beside;    // something of it is done on another thread
    snakepit_answer *answer;
    struct sp_local_loan *loan; // of its tensors; NULL: none
    struct sp_link asking;
    struct sp_deferred_question *held; // what its tool asks; NULL: nothing
    // Of a stream.
    snakepit_stream *stream;
    snakepit_reader chunk; // one that waits for room; `at` NULL: none
    struct sp_tube_writer tube;
    uint32_t tube_lease; // SP_NO_LEASE: there is no tube
    uint32_t kept_count;
    struct sp_kept_chunk kept[SP_CHUNKS_LEASED];
};

static inline uint32_t sp_local_call_slot(const struct sp_local_call *call)
{
    return (uint32_t)(call - call->circuit->calls);
}

// Takes what was submitted, at most so many. How many there were; the connection may
// have failed.
uint32_t sp_local_circuit_take(struct sp_local_circuit *circuit, uint32_t most);
// Asks that a call end.
void sp_local_call_cancel(struct sp_local_call *call);

// ---- piece.c -----------------------------------------------------------------

// Something that is sent, with its tensors: where it lies, and what it needs.
struct sp_local_piece {
    struct sp_slice body; // private
    snakepit_reader reader;
    bool tensors;
    uint64_t bytes; // of these, each rounded up
};

static inline uint64_t sp_local_rounded(uint64_t bytes)
{
    return (bytes + SP_ARENA_ALIGN - 1) / SP_ARENA_ALIGN * SP_ARENA_ALIGN;
}
// False: it is no MessagePack, which no worker's answer is.
bool sp_local_piece_measure(const snakepit_reader *reader,
                            struct sp_local_piece *piece);
// Copies the tensors to `offset` on in the results, and says so in `body`, a copy.
void sp_local_piece_place(const struct sp_local_piece *piece,
                          uint8_t *results,
                          uint64_t offset,
                          uint8_t *body);

// ---- tube.c -------------------------------------------------------------------

// What comes of a chunk.
enum sp_local_put {
    SP_LOCAL_PUT,
    SP_LOCAL_WAITS, // until the client has read; then it is pumped
    SP_LOCAL_FULL,  // there is no room, and none will come
};
// Puts call->chunk into the tube.
enum sp_local_put sp_local_put(struct sp_local_call *call);
// What the stream keeps ends with `lease`, if there is one; else that is given.
uint32_t sp_local_stream_leave(struct sp_local_call *call, uint32_t lease);

// ---- answer.c -----------------------------------------------------------------

// Hands an answer over, which is borrowed until then, and frees the slot.
void sp_local_answer(struct sp_local_call *call, snakepit_answer *answer);
// The same of a call that was refused, which `why` explains, or NULL.
void sp_local_refuse(struct sp_local_call *call, snakepit_err err, const char *why);
// The same of one that was taken back before.
void sp_local_skip(struct sp_local_call *call);
// snakepit_done_fn of a call.
void sp_local_done(void *user, snakepit_err err, snakepit_answer *answer);

// ---- fault.c ------------------------------------------------------------------

// Writes the fault into loop->text. `answer` may be NULL, with `err` and `why`.
bool sp_local_write_fault(struct sp_local_loop *loop,
                          const snakepit_answer *answer,
                          snakepit_err err,
                          const char *why);

// ---- question.c -----------------------------------------------------------------

// sp_call_asks_fn of a call.
void sp_local_asks(void *user, struct sp_deferred_question *held);
// Takes the replies that there are.
void sp_local_circuit_hear(struct sp_local_circuit *circuit);
// Nobody replies to what a call asks, if it does.
void sp_local_question_leave(struct sp_local_call *call);

// ---- stream.c -----------------------------------------------------------------

// snakepit_ready_fn of a stream.
void sp_local_ready(void *user, snakepit_stream *stream);
// Goes on with those that have waited for room.
void sp_local_circuit_pump(struct sp_local_circuit *circuit);

#endif
