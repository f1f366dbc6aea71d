// SPDX-License-Identifier: MIT
// A tube with its waits, first between two threads in one mapping, where TSan sees a
// race, then between two processes. Sizes, places and pauses follow from the chunk's
// number on both sides, so every byte is checked; a wake that is lost shows as a wait
// that reaches its deadline.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
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
#include "ipc/futex.h"
#include "ipc/tube.h"
#include "ipc/wait.h"
#include "port/port.h"

#define CHUNKS  200000u
#define LOST_NS (10 * SP_NS_PER_S) // nobody waits so long unless a wake was lost
#define TUBE_AT 4096u
#define ROOM_AT (TUBE_AT + SP_TUBE_BYTES) // of chunks outside
#define ROOM    20000u                    // for each of them
#define RESULTS (ROOM_AT + SP_CHUNKS_LEASED * ROOM + 4096u)
#define FEW_AT  1000u // so many chunks pass between two pauses

static const struct sp_control_shape shape = {.slots = 2,
                                              .executors = 1,
                                              .leases = 2,
                                              .epoch = 1,
                                              .requests_size = 4096,
                                              .results_size = RESULTS};

// ---- What both sides know of a chunk ------------------------------------------

static uint32_t mixed(uint32_t number)
{
    number = (number ^ number >> 15) * 0x85ebca6bu;
    number = (number ^ number >> 13) * 0xc2b2ae35u;
    return number ^ number >> 16;
}

static bool is_outside(uint32_t number)
{
    return mixed(number) % 64 == 0;
}

// Mostly a few bytes, now and then as many as fit.
static uint32_t size_of(uint32_t number)
{
    uint32_t dice = mixed(number + 1);
    if (is_outside(number)) {
        return dice % ROOM;
    }
    return dice % 256 == 0 ? dice / 256 % (SP_CHUNK_INLINE + 1) : dice % 100;
}

static void fill(uint8_t *bytes, uint32_t number, uint32_t size)
{
    memset(bytes, (int)(mixed(number) & 0xff), size);
}

// One side is slow for a while, then the other.
static void pause_now_and_then(uint32_t number, uint32_t turn)
{
    if (number / FEW_AT % 3 == turn && number % 7 == 0) {
        sched_yield();
    }
}

// ---- The worker's side --------------------------------------------------------

struct worker {
    struct sp_control_view view;
    uint8_t *results;
    struct sp_tube_writer tube;
    struct sp_patience patience;
    uint64_t ends[SP_CHUNKS_LEASED]; // heads behind the last chunks outside
    uint32_t outside;                // how many there were
};

static void await_head(struct worker *worker, uint64_t head)
{
    const struct sp_pause pause = {.slot = &worker->view.slots[0], .tube_head = head};
    const struct sp_wait wait = {.patience = &worker->patience,
                                 .peer_cpu = &worker->view.header->host_cpu,
                                 .deadline = sp_clock_now() + LOST_NS};
    SP_CHECK(sp_wait_host(&pause, &wait) == SP_PAUSE_OVER);
}

static void put(struct worker *worker, uint32_t number)
{
    static uint8_t bytes[SP_CHUNK_INLINE];
    uint32_t size = size_of(number);
    struct sp_chunk chunk = {SP_CHUNK_HERE, size, SP_NO_LEASE};
    uint64_t head;
    uint32_t place = worker->outside % SP_CHUNKS_LEASED;
    if (is_outside(number)) {
        await_head(worker, worker->ends[place]);
        chunk.body = ROOM_AT + place * ROOM;
        chunk.lease = place;
        fill(worker->results + chunk.body, number, size);
    } else {
        fill(bytes, number, size);
    }
    while (!sp_tube_has_room(&worker->tube, is_outside(number) ? 0 : size, &head)) {
        await_head(worker, head);
    }
    sp_tube_put(&worker->tube, &chunk, bytes);
    if (is_outside(number)) {
        worker->ends[place] = worker->tube.tail;
        worker->outside++;
    }
}

static void *produce(void *argument)
{
    struct worker *worker = argument;
    struct sp_slot *slot = &worker->view.slots[0];
    sp_tube_clear(slot);
    sp_tube_writer_init(&worker->tube, slot, worker->results + TUBE_AT, TUBE_AT);
    uint32_t queued = atomic_load(&slot->result.state);
    while (!atomic_compare_exchange_weak(&slot->result.state,
                                         &queued,
                                         (queued & ~(uint32_t)SP_SLOT_STATE) |
                                             SP_SLOT_RUNNING)) {
    }
    for (uint32_t number = 0; number < CHUNKS; number++) {
        put(worker, number);
        pause_now_and_then(number, 0);
    }
    uint32_t word = atomic_exchange(&slot->result.state, SP_SLOT_DONE);
    if ((word & SP_SLOT_WAITER) != 0) {
        sp_futex_wake(&slot->result.state, 1);
    }
    return NULL;
}

