// SPDX-License-Identifier: MIT
// Completes a pool. The order matters: the profile is settled first, because it decides
// which variables apply and what the defaults are.
#include "config/draft.h"

#include <inttypes.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/arguments.h"
#include "config/environment.h"
#include "config/name.h"
#include "config/program.h"

#define REASON_MOST 512u

static const struct sp_option *row(const char *key)
{
    const struct sp_option *option = sp_option_find(SP_SCOPE_POOL, key);
    SP_CHECK(option != NULL);
    return option;
}

static enum sp_origin origin_of(const struct sp_draft *draft, const char *key)
{
    return draft->origins[sp_option_index(row(key))];
}

// Where the value of `key` came from; `name` keeps the variable's name alive.
static struct sp_place
place_of(const struct sp_draft *draft, const char *key, char name[SP_VARIABLE_MAX])
{
    const struct sp_option *option = row(key);
    size_t index = sp_option_index(option);
    struct sp_place place = sp_place_key(&draft->place, key, draft->lines[index]);
    if (draft->origins[index] == SP_ORIGIN_VARIABLE) {
        sp_variable_find(option, draft->pool, SP_REACH_ALL, name);
        place.variable = name;
    }
    return place;
}

snakepit_err sp_draft_set(struct sp_draft *draft,
                          struct sp_yaml *yaml,
                          const struct sp_option *option,
                          const yaml_node_t *key,
                          const yaml_node_t *value)
{
    size_t index = sp_option_index(option);
    // The line of the key: a value may be an alias to somewhere else.
    struct sp_place place = sp_place_key(&draft->place, option->key, sp_yaml_line(key));
    draft->origins[index] = SP_ORIGIN_FILE;
    draft->lines[index] = place.line;
    return sp_yaml_set_option(yaml, value, option, draft->pool, &place);
}

snakepit_err sp_draft_set_name(struct sp_draft *draft,
                               const yaml_node_t *key,
                               const yaml_node_t *value)
{
    static const char expected[] = SP_NAME_FORM;
    struct sp_place place = sp_place_key(&draft->place, "name", sp_yaml_line(key));
    const char *text = NULL;
    snakepit_err err = sp_yaml_text(value, expected, &place, &text);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (!sp_name_is_valid(text)) {
        char shown[SP_QUOTED_MAX];
        return sp_problem(
            &place, "expected %s, got %s", expected, sp_quote(text, shown));
    }
    draft->name_line = place.line;
    draft->pool->name = sp_strdup(text);
    return draft->pool->name != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

// ---- Variables ----------------------------------------------------------------

// A variable for all pools must not break those to which its key means nothing.
static enum sp_reach reach_of(const struct sp_draft *draft,
                              const struct sp_option *option)
{
    bool threads = draft->pool->worker_profile == SP_PROFILE_THREAD;
    enum sp_applies own = threads ? SP_APPLIES_THREAD : SP_APPLIES_PROCESS;
    return option->applies == SP_APPLIES_BOTH || option->applies == own ? SP_REACH_ALL
                                                                        : SP_REACH_ONE;
}

static snakepit_err apply_variable(struct sp_draft *draft,
                                   const struct sp_option *option)
{
    char name[SP_VARIABLE_MAX];
    enum sp_reach reach = reach_of(draft, option);
    const char *value = sp_variable_find(option, draft->pool, reach, name);
    if (value == NULL) {
        return SNAKEPIT_OK;
    }
    struct sp_place place = sp_place_key(&draft->place, option->key, 0);
    place.variable = name;
    draft->origins[sp_option_index(option)] = SP_ORIGIN_VARIABLE;
    return sp_variable_apply(option, draft->pool, value, &place);
}

// The variables of the options that mean something to both profiles, or those of the
// others, for which the profile must be known.
static snakepit_err apply_variables(struct sp_draft *draft, bool both)
{
    const struct sp_option *option = NULL;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == SP_SCOPE_POOL &&
            (option->applies == SP_APPLIES_BOTH) == both) {
            err = apply_variable(draft, option);
        }
    }
    return err;
}

// ---- Defaults -----------------------------------------------------------------

uint32_t sp_config_cores(void)
{
    cpu_set_t set;
    long count = sched_getaffinity(0, sizeof(set), &set) == 0
                     ? CPU_COUNT(&set)
                     : sysconf(_SC_NPROCESSORS_ONLN);
    return count < 1 ? 1 : (uint32_t)count;
}

static snakepit_err apply_fixed_defaults(struct sp_draft *draft)
{
    const struct sp_option *option = NULL;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == SP_SCOPE_POOL && option->fixed != NULL &&
            draft->origins[i] == SP_ORIGIN_NOBODY) {
            err = sp_option_set_default(option, draft->pool, &draft->place);
        }
    }
    return err;
}

