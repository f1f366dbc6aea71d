// SPDX-License-Identifier: MIT
// Waits, wakes and bells with threads. No test sleeps: who should sleep is awaited by
// what it leaves in shared memory.
#include "ipc/wait.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "ipc/futex.h"
#include "ipc/spin.h"

#define AWAIT(condition)                                     \
    do {                                                     \
        uint64_t until_ = sp_clock_now() + 10 * SP_NS_PER_S; \
        while (!(condition)) {                               \
            assert_true(sp_clock_now() < until_);            \
            sched_yield();                                   \
        }                                                    \
    } while (0)

// ---- Spinners -----------------------------------------------------------------

static uint64_t us(uint64_t number)
{
    return number * sp_clock_ticks_per_us();
}

static void spinners_leave_one_core_free(void **state)
{
    (void)state;
    cpu_set_t set;
    assert_int_equal(sched_getaffinity(0, sizeof set, &set), 0);
    int most = CPU_COUNT(&set) - 1;
    for (int i = 0; i < most; i++) {
        assert_true(sp_spin_begin());
    }
    assert_false(sp_spin_begin());
    assert_false(sp_spin_begin());
    for (int i = 0; i < most; i++) {
        sp_spin_end();
    }
    if (most > 0) {
        assert_true(sp_spin_begin());
        sp_spin_end();
    }
}

// ---- The host waits -----------------------------------------------------------

struct waiter {
    struct sp_slot *slot;
    struct sp_wait wait;
    struct sp_patience patience;
    _Atomic uint32_t cpu;
    _Atomic uint32_t moves;
    uint32_t seen;
    pthread_t thread;
};

static struct sp_slot slot;

static int empty_slot(void **state)
{
    (void)state;
    memset(&slot, 0, sizeof slot);
    return 0;
}

static void prepare(struct waiter *waiter, uint64_t deadline)
{
    *waiter = (struct waiter){.slot = &slot};
    waiter->wait = (struct sp_wait){.patience = &waiter->patience,
                                    .peer_cpu = &waiter->cpu,
                                    .deadline = deadline,
                                    .moves = &waiter->moves};
}

static void *wait_for_slot(void *argument)
{
    struct waiter *waiter = argument;
    waiter->seen = sp_wait_slot(waiter->slot, &waiter->wait);
    return NULL;
}

static void start_waiter(struct waiter *waiter, uint32_t word)
{
    prepare(waiter, SP_NEVER);
    atomic_store(&slot.result.state, word);
    assert_int_equal(pthread_create(&waiter->thread, NULL, wait_for_slot, waiter), 0);
    AWAIT((atomic_load(&slot.result.state) & SP_SLOT_WAITER) != 0);
}

static void what_is_not_under_way_is_not_waited_for(void **state)
{
    (void)state;
    struct waiter waiter;
    for (uint32_t word = 0; word < 0x400; word++) {
        uint32_t state_of = word & SP_SLOT_STATE;
        if (state_of != SP_SLOT_QUEUED && state_of != SP_SLOT_RUNNING) {
            prepare(&waiter, SP_NEVER);
            atomic_store(&slot.result.state, word);
            assert_int_equal(sp_wait_slot(&slot, &waiter.wait), word);
        }
    }
}

static void a_waiter_marks_the_word_and_wakes_when_it_is_done(void **state)
{
    (void)state;
    const uint32_t words[] = {
        SP_SLOT_QUEUED, SP_SLOT_RUNNING, SP_SLOT_RUNNING | SP_SLOT_NOTIFY};
    for (size_t i = 0; i < 3; i++) {
        struct waiter waiter;
        start_waiter(&waiter, words[i]);
        uint32_t before = atomic_exchange(&slot.result.state, SP_SLOT_DONE);
        assert_int_equal(before, words[i] | SP_SLOT_WAITER);
        sp_futex_wake(&slot.result.state, 1);
        assert_int_equal(pthread_join(waiter.thread, NULL), 0);
        assert_int_equal(waiter.seen, SP_SLOT_DONE);
    }
}

