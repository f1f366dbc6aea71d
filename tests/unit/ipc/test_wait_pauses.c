// SPDX-License-Identifier: MIT
// Executors that wait for their host in the middle of a call. No test sleeps: who
// should sleep is awaited by what it leaves in shared memory.
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

#define AWAIT(condition)                                     \
    do {                                                     \
        uint64_t until_ = sp_clock_now() + 10 * SP_NS_PER_S; \
        while (!(condition)) {                               \
            assert_true(sp_clock_now() < until_);            \
            sched_yield();                                   \
        }                                                    \
    } while (0)

static struct sp_slot slot;

static int empty_slot(void **state)
{
    (void)state;
    memset(&slot, 0, sizeof slot);
    return 0;
}

struct pausing {
    struct sp_pause pause;
    struct sp_wait wait;
    struct sp_patience patience;
    _Atomic uint32_t cpu;
    enum sp_pause_result result;
    pthread_t thread;
};

static void prepare_pause(struct pausing *pausing, uint64_t deadline)
{
    *pausing = (struct pausing){.pause = {.slot = &slot}};
    pausing->wait = (struct sp_wait){.patience = &pausing->patience,
                                     .peer_cpu = &pausing->cpu,
                                     .deadline = deadline};
}

static void *wait_for_host(void *argument)
{
    struct pausing *pausing = argument;
    pausing->result = sp_wait_host(&pausing->pause, &pausing->wait);
    return NULL;
}

static void start_pause(struct pausing *pausing)
{
    assert_int_equal(pthread_create(&pausing->thread, NULL, wait_for_host, pausing), 0);
    AWAIT((atomic_load(&slot.result.state) & SP_SLOT_SLEEPER) != 0);
}

static void end_pause(struct pausing *pausing, enum sp_pause_result wanted)
{
    assert_int_equal(pthread_join(pausing->thread, NULL), 0);
    assert_int_equal(pausing->result, wanted);
    assert_false(atomic_load(&slot.result.state) & SP_SLOT_SLEEPER);
}

static void one_that_asked_wakes_for_the_reply(void **state)
{
    (void)state;
    struct pausing pausing;
    prepare_pause(&pausing, SP_NEVER);
    pausing.pause.reply = true;
    atomic_store(&slot.result.state, SP_SLOT_ASKING);
    start_pause(&pausing);
    // That it was heard is not a reply: it goes back to sleep.
    atomic_store(&slot.result.state, SP_SLOT_ANSWERING);
    sp_futex_wake(&slot.result.state, 1);
    AWAIT(atomic_load(&slot.result.state) == (SP_SLOT_ANSWERING | SP_SLOT_SLEEPER));
    atomic_store(&slot.result.state, SP_SLOT_RUNNING | SP_SLOT_SLEEPER);
    sp_wake_executor(&slot);
    end_pause(&pausing, SP_PAUSE_OVER);
}

// One that waits until the first 64 bytes of its tube were read.
static void start_producer(struct pausing *pausing)
{
    prepare_pause(pausing, SP_NEVER);
    pausing->pause.tube_head = 64;
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    start_pause(pausing);
}

static void a_producer_wakes_when_there_is_room(void **state)
{
    (void)state;
    struct pausing pausing;
    start_producer(&pausing);
    __atomic_store_n(&slot.request.tube_head, 64, __ATOMIC_RELEASE);
    sp_wake_executor(&slot);
    end_pause(&pausing, SP_PAUSE_OVER);
}

static void a_producer_wakes_when_it_is_cancelled(void **state)
{
    (void)state;
    struct pausing pausing;
    start_producer(&pausing);
    __atomic_store_n(&slot.request.cancel, 1, __ATOMIC_RELEASE);
    sp_wake_executor(&slot);
    end_pause(&pausing, SP_PAUSE_CANCELLED);
}

static void a_signal_that_came_before_the_sleep_ends_the_pause(void **state)
{
    (void)state;
    struct pausing pausing;
    struct sp_signals signals = {.count = 1};
    prepare_pause(&pausing, sp_clock_now() + 20 * SP_NS_PER_S);
    pausing.pause.reply = true;
    pausing.pause.signals = &signals;
    atomic_store(&slot.result.state, SP_SLOT_ASKING);
    assert_int_equal(sp_wait_host(&pausing.pause, &pausing.wait), SP_PAUSE_INTERRUPTED);
    assert_null(atomic_load(&signals.sleeping));
}

static void a_signal_of_another_thread_ends_the_pause(void **state)
{
    (void)state;
    struct pausing pausing;
    struct sp_signals signals = {.count = 7};
    prepare_pause(&pausing, sp_clock_now() + 20 * SP_NS_PER_S);
    pausing.pause.tube_head = 64;
    pausing.pause.signals = &signals;
    pausing.pause.signals_heard = 7;
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    start_pause(&pausing);
    sp_signals_note(&signals);
    end_pause(&pausing, SP_PAUSE_INTERRUPTED);
    sp_signals_note(&signals); // where nobody sleeps it is counted all the same
    assert_int_equal(atomic_load(&signals.count), 9);
}

static void a_pause_ends_at_its_deadline(void **state)
{
    (void)state;
    struct pausing pausing;
    prepare_pause(&pausing, sp_clock_now() + 20 * SP_NS_PER_MS);
    pausing.pause.tube_head = 64;
    atomic_store(&slot.result.state, SP_SLOT_RUNNING);
    assert_int_equal(sp_wait_host(&pausing.pause, &pausing.wait), SP_PAUSE_LATE);
    assert_true(sp_clock_now() >= pausing.wait.deadline);
}
#define with_slot(name) cmocka_unit_test_setup(name, empty_slot)

int main(void)
{
    const struct CMUnitTest tests[] = {
        with_slot(one_that_asked_wakes_for_the_reply),
        with_slot(a_producer_wakes_when_there_is_room),
        with_slot(a_producer_wakes_when_it_is_cancelled),
        with_slot(a_signal_that_came_before_the_sleep_ends_the_pause),
        with_slot(a_signal_of_another_thread_ends_the_pause),
        with_slot(a_pause_ends_at_its_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