// What `{}` would be.
static snakepit_err apply_default_thresholds(struct sp_draft *draft)
{
    return origin_of(draft, "switch_threshold") != SP_ORIGIN_NOBODY
               ? SNAKEPIT_OK
               : sp_yaml_set_defaults(
                     SP_SCOPE_THRESHOLD, &draft->pool->switch_threshold, &draft->place);
}

// How many workers the devices are enough for.
static uint64_t room_of(const struct sp_devices *devices)
{
    return devices->values.count == 0
               ? UINT64_MAX
               : (uint64_t)devices->values.count * devices->workers_per_device;
}

static snakepit_err apply_computed_defaults(struct sp_draft *draft)
{
    struct sp_pool_config *pool = draft->pool;
    bool threads = pool->worker_profile == SP_PROFILE_THREAD;
    if (origin_of(draft, "pool_size") == SP_ORIGIN_NOBODY) {
        uint32_t cores = sp_config_cores();
        uint32_t most = (uint32_t)row("pool_size")->maximum;
        uint64_t room = room_of(&pool->devices);
        most = room < most ? (uint32_t)room : most;
        uint32_t size = cores < most ? cores : most;
        pool->pool_size = (struct sp_range){size, size};
    }
    if (origin_of(draft, "threads_per_worker") == SP_ORIGIN_NOBODY) {
        pool->threads_per_worker = threads ? 10 : 1;
    }
    if (origin_of(draft, "restart_backoff_max_ms") == SP_ORIGIN_NOBODY &&
        pool->restart_backoff_max_ms < pool->restart_backoff_ms) {
        pool->restart_backoff_max_ms = pool->restart_backoff_ms;
    }
    if (origin_of(draft, "adapter") == SP_ORIGIN_NOBODY) {
        pool->adapter = sp_strdup(
            threads
                ? "snakepit_bridge.adapters.threaded_showcase.ThreadedShowcaseAdapter"
                : "snakepit_bridge.adapters.showcase");
    }
    return pool->adapter != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

// ---- The interpreter ----------------------------------------------------------

// A row: a variable that names an interpreter, or a command.
struct candidate {
    const char *variable;
    const char *command;
    bool threads; // for the thread profile alone
};

static const struct candidate candidates[] = {
    {"SNAKEPIT_PYTHON_FT", NULL, true},
    {NULL, "python3.14t", true},
    {NULL, "python3.13t", true},
    {"SNAKEPIT_PYTHON", NULL, false},
    {NULL, "python3", false},
};

// Turns `python` into an absolute path. `place` says where it came from.
static snakepit_err resolve(struct sp_draft *draft, const struct sp_place *place)
{
    char *found = NULL;
    // What a variable names counts from where its owner stands, not from the file.
    const char *directory = place->variable != NULL ? NULL : draft->config->directory;
    snakepit_err err = sp_program_find(draft->pool->python, directory, &found);
    if (err == SNAKEPIT_NOT_FOUND && draft->config->pooling_enabled) {
        char shown[SP_QUOTED_MAX];
        char reason[REASON_MOST] = "was not found or may not be executed";
        (void)sp_program_explain(draft->pool->python, directory, reason, sizeof reason);
        return sp_problem(place,
                          "%s %s; name a command on PATH or the path of an interpreter "
                          "(`snakepit python` lists them)",
                          sp_quote(draft->pool->python, shown),
                          reason);
    }
    if (err == SNAKEPIT_OK || err == SNAKEPIT_NOT_FOUND) {
        sp_free(draft->pool->python);
        draft->pool->python = found;
        err = SNAKEPIT_OK;
    }
    return err;
}

static snakepit_err resolve_candidate(struct sp_draft *draft,
                                      const struct candidate *candidate)
{
    struct sp_place place = sp_place_key(&draft->place, "python", 0);
    place.variable = candidate->variable;
    const char *command = candidate->variable != NULL
                              ? sp_program_variable(candidate->variable)
                              : candidate->command;
    if (command == NULL || command[0] == '\0') {
        return SNAKEPIT_OK;
    }
    if (candidate->variable == NULL) {
        snakepit_err err = sp_program_find(command, NULL, &draft->pool->python);
        return err == SNAKEPIT_NOT_FOUND ? SNAKEPIT_OK : err;
    }
    // A person set the variable, so it is an error when it is wrong.
    draft->pool->python = sp_strdup(command);
    return draft->pool->python != NULL ? resolve(draft, &place) : SNAKEPIT_NO_MEMORY;
}

static snakepit_err find_python(struct sp_draft *draft)
{
    bool threads = draft->pool->worker_profile == SP_PROFILE_THREAD ||
                   draft->pool->adaptive_pooling;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < sizeof(candidates) / sizeof(candidates[0]); i++) {
        if (err == SNAKEPIT_OK && draft->pool->python == NULL &&
            (threads || !candidates[i].threads)) {
            err = resolve_candidate(draft, &candidates[i]);
        }
    }
    if (err != SNAKEPIT_OK || draft->pool->python != NULL ||
        !draft->config->pooling_enabled) {
        return err;
    }
    struct sp_place place = sp_place_key(&draft->place, "python", 0);
    return sp_problem(
        &place,
        "no interpreter was found; put python3 on PATH, or name one with this key or "
        "with SNAKEPIT_PYTHON");
}

