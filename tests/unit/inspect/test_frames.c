// SPDX-License-Identifier: MIT
#include "inspect/frames.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "python.h"
#include "support/chance.h"

#define DEEP 300

// Owner: the test that runs.
static struct {
    struct sp_memory *memory;
    struct sp_python_map map;
    struct sp_objects objects;
    struct sp_frames frames;
    struct text names[3];
    struct text file;
    struct code codes[3];
    struct frame chain[DEEP];
    struct state thread;
} here;

static int begin(void **state)
{
    (void)state;
    memset(&here, 0, sizeof here);
    here.map = the_map();
    here.memory = memory_of_ours();
    here.objects = (struct sp_objects){.memory = here.memory, .map = &here.map};
    here.file = text_of("tools.py");
    for (int i = 0; i < 3; i++) {
        static const char *const names[] = {"inner", "middle", "outer"};
        here.names[i] = text_of(names[i]);
        here.codes[i] = code_of(&here.names[i], &here.file);
        here.chain[i] = (struct frame){.code = &here.codes[i],
                                       .at = &here.codes[i].units[1 + 2 * i],
                                       .outer = i < 2 ? &here.chain[i + 1] : NULL};
    }
    here.thread.frame = &here.chain[0];
    return here.memory == NULL;
}

static int end(void **state)
{
    (void)state;
    sp_buf_fini(&here.objects.table);
    free(here.memory);
    return 0;
}

static void read_frames(void)
{
    sp_frames_read(&here.objects, address(&here.thread), &here.frames);
}

static void frames_come_innermost_first(void **state)
{
    (void)state;
    read_frames();
    assert_int_equal(here.frames.end, SP_FRAMES_WHOLE);
    assert_false(here.frames.moved);
    assert_int_equal(here.frames.count, 3);
    assert_string_equal(here.frames.places[0].function, "inner");
    assert_int_equal(here.frames.places[0].line, 7);
    assert_string_equal(here.frames.places[2].function, "outer");
    assert_int_equal(here.frames.places[2].line, 9);
}

static void the_innermost_frame_may_be_held_by_something_else(void **state)
{
    struct {
        uint64_t unused;
        const struct frame *frame;
    } holder = {0, &here.chain[0]};
    (void)state;
    here.map.holder_frame = sizeof(uint64_t);
    here.thread.frame = (const void *)&holder;
    read_frames();
    assert_int_equal(here.frames.count, 3);
    here.thread.frame = NULL;
    read_frames();
    assert_int_equal(here.frames.count, 0);
    assert_int_equal(here.frames.end, SP_FRAMES_LOST);
}

static void frames_that_are_not_pythons_are_left_out(void **state)
{
    (void)state;
    here.chain[1].owner = OWNED_BY_C;
    here.chain[1].code = NULL;
    read_frames();
    assert_int_equal(here.frames.end, SP_FRAMES_WHOLE);
    assert_int_equal(here.frames.count, 2);
    assert_string_equal(here.frames.places[1].function, "outer");
}

static void
a_frame_that_has_not_begun_is_left_out_unless_it_is_a_coroutines(void **state)
{
    (void)state;
    here.chain[0].at = &here.codes[0].units[0];
    read_frames();
    assert_int_equal(here.frames.count, 2);
    here.chain[0].owner = OWNED_BY_COROUTINE;
    read_frames();
    assert_int_equal(here.frames.count, 3);
}

static void a_thread_without_frames_has_none(void **state)
{
    (void)state;
    here.thread.frame = NULL;
    read_frames();
    assert_int_equal(here.frames.count, 0);
    assert_int_equal(here.frames.end, SP_FRAMES_WHOLE);
}

static void of_a_deep_stack_the_innermost_frames_are_told(void **state)
{
    (void)state;
    for (int i = 0; i < DEEP; i++) {
        here.chain[i] =
            (struct frame){.code = &here.codes[0],
                           .at = &here.codes[0].units[1],
                           .outer = i + 1 < DEEP ? &here.chain[i + 1] : NULL};
    }
    read_frames();
    assert_int_equal(here.frames.end, SP_FRAMES_CUT);
    assert_int_equal(here.frames.count, SP_FRAMES_MOST);
}

