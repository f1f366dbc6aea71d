// SPDX-License-Identifier: MIT
// A question carries a nonce, a number computed from it, and sometimes bytes computed
// from it. `echo` must return all three; an answer to any other question differs in all
// of them.
#include "support/load.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"

#define THREADS_MOST 64
#define FILL_MOST    40000u

// `echo` is answered at once; `process_text` takes a few milliseconds.
enum question { ECHO, ADD, COUNT_WORDS };

static const char *const tools[] = {"echo", "add", "process_text"};

#define WORDS_MOST 8000u

struct counters {
    _Atomic uint64_t started, ended, wrong, late, twice, lost, untyped, misjudged,
        worst_us;
    _Atomic uint64_t by_err[LOAD_ERRS];
};

struct load {
    struct load_options options;
    struct counters counters;
    _Atomic uint64_t last_nonce;
    _Atomic bool stop;
    uint32_t thread_count;
    pthread_t threads[THREADS_MOST];
};

// One submitted call. Used again only after its callback came; `answers` tells one too
// many.
struct pending {
    struct async_thread *owner;
    _Atomic int answers; // 0 under way, 1 idle
    uint64_t nonce;
    uint64_t begun;
    snakepit_call_id id;
    enum question question;
};

struct async_thread {
    struct load *load;
    struct pending *window;
    pthread_mutex_t lock; // guards the rest
    pthread_cond_t changed;
    uint32_t idle;
};

static uint64_t mix(uint64_t number)
{
    number ^= number >> 31;
    number *= UINT64_C(0x9e3779b97f4a7c15);
    number ^= number >> 29;
    number *= UINT64_C(0xbf58476d1ce4e5b9);
    return (number ^ number >> 32) >> 1; // fits int64_t
}

// Most questions carry no bytes, some a few hundred, few more than fit into a slot.
static uint32_t fill_size(uint64_t nonce)
{
    uint64_t dice = mix(nonce + 7);
    switch (dice % 16) {
    case 0:
        return (uint32_t)(dice / 16 % FILL_MOST);
    case 1:
    case 2:
        return (uint32_t)(dice / 16 % 1800);
    default:
        return 0;
    }
}

static uint8_t fill_byte(uint64_t nonce, uint32_t index)
{
    return (uint8_t)(nonce * 31 + index * 7 + (nonce >> 8));
}

static uint32_t word_count(uint64_t nonce)
{
    return WORDS_MOST / 2 + (uint32_t)(mix(nonce) % (WORDS_MOST / 2));
}

static void ask_for_count(snakepit_writer *writer, uint64_t nonce)
{
    static _Thread_local char text[WORDS_MOST * 3];
    uint32_t size = word_count(nonce) * 3;
    for (uint32_t i = 0; i < size; i += 3) {
        memcpy(text + i, "ab ", 3);
    }
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "text");
    snakepit_writer_strn(writer, text, size);
}

static void ask_for_sum(snakepit_writer *writer, uint64_t nonce)
{
    snakepit_writer_map(writer, 2);
    snakepit_writer_str(writer, "a");
    snakepit_writer_uint(writer, nonce);
    snakepit_writer_str(writer, "b");
    snakepit_writer_uint(writer, mix(nonce) >> 1);
}

static void ask_for_echo(snakepit_writer *writer, uint64_t nonce)
{
    static _Thread_local uint8_t fill[FILL_MOST];
    uint32_t size = fill_size(nonce);
    for (uint32_t i = 0; i < size; i++) {
        fill[i] = fill_byte(nonce, i);
    }
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "nonce");
    snakepit_writer_uint(writer, nonce);
    snakepit_writer_str(writer, "mix");
    snakepit_writer_uint(writer, mix(nonce));
    snakepit_writer_str(writer, "fill");
    snakepit_writer_bytes(writer, fill, size);
}

static enum question choose_question(const struct load *load, uint64_t nonce)
{
    if (!load->options.computes) {
        return ECHO;
    }
    return nonce % 64 == 0 ? COUNT_WORDS : (enum question)(nonce % 2);
}

static void ask(snakepit_writer *writer, const struct pending *call)
{
    static void (*const asks[])(snakepit_writer *,
                                uint64_t) = {ask_for_echo, ask_for_sum, ask_for_count};
    snakepit_writer_reset(writer);
    asks[call->question](writer, call->nonce);
}

