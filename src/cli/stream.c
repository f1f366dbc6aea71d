// SPDX-License-Identifier: MIT
// The main thread reads. A second one waits for Ctrl-C, for a stream is read
// by waiting in the library, where signals are nobody's business.
#include "cli/stream.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <unistd.h>

#include <sys/eventfd.h>

#include "base/system.h"
#include "cli/interrupt.h"
#include "cli/json.h"

// Owner: the main thread; the other one only reads it.
struct watch {
    snakepit *pit;
    snakepit_call_id call;
    int over; // eventfd: the stream has ended
    pthread_t thread;
};

static void *cancel_at_signal(void *argument)
{
    const struct watch *watch = argument;
    struct pollfd fds[] = {{.fd = watch->over, .events = POLLIN},
                           {.fd = sp_cli_interrupt_fd(), .events = POLLIN}};
    while (poll(fds, 2, -1) < 0 && errno == EINTR) {
    }
    if (sp_cli_interrupted() != 0) {
        (void)snakepit_cancel(watch->pit, watch->call); // it may have ended by itself
    }
    return NULL;
}

static snakepit_err start(struct watch *watch, snakepit_message *why)
{
    watch->over = eventfd(0, EFD_CLOEXEC);
    if (watch->over < 0) {
        return sp_system_failed(why, "eventfd", NULL, "for the end of the stream");
    }
    int rc = pthread_create(&watch->thread, NULL, cancel_at_signal, watch);
    if (rc != 0) {
        close(watch->over);
        errno = rc;
        return sp_system_failed(
            why, "pthread_create", NULL, "of the thread that waits for Ctrl-C");
    }
    return SNAKEPIT_OK;
}

static void stop(struct watch *watch)
{
    uint64_t one = 1;
    ssize_t written = write(watch->over, &one, sizeof one);
    (void)written; // an eventfd that was never written to takes this
    (void)pthread_join(watch->thread, NULL);
    close(watch->over);
}

// Each chunk, until the end, a failure, or nobody wants to read on. `why` is told of
// one that has no JSON.
static snakepit_err
hand_over(snakepit_stream *stream, const struct sp_cli_ask *ask, snakepit_message *why)
{
    snakepit_err err;
    snakepit_reader chunk;
    while ((err = snakepit_stream_next(stream, &chunk)) == SNAKEPIT_OK) {
        const char *json = snakepit_stream_json(stream);
        if (json == NULL) {
            return sp_cli_explain_json(&chunk, why);
        }
        if (!ask->chunk(ask->user, sp_slice_of_text(json))) {
            return SNAKEPIT_OK;
        }
    }
    return err == SNAKEPIT_END ? SNAKEPIT_OK : err;
}

// What we could not read is told also where the tool has ended well meanwhile.
static void read_end(snakepit_stream *stream, struct sp_cli_result *result)
{
    const snakepit_answer *answer = snakepit_stream_answer(stream);
    if (sp_cli_interrupted() != 0) {
        result->err = SNAKEPIT_CANCELLED;
    } else if (result->err != SNAKEPIT_OK && answer != NULL &&
               result->why.text[0] == '\0') {
        result->fault = snakepit_answer_fault(answer);
    }
}

void sp_cli_stream(snakepit *pit,
                   const struct sp_cli_ask *ask,
                   const snakepit_call_options *options,
                   struct sp_cli_result *result)
{
    snakepit_stream **stream = &result->stream;
    result->err =
        snakepit_stream_open(pit, ask->tool, ask->arguments->writer, options, stream);
    if (*stream == NULL) {
        return;
    }
    struct watch watch = {.pit = pit, .call = snakepit_stream_id(*stream)};
    if (result->err == SNAKEPIT_OK) {
        result->err = start(&watch, &result->why);
        if (result->err != SNAKEPIT_OK) {
            return;
        }
        result->err = hand_over(*stream, ask, &result->why);
        stop(&watch);
    }
    read_end(*stream, result);
}
