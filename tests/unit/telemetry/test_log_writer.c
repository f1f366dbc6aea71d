// SPDX-License-Identifier: MIT
#include "telemetry/log_writer.h"

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
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "telemetry/notice_write.h"

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

static const struct sp_notice_field fields[] = {
    {"number", SP_NOTICE_FIELD_COUNT, ""},
    {"line", SP_NOTICE_FIELD_TEXT, ""},
    {"other", SP_NOTICE_FIELD_WORD, ""},
};
static const struct sp_notice_kind kind = {"n", SP_LOG_INFO, "", fields, 3};

static void put(struct sp_log_writer *writer,
                enum sp_log_level level,
                uint64_t number,
                const char *line)
{
    const union sp_notice_value values[] = {{.count = number}, {line}, {NULL}};
    const struct sp_notice notice = {&kind, level, 1764496800123456789, values};
    sp_log_writer_put(writer, &notice);
}

static void hear(void *user, const struct sp_notice *notice)
{
    char line[SP_LOG_LINE_MAX];
    unsigned long long dropped;
    unsigned number;
    assert_ptr_equal(user, &heard);
    (void)sp_notice_line(notice, line, sizeof line);
    pthread_mutex_lock(&heard.lock);
    if (sscanf(line, "log.dropped lines=%llu", &dropped) == 1) {
        heard.dropped += dropped;
        heard.next += (unsigned)dropped;
    } else {
        heard.lines++;
    }
    if (sscanf(line, "n number=%u", &number) == 1) {
        heard.in_order = heard.in_order && number == heard.next;
        heard.next++;
    }
    heard.level = notice->level;
    (void)snprintf(heard.event, sizeof heard.event, "%s", notice->kind->name);
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

static struct sp_log_writer *open_for(struct sp_log_target target)
{
    struct sp_log_writer *writer;
    assert_int_equal(sp_log_writer_open(&target, &writer), SNAKEPIT_OK);
    return writer;
}

static struct sp_log_writer *open_writer(sp_log_fn *take)
{
    return open_for(
        (struct sp_log_target){.format = SP_LOG_NOWHERE, .take = take, .user = &heard});
}

static struct sp_log_writer *open_stderr(enum sp_log_format format)
{
    return open_for((struct sp_log_target){.format = format});
}

static void what_was_put_is_told_before_it_closes(void **state)
{
    (void)state;
    struct sp_log_writer *writer = open_writer(hear);
    put(writer, SP_LOG_ERROR, 7, "a text");
    sp_log_writer_close(writer);
    assert_int_equal(heard.lines, 1);
    assert_int_equal(heard.level, SP_LOG_ERROR);
    assert_string_equal(heard.event, "n");
    assert_string_equal(heard.line, "n number=7 line=\"a text\"");
}

static void a_flush_waits_for_what_was_put(void **state)
{
    (void)state;
    struct sp_log_writer *writer = open_writer(hear);
    for (uint64_t lines = 1; lines <= 100; lines++) {
        put(writer, SP_LOG_ERROR, 0, "a line");
        assert_true(sp_log_writer_flush(writer, 60 * SP_NS_PER_S));
        pthread_mutex_lock(&heard.lock);
        assert_int_equal(heard.lines, lines);
        pthread_mutex_unlock(&heard.lock);
    }
    pthread_mutex_lock(&heard.lock);
    put(writer, SP_LOG_ERROR, 0, "a line");
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
        (void)snprintf(line, sizeof line, "%*s", width, "x");
        put(writer, SP_LOG_INFO, number, line);
    }
}

