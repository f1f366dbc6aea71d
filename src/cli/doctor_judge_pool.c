// SPDX-License-Identifier: MIT
// What is to be said of one pool: its interpreter, its adapter and the libraries that
// the adapter brings.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/doctor.h"
#include "cli/pythons.h"
#include "cli/text.h"

#define US_A_MS UINT64_C(1000)

static bool wants_threads(const struct sp_doctor_pool *pool)
{
    return pool->config->worker_profile == SP_PROFILE_THREAD;
}

// How bad it is that threads cannot run in parallel, as the pool has it.
static enum sp_doctor_severity severity_of_lack(const struct sp_pool_config *config)
{
    switch (config->on_unsupported) {
    case SP_UNSUPPORTED_REFUSE:
        return SP_DOCTOR_ERROR;
    case SP_UNSUPPORTED_ALLOW:
        return SP_DOCTOR_NOTE;
    default:
        return SP_DOCTOR_WARNING;
    }
}

// What the pool becomes then.
static const char *
consequence(const struct sp_pool_config *config, char *room, size_t size)
{
    switch (config->on_unsupported) {
    case SP_UNSUPPORTED_REFUSE:
        return "the pool fails (on_unsupported: refuse)";
    case SP_UNSUPPORTED_ALLOW:
        return "its threads take turns (on_unsupported: allow)";
    default:
        return sp_cli_format(room,
                             size,
                             "it falls back to %u processes",
                             config->pool_size.max * config->threads_per_worker);
    }
}

// ---- The interpreter ----------------------------------------------------------

static void judge_no_python(const struct sp_doctor_pool *pool,
                            bool starts,
                            struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found =
        sp_doctor_find(findings,
                       SP_DOCTOR_POOL_NO_PYTHON,
                       starts ? SP_DOCTOR_ERROR : SP_DOCTOR_NOTE,
                       pool->config->name);
    sp_cli_explain(&found->what, "%s", pool->problem.text);
    sp_cli_explain(&found->remedy, "name by `python:` a CPython of 3.9 or later");
}

// "X has no snakepit_bridge; install it there (...)": what, then the remedy.
static void judge_no_bridge(const struct sp_doctor_pool *pool,
                            struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_POOL_NO_BRIDGE, SP_DOCTOR_ERROR, pool->config->name);
    sp_cli_split(pool->problem.text, &found->what, &found->remedy);
}

static void judge_build(const struct sp_doctor_pool *pool,
                        struct sp_doctor_findings *findings)
{
    char room[64];
    const struct sp_interpreter *python = pool->python;
    struct sp_doctor_finding *found = sp_doctor_find(findings,
                                                     SP_DOCTOR_POOL_FALLS_BACK,
                                                     severity_of_lack(pool->config),
                                                     pool->config->name);
    sp_cli_explain(&found->what,
                   "%s (Python %s, %s) does not run threads in parallel: %s",
                   python->executable,
                   python->version,
                   sp_cli_build_of(python),
                   consequence(pool->config, room, sizeof room));
    sp_cli_explain(&found->remedy,
                   "%s",
                   python->free_threaded
                       ? "unset PYTHON_GIL, which switches the GIL on"
                       : "name by `python:` a free-threaded Python, 3.14t best, or set "
                         "worker_profile: process");
}

// CPython 3.13.0 to 3.13.7: python/cpython#132744.
static bool recurses_endlessly(const struct sp_interpreter *python)
{
    static const char start[] = "3.13.";
    const char *patch = python->version + sizeof start - 1;
    return strncmp(python->version, start, sizeof start - 1) == 0 && patch[0] >= '0' &&
           patch[0] <= '7' && (patch[1] < '0' || patch[1] > '9');
}

void sp_doctor_judge_recursion(const struct sp_interpreter *python,
                               const char *pool,
                               struct sp_doctor_findings *findings)
{
    if (recurses_endlessly(python)) {
        struct sp_doctor_finding *found =
            sp_doctor_find(findings, SP_DOCTOR_ENDLESS_RECURSION, SP_DOCTOR_NOTE, pool);
        sp_cli_explain(&found->what,
                       "%s is Python %s, which never stops an endless recursion whose "
                       "calls leave an argument to its default",
                       python->executable,
                       python->version);
        sp_cli_explain(&found->remedy, "use 3.13.8 or later, or 3.14");
    }
}

// ---- The adapter --------------------------------------------------------------

static void judge_failure(const struct sp_doctor_pool *pool,
                          struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_ADAPTER_FAILED, SP_DOCTOR_ERROR, pool->config->name);
    sp_cli_explain(&found->what,
                   "adapter \"%s\" cannot be used: %s",
                   pool->config->adapter,
                   pool->adapter.why.text);
    sp_cli_explain(
        &found->remedy,
        "see what `snakepit check-adapter %s --python %s` says in the folder "
        "of the configuration",
        pool->config->adapter,
        pool->python->executable);
}

