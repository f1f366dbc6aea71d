// SPDX-License-Identifier: MIT
// Spinning, sleeping and waking, by the rule in patience.c.
#include "ipc/wait.h"

#include <errno.h>
#include <sched.h>

#include "base/clock.h"
#include "ipc/futex.h"
#include "ipc/spin.h"

// Threads of this process that spin now. One core must stay free for whoever they wait
// for.
static _Atomic int spinners;

static int spinners_allowed(void)
{
    static _Atomic int allowed;
    int known = atomic_load_explicit(&allowed, memory_order_relaxed);
    if (known == 0) {
        cpu_set_t set;
        known = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;
        atomic_store_explicit(&allowed, known, memory_order_relaxed);
    }
    return known - 1;
}

bool sp_spin_begin(void)
{
    if (atomic_fetch_add_explicit(&spinners, 1, memory_order_relaxed) <
        spinners_allowed()) {
        return true;
    }
    atomic_fetch_sub_explicit(&spinners, 1, memory_order_relaxed);
    return false;
}

void sp_spin_end(void)
{
    atomic_fetch_sub_explicit(&spinners, 1, memory_order_relaxed);
}

static bool worth_spinning(const struct sp_wait *wait)
{
    return wait->patience->budget != 0 && !wait->woke &&
           wait->waiting != SP_WAITING_PAIRED && sp_wait_is_elsewhere(wait->peer_cpu);
}

// ---- Spinning -------------------------------------------------------------------

struct spin {
    uint64_t begun;
    uint64_t now;
    uint64_t budget;
    uint32_t turns;
    bool was_quiet; // it has not looked at first
};

// False: it is not to spin. Else it ends with sp_spin_end().
static bool begin_spin(const struct sp_wait *wait, uint64_t begun, struct spin *spin)
{
    *spin =
        (struct spin){.begun = begun, .now = begun, .budget = wait->patience->budget};
    return worth_spinning(wait) && sp_spin_begin();
}

// Lets the time pass before which there is nothing to see.
static inline void stay_quiet(struct spin *spin, const struct sp_wait *wait)
{
    uint64_t quiet = sp_patience_quiet(wait->patience);
    spin->was_quiet = quiet != 0;
    while (spin->now - spin->begun < quiet) {
        sp_clock_relax();
        spin->now = sp_clock_ticks();
    }
}

// Learns from a spin that stay_quiet() may have begun, and that was not in vain.
static inline void note_quiet(const struct spin *spin, const struct sp_wait *wait)
{
    bool at_once = spin->was_quiet && spin->turns == 0;
    sp_patience_note(wait->patience, spin->now - spin->begun, at_once);
}

// One turn. False: it has taken long enough.
static inline bool spin_on(struct spin *spin)
{
    sp_clock_relax();
    spin->turns++;
    spin->now = sp_clock_ticks();
    return spin->now - spin->begun < spin->budget;
}

// It is over, with what it waited for or without.
static void end_spin(const struct spin *spin, const struct sp_wait *wait, bool hit)
{
    sp_spin_end();
    if (hit) {
        sp_patience_hit(wait->patience, spin->now - spin->begun);
    }
}

// ---- Host ---------------------------------------------------------------------

static bool is_under_way(uint32_t word)
{
    uint32_t state = word & SP_SLOT_STATE;
    return state == SP_SLOT_QUEUED || state == SP_SLOT_RUNNING;
}

// [slot:seen] pairs with [slot:done]: the answer is visible once the state is.
static uint32_t look(struct sp_slot *slot)
{
    return atomic_load_explicit(&slot->result.state, memory_order_acquire);
}

// Whether there is nothing to look at yet.
static bool must_wait(struct sp_slot *slot, const struct sp_wait *wait, uint32_t word)
{
    if (!is_under_way(word)) {
        return false;
    }
    // While it is QUEUED the tail is that of an earlier call.
    if (!wait->tube || (word & SP_SLOT_STATE) == SP_SLOT_QUEUED) {
        return true;
    }
    // [tube:seen] the chunk is visible once the tail is; pairs with [tube:put].
    return atomic_load_explicit(&slot->result.tube_tail, memory_order_acquire) ==
           wait->tail_seen;
}