static void a_waiter_stays_while_the_call_goes_on(void **state)
{
    (void)state;
    struct waiter waiter;
    start_waiter(&waiter, SP_SLOT_QUEUED);
    // An executor takes it, keeping the mark; a wake without a reason changes nothing.
    atomic_store(&slot.result.state, SP_SLOT_RUNNING | SP_SLOT_WAITER);
    sp_futex_wake(&slot.result.state, 1);
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    sp_futex_wake(&slot.result.state, 1);
    AWAIT((atomic_load(&slot.result.state) & SP_SLOT_WAITER) != 0);
    atomic_store(&slot.result.state, SP_SLOT_DONE);
    sp_futex_wake(&slot.result.state, 1);
    assert_int_equal(pthread_join(waiter.thread, NULL), 0);
    assert_int_equal(waiter.seen, SP_SLOT_DONE);
}

static void a_deadline_ends_the_wait(void **state)
{
    (void)state;
    struct waiter waiter;
    uint64_t deadline = sp_clock_now() + 20 * SP_NS_PER_MS;
    prepare(&waiter, deadline);
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    uint32_t word = sp_wait_slot(&slot, &waiter.wait);
    assert_true(sp_clock_now() >= deadline);
    assert_int_equal(word & SP_SLOT_STATE, SP_SLOT_RUNNING);
    prepare(&waiter, 0);
    (void)sp_wait_slot(&slot, &waiter.wait); // past already
}

static void a_waiter_that_comes_late_does_not_wait_for_a_stranger(void **state)
{
    (void)state;
    struct waiter waiter;
    prepare(&waiter, SP_NEVER);
    // The call was moved and its slot given to another before the waiter looked.
    atomic_store(&waiter.moves, 1);
    atomic_store(&slot.result.state, SP_SLOT_QUEUED);
    uint32_t word = sp_wait_slot(&slot, &waiter.wait);
    assert_int_equal(word & SP_SLOT_STATE, SP_SLOT_QUEUED);
}

static void a_sleeper_whose_call_moved_leaves_when_it_is_woken(void **state)
{
    (void)state;
    struct waiter waiter;
    start_waiter(&waiter, SP_SLOT_QUEUED);
    atomic_store(&waiter.moves, 1);
    atomic_store(&slot.result.state, SP_SLOT_QUEUED); // a stranger's
    sp_futex_wake(&slot.result.state, 1);
    assert_int_equal(pthread_join(waiter.thread, NULL), 0);
}

static void a_wait_behind_a_wake_teaches_nothing(void **state)
{
    (void)state;
    struct waiter waiter;
    prepare(&waiter, sp_clock_now() + SP_NS_PER_MS);
    waiter.wait.woke = true;
    waiter.patience.budget = us(30);
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    (void)sp_wait_slot(&slot, &waiter.wait);
    assert_int_equal(waiter.patience.budget, us(30));
}

static void a_paired_waiter_never_spins(void **state)
{
    (void)state;
    struct waiter waiter;
    prepare(&waiter, sp_clock_now());
    waiter.wait.waiting = SP_WAITING_PAIRED;
    waiter.patience.budget = us(1000000);
    atomic_store(&waiter.cpu, UINT32_MAX);
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    uint64_t begun = sp_clock_ticks();
    (void)sp_wait_slot(&slot, &waiter.wait);
    assert_true(sp_clock_ticks() - begun < us(500000));
}

// ---- A stream's reader waits --------------------------------------------------

static void a_reader_wakes_for_a_chunk_while_the_call_goes_on(void **state)
{
    (void)state;
    struct waiter waiter;
    prepare(&waiter, SP_NEVER);
    waiter.wait.tube = true;
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    assert_int_equal(pthread_create(&waiter.thread, NULL, wait_for_slot, &waiter), 0);
    AWAIT((atomic_load(&slot.result.state) & SP_SLOT_WAITER) != 0);
    atomic_store(&slot.result.tube_tail, 32);
    sp_wake_reader(&slot);
    assert_int_equal(pthread_join(waiter.thread, NULL), 0);
    assert_int_equal(waiter.seen & SP_SLOT_STATE, SP_SLOT_RUNNING);
}

static void a_reader_does_not_wait_for_a_chunk_that_is_there(void **state)
{
    (void)state;
    struct waiter waiter;
    prepare(&waiter, SP_NEVER);
    waiter.wait.tube = true;
    atomic_store(&slot.result.tube_tail, 32);
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    assert_int_equal(sp_wait_slot(&slot, &waiter.wait), SP_SLOT_RUNNING);
}