static snakepit_err settle_python(struct sp_draft *draft)
{
    if (origin_of(draft, "python") == SP_ORIGIN_NOBODY) {
        return find_python(draft);
    }
    char name[SP_VARIABLE_MAX];
    struct sp_place place = place_of(draft, "python", name);
    return resolve(draft, &place);
}

// ---- Checks -------------------------------------------------------------------

// A pool that may be both is a process pool of the same capacity at times.
static snakepit_err check_adaptive(const struct sp_draft *draft)
{
    const struct sp_pool_config *pool = draft->pool;
    char name[SP_VARIABLE_MAX];
    struct sp_place place = place_of(draft, "adaptive_pooling", name);
    uint64_t most = row("pool_size")->maximum;
    uint64_t capacity = (uint64_t)pool->pool_size.max * pool->threads_per_worker;
    if (pool->adaptive_pooling && pool->devices.values.count > 0) {
        return sp_problem(&place,
                          "expected false in a pool with `devices`, which says how "
                          "many workers there are for each, got true");
    }
    if (pool->adaptive_pooling && capacity > most) {
        return sp_problem(&place,
                          "expected false in a pool of more than %" PRIu64
                          " calls at once (pool_size x threads_per_worker), which "
                          "cannot become so many processes, got true",
                          most);
    }
    return SNAKEPIT_OK;
}

static snakepit_err check_fields(const struct sp_draft *draft)
{
    const struct sp_pool_config *pool = draft->pool;
    char name[SP_VARIABLE_MAX];
    if (pool->worker_profile == SP_PROFILE_PROCESS && pool->threads_per_worker != 1) {
        struct sp_place place = place_of(draft, "threads_per_worker", name);
        return sp_problem(
            &place,
            "expected 1 in the process profile, got %u; several threads need "
            "worker_profile: thread",
            pool->threads_per_worker);
    }
    if (pool->restart_backoff_max_ms < pool->restart_backoff_ms) {
        struct sp_place place = place_of(draft, "restart_backoff_max_ms", name);
        return sp_problem(&place,
                          "expected at least restart_backoff_ms, which is %u, got %u",
                          pool->restart_backoff_ms,
                          pool->restart_backoff_max_ms);
    }
    if (pool->pool_size.max > room_of(&pool->devices)) {
        struct sp_place place = place_of(draft, "pool_size", name);
        return sp_problem(&place,
                          "expected at most %" PRIu64
                          " workers, for which `devices` has enough, got %" PRIu32,
                          room_of(&pool->devices),
                          pool->pool_size.max);
    }
    if (pool->worker_max_memory_hard != 0 &&
        pool->worker_max_memory_hard <= pool->worker_max_memory) {
        struct sp_place place = place_of(draft, "worker_max_memory_hard", name);
        return sp_problem(&place,
                          "expected more than worker_max_memory, which is %" PRIu64
                          " bytes, got %" PRIu64,
                          pool->worker_max_memory,
                          pool->worker_max_memory_hard);
    }
    return check_adaptive(draft);
}

static void note_origins(const struct sp_draft *draft)
{
    for (size_t i = 0; i < SP_OPTIONS_MAX; i++) {
        draft->pool->origins[i] = (uint8_t)draft->origins[i];
        draft->pool->lines[i] = (uint32_t)draft->lines[i];
    }
}

snakepit_err sp_draft_finish(struct sp_draft *draft)
{
    snakepit_err err = apply_variables(draft, true);
    err = err != SNAKEPIT_OK ? err : sp_arguments_apply(draft);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (origin_of(draft, "worker_profile") == SP_ORIGIN_NOBODY) {
        draft->pool->worker_profile = draft->config->default_profile;
    }
    err = apply_variables(draft, false);
    note_origins(draft);
    err = err != SNAKEPIT_OK ? err : apply_fixed_defaults(draft);
    err = err != SNAKEPIT_OK ? err : apply_default_thresholds(draft);
    err = err != SNAKEPIT_OK ? err : apply_computed_defaults(draft);
    err = err != SNAKEPIT_OK ? err : check_fields(draft);
    return err != SNAKEPIT_OK ? err : settle_python(draft);
}