static bool spin_for_slot(struct sp_slot *slot,
                          const struct sp_wait *wait,
                          uint64_t begun,
                          uint32_t *word)
{
    struct spin spin;
    bool over;
    if (!begin_spin(wait, begun, &spin)) {
        return false;
    }
    if (!wait->tube) {
        stay_quiet(&spin, wait);
    }
    do {
        *word = look(slot);
        over = !must_wait(slot, wait, *word);
    } while (!over && spin_on(&spin));
    end_spin(&spin, wait, over);
    if (over && !wait->tube) {
        note_quiet(&spin, wait);
    }
    return over;
}

static bool moved(const struct sp_wait *wait)
{
    return atomic_load_explicit(wait->moves, memory_order_acquire) != wait->moves_seen;
}

static uint32_t sleep_for_slot(struct sp_slot *slot, const struct sp_wait *wait)
{
    uint32_t word = look(slot);
    while (must_wait(slot, wait, word)) {
        uint32_t marked = word | SP_SLOT_WAITER;
        if (word != marked &&
            !atomic_compare_exchange_weak_explicit(&slot->result.state,
                                                   &word,
                                                   marked,
                                                   memory_order_acq_rel,
                                                   memory_order_acquire)) {
            continue;
        }
        // Looked at behind the mark: if the slot has changed hands, the mark says so
        // too. [tube:sleep] and so does a chunk; pairs with [tube:wake].
        atomic_thread_fence(memory_order_seq_cst);
        if (moved(wait) || !must_wait(slot, wait, marked)) {
            break;
        }
        int rc = sp_futex_wait(&slot->result.state, marked, wait->deadline);
        int reason = rc == 0 ? 0 : errno;
        word = look(slot);
        if (reason == ETIMEDOUT) {
            break;
        }
    }
    return word;
}

uint32_t sp_wait_slot(struct sp_slot *slot, struct sp_wait *wait)
{
    uint64_t begun = sp_clock_ticks();
    wait->begun = begun;
    uint32_t word = look(slot);
    if (!must_wait(slot, wait, word) || spin_for_slot(slot, wait, begun, &word)) {
        return word;
    }
    word = sleep_for_slot(slot, wait);
    if (!wait->woke) {
        sp_patience_miss(wait->patience, sp_clock_ticks() - begun);
    }
    return word;
}

bool sp_executor_sleeps(struct sp_slot *slot)
{
    // [pause:wake] the change before the look at the mark; pairs with [pause:sleep].
    atomic_thread_fence(memory_order_seq_cst);
    _Atomic uint32_t *state = &slot->result.state;
    if ((atomic_load_explicit(state, memory_order_relaxed) & SP_SLOT_SLEEPER) == 0) {
        return false;
    }
    atomic_fetch_and_explicit(state, ~(uint32_t)SP_SLOT_SLEEPER, memory_order_acq_rel);
    return true;
}

void sp_wake_executor(struct sp_slot *slot)
{
    if (sp_executor_sleeps(slot)) {
        sp_futex_wake(&slot->result.state, INT32_MAX);
    }
}

// ---- Worker -------------------------------------------------------------------

#define MOVE_AFTER    64u      // short sleeps on one core before the thread leaves it
#define PAUSE_US      20000u   // between two moves at first
#define PAUSE_MOST_US 5000000u // and at most

// Makes the scheduler put this thread onto another core, if it may run on one.
static void leave_core(void)
{
    cpu_set_t allowed;
    int here = sched_getcpu();
    if (here < 0 || sched_getaffinity(0, sizeof allowed, &allowed) != 0) {
        return;
    }
    cpu_set_t others = allowed;
    CPU_CLR(here, &others);
    if (CPU_COUNT(&others) > 0) {
        (void)sched_setaffinity(0, sizeof others, &others);
        (void)sched_setaffinity(0, sizeof allowed, &allowed);
    }
}