static void the_tail_of_an_earlier_call_wakes_no_reader(void **state)
{
    (void)state;
    struct waiter waiter;
    prepare(&waiter, sp_clock_now() + 20 * SP_NS_PER_MS);
    waiter.wait.tube = true;
    atomic_store(&slot.result.tube_tail, 32);
    atomic_store(&slot.result.state, SP_SLOT_QUEUED);
    (void)sp_wait_slot(&slot, &waiter.wait);
    assert_true(sp_clock_now() >= waiter.wait.deadline);
}

static void one_that_reads_no_stream_wakes_for_a_question(void **state)
{
    (void)state;
    struct waiter waiter;
    start_waiter(&waiter, SP_SLOT_RUNNING);
    atomic_store(&slot.result.state, SP_SLOT_ASKING);
    sp_futex_wake(&slot.result.state, 1);
    assert_int_equal(pthread_join(waiter.thread, NULL), 0);
    assert_int_equal(waiter.seen, SP_SLOT_ASKING);
}

// ---- Executors wait -----------------------------------------------------------

#define CELLS          64u
#define EXECUTORS_MOST 4u

static struct {
    sp_cell cells[CELLS];
    _Atomic uint64_t head;
    struct sp_bell bell;
    _Atomic uint32_t stop;
    _Atomic uint32_t cpu;
    _Atomic bool held; // whoever takes a number is busy with it
} shared;

struct executor {
    pthread_t thread;
    uint32_t place;
    struct sp_patience patience;
    _Atomic uint32_t taken;
    _Atomic uint32_t last;
    enum sp_intake_result result;
};

static int empty_ring(void **state)
{
    (void)state;
    memset(&shared, 0, sizeof shared);
    return 0;
}

static struct sp_intake intake_of_ring(void)
{
    return (struct sp_intake){.cells = shared.cells,
                              .mask = CELLS - 1,
                              .head = &shared.head,
                              .bell = &shared.bell,
                              .stop = &shared.stop,
                              .executors = EXECUTORS_MOST};
}

static void *take_until_stopped(void *argument)
{
    struct executor *executor = argument;
    const struct sp_intake intake = intake_of_ring();
    const struct sp_wait wait = {.patience = &executor->patience,
                                 .peer_cpu = &shared.cpu,
                                 .deadline = SP_NEVER,
                                 .place = executor->place};
    uint32_t number;
    while ((executor->result = sp_wait_intake(&intake, &wait, &number)) ==
           SP_INTAKE_TAKEN) {
        atomic_store(&executor->last, number);
        atomic_fetch_add(&executor->taken, 1);
        while (atomic_load(&shared.held)) {
            sched_yield();
        }
    }
    return NULL;
}

static void start_executors(struct executor *executors, uint32_t count)
{
    memset(executors, 0, count * sizeof *executors);
    for (uint32_t i = 0; i < count; i++) {
        executors[i].place = i;
        assert_int_equal(
            pthread_create(
                &executors[i].thread, NULL, take_until_stopped, &executors[i]),
            0);
    }
    AWAIT(atomic_load(&shared.bell.sleepers) == count);
}

static void stop_executors(struct executor *executors, uint32_t count)
{
    atomic_store(&shared.stop, 1);
    sp_bell_ring_all(&shared.bell);
    for (uint32_t i = 0; i < count; i++) {
        assert_int_equal(pthread_join(executors[i].thread, NULL), 0);
        assert_int_equal(executors[i].result, SP_INTAKE_STOP);
    }
}

static uint32_t taken_by(struct executor *executors, uint32_t count)
{
    uint32_t taken = 0;
    for (uint32_t i = 0; i < count; i++) {
        taken += atomic_load(&executors[i].taken);
    }
    return taken;
}

