// SPDX-License-Identifier: MIT
#include "pool/ties.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "pool/seat.h"

#define TTL  1000u
#define MOST 3u

static struct sp_ties ties;
static struct sp_seat seat;

static int fresh(void **state)
{
    (void)state;
    sp_ties_init(&ties, MOST, TTL, &(const struct sp_hash_key){{1, 2}});
    seat = (struct sp_seat){0};
    sp_list_init(&seat.ties);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sp_ties_fini(&ties);
    assert_true(sp_list_empty(&seat.ties));
    return 0;
}

static struct sp_tie *take(const char *session, uint64_t now)
{
    struct sp_tie *tie = sp_ties_take(&ties, session, (uint32_t)strlen(session), now);
    assert_non_null(tie);
    return tie;
}

// One call of the session, from `now` to `now`, at the seat.
static void call(const char *session, uint64_t now)
{
    struct sp_tie *tie = take(session, now);
    if (tie->seat == NULL) {
        sp_tie_to(tie, &seat);
    }
    sp_ties_put(&ties, tie, now);
}

static bool is_tied(const char *session, uint64_t now)
{
    struct sp_tie *tie = take(session, now);
    bool tied = tie->seat != NULL;
    sp_ties_put(&ties, tie, now);
    return tied;
}

static void a_tie_holds_from_call_to_call(void **state)
{
    (void)state;
    for (uint64_t now = 0; now < 100; now++) {
        call("a", now * (TTL - 1));
        assert_int_equal(ties.names.count, 1);
    }
    assert_true(is_tied("a", 100 * (TTL - 1)));
}

static void an_idle_tie_expires(void **state)
{
    (void)state;
    call("a", 10);
    call("b", 11);
    assert_true(is_tied("b", 10 + TTL));
    assert_false(is_tied("a", 10 + TTL));
}

static void a_tie_never_expires_without_a_time_to_live(void **state)
{
    (void)state;
    ties.ttl = 0;
    call("a", 0);
    assert_true(is_tied("a", SP_NEVER - 1));
}

static void a_tie_does_not_expire_while_calls_are_under_way(void **state)
{
    (void)state;
    struct sp_tie *tie = take("a", 0);
    sp_tie_to(tie, &seat);
    assert_true(is_tied("a", 10 * TTL));
    assert_true(sp_ties_are_busy(&ties, "a", 1));
    sp_ties_put(&ties, tie, 10 * TTL);
    assert_false(sp_ties_are_busy(&ties, "a", 1));
    assert_true(is_tied("a", 11 * TTL - 1));
}

static void the_tie_that_was_idle_longest_makes_room(void **state)
{
    (void)state;
    call("a", 0);
    call("b", 1);
    call("c", 2);
    call("a", 3);
    call("d", 4);
    assert_int_equal(ties.names.count, MOST);
    assert_null(sp_names_find(&ties.names, "b", 1));
    assert_true(is_tied("a", 5));
}

static void ties_of_calls_under_way_are_never_thrown_out(void **state)
{
    (void)state;
    struct sp_tie *held[MOST + 2];
    for (uint32_t i = 0; i < MOST + 2; i++) {
        char name[2] = {(char)('a' + i), 0};
        held[i] = take(name, 0);
    }
    assert_int_equal(ties.names.count, MOST + 2);
    for (uint32_t i = 0; i < MOST + 2; i++) {
        sp_ties_put(&ties, held[i], 1);
    }
    assert_int_equal(ties.names.count, MOST);
}

static void a_million_names_leave_the_table_small(void **state)
{
    (void)state;
    size_t room = 0;
    for (uint32_t i = 0; i < 1000000; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "%u", i);
        call(name, i);
        room = ties.names.room > room ? ties.names.room : room;
    }
    assert_int_equal(ties.names.count, MOST);
    assert_int_equal(room, 16);
}

static void expired_ties_leave_as_names_come(void **state)
{
    (void)state;
    ties.most = 100;
    for (uint32_t i = 0; i < 60; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "old %u", i);
        call(name, 0);
    }
    for (uint32_t i = 0; i < 30; i++) {
        char name[16];
        (void)snprintf(name, sizeof name, "new %u", i);
        call(name, TTL);
    }
    assert_int_equal(ties.names.count, 30);
}

static void an_ended_session_begins_anew(void **state)
{
    (void)state;
    call("a", 0);
    sp_ties_end(&ties, "a", 1);
    assert_int_equal(ties.names.count, 0);
    sp_ties_end(&ties, "a", 1);
    assert_false(is_tied("a", 1));
}

static void an_ended_session_keeps_its_tie_for_the_calls_it_has(void **state)
{
    (void)state;
    struct sp_tie *old = take("a", 0);
    sp_tie_to(old, &seat);
    sp_ties_end(&ties, "a", 1);
    assert_false(is_tied("a", 1));
    assert_ptr_equal(old->seat, &seat);
    sp_ties_put(&ties, old, 2);
    assert_int_equal(ties.names.count, 1);
}

static void without_memory_there_is_no_tie(void **state)
{
    (void)state;
    for (long n = 1; n <= 2; n++) {
        sp_memory_fail_at(n);
        assert_null(sp_ties_take(&ties, "a", 1, 0));
        assert_true(sp_memory_has_failed());
        sp_memory_fail_at(0);
        assert_int_equal(ties.names.count, 0);
    }
    call("a", 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_tie_holds_from_call_to_call),
        test(an_idle_tie_expires),
        test(a_tie_never_expires_without_a_time_to_live),
        test(a_tie_does_not_expire_while_calls_are_under_way),
        test(the_tie_that_was_idle_longest_makes_room),
        test(ties_of_calls_under_way_are_never_thrown_out),
        test(a_million_names_leave_the_table_small),
        test(expired_ties_leave_as_names_come),
        test(an_ended_session_begins_anew),
        test(an_ended_session_keeps_its_tie_for_the_calls_it_has),
        test(without_memory_there_is_no_tie),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