static bool read_number(const snakepit_reader *map, const char *key, uint64_t expected)
{
    snakepit_reader at;
    snakepit_value value;
    return snakepit_reader_find(map, key, &at) == SNAKEPIT_OK &&
           snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_INTEGER && value.as.integer == (int64_t)expected;
}

static bool read_fill(const snakepit_reader *map, uint64_t nonce)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(map, "fill", &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_BYTES || value.as.bytes.size != fill_size(nonce)) {
        return false;
    }
    for (uint32_t i = 0; i < value.as.bytes.size; i++) {
        if ((uint8_t)value.as.bytes.data[i] != fill_byte(nonce, i)) {
            return false;
        }
    }
    return true;
}

static bool is_right(const snakepit_answer *answer, const struct pending *call)
{
    snakepit_reader reader;
    snakepit_value value;
    uint64_t nonce = call->nonce;
    snakepit_answer_reader(answer, &reader);
    switch (call->question) {
    case ADD:
        return snakepit_reader_next(&reader, &value) == SNAKEPIT_OK &&
               value.kind == SNAKEPIT_INTEGER &&
               value.as.integer == (int64_t)(nonce + (mix(nonce) >> 1));
    case COUNT_WORDS:
        return read_number(&reader, "words", word_count(nonce)) &&
               read_number(&reader, "unique_words", 1);
    default:
        return read_number(&reader, "nonce", nonce) &&
               read_number(&reader, "mix", mix(nonce)) && read_fill(&reader, nonce);
    }
}

static void note_time(struct load *load, uint64_t begun)
{
    uint64_t took_us = (sp_clock_now() - begun) / SP_NS_PER_US;
    uint64_t worst = atomic_load(&load->counters.worst_us);
    while (took_us > worst &&
           !atomic_compare_exchange_weak(&load->counters.worst_us, &worst, took_us)) {
    }
    if (took_us > (load->options.timeout_ms + load->options.late_ms) * 1000u) {
        atomic_fetch_add(&load->counters.late, 1);
    }
}

static bool is_death(snakepit_err err)
{
    return err == SNAKEPIT_WORKER_DIED || err == SNAKEPIT_WORKER_LOST ||
           err == SNAKEPIT_PROTOCOL;
}

static bool is_right_death(const struct load_options *options,
                           const snakepit_fault *fault)
{
    bool right_cause = fault->err != SNAKEPIT_WORKER_DIED || options->cause == NULL ||
                       strcmp(fault->cause, options->cause) == 0 ||
                       strncmp(fault->cause, "died; ", 6) == 0;
    return right_cause &&
           (options->last_mortal == 0 || fault->worker <= options->last_mortal);
}

static void judge(struct load *load,
                  const struct pending *call,
                  snakepit_err err,
                  snakepit_answer *answer)
{
    struct counters *counters = &load->counters;
    note_time(load, call->begun);
    atomic_fetch_add(&counters->by_err[(uint32_t)err % LOAD_ERRS], 1);
    if (answer == NULL || snakepit_answer_fault(answer)->err != err) {
        atomic_fetch_add(&counters->untyped, 1);
    } else if (err == SNAKEPIT_OK && !is_right(answer, call)) {
        atomic_fetch_add(&counters->wrong, 1);
    } else if (is_death(err) &&
               !is_right_death(&load->options, snakepit_answer_fault(answer))) {
        atomic_fetch_add(&counters->misjudged, 1);
    }
    snakepit_answer_free(answer);
    atomic_fetch_add(&counters->ended, 1);
}

static void
next_question(struct load *load, struct pending *call, snakepit_writer *writer)
{
    call->nonce = atomic_fetch_add(&load->last_nonce, 1) + 1;
    call->question = choose_question(load, call->nonce);
    ask(writer, call);
    call->begun = sp_clock_now();
    atomic_fetch_add(&load->counters.started, 1);
}

// ---- Synchronous --------------------------------------------------------------

// Nobody has written this chunk, unless it is the worker that writes everywhere.
static bool look_at_chunk(void *user, snakepit_reader *chunk)
{
    (void)user;
    while (snakepit_reader_skip(chunk) == SNAKEPIT_OK) {
    }
    return true;
}

static bool is_marked(const struct load *load, const struct pending *call)
{
    return load->options.idempotent && call->nonce / 64 % 2 == 0;
}

