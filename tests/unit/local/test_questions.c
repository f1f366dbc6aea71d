// SPDX-License-Identifier: MIT
// What a tool asks its host goes to the program that has called it, and what that
// replies to the tool.
#include "scene.h"

#include "by_hand.h"

// ["who", {}]
static const char question[] = "\x92\xa3who\x80";
static const uint8_t reply[] = {0xa2, 'm', 'e'};

static struct fake_call asked;

static uint32_t state_of(const struct local_client *one)
{
    return atomic_load(&one->view.slots[0].result.state) & SP_SLOT_STATE;
}

// The slot of the worker whose call asks.
static struct sp_slot *worker_slot(void)
{
    return by_hand_slot(&asked);
}

static uint32_t worker_state(void)
{
    return atomic_load(&worker_slot()->result.state) & SP_SLOT_STATE;
}

static int prepare_by_hand(void **state)
{
    (void)pit_prepare(state);
    by_hand_begin();
    return scene_open_pit();
}

#define test_by_hand(name) \
    cmocka_unit_test_setup_teardown(name, prepare_by_hand, scene_clear)

// A call of the client's whose tool asks.
static void ask(void)
{
    assert_true(local_client_begin(&client, path, SLOTS));
    local_client_fill(&client, 0, "echo", args, sizeof args);
    local_client_submit(&client, 0, 0);
    asked = by_hand_ask(question);
    AWAIT(state_of(&client) == SP_SLOT_ASKING);
}

// Says that it has replied.
static void turn_to(uint32_t state)
{
    _Atomic uint32_t *word = &client.view.slots[0].result.state;
    const uint32_t before = atomic_load(word);
    const uint64_t one = 1;
    assert_true((before & SP_SLOT_SLEEPER) != 0);
    atomic_store(word, (before & ~(uint32_t)(SP_SLOT_STATE | SP_SLOT_SLEEPER)) | state);
    assert_int_equal(write(client.bell, &one, sizeof one), sizeof one);
}

static void write_reply(enum sp_reply_kind kind)
{
    struct sp_slot_request *request = &client.view.slots[0].request;
    memcpy(client.requests.base + request->body, reply, sizeof reply);
    request->body_size = sizeof reply;
    request->lease = SP_NO_LEASE;
    request->reply = kind;
}

// The worker's tool goes on, and ends.
static void end_call(void)
{
    struct sp_slot_result result;
    AWAIT(worker_state() == SP_SLOT_RUNNING);
    by_hand_serve(&asked);
    assert_true(local_client_await(&client, 0, &result));
    assert_int_equal(result.status, SP_STATUS_OK);
}

static void a_question_goes_to_the_program_and_its_reply_to_the_tool(void **state)
{
    (void)state;
    scene_serve("", "");
    ask();
    const struct sp_slot_result *shared = &client.view.slots[0].result;
    assert_int_equal(shared->status, SP_STATUS_QUESTION);
    assert_int_equal(shared->call, client.call);
    assert_int_equal(shared->body_size, sizeof question - 1);
    assert_memory_equal(
        client.results.base + shared->body, question, sizeof question - 1);
    write_reply(SP_REPLY_RESULT);
    turn_to(SP_SLOT_RUNNING);
    AWAIT(worker_state() == SP_SLOT_RUNNING);
    assert_int_equal(worker_slot()->request.reply, SP_REPLY_RESULT);
    assert_int_equal(worker_slot()->request.body_size, sizeof reply);
    end_call();
}

static void a_program_that_waits_no_longer_says_so_to_the_tool(void **state)
{
    (void)state;
    scene_serve("", "");
    ask();
    write_reply(SP_REPLY_LEFT);
    turn_to(SP_SLOT_RUNNING);
    AWAIT(worker_state() == SP_SLOT_RUNNING);
    assert_int_equal(worker_slot()->request.reply, SP_REPLY_LEFT);
    end_call();
}

static void a_fault_without_a_body_is_one_that_says_so(void **state)
{
    (void)state;
    scene_serve("", "");
    ask();
    write_reply(SP_REPLY_FAULT);
    client.view.slots[0].request.body_size = 0;
    turn_to(SP_SLOT_RUNNING);
    AWAIT(worker_state() == SP_SLOT_RUNNING);
    assert_int_equal(worker_slot()->request.reply, SP_REPLY_FAULT);
    assert_true(worker_slot()->request.body_size > 0);
    end_call();
}

// A reply from outside of its memory, of a kind that does not cross, and no
// MessagePack.
static void a_reply_that_makes_no_sense_ends_the_connection(void **state)
{
    (void)state;
    scene_serve("", "");
    for (int i = 0; i < 4; i++) {
        ask();
        struct sp_slot_request *request = &client.view.slots[0].request;
        write_reply(i == 1 ? SP_REPLY_SERVE : SP_REPLY_RESULT);
        request->body = i == 0 ? client.requests.size - 1 : request->body;
        request->body_size = i == 2 ? 2 : request->body_size;
        turn_to(i == 3 ? SP_SLOT_DONE : SP_SLOT_RUNNING);
        assert_true(local_client_is_closed(&client));
        end_client(&client);
        AWAIT(worker_state() == SP_SLOT_RUNNING);
        assert_int_equal(worker_slot()->request.reply, SP_REPLY_LEFT);
        by_hand_serve(&asked);
    }
}

static void a_program_that_goes_while_it_is_asked_leaves_the_tool_free(void **state)
{
    (void)state;
    scene_serve("", "");
    ask();
    end_client(&client);
    AWAIT(worker_state() == SP_SLOT_RUNNING);
    assert_int_equal(worker_slot()->request.reply, SP_REPLY_LEFT);
    by_hand_serve(&asked);
    AWAIT(sp_server_connections(server) == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_by_hand(a_question_goes_to_the_program_and_its_reply_to_the_tool),
        test_by_hand(a_program_that_waits_no_longer_says_so_to_the_tool),
        test_by_hand(a_fault_without_a_body_is_one_that_says_so),
        test_by_hand(a_reply_that_makes_no_sense_ends_the_connection),
        test_by_hand(a_program_that_goes_while_it_is_asked_leaves_the_tool_free),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
