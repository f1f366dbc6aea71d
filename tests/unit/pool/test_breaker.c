// SPDX-License-Identifier: MIT
// Breakers with a clock that is a number.
#include "pool/breaker.h"

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "base/clock.h"

#define MS SP_NS_PER_MS

static const struct sp_breaker_terms terms = {
    .failures = 3, .window_ms = 1000, .open_ms = 500};
static struct sp_breakers breakers;
static uint64_t now;
static uint64_t newest; // the number of the call that came last

static int begin(void **state)
{
    (void)state;
    const struct sp_hash_key key = {{1, 2}};
    sp_breakers_init(&breakers, &terms, &key);
    now = 1000000 * MS;
    newest = 0;
    return 0;
}

static int end(void **state)
{
    (void)state;
    sp_breakers_fini(&breakers);
    return 0;
}

static struct sp_slice tool(const char *name)
{
    return (struct sp_slice){(const uint8_t *)name, strlen(name)};
}

static enum sp_breaker_turn
note_call(const char *name, enum sp_attempt_end how, bool probe, uint64_t number)
{
    const struct sp_attempt attempt = {how, probe, number, newest};
    return sp_breakers_note(&breakers, tool(name), &attempt, now);
}

// Of a call that has just come, and is not a probe.
static enum sp_breaker_turn note(const char *name, enum sp_attempt_end how)
{
    newest++;
    return note_call(name, how, false, newest);
}

static enum sp_breaker_turn note_probe(const char *name, enum sp_attempt_end how)
{
    newest++;
    return note_call(name, how, true, newest);
}

// What a call of the tool would be told now.
static enum sp_passage pass(const char *name)
{
    uint64_t again_at;
    return sp_breakers_pass(&breakers, tool(name), now, &again_at);
}

static void open_it(const char *name)
{
    for (uint32_t i = 1; i < terms.failures; i++) {
        assert_int_equal(note(name, SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    }
    assert_int_equal(note(name, SP_ATTEMPT_FAILED), SP_BREAKER_OPENS);
}

static void so_many_failures_within_the_window_open_it(void **state)
{
    (void)state;
    assert_int_equal(pass("a"), SP_PASSAGE_FREE);
    open_it("a");
    assert_int_equal(pass("a"), SP_PASSAGE_REFUSED);
    assert_int_equal(breakers.tripped, 1);
    assert_int_equal(pass("b"), SP_PASSAGE_FREE);
}

static void failures_that_lie_too_far_apart_do_not(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
        now += 501 * MS; // three are 1,002 ms apart
    }
    now += 2000 * MS;
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    now += 500 * MS;
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    now += 500 * MS; // and these exactly as wide as the window
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_OPENS);
}

static void what_says_nothing_of_the_tool_does_not_count(void **state)
{
    (void)state;
    for (int i = 0; i < 20; i++) {
        assert_int_equal(note("a", SP_ATTEMPT_UNDECIDED), SP_BREAKER_STAYS);
        assert_int_equal(note("a", SP_ATTEMPT_SUCCEEDED), SP_BREAKER_STAYS);
    }
    assert_int_equal(breakers.names.count, 0); // nor does it cost memory
}

static void it_says_when_to_come_back(void **state)
{
    (void)state;
    uint64_t again_at = 0;
    open_it("a");
    now += 200 * MS;
    assert_int_equal(sp_breakers_pass(&breakers, tool("a"), now, &again_at),
                     SP_PASSAGE_REFUSED);
    assert_int_equal(again_at, now + 300 * MS);
    now = again_at - 1;
    assert_int_equal(pass("a"), SP_PASSAGE_REFUSED);
    now = again_at;
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
}

// Else one call without an end would keep all others out.
static void a_probe_that_takes_too_long_is_followed_by_another(void **state)
{
    (void)state;
    open_it("a");
    now += 500 * MS;
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
    now += 500 * MS;
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
    assert_int_equal(pass("a"), SP_PASSAGE_REFUSED);
    assert_int_equal(note_probe("a", SP_ATTEMPT_SUCCEEDED), SP_BREAKER_CLOSES);
    assert_int_equal(breakers.tripped, 0);
    // The other one does not close it once more.
    assert_int_equal(note_probe("a", SP_ATTEMPT_SUCCEEDED), SP_BREAKER_STAYS);
    assert_int_equal(breakers.tripped, 0);
    assert_int_equal(pass("a"), SP_PASSAGE_FREE);
}

