// SPDX-License-Identifier: MIT
// The environment of a worker, merged variable by variable: the pool's own value wins,
// then what the host was started with, then a default that keeps the cores from being
// oversubscribed.
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/program.h"
#include "interpreter/interpreter.h"

static const struct {
    const char *name;
    const char *value; // NULL: the number of threads
} defaults[] = {
    {"OPENBLAS_NUM_THREADS", NULL},
    {"OMP_NUM_THREADS", NULL},
    {"MKL_NUM_THREADS", NULL},
    {"NUMEXPR_NUM_THREADS", NULL},
    {"VECLIB_MAXIMUM_THREADS", NULL},
    {"GRPC_POLL_STRATEGY", "poll"},
    // Neither workers nor what multiprocessing starts for them look for modules in the
    // current folder. Programs that tools start do: the bridge takes this value away.
    {"PYTHONSAFEPATH", "snakepit"},
};

#define DEFAULTS (sizeof(defaults) / sizeof(defaults[0]))

_Static_assert(DEFAULTS == SP_THREAD_VARIABLES + 2, "the first ones are of threads");

const char *sp_interpreter_thread_variable(size_t index)
{
    return index < SP_THREAD_VARIABLES ? defaults[index].name : NULL;
}

// True if `entry`, "NAME=value", sets the variable `name`.
static bool sets(const char *entry, const char *name)
{
    size_t length = strlen(name);
    return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

// To Python an empty entry of PYTHONPATH is the current folder, mostly by accident
// ("$PYTHONPATH:/x"), and it comes before the standard library. Takes those out.
static void drop_empty_folders(char *entry)
{
    char *to = strchr(entry, '=') + 1;
    const char *from = to;
    const char *start = to;
    for (size_t size; *from != '\0'; from += size + (from[size] == ':')) {
        size = strcspn(from, ":");
        if (size > 0 && to != start) {
            *to++ = ':';
        }
        memmove(to, from, size);
        to += size;
    }
    *to = '\0';
}

static void tidy_search_path(char *const *environment)
{
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (sets(environment[i], "PYTHONPATH")) {
            drop_empty_folders(environment[i]);
        }
    }
}

static bool is_users(const struct sp_thread_env *wanted, const char *entry)
{
    for (size_t i = 0; wanted->user != NULL && i < wanted->user->count; i++) {
        if (sets(entry, wanted->user->items[i].name)) {
            return true;
        }
    }
    return false;
}

static bool is_set(char *const *environment, const char *name)
{
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (sets(environment[i], name)) {
            return true;
        }
    }
    return false;
}

static uint32_t count_threads(const struct sp_thread_env *wanted)
{
    SP_CHECK(wanted->threads_per_worker >= 1 && wanted->workers >= 1 &&
             wanted->cores >= 1);
    uint64_t calls = (uint64_t)wanted->threads_per_worker * wanted->workers;
    uint32_t share = (uint32_t)(wanted->cores / calls);
    return wanted->profile == SP_PROFILE_PROCESS || share < 1 ? 1 : share;
}

// Appends "name=value"; the text is given. NO_MEMORY.
static snakepit_err append(char **environment, const char *name, const char *value)
{
    struct sp_buf entry = {0};
    snakepit_err err = sp_buf_printf(&entry, "%s=%s", name, value);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    while (*environment != NULL) {
        environment++;
    }
    *environment = (char *)entry.data;
    return SNAKEPIT_OK;
}

static snakepit_err copy_inherited(const struct sp_thread_env *wanted,
                                   char **environment)
{
    size_t count = 0;
    for (size_t i = 0; wanted->inherited != NULL && wanted->inherited[i] != NULL; i++) {
        if (is_users(wanted, wanted->inherited[i])) {
            continue;
        }
        environment[count] = sp_strdup(wanted->inherited[i]);
        if (environment[count++] == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
    }
    return SNAKEPIT_OK;
}

static snakepit_err add_defaults(const struct sp_thread_env *wanted, char **environment)
{
    struct sp_buf threads = {0};
    snakepit_err err = sp_buf_printf(&threads, "%" PRIu32, count_threads(wanted));
    for (size_t i = 0; err == SNAKEPIT_OK && i < DEFAULTS; i++) {
        const char *value =
            defaults[i].value != NULL ? defaults[i].value : (const char *)threads.data;
        if (!is_set(environment, defaults[i].name)) {
            err = append(environment, defaults[i].name, value);
        }
    }
    sp_buf_fini(&threads);
    return err;
}

static size_t count_all(const struct sp_thread_env *wanted)
{
    size_t count = DEFAULTS + (wanted->user != NULL ? wanted->user->count : 0);
    for (size_t i = 0; wanted->inherited != NULL && wanted->inherited[i] != NULL; i++) {
        count++;
    }
    return count;
}

snakepit_err sp_interpreter_thread_env(const struct sp_thread_env *wanted,
                                       char ***environment)
{
    char **made = (char **)sp_alloc_array(count_all(wanted) + 1, sizeof(*made));
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = copy_inherited(wanted, made);
    for (size_t i = 0;
         err == SNAKEPIT_OK && wanted->user != NULL && i < wanted->user->count;
         i++) {
        err = append(made, wanted->user->items[i].name, wanted->user->items[i].value);
    }
    err = err != SNAKEPIT_OK ? err : add_defaults(wanted, made);
    if (err != SNAKEPIT_OK) {
        sp_interpreter_free_env(made);
        return err;
    }
    tidy_search_path(made);
    *environment = made;
    return SNAKEPIT_OK;
}

snakepit_err sp_interpreter_host_env(char ***environment)
{
    snakepit_err err = sp_program_environment(environment);
    if (err == SNAKEPIT_OK) {
        tidy_search_path(*environment);
    }
    return err;
}

snakepit_err sp_interpreter_pool_env(const struct sp_pool_config *pool,
                                     char ***environment)
{
    const struct sp_thread_env wanted = {
        .profile = pool->worker_profile,
        .threads_per_worker = pool->threads_per_worker,
        .workers = pool->pool_size.max,
        .cores = sp_config_cores(),
        .user = &pool->adapter_env,
        .inherited = environ,
    };
    return sp_interpreter_thread_env(&wanted, environment);
}

void sp_interpreter_free_env(char **environment)
{
    sp_program_environment_free(environment);
}

// The value of a variable; NULL if it is not set.
static const char *value_of(char *const *environment, const char *name)
{
    size_t length = strlen(name);
    for (size_t i = 0; environment[i] != NULL; i++) {
        if (strncmp(environment[i], name, length) == 0 &&
            environment[i][length] == '=') {
            return environment[i] + length + 1;
        }
    }
    return NULL;
}

snakepit_err sp_interpreter_library_threads(const struct sp_thread_env *wanted,
                                            uint32_t threads[SP_THREAD_VARIABLES])
{
    char **environment = NULL;
    snakepit_err err = sp_interpreter_thread_env(wanted, &environment);
    for (size_t i = 0; err == SNAKEPIT_OK && i < SP_THREAD_VARIABLES; i++) {
        const char *value = value_of(environment, sp_interpreter_thread_variable(i));
        // OpenMP's may be a list for nested regions: the first number counts.
        unsigned long number = value != NULL ? strtoul(value, NULL, 10) : 0;
        threads[i] = number < UINT_MAX ? (uint32_t)number : UINT_MAX;
    }
    sp_interpreter_free_env(environment);
    return err;
}
