// SPDX-License-Identifier: MIT
// What probes and passers-by ask.
#include "api/health.h"

#include <stdio.h>
#include <string.h>

#include "api/ask.h"
#include "api/asset.h"
#include "api/gate.h"
#include "api/inside.h"
#include "api/reply.h"
#include "http/percent.h"
#include "http/problem.h"
#include "pit/failure.h"
#include "server/server.h"

static void
reply_text(struct sp_exchange *exchange, unsigned status, struct sp_slice text)
{
    const struct sp_api_answer answer = {
        .status = status, .type = "text/plain; charset=utf-8", .body = text};
    sp_api_reply(exchange, &answer);
}

// All rows: more than one text of C may hold.
static void reply_routes(struct sp_exchange *exchange)
{
#define SP_ROUTE(method, pattern, handler, scope, operation, summary) \
    #method " " pattern "\n    " summary "\n",
    static const char *const rows[] = {
#include "api/routes.def"
    };
#undef SP_ROUTE
    struct sp_buf text = {0};
    snakepit_err err = sp_buf_printf(&text, "Snakepit " SNAKEPIT_VERSION "\n\n");
    for (size_t i = 0; err == SNAKEPIT_OK && i < SP_ROUTES; i++) {
        err = sp_buf_append(&text, rows[i], strlen(rows[i]));
    }
    if (err == SNAKEPIT_OK) {
        reply_text(exchange, 200, (struct sp_slice){text.data, text.size});
    } else {
        sp_api_fail(exchange, err, NULL);
    }
    sp_buf_fini(&text);
}

void sp_api_root(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    if (sp_media_accepted(&exchange->request,
                          SP_MEDIA_TEXT | SP_MEDIA_HTML,
                          SP_MEDIA_TEXT) == SP_MEDIA_HTML) {
        sp_api_reply_asset(exchange, sp_asset_find("index.html"));
    } else {
        reply_routes(exchange);
    }
}

void sp_api_livez(struct sp_exchange *exchange, const struct sp_params *params)
{
    (void)params;
    reply_text(exchange, 200, sp_slice_of_text("ok\n"));
}

// ---- Whether it is ready ----------------------------------------------------------

// A pool that was removed is in nobody's way; one that is to have no worker has all.
static bool serves(const snakepit_pool_stats *stats)
{
    return stats->workers_ready > 0 || strcmp(stats->state, "removed") == 0 ||
           (stats->workers == 0 && strcmp(stats->state, "ready") == 0);
}

static bool pool_at(snakepit *pit, size_t index, snakepit_pool_stats *stats)
{
    const char *name = snakepit_pool_name(pit, index);
    *stats = (snakepit_pool_stats){.size = sizeof *stats};
    return name != NULL && snakepit_pool_get_stats(pit, name, stats) == SNAKEPIT_OK;
}

bool sp_api_pool_serves(snakepit *pit, const char *pool, bool *serving)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    const bool there =
        snakepit_pool_get_stats(pit, sp_api_pool_name(pool), &stats) == SNAKEPIT_OK;
    *serving = there && serves(&stats);
    return there;
}

bool sp_api_all_serve(snakepit *pit)
{
    snakepit_pool_stats stats;
    for (size_t i = 0; i < snakepit_pool_count(pit); i++) {
        if (pool_at(pit, i, &stats) && !serves(&stats)) {
            return false;
        }
    }
    return true;
}

// Why it does not have all of its workers, as the end of a line.
static const char *
reason_of(struct sp_exchange *exchange, const char *pool, snakepit_message *reason)
{
    snakepit_message failure;
    reason->text[0] = '\0';
    if (sp_pit_failure(sp_api_of(exchange)->pit, pool, &failure)[0] == '\0') {
        return "";
    }
    for (char *end = failure.text; (end = strchr(end, '\n')) != NULL;) {
        *end = ' ';
    }
    (void)snprintf(reason->text, sizeof reason->text, ": %.1000s", failure.text);
    return reason->text;
}

static snakepit_err write_lines(struct sp_exchange *exchange,
                                bool ready,
                                bool draining,
                                struct sp_buf *text)
{
    snakepit *pit = sp_api_of(exchange)->pit;
    snakepit_pool_stats stats;
    snakepit_message reason;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && i < snakepit_pool_count(pit); i++) {
        if (pool_at(pit, i, &stats) &&
            sp_api_may(exchange, SP_ACCESS_OBSERVE, stats.name)) {
            err = sp_buf_printf(text,
                                "[%c] %s: %s, %u of %u workers%s\n",
                                serves(&stats) ? '+' : '-',
                                stats.name,
                                stats.state,
                                stats.workers_ready,
                                stats.workers,
                                reason_of(exchange, stats.name, &reason));
        }
    }
    if (err == SNAKEPIT_OK && draining) {
        err = sp_buf_printf(text, "[-] the daemon drains\n");
    }
    return err == SNAKEPIT_OK ? sp_buf_printf(text, ready ? "ready\n" : "not ready\n")
                              : err;
}

void sp_api_readyz(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_buf text = {0};
    snakepit *pit = sp_api_of(exchange)->pit;
    const bool draining = sp_serve_loop_draining(exchange->loop);
    const bool ready = !draining && sp_api_all_serve(pit);
    const struct sp_slice brief = sp_slice_of_text(ready ? "ready\n" : "not ready\n");
    (void)params;
    const bool verbose =
        sp_query_find(exchange->request.query, "verbose").data != NULL &&
        sp_api_may_look(exchange);
    if (verbose && write_lines(exchange, ready, draining, &text) == SNAKEPIT_OK) {
        reply_text(
            exchange, ready ? 200 : 503, (struct sp_slice){text.data, text.size});
    } else {
        reply_text(exchange, ready ? 200 : 503, brief);
    }
    sp_buf_fini(&text);
}

// ---- What a problem means -------------------------------------------------------

void sp_api_problem_type(struct sp_exchange *exchange, const struct sp_params *params)
{
    struct sp_buf text = {0};
    const snakepit_err err = sp_err_named(sp_slice_of_text(params->of[0]));
    if (err == SNAKEPIT_OK) {
        sp_api_refuse(exchange, 404, "there is no problem of that name");
        return;
    }
    const bool again = snakepit_err_retryable(err);
    (void)sp_buf_printf(&text,
                        "%s (%d): %s.\nHTTP status %u. %s\n",
                        snakepit_err_name(err),
                        (int)err,
                        snakepit_err_text(err),
                        sp_http_status(err),
                        again ? "The same request may succeed if it is sent again."
                              : "It does not help to send the same request again.");
    reply_text(exchange, 200, (struct sp_slice){text.data, text.size});
    sp_buf_fini(&text);
}
