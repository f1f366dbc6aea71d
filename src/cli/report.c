// SPDX-License-Identifier: MIT
// A fault for people: one line that says it all, then what one needs to look further.
#include "cli/report.h"

#include <string.h>

#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/output.h"
#include "http/problem.h"

static void report_json(struct sp_cli *cli, const snakepit_fault *fault)
{
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "error");
    sp_fault_write(writer, fault, true);
    snakepit_err err = sp_cli_print_json(cli, writer);
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

// UNKNOWN_TOOL says it all; Python's class of it says nothing to who asked.
static const char *shown_type(const snakepit_fault *fault)
{
    return fault->err == SNAKEPIT_UNKNOWN_TOOL ? "" : fault->type;
}

// What is to be done, where neither the message nor the name says it.
static const char *remedy_of(const snakepit_fault *fault)
{
    const bool bare =
        fault->err == SNAKEPIT_UNKNOWN_TOOL && strchr(fault->message, ';') == NULL;
    return bare ? "; snakepit tools POOL lists the tools" : "";
}

static void report_text(struct sp_cli *cli, const snakepit_fault *fault)
{
    const char *message = without_type(fault);
    const char *type = shown_type(fault);
    // The traceback ends in the whole message; without one it is not said elsewhere.
    size_t length =
        fault->traceback[0] != '\0' ? strcspn(message, "\n") : strlen(message);
    sp_cli_complain(cli,
                    "%s: %s%s%.*s%s",
                    snakepit_err_name(fault->err),
                    type,
                    type[0] != '\0' && length > 0 ? ": " : "",
                    (int)length,
                    message,
                    remedy_of(fault));
    print_block(cli, "", fault->traceback);
    print_block(cli, "called with: ", fault->arguments);
    if (strstr(message, fault->cause) == NULL) {
        print_block(cli, "cause: ", fault->cause);
    }
    print_block(cli, "its Python stack: ", fault->crash_stack);
    print_block(cli, "where it was:\n", fault->late_stack);
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
    const snakepit_fault fault = sp_fault_of(err, message);
    return sp_cli_report_fault(cli, &fault, true);
}

int sp_cli_report_interrupt(struct sp_cli *cli, const char *note)
{
    int number = sp_cli_interrupted();
    sp_cli_complain(cli,
                    "stopped by SIG%s%s%s",
                    sigabbrev_np(number),
                    note != NULL ? "; " : "",
                    note != NULL ? note : "");
    return SP_CLI_EXIT_SIGNAL + number;
}
