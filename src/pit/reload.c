// SPDX-License-Identifier: MIT
// The part of a reload that the caller's thread does: it reads, checks and compares the
// configurations, and opens the pools that are new. What can fail comes before what
// cannot be undone, which renew.c does; until then nobody has seen anything of it.
#include "pit/reload.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "ipc/futex.h"
#include "pit/detect.h"
#include "pit/pit.h"
#include "pit/refuse.h"

#define GRACE_MS 30000u // unless the program says otherwise

// ---- On the caller's thread ---------------------------------------------------

// A file that is the same may lead to other code.
static void look_at_code(struct sp_pit_pool *place, struct sp_pool_change *change)
{
    if (change->kind < SP_CHANGE_WORKERS && sp_fleet_has_new_code(&place->fleet)) {
        sp_change_note(change, SP_CHANGE_WORKERS, "the code");
    }
}

static snakepit_err prepare_new(snakepit *pit,
                                struct sp_reload *reload,
                                struct sp_reload_act *act,
                                snakepit_message *why)
{
    const struct sp_pool_config *pool = act->change->after;
    act->tuned = sp_pit_pool_options(pit, reload->config, pool);
    act->place = sp_pit_find_removed(pit, &act->tuned);
    return act->place != NULL ? SNAKEPIT_OK
                              : sp_pit_open_pool(pit, reload->config, pool, why);
}

// What the workers that are to be made would not find is told before anything changes,
// and not by starts that fail.
static snakepit_err look_for_adapter(const struct sp_reload *reload,
                                     const struct sp_pool_change *change,
                                     snakepit_message *why)
{
    if (change->kind != SP_CHANGE_ADD && change->kind != SP_CHANGE_WORKERS) {
        return SNAKEPIT_OK;
    }
    return sp_detect_adapter(reload->config, change->after, why);
}

static snakepit_err prepare_act(snakepit *pit,
                                struct sp_reload *reload,
                                struct sp_reload_act *act,
                                snakepit_message *why)
{
    struct sp_pool_change *change = act->change;
    if (change->kind != SP_CHANGE_ADD) {
        act->place = sp_pit_find(pit, change->before->name);
    }
    if (act->place != NULL && change->kind != SP_CHANGE_REMOVE) {
        look_at_code(act->place, change);
        act->tuned = sp_pit_pool_options(pit, reload->config, change->after);
    }
    snakepit_err err = look_for_adapter(reload, change, why);
    return err == SNAKEPIT_OK && change->kind == SP_CHANGE_ADD
               ? prepare_new(pit, reload, act, why)
               : err;
}

static snakepit_err
prepare(snakepit *pit, struct sp_reload *reload, snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    reload->acts = sp_alloc_array(reload->changes.count + 1, sizeof *reload->acts);
    if (reload->acts == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < reload->changes.count && err == SNAKEPIT_OK; i++) {
        reload->acts[i].change = &reload->changes.pools[i];
        err = prepare_act(pit, reload, &reload->acts[i], why);
    }
    return err;
}

// ---- The whole ----------------------------------------------------------------

static snakepit_err hand_over(snakepit *pit, struct sp_reload *reload)
{
    atomic_store(&pit->reload, reload);
    sp_loop_wake(&pit->loop);
    while (atomic_load_explicit(&reload->done, memory_order_acquire) == 0) {
        (void)sp_futex_wait(&reload->done, 0, SP_NEVER);
    }
    return reload->err;
}

static void free_reload(struct sp_reload *reload)
{
    for (size_t i = 0; reload->acts != NULL && i < reload->changes.count; i++) {
        sp_spec_unref(reload->acts[i].spec);
    }
    sp_free(reload->acts);
    sp_changes_free(&reload->changes);
    sp_config_free(reload->config);
}

// With the lock held.
static snakepit_err
carry_through(snakepit *pit, struct sp_reload *reload, snakepit_message *why)
{
    if (pit->closing) {
        return sp_refuse(why, SNAKEPIT_SHUTTING_DOWN, "the pit is closing");
    }
    snakepit_err err =
        sp_changes_find(pit->config, reload->config, &reload->changes, why);
    err = err == SNAKEPIT_OK ? prepare(pit, reload, why) : err;
    err = err == SNAKEPIT_OK ? hand_over(pit, reload) : err;
    if (err != SNAKEPIT_OK) {
        sp_pit_drop_unseen_pools(pit);
        return err;
    }
    struct sp_config *old = pit->config;
    pit->config = reload->config;
    reload->config = old; // to be freed with the rest
    return SNAKEPIT_OK;
}

// INVALID_ARGUMENT, explained, for options that are none.
static snakepit_err read_grace(const snakepit_reload_options *options,
                               uint32_t *grace_ms,
                               snakepit_message *why)
{
    const char *wrong;
    snakepit_reload_options room;
    options = sp_options_read(options, sizeof room, &room, &wrong);
    if (wrong != NULL) {
        return sp_refuse(why, SNAKEPIT_INVALID_ARGUMENT, "%s", wrong);
    }
    *grace_ms =
        options == NULL || options->grace_ms == 0 ? GRACE_MS : options->grace_ms;
    return SNAKEPIT_OK;
}

// Takes `config` in any case.
static snakepit_err reload(snakepit *pit,
                           struct sp_config *config,
                           const snakepit_reload_options *options,
                           snakepit_message *why)
{
    struct sp_reload made = {.config = config};
    snakepit_message room = {.text = ""};
    snakepit_err err = read_grace(options, &made.grace_ms, &room);
    err = err == SNAKEPIT_OK ? sp_detect_interpreters(config, &room) : err;
    err = err == SNAKEPIT_OK ? sp_pit_check_limits(config, &room) : err;
    if (err == SNAKEPIT_OK) {
        pthread_mutex_lock(&pit->reload_lock);
        err = carry_through(pit, &made, &room);
        pthread_mutex_unlock(&pit->reload_lock);
    }
    free_reload(&made);
    if (err != SNAKEPIT_OK) {
        const char *text = room.text[0] != 0 ? room.text : snakepit_err_text(err);
        return sp_refuse(why, err, "%s", text);
    }
    return SNAKEPIT_OK;
}

snakepit_err snakepit_reload_file(snakepit *pit,
                                  const char *path,
                                  const snakepit_reload_options *options,
                                  snakepit_message *why)
{
    SP_UNCANCELLED;
    struct sp_config *config;
    snakepit_err err = sp_refuse_no_own_pit(pit, why);
    if (err == SNAKEPIT_OK && path == NULL) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the configuration's path is NULL; give that of a file");
    }
    err = err == SNAKEPIT_OK ? sp_config_read_file(path, &config, why) : err;
    return err == SNAKEPIT_OK ? reload(pit, config, options, why) : err;
}

snakepit_err snakepit_reload_memory(snakepit *pit,
                                    const char *yaml,
                                    size_t bytes,
                                    const snakepit_reload_options *options,
                                    snakepit_message *why)
{
    SP_UNCANCELLED;
    struct sp_config *config;
    snakepit_err err = sp_refuse_no_own_pit(pit, why);
    if (err == SNAKEPIT_OK && yaml == NULL) {
        return sp_refuse(why,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the configuration's text is NULL; give the address of YAML");
    }
    err = err == SNAKEPIT_OK ? sp_config_read_memory(yaml, bytes, &config, why) : err;
    return err == SNAKEPIT_OK ? reload(pit, config, options, why) : err;
}
