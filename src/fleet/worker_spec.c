// SPDX-License-Identifier: MIT
// What a pool's next worker, or its template, is made of: its shared memory, its first
// message, its core; and what is said of one that did not start.
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "fleet/inside.h"
#include "payload/writer.h"

// The numbers of enum sp_on_unserialisable.
static const char *const on_unserialisable[] = {"error", "marker", "marker_with_repr"};
// The numbers of enum sp_tensors_as.
static const char *const tensors[] = {"view", "copy", "numpy", "numpy_copy"};

// The least number of calls whose tensors a worker may still hold, and of answers that
// the host may.
#define LEAST_LEASES 256u
#define LEAST_SLOTS  128u

#define REFUSAL_HEAD 300u // bytes of the first line of a failure
#define REFUSAL_TAIL 600u // bytes of the end of a traceback
#define PLACE_MOST   500u // bytes of where a start was when it ended, with a zero

// Two enums with the same numbers, since config must not include ipc.
_Static_assert((int)SP_POOL_PLACEMENT_AUTO == (int)SP_WAITING_AUTO, "same numbers");
_Static_assert((int)SP_POOL_PLACEMENT_PAIRED == (int)SP_WAITING_PAIRED, "same numbers");
_Static_assert((int)SP_POOL_PLACEMENT_SPREAD == (int)SP_WAITING_SPREAD, "same numbers");

// ---- What a worker is told ----------------------------------------------------

static void write_pair(snakepit_writer *writer, const char *key, const char *text)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_str(writer, text);
}

static void write_texts(snakepit_writer *writer, const struct sp_texts *texts)
{
    snakepit_writer_array(writer, (uint32_t)texts->count);
    for (size_t i = 0; i < texts->count; i++) {
        snakepit_writer_str(writer, texts->items[i]);
    }
}

static void write_pairs(snakepit_writer *writer, const struct sp_pairs *pairs)
{
    snakepit_writer_array(writer, (uint32_t)pairs->count);
    for (size_t i = 0; i < pairs->count; i++) {
        snakepit_writer_array(writer, 2);
        write_pair(writer, pairs->items[i].name, pairs->items[i].value);
    }
}

// Only what is wanted: an empty map restricts nothing.
static void write_sandbox(snakepit_writer *writer, const struct sp_sandbox *sandbox)
{
    bool files = sandbox->landlock.items != NULL;
    bool calls = sandbox->seccomp != SP_SECCOMP_OFF;
    snakepit_writer_map(writer,
                        (uint32_t)sandbox->no_new_privs + (uint32_t)files +
                            (uint32_t)calls + (sandbox->uid != NULL));
    if (sandbox->no_new_privs) {
        snakepit_writer_str(writer, "no_new_privs");
        snakepit_writer_bool(writer, true);
    }
    if (files) {
        snakepit_writer_str(writer, "landlock");
        write_texts(writer, &sandbox->landlock);
    }
    if (calls) {
        write_pair(writer, "seccomp", "default");
    }
    if (sandbox->uid != NULL) {
        write_pair(writer, "uid", sandbox->uid);
    }
}

const char *sp_fleet_device_of(const struct sp_fleet *fleet, uint32_t post)
{
    const struct sp_texts *values = &fleet->options.pool_config->devices.values;
    return values->count == 0 ? NULL : values->items[post % values->count];
}

// What the worker finds in its environment besides.
static void write_environment(snakepit_writer *writer,
                              const struct sp_fleet *fleet,
                              const char *device)
{
    snakepit_writer_map(writer, device == NULL ? 0 : 1);
    if (device != NULL) {
        write_pair(writer, fleet->options.pool_config->devices.variable, device);
    }
}

#define SHARED_PAIRS 17u
#define OWN_PAIRS    3u

// What is the same for all workers of a pool, as long as its configuration is.
static void write_shared(snakepit_writer *writer, const struct sp_fleet *fleet)
{
    const struct sp_pool_config *config = fleet->options.pool_config;
    write_pair(writer, "adapter", config->adapter);
    snakepit_writer_str(writer, "adapter_args");
    write_texts(writer, &config->adapter_args);
    write_pair(writer, "adapter_config", config->adapter_config);
    snakepit_writer_str(writer, "preload_resources");
    write_pairs(writer, &config->preload_resources);
    write_pair(writer, "profile", sp_profile_name(fleet->plan.profile));
    snakepit_writer_str(writer, "executors");
    snakepit_writer_uint(writer, fleet->plan.threads);
    snakepit_writer_str(writer, "paths");
    snakepit_writer_array(writer, 1);
    snakepit_writer_str(writer, fleet->options.config->directory);
    snakepit_writer_str(writer, "executor_stack_size");
    snakepit_writer_uint(writer, config->executor_stack_size);
    snakepit_writer_str(writer, "heartbeat_interval_ms");
    snakepit_writer_uint(writer, config->heartbeat_interval_ms);
    snakepit_writer_str(writer, "stop_grace_ms");
    snakepit_writer_uint(writer, config->stop_grace_ms);
    snakepit_writer_str(writer, "oom_score_adj");
    snakepit_writer_uint(writer, config->oom_score_adj);
    write_pair(writer, "pool", config->name);
    write_pair(writer,
               "undeclared_adapter",
               config->undeclared_adapter == SP_UNDECLARED_REFUSE ? "refuse" : "warn");
    snakepit_writer_str(writer, "thread_safety_checks");
    snakepit_writer_bool(writer, config->thread_safety_checks);
    write_pair(
        writer, "on_unserialisable", on_unserialisable[config->on_unserialisable]);
    snakepit_writer_str(writer, "sandbox");
    write_sandbox(writer, &config->sandbox);
    write_pair(writer, "tensors", tensors[config->tensors]);
}

