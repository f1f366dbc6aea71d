// SPDX-License-Identifier: MIT
// Real processes hold real lifelines: only the kernel can say that one has died.
#include "port/watcher.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/futex.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"

#define SKIPPED  77  // what ctest takes for a test that was skipped
#define CHILDREN 140 // more than one thread can watch

// What one child and its watch have in common with the test.
struct life {
    _Alignas(64) pthread_mutex_t lifeline;
    _Atomic int32_t tid; // 0: it does not hold it yet
    pid_t pid;
    uint64_t watch;
    _Atomic int ended;
    _Atomic int forged;
    _Atomic uint64_t told_at;
};

static struct life *lives;
static struct sp_watcher *watcher;

static int open_watcher(void **state)
{
    (void)state;
    lives = mmap(NULL,
                 sizeof *lives * CHILDREN,
                 PROT_READ | PROT_WRITE,
                 MAP_SHARED | MAP_ANONYMOUS,
                 -1,
                 0);
    assert_ptr_not_equal(lives, MAP_FAILED);
    assert_int_equal(sp_watcher_new(&watcher), SNAKEPIT_OK);
    return 0;
}

static void spawn(struct life *life)
{
    sp_lifeline_init(&life->lifeline);
    pid_t pid = fork();
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        SP_CHECK(sp_lifeline_hold(&life->lifeline) == 0);
        atomic_store(&life->tid, gettid());
        for (;;) {
            (void)pause();
        }
    }
    assert_true(pid > 0);
    life->pid = pid; // the memory is the child's, too, to whom it would be 0
    uint64_t until = sp_clock_now() + 10 * SP_NS_PER_S;
    while (atomic_load(&life->tid) == 0) {
        assert_true(sp_clock_now() < until);
        sched_yield();
    }
}

static void note(void *user, enum sp_life how)
{
    struct life *life = user;
    atomic_store(&life->told_at, sp_clock_now());
    atomic_fetch_add(how == SP_LIFE_ENDED ? &life->ended : &life->forged, 1);
}

static void watch(struct life *life)
{
    assert_int_equal(
        sp_watcher_add(watcher, &life->lifeline, life->tid, note, life, &life->watch),
        SNAKEPIT_OK);
}

static void bury(struct life *life)
{
    if (life->pid > 0) {
        (void)kill(life->pid, SIGKILL);
        (void)waitpid(life->pid, NULL, 0);
        life->pid = 0;
    }
}

static int close_watcher(void **state)
{
    (void)state;
    for (int i = 0; i < CHILDREN; i++) {
        sp_watcher_remove(watcher, lives[i].watch);
        bury(&lives[i]);
    }
    sp_watcher_free(watcher);
    return munmap(lives, sizeof *lives * CHILDREN);
}

// Waits until somebody was told; how long that took.
static uint64_t told_after_ms(struct life *life, uint64_t begun)
{
    while (atomic_load(&life->ended) + atomic_load(&life->forged) == 0) {
        assert_true(sp_clock_now() < begun + 10 * SP_NS_PER_S);
        sched_yield();
    }
    return (atomic_load(&life->told_at) - begun) / SP_NS_PER_MS;
}

static void each_death_of_many_is_told_once_and_soon(void **state)
{
    (void)state;
    for (int i = 0; i < CHILDREN; i++) {
        spawn(&lives[i]);
        watch(&lives[i]);
    }
    int slow = 0;
    // From both ends, so that both threads of the watcher have work.
    for (int i = 0; i < CHILDREN; i++) {
        struct life *life = &lives[i % 2 == 0 ? i / 2 : CHILDREN - 1 - i / 2];
        uint64_t begun = sp_clock_now();
        assert_int_equal(kill(life->pid, SIGKILL), 0);
        slow += told_after_ms(life, begun) >= 500 ? 1 : 0;
    }
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(lives[i].ended, 1);
        assert_int_equal(lives[i].forged, 0);
    }
    // A busy machine may keep one of us from the processor now and then.
    assert_true(slow <= CHILDREN / 10);
}

