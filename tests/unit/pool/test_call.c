// SPDX-License-Identifier: MIT
#include "pool/call.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "pool/pool.h"

static struct sp_call *call;

static int new_call(void **state)
{
    (void)state;
    call = sp_call_new(NULL);
    assert_non_null(call);
    return 0;
}

static int free_call(void **state)
{
    (void)state;
    sp_call_free(call);
    sp_call_free(NULL);
    return 0;
}

static void a_failure_is_copied_and_what_is_missing_is_empty(void **state)
{
    (void)state;
    char cause[] = "killed by signal 9";
    const struct sp_failure failure = {
        .err = SNAKEPIT_WORKER_DIED, .cause = cause, .stage = "running", .worker = 7};
    sp_call_set_failure(call, &failure);
    memset(cause, 'x', sizeof cause - 1);
    assert_int_equal(call->err, SNAKEPIT_WORKER_DIED);
    assert_int_equal(call->fault.err, SNAKEPIT_WORKER_DIED);
    assert_int_equal(call->fault.worker, 7);
    assert_string_equal(call->fault.cause, "killed by signal 9");
    assert_string_equal(call->fault.stage, "running");
    assert_string_equal(call->fault.message, snakepit_err_text(SNAKEPIT_WORKER_DIED));
    assert_string_equal(call->fault.type, "");
    assert_string_equal(call->fault.traceback, "");
    assert_string_equal(call->fault.last_output, "");
}

static void a_second_failure_replaces_the_first(void **state)
{
    (void)state;
    const struct sp_failure first = {.err = SNAKEPIT_TOOL_FAILED, .traceback = "long"};
    const struct sp_failure second = {.err = SNAKEPIT_CANCELLED, .message = "enough"};
    sp_call_set_failure(call, &first);
    sp_call_set_failure(call, &second);
    assert_int_equal(call->fault.err, SNAKEPIT_CANCELLED);
    assert_string_equal(call->fault.message, "enough");
    assert_string_equal(call->fault.traceback, "");
}

static void without_memory_the_error_is_kept_and_the_words_are_lost(void **state)
{
    (void)state;
    char lengthy[10000];
    memset(lengthy, 'y', sizeof lengthy);
    lengthy[sizeof lengthy - 1] = 0;
    const struct sp_failure failure = {
        .err = SNAKEPIT_WORKER_LOST, .message = "m", .traceback = lengthy};
    for (long nth = 1; nth <= 4; nth++) {
        struct sp_call *other = sp_call_new(NULL);
        assert_non_null(other);
        sp_memory_fail_at(nth);
        sp_call_set_failure(other, &failure);
        sp_memory_fail_at(0);
        assert_int_equal(other->err, SNAKEPIT_WORKER_LOST);
        assert_true(strcmp(other->fault.message, "m") == 0 ||
                    strcmp(other->fault.message, "") == 0);
        assert_true(strcmp(other->fault.traceback, lengthy) == 0 ||
                    strcmp(other->fault.traceback, "") == 0);
        assert_non_null(other->fault.cause);
        sp_call_free(other);
    }
}

static void a_reset_call_is_new_but_keeps_small_buffers(void **state)
{
    (void)state;
    const struct sp_failure failure = {.err = SNAKEPIT_CANCELLED};
    sp_call_set_failure(call, &failure);
    call->phase = SP_CALL_ENDED;
    call->asynchronous = true;
    assert_int_equal(sp_buf_reserve(&call->large, 1 << 20), SNAKEPIT_OK);
    size_t texts = call->texts.capacity;
    sp_call_reset(call);
    assert_int_equal(call->phase, SP_CALL_NEW);
    assert_int_equal(call->err, SNAKEPIT_OK);
    assert_false(call->asynchronous);
    assert_null(call->body.data);
    assert_int_equal(call->texts.capacity, texts);
    assert_int_equal(call->large.capacity, 0);
}

static void an_answer_is_its_call(void **state)
{
    (void)state;
    assert_ptr_equal(sp_call_of(sp_call_answer(call)), call);
}

static void a_call_that_failed_before_it_was_one_is_an_answer(void **state)
{
    (void)state;
    const struct sp_failure failure = {.err = SNAKEPIT_UNKNOWN_POOL, .message = "none"};
    struct sp_call *failed = sp_call_failed(&failure);
    assert_non_null(failed);
    assert_int_equal(failed->phase, SP_CALL_ENDED);
    assert_string_equal(failed->fault.message, "none");
    sp_pool_release(failed);
    sp_memory_fail_at(1);
    assert_null(sp_call_failed(&failure));
    sp_memory_fail_at(1);
    assert_null(sp_call_new(NULL));
    sp_memory_fail_at(0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, new_call, free_call)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_failure_is_copied_and_what_is_missing_is_empty),
        test(a_second_failure_replaces_the_first),
        test(without_memory_the_error_is_kept_and_the_words_are_lost),
        test(a_reset_call_is_new_but_keeps_small_buffers),
        test(an_answer_is_its_call),
        test(a_call_that_failed_before_it_was_one_is_an_answer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
