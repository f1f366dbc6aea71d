// SPDX-License-Identifier: MIT
// The host's end against a worker that the test plays, word by word.
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/memory.h"
#include "ipc/ring.h"
#include "ipc/wait.h"

#define SLOTS   8u
#define LEASES  4u
#define RESULTS 65536u

static struct sp_port *port;
static int owner;
static bool asks;

static const struct sp_control_shape shape = {.slots = SLOTS,
                                              .executors = 2,
                                              .leases = LEASES,
                                              .epoch = 1,
                                              .requests_size = 4096,
                                              .results_size = RESULTS};

static int open_port(void **state)
{
    (void)state;
    assert_int_equal(sp_port_new(&shape, &port, NULL), SNAKEPIT_OK);
    return 0;
}

static int close_port(void **state)
{
    (void)state;
    sp_port_unref(port);
    return 0;
}

static _Atomic uint32_t *word(uint32_t slot)
{
    return &port->view.slots[slot].result.state;
}

static uint32_t submit(uint64_t call, bool notify)
{
    const struct sp_slot_request request = {.call = call, .lease = SP_NO_LEASE};
    uint32_t slot = UINT32_MAX;
    assert_true(sp_port_submit(port, &request, notify, &owner, &slot));
    return slot;
}

// A right answer; `change` spoils it before it is published.
static void answer(uint32_t slot, uint64_t call)
{
    struct sp_slot_result *result = &port->view.slots[slot].result;
    result->status = SP_STATUS_OK;
    result->call = call;
    result->body = (uint64_t)slot * SP_INLINE_RESULT;
    result->body_size = 10;
    result->lease = SP_NO_LEASE;
    result->held = 0;
    result->ran_ticks = 5;
    atomic_store(&result->state, SP_SLOT_DONE);
}

static void put_done(uint64_t position, uint32_t number)
{
    sp_ring_put(port->view.done, SLOTS - 1, position, number);
}

// ---- Submitting ---------------------------------------------------------------

static void a_call_is_in_its_slot_before_its_id_is_in_the_ring(void **state)
{
    (void)state;
    _Atomic uint64_t head = 0;
    uint32_t taken;
    uint32_t slot = submit(77, false);
    assert_int_equal(sp_port_state(port, slot), SP_SLOT_QUEUED);
    assert_int_equal(*word(slot), SP_SLOT_QUEUED);
    assert_int_equal(port->view.slots[slot].request.call, 77);
    assert_true(sp_ring_take(port->view.submit, SLOTS - 1, &head, &taken));
    assert_int_equal(taken, slot);
    assert_ptr_equal(port->slots[slot].owner, &owner);
}

static void there_are_as_many_places_as_slots(void **state)
{
    (void)state;
    const struct sp_slot_request request = {.call = 99};
    uint32_t seen = 0;
    uint32_t slot = 55;
    for (uint64_t i = 1; i <= SLOTS; i++) {
        seen |= 1u << submit(i, i % 2 == 0);
    }
    assert_int_equal(seen, (1u << SLOTS) - 1);
    assert_false(sp_port_submit(port, &request, false, NULL, &slot));
    assert_int_equal(slot, 55);
    assert_int_equal(port->notifying, SLOTS / 2);
}

static void the_slot_that_was_freed_last_is_used_first(void **state)
{
    (void)state;
    struct sp_port_answer got;
    uint32_t first = submit(1, false);
    uint32_t second = submit(2, false);
    answer(second, 2);
    assert_int_equal(sp_port_take_answer(port, second, &got), SNAKEPIT_OK);
    assert_int_equal(submit(3, false), second);
    assert_int_not_equal(first, second);
}

static void thousands_of_calls_go_through_few_slots(void **state)
{
    (void)state;
    _Atomic uint64_t head = 0;
    struct sp_port_answer got;
    uint64_t done = 0;
    for (uint64_t call = 1; call <= 10000; call++) {
        uint32_t taken = UINT32_MAX;
        uint32_t slot = submit(call, true);
        assert_true(sp_ring_take(port->view.submit, SLOTS - 1, &head, &taken));
        answer(taken, call);
        put_done(done++, taken);
        assert_int_equal(sp_port_next_done(port, &slot, &asks), SNAKEPIT_OK);
        assert_int_equal(sp_port_take_answer(port, slot, &got), SNAKEPIT_OK);
    }
    assert_int_equal(port->free_count, SLOTS);
    assert_int_equal(port->notifying, 0);
}

// ---- Taking back and giving up ------------------------------------------------