static snakepit_err call_and_count(const struct load *load,
                                   const struct pending *call,
                                   const snakepit_writer *writer,
                                   snakepit_answer **answer)
{
    const char *tool = tools[call->question];
    const snakepit_call_options options = {.size = sizeof options,
                                           .timeout_ms = load->options.timeout_ms,
                                           .idempotent = is_marked(load, call)};
    if (load->options.streams && call->nonce % 2 == 0) {
        return snakepit_stream_each(
            load->options.pit, tool, writer, &options, look_at_chunk, NULL, answer);
    }
    return snakepit_call(load->options.pit, tool, writer, &options, answer);
}

static void *call_again_and_again(void *argument)
{
    struct load *load = argument;
    snakepit_writer *writer = snakepit_writer_new();
    while (!atomic_load(&load->stop)) {
        struct pending call = {0};
        snakepit_answer *answer = NULL;
        next_question(load, &call, writer);
        snakepit_err err = call_and_count(load, &call, writer, &answer);
        judge(load, &call, err, answer);
        if (err == SNAKEPIT_SHUTTING_DOWN) {
            break;
        }
    }
    snakepit_writer_free(writer);
    return NULL;
}

// ---- Asynchronous -------------------------------------------------------------

static void note_idle(struct async_thread *thread)
{
    pthread_mutex_lock(&thread->lock);
    thread->idle++;
    pthread_cond_signal(&thread->changed);
    pthread_mutex_unlock(&thread->lock);
}

static void call_ended(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct pending *call = user;
    struct load *load = call->owner->load;
    struct pending copy = {
        .nonce = call->nonce, .begun = call->begun, .question = call->question};
    judge(load, &copy, err, answer);
    if (atomic_fetch_add(&call->answers, 1) != 0) {
        atomic_fetch_add(&load->counters.twice, 1);
        return;
    }
    note_idle(call->owner);
}

static bool wait_for_idle(struct async_thread *thread, uint64_t ms)
{
    uint64_t until = sp_clock_now() + ms * SP_NS_PER_MS;
    struct timespec at = {(time_t)(until / SP_NS_PER_S), (long)(until % SP_NS_PER_S)};
    int rc = 0;
    pthread_mutex_lock(&thread->lock);
    while (thread->idle == 0 && rc == 0) {
        rc = pthread_cond_timedwait(&thread->changed, &thread->lock, &at);
    }
    bool found = thread->idle > 0;
    thread->idle -= found ? 1 : 0;
    pthread_mutex_unlock(&thread->lock);
    return found;
}

static struct pending *find_idle(struct async_thread *thread)
{
    for (uint32_t i = 0;; i = (i + 1) % thread->load->options.window) {
        if (atomic_load(&thread->window[i].answers) != 0) {
            return &thread->window[i];
        }
    }
}

// True: SHUTTING_DOWN.
static bool submit_one(struct async_thread *thread, snakepit_writer *writer)
{
    struct load *load = thread->load;
    struct pending *call = find_idle(thread);
    next_question(load, call, writer);
    const snakepit_call_options options = {.size = sizeof options,
                                           .timeout_ms = load->options.timeout_ms,
                                           .idempotent = is_marked(load, call)};
    snakepit_call_id id = 0;
    uint64_t nonce = call->nonce;
    atomic_store(&call->answers, 0);
    snakepit_err err = snakepit_submit(load->options.pit,
                                       tools[call->question],
                                       writer,
                                       &options,
                                       call_ended,
                                       call,
                                       &id);
    if (err != SNAKEPIT_OK) {
        // Its callback must not run: should it, this counts as twice.
        atomic_store(&call->answers, 1);
        atomic_fetch_add(&load->counters.by_err[(uint32_t)err % LOAD_ERRS], 1);
        atomic_fetch_add(&load->counters.ended, 1);
        note_idle(thread);
    } else if (load->options.cancels && mix(nonce) % 64 == 0) {
        (void)snakepit_cancel(load->options.pit, id);
    }
    return err == SNAKEPIT_SHUTTING_DOWN;
}

static void *submit_again_and_again(void *argument)
{
    struct async_thread *thread = argument;
    struct load *load = thread->load;
    uint64_t patience = load->options.timeout_ms + load->options.late_ms + 20000u;
    snakepit_writer *writer = snakepit_writer_new();
    bool down = false;
    while (!atomic_load(&load->stop) && !down && wait_for_idle(thread, patience)) {
        down = submit_one(thread, writer);
    }
    bool lost = false;
    for (uint32_t i = 0; i < load->options.window && !lost; i++) {
        lost = !wait_for_idle(thread, patience);
    }
    for (uint32_t i = 0; i < load->options.window; i++) {
        if (atomic_load(&thread->window[i].answers) == 0) {
            atomic_fetch_add(&load->counters.lost, 1);
        }
    }
    snakepit_writer_free(writer);
    if (!lost) {
        (void)pthread_cond_destroy(&thread->changed);
        (void)pthread_mutex_destroy(&thread->lock);
        free(thread->window);
        free(thread);
    }
    return NULL;
}