// Two sides that hand over on one core stay there, for the scheduler wakes the one
// beside the other; yet with dense traffic a spinning pair on two cores is several
// times faster. So after a run of short sleeps on one core the executor leaves it, less
// and less often while that does not help.
static void note_sleep(const struct sp_wait *wait, uint64_t slept)
{
    struct sp_patience *patience = wait->patience;
    uint64_t us = sp_clock_ticks_per_us();
    if (slept >= SP_SHORT_US * us || sp_wait_is_elsewhere(wait->peer_cpu)) {
        patience->same_core = 0;
        return;
    }
    uint64_t now = sp_clock_ticks();
    if (++patience->same_core < MOVE_AFTER || now < patience->next_move ||
        wait->waiting != SP_WAITING_AUTO) {
        return;
    }
    uint64_t pause =
        patience->pause < PAUSE_US * us ? PAUSE_US * us : 2 * patience->pause;
    patience->pause = pause > PAUSE_MOST_US * us ? PAUSE_MOST_US * us : pause;
    patience->next_move = now + patience->pause;
    patience->same_core = 0;
    leave_core();
}

static bool is_stopped(const struct sp_intake *intake)
{
    return atomic_load_explicit(intake->stop, memory_order_acquire) != 0;
}

static bool take(const struct sp_intake *intake, uint32_t *number)
{
    return !is_stopped(intake) &&
           sp_ring_take(intake->cells, intake->mask, intake->head, number);
}

// While one executor searches, nobody is woken for what is put in. So whoever stops
// searching, with a number or without, looks at the ring once more afterwards.
static void begin_search(const struct sp_intake *intake)
{
    if (intake->executors > 1) {
        atomic_fetch_add_explicit(&intake->bell->searching, 1, memory_order_relaxed);
    }
}

static void end_search(const struct sp_intake *intake)
{
    if (intake->executors > 1) {
        atomic_fetch_sub_explicit(&intake->bell->searching, 1, memory_order_relaxed);
    }
}

// This executor is busy from now on: another one takes what else is there.
static void pass_on(const struct sp_intake *intake)
{
    uint32_t number;
    if (intake->executors == 1) {
        return;
    }
    // [bell:leave] pairs with [bell:put]: either we see the cell or the host sees that
    // nobody looks for it.
    atomic_thread_fence(memory_order_seq_cst);
    uint64_t head = atomic_load_explicit(intake->head, memory_order_relaxed);
    if (sp_ring_peek(intake->cells, intake->mask, head, &number)) {
        (void)sp_bell_ring(intake->bell);
    }
}

void sp_intake_begin_search(const struct sp_intake *intake)
{
    begin_search(intake);
}

void sp_intake_end_search(const struct sp_intake *intake)
{
    end_search(intake);
    pass_on(intake);
}

static bool spin_for_intake(const struct sp_intake *intake,
                            const struct sp_wait *wait,
                            struct spin *spin,
                            uint32_t *number)
{
    bool taken;
    begin_search(intake);
    do {
        taken = take(intake, number);
    } while (!taken && !is_stopped(intake) && spin_on(spin));
    end_search(intake);
    end_spin(spin, wait, taken);
    if (taken) {
        pass_on(intake);
        wait->patience->came = spin->now;
    }
    return taken;
}

// Between these two the executor may be woken by its number.
static uint32_t begin_sleep(const struct sp_intake *intake, const struct sp_wait *wait)
{
    uint32_t name = UINT32_C(1) << wait->place % 32;
    if (intake->executors > 1) {
        atomic_fetch_or_explicit(&intake->bell->asleep, name, memory_order_relaxed);
    }
    return name;
}