static const uint32_t bits[] = {
    0, SP_SLOT_WAITER, SP_SLOT_NOTIFY, SP_SLOT_WAITER | SP_SLOT_NOTIFY};

static void only_a_queued_call_can_be_taken_back(void **state)
{
    (void)state;
    for (uint32_t from = 0; from < 256; from++) {
        for (int i = 0; i < 4; i++) {
            uint32_t slot = submit(1, false);
            atomic_store(word(slot), from | bits[i]);
            assert_int_equal(sp_port_take_back(port, slot), from == SP_SLOT_QUEUED);
            assert_int_equal(*word(slot),
                             from == SP_SLOT_QUEUED
                                 ? SP_SLOT_TAKEN_BACK | SP_SLOT_NOTIFY
                                 : from | bits[i]);
            assert_int_equal(port->slots[slot].owner == NULL, from == SP_SLOT_QUEUED);
            sp_port_drop(port, slot);
            assert_int_equal(port->notifying, 0);
        }
    }
}

static void only_a_running_call_can_be_given_up(void **state)
{
    (void)state;
    for (uint32_t from = 0; from < 256; from++) {
        for (int i = 0; i < 4; i++) {
            uint32_t slot = submit(1, i % 2 == 0);
            atomic_store(word(slot), from | bits[i]);
            bool runs = from == SP_SLOT_RUNNING || from == SP_SLOT_ASKING ||
                        from == SP_SLOT_ANSWERING;
            assert_int_equal(sp_port_give_up(port, slot), runs);
            assert_int_equal(*word(slot),
                             runs ? SP_SLOT_RUNNING | SP_SLOT_NOTIFY : from | bits[i]);
            assert_null(port->slots[slot].owner);
            sp_port_drop(port, slot);
            assert_int_equal(port->notifying, 0);
        }
    }
}

static void a_taken_back_slot_comes_home_through_the_ring(void **state)
{
    (void)state;
    struct sp_port_answer got;
    uint32_t found;
    uint32_t slot = submit(4, false);
    assert_true(sp_port_take_back(port, slot));
    assert_int_equal(port->notifying, 1);
    answer(slot, 4);
    port->view.slots[slot].result.status = SP_STATUS_SKIPPED;
    put_done(0, slot);
    assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_OK);
    assert_int_equal(found, slot);
    assert_int_equal(sp_port_take_answer(port, slot, &got), SNAKEPIT_OK);
    assert_int_equal(got.status, SP_STATUS_SKIPPED);
    assert_int_equal(port->free_count, SLOTS);
    assert_int_equal(port->notifying, 0);
}

static void cancelling_only_sets_the_word_that_tools_look_at(void **state)
{
    (void)state;
    uint32_t slot = submit(4, false);
    sp_port_cancel(port, slot);
    assert_int_equal(port->view.slots[slot].request.cancel, 1);
    assert_int_equal(*word(slot), SP_SLOT_QUEUED);
    // The next call in the slot is not cancelled.
    sp_port_drop(port, slot);
    assert_int_equal(submit(5, false), slot);
    assert_int_equal(port->view.slots[slot].request.cancel, 0);
}

// ---- Answers ------------------------------------------------------------------

static void an_answer_points_into_the_results(void **state)
{
    (void)state;
    struct sp_port_answer got;
    uint32_t slot = submit(4, false);
    answer(slot, 4);
    port->view.slots[slot].result.lease = LEASES - 1;
    port->view.slots[slot].result.held = 1;
    assert_int_equal(sp_port_take_answer(port, slot, &got), SNAKEPIT_OK);
    assert_ptr_equal(got.body, port->results.base + (size_t)slot * SP_INLINE_RESULT);
    assert_int_equal(got.body_size, 10);
    assert_int_equal(got.lease, LEASES - 1);
    assert_true(got.held);
    assert_int_equal(got.ran_ticks, 5);
    assert_int_equal(port->slots[slot].call, 0);
}

static void how_long_it_ran_is_believed_up_to_two_minutes(void **state)
{
    (void)state;
    struct sp_port_answer got;
    uint32_t slot = submit(4, false);
    answer(slot, 4);
    port->view.slots[slot].result.ran_ticks = UINT64_MAX;
    assert_int_equal(sp_port_take_answer(port, slot, &got), SNAKEPIT_OK);
    assert_int_equal(got.ran_ticks, 137000000 * sp_clock_ticks_per_us());
}