static struct async_thread *async_thread_new(struct load *load)
{
    struct async_thread *thread = calloc(1, sizeof *thread);
    thread->load = load;
    thread->window = calloc(load->options.window, sizeof *thread->window);
    pthread_condattr_t monotonic;
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_mutex_init(&thread->lock, NULL);
    (void)pthread_cond_init(&thread->changed, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    thread->idle = load->options.window;
    for (uint32_t i = 0; i < load->options.window; i++) {
        thread->window[i].owner = thread;
        thread->window[i].answers = 1;
    }
    return thread;
}

// ---- Start and stop -----------------------------------------------------------

struct load *load_start(const struct load_options *options)
{
    struct load *load = calloc(1, sizeof *load);
    if (load == NULL || options->sync_threads + options->async_threads > THREADS_MOST) {
        free(load);
        return NULL;
    }
    load->options = *options;
    for (uint32_t i = 0; i < options->sync_threads + options->async_threads; i++) {
        bool sync = i < options->sync_threads;
        void *argument = sync ? (void *)load : async_thread_new(load);
        (void)pthread_create(&load->threads[load->thread_count++],
                             NULL,
                             sync ? call_again_and_again : submit_again_and_again,
                             argument);
    }
    return load;
}

struct load_counts load_look(struct load *load)
{
    struct counters *from = &load->counters;
    struct load_counts counts = {
        .started = from->started,
        .ended = from->ended,
        .wrong = from->wrong,
        .late = from->late,
        .twice = from->twice,
        .lost = from->lost,
        .untyped = from->untyped,
        .misjudged = from->misjudged,
        .worst_us = from->worst_us,
    };
    for (int i = 0; i < LOAD_ERRS; i++) {
        counts.by_err[i] = from->by_err[i];
    }
    return counts;
}

void load_ask_to_stop(struct load *load)
{
    atomic_store(&load->stop, true);
}

struct load_counts load_stop(struct load *load)
{
    load_ask_to_stop(load);
    for (uint32_t i = 0; i < load->thread_count; i++) {
        (void)pthread_join(load->threads[i], NULL);
    }
    struct load_counts counts = load_look(load);
    if (counts.lost == 0) {
        free(load);
    }
    return counts;
}

const char *load_fault(const struct load_counts *counts)
{
    uint64_t typed = counts->by_err[SNAKEPIT_OK] +
                     counts->by_err[SNAKEPIT_WORKER_DIED] +
                     counts->by_err[SNAKEPIT_WORKER_LOST];
    return counts->lost != 0                  ? "lost"
           : counts->twice != 0               ? "twice"
           : counts->wrong != 0               ? "wrong"
           : counts->untyped != 0             ? "untyped"
           : counts->late != 0                ? "late"
           : counts->misjudged != 0           ? "misjudged"
           : counts->ended != counts->started ? "ended"
           : typed != counts->ended           ? "by_err"
           : counts->by_err[SNAKEPIT_OK] == 0 ? "OK"
                                              : NULL;
}

void load_print(const char *name, const struct load_counts *counts)
{
    (void)printf(
        "%s: started=%llu ended=%llu wrong=%llu late=%llu twice=%llu lost=%llu "
        "untyped=%llu misjudged=%llu worst_ms=%.1f\n",
        name,
        (unsigned long long)counts->started,
        (unsigned long long)counts->ended,
        (unsigned long long)counts->wrong,
        (unsigned long long)counts->late,
        (unsigned long long)counts->twice,
        (unsigned long long)counts->lost,
        (unsigned long long)counts->untyped,
        (unsigned long long)counts->misjudged,
        (double)counts->worst_us / 1000.0);
    for (int i = 0; i < LOAD_ERRS; i++) {
        if (counts->by_err[i] > 0) {
            (void)printf("%s:   %s=%llu\n",
                         name,
                         snakepit_err_name((snakepit_err)i),
                         (unsigned long long)counts->by_err[i]);
        }
    }
    (void)fflush(stdout);
}

void load_no_log(void *user,
                 snakepit_log_level level,
                 const char *event,
                 const char *line)
{
    (void)user;
    (void)level;
    (void)event;
    (void)line;
}
