// SPDX-License-Identifier: MIT
// A tube by hand: both ends in one thread, with memory of the test's own as the results
// segment. What a hostile writer may claim has a test each.
#include "ipc/tube.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#define TUBE_AT 128u
#define TOTAL   (TUBE_AT + SP_TUBE_BYTES + 4096u)

struct ends {
    struct sp_slot slot;
    struct sp_tube_writer writer;
    struct sp_tube_reader reader;
    _Alignas(SP_LINE) uint8_t results[TOTAL];
};

static int open_ends(void **state)
{
    static struct ends ends;
    memset(&ends, 0, sizeof ends);
    ends.slot.result.tube = TUBE_AT; // of the call before
    atomic_store(&ends.slot.result.tube_tail, 12345);
    atomic_store(&ends.slot.result.state, SP_SLOT_RUNNING);
    sp_tube_clear(&ends.slot);
    sp_tube_writer_init(&ends.writer, &ends.slot, ends.results + TUBE_AT, TUBE_AT);
    ends.reader = (struct sp_tube_reader){.results = ends.results, .size = TOTAL};
    *state = &ends;
    return 0;
}

static bool put(struct ends *ends, const void *bytes, uint32_t size, uint64_t *head)
{
    const struct sp_chunk chunk = {
        .body = SP_CHUNK_HERE, .body_size = size, .lease = SP_NO_LEASE};
    if (!sp_tube_has_room(&ends->writer, size, head)) {
        return false;
    }
    sp_tube_put(&ends->writer, &chunk, bytes);
    return true;
}

static void must_put(struct ends *ends, const void *bytes, uint32_t size)
{
    uint64_t head;
    assert_true(put(ends, bytes, size, &head));
}

static snakepit_err look(struct ends *ends)
{
    const struct sp_tube_claim claim = sp_tube_look(&ends->slot);
    return sp_tube_believe(&ends->reader, &claim);
}

static void assert_reads(struct ends *ends, const void *bytes, uint32_t size)
{
    struct sp_tube_piece piece;
    assert_int_equal(look(ends), SNAKEPIT_OK);
    assert_int_equal(sp_tube_next(&ends->reader, &piece), SNAKEPIT_OK);
    assert_int_equal(piece.size, size);
    assert_memory_equal(piece.body, bytes, size);
}

static void assert_is_empty(struct ends *ends)
{
    struct sp_tube_piece piece;
    assert_int_equal(look(ends), SNAKEPIT_OK);
    assert_false(sp_tube_has_more(&ends->reader));
    assert_int_equal(sp_tube_next(&ends->reader, &piece), SNAKEPIT_NOT_FOUND);
}

// ---- What honest ends do ------------------------------------------------------

static void chunks_arrive_in_order(void **state)
{
    struct ends *ends = *state;
    assert_is_empty(ends);
    must_put(ends, "one", 3);
    must_put(ends, "", 0);
    must_put(ends, "three", 5);
    assert_reads(ends, "one", 3);
    assert_reads(ends, "", 0);
    assert_reads(ends, "three", 5);
    assert_is_empty(ends);
}

static void a_chunk_outside_names_its_place(void **state)
{
    struct ends *ends = *state;
    uint64_t head;
    const uint64_t at = TUBE_AT + SP_TUBE_BYTES + 10;
    memcpy(ends->results + at, "outside", 7);
    const struct sp_chunk chunk = {.body = at, .body_size = 7, .lease = 3};
    assert_true(sp_tube_has_room(&ends->writer, 0, &head));
    sp_tube_put(&ends->writer, &chunk, NULL);
    assert_reads(ends, "outside", 7);
    // It keeps memory, so the worker is told although it is small.
    assert_true(sp_tube_wants_to_tell(&ends->reader));
    assert_true(sp_tube_tell(&ends->reader, &ends->slot));
    assert_false(sp_tube_tell(&ends->reader, &ends->slot));
    assert_int_equal(sp_tube_head(&ends->writer), ends->writer.tail);
}

