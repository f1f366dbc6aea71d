// SPDX-License-Identifier: MIT
#include "base/memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void memory_is_zeroed(void **state)
{
    (void)state;
    const unsigned char zeros[100] = {0};
    unsigned char *block = sp_alloc(100);
    assert_memory_equal(block, zeros, 100);
    sp_free(block);
    block = sp_alloc_array(10, 10);
    assert_memory_equal(block, zeros, 100);
    sp_free(block);
}

static void a_request_for_nothing_gets_an_address(void **state)
{
    (void)state;
    void *block = sp_alloc(0);
    assert_non_null(block);
    block = sp_realloc(block, 0);
    assert_non_null(block);
    sp_free(block);
    sp_free(NULL);
}

static void an_array_that_overflows_is_refused(void **state)
{
    (void)state;
    assert_null(sp_alloc_array(SIZE_MAX / 2, 3));
}

static void strdup_copies(void **state)
{
    (void)state;
    char *text = sp_strdup("snake");
    assert_string_equal(text, "snake");
    sp_free(text);
}

static void the_nth_request_fails_once(void **state)
{
    (void)state;
    sp_memory_fail_at(3);
    void *first = sp_alloc(1);
    char *second = sp_strdup("x");
    assert_non_null(first);
    assert_non_null(second);
    assert_false(sp_memory_has_failed());
    assert_null(sp_realloc(NULL, 1));
    assert_true(sp_memory_has_failed());
    void *fourth = sp_alloc_array(1, 1);
    assert_non_null(fourth);
    sp_free(first);
    sp_free(second);
    sp_free(fourth);
    sp_memory_fail_at(0);
    assert_false(sp_memory_has_failed());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(memory_is_zeroed),
        cmocka_unit_test(a_request_for_nothing_gets_an_address),
        cmocka_unit_test(an_array_that_overflows_is_refused),
        cmocka_unit_test(strdup_copies),
        cmocka_unit_test(the_nth_request_fails_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
