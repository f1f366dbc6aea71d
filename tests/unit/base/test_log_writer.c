// SPDX-License-Identifier: MIT
#include "base/log_writer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"

// Guarded by lock.
static struct {
    pthread_mutex_t lock; // held by a test: the receiver stalls
    uint64_t lines;
    uint64_t dropped; // as it was told
    enum sp_log_level level;
    char event[64];
    char line[SP_LOG_LINE_MAX];
    bool in_order;
    unsigned next;
} heard = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void
hear(void *user, enum sp_log_level level, const char *event, const char *line)
{
    unsigned long long dropped;
    unsigned number;
    assert_ptr_equal(user, &heard);
    pthread_mutex_lock(&heard.lock);
    if (sscanf(line, "log.dropped lines=%llu", &dropped) == 1) {
        heard.dropped += dropped;
        heard.next += (unsigned)dropped;
    } else {
        heard.lines++;
    }
    if (sscanf(line, "n=%u", &number) == 1) {
        heard.in_order = heard.in_order && number == heard.next;
        heard.next++;
    }
    heard.level = level;
    (void)snprintf(heard.event, sizeof heard.event, "%s", event);
    (void)snprintf(heard.line, sizeof heard.line, "%s", line);
    pthread_mutex_unlock(&heard.lock);
}

static int forget(void **state)
{
    (void)state;
    heard.lines = 0;
    heard.dropped = 0;
    heard.in_order = true;
    heard.next = 0;
    return 0;
}

static struct sp_log_writer *open_writer(sp_log_fn *sink)
{
    struct sp_log_writer *writer;
    assert_int_equal(sp_log_writer_open(sink, &heard, &writer), SNAKEPIT_OK);
    return writer;
}

static void what_was_put_is_told_before_it_closes(void **state)
{
    (void)state;
    struct sp_log_writer *writer = open_writer(hear);
    sp_log_writer_put(writer, SP_LOG_ERROR, "worker.exit", "worker.exit pool=text");
    sp_log_writer_close(writer);
    assert_int_equal(heard.lines, 1);
    assert_int_equal(heard.level, SP_LOG_ERROR);
    assert_string_equal(heard.event, "worker.exit");
    assert_string_equal(heard.line, "worker.exit pool=text");
}

static void a_flush_waits_for_what_was_put(void **state)
{
    (void)state;
    struct sp_log_writer *writer = open_writer(hear);
    for (uint64_t lines = 1; lines <= 100; lines++) {
        sp_log_writer_put(writer, SP_LOG_ERROR, "a", "a line");
        assert_true(sp_log_writer_flush(writer, 60 * SP_NS_PER_S));
        pthread_mutex_lock(&heard.lock);
        assert_int_equal(heard.lines, lines);
        pthread_mutex_unlock(&heard.lock);
    }
    pthread_mutex_lock(&heard.lock);
    sp_log_writer_put(writer, SP_LOG_ERROR, "a", "a line");
    assert_false(sp_log_writer_flush(writer, SP_NS_PER_MS)); // would hang here
    pthread_mutex_unlock(&heard.lock);
    sp_log_writer_close(writer);
}

static void put_numbers(struct sp_log_writer *writer, unsigned from, unsigned to)
{
    for (unsigned number = from; number < to; number++) {
        // Of all sizes, so that they lie over the end of the ring in all ways.
        char line[512];
        int width = (int)(number * 7 % 400) + 1;
        (void)snprintf(line, sizeof line, "n=%u %*s", number, width, "x");
        sp_log_writer_put(writer, SP_LOG_INFO, "n", line);
    }
}

static void nobody_waits_for_a_receiver_that_stalls(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct sp_log_writer *writer = open_writer(hear);
    pthread_mutex_lock(&heard.lock);
    put_numbers(writer, 0, MANY); // would hang here
    sp_log_writer_put(writer, SP_LOG_WARNING, "urgent", "urgent");
    pthread_mutex_unlock(&heard.lock);
    sp_log_writer_close(writer);
    assert_true(heard.dropped > 0);
    assert_true(heard.lines > 100);
    assert_int_equal(heard.lines - 1 + heard.dropped, MANY);
    assert_true(heard.in_order);
    assert_string_equal(heard.event, "urgent"); // there was room left for it
}

