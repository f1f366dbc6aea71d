// SPDX-License-Identifier: MIT
// Each loop has a thread, a completion queue, and all listening sockets; the kernel
// wakes one of them for a client. Which one is chance, and one that is busy accepting
// accepts most: so who accepts gives the client to the loop that has the fewest.
//
// At `max_connections`, and without descriptors, one that waits for a request has to go
// first. Where each is at work, the loop accepts nothing for a moment: clients wait in
// the kernel's line, and are served when there is room.
#include <errno.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/system.h"
#include "base/thread.h"
#include "server/inside.h"
#include "telemetry/notice.h"

#define ACCEPTS_A_TURN 16    // so that those who are connected have their turn
#define BACKLOG_MOST   4096  // that the last turn accepts
#define DRAINS_A_TURN  16    // likewise
#define REST_MS        50u   // without accepting
#define END_MS         2000u // that a client may take to close as well
#define TELL_NS        (10 * SP_NS_PER_S) // from one line to the next about a shortage

// A client that another loop has accepted.
struct given {
    struct sp_link link;
    int fd;
    struct sp_peer peer;
};

// ---- Counts -----------------------------------------------------------------------

// False: there are as many as there may be.
static bool count_in(struct sp_server *server)
{
    pthread_mutex_lock(&server->lock);
    bool room = server->connections < server->options.config->max_connections;
    server->connections += room ? 1 : 0;
    pthread_mutex_unlock(&server->lock);
    return room;
}

static void count_out(struct sp_server *server)
{
    pthread_mutex_lock(&server->lock);
    if (--server->connections == 0) {
        pthread_cond_broadcast(&server->all_gone);
    }
    pthread_mutex_unlock(&server->lock);
}

size_t sp_server_connections(struct sp_server *server)
{
    pthread_mutex_lock(&server->lock);
    size_t count = server->connections;
    pthread_mutex_unlock(&server->lock);
    return count;
}

static void forget(struct sp_serve_loop *serve)
{
    atomic_fetch_sub_explicit(&serve->load, 1, memory_order_relaxed);
    count_out(serve->server);
}

static void on_closed(struct sp_connections *all)
{
    forget(all->serve);
}

void sp_serve_loop_closed(struct sp_serve_loop *loop)
{
    forget(loop);
}

// ---- Clients ----------------------------------------------------------------------

static void
serve_client(struct sp_serve_loop *serve, int fd, const struct sp_peer *peer)
{
    snakepit_err err = peer->door->packets
                           ? serve->options->packets->open(serve, fd, peer)
                           : sp_connection_open(&serve->connections, fd, peer);
    if (err != SNAKEPIT_OK) {
        sp_log(serve->options->log,
               serve_refused,
               .client = peer->address,
               .reason = snakepit_err_name(err));
        sp_door_count(sp_serve_loop_counts(serve, peer->door), SP_DOOR_NO_MEMORY, 1);
        (void)close(fd);
        forget(serve);
    }
}

static struct sp_serve_loop *least_loaded(struct sp_serve_loop *serve)
{
    struct sp_server *server = serve->server;
    struct sp_serve_loop *best = serve;
    size_t least = atomic_load_explicit(&serve->load, memory_order_relaxed);
    for (size_t i = 0; i < server->loop_count; i++) {
        struct sp_serve_loop *other = &server->loops[i];
        size_t load = atomic_load_explicit(&other->load, memory_order_relaxed);
        if (load < least) {
            least = load;
            best = other;
        }
    }
    return best;
}

// Without memory it stays here.
static void hand_over(struct sp_serve_loop *serve, int fd, const struct sp_peer *peer)
{
    struct sp_serve_loop *best = least_loaded(serve);
    struct given *given = best != serve ? sp_alloc(sizeof *given) : NULL;
    best = given != NULL ? best : serve;
    atomic_fetch_add_explicit(&best->load, 1, memory_order_relaxed);
    if (given == NULL) {
        serve_client(serve, fd, peer);
        return;
    }
    given->fd = fd;
    given->peer = *peer;
    pthread_mutex_lock(&serve->server->lock);
    sp_list_append(&best->given, &given->link);
    pthread_mutex_unlock(&serve->server->lock);
    sp_loop_wake(&best->loop);
}

static struct given *next_given(struct sp_serve_loop *serve)
{
    pthread_mutex_lock(&serve->server->lock);
    struct sp_link *link = sp_list_take(&serve->given);
    pthread_mutex_unlock(&serve->server->lock);
    return link != NULL ? SP_ENTRY(link, struct given, link) : NULL;
}

