// SPDX-License-Identifier: MIT
// The main thread serves nobody: it waits for signals. So it may wait for a drain, and
// tells the service manager how the others are.
#include "cli/daemon.h"

#include <errno.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cgroup_tree.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"
#include "cli/daemon_signals.h"
#include "http/http.h"
#include "local/local.h"
#include "mcp/mcp.h"
#include "pit/end.h"
#include "pit/log.h"
#include "services/methods.h"
#include "services/services.h"
#include "telemetry/log_writer.h"

#define LOOK_MS        50u    // between two looks at signals during a drain
#define STATUS_MS      1000u  // between two looks at pools, for the service manager
#define TOKENS_MS      1000u  // between two looks at the files of tokens
#define TELL_MS        1000u  // for answers to calls that a drain has cut off
#define ENDING_MS      60000u // that the end takes at most after the grace
#define LARGE_BYTES    (1 << 20)
#define FILES_BESIDE   512u // of listeners, tools of the host and the like
#define FILES_A_WORKER 8u   // at most
#define WATCHDOG_HALF  2u   // as sd_watchdog_enabled(3) advises

// ---- The log ----------------------------------------------------------------------

// What is told goes to those who follow it over HTTP, and at a local door.
static void hear(void *user, const struct sp_notice *notice)
{
    struct sp_daemon *daemon = user;
    sp_event_ring_hear(daemon->events, notice);
    sp_local_hear(daemon->local, notice);
}

// A daemon says what it does, unless the variable wants less; those who follow its
// events are told in any case.
static snakepit_err open_log(struct sp_daemon *daemon)
{
    daemon->events = sp_event_ring_new();
    daemon->local = sp_local_new();
    if (daemon->events == NULL || daemon->local == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): read-only
    const char *wanted = getenv("SNAKEPIT_LOG");
    int level = wanted != NULL ? sp_log_level_of(wanted) : -1;
    enum sp_log_level written = level >= 0 ? (enum sp_log_level)level : SP_LOG_INFO;
    daemon->log.level = written < SP_LOG_INFO ? written : SP_LOG_INFO;
    const struct sp_log_target target = {.format = daemon->config->log_format,
                                         .level = written,
                                         .take = hear,
                                         .user = daemon};
    snakepit_err err = sp_log_writer_open(&target, &daemon->writer);
    daemon->log.write = sp_log_writer_put;
    daemon->log.user = daemon->writer;
    return err;
}

// ---- Open files -------------------------------------------------------------------

// Besides connections.
static rlim_t files_of_pools(const struct sp_config *config)
{
    rlim_t files = FILES_BESIDE;
    for (size_t i = 0; i < config->count; i++) {
        files += (rlim_t)config->pools[i].pool_size.max * FILES_A_WORKER;
    }
    return files;
}

// Where there are too few for all, the pools have theirs, or half of them: without
// workers a connection is worth nothing.
static void lower_connections(struct sp_daemon *daemon, rlim_t limit, rlim_t of_pools)
{
    uint32_t *most = &daemon->config->serve.max_connections;
    uint32_t wanted = *most;
    *most = (uint32_t)(limit - (of_pools < limit / 2 ? of_pools : limit / 2));
    sp_log(&daemon->log,
           serve_few_files,
           .limit = limit,
           .max_connections = *most,
           .instead_of = wanted,
           .because = "the rest is for the pools");
}

// What is large goes back to the system when it is freed, also where something small
// lies above it: who was asked for much once is not large for good. (The C library
// keeps up to 32 MiB a piece by itself, since it takes the next one to be as large.)
static void keep_memory_flat(void)
{
    // NOLINTBEGIN(concurrency-mt-unsafe): nobody else calls it
    (void)mallopt(M_MMAP_THRESHOLD, LARGE_BYTES);
    (void)mallopt(M_TRIM_THRESHOLD, LARGE_BYTES);
    // NOLINTEND(concurrency-mt-unsafe)
}