static void what_was_dropped_last_is_told_too(void **state)
{
    (void)state;
    struct sp_log_writer *writer = open_writer(hear);
    pthread_mutex_lock(&heard.lock);
    put_numbers(writer, 0, 20000);
    pthread_mutex_unlock(&heard.lock);
    sp_log_writer_close(writer);
    assert_string_equal(heard.event, "log.dropped");
    assert_int_equal(heard.level, SP_LOG_WARNING);
    assert_int_equal(heard.lines + heard.dropped, 20000);
}

static void *put_many(void *writer)
{
    for (int i = 0; i < 2000; i++) {
        sp_log_writer_put(writer, SP_LOG_INFO, "a", "a line like any other");
    }
    return NULL;
}

static void lines_of_many_threads_are_all_told_or_counted(void **state)
{
    (void)state;
    pthread_t threads[4];
    struct sp_log_writer *writer = open_writer(hear);
    for (int i = 0; i < 4; i++) {
        assert_int_equal(pthread_create(&threads[i], NULL, put_many, writer), 0);
    }
    for (int i = 0; i < 4; i++) {
        pthread_join(threads[i], NULL);
    }
    sp_log_writer_close(writer);
    assert_int_equal(heard.lines + heard.dropped, 8000);
}

static void
hear_slowly(void *user, enum sp_log_level level, const char *event, const char *line)
{
    uint64_t end = sp_clock_now() + SP_NS_PER_S;
    hear(user, level, event, line);
    while (sp_clock_now() < end) {
    }
}

// The first one, which is under way, and those of two seconds; all would take a
// hundred.
static void a_slow_receiver_does_not_get_all_at_the_close(void **state)
{
    (void)state;
    struct sp_log_writer *writer = open_writer(hear_slowly);
    for (int i = 0; i < 100; i++) {
        sp_log_writer_put(writer, SP_LOG_INFO, "a", "a line");
    }
    sp_log_writer_close(writer);
    assert_true(heard.lines >= 1 && heard.lines <= 50);
}

// ---- To stderr ----------------------------------------------------------------

// stderr in a pipe or a pair of sockets. Nothing is asserted in between: there is
// nobody to hear of it.
static struct {
    int reader;
    int writer; // the other end, which a test may fill
    int kept;
} err;

static void redirect(bool socket)
{
    int ends[2];
    assert_int_equal(socket ? socketpair(AF_UNIX, SOCK_STREAM, 0, ends) : pipe(ends),
                     0);
    err.reader = ends[0];
    err.writer = ends[1];
    err.kept = dup(STDERR_FILENO);
    (void)dup2(ends[1], STDERR_FILENO);
}

static void restore(void)
{
    (void)dup2(err.kept, STDERR_FILENO);
    (void)close(err.kept);
    (void)close(err.writer);
}