static void judge_lateness(const struct sp_doctor_pool *pool,
                           struct sp_doctor_findings *findings)
{
    uint64_t timeout = pool->config->start_timeout_ms;
    uint64_t took = pool->adapter.import_us / US_A_MS;
    bool late = pool->adapter.outcome == SP_EXAMINED_LATE || took > timeout;
    if (!late && took <= timeout / 2) {
        return;
    }
    struct sp_doctor_finding *found =
        sp_doctor_find(findings,
                       late ? SP_DOCTOR_ADAPTER_LATE : SP_DOCTOR_ADAPTER_SLOW,
                       late ? SP_DOCTOR_ERROR : SP_DOCTOR_WARNING,
                       pool->config->name);
    if (pool->adapter.outcome == SP_EXAMINED_LATE) {
        sp_cli_explain(&found->what,
                       "importing the adapter \"%s\" did not end in time and was "
                       "stopped; start_timeout_ms is %" PRIu64,
                       pool->config->adapter,
                       timeout);
    } else {
        sp_cli_explain(&found->what,
                       "importing the adapter \"%s\" takes %" PRIu64
                       " ms of the %" PRIu64 " that start_timeout_ms allows for all "
                       "of a start",
                       pool->config->adapter,
                       took,
                       timeout);
    }
    sp_cli_explain(&found->remedy,
                   "raise start_timeout_ms, or import in the tools what is slow and "
                   "seldom used");
}

static void judge_skipped(const struct sp_doctor_pool *pool,
                          struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_ADAPTER_NOT_IMPORTED, SP_DOCTOR_NOTE, pool->config->name);
    sp_cli_explain(&found->what,
                   "the adapter \"%s\" was not imported: it is to run in a sandbox, "
                   "and there is none here",
                   pool->config->adapter);
    sp_cli_explain(&found->remedy,
                   "`snakepit tools %s --config FILE` imports it in its sandbox",
                   pool->config->name);
}

static void judge_gil(const struct sp_doctor_pool *pool,
                      struct sp_doctor_findings *findings)
{
    char room[64];
    const char *by = pool->adapter.gil_enabled_by;
    struct sp_doctor_finding *found = sp_doctor_find(findings,
                                                     SP_DOCTOR_ADAPTER_GIL,
                                                     severity_of_lack(pool->config),
                                                     pool->config->name);
    sp_cli_explain(&found->what,
                   "importing the adapter \"%s\" switches the GIL on%s%s: %s",
                   pool->config->adapter,
                   by[0] != '\0' ? ", for " : "",
                   by,
                   consequence(pool->config, room, sizeof room));
    sp_cli_explain(&found->remedy,
                   "take a version of %s that is made for free-threaded Python, leave "
                   "it out, or set worker_profile: process",
                   by[0] != '\0' ? by : "that extension module");
}

// Of what makes a pool fail, or only behave otherwise than it says.
static struct sp_doctor_finding *find_unfit(const struct sp_doctor_pool *pool,
                                            struct sp_doctor_findings *findings,
                                            enum sp_doctor_code code,
                                            bool fails)
{
    return sp_doctor_find(findings,
                          code,
                          fails ? SP_DOCTOR_ERROR : SP_DOCTOR_WARNING,
                          pool->config->name);
}

static void judge_declared(const struct sp_doctor_pool *pool,
                           struct sp_doctor_findings *findings)
{
    bool fails = pool->config->on_unsupported == SP_UNSUPPORTED_REFUSE;
    struct sp_doctor_finding *found =
        find_unfit(pool, findings, SP_DOCTOR_ADAPTER_NOT_SAFE, fails);
    sp_cli_explain(&found->what,
                   "the adapter \"%s\" says that it is not thread-safe: %s",
                   pool->config->adapter,
                   fails ? "the pool fails (on_unsupported: refuse)"
                         : "the pool becomes one of processes");
    sp_cli_explain(&found->remedy, "set worker_profile: process");
}

static void judge_undeclared(const struct sp_doctor_pool *pool,
                             struct sp_doctor_findings *findings)
{
    bool fails = pool->config->undeclared_adapter == SP_UNDECLARED_REFUSE;
    struct sp_doctor_finding *found =
        find_unfit(pool, findings, SP_DOCTOR_ADAPTER_UNDECLARED, fails);
    sp_cli_explain(&found->what,
                   "the adapter \"%s\" does not declare that it is thread-safe%s",
                   pool->config->adapter,
                   fails ? ": the pool fails (undeclared_adapter: refuse)" : "");
    sp_cli_explain(&found->remedy,
                   "look for races with `snakepit check-adapter %s`, then set "
                   "__thread_safe__ = True in its class",
                   pool->config->adapter);
}