// The usual soft limit is for programs that use select(2), and a tenth of the
// connections that may come.
static void raise_open_files(struct sp_daemon *daemon)
{
    struct rlimit limit;
    rlim_t of_pools = files_of_pools(daemon->config);
    rlim_t wanted = daemon->config->serve.max_connections + of_pools;
    if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur >= wanted) {
        return;
    }
    limit.rlim_cur = limit.rlim_max < wanted ? limit.rlim_max : wanted;
    (void)setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < wanted) {
        lower_connections(daemon, limit.rlim_cur, of_pools);
    }
}

// ---- Reload -----------------------------------------------------------------------

static void *reload(void *argument)
{
    struct sp_daemon *daemon = argument;
    daemon->reload_err =
        sp_server_reload(daemon->server, daemon->file, &daemon->reload_why);
    atomic_store(&daemon->reloaded, true);
    sp_loop_wake(&daemon->loop);
    return NULL;
}

static void begin_reload(struct sp_daemon *daemon)
{
    sp_notify_reloading(&daemon->notify);
    daemon->reload_why.text[0] = '\0';
    atomic_store(&daemon->reloaded, false);
    int rc = sp_thread_start(&daemon->reload, reload, daemon);
    daemon->reloads = rc == 0;
    if (rc != 0) {
        sp_log(&daemon->log,
               serve_reload_failed,
               .by = "SIGHUP",
               .because = strerrordesc_np(rc),
               .then = "nothing has changed");
        sp_notify_send(&daemon->notify, "READY=1");
    }
}

static void end_reload(struct sp_daemon *daemon)
{
    SP_CHECK(pthread_join(daemon->reload, NULL) == 0);
    daemon->reloads = false;
    if (daemon->reload_err == SNAKEPIT_OK) {
        sp_log(&daemon->log, serve_reloaded, .file = daemon->file, .by = "SIGHUP");
    } else {
        sp_log(&daemon->log,
               serve_reload_failed,
               .by = "SIGHUP",
               .error = snakepit_err_name(daemon->reload_err),
               .because = daemon->reload_why.text,
               .then = "nothing has changed");
    }
    daemon->told_status[0] = '\0';
    sp_notify_send(&daemon->notify, "READY=1");
}

// ---- Tokens -----------------------------------------------------------------------

// A token that was revoked is to end without anybody having to think of it.
static void on_look(struct sp_timer *timer)
{
    const struct sp_daemon *daemon = timer->user;
    sp_server_look_at_tokens(daemon->server);
}

static void warn(void *user, const char *warning)
{
    sp_log((const struct sp_log *)user, serve_token_pool, .because = warning);
}

static void warn_of_tokens(struct sp_daemon *daemon)
{
    for (size_t i = 0; i < sp_server_door_count(daemon->server); i++) {
        const struct sp_door *door = sp_server_door(daemon->server, i);
        if (door->tokens != NULL) {
            sp_token_store_warn(door->tokens, daemon->config, warn, &daemon->log);
        }
    }
}

static void begin_to_look(struct sp_daemon *daemon)
{
    warn_of_tokens(daemon);
    daemon->look.user = daemon;
    if (sp_server_has_tokens(daemon->server)) {
        sp_timer_start(&daemon->loop, &daemon->look, on_look, TOKENS_MS, TOKENS_MS);
    }
}

// ---- The service manager ----------------------------------------------------------

static void on_watchdog(struct sp_timer *timer)
{
    struct sp_daemon *daemon = timer->user;
    if (sp_server_is_alive(daemon->server)) {
        sp_notify_send(&daemon->notify, "WATCHDOG=1");
    } else {
        sp_log(&daemon->log,
               serve_stuck,
               .because = "a thread that serves sockets does not come round");
    }
}