static void take_given(struct sp_serve_loop *serve)
{
    struct given *given;
    while ((given = next_given(serve)) != NULL) {
        serve_client(serve, given->fd, &given->peer);
        sp_free(given);
    }
}

// ---- Accepting --------------------------------------------------------------------

static void stop_listening(struct sp_serve_loop *serve)
{
    for (size_t i = 0; i < serve->server->doors.count; i++) {
        sp_watch_stop(&serve->door_watches[i]);
    }
}

static void on_rested(struct sp_timer *timer);

static void rest(struct sp_serve_loop *serve)
{
    stop_listening(serve);
    sp_timer_start(&serve->loop, &serve->rest, on_rested, REST_MS, 0);
}

static void tell_shortage(struct sp_serve_loop *serve, const char *of)
{
    struct sp_server *server = serve->server;
    uint64_t now = sp_clock_now();
    uint64_t told = atomic_load(&server->told);
    if ((told == 0 || now - told >= TELL_NS) &&
        atomic_compare_exchange_strong(&server->told, &told, now)) {
        sp_log(serve->options->log,
               serve_full,
               .bytes = SP_UNTOLD,
               .connections = sp_server_connections(server),
               .because = of,
               .then = "clients wait");
    }
}

static bool drop_idle(struct sp_serve_loop *serve)
{
    return sp_connections_drop_idle(&serve->connections) ||
           (serve->packets != NULL && serve->options->packets->drop_idle(serve));
}

// Room for one more. False: each of this loop's is at work. That a client waits is
// known of the first one alone: for others nobody has to go.
static bool make_room(struct sp_serve_loop *serve, bool first)
{
    while (!count_in(serve->server)) {
        if (!first) {
            return false;
        }
        if (!drop_idle(serve)) {
            tell_shortage(serve, "max_connections");
            rest(serve);
            return false;
        }
    }
    return true;
}

// What accept(2) says of that one client, or of its network.
static bool is_of_client(int reason)
{
    static const int reasons[] = {EINTR,
                                  ECONNABORTED,
                                  EPERM,
                                  EPROTO,
                                  ENOPROTOOPT,
                                  EOPNOTSUPP,
                                  ENETDOWN,
                                  ENETUNREACH,
                                  EHOSTDOWN,
                                  EHOSTUNREACH,
                                  ENONET};
    size_t i = 0;
    while (i < sizeof reasons / sizeof reasons[0] && reasons[i] != reason) {
        i++;
    }
    return i < sizeof reasons / sizeof reasons[0];
}

// Without descriptors accept(2) says so even if there is no client.
static bool goes_on_after(struct sp_serve_loop *serve, int reason, bool first)
{
    if (is_of_client(reason)) {
        return true;
    }
    if (reason == EAGAIN || !first) {
        return false;
    }
    if (drop_idle(serve)) {
        return true;
    }
    tell_shortage(serve, reason == EMFILE ? "open files" : "the system");
    rest(serve);
    return false;
}

static bool
accept_one(struct sp_serve_loop *serve, const struct sp_door *door, bool first)
{
    struct sp_peer peer;
    if (!make_room(serve, first)) {
        return false;
    }
    int fd = sp_door_accept(door, &peer);
    int reason = errno;
    if (fd >= 0) {
        hand_over(serve, fd, &peer);
        return true;
    }
    count_out(serve->server);
    return goes_on_after(serve, reason, first);
}

static void on_client(struct sp_watch *watch)
{
    struct sp_serve_loop *serve = watch->user;
    const struct sp_door *door =
        &serve->server->doors.items[watch - serve->door_watches];
    bool more = true;
    for (int i = 0; i < ACCEPTS_A_TURN && more; i++) {
        more = accept_one(serve, door, i == 0);
    }
}

static snakepit_err start_listening(struct sp_serve_loop *serve, snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < serve->server->doors.count && err == SNAKEPIT_OK; i++) {
        struct sp_watch *watch = &serve->door_watches[i];
        watch->user = serve;
        watch->ready = on_client;
        err = sp_watch_start_for(watch,
                                 &serve->loop,
                                 serve->server->doors.items[i].fd,
                                 SP_WATCH_READ | SP_WATCH_SHARED,
                                 why);
    }
    if (err != SNAKEPIT_OK) {
        stop_listening(serve);
    }
    return err;
}

static void on_rested(struct sp_timer *timer)
{
    struct sp_serve_loop *serve = timer->user;
    if (start_listening(serve, NULL) != SNAKEPIT_OK) {
        rest(serve);
    }
}

// ---- The loop ---------------------------------------------------------------------

static bool look_at_packets(struct sp_serve_loop *serve)
{
    return serve->packets != NULL && serve->options->packets->look(serve);
}

