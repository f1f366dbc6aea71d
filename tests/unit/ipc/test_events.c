// SPDX-License-Identifier: MIT
// Events by hand: both ends in one thread, with memory of the test's own.
#include "ipc/events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/clock.h"

#define TUBE_AT 256u
#define NOW     SP_NS_PER_S
#define TOTAL   (TUBE_AT + SP_TUBE_BYTES + 65536u)

struct ends {
    struct sp_control header;
    struct sp_events_writer writer;
    struct sp_events_reader reader;
    _Alignas(SP_LINE) uint8_t results[TOTAL];
};

static int open_ends(void **state)
{
    static struct ends ends;
    memset(&ends, 0, sizeof ends);
    sp_events_writer_init(
        &ends.writer, &ends.header, ends.results + TUBE_AT, TUBE_AT, NOW);
    sp_events_reader_init(&ends.reader, &ends.header, ends.results, TOTAL);
    *state = &ends;
    return 0;
}

static bool put(struct ends *ends, const char *text)
{
    return sp_events_put(&ends->writer, (const uint8_t *)text, strlen(text));
}

// Whether the host would be told, which it is.
static bool tells(struct ends *ends)
{
    uint32_t turn;
    if (!sp_events_want_to_tell(&ends->writer, NOW, &turn)) {
        return false;
    }
    sp_events_told(&ends->writer, turn);
    return true;
}

static void assert_reads(struct ends *ends, const char *text)
{
    struct sp_tube_piece piece;
    assert_int_equal(sp_events_look(&ends->reader), SNAKEPIT_OK);
    assert_int_equal(sp_events_next(&ends->reader, &piece), SNAKEPIT_OK);
    assert_int_equal(piece.size, strlen(text));
    assert_memory_equal(piece.body, text, piece.size);
}

static void assert_is_empty(struct ends *ends)
{
    struct sp_tube_piece piece;
    assert_int_equal(sp_events_look(&ends->reader), SNAKEPIT_OK);
    assert_int_equal(sp_events_next(&ends->reader, &piece), SNAKEPIT_NOT_FOUND);
}

static void what_is_put_is_read_in_order(void **state)
{
    struct ends *ends = *state;
    assert_true(put(ends, "first"));
    assert_true(put(ends, "second"));
    assert_reads(ends, "first");
    assert_reads(ends, "second");
    assert_is_empty(ends);
}

static void the_host_is_told_once_until_it_sleeps_again(void **state)
{
    struct ends *ends = *state;
    assert_true(put(ends, "a"));
    assert_true(tells(ends));
    assert_true(put(ends, "b"));
    assert_false(tells(ends));
    assert_reads(ends, "a");
    assert_reads(ends, "b");
    sp_events_release(&ends->reader);
    assert_true(sp_events_sleep(&ends->reader));
    assert_true(put(ends, "c"));
    assert_true(tells(ends));
}

static void a_message_that_was_not_sent_is_sent_with_the_next_event(void **state)
{
    struct ends *ends = *state;
    uint32_t turn;
    assert_true(put(ends, "a"));
    assert_true(sp_events_want_to_tell(&ends->writer, NOW, &turn));
    assert_true(put(ends, "b"));
    assert_true(sp_events_want_to_tell(&ends->writer, NOW, &turn));
}

static void the_host_does_not_sleep_over_an_event(void **state)
{
    struct ends *ends = *state;
    assert_int_equal(sp_events_look(&ends->reader), SNAKEPIT_OK);
    assert_true(put(ends, "a"));
    assert_false(sp_events_sleep(&ends->reader));
}