// The second process: this program again.
static int be_worker(void)
{
    struct sp_segment control;
    struct sp_segment results;
    static struct worker worker;
    uint64_t size = sp_control_size(&shape);
    SP_CHECK(sp_segment_attach(&control, SP_FD_CONTROL, size, true, NULL) ==
             SNAKEPIT_OK);
    SP_CHECK(sp_control_open(control.base, size, &worker.view) == SNAKEPIT_OK);
    SP_CHECK(sp_segment_attach(&results, SP_FD_RESULTS, RESULTS, true, NULL) ==
             SNAKEPIT_OK);
    worker.results = results.base;
    (void)produce(&worker);
    sp_segment_fini(&results);
    sp_segment_fini(&control);
    return 0;
}

// ---- The host's side ----------------------------------------------------------

static void assert_is_chunk(const struct sp_tube_piece *piece, uint32_t number)
{
    static uint8_t wanted[ROOM];
    uint32_t size = size_of(number);
    assert_int_equal(piece->size, size);
    fill(wanted, number, size);
    assert_memory_equal(piece->body, wanted, size);
}

static void tell(struct sp_tube_reader *reader, struct sp_slot *slot)
{
    if (sp_tube_tell(reader, slot)) {
        sp_wake_executor(slot);
    }
}

// Waits for a chunk; false: there is none, and none will come.
static bool await_chunk(struct sp_port *port,
                        struct sp_tube_reader *reader,
                        struct sp_patience *patience)
{
    static _Atomic uint32_t moves;
    struct sp_slot *slot = &port->view.slots[0];
    tell(reader, slot);
    struct sp_wait wait = {.patience = patience,
                           .peer_cpu = &port->view.header->worker_cpu,
                           .deadline = sp_clock_now() + LOST_NS,
                           .moves = &moves,
                           .tube = true,
                           .tail_seen = reader->tail};
    uint32_t word = sp_wait_slot(slot, &wait);
    assert_true(sp_clock_now() < wait.deadline);
    bool done = (word & SP_SLOT_STATE) == SP_SLOT_DONE;
    const struct sp_tube_claim claim = sp_tube_look(slot);
    assert_int_equal(sp_tube_believe(reader, &claim), SNAKEPIT_OK);
    return sp_tube_has_more(reader) || !done;
}

static void read_all(struct sp_port *port)
{
    struct sp_slot *slot = &port->view.slots[0];
    struct sp_tube_reader reader = {.results = port->results.base, .size = RESULTS};
    struct sp_patience patience = {0};
    uint32_t number = 0;
    while (sp_tube_has_more(&reader) || await_chunk(port, &reader, &patience)) {
        struct sp_tube_piece piece;
        snakepit_err err = sp_tube_next(&reader, &piece);
        if (err == SNAKEPIT_NOT_FOUND) {
            continue;
        }
        assert_int_equal(err, SNAKEPIT_OK);
        assert_is_chunk(&piece, number);
        if (sp_tube_wants_to_tell(&reader)) {
            tell(&reader, slot);
        }
        pause_now_and_then(number++, 1);
    }
    assert_int_equal(number, CHUNKS);
}

static struct sp_port *open_port(void)
{
    struct sp_port *port;
    uint32_t slot;
    const struct sp_slot_request request = {
        .call = 1, .lease = SP_NO_LEASE, .deadline = SP_NEVER, .kind = SP_CALL_STREAM};
    assert_int_equal(sp_port_new(&shape, &port, NULL), SNAKEPIT_OK);
    assert_true(sp_port_submit(port, &request, false, port, &slot));
    assert_int_equal(slot, 0);
    return port;
}

// ---- The tests ----------------------------------------------------------------

static void two_threads_stream_in_one_mapping(void **state)
{
    (void)state;
    static struct worker worker;
    pthread_t thread;
    struct sp_port *port = open_port();
    assert_int_equal(mprotect(port->results.base, RESULTS, PROT_READ | PROT_WRITE), 0);
    worker = (struct worker){.view = port->view, .results = port->results.base};
    assert_int_equal(pthread_create(&thread, NULL, produce, &worker), 0);
    read_all(port);
    assert_int_equal(pthread_join(thread, NULL), 0);
    sp_port_unref(port);
}

static void two_processes_stream(void **state)
{
    (void)state;
    int status = -1;
    struct sp_port *port = open_port();
    pid_t pid = fork();
    if (pid == 0) {
        // Out of the way of the numbers that they become.
        int control = fcntl(port->control.fd, F_DUPFD_CLOEXEC, 50);
        int results = fcntl(port->results.fd, F_DUPFD_CLOEXEC, 50);
        SP_CHECK(dup2(control, SP_FD_CONTROL) >= 0 &&
                 dup2(results, SP_FD_RESULTS) >= 0);
        (void)execl("/proc/self/exe", "stress_tube", "--worker", (char *)NULL);
        _exit(127);
    }
    assert_true(pid > 0);
    read_all(port);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    sp_port_unref(port);
}

int main(int count, char **words)
{
    if (count == 2 && strcmp(words[1], "--worker") == 0) {
        return be_worker();
    }
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_threads_stream_in_one_mapping),
        cmocka_unit_test(two_processes_stream),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