static void a_bell_wakes_a_sleeper_and_says_so(void **state)
{
    (void)state;
    struct executor executor;
    bool rung = false;
    start_executors(&executor, 1);
    // One that has said that it sleeps looks once more, and may find the number itself.
    for (uint32_t put = 0; !rung && put < 1000; put++) {
        AWAIT(atomic_load(&shared.bell.sleepers) == 1);
        sp_ring_put(shared.cells, CELLS - 1, put, 42);
        rung = sp_bell_ring(&shared.bell);
        AWAIT(atomic_load(&executor.taken) == put + 1);
    }
    assert_true(rung);
    assert_int_equal(executor.last, 42);
    stop_executors(&executor, 1);
}

static void a_bell_without_sleepers_wakes_nobody(void **state)
{
    (void)state;
    assert_false(sp_bell_ring(&shared.bell));
    assert_int_equal(shared.bell.word, 0);
}

static void a_burst_sends_one_wake_to_each_sleeper(void **state)
{
    (void)state;
    uint32_t wakes = 0;
    atomic_store(&shared.bell.sleepers, 3);
    for (int i = 0; i < 10; i++) {
        wakes += sp_bell_ring(&shared.bell) ? 1 : 0;
    }
    assert_int_equal(wakes, 3);
    assert_int_equal(shared.bell.sleepers, 0);
}

static void nobody_is_woken_while_an_executor_searches(void **state)
{
    (void)state;
    atomic_store(&shared.bell.sleepers, 2);
    atomic_store(&shared.bell.searching, 1);
    assert_false(sp_bell_ring(&shared.bell));
    assert_int_equal(shared.bell.sleepers, 2);
    atomic_store(&shared.bell.searching, 0);
    assert_true(sp_bell_ring(&shared.bell));
    assert_int_equal(shared.bell.sleepers, 1);
}

static void who_looks_for_more_wakes_another_for_what_is_left(void **state)
{
    (void)state;
    const struct sp_intake intake = intake_of_ring();
    atomic_store(&shared.bell.sleepers, 2);
    sp_intake_begin_search(&intake);
    sp_ring_put(shared.cells, CELLS - 1, 0, 7);
    assert_false(sp_bell_ring(&shared.bell));
    sp_intake_end_search(&intake);
    assert_int_equal(shared.bell.sleepers, 1);
    // Nothing is left.
    uint32_t number;
    assert_true(sp_ring_take(shared.cells, CELLS - 1, &shared.head, &number));
    sp_intake_begin_search(&intake);
    sp_intake_end_search(&intake);
    assert_int_equal(shared.bell.sleepers, 1);
    assert_int_equal(atomic_load(&shared.bell.searching), 0);
}

// What was put in while one searched has woken nobody: the searcher is busy with the
// first number, so it wakes the next executor for the second one, and so on.
static void whoever_takes_a_number_wakes_the_next_for_what_is_left(void **state)
{
    (void)state;
    struct executor executors[3];
    start_executors(executors, 3);
    atomic_store(&shared.held, true);
    atomic_store(&shared.bell.searching, 1);
    for (uint32_t i = 0; i < 3; i++) {
        sp_ring_put(shared.cells, CELLS - 1, i, i);
        assert_false(sp_bell_ring(&shared.bell));
    }
    atomic_store(&shared.bell.searching, 0);
    (void)sp_bell_ring(&shared.bell);
    AWAIT(taken_by(executors, 3) == 3);
    for (uint32_t i = 0; i < 3; i++) {
        assert_int_equal(atomic_load(&executors[i].taken), 1);
    }
    atomic_store(&shared.held, false);
    stop_executors(executors, 3);
}

static void a_count_of_sleepers_that_cannot_be_is_not_believed(void **state)
{
    (void)state;
    atomic_store(&shared.bell.sleepers, SP_EXECUTORS_MAX + 1);
    assert_false(sp_bell_ring(&shared.bell));
    atomic_store(&shared.bell.sleepers, UINT32_MAX);
    assert_false(sp_bell_ring(&shared.bell));
    assert_int_equal(shared.bell.sleepers, UINT32_MAX);
}

static void a_stop_reaches_all_sleepers(void **state)
{
    (void)state;
    struct executor executors[4];
    start_executors(executors, 4);
    stop_executors(executors, 4);
    assert_int_equal(taken_by(executors, 4), 0);
}

