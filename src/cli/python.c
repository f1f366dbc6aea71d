// SPDX-License-Identifier: MIT
// snakepit python: the interpreters of this machine, and what each is good for.
#include <string.h>

#include <snakepit/snakepit.h>

#include "cli/json.h"
#include "cli/output.h"
#include "cli/pythons.h"

#define ENTRY_PAIRS (SP_CLI_PYTHON_PAIRS + 3)

const char *sp_cli_build_of(const struct sp_interpreter *python)
{
    if (!python->free_threaded) {
        return "GIL";
    }
    return python->gil_enabled ? "free-threaded, GIL on" : "free-threaded";
}

const char *sp_cli_use_of(const struct sp_interpreter *python)
{
    bool threads = sp_interpreter_runs_threads(python);
    if (!python->has_bridge) {
        return threads ? "thread pools, once it has the bridge"
                       : "process pools, once it has the bridge";
    }
    return threads ? "thread and process pools" : "process pools";
}

const char *sp_cli_profile_of(const struct sp_interpreter *python)
{
    return sp_profile_name(sp_interpreter_runs_threads(python) ? SP_PROFILE_THREAD
                                                               : SP_PROFILE_PROCESS);
}

static void write_unknown(snakepit_writer *writer)
{
    static const char *const keys[SP_CLI_PYTHON_PAIRS] = {"executable",
                                                          "version",
                                                          "free_threaded",
                                                          "gil_enabled",
                                                          "runs_threads",
                                                          "bridge",
                                                          "numpy",
                                                          "recommended_profile"};
    for (size_t i = 0; i < SP_CLI_PYTHON_PAIRS; i++) {
        sp_pair_text(writer, keys[i], NULL);
    }
}

void sp_cli_write_python(snakepit_writer *writer, const struct sp_interpreter *python)
{
    if (python == NULL) {
        write_unknown(writer);
        return;
    }
    sp_pair_text(writer, "executable", python->executable);
    sp_pair_text(writer, "version", python->version);
    sp_pair_bool(writer, "free_threaded", python->free_threaded);
    sp_pair_bool(writer, "gil_enabled", python->gil_enabled);
    sp_pair_bool(writer, "runs_threads", sp_interpreter_runs_threads(python));
    sp_pair_bool(writer, "bridge", python->has_bridge);
    sp_pair_text(writer, "numpy", python->numpy);
    sp_pair_text(writer, "recommended_profile", sp_cli_profile_of(python));
}

void sp_cli_write_pythons(snakepit_writer *writer,
                          const struct sp_interpreter_list *list)
{
    snakepit_writer_array(writer, (uint32_t)list->count);
    for (size_t i = 0; i < list->count; i++) {
        const struct sp_interpreter_entry *entry = &list->items[i];
        const struct sp_interpreter *python =
            entry->problem == NULL ? &entry->interpreter : NULL;
        snakepit_writer_map(writer, ENTRY_PAIRS);
        sp_pair_text(writer, "found_as", entry->found_as);
        sp_pair_text(writer, "problem", entry->problem);
        sp_pair_text(writer, "path", python != NULL ? python->path : NULL);
        sp_cli_write_python(writer, python);
    }
}

static snakepit_err print_as_json(struct sp_cli *cli,
                                  const struct sp_interpreter_list *list)
{
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    sp_cli_write_pythons(writer, list);
    snakepit_err err = sp_cli_print_json(cli, writer);
    snakepit_writer_free(writer);
    return err;
}

static void print_row(struct sp_cli *cli, const struct sp_interpreter *python)
{
    sp_cli_print(cli,
                 "%-8s %-21s  %-6s  %-7s  %-37s  %s\n",
                 python->version,
                 sp_cli_build_of(python),
                 python->has_bridge ? "yes" : "no",
                 python->numpy != NULL ? python->numpy : "no",
                 sp_cli_use_of(python),
                 python->executable);
}

static void print_as_table(struct sp_cli *cli, const struct sp_interpreter_list *list)
{
    bool threads = false;
    sp_cli_print(cli,
                 "%-8s %-21s  %-6s  %-7s  %-37s  %s\n",
                 "version",
                 "build",
                 "bridge",
                 "numpy",
                 "good for",
                 "path");
    for (size_t i = 0; i < list->count; i++) {
        const struct sp_interpreter_entry *entry = &list->items[i];
        if (entry->problem == NULL) {
            print_row(cli, &entry->interpreter);
            threads = threads || sp_interpreter_runs_threads(&entry->interpreter);
        } else {
            sp_cli_print(cli, "%s: %s\n", entry->found_as, entry->problem);
        }
    }
    if (!threads) {
        sp_cli_print(
            cli,
            "\nNone runs threads in parallel: thread pools become process pools. "
            "python3.14t would.\n");
    }
}

static bool is_any_usable(const struct sp_interpreter_list *list)
{
    size_t index = 0;
    while (index < list->count && list->items[index].problem != NULL) {
        index++;
    }
    return index < list->count;
}

int sp_cli_python(struct sp_cli *cli)
{
    struct sp_interpreter_list list = {0};
    snakepit_err err = sp_interpreter_find(&list);
    if (err == SNAKEPIT_OK && cli->args.texts[SP_CLI_PYTHON_JSON] != NULL) {
        err = print_as_json(cli, &list);
    } else if (err == SNAKEPIT_OK) {
        print_as_table(cli, &list);
    }
    if (err != SNAKEPIT_OK) {
        sp_cli_complain(cli, "%s", snakepit_err_text(err));
        sp_interpreter_list_fini(&list);
        return sp_cli_exit_of(err);
    }
    bool usable = is_any_usable(&list);
    if (!usable) {
        sp_cli_complain(cli, "there is no CPython of 3.9 or later on PATH");
    }
    sp_interpreter_list_fini(&list);
    return usable ? SP_CLI_EXIT_OK : SP_CLI_EXIT_FAILED;
}
