// SPDX-License-Identifier: MIT
// What Prometheus asks for every few seconds.
#include "api/inside.h"
#include "api/reply.h"
#include "base/memory.h"
#include "server/grant.h"
#include "server/server.h"
#include "telemetry/doors.h"
#include "telemetry/exposition.h"

#define TEXT_TYPE "text/plain; version=0.0.4; charset=utf-8"
#define OPEN_TYPE "application/openmetrics-text; version=1.0.0; charset=utf-8"

// The pools that the client may see.
static bool wants(void *user, const char *pool)
{
    const struct sp_grant *grant = sp_grant_of(user);
    return grant != NULL && sp_grant_allows(grant, SP_ACCESS_OBSERVE, pool);
}

static snakepit_err
write_pools(struct sp_exchange *exchange, bool open, struct sp_buf *text)
{
    const snakepit_metrics_options options = {
        .size = sizeof options, .openmetrics = open, .wants = wants, .user = exchange};
    char *pools;
    size_t size;
    snakepit_err err =
        snakepit_metrics(sp_api_of(exchange)->pit, &options, &pools, &size);
    if (err == SNAKEPIT_OK) {
        err = sp_buf_append(text, pools, size);
        snakepit_metrics_free(pools);
    }
    return err;
}

static snakepit_err
write_doors(const struct sp_server *server, bool open, struct sp_buf *text)
{
    const size_t count = sp_server_door_count(server);
    struct sp_door_figures *doors = sp_alloc_array(count + 1, sizeof *doors);
    if (doors == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++) {
        sp_server_door_figures(server, i, &doors[i]);
    }
    snakepit_err err = sp_doors_write(text, doors, count, open);
    sp_free(doors);
    return err;
}

// Those of the daemon come first, for the others have the end of the text.
static snakepit_err
write_all(struct sp_exchange *exchange, bool open, struct sp_buf *text)
{
    snakepit_err err =
        sp_exposition_gauge(text,
                            "snakepit_connections",
                            "Clients that are connected.",
                            sp_server_connections(exchange->loop->server));
    if (err == SNAKEPIT_OK) {
        err = sp_exposition_gauge(text,
                                  "snakepit_draining",
                                  "1 while the daemon ends.",
                                  sp_serve_loop_draining(exchange->loop));
    }
    if (err == SNAKEPIT_OK) {
        err = write_doors(exchange->loop->server, open, text);
    }
    return err == SNAKEPIT_OK ? write_pools(exchange, open, text) : err;
}

void sp_api_metrics(struct sp_exchange *exchange, const struct sp_params *params)
{
    // Whoever asks here takes text, whatever its Accept says.
    const bool open = sp_media_accepted(&exchange->request,
                                        SP_MEDIA_TEXT | SP_MEDIA_OPENMETRICS,
                                        SP_MEDIA_TEXT) == SP_MEDIA_OPENMETRICS;
    (void)params;
    struct sp_buf text = {0};
    snakepit_err err = write_all(exchange, open, &text);
    if (err == SNAKEPIT_OK) {
        const struct sp_api_answer answer = {.status = 200,
                                             .type = open ? OPEN_TYPE : TEXT_TYPE,
                                             .body = {text.data, text.size}};
        sp_api_reply(exchange, &answer);
    } else {
        sp_api_fail(exchange, err, NULL);
    }
    sp_buf_fini(&text);
}
