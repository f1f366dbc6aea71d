// SPDX-License-Identifier: MIT
// snakepit inspect: how pools do, and what is to be said of it.
#include <inttypes.h>
#include <string.h>

#include "cli/json.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/target.h"
#include "cli/value.h"

static uint64_t mib(const snakepit_reader *map, const char *key)
{
    return sp_cli_value_number(map, key) >> 20;
}

static void print_figures(struct sp_cli *cli, const snakepit_reader *map)
{
    const uint64_t run = sp_cli_value_number(map, "run_p50_us");
    const uint64_t line = sp_cli_value_number(map, "line_p99_us");
    sp_cli_print(cli,
                 "%.*s: %.*s, %.*s\n",
                 SP_CLI_SPAN(sp_cli_value_text(map, "pool")),
                 SP_CLI_SPAN(sp_cli_value_text(map, "profile")),
                 SP_CLI_SPAN(sp_cli_value_text(map, "state")));
    sp_cli_print(cli,
                 "  %" PRIu64 " processes x %" PRIu64 " threads, %" PRIu64
                 " calls run, %" PRIu64 " could begin, %" PRIu64 " wait, on %" PRIu64
                 " cores\n",
                 sp_cli_value_number(map, "processes"),
                 sp_cli_value_number(map, "threads_per_process"),
                 sp_cli_value_number(map, "active_requests"),
                 sp_cli_value_number(map, "available_capacity"),
                 sp_cli_value_number(map, "waiting"),
                 sp_cli_value_number(map, "cores"));
    sp_cli_print(cli,
                 "  in the last %" PRIu64 " s %" PRIu64 " calls ended, busy %" PRIu64
                 " %%, half run up to %" PRIu64 ".%03" PRIu64
                 " ms, 99 %% wait up to %" PRIu64 ".%03" PRIu64 " ms\n",
                 sp_cli_value_number(map, "over_seconds"),
                 sp_cli_value_number(map, "calls"),
                 sp_cli_value_number(map, "busy_percent"),
                 run / 1000,
                 run % 1000,
                 line / 1000,
                 line % 1000);
    sp_cli_print(cli,
                 "  %" PRIu64 " MiB a process, %" PRIu64 " MiB in all, of %" PRIu64
                 " MiB\n",
                 mib(map, "memory_per_process"),
                 mib(map, "total_memory"),
                 mib(map, "memory_there_is"));
}

static void print_verdict(struct sp_cli *cli, const snakepit_reader *verdict)
{
    const snakepit_span key = sp_cli_value_text(verdict, "key");
    const snakepit_span value = sp_cli_value_text(verdict, "value");
    const snakepit_span remedy = sp_cli_value_text(verdict, "remedy");
    sp_cli_print(cli,
                 "  %.*s %.*s: %.*s",
                 SP_CLI_SPAN(sp_cli_value_text(verdict, "severity")),
                 SP_CLI_SPAN(sp_cli_value_text(verdict, "code")),
                 SP_CLI_SPAN(sp_cli_value_text(verdict, "what")));
    if (key.size > 0 && value.size > 0) {
        sp_cli_print(cli, "; try %.*s: %.*s", SP_CLI_SPAN(key), SP_CLI_SPAN(value));
    } else if (key.size > 0) {
        sp_cli_print(cli, "; see %.*s", SP_CLI_SPAN(key));
    }
    sp_cli_print(cli, remedy.size > 0 ? "; %.*s\n" : "\n%.*s", SP_CLI_SPAN(remedy));
}

static void print_pool(struct sp_cli *cli, const snakepit_reader *map)
{
    snakepit_reader at;
    const uint32_t count = sp_cli_value_list(map, "verdicts", &at);
    print_figures(cli, map);
    for (uint32_t i = 0; i < count; i++) {
        print_verdict(cli, &at);
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            return;
        }
    }
    if (count == 0) {
        sp_cli_print(cli, "  nothing to say\n");
    }
}

static int
inspect(struct sp_cli *cli, struct sp_cli_target *target, const char *pool, bool json)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    target->ops->inspect(target, pool, &result);
    const int status = sp_cli_result_show(cli, &result, json, print_pool);
    sp_cli_result_fini(&result);
    return status;
}

// Gives the exit code.
static int inspect_all(struct sp_cli *cli, struct sp_cli_target *target, bool json)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    snakepit_writer *writer = snakepit_writer_new();
    snakepit_reader map;
    snakepit_reader at;
    target->ops->pools(target, &result);
    if (result.err == SNAKEPIT_OK) {
        result.err = writer == NULL ? SNAKEPIT_NO_MEMORY
                                    : sp_cli_value_read(result.json, writer, &map);
    }
    int status = sp_cli_result_report(cli, &result, json);
    const uint32_t count =
        status == SP_CLI_EXIT_OK ? sp_cli_value_list(&map, "pools", &at) : 0;
    for (uint32_t i = 0; i < count && status == SP_CLI_EXIT_OK; i++) {
        char name[256];
        const snakepit_span span = sp_cli_value_text(&at, "name");
        if (span.size > 0 && span.size < sizeof name) {
            memcpy(name, span.data, span.size);
            name[span.size] = '\0';
            status = inspect(cli, target, name, json);
        }
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            break;
        }
    }
    snakepit_writer_free(writer);
    sp_cli_result_fini(&result);
    return status;
}

int sp_cli_inspect(struct sp_cli *cli)
{
    const bool json = cli->args.texts[SP_CLI_INSPECT_JSON] != NULL;
    const char *pool = cli->args.count > 0 ? cli->args.words[0] : NULL;
    struct sp_cli_target *target = NULL;
    int status = SP_CLI_EXIT_OK;
    if (!sp_cli_target_open(cli, SP_CLI_INSPECT_CONFIG, json, &target, &status)) {
        return status;
    }
    status = pool != NULL ? inspect(cli, target, pool, json)
                          : inspect_all(cli, target, json);
    sp_cli_target_close(target);
    return status;
}
