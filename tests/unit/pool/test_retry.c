// SPDX-License-Identifier: MIT
// The budget of retries and the pauses between attempts, as numbers.
#include "pool/retry.h"

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"

#define MS SP_NS_PER_MS

static const struct sp_retry_terms terms = {.max_attempts = 3,
                                            .backoff_ms = 100,
                                            .backoff_max_ms = 350,
                                            .max_tokens = 10,
                                            .token_ratio = 50};

static struct sp_retry fresh(void)
{
    struct sp_retry retry;
    sp_retry_init(&retry, &terms, 42);
    return retry;
}

static uint32_t spend_until_refused(struct sp_retry *retry, uint64_t successes)
{
    uint32_t allowed = 0;
    while (allowed < 1000 && sp_retry_spend(retry, &terms, successes)) {
        allowed++;
    }
    return allowed;
}

static void a_burst_of_failures_is_not_multiplied(void **state)
{
    (void)state;
    struct sp_retry retry = fresh();
    // More than half of ten tokens have to be left: 9, 8, 7, 6.
    assert_int_equal(spend_until_refused(&retry, 0), 4);
    for (int i = 0; i < 1000; i++) {
        assert_false(sp_retry_spend(&retry, &terms, 0));
    }
}

static void calls_that_end_well_give_tokens_back(void **state)
{
    (void)state;
    struct sp_retry retry = fresh();
    for (int i = 0; i < 100; i++) {
        (void)sp_retry_spend(&retry, &terms, 0);
    }
    assert_int_equal(retry.tokens, 0);
    // Two for each token: 13 give back six and a half, of which this failure takes one.
    assert_true(sp_retry_spend(&retry, &terms, 13));
    assert_false(sp_retry_spend(&retry, &terms, 13));
    // What was counted is not counted again, and there are never more than ten.
    assert_true(sp_retry_spend(&retry, &terms, 1000000));
    assert_int_equal(retry.tokens, 900);
    assert_int_equal(spend_until_refused(&retry, 1000000), 3);
}

static void a_steady_share_of_failures_is_sent_again(void **state)
{
    (void)state;
    struct sp_retry retry = fresh();
    uint64_t successes = 0;
    for (int i = 0; i < 1000; i++) {
        successes += 2;
        assert_true(sp_retry_spend(&retry, &terms, successes));
    }
    // With one for each failure, half of them at the most.
    uint32_t allowed = 0;
    for (int i = 0; i < 1000; i++) {
        successes += 1;
        allowed += sp_retry_spend(&retry, &terms, successes);
    }
    assert_true(allowed <= 10);
}

static void each_pause_is_twice_the_one_before_and_never_too_long(void **state)
{
    (void)state;
    static const uint64_t whole[] = {100 * MS, 200 * MS, 350 * MS, 350 * MS};
    struct sp_retry retry = fresh();
    for (uint32_t retries = 0; retries < 4; retries++) {
        uint64_t least = UINT64_MAX;
        uint64_t most = 0;
        for (int i = 0; i < 1000; i++) {
            uint64_t pause = sp_retry_pause(&retry, &terms, retries);
            least = pause < least ? pause : least;
            most = pause > most ? pause : most;
        }
        assert_in_range(least, whole[retries] / 2, whole[retries] * 55 / 100);
        assert_in_range(most, whole[retries] * 95 / 100, whole[retries]);
    }
    assert_in_range(sp_retry_pause(&retry, &terms, UINT32_MAX), 175 * MS, 350 * MS);
}

static void there_may_be_none(void **state)
{
    (void)state;
    struct sp_retry_terms none = terms;
    none.backoff_ms = 0;
    struct sp_retry retry = fresh();
    assert_int_equal(sp_retry_pause(&retry, &none, 5), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_burst_of_failures_is_not_multiplied),
        cmocka_unit_test(calls_that_end_well_give_tokens_back),
        cmocka_unit_test(a_steady_share_of_failures_is_sent_again),
        cmocka_unit_test(each_pause_is_twice_the_one_before_and_never_too_long),
        cmocka_unit_test(there_may_be_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