static void nobody_waits_for_a_receiver_that_stalls(void **state)
{
    (void)state;
    enum { MANY = 20000 };
    struct sp_log_writer *writer = open_writer(hear);
    pthread_mutex_lock(&heard.lock);
    put_numbers(writer, 0, MANY); // would hang here
    put(writer, SP_LOG_WARNING, MANY, "urgent");
    pthread_mutex_unlock(&heard.lock);
    sp_log_writer_close(writer);
    assert_true(heard.dropped > 0);
    assert_true(heard.lines > 100);
    assert_int_equal(heard.lines - 1 + heard.dropped, MANY);
    assert_true(heard.in_order);
    assert_non_null(strstr(heard.line, "urgent")); // there was room left for it
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
        put(writer, SP_LOG_INFO, 0, "a line like any other");
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

static void hear_slowly(void *user, const struct sp_notice *notice)
{
    uint64_t end = sp_clock_now() + SP_NS_PER_S;
    hear(user, notice);
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
        put(writer, SP_LOG_INFO, 0, "a line");
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
        struct sp_log_writer *writer = open_stderr(SP_LOG_TEXT);
        put(writer, SP_LOG_WARNING, 7, "a");
        ssize_t got =
            read(err.reader, out, sizeof out - 1); // it does not wait for more
        sp_log_writer_close(writer);
        restore();
        (void)close(err.reader);
        assert_true(got > 0);
        out[got] = '\0';
        assert_string_equal(out + 12, " WARN n number=7 line=\"a\"\n");
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
        struct sp_log_writer *writer = open_stderr(SP_LOG_TEXT);
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
    struct sp_log_writer *writer = open_stderr(SP_LOG_TEXT);
    memset(line, 'x', SIZE);
    line[SIZE] = '\0';
    for (int i = 0; i < LINES; i++) {
        put(writer, SP_LOG_INFO, 0, line);
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
        assert_int_equal(strcspn(at, "\n"),
                         12 + strlen(" INFO n number=0 line=\"\"") + SIZE);
    }
}

// Whoever reads a pipe to its end waits for all who hold it.
static void an_idle_writer_does_not_hold_stderr(void **state)
{
    char out[4096];
    (void)state;
    redirect(false);
    struct sp_log_writer *writer = open_stderr(SP_LOG_TEXT);
    put(writer, SP_LOG_WARNING, 0, "a line");
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
        struct sp_log_writer *writer = open_stderr(SP_LOG_TEXT);
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
    struct sp_log_writer *writer = open_stderr(SP_LOG_TEXT);
    (void)put_many(writer);
    sp_log_writer_close(writer);
    (void)dup2(kept, STDERR_FILENO);
    (void)close(kept);
}

// One event, read from a stderr that is a pipe.
static size_t
write_one(const struct sp_log_target *target, enum sp_log_level level, char out[4096])
{
    redirect(false);
    struct sp_log_writer *writer = open_for(*target);
    put(writer, level, 7, "it is \"so\"");
    sp_log_writer_close(writer);
    restore();
    return read_all(out, 4096);
}

static void json_is_an_object_a_line(void **state)
{
    char out[4096];
    (void)state;
    const struct sp_log_target target = {.format = SP_LOG_JSON};
    (void)write_one(&target, SP_LOG_WARNING, out);
    assert_string_equal(
        out,
        "{\"time\":\"2025-11-30T10:00:00.123456Z\",\"level\":\"warning\",\"event\":"
        "\"n\",\"number\":7,\"line\":\"it is \\\"so\\\"\"}\n");
}

static void what_is_below_the_level_is_taken_and_not_written(void **state)
{
    char out[4096];
    (void)state;
    const struct sp_log_target target = {
        .level = SP_LOG_WARNING, .take = hear, .user = &heard};
    assert_int_equal(write_one(&target, SP_LOG_INFO, out), 0);
    assert_int_equal(heard.lines, 1);
    assert_true(write_one(&target, SP_LOG_WARNING, out) > 0);
    assert_int_equal(heard.lines, 2);
}

// ---- To the journal -----------------------------------------------------------

// A journal of the test's own; `path` is where it listens.
static int open_journal(struct sockaddr_un *path)
{
    static const char pattern[] = "/tmp/snakepit-journal-XXXXXX";
    *path = (struct sockaddr_un){.sun_family = AF_UNIX};
    memcpy(path->sun_path, pattern, sizeof pattern);
    int made = mkstemp(path->sun_path);
    assert_true(made >= 0);
    (void)close(made);
    (void)unlink(path->sun_path);
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)path, sizeof *path), 0);
    return fd;
}

