// SPDX-License-Identifier: MIT
// A ring of bytes under one lock, and the thread that empties it. The one thing to
// know: a write to stderr may hang where nothing can end it (see outlet.h), and then
// the thread is left behind, with the writer, which it frees when it gets on.
#include "base/log_writer.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/fork.h"
#include "base/memory.h"
#include "base/outlet.h"
#include "base/thread.h"

#define URGENT_ROOM  (SP_LOG_ROOM / 8)
#define FLUSH_NS     (200 * SP_NS_PER_MS) // that a closing one waits for a reader
#define SLOW_NS      (2 * SP_NS_PER_S)    // and for a sink
#define HANGS_NS     (2 * SP_NS_PER_S)    // what takes so long to write never ends
#define LOOK_MS      25                   // between two looks at a reader that stalls
#define LINES_A_LOOK 64u                  // between two looks at what stderr is

// A line as it lies in the ring, with `size` bytes behind it.
struct record {
    const char *event;
    struct timespec time;
    uint64_t dropped; // lines before this one
    uint32_t size;
    enum sp_log_level level;
};

// Guarded by lock, but for what says otherwise.
struct sp_log_writer {
    sp_log_fn *sink; // constant
    void *user;      // constant
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t news; // of `tail`, `done`, `stop`, `ended`; CLOCK_MONOTONIC
    uint64_t base;       // the position that lies at the start of the ring
    uint64_t head;       // bytes that were taken out
    uint64_t tail;       // bytes that were put in
    uint64_t done;       // bytes that were handed on
    uint64_t dropped;    // lines, since the last one that was put in
    uint32_t flushing;   // threads that wait for `done`
    _Atomic bool stop;   // also read without the lock
    bool ended;          // the thread uses nothing of this any more
    bool abandoned;      // nobody else does
    // Owner: the thread.
    struct sp_outlet outlet;
    uint32_t lines;     // since a look at what stderr is
    uint64_t waited_ns; // for a reader, since it is to stop
    char line[SP_LOG_LINE_MAX];
    char ring[SP_LOG_ROOM];
};

// ---- The ring -----------------------------------------------------------------

static void copy_in(struct sp_log_writer *writer, const void *data, size_t size)
{
    size_t at = (writer->tail - writer->base) % SP_LOG_ROOM;
    size_t first = size < SP_LOG_ROOM - at ? size : SP_LOG_ROOM - at;
    memcpy(writer->ring + at, data, first);
    memcpy(writer->ring, (const char *)data + first, size - first);
    writer->tail += size;
}

static void copy_out(struct sp_log_writer *writer, void *data, size_t size)
{
    size_t at = (writer->head - writer->base) % SP_LOG_ROOM;
    size_t first = size < SP_LOG_ROOM - at ? size : SP_LOG_ROOM - at;
    memcpy(data, writer->ring + at, first);
    memcpy((char *)data + first, writer->ring, size - first);
    writer->head += size;
}

static bool has_room(const struct sp_log_writer *writer, const struct record *record)
{
    size_t kept = record->level >= SP_LOG_WARNING ? 0 : URGENT_ROOM;
    return writer->tail - writer->head + sizeof *record + record->size + kept <=
           SP_LOG_ROOM;
}

void sp_log_writer_put(void *user,
                       enum sp_log_level level,
                       const char *event,
                       const char *line)
{
    struct sp_log_writer *writer = user;
    struct record record = {
        .event = event, .size = (uint32_t)strlen(line), .level = level};
    SP_CHECK(record.size < SP_LOG_LINE_MAX);
    (void)clock_gettime(CLOCK_REALTIME, &record.time);
    pthread_mutex_lock(&writer->lock);
    bool was_empty = writer->head == writer->tail;
    if (was_empty) {
        writer->base = writer->tail; // so that memory is touched only when it is needed
    }
    if (has_room(writer, &record)) {
        record.dropped = writer->dropped;
        writer->dropped = 0;
        copy_in(writer, &record, sizeof record);
        copy_in(writer, line, record.size);
    } else {
        writer->dropped++;
    }
    if (was_empty) {
        (void)pthread_cond_broadcast(&writer->news);
    }
    pthread_mutex_unlock(&writer->lock);
}

