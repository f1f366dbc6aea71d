// SPDX-License-Identifier: MIT
// The host's end of a question, against a worker that the test plays, word by word.
#include "port/port.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "ipc/ring.h"

#define SLOTS   8u
#define LEASES  4u
#define RESULTS 65536u

static struct sp_port *port;
static int owner;
static uint32_t slot;

static int open_port(void **state)
{
    static const struct sp_control_shape shape = {.slots = SLOTS,
                                                  .executors = 1,
                                                  .leases = LEASES,
                                                  .epoch = 1,
                                                  .requests_size = 4096,
                                                  .results_size = RESULTS};
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

static _Atomic uint32_t *word(void)
{
    return &port->view.slots[slot].result.state;
}

static struct sp_slot_request *request(void)
{
    return &port->view.slots[slot].request;
}

static uint32_t at_turn(uint32_t turn, uint32_t state)
{
    return turn << SP_SLOT_TURN_SHIFT | state;
}

// A call that asks, in turn 7.
static void begin(bool notify)
{
    const struct sp_slot_request call = {
        .call = 4, .body = 1, .body_size = 2, .lease = SP_NO_LEASE};
    assert_true(sp_port_submit(port, &call, notify, &owner, &slot));
    struct sp_slot_result *result = &port->view.slots[slot].result;
    result->status = SP_STATUS_QUESTION;
    result->call = 4;
    result->body = (uint64_t)slot * SP_INLINE_RESULT;
    result->body_size = 10;
    result->lease = 2;
    uint32_t bits = notify ? SP_SLOT_NOTIFY | SP_SLOT_TOLD : 0;
    atomic_store(word(), at_turn(7, SP_SLOT_ASKING | bits));
}

static void hear(struct sp_port_question *question)
{
    assert_int_equal(sp_port_take_question(port, slot, question), SNAKEPIT_OK);
}

static const struct sp_port_reply some = {
    .kind = SP_REPLY_RESULT, .body = 100, .body_size = 20, .lease = 3};

static uint32_t returned_leases(void)
{
    return (uint32_t)port->result_returns_tail;
}

// ---- Hearing ------------------------------------------------------------------

static void a_question_points_into_the_results_and_is_heard_once(void **state)
{
    (void)state;
    struct sp_port_question got;
    begin(false);
    hear(&got);
    assert_int_equal(got.turn, 7);
    assert_ptr_equal(got.body, port->results.base + (size_t)slot * SP_INLINE_RESULT);
    assert_int_equal(got.body_size, 10);
    assert_int_equal(got.lease, 2);
    assert_int_equal(*word(), at_turn(7, SP_SLOT_ANSWERING));
    assert_int_equal(sp_port_take_question(port, slot, &got), SNAKEPIT_NOT_FOUND);
}

static void only_a_slot_that_asks_is_heard(void **state)
{
    (void)state;
    begin(false);
    for (uint32_t from = 0; from < 256; from++) {
        struct sp_port_question got = {.turn = 55};
        if (from != SP_SLOT_ASKING) {
            atomic_store(word(), at_turn(7, from));
            assert_int_equal(sp_port_take_question(port, slot, &got),
                             SNAKEPIT_NOT_FOUND);
            assert_int_equal(*word(), at_turn(7, from));
            assert_int_equal(got.turn, 55);
        }
    }
}

static void assert_senseless(void)
{
    struct sp_port_question got = {.turn = 55};
    atomic_store(word(), at_turn(7, SP_SLOT_ASKING));
    assert_int_equal(sp_port_take_question(port, slot, &got), SNAKEPIT_PROTOCOL);
    assert_int_equal(got.turn, 55);
}

static void a_question_that_makes_no_sense_breaks_the_protocol(void **state)
{
    (void)state;
    begin(false);
    struct sp_slot_result *result = &port->view.slots[slot].result;
    const struct sp_slot_result right = {
        .status = SP_STATUS_QUESTION, .call = 4, .body_size = 10, .lease = SP_NO_LEASE};
    const struct {
        uint32_t status;
        uint64_t call;
        uint64_t body;
        uint32_t size;
        uint32_t lease;
    } rows[] = {
        {SP_STATUS_OK, 4, 0, 10, SP_NO_LEASE},
        {SP_STATUS_SKIPPED, 4, 0, 10, SP_NO_LEASE},
        {UINT32_MAX, 4, 0, 10, SP_NO_LEASE},
        {SP_STATUS_QUESTION, 5, 0, 10, SP_NO_LEASE},
        {SP_STATUS_QUESTION, 4, RESULTS, 1, SP_NO_LEASE},
        {SP_STATUS_QUESTION, 4, UINT64_MAX, 1, SP_NO_LEASE},
        {SP_STATUS_QUESTION, 4, UINT64_MAX - 9, 10, SP_NO_LEASE},
        {SP_STATUS_QUESTION, 4, 0, RESULTS + 1, SP_NO_LEASE},
        {SP_STATUS_QUESTION, 4, 0, UINT32_MAX, SP_NO_LEASE},
        {SP_STATUS_QUESTION, 4, 0, 10, LEASES},
        {SP_STATUS_QUESTION, 4, 0, 10, UINT32_MAX - 1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        result->status = rows[i].status;
        result->call = rows[i].call;
        result->body = rows[i].body;
        result->body_size = rows[i].size;
        result->lease = rows[i].lease;
        assert_senseless();
    }
    *result = right;
    struct sp_port_question got;
    atomic_store(word(), at_turn(7, SP_SLOT_ASKING));
    hear(&got);
}

// ---- Replies ------------------------------------------------------------------

static void a_reply_is_in_the_slot_before_it_runs_again(void **state)
{
    (void)state;
    struct sp_port_question got;
    begin(false);
    hear(&got);
    atomic_fetch_or(word(), SP_SLOT_SLEEPER);
    assert_true(sp_port_reply(port, slot, got.turn, &some));
    assert_int_equal(*word(), at_turn(7, SP_SLOT_RUNNING));
    assert_int_equal(request()->reply, SP_REPLY_RESULT);
    assert_int_equal(request()->body, 100);
    assert_int_equal(request()->body_size, 20);
    assert_int_equal(request()->lease, 3);
}

static void a_late_reply_reaches_no_later_question(void **state)
{
    (void)state;
    struct sp_port_question first;
    struct sp_port_question second;
    begin(false);
    hear(&first);
    // The executor takes it back, and asks again.
    atomic_store(word(), at_turn(7, SP_SLOT_RUNNING));
    assert_false(sp_port_reply(port, slot, first.turn, &some));
    atomic_store(word(), at_turn(8, SP_SLOT_ASKING));
    assert_false(sp_port_reply(port, slot, first.turn, &some));
    assert_int_equal(*word(), at_turn(8, SP_SLOT_ASKING));
    hear(&second);
    assert_false(sp_port_reply(port, slot, first.turn, &some));
    assert_true(sp_port_reply(port, slot, second.turn, &some));
}

static void a_question_is_answered_once(void **state)
{
    (void)state;
    struct sp_port_question got;
    begin(false);
    hear(&got);
    assert_true(sp_port_reply(port, slot, got.turn, &some));
    assert_false(sp_port_reply(port, slot, got.turn, &some));
}

static void one_that_serves_goes_on_in_the_next_turn(void **state)
{
    (void)state;
    struct sp_port_question got;
    const struct sp_port_reply serve = {.kind = SP_REPLY_SERVE, .body = 5};
    begin(false);
    hear(&got);
    uint32_t next = sp_port_next_turn(got.turn);
    assert_int_equal(next, 8);
    assert_true(sp_port_reply(port, slot, got.turn, &serve));
    assert_true(sp_port_serves(port, slot, next));
    atomic_store(word(), at_turn(8, SP_SLOT_ANSWERING));
    assert_false(sp_port_serves(port, slot, next));
    assert_true(sp_port_reply(port, slot, next, &some));
    assert_false(sp_port_serves(port, slot, next));
    // Turns have twenty bits.
    assert_int_equal(sp_port_next_turn(0xfffff), 0);
}

static void a_call_to_be_served_is_in_no_ring(void **state)
{
    (void)state;
    _Atomic uint64_t head = 0;
    uint32_t number;
    const struct sp_slot_request call = {.call = 9, .lease = SP_NO_LEASE};
    assert_true(sp_port_submit_served(port, &call, &owner, &slot));
    assert_int_equal(sp_port_state(port, slot), SP_SLOT_QUEUED);
    assert_false(sp_ring_take(port->view.submit, SLOTS - 1, &head, &number));
    uint32_t before = *word();
    sp_port_drop(port, slot);
    assert_true(sp_port_submit_served(port, &call, &owner, &slot));
    assert_int_not_equal(*word(), before);
}

// ---- Giving up ----------------------------------------------------------------

static void a_call_that_is_given_up_hears_that_it_was_left(void **state)
{
    (void)state;
    begin(false);
    assert_true(sp_port_give_up(port, slot));
    assert_int_equal(*word(), at_turn(7, SP_SLOT_RUNNING | SP_SLOT_NOTIFY));
    assert_int_equal(request()->reply, SP_REPLY_LEFT);
    assert_null(port->slots[slot].owner);
    assert_int_equal(port->notifying, 1);
    // Nobody had heard it, so what it lies in is free now.
    assert_int_equal(returned_leases(), 1);
}

static void what_was_heard_is_given_back_by_who_heard_it(void **state)
{
    (void)state;
    struct sp_port_question got;
    begin(false);
    hear(&got);
    assert_true(sp_port_give_up(port, slot));
    assert_int_equal(returned_leases(), 0);
    assert_false(sp_port_reply(port, slot, got.turn, &some));
    assert_int_equal(request()->reply, SP_REPLY_LEFT);
}

static void a_lease_that_cannot_be_is_not_given_back(void **state)
{
    (void)state;
    begin(false);
    port->view.slots[slot].result.lease = LEASES;
    assert_true(sp_port_give_up(port, slot));
    assert_int_equal(returned_leases(), 0);
}

// ---- The completion ring ------------------------------------------------------

static void put(uint64_t position)
{
    sp_ring_put(port->view.done, SLOTS - 1, position, slot);
}

static void a_question_comes_through_the_ring_once(void **state)
{
    (void)state;
    uint32_t found = UINT32_MAX;
    bool asks = false;
    begin(true);
    put(0);
    assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_OK);
    assert_int_equal(found, slot);
    assert_true(asks);
    assert_int_equal(*word(), at_turn(7, SP_SLOT_ASKING | SP_SLOT_NOTIFY));
    put(1); // a second time, without having said so
    assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_PROTOCOL);
}

