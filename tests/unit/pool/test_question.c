// SPDX-License-Identifier: MIT
// Questions of calls that a fake worker runs: served, left, refused, and in the middle
// of each other.
#include "pool/question.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "support/pool_fixture.h"

static struct fixture fixture;
static struct outcome outcome;
static struct fake_call asking; // what the worker runs

static struct {
    int times;
    char body[64];
    char session[64];
    snakepit_err nested_err;
} seen;

static int open_fixture(void **state)
{
    struct sp_pool_options options = fixture_options();
    fixture_open(&fixture, &options);
    memset(&seen, 0, sizeof seen);
    memset(&outcome, 0, sizeof outcome);
    *state = fixture_add(&fixture, 1);
    return 0;
}

static int close_fixture(void **state)
{
    (void)state;
    fixture_close(&fixture);
    return 0;
}

// Keeps what it was asked and answers with "yes".
static snakepit_err say_yes(struct fixture *asked, struct sp_question *question)
{
    (void)asked;
    seen.times++;
    memcpy(seen.body, question->body.data, question->body.size);
    memcpy(seen.session, question->session.data, question->session.size);
    snakepit_writer_str(question->result, "yes");
    return SNAKEPIT_OK;
}

static _Atomic uint32_t *word_of(const struct side *side, uint32_t slot)
{
    return &side->port->view.slots[slot].result.state;
}

static uint32_t state_of(const struct side *side)
{
    return atomic_load(word_of(side, asking.slot)) & SP_SLOT_STATE;
}

static const struct sp_slot_request *request_of(const struct side *side)
{
    return &side->port->view.slots[asking.slot].request;
}

static void
assert_reply(const struct side *side, enum sp_reply_kind kind, const char *body)
{
    const struct sp_slot_request *request = request_of(side);
    assert_int_equal(state_of(side), SP_SLOT_RUNNING);
    assert_int_equal(request->reply, kind);
    if (body != NULL) {
        assert_int_equal(request->body_size, strlen(body));
        assert_memory_equal(
            fixture.pool->store.segment.base + request->body, body, strlen(body));
    }
}

// A submitted call that runs and asks.
static void begin(struct side *side, const char *question)
{
    assert_int_equal(fixture_submit(&fixture, "echo", "x", 0, &outcome), SNAKEPIT_OK);
    assert_true(fake_take_started(side->fake, &asking));
    fake_ask(side->fake, &asking, question);
}

static void end(struct side *side)
{
    const struct sp_slot_result result = fake_echo(side->fake, &asking);
    fake_publish(side->fake, asking.slot, &result);
    fixture_drain(&fixture);
}

// ---- Served -------------------------------------------------------------------

static void whoever_drains_serves_a_submitted_call(void **state)
{
    struct side *side = *state;
    fixture.question = say_yes;
    fixture.session = "s1";
    begin(side, "who?");
    assert_int_equal(state_of(side), SP_SLOT_ASKING);
    fixture_drain(&fixture);
    assert_string_equal(seen.body, "who?");
    assert_string_equal(seen.session, "s1");
    assert_reply(side, SP_REPLY_RESULT, "\xa3yes");
    assert_int_equal(outcome.ended, 0);
    end(side);
    assert_echoed(&outcome, "x");
    fixture.session = NULL;
}

static void a_call_asks_as_often_as_it_likes(void **state)
{
    struct side *side = *state;
    fixture.question = say_yes;
    begin(side, "0");
    for (int i = 1; i < 1000; i++) {
        fixture_drain(&fixture);
        assert_reply(side, SP_REPLY_RESULT, "\xa3yes");
        fake_ask(side->fake, &asking, "again");
    }
    fixture_drain(&fixture);
    assert_int_equal(seen.times, 1000);
    assert_int_equal(fixture.pool->counters.questions, 1000);
    end(side);
    assert_echoed(&outcome, "x");
}

static void the_tick_wakes_whoever_drains(void **state)
{
    struct side *side = *state;
    fixture.question = say_yes;
    begin(side, "who?");
    uint32_t before = fixture.ended;
    (void)fixture_tick(&fixture, 1);
    assert_true(fixture.ended > before);
    assert_int_equal(seen.times, 1);
    end(side);
}

static snakepit_err refuse(struct fixture *asked, struct sp_question *question)
{
    (void)asked;
    (void)question;
    return SNAKEPIT_NOT_FOUND;
}