static void a_circle_of_frames_ends(void **state)
{
    (void)state;
    here.chain[2].outer = &here.chain[0];
    read_frames();
    assert_int_equal(here.frames.end, SP_FRAMES_CUT);
    here.chain[0].owner = OWNED_BY_C;
    here.chain[0].outer = &here.chain[0];
    read_frames();
    assert_int_equal(here.frames.end, SP_FRAMES_CUT);
    assert_int_equal(here.frames.count, 0);
}

static void what_is_read_before_a_chain_is_lost_is_told(void **state)
{
    (void)state;
    here.chain[1].outer = (const void *)16;
    read_frames();
    assert_int_equal(here.frames.end, SP_FRAMES_LOST);
    assert_int_equal(here.frames.count, 2);
    here.chain[1].outer = (const char *)&here.chain[2] + 1;
    read_frames();
    assert_int_equal(here.frames.end, SP_FRAMES_LOST);
    here.chain[1].outer = &here.chain[2];
    here.chain[2].code = &here.names[0];
    read_frames();
    assert_int_equal(here.frames.end, SP_FRAMES_LOST);
    assert_int_equal(here.frames.count, 2);
}

static void a_thread_that_cannot_be_read_has_no_frames(void **state)
{
    (void)state;
    sp_frames_read(&here.objects, 24, &here.frames);
    assert_int_equal(here.frames.end, SP_FRAMES_LOST);
    assert_int_equal(here.frames.count, 0);
}

// Another frame is the innermost one at each look.
static int read_while_it_moves(void *user, uint64_t at, void *room, size_t size)
{
    here.thread.frame++;
    return sp_memory_of_process(user, at, room, size);
}

static void a_thread_that_does_not_hold_still_is_told_to_move(void **state)
{
    (void)state;
    for (int i = 0; i < DEEP; i++) {
        here.chain[i] =
            (struct frame){.code = &here.codes[0], .at = &here.codes[0].units[1]};
    }
    here.memory->read = read_while_it_moves;
    read_frames();
    assert_true(here.frames.moved);
    assert_int_equal(here.frames.end, SP_FRAMES_WHOLE);
    assert_int_equal(here.frames.count, 1);
}

// Whatever lies in memory: it ends, and what it tells is sound.
static void any_memory_at_all_is_survived(void **state)
{
    uint64_t *words = (uint64_t *)(void *)&here.names;
    size_t count = (sizeof here - offsetof(__typeof__(here), names)) / sizeof *words;
    (void)state;
    chance_seed = 11;
    for (uint32_t round = 0; round < 3000; round++) {
        for (uint32_t i = 0; i < 20; i++) {
            uint64_t other = address(&words[below(count)]);
            words[below(count)] = below(3) == 0 ? nasty() : other;
        }
        if (below(8) == 0) {
            uint32_t *field = (uint32_t *)(void *)&here.map;
            field[1 + below(29)] = (uint32_t)below(200);
            here.map.unit = here.map.unit == 0 ? 1 : here.map.unit % 16 + 1;
            here.map.text_kind |= 4;
        }
        read_frames();
        assert_true(here.frames.count <= SP_FRAMES_MOST);
        for (uint32_t i = 0; i < here.frames.count; i++) {
            const struct sp_code_place *place = &here.frames.places[i];
            assert_true(strnlen(place->function, SP_FUNCTION_MAX) < SP_FUNCTION_MAX);
            assert_true(strnlen(place->file, SP_FILE_MAX) < SP_FILE_MAX);
        }
        if (below(4) == 0) {
            struct sp_memory *memory = here.memory;
            struct sp_buf table = here.objects.table;
            assert_int_equal(begin(NULL), 0);
            free(here.memory);
            here.memory = memory;
            here.objects.memory = memory;
            here.objects.table = table;
        }
    }
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(frames_come_innermost_first),
        TEST(the_innermost_frame_may_be_held_by_something_else),
        TEST(frames_that_are_not_pythons_are_left_out),
        TEST(a_frame_that_has_not_begun_is_left_out_unless_it_is_a_coroutines),
        TEST(a_thread_without_frames_has_none),
        TEST(of_a_deep_stack_the_innermost_frames_are_told),
        TEST(a_circle_of_frames_ends),
        TEST(what_is_read_before_a_chain_is_lost_is_told),
        TEST(a_thread_that_cannot_be_read_has_no_frames),
        TEST(a_thread_that_does_not_hold_still_is_told_to_move),
        TEST(any_memory_at_all_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
