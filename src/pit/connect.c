// SPDX-License-Identifier: MIT
// A pit that is connected to a daemon: its pools are the daemon's, and each has one
// seat, which is shared memory with it. Everything that a call meets on its way there
// is what it meets in a pit with workers of its own.
#include "pit/pit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "pit/news.h"
#include "pit/refuse.h"

#define TIMEOUT_MS    5000u
#define SHARED_MEMORY (UINT64_C(1) << 30)
#define LINE_MOST     100000u // calls that wait here until the daemon takes them
#define SESSIONS_MOST 10000u  // whose ties are kept; the daemon has its own bound
#define GRACE_MS      1000u   // for calls of a pool that the daemon has removed
// A daemon tells the end of a call's time; only one that does not is given up.
#define SLACK_MS 250u

// ---- Pools ----------------------------------------------------------------------

_Static_assert(sizeof((struct sp_remote_pool *)0)->reason == sizeof(snakepit_message),
               "a reason fits");

static void note_state(const struct sp_remote_pool *remote, struct sp_pit_pool *place)
{
    atomic_store(&place->remote_ready, remote->ready);
    atomic_store(&place->remote_serves, remote->serves);
    atomic_store(&place->remote_refuses, remote->refuses);
    memcpy(place->remote_reason.text, remote->reason, sizeof remote->reason);
}

static struct sp_pool_options
options_of(const snakepit *pit, const struct sp_remote_pool *remote, uint64_t memory)
{
    return (struct sp_pool_options){.name = remote->name,
                                    .max_queue = LINE_MOST,
                                    .call_timeout_ms = remote->call_timeout_ms,
                                    .shared_memory_size = memory,
                                    .payloads_hidden = true,
                                    .elastic = true,
                                    .relays = true,
                                    .daemon = sp_daemon_path(pit->daemon),
                                    .slack_ms = SLACK_MS,
                                    .index = (uint32_t)pit->made,
                                    .affinity = SP_AFFINITY_HINT,
                                    .max_sessions = SESSIONS_MOST,
                                    .hash_key = pit->hash_key};
}

