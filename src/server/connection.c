// SPDX-License-Identifier: MIT
// Protocols are called by the loop's own callbacks alone, and a connection ends there
// alone: what a protocol calls only notes what is to be done, and asks for a turn. Each
// turn writes once.
//
// A connection whose client is slow holds what it was sent, a window of it, and asks
// the kernel for room; one that is idle holds neither buffer. Nothing is asked of the
// kernel for a pause: only where the client sends something meanwhile.
#include "server/connection_inside.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "server/door.h"

#define STEP      16384u  // bytes that are read at once
#define LEAST     4096u   // for which there is room when something is read
#define SINK_STEP 262144u // the same of a body
#define KEPT      65536u  // of a buffer that is kept for the next connection
#define WINDOW    SP_OUTBOX_WINDOW
#define LARGE     32768u // bytes that are sent rather than copied, if there is room

static void on_turn(struct sp_task *task);

static void ask_for_turn(struct sp_connection *connection)
{
    if (!sp_task_waits(&connection->flush)) {
        sp_loop_later(connection->all->loop, &connection->flush, on_turn);
    }
}

// ---- Buffers ----------------------------------------------------------------------

// One buffer of each kind waits for the next connection that reads or writes: a request
// of a client that has nothing else under way allocates none.
static void let_go(struct sp_buf *spare, struct sp_buf *buf)
{
    buf->size = 0;
    if (spare->data == NULL && buf->capacity <= KEPT) {
        *spare = *buf;
        *buf = (struct sp_buf){0};
    } else {
        sp_buf_fini(buf);
    }
}

static void take_spare(struct sp_buf *spare, struct sp_buf *buf)
{
    if (buf->data == NULL) {
        *buf = *spare;
        *spare = (struct sp_buf){0};
    }
}

// Room to read into.
static snakepit_err make_room(struct sp_connection *connection)
{
    struct sp_buf *in = &connection->in;
    take_spare(&connection->all->spare_in, in);
    return in->capacity - in->size >= LEAST ? SNAKEPIT_OK : sp_buf_reserve(in, STEP);
}

// ---- Waiting ----------------------------------------------------------------------

// The client has to take something before it goes on.
static bool stalls(const struct sp_connection *connection)
{
    return connection->blocked || connection->full;
}

static void wait_as_is(struct sp_connection *connection)
{
    enum sp_wait_for what = connection->waits_for;
    what = what == SP_WAIT_CLIENT ? SP_WAIT_NOTHING : what;
    what = stalls(connection) ? SP_WAIT_CLIENT : what;
    what = connection->leaving ? SP_WAIT_END : what;
    sp_wait_begin(&connection->all->waits, &connection->wait, what);
}

static void watch_as_is(struct sp_connection *connection)
{
    // A pause keeps what was watched: what comes nevertheless is looked at.
    bool over = connection->ended || connection->closing;
    unsigned reads = connection->watch.wanted & (SP_WATCH_READ | SP_WATCH_HANGUP);
    if (connection->leaving || !(over || connection->paused)) {
        reads = SP_WATCH_READ;
    } else if (over) {
        reads = 0;
    }
    unsigned all = reads | (stalls(connection) ? SP_WATCH_WRITE : 0U);
    sp_watch_want(&connection->watch,
                  sp_transport_to_watch(&connection->transport, all));
}

void sp_connection_late(struct sp_wait *wait, enum sp_wait_for what)
{
    struct sp_connection *connection = SP_ENTRY(wait, struct sp_connection, wait);
    sp_door_count_late(connection->counts, what);
    if (what != SP_WAIT_END) {
        connection->protocol->late(connection, what);
    }
    if (what == SP_WAIT_END || what == SP_WAIT_CLIENT) {
        connection->lost = true;
    }
    sp_connection_close_after(connection);
}

// ---- Writing ----------------------------------------------------------------------

static struct sp_budget *budget_of(const struct sp_connection *connection)
{
    return connection->all->budget;
}

static size_t unsent(const struct sp_connection *connection)
{
    return sp_outbox_size(&connection->out);
}

// Sends what is queued, and `more` behind it. Gives how much of `more` was taken.
static size_t write_once(struct sp_connection *connection, struct sp_slice more)
{
    size_t queued = unsent(connection);
    struct iovec parts[] = {
        {.iov_base = (void *)(uintptr_t)sp_outbox_slice(&connection->out).data,
         .iov_len = queued},
        {.iov_base = (void *)(uintptr_t)more.data, .iov_len = more.size}};
    ssize_t sent = sp_transport_send(&connection->transport,
                                     queued > 0 ? parts : parts + 1,
                                     (queued > 0) + (more.size > 0));
    if (sent < 0 && errno != EAGAIN && errno != EINTR) {
        connection->lost = true;
        return 0;
    }
    size_t count = sent > 0 ? (size_t)sent : 0;
    sp_door_count(connection->counts, SP_DOOR_SENT, count);
    size_t first = count < queued ? count : queued;
    sp_outbox_sent(&connection->out, budget_of(connection), first);
    if (unsent(connection) == 0) {
        let_go(&connection->all->spare_out, &connection->out.bytes);
        sp_outbox_count(&connection->out, budget_of(connection));
    }
    connection->blocked = count < queued + more.size;
    // Whatever it takes, it has all its time for the rest.
    bool waits = connection->wait.what == SP_WAIT_CLIENT;
    if (stalls(connection) ? count > 0 || !waits : waits) {
        wait_as_is(connection);
    }
    return count - first;
}