static void fill(int fd)
{
    static const char data[4096];
    int flags = fcntl(fd, F_GETFL);
    (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    while (write(fd, data, sizeof data) > 0) {
    }
    (void)fcntl(fd, F_SETFL, flags);
}

static size_t read_all(char *out, size_t room)
{
    size_t size = 0;
    ssize_t got;
    while (size < room - 1 &&
           (got = read(err.reader, out + size, room - 1 - size)) > 0) {
        size += (size_t)got;
    }
    (void)close(err.reader);
    out[size] = '\0';
    return size;
}

static void lines_go_to_stderr_with_time_and_level(void **state)
{
    for (int socket = 0; socket < 2; socket++) {
        char out[4096];
        int hour;
        int minute;
        int second;
        int milli;
        (void)state;
        redirect(socket == 1);
        struct sp_log_writer *writer = open_writer(NULL);
        sp_log_writer_put(writer, SP_LOG_WARNING, "worker.exit", "worker.exit pool=a");
        ssize_t got =
            read(err.reader, out, sizeof out - 1); // it does not wait for more
        sp_log_writer_close(writer);
        restore();
        (void)close(err.reader);
        assert_true(got > 0);
        out[got] = '\0';
        assert_string_equal(out + 12, " WARN worker.exit pool=a\n");
        assert_int_equal(
            sscanf(out, "%2d:%2d:%2d.%3d", &hour, &minute, &second, &milli), 4);
    }
}

static void a_full_stderr_holds_up_nobody_and_keeps_its_flags(void **state)
{
    for (int socket = 0; socket < 2; socket++) {
        (void)state;
        redirect(socket == 1);
        fill(STDERR_FILENO);
        int before = fcntl(STDERR_FILENO, F_GETFL);
        struct sp_log_writer *writer = open_writer(NULL);
        (void)put_many(writer);
        int during = fcntl(STDERR_FILENO, F_GETFL);
        sp_log_writer_close(writer); // would hang here
        int after = fcntl(STDERR_FILENO, F_GETFL);
        restore();
        (void)close(err.reader);
        assert_int_equal(before, during);
        assert_int_equal(before, after);
    }
}

static void a_late_reader_gets_whole_lines(void **state)
{
    enum { LINES = 100, SIZE = 2000 };
    static char out[LINES * (SIZE + 64)];
    char line[SIZE + 1];
    size_t size = 0;
    size_t lines = 0;
    (void)state;
    redirect(false);
    fill(STDERR_FILENO);
    struct sp_log_writer *writer = open_writer(NULL);
    memset(line, 'x', SIZE);
    line[SIZE] = '\0';
    for (int i = 0; i < LINES; i++) {
        sp_log_writer_put(writer, SP_LOG_INFO, "x", line);
    }
    while (lines < LINES) {
        char byte;
        if (read(err.reader, &byte, 1) == 1 && byte != '\0') { // what it was full of
            out[size++] = byte;
            lines += byte == '\n';
        }
    }
    sp_log_writer_close(writer);
    restore();
    (void)close(err.reader);
    out[size] = '\0';
    for (const char *at = out; *at != '\0'; at += strcspn(at, "\n") + 1) {
        assert_int_equal(strcspn(at, "\n"), 12 + strlen(" INFO ") + SIZE);
    }
}

// Whoever reads a pipe to its end waits for all who hold it.
static void an_idle_writer_does_not_hold_stderr(void **state)
{
    char out[4096];
    (void)state;
    redirect(false);
    struct sp_log_writer *writer = open_writer(NULL);
    sp_log_writer_put(writer, SP_LOG_WARNING, "a", "a line");
    restore();
    size_t size = read_all(out, sizeof out); // would hang here
    sp_log_writer_close(writer);
    assert_true(size == 0 || out[size - 1] == '\n'); // it may have come too late
}

static void a_stderr_without_a_reader_ends_nobody(void **state)
{
    for (int socket = 0; socket < 2; socket++) {
        (void)state;
        (void)signal(SIGPIPE, SIG_DFL);
        redirect(socket == 1);
        (void)close(err.reader);
        struct sp_log_writer *writer = open_writer(NULL);
        (void)put_many(writer);
        sp_log_writer_close(writer);
        restore();
    }
}

static void a_closed_stderr_ends_nobody(void **state)
{
    (void)state;
    int kept = dup(STDERR_FILENO);
    (void)close(STDERR_FILENO);
    struct sp_log_writer *writer = open_writer(NULL);
    (void)put_many(writer);
    sp_log_writer_close(writer);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
}

static void without_memory_there_is_no_writer(void **state)
{
    (void)state;
    struct sp_log_writer *writer = NULL;
    sp_memory_fail_at(1);
    assert_int_equal(sp_log_writer_open(hear, &heard, &writer), SNAKEPIT_NO_MEMORY);
    assert_null(writer);
    sp_log_writer_close(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_was_put_is_told_before_it_closes, forget),
        cmocka_unit_test_setup(a_flush_waits_for_what_was_put, forget),
        cmocka_unit_test_setup(nobody_waits_for_a_receiver_that_stalls, forget),
        cmocka_unit_test_setup(what_was_dropped_last_is_told_too, forget),
        cmocka_unit_test_setup(lines_of_many_threads_are_all_told_or_counted, forget),
        cmocka_unit_test_setup(a_slow_receiver_does_not_get_all_at_the_close, forget),
        cmocka_unit_test(lines_go_to_stderr_with_time_and_level),
        cmocka_unit_test(a_full_stderr_holds_up_nobody_and_keeps_its_flags),
        cmocka_unit_test(a_late_reader_gets_whole_lines),
        cmocka_unit_test(an_idle_writer_does_not_hold_stderr),
        cmocka_unit_test(a_stderr_without_a_reader_ends_nobody),
        cmocka_unit_test(a_closed_stderr_ends_nobody),
        cmocka_unit_test(without_memory_there_is_no_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