static void one_call_is_let_through_and_opens_the_way_for_all(void **state)
{
    (void)state;
    open_it("a");
    now += 500 * MS;
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(pass("a"), SP_PASSAGE_REFUSED);
        now += 100 * MS;
    }
    assert_int_equal(note_probe("a", SP_ATTEMPT_SUCCEEDED), SP_BREAKER_CLOSES);
    assert_int_equal(pass("a"), SP_PASSAGE_FREE);
    assert_int_equal(breakers.tripped, 0);
    open_it("a"); // it counts from the beginning
}

static void a_probe_that_fails_opens_it_again(void **state)
{
    (void)state;
    open_it("a");
    for (int i = 0; i < 5; i++) {
        now += 500 * MS;
        assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
        now += 77 * MS;
        assert_int_equal(note_probe("a", SP_ATTEMPT_FAILED), SP_BREAKER_OPENS);
        now += 499 * MS;
        assert_int_equal(pass("a"), SP_PASSAGE_REFUSED);
        now += 1 * MS - 500 * MS;
    }
    assert_int_equal(breakers.tripped, 1);
}

static void a_probe_that_says_nothing_leaves_it_to_the_next(void **state)
{
    (void)state;
    open_it("a");
    now += 500 * MS;
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
    assert_int_equal(note_probe("a", SP_ATTEMPT_UNDECIDED), SP_BREAKER_STAYS);
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
    assert_int_equal(pass("a"), SP_PASSAGE_REFUSED);
}

static void calls_from_before_it_opened_decide_nothing(void **state)
{
    (void)state;
    open_it("a");
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    assert_int_equal(note("a", SP_ATTEMPT_SUCCEEDED), SP_BREAKER_STAYS);
    now += 500 * MS;
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    assert_int_equal(note_probe("a", SP_ATTEMPT_SUCCEEDED), SP_BREAKER_CLOSES);
}

// They may run for long, and fail when all is well again.
static void nor_do_they_when_it_has_closed(void **state)
{
    (void)state;
    newest += 20;
    open_it("a");
    now += 500 * MS;
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
    assert_int_equal(note_probe("a", SP_ATTEMPT_SUCCEEDED), SP_BREAKER_CLOSES);
    for (uint64_t slow = 1; slow <= newest; slow++) {
        assert_int_equal(note_call("a", SP_ATTEMPT_FAILED, false, slow),
                         SP_BREAKER_STAYS);
        assert_int_equal(note_call("a", SP_ATTEMPT_FAILED, true, slow),
                         SP_BREAKER_STAYS);
    }
    open_it("a"); // by calls that came later
}

// It stays open until somebody calls its tool, which may be never.
static void one_that_is_open_is_not_looked_up_for_other_tools(void **state)
{
    (void)state;
    char name[32];
    int concerned = 0;
    open_it("broken");
    for (int i = 0; i < 1000; i++) {
        (void)snprintf(name, sizeof name, "%s_tool_%d", i % 2 == 0 ? "a" : "other", i);
        concerned += sp_breakers_concern(&breakers, tool(name));
    }
    assert_true(concerned < 100);
    assert_true(sp_breakers_concern(&breakers, tool("broken")));
    open_it("");
    open_it("both");
    now += 500 * MS;
    assert_int_equal(pass("broken"), SP_PASSAGE_AS_PROBE);
    assert_int_equal(note_probe("broken", SP_ATTEMPT_SUCCEEDED), SP_BREAKER_CLOSES);
    assert_false(sp_breakers_concern(&breakers, tool("broken")));
    assert_int_equal(pass("both"), SP_PASSAGE_AS_PROBE);
    assert_int_equal(pass(""), SP_PASSAGE_AS_PROBE);
}

