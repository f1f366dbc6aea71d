// SPDX-License-Identifier: MIT
// The main thread reads and prints. A second one waits for Ctrl-C, for a stream is read
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
#include "cli/output.h"
#include "cli/pit.h"
#include "cli/report.h"

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

// One line for each chunk, until the end, a failure, or nobody wants to read it. `why`
// is told of a chunk that cannot be printed.
static snakepit_err
print_chunks(struct sp_cli *cli, snakepit_stream *stream, snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    snakepit_reader chunk;
    while (cli->lost == 0 &&
           (err = snakepit_stream_next(stream, &chunk)) == SNAKEPIT_OK) {
        const char *json = snakepit_stream_json(stream);
        if (json == NULL) {
            return sp_cli_explain_json(&chunk, why);
        }
        sp_cli_print_json_text(cli, json, strlen(json));
        sp_cli_flush(cli);
    }
    return err == SNAKEPIT_END ? SNAKEPIT_OK : err;
}

static int report(struct sp_cli *cli,
                  const snakepit_stream *stream,
                  snakepit_err err,
                  const char *why,
                  bool json)
{
    const snakepit_answer *answer = snakepit_stream_answer(stream);
    if (sp_cli_interrupted() != 0) {
        return sp_cli_report_interrupt(cli);
    }
    if (err == SNAKEPIT_OK) {
        return SP_CLI_EXIT_OK;
    }
    // What we could not print is told also where the tool has ended well meanwhile.
    if (answer == NULL || why[0] != '\0') {
        return sp_cli_report(cli, err, why, json);
    }
    return sp_cli_report_fault(cli, snakepit_answer_fault(answer), json);
}

int sp_cli_stream(struct sp_cli *cli, snakepit *pit, const struct sp_cli_stream *wanted)
{
    snakepit_stream *stream;
    snakepit_err err =
        snakepit_stream_open(pit, wanted->tool, wanted->args, wanted->options, &stream);
    if (stream == NULL) {
        return sp_cli_report(cli, err, "", wanted->json);
    }
    snakepit_message why = {0};
    struct watch watch = {.pit = pit, .call = snakepit_stream_id(stream)};
    if (err == SNAKEPIT_OK && start(&watch, &why) != SNAKEPIT_OK) {
        snakepit_stream_close(stream);
        return sp_cli_report(cli, SNAKEPIT_SYSTEM, why.text, wanted->json);
    }
    if (err == SNAKEPIT_OK) {
        err = print_chunks(cli, stream, &why);
        stop(&watch);
    }
    (void)snakepit_flush_log(pit, SP_CLI_FLUSH_MS);
    int status = report(cli, stream, err, why.text, wanted->json);
    snakepit_stream_close(stream);
    return status;
}
