// SPDX-License-Identifier: MIT
// Calls through the public API, written as a user would write them.
#include "product.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "bench.h"
#include "noop_call.h"

#define START_MS 60000

static const char *const pool_names[PRODUCT_POOLS] = {"default", "second"};

static void
no_log(void *user, snakepit_log_level level, const char *event, const char *line)
{
    (void)user;
    (void)level;
    (void)event;
    (void)line;
}

// What a waiting call takes of the requests segment, with room to spare.
#define BYTES_OF_A_CALL 4096u

static size_t write_line(char *yaml, size_t room, uint32_t line)
{
    if (line == 0) {
        return 0;
    }
    return (size_t)snprintf(yaml,
                            room,
                            "    max_queue: %u\n"
                            "    shared_memory_size: %llu\n",
                            line,
                            (unsigned long long)line * BYTES_OF_A_CALL);
}

// Everything that is not said here is the default.
size_t product_write_pools(char yaml[PRODUCT_YAML],
                           const struct product_options *options)
{
    size_t used = (size_t)snprintf(yaml, PRODUCT_YAML, "pools:\n");
    for (unsigned i = 0; i < PRODUCT_POOLS && options->executors[i] != 0; i++) {
        used += (size_t)snprintf(yaml + used,
                                 PRODUCT_YAML - used,
                                 "  - name: %s\n"
                                 "    worker_profile: %s\n"
                                 "    pool_size: %u\n"
                                 "    threads_per_worker: %u\n"
                                 "    on_unsupported: %s\n"
                                 "    adapter: %s\n"
                                 "    adapter_env: {PYTHONPATH: \"%s\"}\n"
                                 "    python: \"%s\"\n",
                                 pool_names[i],
                                 options->threads ? "thread" : "process",
                                 options->workers == 0 ? 1 : options->workers,
                                 options->executors[i],
                                 options->threads ? "refuse" : "fallback",
                                 options->adapter,
                                 options->folder,
                                 options->python);
        used += write_line(yaml + used, PRODUCT_YAML - used, options->line);
        if (used >= PRODUCT_YAML) {
            bench_fatal("the paths of the bench are too long");
        }
    }
    return used;
}

static void name_pools(struct product *product)
{
    product->pit = NULL;
    for (unsigned i = 0; i < PRODUCT_POOLS; i++) {
        product->pools[i] = pool_names[i];
    }
}

void product_open(struct product *product, const struct product_options *options)
{
    char yaml[PRODUCT_YAML];
    size_t size = product_write_pools(yaml, options);
    snakepit_open_options quiet = {
        .size = sizeof quiet, .log = no_log, .log_level = SNAKEPIT_LOG_OFF};
    snakepit_message why = {{0}};
    name_pools(product);
    const snakepit_open_options *how = options->quiet ? &quiet : NULL;
    snakepit_err err = snakepit_open_memory(yaml, size, how, &product->pit, &why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_await_ready(product->pit, NULL, START_MS, &why);
    }
    if (err != SNAKEPIT_OK) {
        bench_fatal(
            "the pools did not start: %s: %s", snakepit_err_name(err), why.text);
    }
}

void product_connect(struct product *product, const char *address)
{
    snakepit_open_options quiet = {
        .size = sizeof quiet, .log = no_log, .log_level = SNAKEPIT_LOG_OFF};
    const snakepit_connect_options how = {.size = sizeof how, .open = &quiet};
    snakepit_message why = {{0}};
    name_pools(product);
    snakepit_err err = snakepit_connect(address, &how, &product->pit, &why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_await_ready(product->pit, NULL, START_MS, &why);
    }
    if (err != SNAKEPIT_OK) {
        bench_fatal("%s: %s: %s", address, snakepit_err_name(err), why.text);
    }
}

void product_close(struct product *product)
{
    snakepit_close(product->pit, 1000);
    product->pit = NULL;
}

pid_t product_worker(struct product *product, unsigned index)
{
    snakepit_worker_info row = {.size = sizeof row};
    size_t count = 0;
    snakepit_err err =
        snakepit_pool_workers(product->pit, product->pools[index], &row, 1, &count);
    if (err != SNAKEPIT_OK || count != 1) {
        bench_fatal("pool %s has %zu workers", product->pools[index], count);
    }
    return row.pid;
}

void product_caller_init(struct product_caller *caller,
                         struct product *product,
                         unsigned pool)
{
    *caller = (struct product_caller){
        .pit = product->pit,
        .writer = snakepit_writer_new(),
        .options = {.size = sizeof caller->options, .pool = product->pools[pool]},
    };
    if (caller->writer == NULL) {
        bench_fatal("no memory for a writer");
    }
}

void product_caller_fini(struct product_caller *caller)
{
    snakepit_writer_free(caller->writer);
}

void product_fail(const char *what, snakepit_err err, const snakepit_answer *answer)
{
    const snakepit_fault *fault = answer == NULL ? NULL : snakepit_answer_fault(answer);
    bench_fatal("%s: %s: %s\n%s",
                what,
                snakepit_err_name(err),
                fault == NULL ? "no answer" : fault->message,
                fault == NULL ? "" : fault->traceback);
}

void product_take_noop(snakepit_err err, snakepit_answer *answer, uint32_t x)
{
    if (err != SNAKEPIT_OK) {
        product_fail("a call failed", err, answer);
    }
    if (!noop_is_right(answer, x)) {
        bench_fatal("a wrong answer to %u: %s", x, snakepit_answer_json(answer));
    }
    snakepit_answer_free(answer);
}

void product_call(struct product_caller *caller, const char *tool, uint32_t x)
{
    snakepit_answer *answer = NULL;
    noop_write(caller->writer, x);
    snakepit_err err =
        snakepit_call(caller->pit, tool, caller->writer, &caller->options, &answer);
    product_take_noop(err, answer, x);
}

// ---- Many threads -------------------------------------------------------------

struct member {
    struct product *product;
    const char *tool;
    uint64_t end;
    uint64_t calls;
    pthread_t thread;
};

static void *call_on(void *user)
{
    struct member *member = user;
    struct product_caller caller;
    uint32_t x = BENCH_FIRST_X;
    product_caller_init(&caller, member->product, 0);
    while (sp_clock_now() < member->end) {
        product_call(&caller, member->tool, x++);
    }
    product_caller_fini(&caller);
    member->calls = x - BENCH_FIRST_X;
    return NULL;
}

double
product_crowd(struct product *product, const char *tool, uint32_t callers, uint64_t ns)
{
    struct member members[PRODUCT_CROWD_MOST];
    uint64_t start = sp_clock_now();
    uint64_t calls = 0;
    for (uint32_t i = 0; i < callers; i++) {
        members[i] =
            (struct member){.product = product, .tool = tool, .end = start + ns};
        if (pthread_create(&members[i].thread, NULL, call_on, &members[i]) != 0) {
            bench_fatal("no thread for a caller");
        }
    }
    for (uint32_t i = 0; i < callers; i++) {
        pthread_join(members[i].thread, NULL);
        calls += members[i].calls;
    }
    return (double)calls * (double)SP_NS_PER_S / (double)(sp_clock_now() - start);
}
