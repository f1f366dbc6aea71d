// SPDX-License-Identifier: MIT
#include "cli/output.h"

#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "cli/help.h"
#include "cli/json.h"
#include "cli/report.h"

// A run whose standard error is memory.
struct run {
    struct sp_cli cli;
    char *complaint;
    size_t size;
};

static void run_init(struct run *run, FILE *out)
{
    *run = (struct run){.cli = {.out = out}};
    run->cli.err = open_memstream(&run->complaint, &run->size);
    assert_non_null(out);
    assert_non_null(run->cli.err);
}

static void run_fini(struct run *run)
{
    fclose(run->cli.err);
    free(run->complaint);
    fclose(run->cli.out);
}

static void a_reader_who_went_away_is_no_error(void **state)
{
    (void)state;
    int ends[2];
    struct run run;
    signal(SIGPIPE, SIG_IGN);
    assert_int_equal(pipe(ends), 0);
    close(ends[0]);
    run_init(&run, fdopen(ends[1], "w"));
    sp_cli_print(&run.cli, "a line\n");
    assert_int_equal(sp_cli_output_end(&run.cli, SP_CLI_EXIT_OK), SP_CLI_EXIT_OK);
    assert_int_equal(sp_cli_output_end(&run.cli, SP_CLI_EXIT_FAILED),
                     SP_CLI_EXIT_FAILED);
    fflush(run.cli.err);
    assert_int_equal(run.size, 0);
    run_fini(&run);
}

static void a_full_disk_is_one(void **state)
{
    (void)state;
    struct run run;
    run_init(&run, fopen("/dev/full", "w"));
    sp_cli_print(&run.cli, "a line\n");
    assert_int_equal(sp_cli_output_end(&run.cli, SP_CLI_EXIT_OK), SP_CLI_EXIT_SYSTEM);
    fflush(run.cli.err);
    assert_non_null(strstr(run.complaint, "cannot write to standard output: No space"));
    run_fini(&run);
}

static void the_first_reason_is_the_one_that_is_told(void **state)
{
    (void)state;
    struct run run;
    run_init(&run, fopen("/dev/full", "w"));
    for (int i = 0; i < 10000; i++) {
        sp_cli_print(&run.cli, "line %d\n", i);
    }
    assert_int_equal(run.cli.lost, ENOSPC);
    errno = EPIPE;
    assert_int_equal(sp_cli_output_end(&run.cli, SP_CLI_EXIT_FAILED),
                     SP_CLI_EXIT_FAILED);
    run_fini(&run);
}

static void help_fits_into_eighty_columns(void **state)
{
    (void)state;
    struct run run;
    char *text = NULL;
    size_t size = 0;
    run_init(&run, open_memstream(&text, &size));
    sp_cli_print_overview(&run.cli);
    for (int id = 0; id < SP_CLI_COMMANDS; id++) {
        sp_cli_print_command(&run.cli, (enum sp_cli_command_id)id);
    }
    fflush(run.cli.out);
    for (const char *line = text; *line != '\0'; line += strcspn(line, "\n") + 1) {
        assert_true(strcspn(line, "\n") <= 88);
        assert_true(line[0] != ' ' || strncmp(line, "  ", 2) == 0);
    }
    run_fini(&run);
    free(text);
}

static snakepit_fault fault_of(snakepit_err err, const char *type, const char *message)
{
    return (snakepit_fault){.err = err,
                            .message = message,
                            .type = type,
                            .traceback = "",
                            .stage = "running",
                            .cause = "",
                            .last_output = "",
                            .arguments = "",
                            .crash_stack = "",
                            .late_stack = "",
                            .worker = 3};
}

static void assert_reported(const snakepit_fault *fault, const char *expected)
{
    struct run run;
    run_init(&run, tmpfile());
    assert_int_equal(sp_cli_report_fault(&run.cli, fault, false),
                     sp_cli_exit_of(fault->err));
    fflush(run.cli.err);
    assert_string_equal(run.complaint, expected);
    run_fini(&run);
}