static void all_at_once_are_told_once_each(void **state)
{
    (void)state;
    for (int i = 0; i < CHILDREN; i++) {
        spawn(&lives[i]);
        watch(&lives[i]);
    }
    for (int i = 0; i < CHILDREN; i++) {
        assert_int_equal(kill(lives[i].pid, SIGKILL), 0);
    }
    uint64_t begun = sp_clock_now();
    for (int i = 0; i < CHILDREN; i++) {
        (void)told_after_ms(&lives[i], begun);
        assert_int_equal(lives[i].ended, 1);
    }
}

static void a_child_that_died_before_it_was_watched_is_told(void **state)
{
    (void)state;
    spawn(&lives[0]);
    bury(&lives[0]);
    uint64_t begun = sp_clock_now();
    watch(&lives[0]);
    (void)told_after_ms(&lives[0], begun);
    assert_int_equal(lives[0].ended, 1);
}

static void a_word_that_was_written_to_is_told_as_forged(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        spawn(&lives[i]);
        watch(&lives[i]);
    }
    const uint32_t words[4] = {0, 1, FUTEX_TID_MASK, FUTEX_WAITERS | 12345};
    for (int i = 0; i < 4; i++) {
        _Atomic uint32_t *word = sp_lifeline_word(&lives[i].lifeline);
        // The next look at the group finds it: an addition is one.
        spawn(&lives[4 + i]);
        uint64_t begun = sp_clock_now();
        atomic_store(word, words[i]);
        watch(&lives[4 + i]);
        (void)told_after_ms(&lives[i], begun);
        assert_int_equal(lives[i].forged, 1);
        assert_int_equal(lives[i].ended, 0);
        assert_int_equal(lives[4 + i].forged + lives[4 + i].ended, 0);
    }
}

static void a_wrong_thread_id_is_told_as_forged(void **state)
{
    (void)state;
    spawn(&lives[0]);
    atomic_store(&lives[0].tid, INT32_MAX);
    uint64_t begun = sp_clock_now();
    watch(&lives[0]);
    (void)told_after_ms(&lives[0], begun);
    assert_int_equal(lives[0].forged, 1);
}

static void a_removed_watch_tells_nothing(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        spawn(&lives[i]);
        watch(&lives[i]);
    }
    sp_watcher_remove(watcher, lives[1].watch);
    sp_watcher_remove(watcher, lives[1].watch); // twice is fine, and so is none
    sp_watcher_remove(watcher, 0);
    bury(&lives[1]);
    uint64_t begun = sp_clock_now();
    bury(&lives[0]);
    bury(&lives[2]);
    (void)told_after_ms(&lives[0], begun);
    (void)told_after_ms(&lives[2], begun);
    assert_int_equal(lives[0].ended, 1);
    assert_int_equal(lives[2].ended, 1);
    assert_int_equal(lives[1].ended + lives[1].forged, 0);
}

static void the_memory_of_a_removed_watch_may_vanish(void **state)
{
    (void)state;
    for (int i = 0; i < 200; i++) {
        struct life *life =
            mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
        assert_ptr_not_equal(life, MAP_FAILED);
        atomic_store(sp_lifeline_word(&life->lifeline), 77);
        life->tid = 77;
        watch(life);
        sp_watcher_remove(watcher, life->watch);
        assert_int_equal(munmap(life, 4096), 0);
    }
    spawn(&lives[0]);
    watch(&lives[0]);
    uint64_t begun = sp_clock_now();
    bury(&lives[0]);
    (void)told_after_ms(&lives[0], begun);
    assert_int_equal(lives[0].ended, 1);
}

// ---- Removing while it is told ------------------------------------------------

struct slow {
    _Atomic bool entered;
    _Atomic bool may_leave;
    _Atomic bool left;
    _Atomic bool removed;
    uint64_t watch;
};