static void flush(struct sp_connection *connection)
{
    if (unsent(connection) > 0 && !connection->blocked) {
        (void)write_once(connection, (struct sp_slice){0});
    }
}

static bool takes_more(const struct sp_connection *connection)
{
    return !connection->lost && !connection->leaving;
}

snakepit_err sp_connection_send(struct sp_connection *connection, struct sp_slice bytes)
{
    if (!takes_more(connection) || bytes.size == 0) {
        return SNAKEPIT_OK; // it is told soon that nobody is there
    }
    ask_for_turn(connection);
    if (bytes.size >= LARGE && !connection->blocked) {
        size_t taken = write_once(connection, bytes);
        const struct sp_slice rest = {bytes.data + taken, bytes.size - taken};
        snakepit_err err = sp_outbox_put(&connection->out, budget_of(connection), rest);
        // A part of it has gone: that cannot be taken back.
        connection->lost = connection->lost || err != SNAKEPIT_OK;
        return SNAKEPIT_OK;
    }
    take_spare(&connection->all->spare_out, &connection->out.bytes);
    return sp_outbox_put(&connection->out, budget_of(connection), bytes);
}

void sp_connection_send_now(struct sp_connection *connection)
{
    if (takes_more(connection)) {
        flush(connection);
    }
}

size_t sp_connection_room(struct sp_connection *connection)
{
    size_t queued = unsent(connection);
    if (queued < WINDOW) {
        return WINDOW - queued;
    }
    if (!connection->full) {
        connection->full = true;
        wait_as_is(connection);
        ask_for_turn(connection);
    }
    return 0;
}

// Half of the window is free again: a handler that is told of each byte would be told
// often.
static void tell_writable(struct sp_connection *connection)
{
    if (connection->full && takes_more(connection) && !connection->closing &&
        unsent(connection) <= WINDOW / 2) {
        connection->full = false;
        wait_as_is(connection);
        connection->protocol->writable(connection);
    }
}

// ---- Reading ----------------------------------------------------------------------

static void end(struct sp_connection *connection)
{
    connection->ended = true;
    connection->lingers = false; // if it was told early, that was for then
    connection->protocol->ended(connection);
    connection->closing = connection->closing || !connection->lingers;
}

static void hand_out(struct sp_connection *connection)
{
    connection->protocol->received(connection);
    if (connection->in.size == 0 && connection->in.data != NULL) {
        let_go(&connection->all->spare_in, &connection->in);
    }
}

// What recv(2) has given: of an error or the end of it nothing is taken.
static size_t judge(struct sp_connection *connection, ssize_t got)
{
    if (got == 0) {
        end(connection);
    } else if (got < 0 && errno != EAGAIN && errno != EINTR) {
        connection->lost = true;
    }
    sp_door_count(connection->counts, SP_DOOR_RECEIVED, got > 0 ? (uint64_t)got : 0);
    return got > 0 ? (size_t)got : 0;
}

static void receive_body(struct sp_connection *connection)
{
    struct sp_buf *sink = connection->sink;
    size_t most = connection->expected < SINK_STEP ? connection->expected : SINK_STEP;
    size_t got = judge(
        connection,
        sp_transport_receive(&connection->transport, sink->data + sink->size, most));
    if (got > 0) {
        sink->size += got;
        connection->expected -= got;
        connection->sink = connection->expected > 0 ? sink : NULL;
        hand_out(connection);
    }
}

static void receive(struct sp_connection *connection)
{
    struct sp_buf *in = &connection->in;
    if (make_room(connection) != SNAKEPIT_OK) {
        connection->lost = true;
        return;
    }
    size_t got = judge(connection,
                       sp_transport_receive(&connection->transport,
                                            in->data + in->size,
                                            in->capacity - in->size));
    in->size += got;
    if (got > 0) {
        hand_out(connection);
    } else if (in->size == 0) {
        let_go(&connection->all->spare_in, in);
    }
}