static void end_sleep(const struct sp_intake *intake, uint32_t name)
{
    if (intake->executors > 1) {
        atomic_fetch_and_explicit(&intake->bell->asleep, ~name, memory_order_relaxed);
    }
}

// One round of going to sleep. Whoever finds something after it said that it sleeps
// withdraws that, unless a wake was already sent to it: then that wake finds nobody,
// which is harmless.
static enum sp_intake_result
sleep_for_intake(const struct sp_intake *intake, uint32_t name, uint32_t *number)
{
    uint32_t seen = sp_bell_announce(intake->bell, intake->executors);
    // [bell:sleep] pairs with [bell:put]: either we see the cell or the host sees us.
    atomic_thread_fence(memory_order_seq_cst);
    if (take(intake, number)) {
        sp_bell_withdraw(intake->bell, seen);
        return SP_INTAKE_TAKEN;
    }
    if (is_stopped(intake)) {
        sp_bell_withdraw(intake->bell, seen);
        return SP_INTAKE_STOP;
    }
    if (sp_futex_wait_named(&intake->bell->word, seen, SP_NEVER, name) != 0 &&
        errno == EINTR) {
        sp_bell_withdraw(intake->bell, seen);
        return SP_INTAKE_INTERRUPTED;
    }
    return take(intake, number) ? SP_INTAKE_TAKEN : SP_INTAKE_STOP;
}

bool sp_wait_intake_briefly(const struct sp_intake *intake,
                            const struct sp_wait *wait,
                            uint64_t begun,
                            uint32_t *number)
{
    struct spin spin;
    uint64_t most = SP_BRIEF_US * sp_clock_ticks_per_us();
    if (intake->executors > 1 || !begin_spin(wait, begun, &spin)) {
        return false;
    }
    spin.budget = spin.budget < most ? spin.budget : most;
    return spin_for_intake(intake, wait, &spin, number);
}

enum sp_intake_result sp_wait_intake(const struct sp_intake *intake,
                                     const struct sp_wait *wait,
                                     uint32_t *number)
{
    struct spin spin;
    uint64_t begun = sp_clock_ticks();
    if (begin_spin(wait, begun, &spin) &&
        spin_for_intake(intake, wait, &spin, number)) {
        return SP_INTAKE_TAKEN;
    }
    for (;;) {
        uint32_t name = begin_sleep(intake, wait);
        enum sp_intake_result result = sleep_for_intake(intake, name, number);
        end_sleep(intake, name);
        if (result == SP_INTAKE_TAKEN) {
            pass_on(intake);
            uint64_t slept = sp_clock_ticks() - begun;
            sp_patience_miss(wait->patience, slept);
            note_sleep(wait, slept);
        }
        // A wake that another executor's work used up looks like a stop; only the flag
        // is one.
        if (result != SP_INTAKE_STOP || is_stopped(intake)) {
            return result;
        }
    }
}

// ---- Worker, in the middle of a call ------------------------------------------

bool sp_wake_reader(struct sp_slot *slot)
{
    const uint32_t marks = SP_SLOT_WAITER | SP_SLOT_READER;
    // [tube:wake] the tail before the look at the mark; pairs with [tube:sleep].
    atomic_thread_fence(memory_order_seq_cst);
    _Atomic uint32_t *state = &slot->result.state;
    if ((atomic_load_explicit(state, memory_order_relaxed) & marks) == 0) {
        return false;
    }
    uint32_t word = atomic_fetch_and_explicit(state, ~marks, memory_order_acq_rel);
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(state, INT32_MAX);
    }
    if ((word & SP_SLOT_READER) == 0) {
        return false;
    }
    word = atomic_fetch_or_explicit(state, SP_SLOT_TOLD, memory_order_acq_rel);
    return (word & SP_SLOT_TOLD) == 0;
}