static void assert_refused(uint32_t slot)
{
    struct sp_port_answer got = {.body_size = 123};
    assert_int_equal(sp_port_take_answer(port, slot, &got), SNAKEPIT_PROTOCOL);
    assert_int_equal(got.body_size, 123);
    assert_int_equal(port->slots[slot].call, 4);
    answer(slot, 4);
}

static void a_body_outside_of_the_results_is_refused(void **state)
{
    (void)state;
    uint32_t slot = submit(4, false);
    struct sp_slot_result *result = &port->view.slots[slot].result;
    const struct {
        uint64_t body;
        uint32_t size;
    } rows[] = {
        {RESULTS, 1},
        {RESULTS + 1, 0},
        {RESULTS - 1, 2},
        {0, RESULTS + 1},
        {UINT64_MAX, 1},
        {UINT64_MAX, 0},
        {UINT64_MAX - 9, 10},
        {0, UINT32_MAX},
        {UINT64_C(1) << 32, 0},
        {UINT64_C(1) << 63, UINT32_MAX},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        answer(slot, 4);
        result->body = rows[i].body;
        result->body_size = rows[i].size;
        assert_refused(slot);
    }
}

static void a_body_at_the_very_end_is_fine(void **state)
{
    (void)state;
    struct sp_port_answer got;
    const struct {
        uint64_t body;
        uint32_t size;
    } rows[] = {{RESULTS, 0}, {RESULTS - 1, 1}, {0, RESULTS}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint32_t slot = submit(4, false);
        answer(slot, 4);
        port->view.slots[slot].result.body = rows[i].body;
        port->view.slots[slot].result.body_size = rows[i].size;
        assert_int_equal(sp_port_take_answer(port, slot, &got), SNAKEPIT_OK);
        assert_ptr_equal(got.body, port->results.base + rows[i].body);
    }
}

static void each_other_field_is_checked_too(void **state)
{
    (void)state;
    uint32_t slot = submit(4, false);
    struct sp_slot_result *result = &port->view.slots[slot].result;
    const uint32_t numbers[] = {SP_STATUS_SKIPPED + 1, 255, UINT32_MAX, 1u << 31};
    answer(slot, 4);
    for (size_t i = 0; i < 4; i++) {
        result->status = numbers[i];
        assert_refused(slot);
        result->held = (uint16_t)(numbers[i] | 2);
        assert_refused(slot);
    }
    const uint32_t leases[] = {LEASES, LEASES + 1, UINT32_MAX - 1, 1u << 31};
    for (size_t i = 0; i < 4; i++) {
        result->lease = leases[i];
        assert_refused(slot);
    }
    const uint64_t calls[] = {
        0, 3, 5, UINT64_MAX, 4 | UINT64_C(1) << 63, UINT64_C(4) << 32};
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        result->call = calls[i];
        assert_refused(slot);
    }
}

static void an_answer_is_taken_only_of_a_slot_that_is_done(void **state)
{
    (void)state;
    uint32_t slot = submit(4, false);
    for (uint32_t from = 0; from < 256; from++) {
        struct sp_port_answer got;
        answer(slot, 4);
        atomic_store(word(slot), from);
        if (from != SP_SLOT_DONE) {
            assert_int_equal(sp_port_take_answer(port, slot, &got), SNAKEPIT_PROTOCOL);
        }
    }
}

// ---- Rings --------------------------------------------------------------------

static void ids_that_cannot_be_are_refused(void **state)
{
    (void)state;
    uint32_t found = 9;
    uint32_t waited = submit(1, false);
    uint32_t running = submit(2, true);
    uint64_t position = 0;
    const uint32_t numbers[] = {
        SLOTS, SLOTS + 1, UINT32_MAX, 1u << 31, waited, running, 7};
    for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
        put_done(position++, numbers[i]);
        assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_PROTOCOL);
        assert_int_equal(found, 9);
    }
    // One whose end nobody asked to be told.
    answer(waited, 1);
    put_done(position++, waited);
    assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_PROTOCOL);
    answer(running, 2);
    put_done(position++, running);
    assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_OK);
    assert_int_equal(found, running);
}

static void cells_of_other_positions_are_not_there(void **state)
{
    (void)state;
    uint32_t found;
    const uint64_t cells[] = {0,
                              UINT64_C(2) << 32,
                              UINT64_C(9) << 32,
                              UINT32_MAX,
                              UINT64_MAX,
                              (UINT64_C(1) << 32 | 1) << 31};
    for (size_t i = 0; i < sizeof cells / sizeof cells[0]; i++) {
        atomic_store(&port->view.done[0], cells[i]);
        assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_NOT_FOUND);
        atomic_store(&port->view.request_returns[0], cells[i]);
        assert_int_equal(sp_port_next_return(port, &found), SNAKEPIT_NOT_FOUND);
    }
}

