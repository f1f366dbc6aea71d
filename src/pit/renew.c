// SPDX-License-Identifier: MIT
// The part of a reload that the loop does, in one turn: first it makes what the pools
// need that stay, which may fail and changes nothing; then it changes them all.
#include "base/check.h"
#include "base/clock.h"
#include "ipc/futex.h"
#include "pit/pit.h"
#include "pit/reload.h"
#include "telemetry/notice.h"

// What the workers are to be made of. Where they stay as they are, a pool that runs as
// something else than was asked for goes on with that.
static struct sp_spec_terms terms_of(const struct sp_reload *reload,
                                     const struct sp_reload_act *act)
{
    const struct sp_pool_change *change = act->change;
    struct sp_spec_terms terms = sp_spec_terms_of(reload->config, change->after);
    if (change->kind == SP_CHANGE_ADD || change->kind == SP_CHANGE_WORKERS) {
        return terms;
    }
    const struct sp_spec_terms *now = &act->place->fleet.spec->terms;
    if (now->profile != terms.profile) {
        terms.size = sp_range_scaled(terms.size, terms.threads, now->threads);
        terms.profile = now->profile;
        terms.threads = now->threads;
    }
    return terms;
}

static snakepit_err make_spec(const struct sp_reload *reload, struct sp_reload_act *act)
{
    enum sp_change kind = act->change->kind;
    if (kind == SP_CHANGE_NOTHING || kind == SP_CHANGE_REMOVE || act->place == NULL) {
        return SNAKEPIT_OK;
    }
    const struct sp_spec_terms terms = terms_of(reload, act);
    snakepit_err err = sp_spec_new(&terms, &act->spec);
    return err == SNAKEPIT_OK ? sp_fleet_make_posts(&act->place->fleet, terms.size.max)
                              : err;
}

static snakepit_err make_specs(struct sp_reload *reload)
{
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < reload->changes.count && err == SNAKEPIT_OK; i++) {
        err = make_spec(reload, &reload->acts[i]);
    }
    return err;
}

static void respec(struct sp_reload_act *act)
{
    bool roll = act->change->kind == SP_CHANGE_WORKERS;
    sp_pool_retune(act->place->pool, &act->tuned);
    snakepit_err err =
        sp_fleet_respec(&act->place->fleet, act->spec, roll, SP_RECYCLE_BY_RELOAD);
    SP_CHECK(err == SNAKEPIT_OK); // there are posts for it
    act->spec = NULL;
    sp_mover_begin(&act->place->fleet);
}

static void
carry_out(snakepit *pit, const struct sp_reload *reload, struct sp_reload_act *act)
{
    uint64_t end_at = sp_clock_now() + reload->grace_ms * SP_NS_PER_MS;
    switch (act->change->kind) {
    case SP_CHANGE_NOTHING:
        break;
    case SP_CHANGE_REMOVE:
        // Calls that name no pool go to one that stays.
        sp_pit_choose_default_pool(pit, reload->config);
        sp_pit_begin_removal(act->place, end_at);
        break;
    case SP_CHANGE_ADD:
        if (act->place != NULL) {
            sp_pit_reopen_pool(pit, act->place, &act->tuned, act->spec);
            act->spec = NULL;
        }
        break;
    default:
        respec(act);
        break;
    }
}

static void note(const snakepit *pit, const struct sp_reload_act *act)
{
    const struct sp_pool_change *change = act->change;
    const struct sp_pool_config *pool =
        change->after != NULL ? change->after : change->before;
    sp_log(&pit->log,
           pool_reloaded,
           .pool = pool->name,
           .change = sp_change_name(change->kind),
           .keys = change->keys);
}

static void carry_out_all(snakepit *pit, const struct sp_reload *reload)
{
    size_t seen = pit->count;
    // Those that come are there before others go.
    sp_pit_show_pools(pit);
    for (size_t i = seen; i < pit->count; i++) {
        sp_fleet_start(&pit->pools[i]->fleet);
        sp_mover_begin(&pit->pools[i]->fleet);
    }
    for (size_t i = 0; i < reload->changes.count; i++) {
        note(pit, &reload->acts[i]);
        carry_out(pit, reload, &reload->acts[i]);
    }
    sp_pit_choose_default_pool(pit, reload->config);
}

void sp_pit_serve_reload(snakepit *pit)
{
    struct sp_reload *reload = atomic_exchange(&pit->reload, NULL);
    if (reload == NULL) {
        return;
    }
    reload->err = make_specs(reload);
    if (reload->err == SNAKEPIT_OK) {
        carry_out_all(pit, reload);
    }
    // The caller is free to go as soon as this is set.
    atomic_store_explicit(&reload->done, 1, memory_order_release);
    sp_futex_wake(&reload->done, 1);
}
