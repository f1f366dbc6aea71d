// SPDX-License-Identifier: MIT
// A stream is read when three things are true: there is a chunk, its client has room
// for it, and it is the stream's turn. One turn reads a bounded number of chunks, so
// that a producer that is always ahead does not keep the loop from the others. A client
// that does not read holds its producer, since nothing is read for it then.
//
// The answer begins with the first event, so that a call which fails before that is
// answered with the status of its fault.
//
// What is large is written by a thread of the server. Until that is done the stream
// neither reads nor sends.
#include "api/stream.h"

#include <string.h>

#include "api/inside.h"
#include "api/large.h"
#include "api/reply.h"
#include "api/track.h"
#include "base/clock.h"
#include "base/memory.h"
#include "http/problem.h"
#include "server/offload.h"
#include "server/server.h"

#define CHUNKS_A_TURN 64u
#define KEPT          ((size_t)1 << 18) // bytes that the loop's buffer keeps
// A stream in which nothing was sent from one look to the next gets a comment, so the
// longest silence is twice as long: 15 s.
#define LOOK_MS 7500u

// What is written while the loop goes on. Owner: the thread that writes, until it is
// done.
struct writing {
    struct sp_offload_work work;
    bool last; // what the tool returned at its end
    snakepit_reader chunk;
    struct sp_buf events;
    snakepit_err err;
};

// Owner: the loop of its exchange.
struct stream {
    struct sp_link link; // of sp_api_loop.streams
    struct sp_link turn; // of sp_api_loop.busy
    struct sp_api_loop *loop;
    struct sp_exchange *exchange; // NULL: nobody waits any more
    const struct sp_api_stream_form *form;
    snakepit_stream *chunks;
    struct sp_api_track track;
    uint64_t ends_ns;    // when its client waits no longer; 0: it may wait for ever
    struct sp_timer end; // runs then, while there is no room
    bool begun;          // the answer has
    bool spoken;         // something was sent since the last look
    bool full;           // it goes on when its client has room
    bool writes;         // `writing` is not done
    struct writing writing;
};

// ---- Its end --------------------------------------------------------------------

static void drop_form(const struct sp_api_stream_form *form)
{
    if (form->over != NULL) {
        form->over(form);
    }
}

// The loop and the call know it no longer.
static void part(struct stream *stream)
{
    if (sp_link_used(&stream->turn)) {
        sp_list_remove(&stream->turn);
    }
    if (sp_link_used(&stream->link)) {
        sp_list_remove(&stream->link);
        if (sp_list_empty(&stream->loop->streams)) {
            sp_timer_stop(&stream->loop->silence);
        }
    }
    sp_timer_stop(&stream->end);
    sp_api_track_end(&stream->track);
}

static void free_parted(struct stream *stream)
{
    snakepit_stream_close(stream->chunks);
    drop_form(stream->form);
    sp_buf_fini(&stream->writing.events);
    sp_free(stream);
}

static void free_stream(struct stream *stream)
{
    part(stream);
    free_parted(stream);
}

static void on_gone(void *user)
{
    struct stream *stream = user;
    if (stream->writes) {
        (void)snakepit_cancel(sp_api_of(stream->exchange)->pit, stream->track.id);
        part(stream);
        stream->exchange = NULL;
    } else {
        free_stream(stream);
    }
}

// Its client sees that it is not whole.
static void break_off(struct stream *stream)
{
    if (stream->begun) {
        sp_exchange_fail(stream->exchange);
    } else {
        sp_api_fail(stream->exchange, SNAKEPIT_NO_MEMORY, NULL);
    }
    free_stream(stream);
}

// ---- Sending --------------------------------------------------------------------

static void begin_answer(struct stream *stream)
{
    if (!stream->begun) {
        stream->begun = true;
        stream->form->begin(stream->exchange, stream->track.text);
    }
}

// Sends what the loop's buffer holds. NO_MEMORY.
static snakepit_err send_events(struct stream *stream)
{
    struct sp_buf *events = &stream->loop->events;
    if (events->size == 0) {
        return SNAKEPIT_OK;
    }
    begin_answer(stream);
    stream->spoken = true;
    snakepit_err err = sp_exchange_send(stream->exchange,
                                        (struct sp_slice){events->data, events->size});
    events->size = 0;
    if (events->capacity > KEPT) {
        sp_buf_fini(events);
    }
    return err;
}