static void one_that_went_on_before_the_look_is_no_liar(void **state)
{
    (void)state;
    const uint32_t states[] = {SP_SLOT_ASKING, SP_SLOT_ANSWERING, SP_SLOT_RUNNING};
    uint32_t found;
    bool asks;
    begin(true);
    for (uint32_t i = 0; i < 3; i++) {
        atomic_store(word(), at_turn(7, states[i] | SP_SLOT_NOTIFY | SP_SLOT_TOLD));
        put(i);
        assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_OK);
        assert_true(asks);
    }
    // It has ended since it was told: one entry stands for both.
    atomic_store(word(), SP_SLOT_DONE);
    put(3);
    assert_int_equal(sp_port_next_done(port, &found, &asks), SNAKEPIT_OK);
    assert_false(asks);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_port, close_port)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_question_points_into_the_results_and_is_heard_once),
        test(only_a_slot_that_asks_is_heard),
        test(a_question_that_makes_no_sense_breaks_the_protocol),
        test(a_reply_is_in_the_slot_before_it_runs_again),
        test(a_late_reply_reaches_no_later_question),
        test(a_question_is_answered_once),
        test(one_that_serves_goes_on_in_the_next_turn),
        test(a_call_to_be_served_is_in_no_ring),
        test(a_call_that_is_given_up_hears_that_it_was_left),
        test(what_was_heard_is_given_back_by_who_heard_it),
        test(a_lease_that_cannot_be_is_not_given_back),
        test(a_question_comes_through_the_ring_once),
        test(one_that_went_on_before_the_look_is_no_liar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