static void nothing_is_taken_after_a_stop(void **state)
{
    (void)state;
    struct executor executor = {.patience.budget = UINT64_MAX}; // it would spin
    sp_ring_put(shared.cells, CELLS - 1, 0, 7);
    atomic_store(&shared.stop, 1);
    (void)take_until_stopped(&executor);
    assert_int_equal(executor.result, SP_INTAKE_STOP);
    assert_int_equal(executor.taken, 0);
}

static bool look_briefly(uint32_t executors, uint64_t budget, uint32_t *number)
{
    struct sp_patience patience = {.budget = budget};
    struct sp_intake intake = intake_of_ring();
    const struct sp_wait wait = {
        .patience = &patience, .peer_cpu = &shared.cpu, .deadline = SP_NEVER};
    intake.executors = executors;
    atomic_store(&shared.cpu, UINT32_MAX); // the host is elsewhere
    return sp_wait_intake_briefly(&intake, &wait, sp_clock_ticks(), number);
}

static void a_brief_look_takes_what_is_there(void **state)
{
    (void)state;
    uint32_t number = 0;
    if (!sp_spin_begin()) {
        skip(); // there is one core
    }
    sp_spin_end();
    sp_ring_put(shared.cells, CELLS - 1, 0, 7);
    assert_true(look_briefly(1, UINT64_MAX / 2, &number));
    assert_int_equal(number, 7);
    assert_false(look_briefly(1, UINT64_MAX / 2, &number)); // and ends
}

static void a_brief_look_is_for_one_executor_that_spins(void **state)
{
    (void)state;
    uint32_t number;
    sp_ring_put(shared.cells, CELLS - 1, 0, 7);
    assert_false(look_briefly(1, 0, &number));
    assert_false(look_briefly(2, UINT64_MAX / 2, &number));
    assert_int_equal(shared.head, 0);
}

static void no_number_is_lost_or_taken_twice(void **state)
{
    (void)state;
    struct executor executors[3];
    const uint32_t count = 20000;
    start_executors(executors, 3);
    for (uint32_t i = 0; i < count; i++) {
        AWAIT(i - taken_by(executors, 3) < CELLS / 2);
        sp_ring_put(shared.cells, CELLS - 1, i, i);
        (void)sp_bell_ring(&shared.bell);
    }
    AWAIT(taken_by(executors, 3) == count);
    stop_executors(executors, 3);
    assert_int_equal(taken_by(executors, 3), count);
}

#define with_slot(name) cmocka_unit_test_setup(name, empty_slot)
#define with_ring(name) cmocka_unit_test_setup(name, empty_ring)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spinners_leave_one_core_free),
        with_slot(what_is_not_under_way_is_not_waited_for),
        with_slot(a_waiter_marks_the_word_and_wakes_when_it_is_done),
        with_slot(a_waiter_stays_while_the_call_goes_on),
        with_slot(a_deadline_ends_the_wait),
        with_slot(a_waiter_that_comes_late_does_not_wait_for_a_stranger),
        with_slot(a_sleeper_whose_call_moved_leaves_when_it_is_woken),
        with_slot(a_wait_behind_a_wake_teaches_nothing),
        with_slot(a_paired_waiter_never_spins),
        with_slot(a_reader_wakes_for_a_chunk_while_the_call_goes_on),
        with_slot(a_reader_does_not_wait_for_a_chunk_that_is_there),
        with_slot(the_tail_of_an_earlier_call_wakes_no_reader),
        with_slot(one_that_reads_no_stream_wakes_for_a_question),
        with_ring(a_bell_wakes_a_sleeper_and_says_so),
        with_ring(a_bell_without_sleepers_wakes_nobody),
        with_ring(nobody_is_woken_while_an_executor_searches),
        with_ring(who_looks_for_more_wakes_another_for_what_is_left),
        with_ring(whoever_takes_a_number_wakes_the_next_for_what_is_left),
        with_ring(a_burst_sends_one_wake_to_each_sleeper),
        with_ring(a_count_of_sleepers_that_cannot_be_is_not_believed),
        with_ring(a_stop_reaches_all_sleepers),
        with_ring(nothing_is_taken_after_a_stop),
        with_ring(a_brief_look_takes_what_is_there),
        with_ring(a_brief_look_is_for_one_executor_that_spins),
        with_ring(no_number_is_lost_or_taken_twice),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