// Something has come that is not to be read now. It may be the end, behind what was
// sent before it, and whoever works for the client is told of that. If it is not, the
// watch must not tell of it again and again.
static void look(struct sp_connection *connection)
{
    char byte;
    struct sp_watch *watch = &connection->watch;
    bool hangs_up = (watch->happened & SP_WATCH_HANGUP) != 0;
    ssize_t got = recv(connection->transport.fd, &byte, 1, MSG_PEEK);
    bool unread =
        connection->in.size > 0 || sp_transport_is_pending(&connection->transport);
    if (got < 0 || (got == 0 && !unread)) {
        (void)judge(connection, got);
    } else if (got == 0 || hangs_up) {
        connection->protocol->ended(connection);
    }
    bool watched_end = (watch->wanted & SP_WATCH_HANGUP) != 0;
    unsigned reads = got > 0 && !watched_end ? SP_WATCH_HANGUP : 0U;
    sp_watch_want(watch, (watch->wanted & SP_WATCH_WRITE) | reads);
}

// What a client still sends after the end is nobody's. But if the socket were closed
// with something unread, the client might never see the answer.
void sp_connection_discard(struct sp_connection *connection)
{
    if (make_room(connection) != SNAKEPIT_OK) {
        connection->lost = true;
        return;
    }
    ssize_t got =
        recv(connection->transport.fd, connection->in.data, connection->in.capacity, 0);
    let_go(&connection->all->spare_in, &connection->in);
    if (got == 0 || (got < 0 && errno != EAGAIN && errno != EINTR)) {
        connection->lost = true;
    }
}

static void read_some(struct sp_connection *connection)
{
    if (connection->leaving) {
        sp_connection_discard(connection);
    } else if (connection->ended || connection->closing) {
        // Was watched when this came.
    } else if (connection->paused) {
        look(connection);
    } else if (connection->sink != NULL) {
        receive_body(connection);
    } else {
        receive(connection);
    }
}

void sp_connection_consume(struct sp_connection *connection, size_t bytes)
{
    struct sp_buf *in = &connection->in;
    SP_CHECK(bytes <= in->size);
    in->size -= bytes;
    if (bytes > 0 && in->size > 0) {
        memmove(in->data, in->data + bytes, in->size);
    }
}

void sp_connection_expect(struct sp_connection *connection,
                          struct sp_buf *buf,
                          size_t bytes)
{
    SP_CHECK(bytes == 0 || buf->capacity - buf->size >= bytes);
    connection->sink = bytes > 0 ? buf : NULL;
    connection->expected = bytes;
}

void sp_connection_pause(struct sp_connection *connection, bool paused)
{
    if (connection->paused && !paused) {
        connection->again = true;
        ask_for_turn(connection);
    }
    connection->paused = paused;
}

// ---- Turns and the end ------------------------------------------------------------

void sp_connection_destroy(struct sp_connection *connection)
{
    struct sp_connections *all = connection->all;
    struct sp_door_counts *counts = connection->counts;
    connection->lost = true;
    connection->protocol->close(connection);
    sp_task_cancel(&connection->flush);
    sp_wait_end(&connection->wait);
    sp_watch_stop(&connection->watch);
    sp_tls_free(connection->transport.tls);
    (void)close(connection->transport.fd);
    sp_buf_fini(&connection->in);
    sp_outbox_fini(&connection->out, budget_of(connection));
    sp_free(connection);
    all->count--;
    sp_door_count_less(counts, SP_DOOR_OPEN);
    all->closed(all);
}

static void hand_out_again(struct sp_connection *connection)
{
    bool wanted = connection->again && !connection->paused;
    connection->again = connection->again && connection->paused;
    if (wanted && connection->in.size > 0 && !connection->closing) {
        hand_out(connection);
    }
}

// The client has all of it, and may still be sending: it is told that nothing more
// comes.
static void leave(struct sp_connection *connection)
{
    if (!sp_transport_finish(&connection->transport)) {
        connection->blocked = true; // there is no room for that yet
        wait_as_is(connection);
        return;
    }
    if (connection->ended || shutdown(connection->transport.fd, SHUT_WR) != 0) {
        connection->lost = true;
        return;
    }
    connection->leaving = true;
    sp_buf_fini(&connection->in);
    wait_as_is(connection);
}

// What TLS has read ahead, and nothing but that: others are to have their turn.
static bool reads_ahead(const struct sp_connection *connection)
{
    return sp_transport_is_pending(&connection->transport) && !connection->paused &&
           !connection->ended && !connection->closing && !connection->lost &&
           connection->protocol->ready == NULL;
}

static void read_ahead(struct sp_connection *connection)
{
    if (reads_ahead(connection)) {
        connection->transport.buffered = true;
        read_some(connection);
        connection->transport.buffered = false;
    }
}

