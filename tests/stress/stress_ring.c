// SPDX-License-Identifier: MIT
// Ports, rings, waits, bells and the doorbell under threads: once in one mapping, which
// is where TSan sees a race, and once against a second process. Every answer is checked
// against its call; a wake that is lost shows as a wait that reaches its deadline.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/check.h"
#include "base/clock.h"
#include "ipc/completion.h"
#include "ipc/futex.h"
#include "ipc/wait.h"
#include "port/port.h"

#define SLOTS     16u
#define EXECUTORS 3u
#define CALLERS   3u
#define LOST_NS   (10 * SP_NS_PER_S) // nobody waits so long unless a wake was lost

static const struct sp_control_shape shape = {.slots = SLOTS,
                                              .executors = EXECUTORS,
                                              .leases = 16,
                                              .epoch = 1,
                                              .requests_size = 4096,
                                              .results_size = SLOTS * SP_INLINE_RESULT};

// ---- The worker's side --------------------------------------------------------

struct worker {
    struct sp_control_view view;
    uint8_t *results;
    int doorbell;
    _Atomic uint32_t next_index;
};

static void notify(struct worker *worker, uint32_t slot)
{
    sp_completion_put(&worker->view, slot, worker->doorbell);
}

static bool start(struct sp_slot *slot)
{
    uint32_t word = atomic_load_explicit(&slot->result.state, memory_order_acquire);
    while ((word & SP_SLOT_STATE) == SP_SLOT_QUEUED) {
        uint32_t running = (word & ~(uint32_t)SP_SLOT_STATE) | SP_SLOT_RUNNING;
        if (atomic_compare_exchange_weak(&slot->result.state, &word, running)) {
            return true;
        }
    }
    SP_CHECK((word & SP_SLOT_STATE) == SP_SLOT_TAKEN_BACK);
    return false;
}

static void serve(struct worker *worker, uint32_t id)
{
    struct sp_slot *slot = &worker->view.slots[id];
    bool started = start(slot);
    uint64_t call = slot->request.call;
    uint64_t sum = call * 31;
    uint64_t body = (uint64_t)id * SP_INLINE_RESULT;
    memcpy(worker->results + body, &sum, sizeof sum);
    slot->result.status = started ? SP_STATUS_OK : SP_STATUS_SKIPPED;
    slot->result.call = call;
    slot->result.body = body;
    slot->result.body_size = sizeof sum;
    slot->result.lease = SP_NO_LEASE;
    slot->result.held = 0;
    slot->result.ran_ticks = 1;
    sp_wait_note_cpu(&worker->view.header->worker_cpu);
    uint32_t word = atomic_exchange_explicit(
        &slot->result.state, SP_SLOT_DONE, memory_order_acq_rel);
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(&slot->result.state, INT32_MAX);
    }
    if ((word & SP_SLOT_NOTIFY) != 0) {
        notify(worker, id);
    }
}

static void *execute(void *argument)
{
    struct worker *worker = argument;
    struct sp_control *header = worker->view.header;
    struct sp_patience patience = {0};
    const struct sp_intake intake = {.cells = worker->view.submit,
                                     .mask = SLOTS - 1,
                                     .head = &header->submit_head,
                                     .bell = &header->bell,
                                     .stop = &header->stop,
                                     .executors = EXECUTORS};
    const struct sp_wait wait = {
        .patience = &patience, .peer_cpu = &header->host_cpu, .deadline = SP_NEVER};
    struct sp_stamp *stamp =
        &worker->view.stamps[atomic_fetch_add(&worker->next_index, 1)];
    uint32_t id;
    enum sp_intake_result result;
    while ((result = sp_wait_intake(&intake, &wait, &id)) == SP_INTAKE_TAKEN) {
        SP_CHECK(id < SLOTS);
        serve(worker, id);
        atomic_fetch_add_explicit(&stamp->since, 1, memory_order_relaxed);
    }
    SP_CHECK(result == SP_INTAKE_STOP);
    return NULL;
}

static void start_executors(struct worker *worker, pthread_t threads[EXECUTORS])
{
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        SP_CHECK(pthread_create(&threads[i], NULL, execute, worker) == 0);
    }
}

static void join_executors(pthread_t threads[EXECUTORS])
{
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        SP_CHECK(pthread_join(threads[i], NULL) == 0);
    }
}

// The second process: this program again.
static int be_worker(void)
{
    struct sp_segment control;
    struct sp_segment results;
    struct worker worker = {.doorbell = SP_FD_DOORBELL};
    pthread_t threads[EXECUTORS];
    uint64_t size = sp_control_size(&shape);
    SP_CHECK(sp_segment_attach(&control, SP_FD_CONTROL, size, true, NULL) ==
             SNAKEPIT_OK);
    SP_CHECK(sp_control_open(control.base, size, &worker.view) == SNAKEPIT_OK);
    SP_CHECK(
        sp_segment_attach(&results, SP_FD_RESULTS, shape.results_size, true, NULL) ==
        SNAKEPIT_OK);
    worker.results = results.base;
    start_executors(&worker, threads);
    join_executors(threads);
    sp_segment_fini(&results);
    sp_segment_fini(&control);
    return 0;
}

