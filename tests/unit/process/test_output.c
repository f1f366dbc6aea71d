// SPDX-License-Identifier: MIT
#include "process/output.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define LINES_MOST 16

static struct sp_output output;
static int writer;
static struct {
    int count;
    uint64_t takes_ns; // that a line is made to take
    char last[LINES_MOST][SP_LINE_MAX + 1];
    enum sp_log_level levels[LINES_MOST];
} lines;

static void keep_line(void *user, enum sp_log_level level, const char *line)
{
    assert_ptr_equal(user, &lines);
    lines.levels[lines.count % LINES_MOST] = level;
    strcpy(lines.last[lines.count % LINES_MOST], line);
    lines.count++;
    uint64_t end = sp_clock_now() + lines.takes_ns;
    while (lines.takes_ns > 0 && sp_clock_now() < end) {
    }
}

static int open_pipe(void **state)
{
    (void)state;
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC), 0);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    assert_true(fcntl(ends[1], F_SETPIPE_SZ, 1 << 20) > 0);
    writer = ends[1];
    lines.count = 0;
    lines.takes_ns = 0;
    sp_output_init(&output, ends[0], SP_LOG_INFO, keep_line, &lines);
    return 0;
}

static int close_pipe(void **state)
{
    (void)state;
    if (writer >= 0) {
        (void)close(writer);
    }
    sp_output_fini(&output);
    return 0;
}

static void say(const char *bytes, size_t size)
{
    assert_int_equal(write(writer, bytes, size), size);
    assert_true(sp_output_read(&output));
}

static void each_line_is_told_without_its_end(void **state)
{
    (void)state;
    say("one\ntwo\n\nfour", 13);
    assert_int_equal(lines.count, 3);
    assert_string_equal(lines.last[0], "one");
    assert_string_equal(lines.last[1], "two");
    assert_string_equal(lines.last[2], "");
    say(" is long\n", 9);
    assert_string_equal(lines.last[3], "four is long");
}

static void the_last_line_needs_no_end(void **state)
{
    (void)state;
    say("no end", 6);
    assert_int_equal(lines.count, 0);
    (void)close(writer);
    writer = -1;
    assert_false(sp_output_read(&output));
    assert_int_equal(lines.count, 1);
    assert_string_equal(lines.last[0], "no end");
    assert_false(sp_output_read(&output));
    assert_int_equal(lines.count, 1);
}

static void nothing_to_read_is_no_end(void **state)
{
    (void)state;
    assert_true(sp_output_read(&output));
    assert_int_equal(lines.count, 0);
}

static void a_line_that_is_too_long_is_cut(void **state)
{
    (void)state;
    static char text[3 * SP_LINE_MAX];
    memset(text, 'x', sizeof text);
    say(text, 2 * SP_LINE_MAX + 10);
    assert_int_equal(lines.count, 2);
    assert_int_equal(strlen(lines.last[0]), SP_LINE_MAX);
    assert_int_equal(strlen(lines.last[1]), SP_LINE_MAX);
    say("\n", 1);
    assert_int_equal(strlen(lines.last[2]), 10);
}

static void control_bytes_cannot_reach_the_log(void **state)
{
    (void)state;
    for (int byte = 0; byte < 0x20; byte++) {
        char text[4] = {'a', (char)byte, 'b', '\n'};
        if (byte == '\n' || byte == '\t') {
            continue;
        }
        int before = lines.count;
        say(text, sizeof text);
        assert_int_equal(lines.count, before + 1);
        assert_string_equal(lines.last[before % LINES_MOST], "a?b");
    }
    lines.count = 0;
    say("\x1b[31mred\x7f\n\ttab\n", 15);
    assert_string_equal(lines.last[0], "?[31mred?");
    assert_string_equal(lines.last[1], "\ttab");
}

static void a_line_of_just_the_longest_size_is_one_line(void **state)
{
    (void)state;
    static char text[SP_LINE_MAX + 1];
    memset(text, 'x', sizeof text);
    text[SP_LINE_MAX] = '\n';
    say(text, sizeof text);
    assert_int_equal(lines.count, 1);
    say("\n", 1); // this one is empty by itself
    assert_int_equal(lines.count, 2);
    assert_string_equal(lines.last[1], "");
    say(text, SP_LINE_MAX);
    say("\nnext\n", 6);
    assert_int_equal(lines.count, 4);
    assert_string_equal(lines.last[3], "next");
}