static void an_error_becomes_a_fault_with_its_text(void **state)
{
    struct side *side = *state;
    snakepit_reader map;
    snakepit_value value;
    fixture.question = refuse;
    begin(side, "who?");
    fixture_drain(&fixture);
    assert_reply(side, SP_REPLY_FAULT, NULL);
    snakepit_reader_init(&map,
                         fixture.pool->store.segment.base + request_of(side)->body,
                         request_of(side)->body_size);
    snakepit_reader at;
    assert_int_equal(snakepit_reader_find(&map, "code", &at), SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_next(&at, &value), SNAKEPIT_OK);
    assert_memory_equal(value.as.text.data, "NOT_FOUND", 9);
    assert_int_equal(snakepit_reader_find(&map, "message", &at), SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_next(&at, &value), SNAKEPIT_OK);
    assert_int_equal(value.as.text.size, strlen("there is nothing of that name"));
    end(side);
    assert_echoed(&outcome, "x");
}

static void without_memory_the_reply_is_a_fault_without_a_body(void **state)
{
    struct side *side = *state;
    fixture.question = say_yes;
    for (long nth = 1; nth <= 3; nth++) {
        begin(side, "who?");
        sp_memory_fail_at(nth);
        fixture_drain(&fixture);
        sp_memory_fail_at(0);
        assert_int_equal(state_of(side), SP_SLOT_RUNNING);
        if (request_of(side)->reply == SP_REPLY_FAULT) {
            assert_int_equal(request_of(side)->body_size, 0);
        }
        end(side);
        assert_echoed(&outcome, "x");
    }
}

// ---- Left ---------------------------------------------------------------------

static void a_cancelled_call_is_told_that_it_was_left(void **state)
{
    struct side *side = *state;
    fixture.question = say_yes;
    begin(side, "who?");
    assert_int_equal(sp_pool_cancel(fixture.pool, outcome.id), SNAKEPIT_OK);
    assert_reply(side, SP_REPLY_LEFT, NULL);
    fixture_drain(&fixture);
    assert_ended(&outcome, SNAKEPIT_CANCELLED, "running");
    assert_int_equal(seen.times, 0);
    // It asks once more, when nobody waits for it.
    fake_ask(side->fake, &asking, "anybody?");
    fixture_drain(&fixture);
    assert_reply(side, SP_REPLY_LEFT, NULL);
    assert_int_equal(seen.times, 0);
    end(side);
    assert_int_equal(fixture.pool->orphans, 0);
    assert_int_equal(outcome.ended, 1);
}

static snakepit_err cancel_it(struct fixture *asked, struct sp_question *question)
{
    seen.times++;
    assert_int_equal(sp_pool_cancel(asked->pool, question->call), SNAKEPIT_OK);
    assert_int_equal(outcome.ended, 0);
    snakepit_writer_nil(question->result);
    return SNAKEPIT_OK;
}

static void a_call_that_ends_while_it_is_served_is_told_afterwards(void **state)
{
    struct side *side = *state;
    fixture.question = cancel_it;
    begin(side, "who?");
    fixture_drain(&fixture);
    assert_ended(&outcome, SNAKEPIT_CANCELLED, "running");
    assert_reply(side, SP_REPLY_LEFT, NULL);
    end(side);
    assert_int_equal(outcome.ended, 1);
}

static snakepit_err kill_it(struct fixture *asked, struct sp_question *question)
{
    fixture_kill(asked, &asked->sides[0], "killed");
    snakepit_writer_nil(question->result);
    return SNAKEPIT_OK;
}

static void a_worker_that_dies_while_it_is_served_fails_its_call_once(void **state)
{
    struct side *side = *state;
    fixture.question = kill_it;
    begin(side, "who?");
    fixture_drain(&fixture);
    assert_ended(&outcome, SNAKEPIT_WORKER_DIED, "running");
}

static void a_question_that_was_taken_back_is_not_served(void **state)
{
    struct side *side = *state;
    fixture.question = say_yes;
    begin(side, "who?");
    atomic_store(word_of(side, asking.slot),
                 SP_SLOT_RUNNING | SP_SLOT_NOTIFY | SP_SLOT_TOLD);
    fixture_drain(&fixture);
    assert_int_equal(seen.times, 0);
    assert_int_equal(fixture.pool->counters.questions, 0);
    end(side);
    assert_echoed(&outcome, "x");
}

// ---- Lies ---------------------------------------------------------------------

static void nonsense_ends_the_call_and_condemns_the_worker(void **state)
{
    struct side *side = *state;
    fixture.question = say_yes;
    begin(side, "who?");
    side->port->view.slots[asking.slot].result.body = UINT64_MAX;
    fixture_drain(&fixture);
    (void)fixture_tick(&fixture, 1);
    assert_ended(&outcome, SNAKEPIT_PROTOCOL, "running");
    assert_int_equal(fixture.pool->counters.violations, 1);
    assert_int_equal(side->kills, 1);
    assert_int_equal(seen.times, 0);
}

