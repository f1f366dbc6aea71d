// SPDX-License-Identifier: MIT
// snakepit check-adapter and new-adapter. Both are Python's business: the command finds
// an interpreter that has the bridge and becomes it, so that output, signals and exit
// code are those of the module.
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <snakepit/snakepit.h>

#include "base/timeslice.h"
#include "cli/output.h"
#include "cli/text.h"
#include "interpreter/interpreter.h"

#define WORDS_MAX 16

// A command line, ended by NULL. Borrows its words.
struct line {
    const char *words[WORDS_MAX + 1];
    size_t count;
};

static void add(struct line *line, const char *word)
{
    line->words[line->count++] = word;
}

static void add_option(struct line *line, const char *name, const char *value)
{
    if (value != NULL) {
        add(line, name);
        add(line, value);
    }
}

// Returns only if it fails.
static int become(struct sp_cli *cli, const char *python, struct line *line)
{
    char *words[WORDS_MAX + 1];
    line->words[0] = python;
    // execve() changes none of its words, although its type does not say so.
    _Static_assert(sizeof(words) == sizeof(line->words), "the same pointers");
    memcpy((void *)words, (const void *)line->words, sizeof(words));
    char **environment = NULL;
    if (sp_interpreter_host_env(&environment) != SNAKEPIT_OK) {
        sp_cli_complain(cli, "%s", snakepit_err_text(SNAKEPIT_NO_MEMORY));
        return SP_CLI_EXIT_SYSTEM;
    }
    sp_cli_flush(cli);
    sp_timeslice_shorten(0);
    (void)execve(python, words, environment);
    sp_cli_complain(cli, "%s: %s", python, strerrordesc_np(errno));
    sp_interpreter_free_env(environment);
    return SP_CLI_EXIT_SYSTEM;
}

static int run_with(struct sp_cli *cli, const char *wanted, struct line *line)
{
    struct sp_interpreter python;
    snakepit_message why = {0};
    snakepit_err err = sp_interpreter_probe(wanted, NULL, &python, &why);
    if (err != SNAKEPIT_OK) {
        sp_cli_complain(cli, "%s", why.text);
        return SP_CLI_EXIT_UNAVAILABLE;
    }
    int status = SP_CLI_EXIT_UNAVAILABLE;
    if (python.has_bridge) {
        status = become(cli, python.executable, line);
    } else {
        sp_interpreter_explain_bridge(&python, &why);
        sp_cli_complain(cli, "%s", why.text);
    }
    sp_interpreter_fini(&python);
    return status;
}

// The best that has the bridge: one whose threads run in parallel, if there is one.
static const struct sp_interpreter *choose(const struct sp_interpreter_list *list)
{
    const struct sp_interpreter *best = NULL;
    for (size_t i = 0; i < list->count; i++) {
        const struct sp_interpreter *python = &list->items[i].interpreter;
        if (list->items[i].problem != NULL || !python->has_bridge) {
            continue;
        }
        if (best == NULL || (!sp_interpreter_runs_threads(best) &&
                             sp_interpreter_runs_threads(python))) {
            best = python;
        }
    }
    return best;
}

static void complain_of_all(struct sp_cli *cli, const struct sp_interpreter_list *list)
{
    for (size_t i = 0; i < list->count; i++) {
        if (list->items[i].problem == NULL) {
            snakepit_message why;
            sp_interpreter_explain_bridge(&list->items[i].interpreter, &why);
            sp_cli_complain(
                cli, "no interpreter on this machine has the bridge: %s", why.text);
            return;
        }
    }
    sp_cli_complain(cli, "there is no CPython of 3.9 or later on PATH");
}

static int run_with_best(struct sp_cli *cli, struct line *line)
{
    struct sp_interpreter_list list = {0};
    snakepit_err err = sp_interpreter_find(&list);
    if (err != SNAKEPIT_OK) {
        sp_cli_complain(cli, "%s", snakepit_err_text(err));
        return sp_cli_exit_of(err);
    }
    int status = SP_CLI_EXIT_UNAVAILABLE;
    const struct sp_interpreter *python = choose(&list);
    if (python != NULL) {
        status = become(cli, python->executable, line);
    } else {
        complain_of_all(cli, &list);
    }
    sp_interpreter_list_fini(&list);
    return status;
}

static int run(struct sp_cli *cli, const char *wanted, struct line *line)
{
    return wanted != NULL ? run_with(cli, wanted, line) : run_with_best(cli, line);
}

static const char *number(struct sp_cli *cli, enum sp_cli_option_id id, char room[24])
{
    return cli->args.texts[id] == NULL
               ? NULL
               : sp_cli_format(
                     room, 24, "%llu", (unsigned long long)cli->args.numbers[id]);
}

int sp_cli_check_adapter(struct sp_cli *cli)
{
    char threads[24];
    char calls[24];
    struct line line = {
        .words = {"", "-c", SP_PYTHON_BRIDGE("check_adapter", "command")}, .count = 3};
    add_option(&line, "--threads", number(cli, SP_CLI_CHECK_ADAPTER_THREADS, threads));
    add_option(&line, "--calls", number(cli, SP_CLI_CHECK_ADAPTER_CALLS, calls));
    if (cli->args.texts[SP_CLI_CHECK_ADAPTER_JSON] != NULL) {
        add(&line, "--json");
    }
    // An adapter's name may look like an option.
    add(&line, "--");
    add(&line, cli->args.words[0]);
    return run(cli, cli->args.texts[SP_CLI_CHECK_ADAPTER_PYTHON], &line);
}

int sp_cli_new_adapter(struct sp_cli *cli)
{
    struct line line = {.words = {"", "-c", SP_PYTHON_BRIDGE("new_adapter", "command")},
                        .count = 3};
    const char *folder = cli->args.texts[SP_CLI_NEW_ADAPTER_DIR];
    add_option(&line, "--dir", folder);
    add_option(&line, "--python", cli->args.texts[SP_CLI_NEW_ADAPTER_PYTHON]);
    add(&line, "--");
    add(&line, cli->args.words[0]);
    return run(cli, cli->args.texts[SP_CLI_NEW_ADAPTER_PYTHON], &line);
}
