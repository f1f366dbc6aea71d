// SPDX-License-Identifier: MIT
// A ring of bytes under one lock, and the thread that empties it. The one thing to
// know: a write to stderr may hang where nothing can end it (see outlet.h), and then
// the thread is left behind, with the writer, which it frees when it gets on.
#include "telemetry/log_writer.h"

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
#include "telemetry/journal.h"
#include "telemetry/notice_write.h"

#define URGENT_ROOM  (SP_LOG_ROOM / 8)
#define FLUSH_NS     (200 * SP_NS_PER_MS) // that a closing one waits for a reader
#define SLOW_NS      (2 * SP_NS_PER_S)    // and for a sink
#define HANGS_NS     (2 * SP_NS_PER_S)    // what takes so long to write never ends
#define LOOK_MS      25                   // between two looks at a reader that stalls
#define LINES_A_LOOK 64u                  // between two looks at what stderr is
// Bytes of an event as it is written: to the journal its line, and its fields.
#define TEXT_MAX (SP_LOG_LINE_MAX + SP_NOTICE_TEXTS_MAX + 1024)
#define JSON_MAX 4095u // so that a pipe takes a line whole

// An event as it lies in the ring. Behind it come its values, texts among them as their
// sizes (UINT64_MAX: left out), and then the texts, each with its zero.
struct record {
    const struct sp_notice_kind *kind;
    uint64_t time_ns;
    uint64_t dropped; // events before this one
    enum sp_log_level level;
    uint32_t size; // of the texts
    union sp_notice_value values[SP_NOTICE_FIELDS_MOST];
};