static size_t ready_pools(snakepit *pit)
{
    size_t ready = 0;
    for (size_t i = 0; i < snakepit_pool_count(pit); i++) {
        const char *pool = snakepit_pool_name(pit, i);
        ready += snakepit_await_ready(pit, pool, 0, NULL) == SNAKEPIT_OK ? 1 : 0;
    }
    return ready;
}

static void on_status(struct sp_timer *timer)
{
    struct sp_daemon *daemon = timer->user;
    char status[sizeof daemon->told_status];
    (void)snprintf(status,
                   sizeof status,
                   "STATUS=serving, %zu of %zu pools ready",
                   ready_pools(daemon->pit),
                   snakepit_pool_count(daemon->pit));
    if (strcmp(status, daemon->told_status) != 0) {
        (void)snprintf(daemon->told_status, sizeof daemon->told_status, "%s", status);
        sp_notify_send(&daemon->notify, status);
    }
}

static void begin_to_notify(struct sp_daemon *daemon)
{
    daemon->watchdog.user = daemon;
    daemon->status.user = daemon;
    sp_notify_send(&daemon->notify, "READY=1");
    if (daemon->notify.fd >= 0) {
        sp_timer_start(&daemon->loop, &daemon->status, on_status, 0, STATUS_MS);
    }
    if (daemon->notify.watchdog_ms > 0) {
        uint32_t half = daemon->notify.watchdog_ms / WATCHDOG_HALF;
        (void)sp_server_is_alive(daemon->server); // asks for the first time
        sp_timer_start(
            &daemon->loop, &daemon->watchdog, on_watchdog, half, half > 0 ? half : 1);
    }
}

// ---- Serving ----------------------------------------------------------------------

static void on_woken(void *user)
{
    struct sp_daemon *daemon = user;
    if (daemon->reloads && atomic_load(&daemon->reloaded)) {
        end_reload(daemon);
    }
    // One that comes while another is at work is done after it.
    if (!daemon->reloads && sp_daemon_take_reload()) {
        begin_reload(daemon);
    }
    if (sp_daemon_is_to_stop()) {
        sp_loop_stop(&daemon->loop);
    }
}

// Of a request, on the loop of its connection.
static void ask_to_stop(void *user)
{
    (void)user; // there is one daemon in a process
    sp_daemon_ask_to_stop();
}

static bool has_local_door(const struct sp_serve_config *serve)
{
    bool found = false;
    for (size_t i = 0; i < serve->listen.count; i++) {
        found = found || serve->listen.items[i].door == SP_LISTENER_LOCAL;
    }
    return found;
}