static void no_chunk_goes_over_the_end(void **state)
{
    struct ends *ends = *state;
    static uint8_t bytes[SP_CHUNK_INLINE];
    uint64_t head;
    // Sizes that do not divide the tube, for many turns of it.
    for (uint32_t i = 0; i < 1000; i++) {
        uint32_t size = 1 + i * 7919 % SP_CHUNK_INLINE;
        memset(bytes, (int)i, size);
        assert_true(put(ends, bytes, size, &head));
        assert_reads(ends, bytes, size);
        (void)sp_tube_tell(&ends->reader, &ends->slot);
    }
    assert_true(ends->reader.head > 100u * SP_TUBE_BYTES);
    assert_is_empty(ends);
}

static void a_full_tube_says_how_far_to_wait(void **state)
{
    struct ends *ends = *state;
    static const uint8_t bytes[1000];
    uint64_t head = 0;
    uint32_t count = 0;
    while (put(ends, bytes, sizeof bytes, &head)) {
        count++;
    }
    assert_int_equal(count, SP_TUBE_BYTES / 1024);
    assert_int_equal(head, SP_TUBE_BYTES / 2);
    struct sp_tube_piece piece;
    assert_int_equal(look(ends), SNAKEPIT_OK);
    while (ends->reader.head < head) {
        assert_false(put(ends, bytes, sizeof bytes, &head));
        assert_int_equal(sp_tube_next(&ends->reader, &piece), SNAKEPIT_OK);
    }
    assert_true(sp_tube_wants_to_tell(&ends->reader));
    assert_true(sp_tube_tell(&ends->reader, &ends->slot));
    must_put(ends, bytes, sizeof bytes);
}

static void a_wait_for_room_can_always_end(void **state)
{
    struct ends *ends = *state;
    static uint8_t bytes[SP_CHUNK_INLINE];
    uint64_t head;
    for (uint32_t first = 0; first < SP_CHUNK_INLINE; first += 333) {
        assert_int_equal(open_ends(state), 0);
        must_put(ends, bytes, first);
        while (put(ends, bytes, SP_CHUNK_INLINE, &head)) {
        }
        assert_true(head > 0 && head <= ends->writer.tail);
        __atomic_store_n(&ends->slot.request.tube_head, head, __ATOMIC_RELEASE);
        must_put(ends, bytes, SP_CHUNK_INLINE);
    }
}

static void a_writer_ignores_a_head_that_cannot_be(void **state)
{
    struct ends *ends = *state;
    must_put(ends, "one", 3);
    must_put(ends, "two", 3);
    __atomic_store_n(&ends->slot.request.tube_head, 4096, __ATOMIC_RELEASE);
    assert_int_equal(sp_tube_head(&ends->writer), 0);
    __atomic_store_n(&ends->slot.request.tube_head, 32, __ATOMIC_RELEASE);
    assert_int_equal(sp_tube_head(&ends->writer), 32);
    __atomic_store_n(&ends->slot.request.tube_head, 16, __ATOMIC_RELEASE);
    assert_int_equal(sp_tube_head(&ends->writer), 32);
}

static void a_put_wakes_a_reader_that_sleeps(void **state)
{
    struct ends *ends = *state;
    atomic_store(&ends->slot.result.state, SP_SLOT_RUNNING | SP_SLOT_WAITER);
    must_put(ends, "one", 3);
    assert_int_equal(atomic_load(&ends->slot.result.state), SP_SLOT_RUNNING);
}

// ---- What a hostile writer claims ---------------------------------------------

static void assert_look_refuses(struct ends *ends, uint64_t tail)
{
    atomic_store(&ends->slot.result.tube_tail, tail);
    assert_int_equal(look(ends), SNAKEPIT_PROTOCOL);
}