// All that is to be sent is in the buffer, or there was no memory for it. `fault` is
// NULL where the call has ended well.
static void finish(struct stream *stream,
                   snakepit_err err,
                   const snakepit_fault *fault,
                   uint32_t retry_after_ms)
{
    if (err == SNAKEPIT_OK) {
        err = send_events(stream);
    }
    stream->loop->events.size = 0;
    if (err != SNAKEPIT_OK) {
        break_off(stream);
        return;
    }
    begin_answer(stream);
    stream->form->end(stream->exchange, fault, retry_after_ms);
    free_stream(stream);
}

// Before the answer has begun.
static void refuse(struct stream *stream,
                   const snakepit_fault *fault,
                   uint32_t retry_after_ms,
                   const char *call)
{
    if (stream->form->refuse != NULL) {
        stream->form->refuse(stream->exchange, fault);
    } else {
        sp_api_fault(stream->exchange, fault, retry_after_ms, call);
    }
}

// A fault before the first chunk is an answer like that of any call.
static void end_with_fault(struct stream *stream,
                           const snakepit_fault *fault,
                           uint32_t retry_after_ms)
{
    const struct sp_api_stream_form *form = stream->form;
    snakepit_err err = SNAKEPIT_OK;
    if (!stream->begun && stream->loop->events.size == 0) {
        refuse(stream, fault, retry_after_ms, stream->track.text);
        free_stream(stream);
        return;
    }
    if (form->fault != NULL) {
        err = form->fault(&stream->loop->events, stream->exchange, fault);
    }
    finish(stream, err, fault, retry_after_ms);
}

// What could not be written is told also where the tool has ended well meanwhile.
static void end_with_unwritable(struct stream *stream, const snakepit_reader *value)
{
    snakepit_message why;
    const snakepit_fault none = stream->form->unwritable(value, stream->form->as, &why);
    end_with_fault(stream, &none, 0);
}

// `err` is of its result, which is in the buffer where it is OK.
static void end_with_result(struct stream *stream, snakepit_err err)
{
    snakepit_reader reader;
    if (err == SNAKEPIT_UNSERIALISABLE) {
        snakepit_answer_reader(snakepit_stream_answer(stream->chunks), &reader);
        end_with_unwritable(stream, &reader);
    } else {
        finish(stream, err, NULL, 0);
    }
}

static void begin_writing(struct stream *stream, bool last);

static void end_with_answer(struct stream *stream)
{
    const struct sp_api_stream_form *form = stream->form;
    snakepit_answer *answer = snakepit_stream_answer(stream->chunks);
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    if (fault->err != SNAKEPIT_OK) {
        end_with_fault(stream, fault, snakepit_answer_retry_after_ms(answer));
    } else if (form->result == NULL) {
        finish(stream, SNAKEPIT_OK, NULL, 0);
    } else if (sp_api_result_is_large(answer)) {
        begin_writing(stream, true);
    } else {
        end_with_result(stream, form->result(&stream->loop->events, answer, form));
    }
}

// ---- Room -----------------------------------------------------------------------

static void on_end(struct sp_timer *timer)
{
    struct stream *stream = timer->user;
    const snakepit_fault fault =
        sp_fault_of(SNAKEPIT_DEADLINE_EXCEEDED, "the call's time ran out");
    end_with_fault(stream, &fault, 0);
}

// What there is to read waits until the client has room, or its time is up.
static void wait_for_room(struct stream *stream)
{
    stream->full = true;
    if (stream->ends_ns != 0 && !sp_timer_runs(&stream->end)) {
        const uint64_t now = sp_clock_now();
        const uint64_t left = stream->ends_ns > now ? stream->ends_ns - now : 0;
        stream->end.user = stream;
        sp_timer_start(&stream->exchange->loop->loop,
                       &stream->end,
                       on_end,
                       (left + SP_NS_PER_MS - 1) / SP_NS_PER_MS,
                       0);
    }
}

// ---- Reading --------------------------------------------------------------------

static void run_turns(struct sp_timer *timer);