// ---- The host's side ----------------------------------------------------------

struct host {
    struct sp_port *port;
    pthread_mutex_t lock;      // the port's
    uint64_t last_call;        // guarded by lock
    _Atomic bool stop;         // for the callers
    _Atomic bool callers_gone; // only then has the collector seen the last call
    _Atomic uint64_t submitted, answered, skipped, wrong, lost;
};

static void check(struct host *host, uint64_t call, const struct sp_port_answer *answer)
{
    uint64_t sum;
    memcpy(&sum, answer->body, sizeof sum);
    if (answer->status == SP_STATUS_SKIPPED) {
        atomic_fetch_add(&host->skipped, 1);
    } else {
        atomic_fetch_add(sum == call * 31 ? &host->answered : &host->wrong, 1);
    }
}

// Lock held.
static void take_answer(struct host *host, uint32_t slot)
{
    struct sp_port_answer answer;
    uint64_t call = host->port->slots[slot].call;
    if (sp_port_take_answer(host->port, slot, &answer) == SNAKEPIT_OK) {
        check(host, call, &answer);
    } else {
        atomic_fetch_add(&host->wrong, 1);
    }
}

static bool submit(struct host *host, bool later, uint32_t *slot)
{
    pthread_mutex_lock(&host->lock);
    const struct sp_slot_request request = {
        .call = ++host->last_call, .lease = SP_NO_LEASE, .deadline = SP_NEVER};
    bool submitted = sp_port_submit(host->port, &request, later, host, slot);
    atomic_fetch_add(&host->submitted, submitted ? 1 : 0);
    pthread_mutex_unlock(&host->lock);
    return submitted;
}

// Waits for the answer of a slot, and takes back or gives up what it has no patience
// for.
static void
wait_for(struct host *host, uint32_t slot, bool woke, struct sp_patience *patience)
{
    static _Atomic uint32_t moves;
    struct sp_wait wait = {.patience = patience,
                           .peer_cpu = &host->port->view.header->worker_cpu,
                           .woke = woke,
                           .deadline = sp_clock_now() + LOST_NS,
                           .moves = &moves};
    uint32_t word = sp_wait_slot(&host->port->view.slots[slot], &wait);
    pthread_mutex_lock(&host->lock);
    if ((word & SP_SLOT_STATE) == SP_SLOT_DONE) {
        take_answer(host, slot);
    } else {
        atomic_fetch_add(&host->lost, 1);
    }
    pthread_mutex_unlock(&host->lock);
}

static void *call_again_and_again(void *argument)
{
    struct host *host = argument;
    struct sp_bell *bell = &host->port->view.header->bell;
    struct sp_patience patience = {0};
    unsigned seed = (unsigned)(uintptr_t)&patience;
    while (!atomic_load(&host->stop)) {
        uint32_t slot;
        int dice = rand_r(&seed) % 16;
        if (!submit(host, dice < 4, &slot)) {
            sched_yield();
            continue;
        }
        sp_wait_note_cpu(&host->port->view.header->host_cpu);
        bool woke = sp_bell_ring(bell);
        if (dice < 4) {
            continue; // the collector sees its end
        }
        if (dice == 4 || dice == 5) {
            pthread_mutex_lock(&host->lock);
            bool left = sp_port_take_back(host->port, slot) ||
                        sp_port_give_up(host->port, slot);
            pthread_mutex_unlock(&host->lock);
            if (left) {
                continue;
            }
        }
        wait_for(host, slot, woke, &patience);
    }
    return NULL;
}

static uint32_t collect_all(struct host *host)
{
    uint32_t slot;
    bool asks;
    uint32_t count = 0;
    pthread_mutex_lock(&host->lock);
    snakepit_err err;
    while ((err = sp_port_next_done(host->port, &slot, &asks)) == SNAKEPIT_OK) {
        take_answer(host, slot);
        count++;
    }
    atomic_fetch_add(&host->wrong, err == SNAKEPIT_PROTOCOL ? 1 : 0);
    pthread_mutex_unlock(&host->lock);
    return count;
}

static bool is_idle(struct host *host)
{
    pthread_mutex_lock(&host->lock);
    bool idle = host->port->notifying == 0;
    pthread_mutex_unlock(&host->lock);
    return idle;
}

// Sleeps on the doorbell. A bell that does not ring although something has ended is a
// lost wake.
static void *collect(void *argument)
{
    struct host *host = argument;
    struct sp_control *header = host->port->view.header;
    struct pollfd bell = {.fd = host->port->doorbell, .events = POLLIN};
    while (!atomic_load(&host->callers_gone) || !is_idle(host)) {
        if (collect_all(host) > 0) {
            continue;
        }
        atomic_fetch_or(&header->asleep, sp_completion_bit(0));
        atomic_thread_fence(memory_order_seq_cst);
        if (collect_all(host) > 0) {
            continue;
        }
        bool idle = is_idle(host); // what comes after may end before poll() returns
        int rung = poll(&bell, 1, idle ? 10 : (int)(LOST_NS / SP_NS_PER_MS));
        if (rung == 0 && !idle && collect_all(host) > 0) {
            atomic_fetch_add(&host->lost, 1);
        }
        uint64_t count;
        ssize_t got = read(bell.fd, &count, sizeof count);
        (void)got;
    }
    return NULL;
}