static void write_own(snakepit_writer *writer,
                      const struct sp_fleet *fleet,
                      uint64_t worker,
                      const char *device)
{
    snakepit_writer_str(writer, "worker");
    snakepit_writer_uint(writer, worker);
    snakepit_writer_str(writer, "sources");
    snakepit_writer_bool(writer, !fleet->code.known);
    snakepit_writer_str(writer, "environment");
    write_environment(writer, fleet, device);
}

// What was written so far, also of a map that has not ended.
static snakepit_err keep(struct sp_buf *message, const snakepit_writer *writer)
{
    message->size = 0;
    return sp_buf_append(message, writer->buf.data, writer->buf.size);
}

static snakepit_err keep_message(struct sp_buf *message, const snakepit_writer *writer)
{
    snakepit_err err = snakepit_writer_error(writer);
    return err != SNAKEPIT_OK ? err : keep(message, writer);
}

static bool is_templates(const struct sp_buf *shared, const snakepit_writer *writer)
{
    return shared->size > 0 && writer->buf.size == shared->size &&
           memcmp(writer->buf.data, shared->data, shared->size) == 0;
}

static snakepit_err write_messages(struct sp_fleet *fleet,
                                   snakepit_writer *writer,
                                   uint64_t worker,
                                   const char *device)
{
    fleet->fork_message.size = 0;
    snakepit_writer_map(writer, SHARED_PAIRS + OWN_PAIRS);
    write_shared(writer, fleet);
    bool is_known = is_templates(&fleet->template_message, writer);
    snakepit_err err =
        worker == 0 ? keep(&fleet->template_message, writer) : SNAKEPIT_OK;
    write_own(writer, fleet, worker, device);
    err = err != SNAKEPIT_OK ? err : keep_message(&fleet->first_message, writer);
    if (err != SNAKEPIT_OK || !is_known) {
        return err;
    }
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, OWN_PAIRS);
    write_own(writer, fleet, worker, device);
    return keep_message(&fleet->fork_message, writer);
}

snakepit_err sp_fleet_write_first_message(struct sp_fleet *fleet,
                                          uint64_t worker,
                                          const char *device)
{
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = write_messages(fleet, writer, worker, device);
    snakepit_writer_free(writer);
    return err;
}

// ---- What it is made of -------------------------------------------------------

// The next power of two that is at least twice the threads, and not below `least`.
static uint32_t twice(uint32_t threads, uint32_t least)
{
    uint32_t count = least;
    while (count < 2 * threads) {
        count *= 2;
    }
    return count;
}

// The n-th of the processors in a set that has more than n.
static int nth_cpu(const cpu_set_t *set, int n)
{
    int cpu = -1;
    do {
        cpu++;
        n -= CPU_ISSET(cpu, set) ? 1 : 0;
    } while (n >= 0);
    return cpu;
}

// With `placement: spread`, each post gets as many of the cores that the host may use
// as its worker has threads, in turn; an empty set: all of them.
static cpu_set_t cpus_of_post(const struct sp_fleet *fleet, uint32_t post)
{
    cpu_set_t allowed;
    cpu_set_t own;
    CPU_ZERO(&own);
    if (fleet->options.pool_config->placement != SP_POOL_PLACEMENT_SPREAD ||
        sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return own;
    }
    uint32_t count = (uint32_t)CPU_COUNT(&allowed);
    for (uint32_t i = 0; i < fleet->plan.threads && i < count; i++) {
        uint32_t step = (post * fleet->plan.threads + i) % count;
        CPU_SET(nth_cpu(&allowed, (int)step), &own);
    }
    return own;
}

