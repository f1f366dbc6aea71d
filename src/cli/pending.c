// SPDX-License-Identifier: MIT
#include "cli/pending.h"

#include <string.h>

#include "base/memory.h"
#include "cli/remote_inside.h"
#include "cli/text.h"

// Owner: the main thread.
struct sp_cli_pending {
    struct sp_cli_remote *remote;
    struct sp_cli_transfer *transfer;
    struct sp_buf path;
    struct sp_cli_request request;
    struct sp_cli_response response;
    struct sp_cli_events events;
    snakepit_err broke; // what reading the events came to
};

static bool on_followed(void *user, struct sp_slice bytes)
{
    struct sp_cli_pending *pending = user;
    pending->broke = sp_cli_events_feed(&pending->events, bytes);
    return pending->broke == SNAKEPIT_OK;
}

static void free_pending(struct sp_cli_pending *pending)
{
    sp_cli_events_fini(&pending->events);
    sp_buf_fini(&pending->response.body);
    sp_buf_fini(&pending->path);
    sp_free(pending);
}

static void set_request(struct sp_cli_pending *pending,
                        const struct sp_cli_order *order,
                        bool events)
{
    const bool get = strcmp(order->method, "GET") == 0;
    pending->request = (struct sp_cli_request){.method = order->method,
                                               .path = (const char *)pending->path.data,
                                               .accept = events ? SP_CLI_EVENTS_TYPE
                                                         : get  ? SP_CLI_JSON_TYPE
                                                                : NULL,
                                               .piece = events ? on_followed : NULL,
                                               .user = pending,
                                               .timeout_ms = events ? 0
                                                             : order->timeout_ms != 0
                                                                 ? order->timeout_ms
                                                                 : SP_CLI_LOOK_MS};
}

snakepit_err sp_cli_pending_begin(struct sp_cli_remote *remote,
                                  const struct sp_cli_order *order,
                                  const struct sp_cli_follow *follow,
                                  struct sp_cli_pending **pending,
                                  snakepit_message *why)
{
    struct sp_cli_result refused = {.err = SNAKEPIT_OK};
    struct sp_cli_pending *made = sp_alloc(sizeof *made);
    why->text[0] = '\0';
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    *made = (struct sp_cli_pending){.remote = remote};
    if (follow != NULL) {
        made->events = (struct sp_cli_events){
            .limit = follow->limit, .put = follow->put, .user = follow->user};
    }
    sp_cli_remote_path(order, &made->path, &refused);
    *why = refused.why;
    snakepit_err err = refused.err;
    if (err == SNAKEPIT_OK) {
        set_request(made, order, follow != NULL);
        err = sp_cli_http_begin(
            remote->http, &made->request, &made->response, &made->transfer);
    }
    if (err != SNAKEPIT_OK) {
        free_pending(made);
        return err;
    }
    *pending = made;
    return SNAKEPIT_OK;
}

snakepit_err sp_cli_pending_turn(struct sp_cli_remote *remote, int fd, int wait_ms)
{
    return sp_cli_http_turn(remote->http, fd, wait_ms);
}

bool sp_cli_pending_is_done(const struct sp_cli_pending *pending)
{
    return sp_cli_http_is_done(pending->transfer);
}

// A stream does not end by itself.
static void read_followed(struct sp_cli_pending *pending, struct sp_cli_result *result)
{
    const struct sp_cli_response *response = &pending->response;
    if (response->status == 200 && strcmp(response->type, SP_CLI_EVENTS_TYPE) == 0) {
        result->err = SNAKEPIT_DAEMON_LOST;
        sp_cli_explain(&result->why,
                       "the daemon at %s has ended what it sent",
                       pending->remote->address.shown);
        return;
    }
    sp_cli_remote_read(pending->remote, &pending->request, &pending->response, result);
}

void sp_cli_pending_end(struct sp_cli_pending *pending, struct sp_cli_result *result)
{
    result->err = sp_cli_http_end(pending->transfer, &result->why);
    if (result->err == SNAKEPIT_OK && pending->request.piece != NULL) {
        read_followed(pending, result);
    } else if (result->err == SNAKEPIT_OK) {
        sp_cli_remote_read(
            pending->remote, &pending->request, &pending->response, result);
    } else if (result->err == SNAKEPIT_END && pending->broke == SNAKEPIT_MALFORMED) {
        sp_cli_remote_refuse_answer(pending->remote, result);
    } else if (result->err == SNAKEPIT_END) {
        result->err = pending->broke;
    }
    free_pending(pending);
}