// False: go on waiting.
static bool pause_is_over(const struct sp_pause *pause, enum sp_pause_result *result)
{
    struct sp_slot_request *request = &pause->slot->request;
    *result = SP_PAUSE_OVER;
    if (pause->reply) {
        // [reply:seen] pairs with [reply:put].
        uint32_t state = look(pause->slot) & SP_SLOT_STATE;
        return state != SP_SLOT_ASKING && state != SP_SLOT_ANSWERING;
    }
    // [tube:room] what was read is not needed any more; pairs with [tube:read].
    if (__atomic_load_n(&request->tube_head, __ATOMIC_ACQUIRE) >= pause->tube_head) {
        return true;
    }
    *result = SP_PAUSE_CANCELLED;
    return __atomic_load_n(&request->cancel, __ATOMIC_ACQUIRE) != 0;
}

static bool spin_for_host(const struct sp_pause *pause,
                          const struct sp_wait *wait,
                          uint64_t begun,
                          enum sp_pause_result *result)
{
    struct spin spin;
    bool over;
    if (!begin_spin(wait, begun, &spin)) {
        return false;
    }
    do {
        over = pause_is_over(pause, result);
    } while (!over && spin_on(&spin));
    end_spin(&spin, wait, over);
    return over;
}

void sp_signals_note(struct sp_signals *signals)
{
    atomic_fetch_add_explicit(&signals->count, 1, memory_order_release);
    // [signal:note] the count before the look at the sleeper; pairs with
    // [signal:sleep].
    atomic_thread_fence(memory_order_seq_cst);
    struct sp_slot *slot =
        atomic_load_explicit(&signals->sleeping, memory_order_acquire);
    if (slot != NULL) {
        sp_wake_executor(slot);
    }
}

static void note_sleeper(const struct sp_pause *pause, struct sp_slot *slot)
{
    if (pause->signals != NULL) {
        atomic_store_explicit(&pause->signals->sleeping, slot, memory_order_release);
    }
}

// [signal:sleep] behind the fence of the mark; pairs with [signal:note].
static bool has_signal(const struct sp_pause *pause)
{
    return pause->signals != NULL &&
           atomic_load_explicit(&pause->signals->count, memory_order_acquire) !=
               pause->signals_heard;
}

static enum sp_pause_result sleep_for_host(const struct sp_pause *pause,
                                           const struct sp_wait *wait)
{
    enum sp_pause_result result;
    _Atomic uint32_t *state = &pause->slot->result.state;
    note_sleeper(pause, pause->slot);
    for (;;) {
        uint32_t marked =
            atomic_fetch_or_explicit(state, SP_SLOT_SLEEPER, memory_order_acq_rel) |
            SP_SLOT_SLEEPER;
        // [pause:sleep] pairs with [pause:wake]: we see the change or it sees the mark.
        atomic_thread_fence(memory_order_seq_cst);
        if (pause_is_over(pause, &result)) {
            break;
        }
        if (has_signal(pause)) {
            result = SP_PAUSE_INTERRUPTED;
            break;
        }
        if (sp_futex_wait(state, marked, wait->deadline) == 0 || errno == EAGAIN) {
            continue;
        }
        if (pause_is_over(pause, &result)) {
            break;
        }
        result = errno == ETIMEDOUT ? SP_PAUSE_LATE : SP_PAUSE_INTERRUPTED;
        break;
    }
    note_sleeper(pause, NULL);
    atomic_fetch_and_explicit(state, ~(uint32_t)SP_SLOT_SLEEPER, memory_order_relaxed);
    return result;
}

enum sp_pause_result sp_wait_host(const struct sp_pause *pause,
                                  const struct sp_wait *wait)
{
    enum sp_pause_result result;
    uint64_t begun = sp_clock_ticks();
    if (pause_is_over(pause, &result) || spin_for_host(pause, wait, begun, &result)) {
        return result;
    }
    result = sleep_for_host(pause, wait);
    uint64_t slept = sp_clock_ticks() - begun;
    sp_patience_miss(wait->patience, slept);
    note_sleep(wait, slept);
    return result;
}
