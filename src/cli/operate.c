// SPDX-License-Identifier: MIT
// snakepit sessions, recycle, retry, resize, reload and drain: what only a daemon can
// be asked for, since it has pools that go on afterwards.
#include "cli/operate.h"

#include <inttypes.h>
#include <string.h>

#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/output.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/value.h"

#define RELOAD_MS 600000u // that reading files and starting pools may take

// One order to a daemon, and what is said of it where it was done.
struct order {
    const char *command;
    struct sp_cli_order order;
    bool json;
    // Prints the value that came; NULL: none does.
    void (*print)(struct sp_cli *cli, const snakepit_reader *map);
    bool as_it_is; // the value is printed as it came
    // Says what follows, where it was done and no JSON is wanted; NULL: nothing does.
    void (*follow)(struct sp_cli *cli, struct sp_cli_remote *remote);
};

static int
send(struct sp_cli *cli, struct sp_cli_remote *remote, const struct order *order)
{
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    int status;
    sp_cli_remote_order(remote, &order->order, &result);
    const bool value = order->print != NULL || order->as_it_is;
    if (value && result.err == SNAKEPIT_OK) {
        status = sp_cli_result_show(
            cli, &result, order->json || order->as_it_is, order->print);
    } else {
        status = sp_cli_result_report(cli, &result, order->json);
    }
    sp_cli_result_fini(&result);
    return status;
}

bool sp_cli_operate_open(struct sp_cli *cli,
                         const char *command,
                         bool json,
                         struct sp_cli_remote **remote,
                         int *status)
{
    snakepit_message why = {0};
    const char *address = sp_cli_remote_address(cli);
    if (address == NULL) {
        sp_cli_explain(&why,
                       "%s is for a running daemon, and needs --connect ADDRESS or "
                       "$SNAKEPIT_CONNECT",
                       command);
        *status = sp_cli_complain_usage(cli, command, why.text);
        return false;
    }
    sp_cli_interrupts_init();
    snakepit_err err = sp_cli_remote_open(cli, address, remote, &why);
    if (err != SNAKEPIT_OK) {
        *status = sp_cli_report(cli, err, why.text, json);
    }
    return err == SNAKEPIT_OK;
}

static int give(struct sp_cli *cli, const struct order *order)
{
    struct sp_cli_remote *remote = NULL;
    int status = SP_CLI_EXIT_OK;
    if (sp_cli_operate_open(cli, order->command, order->json, &remote, &status)) {
        status = send(cli, remote, order);
        if (status == SP_CLI_EXIT_OK && order->follow != NULL && !order->json) {
            order->follow(cli, remote);
            sp_cli_flush(cli);
        }
        sp_cli_target_close(sp_cli_remote_target(remote));
    }
    return status;
}

// ---- Sessions ---------------------------------------------------------------------

static void print_keys(struct sp_cli *cli, const snakepit_reader *map)
{
    snakepit_reader at;
    snakepit_value key;
    const uint32_t count = sp_cli_value_list(map, "keys", &at);
    for (uint32_t i = 0; i < count; i++) {
        if (!sp_cli_value_next(&at, SNAKEPIT_TEXT, &key)) {
            return;
        }
        sp_cli_print(cli, "%.*s\n", SP_CLI_SPAN(key.as.text));
    }
}

static void print_page(struct sp_cli *cli, const snakepit_reader *map)
{
    snakepit_reader at;
    const snakepit_span next = sp_cli_value_text(map, "next");
    const uint32_t count = sp_cli_value_list(map, "sessions", &at);
    for (uint32_t i = 0; i < count; i++) {
        const snakepit_span name = sp_cli_value_text(&at, "session");
        sp_cli_print(cli, "%.*s\n", SP_CLI_SPAN(name));
        (void)snakepit_reader_skip(&at);
    }
    if (next.size > 0) {
        sp_cli_flush(cli);
        sp_cli_print_error(
            cli, "there are more, behind --after '%.*s'\n", SP_CLI_SPAN(next));
    }
}

// All that there are, page by page.
static int list_sessions(struct sp_cli *cli)
{
    const struct sp_cli_args *given = &cli->args;
    const char *after = given->texts[SP_CLI_SESSIONS_AFTER];
    const struct order order = {
        .command = "sessions",
        .order = {.method = "GET",
                  .path = after != NULL ? "/v1/sessions?limit=1000&after={}"
                                        : "/v1/sessions?limit=1000",
                  .names = {after}},
        .json = given->texts[SP_CLI_SESSIONS_JSON] != NULL,
        .print = print_page};
    if (given->texts[SP_CLI_SESSIONS_END] != NULL) {
        return sp_cli_complain_usage(cli, "sessions", "--end needs a SESSION");
    }
    return give(cli, &order);
}

int sp_cli_sessions(struct sp_cli *cli)
{
    const struct sp_cli_args *given = &cli->args;
    if (given->count == 0) {
        return list_sessions(cli);
    }
    if (given->texts[SP_CLI_SESSIONS_AFTER] != NULL) {
        return sp_cli_complain_usage(
            cli, "sessions", "--after is for the list of sessions, without SESSION");
    }
    const bool key = given->count > 1;
    const bool end = given->texts[SP_CLI_SESSIONS_END] != NULL;
    const struct order order = {
        .command = "sessions",
        .order = {.method = end ? "DELETE" : "GET",
                  .path = key ? "/v1/sessions/{}/values/{}" : "/v1/sessions/{}",
                  .names = {given->words[0], key ? given->words[1] : NULL}},
        .json = given->texts[SP_CLI_SESSIONS_JSON] != NULL,
        .print = end || key ? NULL : print_keys,
        .as_it_is = key && !end};
    return give(cli, &order);
}