// One turn of what no descriptor tells. False: there was nothing, and what comes from
// now on is told by one.
static bool turn(struct sp_serve_loop *serve)
{
    const bool came = look_at_packets(serve);
    return snakepit_queue_drain(serve->queue, 0) > 0 || came ||
           (serve->packets != NULL && serve->options->packets->sleep(serve));
}

// What is left after so many turns is there after the wait, which is none.
static void before_wait(void *user)
{
    struct sp_serve_loop *serve = user;
    int left = DRAINS_A_TURN;
    while (left > 0 && turn(serve)) {
        left--;
    }
    if (left == 0) {
        sp_loop_wake(&serve->loop);
    }
    atomic_store_explicit(
        &serve->heard,
        atomic_load_explicit(&serve->server->asked, memory_order_relaxed),
        memory_order_relaxed);
}

// It is drained before the next wait.
static void on_queue(struct sp_watch *watch)
{
    (void)watch;
}

// Those who are in the kernel's line have come before the end.
static void accept_last(struct sp_serve_loop *serve)
{
    for (size_t i = 0; i < serve->server->doors.count; i++) {
        int left = BACKLOG_MOST;
        while (left > 0 && accept_one(serve, &serve->server->doors.items[i], true)) {
            left--;
        }
    }
}

static void note_closed(struct sp_server *server)
{
    pthread_mutex_lock(&server->lock);
    server->closed = true;
    pthread_cond_broadcast(&server->all_gone);
    pthread_mutex_unlock(&server->lock);
}

// The last one closes the listeners: clients that come now are refused at once, or wait
// for the next daemon where systemd holds the sockets.
static void begin_to_drain(struct sp_serve_loop *serve)
{
    struct sp_server *server = serve->server;
    if (!serve->draining) {
        serve->draining = true;
        accept_last(serve);
        sp_timer_stop(&serve->rest);
        stop_listening(serve);
        if (atomic_fetch_sub(&server->listening, 1) == 1) {
            sp_doors_close(&server->doors);
            note_closed(server);
        }
    }
    sp_connections_drain(&serve->connections);
    if (serve->packets != NULL) {
        serve->options->packets->drain(serve);
    }
}

static void finish_packets(struct sp_serve_loop *serve)
{
    if (serve->packets != NULL) {
        serve->options->packets->finish(serve);
    }
}

static void on_woken(void *user)
{
    struct sp_serve_loop *serve = user;
    take_given(serve);
    sp_offload_take(serve);
    if (atomic_load(&serve->server->draining)) {
        begin_to_drain(serve);
    }
    if (atomic_load(&serve->server->stopping)) {
        sp_connections_fini(&serve->connections);
        finish_packets(serve);
        sp_loop_stop(&serve->loop);
    }
}

static void *run(void *argument)
{
    struct sp_serve_loop *serve = argument;
    sp_loop_run(&serve->loop);
    return NULL;
}

// ---- Opening ----------------------------------------------------------------------