static void turn(struct sp_connection *connection)
{
    if (!connection->lost) {
        hand_out_again(connection);
    }
    if (!connection->lost) {
        flush(connection);
    }
    bool done = connection->closing && unsent(connection) == 0;
    if (!connection->lost && done && !connection->leaving) {
        leave(connection);
    }
    if (connection->lost) {
        sp_connection_destroy(connection);
        return;
    }
    watch_as_is(connection);
    if (reads_ahead(connection)) {
        ask_for_turn(connection);
    }
}

static void on_turn(struct sp_task *task)
{
    struct sp_connection *connection = SP_ENTRY(task, struct sp_connection, flush);
    read_ahead(connection);
    turn(connection);
}

static bool is_shaking_hands(const struct sp_connection *connection)
{
    return connection->protocol->ready != NULL && !connection->closing;
}

static void on_ready(struct sp_watch *watch)
{
    struct sp_connection *connection = SP_ENTRY(watch, struct sp_connection, watch);
    unsigned happened = sp_transport_to_tell(&connection->transport, watch->happened);
    if (is_shaking_hands(connection)) {
        connection->protocol->ready(connection);
        turn(connection);
        return;
    }
    if ((happened & SP_WATCH_WRITE) != 0) {
        connection->blocked = false;
        flush(connection);
        tell_writable(connection);
    }
    bool reads = !connection->paused && !connection->ended && !connection->closing;
    if ((happened & (SP_WATCH_READ | SP_WATCH_HANGUP)) != 0 && !connection->lost) {
        read_some(connection);
    }
    // What is left to be read of a socket that is broken is still read.
    if ((happened & SP_WATCH_BROKEN) != 0 &&
        (!reads || (happened & SP_WATCH_READ) == 0)) {
        connection->lost = true;
    }
    turn(connection);
}

void sp_connection_close_after(struct sp_connection *connection)
{
    connection->closing = true;
    ask_for_turn(connection);
}

void sp_connection_linger(struct sp_connection *connection)
{
    connection->lingers = true;
}

void sp_connection_abort(struct sp_connection *connection)
{
    connection->lost = true;
    ask_for_turn(connection);
}

void sp_connection_wait_for(struct sp_connection *connection, enum sp_wait_for what)
{
    connection->waits_for = what;
    if (!stalls(connection) && !connection->leaving) {
        wait_as_is(connection);
    }
}

// ---- One begins ---------------------------------------------------------------------

static snakepit_err choose(struct sp_connection *connection)
{
    const struct sp_door *door = connection->peer.door;
    if (door == NULL || door->tls == NULL) {
        connection->protocol = connection->all->protocol;
        sp_connection_wait_for(connection, SP_WAIT_REQUEST);
        return SNAKEPIT_OK;
    }
    connection->protocol = &sp_handshake;
    sp_connection_wait_for(connection, SP_WAIT_HANDSHAKE);
    return sp_tls_new(door->tls, connection->transport.fd, &connection->transport.tls);
}

static snakepit_err begin(struct sp_connection *connection)
{
    connection->watch.ready = on_ready;
    snakepit_err err = choose(connection);
    if (err == SNAKEPIT_OK) {
        err = sp_watch_start_for(&connection->watch,
                                 connection->all->loop,
                                 connection->transport.fd,
                                 SP_WATCH_READ,
                                 NULL);
    }
    if (err == SNAKEPIT_OK) {
        err = connection->protocol->open(connection);
    }
    if (err != SNAKEPIT_OK) {
        sp_watch_stop(&connection->watch);
        sp_task_cancel(&connection->flush);
        sp_wait_end(&connection->wait);
        sp_tls_free(connection->transport.tls);
    }
    return err;
}

static struct sp_door_counts *counts_of(const struct sp_connections *all,
                                        const struct sp_door *door)
{
    return all->counts == NULL ? NULL : &all->counts[door - all->doors];
}

snakepit_err
sp_connection_open(struct sp_connections *all, int fd, const struct sp_peer *peer)
{
    struct sp_connection *connection = sp_alloc(sizeof *connection);
    if (connection == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    connection->all = all;
    connection->loop = all->serve;
    connection->counts = counts_of(all, peer->door);
    connection->peer = *peer;
    connection->transport.fd = fd;
    snakepit_err err = begin(connection);
    if (err != SNAKEPIT_OK) {
        sp_free(connection);
        return err;
    }
    all->count++;
    sp_door_count(connection->counts, SP_DOOR_ACCEPTED, 1);
    sp_door_count(connection->counts, SP_DOOR_OPEN, 1);
    return SNAKEPIT_OK;
}

// A request that has come by now is still served.
void sp_connection_drain(struct sp_connection *connection)
{
    if (!connection->lost && !connection->leaving && !connection->paused &&
        !is_shaking_hands(connection)) {
        read_some(connection);
    }
    if (!connection->lost && connection->protocol->drain(connection)) {
        connection->closing = true;
    }
    ask_for_turn(connection);
}
