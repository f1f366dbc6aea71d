// SPDX-License-Identifier: MIT
// Streams as the program has them: a thin door to pool/stream.h.
#include "pool/stream.h"

#include "base/callback.h"
#include "base/check.h"
#include "base/thread.h"
#include "payload/json.h"
#include "payload/reader.h"
#include "pit/pit.h"
#include "pit/refuse.h"

// In a forked child it is one that has failed; NULL: without memory for that.
static struct sp_stream *stream_of(const snakepit_stream *stream)
{
    struct sp_stream *found = (struct sp_stream *)(uintptr_t)stream;
    if (found == NULL) {
        return NULL;
    }
    SP_CHECK(found->magic == SP_STREAM_MAGIC);
    bool usable = sp_call_is_here(found->call) || sp_stream_disown(found);
    return usable ? found : NULL;
}

snakepit_stream *sp_pit_stream_refused(struct sp_call *refused)
{
    return (snakepit_stream *)(void *)sp_stream_failed(refused);
}

// Makes sure that what the stream reports to is drained by somebody.
static snakepit_err
find_reporter(snakepit *pit, const struct sp_order *order, struct sp_call **refused)
{
    snakepit_err err = SNAKEPIT_OK;
    snakepit_message why = {{0}};
    if (order->queue != SP_QUEUE_DEFAULT && order->ready == NULL) {
        err =
            sp_refuse(&why,
                      SNAKEPIT_INVALID_ARGUMENT,
                      "the stream names a queue, but `ready` is NULL; give a function "
                      "that is told when the stream can be read");
    } else if (order->queue == SP_QUEUE_DEFAULT && order->ready != NULL) {
        err = sp_drain_ensure(pit, &why);
    }
    if (err != SNAKEPIT_OK) {
        *refused = sp_pit_refused(err, why.text[0] == 0 ? NULL : why.text);
    }
    return err;
}

snakepit_err sp_pit_stream_open(snakepit *pit,
                                struct sp_pit_request *request,
                                snakepit_stream **stream)
{
    struct sp_stream *made;
    struct sp_call *refused;
    snakepit_err err;
    if (stream == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    struct sp_pool *pool = sp_pit_order(pit, request, &err, &refused);
    if (pool != NULL) {
        err = find_reporter(pit, &request->order, &refused);
    }
    if (err != SNAKEPIT_OK) {
        *stream = sp_pit_stream_refused(refused);
        return err;
    }
    err = sp_stream_open(pool, &request->order, &made);
    if (err == SNAKEPIT_OK && request->order.ready != NULL) {
        sp_bells_want(pit, request->order.queue);
    }
    *stream = (snakepit_stream *)(void *)made;
    return err;
}

snakepit_err snakepit_stream_open(snakepit *pit,
                                  const char *tool,
                                  const snakepit_writer *args,
                                  const snakepit_call_options *options,
                                  snakepit_stream **stream)
{
    SP_UNCANCELLED;
    struct sp_pit_request request = {.tool = tool, .args = args, .options = options};
    return sp_pit_stream_open(pit, &request, stream);
}

// A reader at the last chunk, or at nothing.
static void point(const struct sp_stream *stream, snakepit_reader *reader)
{
    static _Alignas(SP_LINE) const uint8_t nothing[1];
    struct sp_slice memory = {nothing, 0};
    const struct sp_slice body = {stream->chunk.data, stream->chunk.size};
    if (stream->port != NULL) {
        memory =
            (struct sp_slice){stream->port->results.base, stream->port->results.size};
    }
    sp_reader_init(reader, body, memory);
}

static snakepit_err read_chunk(snakepit_stream *stream,
                               snakepit_reader *chunk,
                               snakepit_err (*next)(struct sp_stream *stream))
{
    struct sp_stream *found = stream_of(stream);
    if (found == NULL) {
        return stream == NULL ? SNAKEPIT_INVALID_ARGUMENT : SNAKEPIT_FORKED;
    }
    snakepit_err err = next(found);
    if (chunk != NULL) {
        point(found, chunk);
    }
    return err;
}

snakepit_err snakepit_stream_next(snakepit_stream *stream, snakepit_reader *chunk)
{
    SP_UNCANCELLED;
    return read_chunk(stream, chunk, sp_stream_next);
}

snakepit_err snakepit_stream_try_next(snakepit_stream *stream, snakepit_reader *chunk)
{
    SP_UNCANCELLED;
    return read_chunk(stream, chunk, sp_stream_try_next);
}

const char *snakepit_stream_json(snakepit_stream *stream)
{
    struct sp_stream *found = stream_of(stream);
    if (found == NULL || found->chunk.size == 0) {
        return NULL;
    }
    if (found->json.size == 0) {
        snakepit_reader reader;
        point(found, &reader);
        if (sp_json_write(&reader, &found->json, NULL) != SNAKEPIT_OK) {
            return NULL;
        }
    }
    return (const char *)found->json.data;
}

snakepit_call_id snakepit_stream_id(const snakepit_stream *stream)
{
    const struct sp_stream *found = stream_of(stream);
    return found == NULL ? 0 : found->call->id;
}

snakepit_answer *snakepit_stream_answer(const snakepit_stream *stream)
{
    const struct sp_stream *found = stream_of(stream);
    return found == NULL || !found->opened ? NULL : sp_call_answer(found->call);
}

void snakepit_stream_close(snakepit_stream *stream)
{
    SP_UNCANCELLED;
    sp_stream_close(stream_of(stream));
}

static bool hand_over(snakepit_chunk_fn *each, void *user, snakepit_reader *chunk)
{
    SP_CALLBACK("the callback `each`");
    bool more = each(user, chunk);
    SP_CALLBACK_RETURNED;
    return more;
}

// NOLINTNEXTLINE(readability-function-size): a callback and its user are one thing
snakepit_err snakepit_stream_each(snakepit *pit,
                                  const char *tool,
                                  const snakepit_writer *args,
                                  const snakepit_call_options *options,
                                  snakepit_chunk_fn *each,
                                  void *user,
                                  snakepit_answer **answer)
{
    SP_UNCANCELLED;
    snakepit_stream *stream;
    snakepit_reader chunk;
    if (answer == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (each == NULL) {
        static const struct sp_failure no_function = {
            .err = SNAKEPIT_INVALID_ARGUMENT,
            .message =
                "the callback `each` is NULL; give a function that takes chunks"};
        struct sp_call *call = sp_call_failed(&no_function);
        *answer = call == NULL ? NULL : sp_call_answer(call);
        return no_function.err;
    }
    struct sp_pit_request request = {
        .tool = tool, .args = args, .options = options, .waits = true};
    snakepit_err err = sp_pit_stream_open(pit, &request, &stream);
    if (err == SNAKEPIT_OK) {
        while ((err = snakepit_stream_next(stream, &chunk)) == SNAKEPIT_OK &&
               hand_over(each, user, &chunk)) {
        }
    }
    *answer = NULL;
    struct sp_stream *found = stream_of(stream);
    if (found != NULL) {
        *answer = sp_call_answer(sp_stream_finish(found));
        err = sp_call_of(*answer)->err;
        sp_stream_close(found);
    }
    return err;
}
