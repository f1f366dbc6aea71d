// SPDX-License-Identifier: MIT
#include "ipc/lifeline.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"

static pthread_mutex_t *shared;

static int map_lifeline(void **state)
{
    (void)state;
    shared =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert_ptr_not_equal(shared, MAP_FAILED);
    sp_lifeline_init(shared);
    return 0;
}

static int unmap_lifeline(void **state)
{
    (void)state;
    return munmap(shared, 4096);
}

static void nobody_holds_a_fresh_one(void **state)
{
    (void)state;
    assert_int_equal(*sp_lifeline_word(shared), 0);
    assert_int_equal(sp_lifeline_judge(0, 5), SP_LIFE_FORGED);
}

static void the_word_names_its_holder(void **state)
{
    (void)state;
    assert_int_equal(sp_lifeline_hold(shared), 0);
    uint32_t word = *sp_lifeline_word(shared);
    assert_int_equal(sp_lifeline_judge(word, gettid()), SP_LIFE_HELD);
    assert_int_equal(sp_lifeline_judge(word | FUTEX_WAITERS, gettid()), SP_LIFE_HELD);
    assert_int_equal(sp_lifeline_judge(word, gettid() + 1), SP_LIFE_FORGED);
    assert_int_equal(pthread_mutex_unlock(shared), 0);
}

static void the_word_says_that_its_holder_has_died(void **state)
{
    (void)state;
    pid_t child = fork();
    if (child == 0) {
        SP_CHECK(sp_lifeline_hold(shared) == 0);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    uint32_t word = *sp_lifeline_word(shared);
    assert_int_equal(sp_lifeline_judge(word, child), SP_LIFE_ENDED);
}

static void each_word_is_one_of_three_things(void **state)
{
    (void)state;
    const struct {
        uint32_t word;
        int32_t tid;
        enum sp_life life;
    } rows[] = {
        {7, 7, SP_LIFE_HELD},
        {7 | FUTEX_WAITERS, 7, SP_LIFE_HELD},
        {0, 7, SP_LIFE_FORGED},
        {FUTEX_WAITERS, 7, SP_LIFE_FORGED},
        {8, 7, SP_LIFE_FORGED},
        {FUTEX_TID_MASK, 7, SP_LIFE_FORGED},
        {FUTEX_OWNER_DIED, 7, SP_LIFE_ENDED},
        {FUTEX_OWNER_DIED | FUTEX_WAITERS, 7, SP_LIFE_ENDED},
        {FUTEX_OWNER_DIED | 7, 7, SP_LIFE_ENDED},
        {UINT32_MAX, 7, SP_LIFE_ENDED},
        {7, 7 | (1 << 30), SP_LIFE_FORGED}, // a thread id that cannot be
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_int_equal(sp_lifeline_judge(rows[i].word, rows[i].tid), rows[i].life);
    }
}

#define test(name) cmocka_unit_test_setup_teardown(name, map_lifeline, unmap_lifeline)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(nobody_holds_a_fresh_one),
        test(the_word_names_its_holder),
        test(the_word_says_that_its_holder_has_died),
        test(each_word_is_one_of_three_things),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