static void utf_8_passes(void **state)
{
    (void)state;
    static const char text[] = "gr\xc3\xbc\xc3\x9f \xc2\xa0 \xe2\x82\xac "
                               "\xf0\x9f\x90\x8d";
    say(text, sizeof text - 1);
    say("\n", 1);
    assert_string_equal(lines.last[0], text);
    // A character may come in two reads.
    say("\xe2\x82", 2);
    say("\xac\n", 2);
    assert_string_equal(lines.last[1], "\xe2\x82\xac");
}

static void second_control_codes_cannot_reach_the_log(void **state)
{
    (void)state;
    for (int byte = 0x80; byte < 0xa0; byte++) {
        const char coded[] = {'a', '\xc2', (char)byte, 'b', '\n'};
        const char bare[] = {'a', (char)byte, 'b', '\n'};
        lines.count = 0;
        say(coded, 2);
        say(coded + 2, sizeof coded - 2);
        say(bare, sizeof bare);
        assert_string_equal(lines.last[0], "a??b");
        assert_string_equal(lines.last[1], "a?b");
    }
}

static void bytes_that_are_no_text_are_marked(void **state)
{
    (void)state;
    static const struct {
        const char *said;
        const char *logged;
    } rows[] = {
        {"\xff\n", "?"},
        {"\xc3\n", "?"},
        {"\xe2\x82\n", "??"},
        {"\xe2\x82x\n", "??x"},
        {"\xc0\xaf\n", "??"},
        {"\xc3\x1b[0m\n", "??[0m"},
    };
    for (int i = 0; i < (int)(sizeof rows / sizeof rows[0]); i++) {
        say(rows[i].said, strlen(rows[i].said));
        assert_string_equal(lines.last[i], rows[i].logged);
    }
}

static void the_tail_keeps_the_last_whole_lines(void **state)
{
    (void)state;
    char tail[SP_TAIL_MAX + 1];
    char line[64];
    for (int i = 0; i < 2000; i++) {
        int size = snprintf(line, sizeof line, "line %d\n", i);
        say(line, (size_t)size);
    }
    sp_output_tail(&output, tail, sizeof tail);
    assert_true(strlen(tail) <= SP_TAIL_MAX && strlen(tail) > SP_TAIL_MAX - 64);
    assert_memory_equal(tail, "line ", 5);
    assert_string_equal(tail + strlen(tail) - 10, "line 1999\n");
}

static void the_longest_lines_fit_into_the_tail(void **state)
{
    (void)state;
    static char text[SP_LINE_MAX];
    char tail[SP_TAIL_MAX + 1];
    for (char letter = 'a'; letter <= 'f'; letter++) {
        memset(text, letter, sizeof text);
        say(text, sizeof text);
    }
    sp_output_tail(&output, tail, sizeof tail);
    const size_t fit = SP_TAIL_MAX / (SP_LINE_MAX + 1);
    assert_int_equal(strlen(tail), fit * (SP_LINE_MAX + 1));
    assert_int_equal(tail[0], 'f' + 1 - (int)fit);
    assert_int_equal(tail[SP_LINE_MAX], '\n');
}

static void a_small_room_gets_the_end_of_the_tail(void **state)
{
    (void)state;
    char room[6];
    say("first\nlast\n", 11);
    sp_output_tail(&output, room, sizeof room);
    assert_string_equal(room, "last\n");
    sp_output_tail(&output, room, 1);
    assert_string_equal(room, "");
}

static void a_flood_of_lines_is_read_in_several_turns(void **state)
{
    (void)state;
    static char text[1 << 16];
    const int count = (int)sizeof text;
    memset(text, '\n', sizeof text);
    lines.takes_ns = 10 * SP_NS_PER_US;
    say(text, sizeof text);
    assert_true(lines.count >= 1 && lines.count <= count / 2);
    lines.takes_ns = 0;
    sp_output_drain(&output);
    assert_int_equal(lines.count + (int)sp_output_dropped(&output), count);
}

static void more_lines_than_a_log_takes_are_dropped_and_counted(void **state)
{
    enum { MANY = SP_LINES_AT_ONCE + 50000 };
    static char text[2 * MANY];
    char tail[16];
    (void)state;
    for (int i = 0; i < MANY; i++) {
        text[2 * i] = (char)('a' + i % 26);
        text[2 * i + 1] = '\n';
    }
    assert_int_equal(write(writer, text, sizeof text), sizeof text);
    sp_output_drain(&output);
    assert_true(lines.count >= (int)SP_LINES_AT_ONCE);
    assert_true(sp_output_dropped(&output) > 0);
    assert_int_equal(lines.count + (int)sp_output_dropped(&output), MANY);
    // What was printed last is kept, logged or not.
    const char last[] = {text[sizeof text - 4], '\n', text[sizeof text - 2], '\n', 0};
    sp_output_tail(&output, tail, sizeof last);
    assert_string_equal(tail, last);
}