void sp_fleet_describe_worker(struct sp_fleet *fleet,
                              uint32_t post,
                              struct sp_worker_options *options)
{
    const struct sp_pool_config *config = fleet->options.pool_config;
    uint64_t id = ++*fleet->options.last_worker_id;
    *options = (struct sp_worker_options){
        .loop = fleet->options.loop,
        .watcher = fleet->options.watcher,
        .log = fleet->options.log,
        .listener = fleet->options.listener,
        .inbox = fleet->options.inbox,
        .pool = sp_pool_name(fleet->options.pool),
        .id = id,
        .python = config->python,
        .environment = fleet->spec->environment,
        .made_from = fleet->spec,
        .limits = {config->sandbox.memory_max, config->sandbox.cpu_max},
        .cpus = cpus_of_post(fleet, post),
        .requests = fleet->requests,
        .shape = {.slots = twice(fleet->plan.threads, LEAST_SLOTS),
                  .executors = fleet->plan.threads,
                  .leases = twice(fleet->plan.threads, LEAST_LEASES),
                  .waiting = (enum sp_waiting)config->placement,
                  .events = sp_event_sink_wants(&fleet->options.listener->sink),
                  .payloads_hidden = !config->payloads_in_core_dump,
                  .epoch = id,
                  .requests_size = sp_pool_store(fleet->options.pool)->segment.size,
                  .results_size = config->shared_memory_size},
        .start_timeout_ms = config->start_timeout_ms,
        .stop_grace_ms = config->stop_grace_ms,
        .heartbeat_interval_ms = config->heartbeat_interval_ms,
        .heartbeat_max_missed = config->heartbeat_max_missed,
    };
}

#define FORK_TIMEOUT_MS 2000u

void sp_fleet_describe_template(struct sp_fleet *fleet,
                                struct sp_template_options *options)
{
    const struct sp_pool_config *config = fleet->options.pool_config;
    *options = (struct sp_template_options){
        .loop = fleet->options.loop,
        .inbox = fleet->options.inbox,
        .log = fleet->options.log,
        .pool = sp_pool_name(fleet->options.pool),
        .python = config->python,
        .environment = fleet->spec->environment,
        .config = {fleet->first_message.data, fleet->first_message.size},
        .limits = {config->sandbox.memory_max, config->sandbox.cpu_max},
        .start_timeout_ms = config->start_timeout_ms,
        .stop_grace_ms = config->stop_grace_ms,
        .fork_timeout_ms = FORK_TIMEOUT_MS,
    };
}

// ---- What is said of one that did not start -----------------------------------

// The end of a text, for that is where a traceback names its error.
static const char *last_part(const char *text, size_t most)
{
    size_t size = strlen(text);
    return size <= most ? text : text + size - most;
}

// Type and message first, then as much of the end of the traceback as fits.
static void describe_refusal(const char *failure, char *text, size_t size)
{
    const char *tail = last_part(failure, REFUSAL_TAIL);
    size_t line = strcspn(failure, "\n");
    size_t head = line < REFUSAL_HEAD ? line : REFUSAL_HEAD;
    if (tail <= failure + head) {
        (void)snprintf(text, size, "%s", failure);
    } else {
        (void)snprintf(text, size, "%.*s\n[...]%s", (int)head, failure, tail);
    }
}

// Where it was when its time was up, or what it was doing when a signal came: the
// innermost calls come first.
static void describe_place(const struct sp_worker *worker, char *text, size_t size)
{
    size_t most = size < PLACE_MOST ? size : PLACE_MOST;
    text[0] = 0;
    if (most <= sizeof "; ") {
        return;
    }
    if (worker->late != NULL) {
        memcpy(text, "; ", sizeof "; ");
        sp_worker_where(worker, text + strlen(text), most - strlen(text));
    } else if (worker->stack[0] != 0) {
        (void)snprintf(text, size, "; %.*s", (int)(most - sizeof "; "), worker->stack);
    }
}

// What it printed at last: the last line, which names the error of a traceback, then
// what came before.
static void describe_output(struct sp_worker *worker, char *text, size_t size)
{
    char tail[SP_TAIL_MAX + 1];
    sp_output_tail(&worker->child.flow.outputs[1], tail, sizeof tail);
    for (size_t end = strlen(tail); end > 0 && tail[end - 1] == '\n'; end--) {
        tail[end - 1] = 0;
    }
    const char *last = strrchr(tail, '\n');
    (void)snprintf(text,
                   size,
                   "%s%.250s%s%.600s",
                   tail[0] == 0 ? "" : "; it wrote: ",
                   last == NULL ? tail : last + 1,
                   last == NULL ? "" : "\n[...]",
                   last == NULL ? "" : last_part(tail, 600));
}

void sp_fleet_describe_failure(struct sp_worker *worker, char *text, size_t size)
{
    char cause[256];
    if (worker->adapter_failed) {
        describe_refusal(worker->failure, text, size);
        return;
    }
    if (worker->wants) {
        (void)snprintf(text, size, "%s", worker->failure);
        return;
    }
    struct sp_exit end = worker->child.end;
    end.fault = sp_worker_fault(worker);
    sp_exit_describe(
        &end, atomic_load(&worker->killed_for), SP_OOM_NO, cause, sizeof cause);
    (void)snprintf(text, size, "%.200s %s", worker->options.python, cause);
    describe_place(worker, text + strlen(text), size - strlen(text));
    describe_output(worker, text + strlen(text), size - strlen(text));
}