// Guarded by lock, but for what says otherwise.
struct sp_log_writer {
    struct sp_log_target target; // constant
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
    bool taking;         // target.take() runs
    bool ended;          // the thread uses nothing of this any more
    bool abandoned;      // nobody else does
    // Owner: the thread.
    struct sp_outlet outlet;
    int journal;        // connected; -1: stderr is written to
    uint32_t lines;     // since a look at what stderr is
    uint64_t waited_ns; // for a reader, since it is to stop
    char texts[SP_NOTICE_TEXTS_MAX];
    char text[TEXT_MAX];
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

static bool is_a_text(const struct sp_notice_kind *kind, size_t i)
{
    return sp_notice_field_is_text(&kind->fields[i]);
}

// All of it but `dropped`.
static void fill_record(struct record *record, const struct sp_notice *notice)
{
    *record = (struct record){
        .kind = notice->kind, .time_ns = notice->time_ns, .level = notice->level};
    for (size_t i = 0; i < notice->kind->count; i++) {
        record->values[i] = notice->values[i];
        if (is_a_text(notice->kind, i)) {
            const char *text = notice->values[i].text;
            record->values[i].count = text == NULL ? UINT64_MAX : strlen(text);
            record->size += text == NULL ? 0 : (uint32_t)strlen(text) + 1;
        }
    }
    SP_CHECK(record->size <= SP_NOTICE_TEXTS_MAX);
}

static void copy_texts_in(struct sp_log_writer *writer, const struct sp_notice *notice)
{
    for (size_t i = 0; i < notice->kind->count; i++) {
        if (is_a_text(notice->kind, i) && notice->values[i].text != NULL) {
            copy_in(writer, notice->values[i].text, strlen(notice->values[i].text) + 1);
        }
    }
}

void sp_log_writer_put(void *user, const struct sp_notice *notice)
{
    struct sp_log_writer *writer = user;
    struct record record;
    fill_record(&record, notice);
    pthread_mutex_lock(&writer->lock);
    bool was_empty = writer->head == writer->tail;
    if (was_empty) {
        writer->base = writer->tail; // so that memory is touched only when it is needed
    }
    if (has_room(writer, &record)) {
        record.dropped = writer->dropped;
        writer->dropped = 0;
        copy_in(writer, &record, sizeof record);
        copy_texts_in(writer, notice);
    } else {
        writer->dropped++;
    }
    if (was_empty) {
        (void)pthread_cond_broadcast(&writer->news);
    }
    pthread_mutex_unlock(&writer->lock);
}

// Makes texts of their sizes again.
static void find_texts(struct sp_log_writer *writer, struct record *record)
{
    const char *at = writer->texts;
    for (size_t i = 0; i < record->kind->count; i++) {
        if (is_a_text(record->kind, i)) {
            uint64_t size = record->values[i].count;
            record->values[i].text = size == UINT64_MAX ? NULL : at;
            at += size == UINT64_MAX ? 0 : size + 1;
        }
    }
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
        copy_out(writer, writer->texts, record->size);
        find_texts(writer, record);
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

static void look_at_reader(struct sp_log_writer *writer)
{
    let_go_of_stderr(writer);
    if (writer->journal >= 0) {
        writer->outlet =
            (struct sp_outlet){.fd = writer->journal, .own = -1, .is_socket = true};
    } else {
        sp_outlet_open(&writer->outlet, STDERR_FILENO);
    }
}

// The journal may have come, or come again.
static void find_journal(struct sp_log_writer *writer)
{
    if (writer->target.format == SP_LOG_JOURNALD && writer->journal < 0) {
        writer->journal = sp_journal_open(writer->target.journal);
    }
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
    look_at_reader(writer);
    return true;
}

// False: there is nowhere left to report that its reader is gone.
static bool write_out(struct sp_log_writer *writer, const char *text, size_t size)
{
    ssize_t written = 1;
    while (size > 0 && written >= 0 && (written > 0 || wait_for_reader(writer))) {
        written = sp_outlet_write(&writer->outlet, text, size);
        text += written > 0 ? written : 0;
        size -= written > 0 ? (size_t)written : 0;
    }
    return written >= 0;
}

static size_t write_line(const struct sp_notice *notice, char text[TEXT_MAX])
{
    struct tm local = {0};
    time_t seconds = (time_t)(notice->time_ns / SP_NS_PER_S);
    (void)localtime_r(&seconds, &local);
    int head = snprintf(text,
                        TEXT_MAX,
                        "%02d:%02d:%02d.%03d %s ",
                        local.tm_hour,
                        local.tm_min,
                        local.tm_sec,
                        (int)(notice->time_ns % SP_NS_PER_S / SP_NS_PER_MS),
                        sp_log_label(notice->level));
    size_t size = sp_notice_line(notice, text + head, SP_LOG_LINE_MAX);
    text[(size_t)head + size] = '\n';
    return (size_t)head + size + 1;
}

// In one write, so that lines of several processes with one stderr never mix.
static void write_to_stderr(struct sp_log_writer *writer,
                            const struct sp_notice *notice)
{
    size_t size;
    if (writer->target.format == SP_LOG_JSON) {
        size = sp_notice_json(notice, writer->text, JSON_MAX);
        writer->text[size++] = '\n';
    } else {
        size = write_line(notice, writer->text);
    }
    (void)write_out(writer, writer->text, size);
}

// False: there is none.
static bool write_to_journal(struct sp_log_writer *writer,
                             const struct sp_notice *notice)
{
    size_t size = sp_notice_journal(notice, writer->text, TEXT_MAX);
    if (writer->journal >= 0 && !write_out(writer, writer->text, size)) {
        sp_journal_close(&writer->journal);
        find_journal(writer);
        look_at_reader(writer);
        if (writer->journal >= 0) {
            (void)write_out(writer, writer->text, size);
        }
    }
    return writer->journal >= 0;
}

static void write_notice(struct sp_log_writer *writer, const struct sp_notice *notice)
{
    enum sp_log_format format = writer->target.format;
    if (format == SP_LOG_NOWHERE || notice->level < writer->target.level) {
        return;
    }
    if (writer->lines % LINES_A_LOOK == 0) {
        find_journal(writer);
        look_at_reader(writer);
    }
    writer->lines++;
    if (format != SP_LOG_JOURNALD || !write_to_journal(writer, notice)) {
        write_to_stderr(writer, notice);
    }
}

// Whether it may be called; not once nobody waits for the thread any more.
static bool begin_taking(struct sp_log_writer *writer)
{
    if (writer->target.take == NULL || has_waited(writer, SLOW_NS)) {
        return false;
    }
    pthread_mutex_lock(&writer->lock);
    writer->taking = !writer->abandoned;
    bool may = writer->taking;
    pthread_mutex_unlock(&writer->lock);
    return may;
}

static void end_taking(struct sp_log_writer *writer)
{
    pthread_mutex_lock(&writer->lock);
    writer->taking = false;
    (void)pthread_cond_broadcast(&writer->news);
    pthread_mutex_unlock(&writer->lock);
}

static void deliver(struct sp_log_writer *writer, const struct sp_notice *notice)
{
    if (begin_taking(writer)) {
        uint64_t began = sp_clock_now();
        writer->target.take(writer->target.user, notice);
        note_wait(writer, began);
        end_taking(writer);
    }
    write_notice(writer, notice);
}

static uint64_t time_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * SP_NS_PER_S + (uint64_t)now.tv_nsec;
}

static void tell_of_dropped(struct sp_log_writer *writer, uint64_t lines)
{
    const union sp_notice_value value = {.count = lines};
    const struct sp_notice_kind *kind = &sp_notice_kinds[SP_NOTICE_log_dropped];
    const struct sp_notice notice = {kind, kind->level, time_now(), &value};
    deliver(writer, &notice);
}

static void deliver_record(struct sp_log_writer *writer, const struct record *record)
{
    const struct sp_notice notice = {
        record->kind, record->level, record->time_ns, record->values};
    deliver(writer, &notice);
}

static void writer_free(struct sp_log_writer *writer)
{
    sp_journal_close(&writer->journal);
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
        if (record.kind != NULL) {
            deliver_record(writer, &record);
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

static void tell_of_no_journal(struct sp_log_writer *writer)
{
    const struct sp_log log = {
        .write = sp_log_writer_put, .user = writer, .level = writer->target.level};
    if (writer->target.format == SP_LOG_JOURNALD && writer->journal < 0) {
        sp_log(&log, log_no_journal, .because = strerrordesc_np(errno));
    }
}

snakepit_err sp_log_writer_open(const struct sp_log_target *target,
                                struct sp_log_writer **writer)
{
    struct sp_log_writer *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->target = *target;
    made->outlet.own = -1;
    init_lock(made);
    made->journal =
        target->format == SP_LOG_JOURNALD ? sp_journal_open(target->journal) : -1;
    tell_of_no_journal(made);
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

// Whether the thread has ended, once it has or seems to hang. What it calls is waited
// for however long it takes.
static bool await_end(struct sp_log_writer *writer)
{
    const struct timespec end = in_ns(HANGS_NS);
    int rc = 0;
    while (!writer->ended && (rc == 0 || writer->taking)) {
        rc = rc == 0 ? pthread_cond_timedwait(&writer->news, &writer->lock, &end)
                     : pthread_cond_wait(&writer->news, &writer->lock);
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
    bool ended = writer->target.format == SP_LOG_NOWHERE || await_end(writer);
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