static void a_tube_that_fills_is_told_once_for_each_reading(void **state)
{
    struct ends *ends = *state;
    static uint8_t large[SP_EVENT_MAX];
    assert_true(sp_events_put(&ends->writer, large, sizeof large));
    assert_true(tells(ends)); // the first
    assert_true(sp_events_put(&ends->writer, large, sizeof large));
    assert_true(tells(ends)); // half full
    assert_true(sp_events_put(&ends->writer, large, sizeof large));
    assert_false(tells(ends));
    struct sp_tube_piece piece;
    assert_int_equal(sp_events_look(&ends->reader), SNAKEPIT_OK);
    assert_int_equal(sp_events_next(&ends->reader, &piece), SNAKEPIT_OK);
    sp_events_release(&ends->reader);
    assert_true(tells(ends)); // it was read since, and is half full again
}

static void a_flood_is_told_a_bounded_number_of_times(void **state)
{
    struct ends *ends = *state;
    static uint8_t large[SP_EVENT_MAX];
    int told = 0;
    assert_true(sp_events_put(&ends->writer, large, sizeof large));
    assert_true(tells(ends)); // the first
    for (int i = 0; i < 1000; i++) {
        struct sp_tube_piece piece;
        assert_true(sp_events_put(&ends->writer, large, sizeof large));
        told += tells(ends);
        assert_int_equal(sp_events_look(&ends->reader), SNAKEPIT_OK);
        assert_int_equal(sp_events_next(&ends->reader, &piece), SNAKEPIT_OK);
        sp_events_release(&ends->reader);
    }
    assert_int_equal(told, SP_EVENTS_TELLS_AT_ONCE);
}

static void what_does_not_fit_is_refused_and_counted(void **state)
{
    struct ends *ends = *state;
    static uint8_t large[SP_EVENT_MAX + 1];
    assert_false(sp_events_put(&ends->writer, large, sizeof large));
    while (sp_events_put(&ends->writer, large, SP_EVENT_MAX)) {
    }
    sp_events_drop(&ends->header);
    sp_events_drop(&ends->header);
    assert_int_equal(sp_events_dropped(&ends->reader), 2);
    assert_int_equal(sp_events_dropped(&ends->reader), 0);
    atomic_store(&ends->header.events_dropped, 1); // a liar
    assert_int_equal(sp_events_dropped(&ends->reader), 0);
}

// ---- What a hostile worker may write ------------------------------------------

static void an_event_outside_of_the_tube_is_bounded_too(void **state)
{
    struct ends *ends = *state;
    struct sp_tube_piece piece;
    const struct sp_chunk chunk = {
        .body = 0, .body_size = SP_EVENT_MAX + 1, .lease = SP_NO_LEASE};
    sp_tube_put(&ends->writer.tube, &chunk, NULL);
    assert_int_equal(sp_events_look(&ends->reader), SNAKEPIT_OK);
    assert_int_equal(sp_events_next(&ends->reader, &piece), SNAKEPIT_PROTOCOL);
}

static void a_tail_that_cannot_be_is_a_violation(void **state)
{
    struct ends *ends = *state;
    const uint64_t tails[] = {8, SP_TUBE_BYTES + 16, UINT64_MAX - 15};
    for (size_t i = 0; i < 3; i++) {
        atomic_store(&ends->header.events.result.tube_tail, tails[i]);
        assert_int_equal(sp_events_look(&ends->reader), SNAKEPIT_PROTOCOL);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(what_is_put_is_read_in_order, open_ends),
        cmocka_unit_test_setup(the_host_is_told_once_until_it_sleeps_again, open_ends),
        cmocka_unit_test_setup(a_message_that_was_not_sent_is_sent_with_the_next_event,
                               open_ends),
        cmocka_unit_test_setup(the_host_does_not_sleep_over_an_event, open_ends),
        cmocka_unit_test_setup(a_tube_that_fills_is_told_once_for_each_reading,
                               open_ends),
        cmocka_unit_test_setup(a_flood_is_told_a_bounded_number_of_times, open_ends),
        cmocka_unit_test_setup(what_does_not_fit_is_refused_and_counted, open_ends),
        cmocka_unit_test_setup(an_event_outside_of_the_tube_is_bounded_too, open_ends),
        cmocka_unit_test_setup(a_tail_that_cannot_be_is_a_violation, open_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