static void the_journal_gets_fields(void **state)
{
    struct sockaddr_un path;
    char out[4096];
    (void)state;
    int journal = open_journal(&path);
    struct sp_log_writer *writer = open_for(
        (struct sp_log_target){.format = SP_LOG_JOURNALD, .journal = path.sun_path});
    put(writer, SP_LOG_WARNING, 7, "it is \"so\"");
    ssize_t got = recv(journal, out, sizeof out - 1, 0);
    sp_log_writer_close(writer);
    (void)close(journal);
    (void)unlink(path.sun_path);
    assert_true(got > 0);
    out[got] = '\0';
    assert_string_equal(out,
                        "MESSAGE=n number=7 line=\"it is \\\"so\\\"\"\n"
                        "PRIORITY=4\n"
                        "SYSLOG_IDENTIFIER=snakepit\n"
                        "SNAKEPIT_EVENT=n\n"
                        "SNAKEPIT_NUMBER=7\n"
                        "SNAKEPIT_LINE=it is \"so\"\n");
}

static void without_a_journal_lines_go_to_stderr_and_say_why(void **state)
{
    char out[4096];
    (void)state;
    const struct sp_log_target target = {.format = SP_LOG_JOURNALD,
                                         .journal = "/nonexistent/socket"};
    (void)write_one(&target, SP_LOG_WARNING, out);
    assert_non_null(
        strstr(out, " WARN log.no_journal because=\"No such file or directory\"\n"));
    assert_non_null(strstr(out, " WARN n number=7 line=\"it is"));
}

// What was sent to the first one is lost with it.
static void a_journal_that_has_come_again_is_found(void **state)
{
    struct sockaddr_un path;
    char out[4096];
    (void)state;
    int journal = open_journal(&path);
    struct sp_log_writer *writer = open_for(
        (struct sp_log_target){.format = SP_LOG_JOURNALD, .journal = path.sun_path});
    put(writer, SP_LOG_WARNING, 1, "first");
    assert_true(recv(journal, out, sizeof out - 1, 0) > 0);
    (void)close(journal);
    (void)unlink(path.sun_path);
    journal = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(journal, (struct sockaddr *)&path, sizeof path), 0);
    put(writer, SP_LOG_WARNING, 2, "second");
    ssize_t got = recv(journal, out, sizeof out - 1, 0);
    sp_log_writer_close(writer);
    (void)close(journal);
    (void)unlink(path.sun_path);
    assert_true(got > 0);
    out[got] = '\0';
    assert_non_null(strstr(out, "SNAKEPIT_LINE=second\n"));
}

static void a_journal_that_does_not_read_holds_up_nobody(void **state)
{
    struct sockaddr_un path;
    (void)state;
    int journal = open_journal(&path);
    struct sp_log_writer *writer = open_for(
        (struct sp_log_target){.format = SP_LOG_JOURNALD, .journal = path.sun_path});
    (void)put_many(writer);
    sp_log_writer_close(writer); // would hang here
    (void)close(journal);
    (void)unlink(path.sun_path);
}

static void without_memory_there_is_no_writer(void **state)
{
    (void)state;
    struct sp_log_writer *writer = NULL;
    sp_memory_fail_at(1);
    const struct sp_log_target target = {.format = SP_LOG_NOWHERE, .take = hear};
    assert_int_equal(sp_log_writer_open(&target, &writer), SNAKEPIT_NO_MEMORY);
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
        cmocka_unit_test(json_is_an_object_a_line),
        cmocka_unit_test_setup(what_is_below_the_level_is_taken_and_not_written,
                               forget),
        cmocka_unit_test(the_journal_gets_fields),
        cmocka_unit_test(without_a_journal_lines_go_to_stderr_and_say_why),
        cmocka_unit_test(a_journal_that_has_come_again_is_found),
        cmocka_unit_test(a_journal_that_does_not_read_holds_up_nobody),
        cmocka_unit_test(without_memory_there_is_no_writer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
