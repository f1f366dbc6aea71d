// SPDX-License-Identifier: MIT
// A fault for people: one line that says it all, then what one needs to look further.
#include "cli/report.h"

#include <string.h>

#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/output.h"

#define FAULT_PAIRS 15u

static void write_fault(snakepit_writer *writer, const snakepit_fault *fault)
{
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "error");
    snakepit_writer_map(writer, FAULT_PAIRS);
    sp_cli_json_text(writer, "name", snakepit_err_name(fault->err));
    sp_cli_json_number(writer, "number", (uint64_t)fault->err);
    sp_cli_json_bool(writer, "retryable", snakepit_err_retryable(fault->err));
    sp_cli_json_text(writer, "message", fault->message);
    sp_cli_json_text(writer, "type", fault->type);
    sp_cli_json_text(writer, "traceback", fault->traceback);
    sp_cli_json_text(writer, "arguments", fault->arguments);
    sp_cli_json_text(writer, "stage", fault->stage);
    sp_cli_json_text(writer, "cause", fault->cause);
    sp_cli_json_text(writer, "last_output", fault->last_output);
    sp_cli_json_text(writer, "crash_stack", fault->crash_stack);
    sp_cli_json_number(writer, "worker", fault->worker);
    sp_cli_json_text(writer, "stop", snakepit_stop_name(fault->stop));
    sp_cli_json_bool(writer, "tool_runs", fault->tool_runs);
    sp_cli_json_number(writer, "late_ms", fault->late_ms);
}

static void report_json(struct sp_cli *cli, const snakepit_fault *fault)
{
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    if (writer != NULL) {
        write_fault(writer, fault);
        err = sp_cli_print_json(cli, writer);
    }
    if (err != SNAKEPIT_OK) {
        sp_cli_complain(cli, "%s: %s", snakepit_err_name(fault->err), fault->message);
    }
    snakepit_writer_free(writer);
}

// Prints `text` with an end-of-line behind it, if there is any text.
static void print_block(struct sp_cli *cli, const char *title, const char *text)
{
    size_t length = strlen(text);
    if (length > 0) {
        bool ended = text[length - 1] == '\n';
        sp_cli_print_error(cli, "%s%s%s", title, text, ended ? "" : "\n");
    }
}

// The message without the exception's class, if it begins with it.
static const char *without_type(const snakepit_fault *fault)
{
    size_t length = strlen(fault->type);
    bool named = length > 0 && strncmp(fault->message, fault->type, length) == 0 &&
                 strncmp(fault->message + length, ": ", 2) == 0;
    return named ? fault->message + length + 2 : fault->message;
}

static void report_text(struct sp_cli *cli, const snakepit_fault *fault)
{
    const char *message = without_type(fault);
    // The traceback ends in the whole message; without one it is not said elsewhere.
    size_t length =
        fault->traceback[0] != '\0' ? strcspn(message, "\n") : strlen(message);
    sp_cli_complain(cli,
                    "%s: %s%s%.*s",
                    snakepit_err_name(fault->err),
                    fault->type,
                    fault->type[0] != '\0' && length > 0 ? ": " : "",
                    (int)length,
                    message);
    print_block(cli, "", fault->traceback);
    print_block(cli, "called with: ", fault->arguments);
    if (strstr(message, fault->cause) == NULL) {
        print_block(cli, "cause: ", fault->cause);
    }
    print_block(cli, "its Python stack: ", fault->crash_stack);
    print_block(cli, "its last output:\n", fault->last_output);
}

int sp_cli_report_fault(struct sp_cli *cli, const snakepit_fault *fault, bool json)
{
    if (json) {
        report_json(cli, fault);
    } else {
        report_text(cli, fault);
    }
    return sp_cli_exit_of(fault->err);
}

int sp_cli_report(struct sp_cli *cli, snakepit_err err, const char *message, bool json)
{
    if (!json) {
        // The library's sentence stands for itself: it begins with the file, or the
        // pool.
        sp_cli_complain(
            cli, "%s", message[0] != '\0' ? message : snakepit_err_text(err));
        return sp_cli_exit_of(err);
    }
    const snakepit_fault fault = {.err = err,
                                  .message = message,
                                  .type = "",
                                  .traceback = "",
                                  .stage = "",
                                  .cause = "",
                                  .last_output = "",
                                  .arguments = "",
                                  .crash_stack = ""};
    return sp_cli_report_fault(cli, &fault, true);
}

int sp_cli_report_interrupt(struct sp_cli *cli)
{
    int number = sp_cli_interrupted();
    sp_cli_complain(cli, "stopped by SIG%s", sigabbrev_np(number));
    return SP_CLI_EXIT_SIGNAL + number;
}
