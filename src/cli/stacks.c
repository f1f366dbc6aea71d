// SPDX-License-Identifier: MIT
// snakepit stacks: where the workers of a daemon are in their Python code.
#include "cli/stacks.h"

#include <inttypes.h>
#include <string.h>

#include "cli/json.h"
#include "cli/operate.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/value.h"
#include "payload/writer.h"

#define US_PER_S UINT64_C(1000000)

// Workers as they are in {"workers": [...]}. Owner: the main thread.
struct found {
    struct sp_cli *cli;
    struct sp_cli_remote *remote;
    bool json;
    struct sp_buf workers; // elements of that list, one after the other
    uint32_t count;
};

// ---- Printing ---------------------------------------------------------------------

static void print_call(struct sp_cli *cli, const snakepit_reader *stack)
{
    const uint64_t us = sp_cli_value_number(stack, "running_us");
    const snakepit_span tool = sp_cli_value_text(stack, "tool");
    const uint64_t call = sp_cli_value_number(stack, "call");
    if (call != 0) {
        sp_cli_print(cli,
                     ": %.*s, call %" PRIu64 ", for %" PRIu64 ".%03" PRIu64 " s",
                     SP_CLI_SPAN(tool),
                     call,
                     us / US_PER_S,
                     us % US_PER_S / 1000);
        sp_cli_print(cli, sp_cli_value_truth(stack, "stuck") ? ", stuck" : "");
    }
}

