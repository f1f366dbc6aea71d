// SPDX-License-Identifier: MIT
// Structs of options as older, equal, newer and careless programs hand them over.
#include "pit/pit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

// As an earlier version knew them, as this library does, and as a later version may.
struct earlier {
    size_t size;
    const char *name;
};
struct now {
    size_t size;
    const char *name;
    size_t number;
};
struct later {
    struct now now;
    size_t wish;
};

static const void *read_as_now(const void *given, struct now *room, const char **wrong)
{
    memset(room, 0x55, sizeof *room);
    return sp_options_read(given, sizeof *room, room, wrong);
}

static void the_same_version_is_taken_as_it_is(void **state)
{
    (void)state;
    const struct now given = {.size = sizeof given, .number = 3};
    struct now room;
    const char *wrong;
    assert_ptr_equal(read_as_now(&given, &room, &wrong), &given);
    assert_null(wrong);
    assert_null(read_as_now(NULL, &room, &wrong));
    assert_null(wrong);
}

// The program's struct ends where its memory ends: what is behind it may not be read.
static void an_older_program_gets_defaults_for_what_it_does_not_know(void **state)
{
    (void)state;
    struct earlier *given = malloc(sizeof *given);
    assert_non_null(given);
    *given = (struct earlier){.size = sizeof *given, .name = "x"};
    struct now room;
    const char *wrong;
    const struct now *read = read_as_now(given, &room, &wrong);
    assert_null(wrong);
    assert_ptr_equal(read, &room);
    assert_string_equal(read->name, "x");
    assert_int_equal(read->number, 0);
    free(given);
}

static void a_newer_program_that_wants_nothing_new_is_served(void **state)
{
    (void)state;
    const struct later given = {.now = {.size = sizeof given, .number = 3}};
    struct now room;
    const char *wrong;
    const struct now *read = read_as_now(&given, &room, &wrong);
    assert_null(wrong);
    assert_int_equal(read->number, 3);
}

static void a_newer_program_that_wants_something_new_is_refused(void **state)
{
    (void)state;
    const struct later given = {.now = {.size = sizeof given}, .wish = 1};
    struct now room;
    const char *wrong;
    (void)read_as_now(&given, &room, &wrong);
    assert_non_null(strstr(wrong, "later snakepit.h"));
}

static void a_size_that_was_not_set_is_refused(void **state)
{
    (void)state;
    const size_t sizes[] = {0, 1, sizeof(struct now) - 1, 1 << 20, SIZE_MAX};
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        const struct now given = {.size = sizes[i]};
        struct now room;
        const char *wrong;
        (void)read_as_now(&given, &room, &wrong);
        assert_non_null(strstr(wrong, "sizeof"));
    }
}

// ---- Structs that the library fills -------------------------------------------

static const struct now filled = {.size = sizeof filled, .name = "x", .number = 7};

static void an_older_program_gets_what_it_knows_and_nothing_behind_it(void **state)
{
    (void)state;
    struct now given;
    memset(&given, 0x55, sizeof given);
    given.size = sizeof(struct earlier);
    const size_t behind = given.number;
    assert_true(sp_struct_write(&given, &filled, sizeof filled));
    assert_int_equal(given.size, sizeof(struct earlier));
    assert_string_equal(given.name, "x");
    assert_int_equal(given.number, behind);
}

static void a_newer_program_gets_zeros_for_what_is_not_known(void **state)
{
    (void)state;
    struct later given;
    memset(&given, 0x55, sizeof given);
    given.now.size = sizeof given;
    assert_true(sp_struct_write(&given, &filled, sizeof filled));
    assert_int_equal(given.now.size, sizeof given);
    assert_int_equal(given.now.number, 7);
    assert_int_equal(given.wish, 0);
}

static void nothing_is_written_without_a_size(void **state)
{
    (void)state;
    struct now given = {.size = 0, .number = 3};
    assert_false(sp_struct_write(&given, &filled, sizeof filled));
    given.size = sizeof given + 1;
    assert_false(sp_struct_write(&given, &filled, sizeof filled));
    assert_int_equal(given.number, 3);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_older_program_gets_what_it_knows_and_nothing_behind_it),
        cmocka_unit_test(a_newer_program_gets_zeros_for_what_is_not_known),
        cmocka_unit_test(nothing_is_written_without_a_size),
        cmocka_unit_test(the_same_version_is_taken_as_it_is),
        cmocka_unit_test(an_older_program_gets_defaults_for_what_it_does_not_know),
        cmocka_unit_test(a_newer_program_that_wants_nothing_new_is_served),
        cmocka_unit_test(a_newer_program_that_wants_something_new_is_refused),
        cmocka_unit_test(a_size_that_was_not_set_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