// Nobody sees it before sp_pit_show_pools().
static snakepit_err
add_pool(snakepit *pit, const struct sp_remote_pool *remote, snakepit_message *why)
{
    struct sp_pit_pool *place = NULL;
    const struct sp_pool_hooks hooks = sp_pit_pool_hooks(pit);
    const struct sp_pool_options options = options_of(pit, remote, pit->remote_memory);
    snakepit_err err = sp_pit_new_place(pit, &place, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    struct sp_circuit *circuit = sp_alloc(sizeof *circuit);
    err = circuit == NULL
              ? SNAKEPIT_NO_MEMORY
              : sp_pool_open(&options, &hooks, &pit->log, &place->pool, why);
    if (err != SNAKEPIT_OK) {
        sp_free(circuit);
        sp_free(place);
        return err;
    }
    *circuit = (struct sp_circuit){.daemon = pit->daemon,
                                   .pool = place->pool,
                                   .doorbell = sp_bells_change,
                                   .stopped = sp_pit_fleet_stopped,
                                   .user = pit};
    place->circuit = circuit;
    sp_pool_set_shape(place->pool, "daemon", 1, 1);
    note_state(remote, place);
    pit->pools[pit->made++] = place;
    if (remote->is_default) {
        pit->default_pool = place;
    }
    return SNAKEPIT_OK;
}

static struct sp_pit_pool *find_open(const snakepit *pit, const char *name)
{
    struct sp_pit_pool *place = sp_pit_find(pit, name);
    return place == NULL || sp_pit_pool_is_removed(place) ? NULL : place;
}

static bool is_among(const struct sp_remote_pools *pools, const char *name)
{
    for (size_t i = 0; i < pools->count; i++) {
        if (strcmp(pools->items[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void remove_others(snakepit *pit, const struct sp_remote_pools *pools)
{
    const uint64_t end_at = sp_clock_now() + GRACE_MS * SP_NS_PER_MS;
    for (size_t i = 0; i < pit->count; i++) {
        struct sp_pit_pool *place = pit->pools[i];
        if (!sp_pit_pool_is_removed(place) &&
            !is_among(pools, sp_pool_name(place->pool))) {
            sp_pit_begin_removal(place, end_at);
        }
    }
}

static void take_over(snakepit *pit, const struct sp_remote_pool *remote)
{
    struct sp_pit_pool *place = find_open(pit, remote->name);
    if (place == NULL) {
        // Without memory the pool is not there for this client; the next list tries it.
        (void)add_pool(pit, remote, NULL);
        return;
    }
    struct sp_pool_options options = options_of(pit, remote, pit->remote_memory);
    sp_pool_retune(place->pool, &options);
    note_state(remote, place);
    if (remote->is_default) {
        pit->default_pool = place;
    }
}

// ---- What the daemon says: loop thread --------------------------------------------

static void on_pools(void *user, const struct sp_remote_pools *pools)
{
    snakepit *pit = user;
    pthread_mutex_lock(&pit->reload_lock);
    // None comes while those that there are are closed.
    for (size_t i = 0; i < pools->count && !pit->closing; i++) {
        take_over(pit, &pools->items[i]);
    }
    sp_pit_show_pools(pit);
    remove_others(pit, pools);
    pthread_mutex_unlock(&pit->reload_lock);
    sp_pit_attention(pit);
    sp_pit_changed(pit);
}

static struct sp_circuit *find_circuit(const snakepit *pit, uint64_t number)
{
    for (size_t i = 0; i < pit->count; i++) {
        struct sp_circuit *circuit = pit->pools[i]->circuit;
        if (circuit->number == number && circuit->state == SP_CIRCUIT_OPENING) {
            return circuit;
        }
    }
    return NULL;
}

static void on_opened(void *user, uint64_t number, const struct sp_port_parts *parts)
{
    snakepit *pit = user;
    struct sp_circuit *circuit = find_circuit(pit, number);
    if (circuit != NULL) {
        sp_circuit_opened(circuit, *parts);
    } else {
        sp_port_parts_close(parts);
    }
}

static void on_unopened(void *user, uint64_t number, snakepit_err err, const char *why)
{
    const snakepit *pit = user;
    struct sp_circuit *circuit = find_circuit(pit, number);
    if (circuit != NULL) {
        sp_circuit_unopened(circuit, err, why);
    }
}

// No daemon follows: calls that wait end, and so does every later one. None of them was
// sent.
static void give_up(const snakepit *pit, struct sp_pool *pool, const char *why)
{
    snakepit_message text;
    if (!pit->reconnects) {
        (void)snprintf(text.text,
                       sizeof text.text,
                       "the call was not sent: the daemon at \"unix:%.200s\" is lost "
                       "(%s); connect again, or with `reconnect`",
                       sp_daemon_path(pit->daemon),
                       why);
        sp_pool_set_state(pool, SP_POOL_DOWN, text.text);
    }
}

static void on_leaving(void *user)
{
    const snakepit *pit = user;
    for (size_t i = 0; i < pit->count; i++) {
        struct sp_pit_pool *place = pit->pools[i];
        give_up(pit, place->pool, "it was told to end");
        sp_circuit_leave(place->circuit);
    }
}

static void on_lost(void *user, const char *why)
{
    snakepit *pit = user;
    for (size_t i = 0; i < pit->count; i++) {
        struct sp_pit_pool *place = pit->pools[i];
        sp_circuit_lost(place->circuit, why);
        atomic_store(&place->remote_ready, false);
        atomic_store(&place->remote_serves, false);
        give_up(pit, place->pool, why);
    }
    sp_pit_changed(pit);
}

static void on_found(void *user)
{
    snakepit *pit = user;
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_set_daemon(pit->pools[i]->pool, true);
    }
    sp_pit_attention(pit); // calls may wait for it
    sp_pit_changed(pit);   // and threads
}

static snakepit_err
on_news(void *user, const struct sp_local_news_head *head, struct sp_slice body)
{
    return sp_pit_take_news(user, head, body);
}

// ---- Connecting -------------------------------------------------------------------

static snakepit_err explain(snakepit_message *why, snakepit_err err)
{
    return why == NULL || why->text[0] != '\0'
               ? err
               : sp_refuse(why, err, "%s", snakepit_err_text(err));
}

// The path of "unix:/path".
static const char *path_of(const char *address, snakepit_message *why)
{
    static const char prefix[] = "unix:";
    const size_t size = sizeof prefix - 1;
    if (address != NULL && strncmp(address, prefix, size) == 0 &&
        address[size] != '\0') {
        return address + size;
    }
    (void)sp_refuse(why,
                    SNAKEPIT_INVALID_ARGUMENT,
                    "\"%.200s\" is not the address of a local door; give unix:/PATH",
                    address == NULL ? "" : address);
    return NULL;
}

static snakepit_err open_remote_pools(snakepit *pit,
                                      const struct sp_remote_pools *pools,
                                      snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < pools->count && err == SNAKEPIT_OK; i++) {
        err = add_pool(pit, &pools->items[i], why);
    }
    sp_pit_show_pools(pit);
    return err;
}

static snakepit_err connect_pit(snakepit *pit,
                                const char *path,
                                const snakepit_connect_options *options,
                                snakepit_message *why)
{
    struct sp_remote_pools pools = {0};
    const struct sp_daemon_options daemon = {
        .path = path,
        .reconnects = options->reconnect,
        .follow = sp_pit_follows(pit),
        .timeout_ms = options->timeout_ms > 0 ? options->timeout_ms : TIMEOUT_MS,
        .hooks = {.pools = on_pools,
                  .opened = on_opened,
                  .unopened = on_unopened,
                  .leaving = on_leaving,
                  .lost = on_lost,
                  .found = on_found,
                  .news = on_news,
                  .user = pit}};
    pit->reconnects = options->reconnect;
    pit->remote_memory =
        options->shared_memory > 0 ? options->shared_memory : SHARED_MEMORY;
    snakepit_err err = sp_pit_open_news(pit, why);
    err = err == SNAKEPIT_OK ? sp_daemon_connect(&daemon, &pit->daemon, &pools, why)
                             : err;
    err = err == SNAKEPIT_OK ? open_remote_pools(pit, &pools, why) : err;
    sp_remote_pools_free(&pools);
    err = err == SNAKEPIT_OK ? sp_daemon_start(pit->daemon, &pit->loop, why) : err;
    return err == SNAKEPIT_OK ? sp_pit_start_loop(pit, why) : err;
}

snakepit_err snakepit_connect(const char *address,
                              const snakepit_connect_options *options,
                              snakepit **pit,
                              snakepit_message *why)
{
    SP_UNCANCELLED;
    static const snakepit_connect_options usual = {.size = sizeof usual};
    snakepit_connect_options room;
    snakepit *made = NULL;
    const char *wrong;
    if (why != NULL) {
        why->text[0] = '\0';
    }
    if (pit == NULL) {
        return sp_refuse(why, SNAKEPIT_INVALID_ARGUMENT, SP_NOWHERE);
    }
    const char *path = path_of(address, why);
    options = sp_options_read(options, sizeof room, &room, &wrong);
    if (wrong != NULL) {
        return sp_refuse(why, SNAKEPIT_INVALID_ARGUMENT, "%s", wrong);
    }
    if (path == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    options = options == NULL ? &usual : options;
    snakepit_err err = sp_pit_new(NULL, options->open, NULL, &made, why);
    if (err != SNAKEPIT_OK) {
        return explain(why, err);
    }
    err = connect_pit(made, path, options, why);
    if (err != SNAKEPIT_OK) {
        sp_pit_abandon(made);
        return explain(why, err);
    }
    *pit = made;
    return SNAKEPIT_OK;
}