static void lines_that_nobody_wants_are_not_dropped(void **state)
{
    char tail[16];
    (void)state;
    output.least = SP_LOG_WARNING;
    say("one\n\x01"
        "1two\n",
        10);
    assert_int_equal(lines.count, 0);
    assert_int_equal(sp_output_dropped(&output), 0);
    sp_output_tail(&output, tail, sizeof tail);
    assert_string_equal(tail, "one\ntwo\n");
}

static void expect_line(int index, enum sp_log_level level, const char *text)
{
    assert_string_equal(lines.last[index], text);
    assert_int_equal(lines.levels[index], level);
}

static void a_mark_says_the_level_of_its_line(void **state)
{
    static const char text[] = "\x01"
                               "3broken\n\x01"
                               "2odd\n\x01"
                               "1fine\nplain\n"
                               "\x01"
                               "4no level\n\x01\n\x01"
                               "2\n";
    char tail[64];
    (void)state;
    say(text, sizeof text - 1);
    assert_int_equal(lines.count, 7);
    expect_line(0, SP_LOG_ERROR, "broken");
    expect_line(1, SP_LOG_WARNING, "odd");
    expect_line(2, SP_LOG_INFO, "fine");
    expect_line(3, SP_LOG_INFO, "plain");
    expect_line(4, SP_LOG_INFO, "?4no level");
    expect_line(5, SP_LOG_INFO, "?");
    expect_line(6, SP_LOG_WARNING, "");
    say("\x01"
        "0below\n",
        8);
    assert_int_equal(lines.count, 7);
    sp_output_tail(&output, tail, sizeof "below\n");
    assert_string_equal(tail, "below\n");
}

static void a_mark_in_a_line_begins_another_one(void **state)
{
    (void)state;
    say("loading... \x01", 12);
    say("3broken\nA\x01Z\n", 12);
    assert_int_equal(lines.count, 3);
    expect_line(0, SP_LOG_INFO, "loading... ");
    expect_line(1, SP_LOG_ERROR, "broken");
    expect_line(2, SP_LOG_INFO, "A?Z");
}

static void a_line_that_is_cut_keeps_its_level(void **state)
{
    static char text[SP_LINE_MAX + 100];
    (void)state;
    memset(text, 'x', sizeof text);
    text[0] = SP_LEVEL_MARK;
    text[1] = '2';
    say(text, sizeof text);
    say("\nnext\n", 6);
    assert_int_equal(lines.count, 3);
    assert_int_equal(lines.levels[0], SP_LOG_WARNING);
    assert_int_equal(lines.levels[1], SP_LOG_WARNING);
    expect_line(2, SP_LOG_INFO, "next");
    say(text, SP_LINE_MAX);
    say("\nnext\n", 6);
    assert_int_equal(lines.count, 5);
    expect_line(4, SP_LOG_INFO, "next");
}

static void a_drain_ends_where_a_worker_prints_for_ever(void **state)
{
    (void)state;
    static char text[1 << 16];
    memset(text, '\n', sizeof text);
    // A worker that prints for ever must not keep whoever reads.
    for (int i = 0; i < 16; i++) {
        assert_int_equal(write(writer, text, sizeof text), sizeof text);
    }
    sp_output_drain(&output);
    assert_int_equal(lines.count + (int)sp_output_dropped(&output), 1 << 20);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_pipe, close_pipe)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(more_lines_than_a_log_takes_are_dropped_and_counted),
        test(lines_that_nobody_wants_are_not_dropped),
        test(a_mark_says_the_level_of_its_line),
        test(a_mark_in_a_line_begins_another_one),
        test(a_line_that_is_cut_keeps_its_level),
        test(each_line_is_told_without_its_end),
        test(the_last_line_needs_no_end),
        test(nothing_to_read_is_no_end),
        test(a_line_that_is_too_long_is_cut),
        test(control_bytes_cannot_reach_the_log),
        test(a_line_of_just_the_longest_size_is_one_line),
        test(utf_8_passes),
        test(second_control_codes_cannot_reach_the_log),
        test(bytes_that_are_no_text_are_marked),
        test(the_tail_keeps_the_last_whole_lines),
        test(the_longest_lines_fit_into_the_tail),
        test(a_small_room_gets_the_end_of_the_tail),
        test(a_flood_of_lines_is_read_in_several_turns),
        test(a_drain_ends_where_a_worker_prints_for_ever),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
