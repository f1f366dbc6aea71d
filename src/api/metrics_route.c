// SPDX-License-Identifier: MIT
// What Prometheus asks for every few seconds.
#include "api/inside.h"
#include "api/metrics.h"
#include "api/reply.h"
#include "base/memory.h"
#include "server/grant.h"
#include "server/server.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPEN_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

// The pools that the client may see. `rows` has room for all.
static size_t
collect(struct sp_exchange *exchange, snakepit_pool_stats *rows, size_t room)
{
    snakepit *pit = sp_api_of(exchange)->pit;
    const struct sp_grant *grant = sp_grant_of(exchange);
    size_t count = 0;
    for (size_t i = 0; i < room && grant != NULL; i++) {
        const char *name = snakepit_pool_name(pit, i);
        rows[count] = (snakepit_pool_stats){.size = sizeof *rows};
        if (name != NULL && sp_grant_allows(grant, SP_ACCESS_OBSERVE, name) &&
            snakepit_pool_get_stats(pit, name, &rows[count]) == SNAKEPIT_OK) {
            count++;
        }
    }
    return count;
}

void sp_api_metrics(struct sp_exchange *exchange, const struct sp_params *params)
{
    const size_t room = snakepit_pool_count(sp_api_of(exchange)->pit);
    // Whoever asks here takes text, whatever its Accept says.
    const bool open = sp_media_accepted(&exchange->request,
                                        SP_MEDIA_TEXT | SP_MEDIA_OPENMETRICS,
                                        SP_MEDIA_TEXT) == SP_MEDIA_OPENMETRICS;
    (void)params;
    const struct sp_metrics_daemon daemon = {
        .connections = sp_server_connections(exchange->loop->server),
        .draining = sp_serve_loop_draining(exchange->loop),
    };
    struct sp_buf text = {0};
    snakepit_pool_stats *rows = sp_alloc_array(room + 1, sizeof *rows);
    snakepit_err err =
        rows == NULL ? SNAKEPIT_NO_MEMORY
                     : sp_metrics_write(
                           &text, &daemon, rows, collect(exchange, rows, room), open);
    if (err == SNAKEPIT_OK) {
        const struct sp_api_answer answer = {.status = 200,
                                             .type = open ? OPEN_TYPE : TEXT_TYPE,
                                             .body = {text.data, text.size}};
        sp_api_reply(exchange, &answer);
    } else {
        sp_api_fail(exchange, err, NULL);
    }
    sp_buf_fini(&text);
    sp_free(rows);
}