static void print_frames(struct sp_cli *cli, const snakepit_reader *stack)
{
    snakepit_reader at;
    const uint32_t count = sp_cli_value_list(stack, "frames", &at);
    for (uint32_t i = 0; i < count; i++) {
        sp_cli_print(cli,
                     "      %.*s  %.*s:%" PRIu64 "\n",
                     SP_CLI_SPAN(sp_cli_value_text(&at, "function")),
                     SP_CLI_SPAN(sp_cli_value_text(&at, "file")),
                     sp_cli_value_number(&at, "line"));
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
    if (sp_cli_value_truth(stack, "cut")) {
        sp_cli_print(cli, "      ... and more\n");
    }
    if (sp_cli_value_truth(stack, "lost")) {
        sp_cli_print(cli, "      ... and what could not be read\n");
    }
    if (sp_cli_value_truth(stack, "moved")) {
        sp_cli_print(cli,
                     "      (it moved meanwhile: these may be of several moments)\n");
    }
}

// Of one that waits for a call it is not said where.
static void print_stack(struct sp_cli *cli, const snakepit_reader *stack)
{
    snakepit_reader executor;
    snakepit_value number = {.kind = SNAKEPIT_NIL};
    const bool runs_calls = sp_cli_value_find(stack, "executor", &executor) &&
                            snakepit_reader_next(&executor, &number) == SNAKEPIT_OK &&
                            number.kind != SNAKEPIT_NIL;
    const bool idle = runs_calls && sp_cli_value_number(stack, "call") == 0;
    if (runs_calls) {
        sp_cli_print(
            cli, "  executor %" PRIu64 ", ", sp_cli_value_number(stack, "executor"));
    } else {
        sp_cli_print(cli, "  ");
    }
    sp_cli_print(cli,
                 "thread %" PRIu64 ", %.*s",
                 sp_cli_value_number(stack, "thread"),
                 SP_CLI_SPAN(sp_cli_value_text(stack, "state")));
    print_call(cli, stack);
    sp_cli_print(cli, idle ? ": waits for a call\n" : "\n");
    if (!idle) {
        print_frames(cli, stack);
    }
}

void sp_cli_print_stacks(struct sp_cli *cli, const snakepit_reader *worker)
{
    snakepit_reader at;
    const snakepit_span error = sp_cli_value_text(worker, "error");
    const uint32_t count = sp_cli_value_list(worker, "stacks", &at);
    sp_cli_print(cli,
                 "worker %" PRIu64 " of pool %.*s, process %" PRIu64 "\n",
                 sp_cli_value_number(worker, "worker"),
                 SP_CLI_SPAN(sp_cli_value_text(worker, "pool")),
                 sp_cli_value_number(worker, "pid"));
    if (error.size > 0) {
        sp_cli_print(cli, "  %.*s\n", SP_CLI_SPAN(error));
    }
    for (uint32_t i = 0; i < count; i++) {
        print_stack(cli, &at);
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
}

static int print_found(const struct found *found)
{
    snakepit_reader at;
    snakepit_writer *whole = found->json ? snakepit_writer_new() : NULL;
    snakepit_err err = SNAKEPIT_OK;
    snakepit_reader_init(&at, found->workers.data, found->workers.size);
    if (found->json) {
        snakepit_writer_map(whole, 1);
        snakepit_writer_str(whole, "workers");
        snakepit_writer_array(whole, found->count);
    }
    for (uint32_t i = 0; i < found->count; i++) {
        const uint8_t *begin = at.at;
        const snakepit_reader worker = at;
        (void)snakepit_reader_skip(&at);
        if (found->json) {
            sp_writer_value(whole, (struct sp_slice){begin, (size_t)(at.at - begin)});
        } else {
            sp_cli_print_stacks(found->cli, &worker);
        }
    }
    if (found->json) {
        err = sp_cli_print_json(found->cli, whole);
        snakepit_writer_free(whole);
    }
    sp_cli_flush(found->cli);
    return err == SNAKEPIT_OK ? SP_CLI_EXIT_OK
                              : sp_cli_report(found->cli, err, "", found->json);
}

// ---- Asking -----------------------------------------------------------------------

// The value at `at`.
static snakepit_err add(struct found *found, snakepit_reader *at)
{
    const uint8_t *begin = at->at;
    snakepit_err err = snakepit_reader_skip(at);
    if (err == SNAKEPIT_OK) {
        err = sp_buf_append(&found->workers, begin, (size_t)(at->at - begin));
    }
    found->count += err == SNAKEPIT_OK ? 1 : 0;
    return err;
}

// One worker, or a list of them.
static snakepit_err add_all(struct found *found, snakepit_reader *value)
{
    snakepit_reader at;
    if (!sp_cli_value_find(value, "workers", &at)) {
        return add(found, value);
    }
    snakepit_err err = SNAKEPIT_OK;
    const uint32_t count = sp_cli_value_list(value, "workers", &at);
    for (uint32_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        err = add(found, &at);
    }
    return err;
}

typedef snakepit_err take_fn(struct found *found, snakepit_reader *value);

// Asks, and hands the value over. Gives the exit code.
static int ask(struct found *found, const char *path, const char *name, take_fn *take)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    const struct sp_cli_order order = {
        .method = "GET", .path = path, .names = {name, NULL}};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_reader value;
    sp_cli_remote_order(found->remote, &order, &result);
    if (result.err == SNAKEPIT_OK) {
        result.err = writer == NULL ? SNAKEPIT_NO_MEMORY
                                    : sp_cli_value_read(result.json, writer, &value);
    }
    if (result.err == SNAKEPIT_OK) {
        result.err = take(found, &value);
    }
    int status = sp_cli_result_report(found->cli, &result, found->json);
    snakepit_writer_free(writer);
    sp_cli_result_fini(&result);
    return status;
}

// ---- All pools --------------------------------------------------------------------

// Their names, each with a zero behind it, take the place of workers.
static snakepit_err take_names(struct found *found, snakepit_reader *value)
{
    snakepit_reader at;
    snakepit_err err = SNAKEPIT_OK;
    const uint32_t count = sp_cli_value_list(value, "pools", &at);
    for (uint32_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        const snakepit_span name = sp_cli_value_text(&at, "name");
        if (name.size > 0) { // else it has just gone
            err = sp_buf_append(&found->workers, name.data, name.size);
            err = err == SNAKEPIT_OK ? sp_buf_append(&found->workers, "", 1) : err;
        }
        err = err == SNAKEPIT_OK ? snakepit_reader_skip(&at) : err;
    }
    return err;
}

static int ask_for_all(struct found *found)
{
    int status = ask(found, "/v1/pools", NULL, take_names);
    struct sp_buf names = found->workers;
    found->workers = (struct sp_buf){0};
    const char *name = (const char *)names.data;
    const char *end = name + names.size;
    while (status == SP_CLI_EXIT_OK && name < end) {
        status = ask(found, "/v1/pools/{}/stacks", name, add_all);
        name += strlen(name) + 1;
    }
    sp_buf_fini(&names);
    return status;
}

static int ask_as_told(struct found *found)
{
    const struct sp_cli_args *args = &found->cli->args;
    if (args->count == 0) {
        return ask_for_all(found);
    }
    const char *what = args->words[0];
    const bool worker =
        sp_cli_operate_is_worker(what, args->texts[SP_CLI_STACKS_POOL] != NULL);
    return ask(
        found, worker ? "/v1/workers/{}/stacks" : "/v1/pools/{}/stacks", what, add_all);
}

int sp_cli_stacks(struct sp_cli *cli)
{
    struct found found = {.cli = cli,
                          .json = cli->args.texts[SP_CLI_STACKS_JSON] != NULL};
    int status = SP_CLI_EXIT_OK;
    if (!sp_cli_operate_open(cli, "stacks", found.json, &found.remote, &status)) {
        return status;
    }
    status = ask_as_told(&found);
    if (status == SP_CLI_EXIT_OK) {
        status = print_found(&found);
    }
    sp_buf_fini(&found.workers);
    sp_cli_target_close(sp_cli_remote_target(found.remote));
    return status;
}