static uint64_t served(const struct host *host)
{
    uint64_t count = 0;
    for (uint32_t i = 0; i < EXECUTORS; i++) {
        count += atomic_load(&host->port->view.stamps[i].since);
    }
    return count;
}

static uint32_t seconds(void)
{
    const char *text = getenv("SNAKEPIT_STRESS_SECONDS");
    return text == NULL || text[0] == 0 ? 8 : (uint32_t)strtoul(text, NULL, 10);
}

static void run_host(struct host *host)
{
    pthread_t callers[CALLERS];
    pthread_t collector;
    SP_CHECK(pthread_create(&collector, NULL, collect, host) == 0);
    for (uint32_t i = 0; i < CALLERS; i++) {
        SP_CHECK(pthread_create(&callers[i], NULL, call_again_and_again, host) == 0);
    }
    const struct timespec half = {.tv_sec = seconds() / 2,
                                  .tv_nsec = seconds() % 2 * 500000000L};
    (void)nanosleep(&half, NULL);
    atomic_store(&host->stop, true);
    for (uint32_t i = 0; i < CALLERS; i++) {
        SP_CHECK(pthread_join(callers[i], NULL) == 0);
    }
    atomic_store(&host->callers_gone, true);
    SP_CHECK(pthread_join(collector, NULL) == 0);
    atomic_store(&host->port->view.header->stop, 1);
    sp_bell_ring_all(&host->port->view.header->bell);
}

static void open_host(struct host *host)
{
    *host = (struct host){0};
    assert_int_equal(sp_port_new(&shape, &host->port, NULL), SNAKEPIT_OK);
    assert_int_equal(pthread_mutex_init(&host->lock, NULL), 0);
}

static void assert_nothing_was_lost(const char *name, struct host *host)
{
    (void)printf("%s: submitted=%llu answered=%llu skipped=%llu wrong=%llu lost=%llu\n",
                 name,
                 (unsigned long long)host->submitted,
                 (unsigned long long)host->answered,
                 (unsigned long long)host->skipped,
                 (unsigned long long)host->wrong,
                 (unsigned long long)host->lost);
    (void)fflush(stdout);
    assert_int_equal(host->wrong, 0);
    assert_int_equal(host->lost, 0);
    assert_int_equal(host->answered + host->skipped, host->submitted);
    assert_int_equal(served(host), host->submitted);
    assert_true(host->submitted > 1000);
    assert_int_equal(host->port->free_count, SLOTS);
    assert_int_equal(host->port->notifying, 0);
    sp_port_unref(host->port);
    pthread_mutex_destroy(&host->lock);
}

// ---- The tests ----------------------------------------------------------------

static void threads_race_in_one_mapping(void **state)
{
    (void)state;
    struct host host;
    pthread_t threads[EXECUTORS];
    open_host(&host);
    struct sp_port *port = host.port;
    assert_int_equal(
        mprotect(port->results.base, port->results.size, PROT_READ | PROT_WRITE), 0);
    struct worker worker = {
        .view = port->view, .results = port->results.base, .doorbell = port->doorbell};
    start_executors(&worker, threads);
    run_host(&host);
    join_executors(threads);
    assert_nothing_was_lost("ring, one process", &host);
}

static pid_t spawn_worker(const struct sp_port *port)
{
    pid_t pid = fork();
    if (pid == 0) {
        // Out of the way of the numbers that they become.
        int control = fcntl(port->control.fd, F_DUPFD_CLOEXEC, 50);
        int results = fcntl(port->results.fd, F_DUPFD_CLOEXEC, 50);
        int doorbell = fcntl(port->doorbell, F_DUPFD_CLOEXEC, 50);
        SP_CHECK(dup2(control, SP_FD_CONTROL) >= 0 &&
                 dup2(results, SP_FD_RESULTS) >= 0 &&
                 dup2(doorbell, SP_FD_DOORBELL) >= 0);
        (void)execl("/proc/self/exe", "stress_ring", "--worker", (char *)NULL);
        _exit(127);
    }
    return pid;
}

static void two_processes_race(void **state)
{
    (void)state;
    struct host host;
    int status = -1;
    open_host(&host);
    pid_t pid = spawn_worker(host.port);
    assert_true(pid > 0);
    run_host(&host);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_nothing_was_lost("ring, two processes", &host);
}

int main(int count, char **words)
{
    if (count == 2 && strcmp(words[1], "--worker") == 0) {
        return be_worker();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_race_in_one_mapping),
        cmocka_unit_test(two_processes_race),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