static void wait_for_turn(struct stream *stream)
{
    struct sp_api_loop *loop = stream->loop;
    sp_list_append(&loop->busy, &stream->turn);
    if (!sp_timer_runs(&loop->turn)) {
        loop->turn.user = loop;
        sp_timer_start(&stream->exchange->loop->loop, &loop->turn, run_turns, 0, 0);
    }
}

// The last chunk that was read.
struct chunk {
    snakepit_reader reader;
    bool unwritable;
    bool large; // and not written yet
};

// Reads into the loop's buffer what one turn may. OK: there may be more. AGAIN: there
// is not, now. UNSERIALISABLE: `chunk` is unwritable. NO_MEMORY. Everything else is the
// end of the call.
static snakepit_err read_chunks(struct stream *stream, size_t room, struct chunk *chunk)
{
    const struct sp_api_stream_form *form = stream->form;
    struct sp_buf *events = &stream->loop->events;
    for (unsigned i = 0; i < CHUNKS_A_TURN && events->size < room; i++) {
        snakepit_err err = snakepit_stream_try_next(stream->chunks, &chunk->reader);
        chunk->large = err == SNAKEPIT_OK && sp_api_value_is_large(&chunk->reader);
        if (err != SNAKEPIT_OK || chunk->large) {
            return err;
        }
        err = form->chunk(events, stream->chunks, &chunk->reader, form);
        chunk->unwritable = err == SNAKEPIT_UNSERIALISABLE;
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    return SNAKEPIT_OK;
}

static void go_on(struct stream *stream)
{
    if (send_events(stream) != SNAKEPIT_OK) {
        break_off(stream);
        return;
    }
    if (sp_exchange_room(stream->exchange) == 0) {
        wait_for_room(stream);
    } else {
        wait_for_turn(stream);
    }
}

// ---- What is large --------------------------------------------------------------

// On a thread of the server.
static void write_value(struct sp_offload_work *work)
{
    struct stream *stream = SP_ENTRY(work, struct stream, writing.work);
    struct writing *writing = &stream->writing;
    const struct sp_api_stream_form *form = stream->form;
    writing->err =
        writing->last
            ? form->result(
                  &writing->events, snakepit_stream_answer(stream->chunks), form)
            : form->chunk(&writing->events, stream->chunks, &writing->chunk, form);
}

// What was written becomes what the loop sends next.
static void is_written(struct sp_offload_work *work)
{
    struct stream *stream = SP_ENTRY(work, struct stream, writing.work);
    struct writing *writing = &stream->writing;
    stream->writes = false;
    if (stream->exchange == NULL) {
        free_parted(stream);
        return;
    }
    sp_buf_fini(&stream->loop->events);
    stream->loop->events = writing->events;
    writing->events = (struct sp_buf){.data = NULL};
    if (writing->last) {
        end_with_result(stream, writing->err);
    } else if (writing->err == SNAKEPIT_OK) {
        go_on(stream);
    } else if (writing->err == SNAKEPIT_UNSERIALISABLE) {
        end_with_unwritable(stream, &writing->chunk);
    } else {
        break_off(stream);
    }
}

// What is in the loop's buffer goes before it.
static void begin_writing(struct stream *stream, bool last)
{
    if (send_events(stream) != SNAKEPIT_OK) {
        break_off(stream);
        return;
    }
    stream->writes = true;
    stream->writing.last = last;
    stream->writing.err = SNAKEPIT_SHUTTING_DOWN; // if it never runs
    stream->writing.work.run = write_value;
    stream->writing.work.done = is_written;
    sp_offload_do(stream->exchange->loop, &stream->writing.work);
}

// Not while it waits for its turn, or for room.
static void read_on(struct stream *stream)
{
    struct chunk chunk = {.unwritable = false};
    const size_t room = sp_exchange_room(stream->exchange);
    if (room == 0) {
        wait_for_room(stream);
        return;
    }
    snakepit_err err = read_chunks(stream, room, &chunk);
    if (chunk.large) {
        stream->writing.chunk = chunk.reader;
        begin_writing(stream, false);
    } else if (err == SNAKEPIT_OK) {
        go_on(stream);
    } else if (err == SNAKEPIT_AGAIN) {
        if (send_events(stream) != SNAKEPIT_OK) {
            break_off(stream);
        }
    } else if (chunk.unwritable) {
        end_with_unwritable(stream, &chunk.reader);
    } else if (snakepit_stream_answer(stream->chunks) != NULL) {
        end_with_answer(stream);
    } else {
        const snakepit_fault fault = sp_fault_of(err, NULL);
        end_with_fault(stream, &fault, 0);
    }
}

static void run_turns(struct sp_timer *timer)
{
    struct sp_api_loop *loop = timer->user;
    struct sp_link now;
    struct sp_link *link;
    sp_list_init(&now);
    while ((link = sp_list_take(&loop->busy)) != NULL) {
        sp_list_append(&now, link);
    }
    while ((link = sp_list_take(&now)) != NULL) {
        read_on(SP_ENTRY(link, struct stream, turn));
    }
}

static void on_ready(void *user, snakepit_stream *chunks)
{
    struct stream *stream = user;
    (void)chunks;
    if (!stream->writes) { // else it reads on when that is done
        read_on(stream);
    }
}

static void on_writable(void *user)
{
    struct stream *stream = user;
    if (stream->full) {
        stream->full = false;
        sp_timer_stop(&stream->end);
        read_on(stream);
    }
}

static const struct sp_exchange_listener listener = {.gone = on_gone,
                                                     .writable = on_writable};

// ---- Silence --------------------------------------------------------------------

// A client that has no room hears enough.
static void break_silence(struct stream *stream)
{
    const bool quiet = !stream->spoken;
    stream->spoken = false;
    if (!quiet || stream->writes || stream->form->silence == NULL ||
        (stream->begun && sp_exchange_room(stream->exchange) == 0)) {
        return;
    }
    snakepit_err err = stream->form->silence(&stream->loop->events);
    if (err != SNAKEPIT_OK || send_events(stream) != SNAKEPIT_OK) {
        break_off(stream);
    }
}

static void look(struct sp_timer *timer)
{
    struct sp_api_loop *loop = timer->user;
    struct sp_link *link = loop->streams.next;
    while (link != &loop->streams) {
        struct sp_link *next = link->next;
        break_silence(SP_ENTRY(link, struct stream, link));
        link = next;
    }
}

// ---- Its beginning --------------------------------------------------------------

static struct stream *new_stream(struct sp_exchange *exchange,
                                 const struct sp_api_stream_form *form)
{
    struct sp_api_loop *loop = sp_api_loop_of(exchange);
    struct stream *stream = loop == NULL ? NULL : sp_alloc(sizeof *stream);
    if (stream == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return NULL;
    }
    stream->loop = loop;
    stream->exchange = exchange;
    stream->form = form;
    return stream;
}

// The library has taken it.
static void begin(struct stream *stream)
{
    struct sp_api_loop *loop = stream->loop;
    if (sp_api_track_set(&stream->track, snakepit_stream_id(stream->chunks))) {
        (void)snakepit_cancel(sp_api_of(stream->exchange)->pit, stream->track.id);
    }
    sp_list_append(&loop->streams, &stream->link);
    if (!sp_timer_runs(&loop->silence)) {
        loop->silence.user = loop;
        sp_timer_start(
            &stream->exchange->loop->loop, &loop->silence, look, LOOK_MS, LOOK_MS);
    }
    stream->exchange->user = stream;
    stream->exchange->listener = &listener;
}

void sp_api_stream(struct sp_exchange *exchange,
                   struct sp_api_ask *ask,
                   const struct sp_api_stream_form *form)
{
    struct stream *stream = new_stream(exchange, form);
    if (stream == NULL) {
        drop_form(form);
        return;
    }
    if (!sp_api_track_begin(&stream->track, exchange, ask)) {
        drop_form(form);
        sp_free(stream);
        return;
    }
    stream->ends_ns = ask->ends_ns;
    ask->options.ready = on_ready;
    ask->options.ready_user = stream;
    snakepit_err err = snakepit_stream_open(
        sp_api_of(exchange)->pit, ask->tool, ask->args, &ask->options, &stream->chunks);
    if (err == SNAKEPIT_OK) {
        begin(stream);
        return;
    }
    const snakepit_answer *answer = snakepit_stream_answer(stream->chunks);
    refuse(stream,
           snakepit_answer_fault(answer),
           snakepit_answer_retry_after_ms(answer),
           sp_api_track_text(&stream->track));
    free_stream(stream);
}