static void judge_library(const struct sp_doctor_pool *pool,
                          const struct sp_examined_library *library,
                          struct sp_doctor_findings *findings)
{
    struct sp_doctor_finding *found;
    if (!library->thread_safe) {
        found = sp_doctor_find(
            findings, SP_DOCTOR_LIBRARY_UNSAFE, SP_DOCTOR_WARNING, pool->config->name);
        sp_cli_explain(&found->what,
                       "the adapter imports %s, which is not thread-safe: %s",
                       library->title,
                       library->reason);
        sp_cli_explain(&found->remedy, "%s", library->pattern);
    } else if (library->too_old) {
        found = sp_doctor_find(
            findings, SP_DOCTOR_LIBRARY_OLD, SP_DOCTOR_WARNING, pool->config->name);
        sp_cli_explain(&found->what,
                       "the adapter imports %s %s, which is thread-safe from %s on",
                       library->title,
                       library->version,
                       library->minimum);
        sp_cli_explain(
            &found->remedy, "install %s %s or later", library->title, library->minimum);
    }
}

static void judge_libraries(const struct sp_doctor_pool *pool,
                            struct sp_doctor_findings *findings)
{
    for (size_t i = 0; i < pool->adapter.library_count; i++) {
        judge_library(pool, &pool->adapter.libraries[i], findings);
    }
}

// What matters only where threads share the adapter.
static void judge_sharing(const struct sp_doctor_pool *pool,
                          struct sp_doctor_findings *findings)
{
    if (pool->adapter.gil_enabled && sp_interpreter_runs_threads(pool->python)) {
        judge_gil(pool, findings);
    }
    if (!pool->adapter.declares) {
        judge_undeclared(pool, findings);
    } else if (!pool->adapter.thread_safe) {
        judge_declared(pool, findings);
    }
    judge_libraries(pool, findings);
}

// What keeps a pool of processes from becoming threads; NULL: nothing that is known.
static const char *obstacle(const struct sp_doctor_pool *pool)
{
    const struct sp_examination *adapter = &pool->adapter;
    if (!sp_interpreter_runs_threads(pool->python)) {
        return "its interpreter does not run threads in parallel";
    }
    if (adapter->outcome != SP_EXAMINED_OK) {
        return NULL;
    }
    return adapter->gil_enabled ? "importing its adapter switches the GIL on"
           : !adapter->declares ? "its adapter does not declare that it is thread-safe"
           : !adapter->thread_safe ? "its adapter says that it is not thread-safe"
                                   : NULL;
}

static void judge_adaptive(const struct sp_doctor_pool *pool,
                           struct sp_doctor_findings *findings)
{
    const char *why = obstacle(pool);
    if (why == NULL) {
        judge_libraries(pool, findings);
        return;
    }
    struct sp_doctor_finding *found = sp_doctor_find(
        findings, SP_DOCTOR_POOL_NOT_ADAPTIVE, SP_DOCTOR_WARNING, pool->config->name);
    sp_cli_explain(
        &found->what, "the pool is adaptive, but stays one of processes: %s", why);
    sp_cli_explain(&found->remedy,
                   "name by `python:` a free-threaded Python, take an adapter with "
                   "__thread_safe__ = True, or leave adaptive_pooling out");
}

static void judge_adapter(const struct sp_doctor_pool *pool,
                          struct sp_doctor_findings *findings)
{
    switch (pool->adapter.outcome) {
    case SP_EXAMINED_NOT:
        judge_skipped(pool, findings);
        break;
    case SP_EXAMINED_FAILED:
        judge_failure(pool, findings);
        break;
    case SP_EXAMINED_LATE:
        judge_lateness(pool, findings);
        break;
    case SP_EXAMINED_OK:
        judge_lateness(pool, findings);
        if (wants_threads(pool)) {
            judge_sharing(pool, findings);
        }
        break;
    }
}

void sp_doctor_judge_pool(const struct sp_doctor_pool *pool,
                          const struct sp_doctor_facts *facts,
                          struct sp_doctor_findings *findings)
{
    if (pool->python == NULL) {
        judge_no_python(pool, facts->config->pooling_enabled, findings);
        return;
    }
    if (!pool->python->has_bridge) {
        judge_no_bridge(pool, findings);
        return;
    }
    if (wants_threads(pool) && !sp_interpreter_runs_threads(pool->python)) {
        judge_build(pool, findings);
    }
    sp_doctor_judge_recursion(pool->python, pool->config->name, findings);
    judge_adapter(pool, findings);
    if (!wants_threads(pool) && pool->config->adaptive_pooling) {
        judge_adaptive(pool, findings);
    }
}
