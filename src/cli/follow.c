// SPDX-License-Identifier: MIT
// snakepit events: what happens in a daemon, as it happens.
#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "cli/events.h"
#include "cli/json.h"
#include "cli/operate.h"
#include "cli/output.h"
#include "cli/remote_inside.h"
#include "cli/report.h"
#include "cli/text.h"
#include "cli/value.h"
#include "http/percent.h"
#include "payload/json.h"

#define LAST       10u      // events before, where nobody says how many
#define EVENT_MOST 1048576u // bytes of an event that is read
#define VALUE_MAX  7936u    // bytes of a text in quotes

// Owner: the main thread.
struct follower {
    struct sp_cli *cli;
    bool json;
};

// ---- Printing ---------------------------------------------------------------------

// What has no other form in a line: an adapter's maps.
static void print_as_json(struct sp_cli *cli, snakepit_reader value)
{
    struct sp_buf json = {0};
    snakepit_message why;
    if (sp_json_write(&value, &json, &why) == SNAKEPIT_OK) {
        sp_cli_print(cli, "%.*s", (int)json.size, (const char *)json.data);
    }
    sp_buf_fini(&json);
}

static void print_text(struct sp_cli *cli, snakepit_span text)
{
    char room[VALUE_MAX];
    struct sp_buf copy = {0};
    if (sp_buf_append(&copy, text.data, text.size) == SNAKEPIT_OK &&
        sp_buf_append(&copy, "", 1) == SNAKEPIT_OK) {
        const char *word = (const char *)copy.data;
        sp_cli_print(cli, "%s", sp_log_value(word, room, sizeof room));
    }
    sp_buf_fini(&copy);
}

// Returns whether the value was read; `at` moves behind it.
static bool print_value(struct sp_cli *cli, snakepit_reader *at)
{
    snakepit_reader whole = *at;
    snakepit_value value;
    if (snakepit_reader_skip(at) != SNAKEPIT_OK) {
        return false;
    }
    const snakepit_reader begin = whole;
    (void)snakepit_reader_next(&whole, &value);
    switch (value.kind) {
    case SNAKEPIT_TEXT:
        print_text(cli, value.as.text);
        break;
    case SNAKEPIT_BOOLEAN:
        sp_cli_print(cli, "%s", value.as.boolean ? "yes" : "no");
        break;
    default:
        print_as_json(cli, begin);
    }
    return true;
}

static bool is_in_front(snakepit_span key)
{
    return sp_cli_span_is(key, "time") || sp_cli_span_is(key, "level") ||
           sp_cli_span_is(key, "event");
}

static void print_fields(struct sp_cli *cli, snakepit_reader at)
{
    snakepit_value map;
    snakepit_value key;
    if (!sp_cli_value_next(&at, SNAKEPIT_MAP, &map)) {
        return;
    }
    for (uint32_t i = 0; i < map.as.count; i++) {
        bool more = sp_cli_value_next(&at, SNAKEPIT_TEXT, &key);
        if (more && is_in_front(key.as.text)) {
            more = snakepit_reader_skip(&at) == SNAKEPIT_OK;
        } else if (more) {
            sp_cli_print(cli, " %.*s=", SP_CLI_SPAN(key.as.text));
            more = print_value(cli, &at);
        }
        if (!more) {
            return;
        }
    }
}

static void print_event(struct sp_cli *cli, struct sp_slice data)
{
    snakepit_reader value;
    snakepit_writer *writer = snakepit_writer_new();
    if (writer != NULL && sp_cli_value_read(data, writer, &value) == SNAKEPIT_OK) {
        sp_cli_print(cli,
                     "%.*s %.*s %.*s",
                     SP_CLI_SPAN(sp_cli_value_text(&value, "time")),
                     SP_CLI_SPAN(sp_cli_value_text(&value, "level")),
                     SP_CLI_SPAN(sp_cli_value_text(&value, "event")));
        print_fields(cli, value);
        sp_cli_print(cli, "\n");
    }
    snakepit_writer_free(writer);
}

static void print_lost(struct sp_cli *cli, struct sp_slice data)
{
    snakepit_reader value;
    snakepit_writer *writer = snakepit_writer_new();
    if (writer != NULL && sp_cli_value_read(data, writer, &value) == SNAKEPIT_OK) {
        sp_cli_print(cli,
                     "(%" PRIu64 " events are gone)\n",
                     sp_cli_value_number(&value, "lost"));
    }
    snakepit_writer_free(writer);
}