static void a_fault_is_one_line_and_what_belongs_to_it(void **state)
{
    (void)state;
    snakepit_fault fault = fault_of(SNAKEPIT_TOOL_FAILED, "ValueError", "no\nway");
    assert_reported(&fault, "snakepit: TOOL_FAILED: ValueError: no\nway\n");
    fault.traceback = "Traceback:\n  x\nValueError: no\nway";
    assert_reported(&fault,
                    "snakepit: TOOL_FAILED: ValueError: no\n"
                    "Traceback:\n  x\nValueError: no\nway\n");
    fault.arguments = "n: int";
    assert_reported(&fault,
                    "snakepit: TOOL_FAILED: ValueError: no\n"
                    "Traceback:\n  x\nValueError: no\nway\n"
                    "called with: n: int\n");
    fault = fault_of(SNAKEPIT_TOOL_FAILED, "ValueError", "ValueError: no");
    assert_reported(&fault, "snakepit: TOOL_FAILED: ValueError: no\n");
    fault = fault_of(SNAKEPIT_TOOL_FAILED, "ValueError", "");
    assert_reported(&fault, "snakepit: TOOL_FAILED: ValueError\n");
    fault = fault_of(SNAKEPIT_WORKER_DIED, "", "the worker died");
    fault.cause = "killed by signal 9 (SIGKILL)";
    fault.last_output = "oops\n";
    assert_reported(&fault,
                    "snakepit: WORKER_DIED: the worker died\n"
                    "cause: killed by signal 9 (SIGKILL)\n"
                    "its last output:\noops\n");
}

static void a_fault_as_json_is_one_object_whatever_the_text(void **state)
{
    (void)state;
    struct run run;
    char *text = NULL;
    size_t size = 0;
    run_init(&run, open_memstream(&text, &size));
    snakepit_fault fault = fault_of(SNAKEPIT_TOOL_FAILED, "ValueError", "\"\xff\n");
    assert_int_equal(sp_cli_report_fault(&run.cli, &fault, true), SP_CLI_EXIT_FAILED);
    fflush(run.cli.out);
    assert_string_equal(
        text,
        "{\"error\":{\"name\":\"TOOL_FAILED\",\"number\":9,\"retryable\":false,"
        "\"message\":\"\\\"\xef\xbf\xbd\\n\",\"type\":\"ValueError\",\"traceback\":"
        "\"\",\"arguments\":\"\","
        "\"stage\":\"running\",\"cause\":\"\",\"last_output\":\"\","
        "\"crash_stack\":\"\",\"late_stack\":\"\",\"worker\":3,"
        "\"stop\":\"NONE\",\"tool_runs\":false,\"late_ms\":0}}\n");
    run_fini(&run);
    free(text);
}

static char *printed(const char *json)
{
    char *text = NULL;
    size_t size = 0;
    struct sp_cli cli = {.out = open_memstream(&text, &size)};
    assert_non_null(cli.out);
    sp_cli_print_json_text(&cli, json, strlen(json));
    fclose(cli.out);
    return text;
}

static void json_is_printed_so_that_a_terminal_does_nothing(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *line;
    } rows[] = {
        {"{\"a\":[1,\"\u00e9\u4e16\"]}", "{\"a\":[1,\"\u00e9\u4e16\"]}\n"},
        {"\"\x7f|\xc2\x9b|\u202e|\u2028\"", "\"\\u007f|\\u009b|\\u202e|\\u2028\"\n"},
        {"\"\U000e0041\"", "\"\\udb40\\udc41\"\n"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char *line = printed(rows[i].json);
        assert_string_equal(line, rows[i].line);
        free(line);
    }
}

static void a_fault_is_printed_so_that_a_terminal_does_nothing(void **state)
{
    (void)state;
    struct run run;
    run_init(&run, fopen("/dev/null", "w"));
    const snakepit_fault fault = {.err = SNAKEPIT_TOOL_FAILED,
                                  .message = "a\x1b[2J",
                                  .type = "E\xc2\x9b",
                                  .traceback = "line 1\n\u202eline 2\n",
                                  .stage = "running",
                                  .cause = "",
                                  .last_output = "\x1b]0;x\a\n",
                                  .arguments = "\u2028",
                                  .crash_stack = "",
                                  .late_stack = ""};
    (void)sp_cli_report_fault(&run.cli, &fault, false);
    fflush(run.cli.err);
    assert_string_equal(run.complaint,
                        "snakepit: TOOL_FAILED: E??: a?[2J\n"
                        "line 1\n???line 2\n"
                        "called with: ???\n"
                        "its last output:\n?]0;x?\n");
    run_fini(&run);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_printed_so_that_a_terminal_does_nothing),
        cmocka_unit_test(a_fault_is_printed_so_that_a_terminal_does_nothing),
        cmocka_unit_test(a_reader_who_went_away_is_no_error),
        cmocka_unit_test(a_full_disk_is_one),
        cmocka_unit_test(the_first_reason_is_the_one_that_is_told),
        cmocka_unit_test(help_fits_into_eighty_columns),
        cmocka_unit_test(a_fault_is_one_line_and_what_belongs_to_it),
        cmocka_unit_test(a_fault_as_json_is_one_object_whatever_the_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