static void it_is_seen_coming(void **state)
{
    (void)state;
    assert_false(sp_breakers_near(&breakers, tool("a"), now));
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    assert_false(sp_breakers_near(&breakers, tool("a"), now));
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    assert_true(sp_breakers_near(&breakers, tool("a"), now));
    assert_false(sp_breakers_near(&breakers, tool("a"), now + 1001 * MS));
    assert_int_equal(note("a", SP_ATTEMPT_FAILED), SP_BREAKER_OPENS);
    assert_true(sp_breakers_near(&breakers, tool("a"), now));
}

static void none_ever_opens_without_terms(void **state)
{
    (void)state;
    const struct sp_hash_key key = {{1, 2}};
    const struct sp_breaker_terms none = {0};
    struct sp_breakers without;
    sp_breakers_init(&without, &none, &key);
    const struct sp_attempt failure = {.end = SP_ATTEMPT_FAILED, .call = 1};
    for (int i = 0; i < 20; i++) {
        assert_int_equal(sp_breakers_note(&without, tool("a"), &failure, now),
                         SP_BREAKER_STAYS);
    }
    assert_false(sp_breakers_near(&without, tool("a"), now));
    assert_int_equal(without.names.count, 0);
    sp_breakers_fini(&without);
}

// Callers make up names of tools.
static void there_are_not_more_and_more_of_them(void **state)
{
    (void)state;
    char name[32];
    open_it("open");
    for (int i = 0; i < 5000; i++) {
        (void)snprintf(name, sizeof name, "tool %d", i);
        (void)note(name, SP_ATTEMPT_FAILED);
    }
    assert_int_equal(breakers.names.count, 1024);
    assert_int_equal(pass("open"), SP_PASSAGE_REFUSED);
    assert_int_equal(note("tool 4999", SP_ATTEMPT_FAILED), SP_BREAKER_STAYS);
    assert_int_equal(note("tool 4999", SP_ATTEMPT_FAILED), SP_BREAKER_OPENS);
}

static void its_states_can_be_seen(void **state)
{
    (void)state;
    (void)note("a", SP_ATTEMPT_FAILED);
    const struct sp_breaker *breaker =
        SP_ENTRY(breakers.all.next, struct sp_breaker, link);
    assert_int_equal(sp_breaker_state(breaker, now), SP_BREAKER_CLOSED);
    assert_int_equal(sp_breaker_failures(&breakers, breaker, now), 1);
    assert_int_equal(sp_breaker_failures(&breakers, breaker, now + 1001 * MS), 0);
    assert_int_equal(sp_breaker_wait(breaker, now), 0);
    (void)note("a", SP_ATTEMPT_FAILED);
    (void)note("a", SP_ATTEMPT_FAILED);
    assert_int_equal(sp_breaker_state(breaker, now), SP_BREAKER_OPEN);
    assert_int_equal(sp_breaker_wait(breaker, now + 1 * MS), 499 * MS);
    now += 500 * MS;
    assert_int_equal(sp_breaker_state(breaker, now), SP_BREAKER_HALF_OPEN);
    assert_int_equal(sp_breaker_wait(breaker, now), 0);
    assert_int_equal(pass("a"), SP_PASSAGE_AS_PROBE);
    assert_int_equal(sp_breaker_state(breaker, now), SP_BREAKER_HALF_OPEN);
    assert_int_equal(sp_breaker_wait(breaker, now), 500 * MS);
}

#define test(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(so_many_failures_within_the_window_open_it),
        test(failures_that_lie_too_far_apart_do_not),
        test(what_says_nothing_of_the_tool_does_not_count),
        test(it_says_when_to_come_back),
        test(a_probe_that_takes_too_long_is_followed_by_another),
        test(one_call_is_let_through_and_opens_the_way_for_all),
        test(a_probe_that_fails_opens_it_again),
        test(a_probe_that_says_nothing_leaves_it_to_the_next),
        test(calls_from_before_it_opened_decide_nothing),
        test(nor_do_they_when_it_has_closed),
        test(one_that_is_open_is_not_looked_up_for_other_tools),
        test(it_is_seen_coming),
        test(none_ever_opens_without_terms),
        test(there_are_not_more_and_more_of_them),
        test(its_states_can_be_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