// One more than there can be: it shows nothing.
static snakepit_err open_views(struct sp_serve_loop *serve)
{
    const struct sp_doors *doors = &serve->server->doors;
    struct sp_token_view *view =
        sp_alloc_array(doors->count + 1, sizeof *serve->token_views);
    serve->token_views = view;
    for (size_t i = 0; view != NULL && i < doors->count; i++) {
        if (doors->items[i].tokens != NULL) {
            sp_token_view_open(view++, doors->items[i].tokens, &serve->loop);
        }
    }
    return view != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static void close_views(struct sp_serve_loop *serve)
{
    struct sp_token_view *view = serve->token_views;
    while (view != NULL && view->store != NULL) {
        sp_token_view_close(view++);
    }
    sp_free(serve->token_views);
    serve->token_views = NULL;
}

static bool has_packets(const struct sp_doors *doors)
{
    bool has = false;
    for (size_t i = 0; i < doors->count; i++) {
        has = has || doors->items[i].packets;
    }
    return has;
}

static snakepit_err prepare_packets(struct sp_serve_loop *serve)
{
    const struct sp_packet_ops *packets = serve->options->packets;
    if (!has_packets(&serve->server->doors)) {
        return SNAKEPIT_OK;
    }
    return packets != NULL ? packets->prepare(serve) : SNAKEPIT_UNSUPPORTED;
}

snakepit_err sp_serve_loop_init(struct sp_serve_loop *serve,
                                struct sp_server *server,
                                snakepit_message *why)
{
    const struct sp_serve_config *config = server->options.config;
    const uint32_t limits[SP_WAITS] = {[SP_WAIT_REQUEST] = config->idle_timeout_ms,
                                       [SP_WAIT_HEADER] = config->header_timeout_ms,
                                       [SP_WAIT_BODY] = config->body_timeout_ms,
                                       [SP_WAIT_CLIENT] = config->write_timeout_ms,
                                       [SP_WAIT_END] = END_MS,
                                       [SP_WAIT_HANDSHAKE] = config->header_timeout_ms};
    int fd = -1;
    serve->options = &server->options;
    serve->server = server;
    serve->budget = &server->budget;
    serve->rest.user = serve;
    serve->connections.serve = serve;
    serve->connections.protocol = server->options.protocol;
    serve->connections.closed = on_closed;
    serve->connections.budget = serve->budget;
    serve->offload = &server->offload;
    sp_list_init(&serve->offloaded);
    sp_list_init(&serve->given);
    snakepit_err err = sp_loop_init(&serve->loop, on_woken, serve, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    sp_connections_init(&serve->connections, &serve->loop, limits);
    if (server->options.protocol->prepare != NULL) {
        server->options.protocol->prepare(serve);
    }
    sp_loop_before_waits(&serve->loop, before_wait);
    serve->door_watches =
        sp_alloc_array(server->doors.count, sizeof *serve->door_watches);
    serve->counts = sp_alloc_lines(server->doors.count * sizeof *serve->counts);
    serve->connections.doors = server->doors.items;
    serve->connections.counts = serve->counts;
    if (serve->door_watches == NULL || serve->counts == NULL ||
        open_views(serve) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    err = snakepit_queue_new(server->options.pit, &serve->queue, why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_queue_fd(serve->queue, &fd);
    }
    if (err == SNAKEPIT_OK) {
        err = prepare_packets(serve);
    }
    return err == SNAKEPIT_OK
               ? sp_watch_start(&serve->queue_watch, &serve->loop, fd, on_queue, why)
               : err;
}

snakepit_err sp_serve_loop_start(struct sp_serve_loop *serve, snakepit_message *why)
{
    snakepit_err err = start_listening(serve, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    int rc = sp_thread_start(&serve->thread, run, serve);
    if (rc != 0) {
        errno = rc;
        return sp_system_failed(why, "pthread_create", "serve.loops", "for sockets");
    }
    serve->started = true;
    return SNAKEPIT_OK;
}

void sp_serve_loop_join(struct sp_serve_loop *serve)
{
    if (serve->started) {
        SP_CHECK(pthread_join(serve->thread, NULL) == 0);
        serve->started = false;
    }
}

void sp_serve_loop_end(struct sp_serve_loop *serve)
{
    struct given *given;
    while (serve->given.next != NULL && (given = next_given(serve)) != NULL) {
        (void)close(given->fd);
        forget(serve);
        sp_free(given);
    }
    if (serve->offloaded.next != NULL) {
        sp_offload_take(serve);
    }
    if (serve->door_watches != NULL) {
        stop_listening(serve);
        sp_free(serve->door_watches);
        serve->door_watches = NULL;
    }
    finish_packets(serve);
    close_views(serve);
    sp_free(serve->counts);
    serve->counts = NULL;
    sp_watch_stop(&serve->queue_watch);
    sp_waits_fini(&serve->streams);
    sp_blocks_fini(&serve->blocks);
    sp_loop_fini(&serve->loop);
}

// ---- For handlers -----------------------------------------------------------------

snakepit *sp_serve_loop_pit(const struct sp_serve_loop *loop)
{
    return loop->options->pit;
}

snakepit_queue *sp_serve_loop_queue(const struct sp_serve_loop *loop)
{
    return loop->queue;
}

const struct sp_serve_config *sp_serve_loop_config(const struct sp_serve_loop *loop)
{
    return loop->options->config;
}

const struct sp_log *sp_serve_loop_log(const struct sp_serve_loop *loop)
{
    return loop->options->log;
}

struct sp_door_counts *sp_serve_loop_counts(const struct sp_serve_loop *loop,
                                            const struct sp_door *door)
{
    bool counts = loop != NULL && loop->counts != NULL && door != NULL;
    return counts ? &loop->counts[door - loop->server->doors.items] : NULL;
}

void *sp_serve_loop_user(const struct sp_serve_loop *loop)
{
    return loop->options->user;
}

bool sp_serve_loop_draining(const struct sp_serve_loop *loop)
{
    return loop->draining;
}

bool sp_serve_loop_may_answer(const struct sp_serve_loop *loop, size_t bytes)
{
    return bytes <= SP_OUTBOX_WINDOW || loop->budget == NULL ||
           sp_outbox_may_take(loop->budget, bytes, loop->options->log);
}