static bool on_event(void *user, const char *name, struct sp_slice data)
{
    const struct follower *follower = user;
    const bool lost = strcmp(name, "lost") == 0;
    if (!lost && strcmp(name, "message") != 0) {
        return true; // of a version to come
    }
    if (follower->json) {
        sp_cli_print_json_text(follower->cli, (const char *)data.data, data.size);
    } else if (lost) {
        print_lost(follower->cli, data);
    } else {
        print_event(follower->cli, data);
    }
    sp_cli_flush(follower->cli);
    return follower->cli->lost == 0;
}

// ---- Asking -----------------------------------------------------------------------

// NO_MEMORY.
static snakepit_err
append_query(struct sp_buf *path, const char *name, const char *value)
{
    if (value == NULL) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = sp_buf_printf(path, "&%s=", name);
    return err == SNAKEPIT_OK ? sp_percent_encode(path, value) : err;
}

static snakepit_err make_path(const struct sp_cli_args *args, struct sp_buf *path)
{
    const bool said = args->texts[SP_CLI_EVENTS_LAST] != NULL;
    const uint64_t last = said ? args->numbers[SP_CLI_EVENTS_LAST] : LAST;
    snakepit_err err = sp_buf_printf(path, "/v1/events?last=%" PRIu64, last);
    const char *pool = args->count > 0 ? args->words[0] : NULL;
    err = err == SNAKEPIT_OK ? append_query(path, "pool", pool) : err;
    err = err == SNAKEPIT_OK
              ? append_query(path, "level", args->texts[SP_CLI_EVENTS_LEVEL])
              : err;
    err = err == SNAKEPIT_OK
              ? append_query(path, "name", args->texts[SP_CLI_EVENTS_NAME])
              : err;
    return err == SNAKEPIT_OK ? sp_buf_append(path, "", 1) : err;
}

static bool on_followed(void *user, struct sp_slice bytes)
{
    return sp_cli_events_feed(user, bytes) == SNAKEPIT_OK;
}

// Until the daemon or a signal ends it, or nobody reads what is printed.
static void ask(struct sp_cli_remote *remote,
                const char *path,
                struct follower *follower,
                struct sp_cli_result *result)
{
    struct sp_cli_response response = {.status = 0};
    struct sp_cli_events events = {
        .limit = EVENT_MOST, .put = on_event, .user = follower};
    const struct sp_cli_request request = {.method = "GET",
                                           .path = path,
                                           .accept = SP_CLI_EVENTS_TYPE,
                                           .piece = on_followed,
                                           .user = &events};
    result->err = sp_cli_http_ask(remote->http, &request, &response, &result->why);
    if (result->err == SNAKEPIT_END) {
        result->err = SNAKEPIT_OK;
    } else if (result->err == SNAKEPIT_OK &&
               strcmp(response.type, SP_CLI_EVENTS_TYPE) != 0) {
        sp_cli_remote_read(remote, &request, &response, result);
    } else if (result->err == SNAKEPIT_OK) {
        result->err = SNAKEPIT_DAEMON_LOST;
        sp_cli_explain(&result->why,
                       "%s has ended the stream of its events: it stops, or the token "
                       "was revoked",
                       remote->address.shown);
    }
    sp_cli_events_fini(&events);
    sp_buf_fini(&response.body);
}

int sp_cli_follow(struct sp_cli *cli)
{
    struct follower follower = {.cli = cli,
                                .json = cli->args.texts[SP_CLI_EVENTS_JSON] != NULL};
    struct sp_cli_result result = {.err = SNAKEPIT_OK};
    struct sp_cli_remote *remote;
    struct sp_buf path = {0};
    int status = SP_CLI_EXIT_OK;
    if (!sp_cli_operate_open(cli, "events", follower.json, &remote, &status)) {
        return status;
    }
    result.err = make_path(&cli->args, &path);
    if (result.err == SNAKEPIT_OK) {
        ask(remote, (const char *)path.data, &follower, &result);
    }
    if (result.err != SNAKEPIT_CANCELLED) { // by Ctrl-C, which is how it ends
        status = sp_cli_result_report(cli, &result, follower.json);
    }
    sp_cli_result_fini(&result);
    sp_buf_fini(&path);
    sp_cli_target_close(sp_cli_remote_target(remote));
    return status;
}