// Waits for a line, or for lines that were dropped behind the last one. False: the end.
static bool take(struct sp_log_writer *writer, struct record *record)
{
    *record = (struct record){0};
    pthread_mutex_lock(&writer->lock);
    while (writer->head == writer->tail && writer->dropped == 0 && !writer->stop) {
        (void)pthread_cond_wait(&writer->news, &writer->lock);
    }
    bool some = writer->head != writer->tail;
    if (some) {
        copy_out(writer, record, sizeof *record);
        copy_out(writer, writer->line, record->size);
        writer->line[record->size] = '\0';
    } else {
        record->dropped = writer->dropped;
        writer->dropped = 0;
    }
    pthread_mutex_unlock(&writer->lock);
    return some || record->dropped > 0;
}

// ---- Writing ------------------------------------------------------------------

// Its reader sees the end of a pipe only when we hold it no more.
static void let_go_of_stderr(struct sp_log_writer *writer)
{
    sp_outlet_close(&writer->outlet);
    writer->lines = 0;
}

static void look_at_stderr(struct sp_log_writer *writer)
{
    let_go_of_stderr(writer);
    sp_outlet_open(&writer->outlet, STDERR_FILENO);
}

// Whether it is to end and has waited for its reader so long.
static bool has_waited(const struct sp_log_writer *writer, uint64_t ns)
{
    return atomic_load(&writer->stop) && writer->waited_ns >= ns;
}

static void note_wait(struct sp_log_writer *writer, uint64_t began)
{
    writer->waited_ns += atomic_load(&writer->stop) ? sp_clock_now() - began : 0;
}

// False: its time is up.
static bool wait_for_reader(struct sp_log_writer *writer)
{
    uint64_t began = sp_clock_now();
    if (has_waited(writer, FLUSH_NS)) {
        return false;
    }
    sp_outlet_wait(&writer->outlet, LOOK_MS);
    note_wait(writer, began);
    look_at_stderr(writer);
    return true;
}

