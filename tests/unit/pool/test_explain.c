// SPDX-License-Identifier: MIT
#include "support/pool_fixture.h"

#include <string.h>

static struct fixture fixture;

static int open_fixture(void **state)
{
    (void)state;
    struct sp_pool_options options = fixture_options();
    options.name = "text";
    options.max_queue = 1;
    fixture_open(&fixture, &options);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

static void what_the_pool_ends_itself_says_where_and_what_to_do(void **state)
{
    (void)state;
    const struct {
        struct sp_failure failure;
        const char *message;
    } rows[] = {
        {{.err = SNAKEPIT_DEADLINE_EXCEEDED, .stage = "line"},
         "the call's time ran out in the line of pool \"text\"; give it a longer "
         "timeout, or the pool a longer queue_timeout_ms or more workers"},
        {{.err = SNAKEPIT_DEADLINE_EXCEEDED, .stage = "worker", .worker = 7},
         "the call's time ran out before worker 7 of pool \"text\" began it; give it "
         "a longer timeout, or the pool more workers"},
        {{.err = SNAKEPIT_DEADLINE_EXCEEDED, .stage = "running", .worker = 7},
         "the call's time ran out while worker 7 of pool \"text\" ran it; the tool "
         "was told to stop; give it a longer timeout, or less to do"},
        {{.err = SNAKEPIT_SATURATED, .stage = "line"},
         "the line of pool \"text\" is full with 1 calls; send the call later, or "
         "raise "
         "max_queue or pool_size"},
        {{.err = SNAKEPIT_WORKER_BUSY, .stage = "line"},
         "the worker of pool \"text\" that the session is tied to is busy; send the "
         "call later, or let it wait with affinity: strict_queue"},
        {{.err = SNAKEPIT_SESSION_LOST, .stage = "line"},
         "the worker of pool \"text\" that the session was tied to is gone; set the "
         "session's state up again and send the call anew"},
        {{.err = SNAKEPIT_CANCELLED, .stage = "line"},
         "the call was cancelled by its caller"},
        {{.err = SNAKEPIT_SATURATED, .stage = "line", .message = "what was said"},
         "what was said"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_call *call = sp_call_new(fixture.pool);
        assert_non_null(call);
        sp_pool_explain(call, &rows[i].failure);
        assert_int_equal(call->err, rows[i].failure.err);
        assert_string_equal(call->fault.message, rows[i].message);
        sp_call_free(call);
    }
}

static void never(void *user, snakepit_err err, snakepit_answer *answer)
{
    (void)user;
    (void)err;
    (void)answer;
    fail_msg("a call that was refused came back");
}

static void a_submission_that_is_refused_says_why(void **state)
{
    (void)state;
    static struct outcome waits;
    snakepit_message why = {{0}};
    const struct sp_order order = {
        .text = {.tool = "echo", .tool_size = 4}, .done = never, .why = &why};
    assert_int_equal(fixture_submit(&fixture, "echo", "a", 0, &waits), SNAKEPIT_OK);
    assert_int_equal(sp_pool_submit(fixture.pool, &order), SNAKEPIT_SATURATED);
    assert_string_equal(why.text,
                        "the line of pool \"text\" is full with 1 calls; send the call "
                        "later, or raise max_queue or pool_size");
    assert_int_equal(sp_pool_cancel(fixture.pool, waits.id), SNAKEPIT_OK);
    fixture_drain(&fixture);
    assert_ended(&waits, SNAKEPIT_CANCELLED, "line");
}

#define WITH_POOL(test) \
    cmocka_unit_test_setup_teardown(test, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_POOL(what_the_pool_ends_itself_says_where_and_what_to_do),
        WITH_POOL(a_submission_that_is_refused_says_why),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