static void a_tail_that_cannot_be_is_refused(void **state)
{
    struct ends *ends = *state;
    assert_look_refuses(ends, SP_TUBE_BYTES + 16); // more than the tube holds
    assert_look_refuses(ends, 24);                 // no chunk ends there
    assert_look_refuses(ends, UINT64_MAX - 15);
    atomic_store(&ends->slot.result.tube_tail, 0);
    must_put(ends, "one", 3);
    assert_reads(ends, "one", 3);
    assert_look_refuses(ends, 16); // it was at 32
}

static void a_tube_outside_of_the_segment_is_refused(void **state)
{
    struct ends *ends = *state;
    const uint64_t places[] = {
        TOTAL - SP_TUBE_BYTES + 16, TUBE_AT + 8, UINT64_MAX - 15};
    must_put(ends, "one", 3);
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        ends->slot.result.tube = places[i];
        assert_int_equal(look(ends), SNAKEPIT_PROTOCOL);
    }
}

static void assert_next_refuses(struct ends *ends, struct sp_chunk chunk, uint64_t at)
{
    struct sp_tube_piece piece;
    memcpy(ends->results + TUBE_AT + at % SP_TUBE_BYTES, &chunk, sizeof chunk);
    struct sp_tube_reader reader = ends->reader;
    assert_int_equal(sp_tube_next(&reader, &piece), SNAKEPIT_PROTOCOL);
}

static void a_chunk_that_cannot_be_is_refused(void **state)
{
    struct ends *ends = *state;
    must_put(ends, "one", 3);
    assert_int_equal(look(ends), SNAKEPIT_OK);
    const struct sp_chunk wrong[] = {
        {SP_CHUNK_HERE, 17, SP_NO_LEASE},                  // behind the tail
        {SP_CHUNK_HERE, SP_CHUNK_INLINE + 1, SP_NO_LEASE}, // too large to be here
        {SP_CHUNK_HERE, UINT32_MAX, SP_NO_LEASE},
        {SP_CHUNK_SKIP, 0, SP_NO_LEASE}, // from the start to the start
        {TOTAL, 1, SP_NO_LEASE},
        {TOTAL - 1, 2, SP_NO_LEASE},
        {TOTAL + 1, 0, SP_NO_LEASE},
        {0, SP_BODY_MAX + 1, SP_NO_LEASE},
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_next_refuses(ends, wrong[i], 0);
    }
}

static void a_chunk_over_the_end_or_a_skip_to_nothing_is_refused(void **state)
{
    struct ends *ends = *state;
    const uint64_t near_end = SP_TUBE_BYTES - 32;
    ends->reader.tube = TUBE_AT;
    ends->reader.head = ends->reader.told = near_end;
    ends->reader.tail = near_end + 64;
    assert_next_refuses(
        ends, (struct sp_chunk){SP_CHUNK_HERE, 32, SP_NO_LEASE}, near_end);
    ends->reader.tail = near_end + 32;
    assert_next_refuses(
        ends, (struct sp_chunk){SP_CHUNK_SKIP, 0, SP_NO_LEASE}, near_end);
    ends->reader.tail = near_end + 64;
    const struct sp_chunk skip = {SP_CHUNK_SKIP, 0, SP_NO_LEASE};
    memcpy(ends->results + TUBE_AT + near_end, &skip, sizeof skip);
    assert_next_refuses(ends, skip, 0); // a skip behind a skip
}

#define test(name) cmocka_unit_test_setup(name, open_ends)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(chunks_arrive_in_order),
        test(a_chunk_outside_names_its_place),
        test(no_chunk_goes_over_the_end),
        test(a_full_tube_says_how_far_to_wait),
        test(a_wait_for_room_can_always_end),
        test(a_writer_ignores_a_head_that_cannot_be),
        test(a_put_wakes_a_reader_that_sleeps),
        test(a_tail_that_cannot_be_is_refused),
        test(a_tube_outside_of_the_segment_is_refused),
        test(a_chunk_that_cannot_be_is_refused),
        test(a_chunk_over_the_end_or_a_skip_to_nothing_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