static void a_synchronous_call_that_says_it_was_heard_lies(void **state)
{
    struct side *side = *state;
    struct caller caller;
    fixture.question = say_yes;
    fixture_call(&caller, &fixture, "echo", "x", 0);
    FIXTURE_AWAIT(fake_take_started(side->fake, &asking));
    fake_ask_on(side->fake, asking.slot, SP_SLOT_ANSWERING);
    fixture_join(&caller);
    assert_ended(&caller.outcome, SNAKEPIT_PROTOCOL, "running");
}

// ---- In the middle of each other ----------------------------------------------

// Calls the pool that asks.
static snakepit_err call_back(struct fixture *asked, struct sp_question *question)
{
    struct sp_call *call = NULL;
    const struct sp_order order = {.text = {.tool = "inner", .tool_size = 5}};
    seen.times++;
    seen.nested_err = sp_pool_call(asked->pool, &order, &call);
    sp_pool_release(call);
    snakepit_writer_str(question->result, "yes");
    return SNAKEPIT_OK;
}

static void await_reply(const struct side *side, enum sp_reply_kind kind)
{
    FIXTURE_AWAIT(state_of(side) == SP_SLOT_RUNNING);
    assert_int_equal(request_of(side)->reply, kind);
}

static void a_call_from_within_is_served_by_the_executor_that_asks(void **state)
{
    struct side *side = *state;
    struct caller caller;
    struct fake_call inner;
    fixture.question = call_back;
    fixture_call(&caller, &fixture, "echo", "x", 0);
    FIXTURE_AWAIT(fake_take_started(side->fake, &asking));
    for (int i = 0; i < 3; i++) {
        fake_ask(side->fake, &asking, "call me");
        await_reply(side, SP_REPLY_SERVE);
        uint32_t slot = (uint32_t)request_of(side)->body;
        assert_int_not_equal(slot, asking.slot);
        assert_int_equal(side->seat->load, 1);
        fake_ask_on(side->fake, asking.slot, SP_SLOT_ANSWERING);
        assert_true(fake_begin(side->fake, slot, &inner));
        assert_string_equal(inner.tool, "inner");
        const struct sp_slot_result result = fake_echo(side->fake, &inner);
        fake_publish(side->fake, slot, &result);
        await_reply(side, SP_REPLY_RESULT);
        assert_int_equal(seen.nested_err, SNAKEPIT_OK);
    }
    const struct sp_slot_result result = fake_echo(side->fake, &asking);
    fake_publish(side->fake, asking.slot, &result);
    fixture_join(&caller);
    assert_echoed(&caller.outcome, "x");
    assert_int_equal(side->seat->load, 0);
}

static void an_executor_that_never_serves_is_condemned(void **state)
{
    struct side *side = *state;
    struct caller caller;
    fixture.question = call_back;
    fixture_call(&caller, &fixture, "echo", "x", 50);
    FIXTURE_AWAIT(fake_take_started(side->fake, &asking));
    fake_ask(side->fake, &asking, "call me");
    await_reply(side, SP_REPLY_SERVE);
    fixture_join(&caller);
    assert_int_equal(caller.outcome.err, SNAKEPIT_DEADLINE_EXCEEDED);
    assert_int_equal(seen.nested_err, SNAKEPIT_DEADLINE_EXCEEDED);
    (void)fixture_tick(&fixture, 1);
    assert_int_equal(side->kills, 1);
    assert_string_equal(side->why,
                        "it did not resume its call after a call from within a host's "
                        "tool had ended");
    assert_int_equal(side->death, SP_DEATH_SILENT);
    // A worker that was stopped does the same.
    assert_int_equal(fixture.pool->counters.violations, 0);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_fixture, close_fixture)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(whoever_drains_serves_a_submitted_call),
        test(a_call_asks_as_often_as_it_likes),
        test(the_tick_wakes_whoever_drains),
        test(an_error_becomes_a_fault_with_its_text),
        test(without_memory_the_reply_is_a_fault_without_a_body),
        test(a_cancelled_call_is_told_that_it_was_left),
        test(a_call_that_ends_while_it_is_served_is_told_afterwards),
        test(a_worker_that_dies_while_it_is_served_fails_its_call_once),
        test(a_question_that_was_taken_back_is_not_served),
        test(nonsense_ends_the_call_and_condemns_the_worker),
        test(a_synchronous_call_that_says_it_was_heard_lies),
        test(a_call_from_within_is_served_by_the_executor_that_asks),
        test(an_executor_that_never_serves_is_condemned),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