// ---- Pools and workers --------------------------------------------------------------

static bool is_number(const char *text)
{
    return text[0] != '\0' && text[strspn(text, "0123456789")] == '\0';
}

bool sp_cli_operate_is_worker(const char *what, bool is_pool)
{
    return !is_pool && is_number(what);
}

static void follow_recycle(struct sp_cli *cli, struct sp_cli_remote *remote)
{
    (void)remote;
    sp_cli_print(cli,
                 "to be replaced, while calls go on; `snakepit workers` lists the ids "
                 "that there are\n");
}

int sp_cli_recycle(struct sp_cli *cli)
{
    const char *what = cli->args.words[0];
    const bool named = cli->args.texts[SP_CLI_RECYCLE_POOL] != NULL;
    const struct order order = {.command = "recycle",
                                .order = {.method = "POST",
                                          .path = sp_cli_operate_is_worker(what, named)
                                                      ? "/v1/workers/{}:recycle"
                                                      : "/v1/pools/{}:recycle",
                                          .names = {what}},
                                .json = cli->args.texts[SP_CLI_RECYCLE_JSON] != NULL,
                                .follow = follow_recycle};
    return give(cli, &order);
}

static void follow_retry(struct sp_cli *cli, struct sp_cli_remote *remote)
{
    (void)remote;
    sp_cli_print(cli,
                 "what is missing is started now; `snakepit pools` says what comes of "
                 "it\n");
}

int sp_cli_retry(struct sp_cli *cli)
{
    const struct order order = {.command = "retry",
                                .order = {.method = "POST",
                                          .path = "/v1/pools/{}:retry",
                                          .names = {cli->args.words[0]}},
                                .json = cli->args.texts[SP_CLI_RETRY_JSON] != NULL,
                                .follow = follow_retry};
    return give(cli, &order);
}

static void follow_resize(struct sp_cli *cli, struct sp_cli_remote *remote)
{
    (void)remote;
    sp_cli_print(cli,
                 "workers start, or end what they run, until there are so many; "
                 "`snakepit pools` counts them\n");
}

int sp_cli_resize(struct sp_cli *cli)
{
    const char *workers = cli->args.words[1];
    const struct order order = {.command = "resize",
                                .order = {.method = "POST",
                                          .path = "/v1/pools/{}:resize?workers={}",
                                          .names = {cli->args.words[0], workers}},
                                .json = cli->args.texts[SP_CLI_RESIZE_JSON] != NULL,
                                .follow = follow_resize};
    if (!is_number(workers)) {
        return sp_cli_complain_usage(
            cli, "resize", "WORKERS is a number, such as 4: snakepit resize POOL 4");
    }
    return give(cli, &order);
}

// ---- The daemon ---------------------------------------------------------------------

static uint64_t count_outdated(const snakepit_reader *map)
{
    snakepit_reader at;
    uint64_t outdated = 0;
    const uint32_t count = sp_cli_value_list(map, "pools", &at);
    for (uint32_t i = 0; i < count; i++) {
        outdated += sp_cli_value_number(&at, "workers_outdated");
        if (snakepit_reader_skip(&at) != SNAKEPIT_OK) {
            break;
        }
    }
    return outdated;
}

// A client that may not look at the pools hears less.
static void follow_reload(struct sp_cli *cli, struct sp_cli_remote *remote)
{
    struct sp_cli_target *target = sp_cli_remote_target(remote);
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    snakepit_reader map;
    snakepit_writer *writer = snakepit_writer_new();
    target->ops->pools(target, &result);
    if (writer != NULL && result.err == SNAKEPIT_OK &&
        sp_cli_value_read(result.json, writer, &map) == SNAKEPIT_OK) {
        const uint64_t outdated = count_outdated(&map);
        sp_cli_print(cli,
                     "reloaded; %" PRIu64 " worker%s to be replaced%s\n",
                     outdated,
                     outdated == 1 ? "" : "s",
                     outdated == 0 ? "" : ": `snakepit pools` counts them as outdated");
    } else {
        sp_cli_print(cli, "reloaded\n");
    }
    snakepit_writer_free(writer);
    sp_cli_result_fini(&result);
}

int sp_cli_reload(struct sp_cli *cli)
{
    const struct order order = {.command = "reload",
                                .order = {.method = "POST",
                                          .path = "/v1/pools:reload",
                                          .timeout_ms = RELOAD_MS},
                                .json = cli->args.texts[SP_CLI_RELOAD_JSON] != NULL,
                                .follow = follow_reload};
    return give(cli, &order);
}

int sp_cli_drain(struct sp_cli *cli)
{
    const struct order order = {.command = "drain",
                                .order = {.method = "POST", .path = "/v1:drain"},
                                .json = cli->args.texts[SP_CLI_DRAIN_JSON] != NULL};
    return give(cli, &order);
}