static void write_out(struct sp_log_writer *writer, const char *text, size_t size)
{
    ssize_t written = 1;
    if (writer->lines % LINES_A_LOOK == 0) {
        look_at_stderr(writer);
    }
    writer->lines++;
    // Negative: there is nowhere left to report that stderr is gone.
    while (size > 0 && written >= 0 && (written > 0 || wait_for_reader(writer))) {
        written = sp_outlet_write(&writer->outlet, text, size);
        text += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
}

// In one write, so that lines of several processes with one stderr never mix.
static void write_to_stderr(struct sp_log_writer *writer,
                            const struct record *record,
                            const char *line)
{
    struct tm local = {0};
    char text[SP_LOG_LINE_MAX + 64];
    (void)localtime_r(&record->time.tv_sec, &local);
    int length = snprintf(text,
                          sizeof text,
                          "%02d:%02d:%02d.%03d %s %s\n",
                          local.tm_hour,
                          local.tm_min,
                          local.tm_sec,
                          (int)(record->time.tv_nsec / 1000000),
                          sp_log_label(record->level),
                          line);
    write_out(writer, text, (size_t)length);
}

static void
deliver(struct sp_log_writer *writer, const struct record *record, const char *line)
{
    if (writer->sink == NULL) {
        write_to_stderr(writer, record, line);
    } else if (!has_waited(writer, SLOW_NS)) {
        uint64_t began = sp_clock_now();
        writer->sink(writer->user, record->level, record->event, line);
        note_wait(writer, began);
    }
}

static void tell_of_dropped(struct sp_log_writer *writer, uint64_t lines)
{
    char line[64];
    struct record record = {.event = "log.dropped", .level = SP_LOG_WARNING};
    (void)clock_gettime(CLOCK_REALTIME, &record.time);
    (void)snprintf(
        line, sizeof line, "log.dropped lines=%llu", (unsigned long long)lines);
    deliver(writer, &record, line);
}

static void writer_free(struct sp_log_writer *writer)
{
    (void)pthread_cond_destroy(&writer->news);
    (void)pthread_mutex_destroy(&writer->lock);
    sp_free(writer);
}

// All that was taken out has been handed on. Whether there is nothing more.
static bool note_done(struct sp_log_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    bool idle = writer->head == writer->tail;
    writer->done = writer->head;
    if (writer->flushing > 0) {
        (void)pthread_cond_broadcast(&writer->news);
    }
    pthread_mutex_unlock(&writer->lock);
    return idle;
}

static void *write_lines(void *argument)
{
    SP_UNCANCELLED;
    struct sp_log_writer *writer = argument;
    struct record record;
    uint32_t process = sp_fork_here();
    while (take(writer, &record)) {
        if (record.dropped > 0) {
            tell_of_dropped(writer, record.dropped);
        }
        if (record.event != NULL) {
            deliver(writer, &record, writer->line);
        }
        sp_fork_leave(process);
        if (note_done(writer)) {
            let_go_of_stderr(writer);
        }
    }
    pthread_mutex_lock(&writer->lock);
    writer->ended = true;
    bool abandoned = writer->abandoned;
    (void)pthread_cond_broadcast(&writer->news);
    pthread_mutex_unlock(&writer->lock);
    if (abandoned) {
        writer_free(writer);
    }
    return NULL;
}

// ---- Life ---------------------------------------------------------------------

static void init_lock(struct sp_log_writer *writer)
{
    pthread_condattr_t attributes;
    SP_CHECK(pthread_mutex_init(&writer->lock, NULL) == 0);
    SP_CHECK(pthread_condattr_init(&attributes) == 0);
    SP_CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    SP_CHECK(pthread_cond_init(&writer->news, &attributes) == 0);
    (void)pthread_condattr_destroy(&attributes);
}

snakepit_err
sp_log_writer_open(sp_log_fn *sink, void *user, struct sp_log_writer **writer)
{
    struct sp_log_writer *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->sink = sink;
    made->user = user;
    made->outlet.own = -1;
    init_lock(made);
    int rc = sp_thread_start(&made->thread, write_lines, made);
    if (rc != 0) {
        writer_free(made);
        errno = rc;
        return SNAKEPIT_SYSTEM;
    }
    *writer = made;
    return SNAKEPIT_OK;
}

static struct timespec in_ns(uint64_t ns)
{
    uint64_t at = sp_clock_now() + ns;
    return (struct timespec){.tv_sec = (time_t)(at / SP_NS_PER_S),
                             .tv_nsec = (long)(at % SP_NS_PER_S)};
}

bool sp_log_writer_flush(struct sp_log_writer *writer, uint64_t ns)
{
    const struct timespec end = in_ns(ns);
    int rc = 0;
    pthread_mutex_lock(&writer->lock);
    uint64_t wanted = writer->tail;
    writer->flushing++;
    while (writer->done < wanted && rc == 0) {
        rc = pthread_cond_timedwait(&writer->news, &writer->lock, &end);
    }
    writer->flushing--;
    bool done = writer->done >= wanted;
    pthread_mutex_unlock(&writer->lock);
    return done;
}

// Whether the thread has ended, once it has or seems to hang.
static bool await_end(struct sp_log_writer *writer)
{
    const struct timespec end = in_ns(HANGS_NS);
    int rc = 0;
    while (!writer->ended && rc == 0) {
        rc = pthread_cond_timedwait(&writer->news, &writer->lock, &end);
    }
    return writer->ended;
}

void sp_log_writer_close(struct sp_log_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    pthread_t thread = writer->thread;
    pthread_mutex_lock(&writer->lock);
    atomic_store(&writer->stop, true);
    (void)pthread_cond_broadcast(&writer->news);
    bool ended = writer->sink != NULL || await_end(writer);
    writer->abandoned = !ended;
    pthread_mutex_unlock(&writer->lock);
    if (ended) {
        SP_CHECK(pthread_join(thread, NULL) == 0);
        writer_free(writer);
    } else {
        (void)pthread_detach(thread);
    }
}

void sp_log_writer_abandon(struct sp_log_writer *writer)
{
    sp_free(writer);
}
