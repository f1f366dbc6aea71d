// SPDX-License-Identifier: MIT
// snakepit call: one call, from the command line to its answer. The call is submitted
// rather than made synchronously, so that Ctrl-C can be waited for at the same time.
#include "cli/call.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "cli/input.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/pit.h"
#include "cli/report.h"
#include "cli/stream.h"
#include "cli/text.h"

#define SESSION_MAX   255u
#define GRACE_MS      1000u // that a call has to end once it is cancelled
#define DRAIN_AT_ONCE 0u

// A call that runs. Owner: the main thread; the callback runs inside snakepit_drain().
struct call {
    const struct sp_cli_call *wanted;
    snakepit_call_id id;
    bool done;
    snakepit_err err;
    snakepit_answer *answer;
};

static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct call *call = user;
    call->done = true;
    call->err = err;
    call->answer = answer;
}

static int
report_unknown_pool(struct sp_cli *cli, snakepit *pit, const struct sp_cli_call *wanted)
{
    snakepit_message why;
    const char *like = sp_cli_pool_nearest(pit, wanted->options.pool);
    if (snakepit_pool_count(pit) == 0) {
        sp_cli_explain(&why,
                       "%s runs no pool: it names none, or pooling_enabled is false",
                       wanted->config);
        return sp_cli_report(cli, SNAKEPIT_UNKNOWN_POOL, why.text, wanted->json);
    }
    sp_cli_explain(&why,
                   "%s has no pool \"%s\"%s%s%s",
                   wanted->config,
                   wanted->options.pool,
                   like != NULL ? "; did you mean \"" : "",
                   like != NULL ? like : "",
                   like != NULL ? "\"?" : "");
    return sp_cli_report(cli, SNAKEPIT_UNKNOWN_POOL, why.text, wanted->json);
}

// Waits for the answer, or for a signal; then the call is cancelled and given a moment
// to end.
static snakepit_err wait_for(snakepit *pit, struct call *call)
{
    struct pollfd fds[] = {{.fd = -1, .events = POLLIN},
                           {.fd = sp_cli_interrupt_fd(), .events = POLLIN}};
    snakepit_err err = snakepit_completion_fd(pit, &fds[0].fd);
    while (err == SNAKEPIT_OK && !call->done && sp_cli_interrupted() == 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            err = SNAKEPIT_SYSTEM;
        }
        snakepit_drain(pit, DRAIN_AT_ONCE);
    }
    if (!call->done && snakepit_cancel(pit, call->id) == SNAKEPIT_OK) {
        snakepit_drain(pit, GRACE_MS);
    }
    return err;
}

static int print_json(struct sp_cli *cli, snakepit_answer *answer, bool as_json)
{
    const char *json = snakepit_answer_json(answer);
    if (json == NULL) {
        snakepit_reader result;
        snakepit_answer_reader(answer, &result);
        snakepit_message why;
        snakepit_err err = sp_cli_explain_json(&result, &why);
        return sp_cli_report(cli, err, why.text, as_json);
    }
    sp_cli_print_json_text(cli, json, strlen(json));
    // The answer is there before the workers are stopped.
    sp_cli_flush(cli);
    return SP_CLI_EXIT_OK;
}

static int report_answer(struct sp_cli *cli, const struct call *call)
{
    const struct sp_cli_call *wanted = call->wanted;
    if (call->answer == NULL) {
        return sp_cli_report(cli, call->err, "", wanted->json);
    }
    if (call->err != SNAKEPIT_OK) {
        return sp_cli_report_fault(
            cli, snakepit_answer_fault(call->answer), wanted->json);
    }
    return wanted->print != NULL ? wanted->print(cli, call->answer)
                                 : print_json(cli, call->answer, wanted->json);
}

static int run(struct sp_cli *cli, snakepit *pit, struct call *call)
{
    snakepit_message why = {0};
    const struct sp_cli_call *wanted = call->wanted;
    if (!sp_cli_pool_exists(pit, wanted->options.pool)) {
        return report_unknown_pool(cli, pit, wanted);
    }
    snakepit_err err = sp_cli_await_serving(pit, wanted->options.pool, &why);
    if (err == SNAKEPIT_CANCELLED) {
        return sp_cli_report_interrupt(cli);
    }
    if (err == SNAKEPIT_OK && wanted->stream) {
        const struct sp_cli_stream stream = {
            wanted->tool, wanted->args, &wanted->options, wanted->json};
        return sp_cli_stream(cli, pit, &stream);
    }
    if (err == SNAKEPIT_OK) {
        snakepit_call_options options = wanted->options;
        options.why = &why;
        err = snakepit_submit(
            pit, wanted->tool, wanted->args, &options, on_done, call, &call->id);
    }
    if (err == SNAKEPIT_OK) {
        err = wait_for(pit, call);
    }
    (void)snakepit_flush_log(pit, SP_CLI_FLUSH_MS);
    if (err == SNAKEPIT_OK && sp_cli_interrupted() != 0) {
        return sp_cli_report_interrupt(cli);
    }
    if (err != SNAKEPIT_OK) {
        return sp_cli_report(cli, err, why.text, wanted->json);
    }
    return report_answer(cli, call);
}

int sp_cli_call_once(struct sp_cli *cli, const struct sp_cli_call *wanted)
{
    snakepit *pit = NULL;
    struct call call = {.wanted = wanted};
    snakepit_message why = {0};
    sp_cli_interrupts_init();
    snakepit_err err = snakepit_open_file(wanted->config, NULL, &pit, &why);
    if (err != SNAKEPIT_OK) {
        return sp_cli_report(cli, err, why.text, wanted->json);
    }
    int status = run(cli, pit, &call);
    snakepit_close(pit, 0);
    snakepit_answer_free(call.answer);
    return status;
}

int sp_cli_call(struct sp_cli *cli)
{
    const struct sp_cli_args *given = &cli->args;
    const char *session = given->texts[SP_CLI_CALL_SESSION];
    if (given->texts[SP_CLI_CALL_CONFIG] == NULL) {
        return sp_cli_complain_usage(cli, "call", "call needs --config FILE");
    }
    if (session != NULL && strlen(session) > SESSION_MAX) {
        return sp_cli_complain_usage(cli, "call", "a session id has at most 255 bytes");
    }
    snakepit_message why = {0};
    snakepit_writer *args = snakepit_writer_new();
    const struct sp_cli_call call = {
        .config = given->texts[SP_CLI_CALL_CONFIG],
        .tool = given->words[1],
        .args = args,
        .options = {.size = sizeof(call.options),
                    .pool = given->words[0],
                    .timeout_ms = (uint32_t)given->numbers[SP_CLI_CALL_TIMEOUT],
                    .session_id = session},
        .json = given->texts[SP_CLI_CALL_JSON] != NULL,
        .stream = given->texts[SP_CLI_CALL_STREAM] != NULL};
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (args != NULL) {
        err = sp_cli_read_arguments(given->words[2], args, &why);
    }
    int status = err == SNAKEPIT_OK ? sp_cli_call_once(cli, &call)
                                    : sp_cli_report(cli, err, why.text, call.json);
    snakepit_writer_free(args);
    return status;
}