static void returned_leases_are_numbers_of_leases(void **state)
{
    (void)state;
    uint32_t lease = 9;
    const uint32_t numbers[] = {LEASES, UINT32_MAX, 1u << 31};
    uint64_t position = 0;
    for (size_t i = 0; i < 3; i++) {
        sp_ring_put(port->view.request_returns, LEASES - 1, position++, numbers[i]);
        assert_int_equal(sp_port_next_return(port, &lease), SNAKEPIT_PROTOCOL);
        assert_int_equal(lease, 9);
    }
    sp_ring_put(port->view.request_returns, LEASES - 1, position++, 3);
    assert_int_equal(sp_port_next_return(port, &lease), SNAKEPIT_OK);
    assert_int_equal(lease, 3);
    assert_int_equal(sp_port_next_return(port, &lease), SNAKEPIT_NOT_FOUND);
}

static void leases_of_results_go_back_in_order(void **state)
{
    (void)state;
    uint32_t number;
    sp_port_return_result(port, SP_NO_LEASE);
    for (uint32_t i = 0; i < 20; i++) {
        sp_port_return_result(port, i % LEASES);
        assert_true(sp_ring_peek(port->view.result_returns, LEASES - 1, i, &number));
        assert_int_equal(number, i % LEASES);
    }
}

static void nothing_that_the_worker_writes_into_the_header_matters(void **state)
{
    (void)state;
    struct sp_port_answer got;
    uint32_t found;
    uint32_t slot = submit(4, true);
    memset(port->view.header, 0xff, sizeof *port->view.header);
    answer(slot, 4);
    put_done(0, slot);
    assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_OK);
    assert_int_equal(sp_port_take_answer(port, slot, &got), SNAKEPIT_OK);
    assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_NOT_FOUND);
    assert_int_equal(submit(5, false), slot);
    assert_false(sp_bell_ring(&port->view.header->bell));
}

// ---- Life ---------------------------------------------------------------------

static void a_dead_workers_slot_is_done_and_dropped(void **state)
{
    (void)state;
    uint32_t slot = submit(4, true);
    sp_port_wake(port, slot);
    assert_int_equal(sp_port_state(port, slot), SP_SLOT_DONE);
    sp_port_drop(port, slot);
    assert_int_equal(port->free_count, SLOTS);
    assert_int_equal(port->notifying, 0);
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    snakepit_err err;
    long nth = 0;
    do {
        struct sp_port *other = NULL;
        sp_memory_fail_at(++nth);
        err = sp_port_new(&shape, &other, NULL);
        sp_memory_fail_at(0);
        if (err == SNAKEPIT_OK) {
            sp_port_unref(other);
        } else {
            assert_int_equal(err, SNAKEPIT_NO_MEMORY);
            assert_null(other);
        }
    } while (err != SNAKEPIT_OK);
    assert_int_equal(nth, 4);
}

static void the_last_reference_frees(void **state)
{
    (void)state;
    sp_port_ref(port);
    sp_port_unref(port);
    assert_int_equal(port->free_count, SLOTS);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_port, close_port)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_call_is_in_its_slot_before_its_id_is_in_the_ring),
        test(there_are_as_many_places_as_slots),
        test(the_slot_that_was_freed_last_is_used_first),
        test(thousands_of_calls_go_through_few_slots),
        test(only_a_queued_call_can_be_taken_back),
        test(only_a_running_call_can_be_given_up),
        test(a_taken_back_slot_comes_home_through_the_ring),
        test(cancelling_only_sets_the_word_that_tools_look_at),
        test(an_answer_points_into_the_results),
        test(how_long_it_ran_is_believed_up_to_two_minutes),
        test(a_body_outside_of_the_results_is_refused),
        test(a_body_at_the_very_end_is_fine),
        test(each_other_field_is_checked_too),
        test(an_answer_is_taken_only_of_a_slot_that_is_done),
        test(ids_that_cannot_be_are_refused),
        test(cells_of_other_positions_are_not_there),
        test(returned_leases_are_numbers_of_leases),
        test(leases_of_results_go_back_in_order),
        test(nothing_that_the_worker_writes_into_the_header_matters),
        test(a_dead_workers_slot_is_done_and_dropped),
        test(every_failed_allocation_is_survived),
        test(the_last_reference_frees),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