static snakepit_err open_pit(struct sp_daemon *daemon, snakepit_message *why)
{
    const char *endpoint = daemon->config->otlp_endpoint;
    snakepit_err err = sp_export_new(endpoint, &daemon->log, &daemon->export, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const bool traces = sp_export_wants_spans(daemon->export);
    const snakepit_open_options options = {.size = sizeof options,
                                           .spans = traces ? sp_export_spans : NULL,
                                           .spans_user = daemon->export,
                                           .session_ended = sp_local_hear_session,
                                           .session_user = daemon->local};
    const struct sp_slice bridge = sp_slice_of_text(SP_BRIDGE_SERVICE);
    const struct sp_pit_ear ear = {
        .hear = hear,
        .user = daemon,
        .level = daemon->log.level,
        .event = has_local_door(&daemon->config->serve) ? sp_local_hear_event : NULL,
        .event_user = daemon->local,
        .adapters = sp_grpc_is_served(&daemon->config->serve, bridge)};
    err = sp_pit_open_file(daemon->file, &options, &ear, &daemon->pit, why);
    return err == SNAKEPIT_OK ? sp_export_begin_metrics(daemon->export, daemon->pit)
                              : err;
}

// Pools that limit memory or processor time may come with a reload, when it is too
// late.
static void make_room_for_groups(void)
{
    char own[SP_CGROUP_TEXT_MAX];
    sp_cgroup_read("/proc/self", "cgroup", own);
    sp_cgroup_step_aside(SP_CGROUP_ROOT, own);
}

snakepit_err sp_daemon_open(struct sp_daemon *daemon, snakepit_message *why)
{
    make_room_for_groups();
    snakepit_err err = open_log(daemon);
    if (err == SNAKEPIT_OK) {
        err = sp_loop_init(&daemon->loop, on_woken, daemon, why);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    raise_open_files(daemon);
    keep_memory_flat();
    sp_daemon_signals_init(&daemon->loop);
    err = open_pit(daemon, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const struct sp_api_options api = {.pit = daemon->pit,
                                       .path = daemon->file,
                                       .log = &daemon->log,
                                       .events = daemon->events,
                                       .drain = ask_to_stop,
                                       .mcp = &sp_mcp};
    daemon->api = sp_api_new(&api);
    if (daemon->api == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    const struct sp_server_options options = {.pit = daemon->pit,
                                              .config = &daemon->config->serve,
                                              .log = &daemon->log,
                                              .protocol = &sp_http,
                                              .packets = &sp_local_ops,
                                              .packets_user = daemon->local,
                                              .inside = daemon->inside,
                                              .activation = &daemon->activation,
                                              .handle = sp_services_handle,
                                              .streams = sp_services_stream,
                                              .admit = sp_services_admit,
                                              .user = daemon->api};
    return sp_server_open(&options, &daemon->server, why);
}

void sp_daemon_run(struct sp_daemon *daemon)
{
    begin_to_notify(daemon);
    begin_to_look(daemon);
    sp_loop_run(&daemon->loop);
}

// ---- Stopping ---------------------------------------------------------------------

static void drain(struct sp_daemon *daemon)
{
    uint32_t grace = daemon->config->serve.shutdown_grace_ms;
    uint64_t until = sp_clock_now() + grace * SP_NS_PER_MS;
    sp_log(&daemon->log,
           serve_stopping,
           .because = sp_daemon_stop_name(),
           .connections = sp_server_connections(daemon->server),
           .grace_ms = grace);
    sp_notify_stopping(&daemon->notify, grace + ENDING_MS);
    sp_server_drain(daemon->server);
    bool gone = false;
    bool hurried = false;
    while (!gone && !hurried && sp_clock_now() < until) {
        gone = sp_server_await_drained(daemon->server, LOOK_MS);
        hurried = sp_daemon_stops() > 1;
    }
    if (!gone) {
        sp_log(&daemon->log,
               serve_cut_off,
               .connections = sp_server_connections(daemon->server),
               .because = hurried ? "a second signal" : "shutdown_grace_ms is over");
        // Whoever waits for a call is told.
        sp_pit_end_calls(daemon->pit);
        (void)sp_server_await_drained(daemon->server, TELL_MS);
    }
}

void sp_daemon_close(struct sp_daemon *daemon)
{
    const bool served = daemon->server != NULL;
    if (daemon->server != NULL) {
        drain(daemon);
        sp_server_close(daemon->server);
    }
    if (daemon->loop.woken != NULL) {
        sp_daemon_signals_end();
    }
    if (daemon->reloads) {
        end_reload(daemon);
    }
    sp_api_free(daemon->api);
    sp_export_end(daemon->export);
    snakepit_close(daemon->pit, 0);
    sp_export_free(daemon->export);
    if (served) {
        sp_log(&daemon->log, serve_stopped, .pid = (uint64_t)getpid());
    }
    sp_server_free(daemon->server);
    sp_timer_stop(&daemon->watchdog);
    sp_timer_stop(&daemon->status);
    sp_timer_stop(&daemon->look);
    sp_loop_fini(&daemon->loop);
    sp_log_writer_close(daemon->writer);
    sp_local_free(daemon->local);
    sp_event_ring_free(daemon->events);
}