static void tell_slowly(void *user, enum sp_life how)
{
    struct slow *slow = user;
    (void)how;
    atomic_store(&slow->entered, true);
    while (!atomic_load(&slow->may_leave)) {
        sched_yield();
    }
    atomic_store(&slow->left, true);
}

static void *remove_it(void *argument)
{
    struct slow *slow = argument;
    sp_watcher_remove(watcher, slow->watch);
    // Never returns while the callback runs.
    SP_CHECK(atomic_load(&slow->left));
    atomic_store(&slow->removed, true);
    return NULL;
}

static void a_removal_waits_for_the_callback_that_runs(void **state)
{
    (void)state;
    struct slow slow = {0};
    pthread_t thread;
    spawn(&lives[0]);
    assert_int_equal(
        sp_watcher_add(
            watcher, &lives[0].lifeline, lives[0].tid, tell_slowly, &slow, &slow.watch),
        SNAKEPIT_OK);
    bury(&lives[0]);
    while (!atomic_load(&slow.entered)) {
        sched_yield();
    }
    assert_int_equal(pthread_create(&thread, NULL, remove_it, &slow), 0);
    for (int i = 0; i < 1000; i++) {
        sched_yield();
    }
    assert_false(slow.removed);
    atomic_store(&slow.may_leave, true);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(slow.removed);
}

static void watches_come_and_go_while_children_die(void **state)
{
    (void)state;
    for (int round = 0; round < 20; round++) {
        for (int i = 0; i < 6; i++) {
            atomic_store(&lives[i].tid, 0);
            atomic_store(&lives[i].ended, 0);
            spawn(&lives[i]);
            watch(&lives[i]);
        }
        for (int i = 0; i < 6; i++) {
            (void)kill(lives[i].pid, SIGKILL);
            if (i % 2 == round % 2) {
                sp_watcher_remove(watcher, lives[i].watch);
                lives[i].watch = 0;
            }
        }
        for (int i = 0; i < 6; i++) {
            bury(&lives[i]);
            if (i % 2 != round % 2) {
                (void)told_after_ms(&lives[i], sp_clock_now());
                assert_int_equal(lives[i].ended, 1);
            }
            assert_true(lives[i].ended <= 1);
            assert_int_equal(lives[i].forged, 0);
        }
    }
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    struct sp_watcher *other = NULL;
    sp_memory_fail_at(1);
    assert_int_equal(sp_watcher_new(&other), SNAKEPIT_NO_MEMORY);
    assert_null(other);
    sp_memory_fail_at(0);
    assert_int_equal(sp_watcher_new(&other), SNAKEPIT_OK);
    spawn(&lives[0]);
    sp_memory_fail_at(1);
    assert_int_equal(
        sp_watcher_add(
            other, &lives[0].lifeline, lives[0].tid, note, &lives[0], &lives[0].watch),
        SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
    lives[0].watch = 0;
    sp_watcher_free(other);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_watcher, close_watcher)

// Before Linux 5.16, and under emulation, deaths are told by pidfds alone.
static bool has_watchers(void)
{
    snakepit_err err = sp_watcher_new(&watcher);
    sp_watcher_free(watcher);
    watcher = NULL;
    return err != SNAKEPIT_UNSUPPORTED;
}

int main(void)
{
    if (!has_watchers()) {
        print_message("skipped: this kernel has no futex_waitv()\n");
        return SKIPPED;
    }
    const struct CMUnitTest tests[] = {
        test(each_death_of_many_is_told_once_and_soon),
        test(all_at_once_are_told_once_each),
        test(a_child_that_died_before_it_was_watched_is_told),
        test(a_word_that_was_written_to_is_told_as_forged),
        test(a_wrong_thread_id_is_told_as_forged),
        test(a_removed_watch_tells_nothing),
        test(the_memory_of_a_removed_watch_may_vanish),
        test(a_removal_waits_for_the_callback_that_runs),
        test(watches_come_and_go_while_children_die),
        test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
