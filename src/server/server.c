// SPDX-License-Identifier: MIT
#include "server/server.h"

#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "server/inside.h"

#define CORES_A_LOOP 4u // the others are for workers
#define LOOPS_MOST   8u // of `auto`

static size_t loops_wanted(const struct sp_serve_config *config)
{
    uint32_t wanted = config->loops;
    if (wanted == SP_AUTO) {
        wanted = sp_config_cores() / CORES_A_LOOP;
        wanted = wanted < 1 ? 1 : wanted > LOOPS_MOST ? LOOPS_MOST : wanted;
    }
    return wanted;
}

static snakepit_err open_loops(struct sp_server *server, snakepit_message *why)
{
    size_t count = loops_wanted(server->options.config);
    server->loops = sp_alloc_array(count, sizeof *server->loops);
    if (server->loops == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = SNAKEPIT_OK;
    for (; server->loop_count < count && err == SNAKEPIT_OK; server->loop_count++) {
        err = sp_serve_loop_init(&server->loops[server->loop_count], server, why);
    }
    atomic_store(&server->listening, count);
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        err = sp_serve_loop_start(&server->loops[i], why);
    }
    return err;
}

static void init_locks(struct sp_server *server)
{
    pthread_condattr_t attributes;
    SP_CHECK(pthread_condattr_init(&attributes) == 0);
    SP_CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    SP_CHECK(pthread_cond_init(&server->all_gone, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
    SP_CHECK(pthread_mutex_init(&server->lock, NULL) == 0);
}

snakepit_err sp_server_open(const struct sp_server_options *options,
                            struct sp_server **server,
                            snakepit_message *why)
{
    struct sp_server *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->options = *options;
    made->budget.most = options->config->max_memory;
    init_locks(made);
    snakepit_err err =
        options->inside
            ? sp_doors_inside(&made->doors, why)
            : sp_doors_open(
                  &options->config->listen, options->activation, &made->doors, why);
    sp_server_warn_of_certificates(made);
    if (err == SNAKEPIT_OK) {
        err = sp_offload_start(&made->offload, why);
    }
    if (err == SNAKEPIT_OK) {
        err = open_loops(made, why);
    }
    if (err != SNAKEPIT_OK) {
        sp_server_close(made);
        sp_server_free(made);
        return err;
    }
    *server = made;
    return SNAKEPIT_OK;
}

// ---- Tokens -----------------------------------------------------------------------

bool sp_server_has_tokens(const struct sp_server *server)
{
    bool has = false;
    for (size_t i = 0; i < server->doors.count; i++) {
        has = has || server->doors.items[i].tokens != NULL;
    }
    return has;
}

size_t sp_server_door_count(const struct sp_server *server)
{
    return server->doors.count;
}

const struct sp_door *sp_server_door(const struct sp_server *server, size_t index)
{
    return index < server->doors.count ? &server->doors.items[index] : NULL;
}

void sp_server_door_figures(const struct sp_server *server,
                            size_t index,
                            struct sp_door_figures *figures)
{
    *figures = (struct sp_door_figures){.address = server->doors.items[index].address};
    for (size_t i = 0; i < server->loop_count; i++) {
        sp_door_counts_add(&server->loops[i].counts[index], figures);
    }
}

// ---- The end ----------------------------------------------------------------------

static void wake_all(struct sp_server *server)
{
    for (size_t i = 0; i < server->loop_count; i++) {
        if (server->loops[i].started) {
            sp_loop_wake(&server->loops[i].loop);
        }
    }
}

void sp_server_drain(struct sp_server *server)
{
    atomic_store(&server->draining, true);
    wake_all(server);
}

bool sp_server_await_drained(struct sp_server *server, uint32_t timeout_ms)
{
    uint64_t until = sp_clock_now() + timeout_ms * SP_NS_PER_MS;
    const struct timespec at = {.tv_sec = (time_t)(until / SP_NS_PER_S),
                                .tv_nsec = (long)(until % SP_NS_PER_S)};
    int rc = 0;
    pthread_mutex_lock(&server->lock);
    while ((server->connections > 0 || !server->closed) && rc == 0) {
        rc = pthread_cond_timedwait(&server->all_gone, &server->lock, &at);
    }
    bool gone = server->connections == 0 && server->closed;
    pthread_mutex_unlock(&server->lock);
    return gone;
}

void sp_server_close(struct sp_server *server)
{
    atomic_store(&server->stopping, true);
    wake_all(server);
    // One may give a client to another as long as it runs.
    for (size_t i = 0; i < server->loop_count; i++) {
        sp_serve_loop_join(&server->loops[i]);
    }
    sp_offload_stop(&server->offload);
    for (size_t i = 0; i < server->loop_count; i++) {
        sp_serve_loop_end(&server->loops[i]);
    }
    sp_doors_close(&server->doors);
}

void sp_server_free(struct sp_server *server)
{
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < server->loop_count; i++) {
        (void)snakepit_queue_free(server->loops[i].queue);
    }
    sp_free(server->loops);
    sp_offload_fini(&server->offload);
    sp_doors_free(&server->doors);
    pthread_cond_destroy(&server->all_gone);
    pthread_mutex_destroy(&server->lock);
    sp_free(server);
}

bool sp_server_is_alive(struct sp_server *server)
{
    unsigned asked = atomic_load(&server->asked);
    bool alive = true;
    for (size_t i = 0; i < server->loop_count; i++) {
        alive = alive && atomic_load(&server->loops[i].heard) == asked;
    }
    atomic_store(&server->asked, asked + 1);
    wake_all(server);
    return alive;
}
