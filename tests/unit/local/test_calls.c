// SPDX-License-Identifier: MIT
// Calls of a local door, and what becomes of them when a client does wrong, or goes.
#include "scene.h"

#include <poll.h>

#include "ipc/ring.h"
#include "payload/wire.h"

static void a_call_is_answered_in_its_slot(void **state)
{
    (void)state;
    come_in();
    for (int i = 0; i < 100; i++) {
        assert_serves(&client);
    }
}

static void a_call_without_arguments_is_one_with_an_empty_map(void **state)
{
    (void)state;
    come_in();
    const struct sp_slot_result result = call("echo", NULL, 0);
    assert_int_equal(result.status, SP_STATUS_OK);
}

static void a_fault_says_what_was_raised(void **state)
{
    (void)state;
    come_in();
    const struct sp_slot_result result = call("fault", args, sizeof args);
    assert_int_equal(result.status, SP_STATUS_FAULT);
    assert_int_equal(said("err").as.integer, SNAKEPIT_TOOL_FAILED);
    assert_true(is_said("type", "ValueError"));
    assert_true(is_said("message", "no"));
}

static void an_answer_that_is_large_is_lent_and_given_back(void **state)
{
    (void)state;
    come_in();
    for (int i = 0; i < 3000; i++) { // more than there are numbers
        const struct sp_slot_result result = call("large", args, sizeof args);
        assert_int_equal(result.status, SP_STATUS_OK);
        assert_true(result.body >= SLOTS * SP_INLINE_RESULT);
        assert_int_not_equal(result.lease, SP_NO_LEASE);
        local_client_return(&client, result.lease);
    }
    assert_serves(&client);
    assert_int_equal(atomic_load(&server->budget.used), 0);
}

static void answers_that_are_kept_leave_no_room_for_more(void **state)
{
    (void)state;
    scene_serve(", max_memory: 100MiB, max_message: 1KiB", "");
    assert_true(local_client_begin(&client, path, SLOTS));
    struct sp_slot_result result = {.status = SP_STATUS_OK};
    int kept = 0;
    while (kept < 5000 && result.status == SP_STATUS_OK) {
        result = call("large", args, sizeof args);
        kept++;
    }
    assert_int_equal(kept, 1025); // that many numbers there are
    assert_int_equal(said("err").as.integer, SNAKEPIT_NO_MEMORY);
    assert_true(is_said("message", "max_memory"));
    end_client(&client);
    AWAIT(atomic_load(&server->budget.used) == 0);
}

static void news_of_a_slot_rings_where_its_queue_sleeps(void **state)
{
    (void)state;
    uint32_t slot;
    come_in();
    struct sp_control *header = client.view.header;
    for (int i = 0; i < 1000; i++) { // more than a bell holds that nobody reads
        struct pollfd bell = {.fd = client.doorbell, .events = POLLIN};
        local_client_fill(&client, 1, "echo", args, sizeof args);
        atomic_fetch_or(&header->asleep, UINT64_C(1) << 0);
        local_client_submit(&client, 1, SP_SLOT_NOTIFY);
        AWAIT(sp_ring_peek(client.view.done, SLOTS - 1, client.done, &slot));
        assert_int_equal(slot, 1);
        client.done++;
        AWAIT(atomic_load(&header->asleep) == 0);
        assert_int_equal(poll(&bell, 1, LOCAL_CLIENT_MS), 1);
    }
}

static void what_was_taken_back_is_passed_on(void **state)
{
    (void)state;
    struct sp_slot_result result;
    come_in();
    local_client_fill(&client, 2, "echo", args, sizeof args);
    atomic_store(&client.view.slots[2].result.state, SP_SLOT_TAKEN_BACK);
    sp_ring_put(client.view.submit, SLOTS - 1, client.tail++, 2);
    local_client_ring(&client);
    assert_true(local_client_await(&client, 2, &result));
    assert_int_equal(result.status, SP_STATUS_SKIPPED);
    assert_serves(&client);
}

static void a_call_can_be_cancelled(void **state)
{
    (void)state;
    struct sp_slot_result result;
    come_in();
    local_client_fill(&client, 3, "never", args, sizeof args);
    local_client_submit(&client, 3, 0);
    const struct sp_local_cancel cancel = {
        .circuit = client.circuit, .call = client.call, .slot = 3};
    assert_true(local_client_say(&client, SP_LOCAL_CANCEL, &cancel, sizeof cancel));
    assert_true(local_client_await(&client, 3, &result));
    assert_int_equal(result.status, SP_STATUS_FAULT);
    heard = client.results.base + result.body;
    heard_size = result.body_size;
    assert_int_equal(said("err").as.integer, SNAKEPIT_CANCELLED);
}

static void a_deadline_of_the_client_holds(void **state)
{
    (void)state;
    struct sp_slot_result result;
    come_in();
    local_client_fill(&client, 3, "never", args, sizeof args);
    client.view.slots[3].request.deadline = sp_clock_now() + 20 * SP_NS_PER_MS;
    local_client_submit(&client, 3, 0);
    assert_true(local_client_await(&client, 3, &result));
    heard = client.results.base + result.body;
    heard_size = result.body_size;
    assert_int_equal(said("err").as.integer, SNAKEPIT_DEADLINE_EXCEEDED);
}

static void a_client_that_goes_leaves_its_calls_cancelled(void **state)
{
    (void)state;
    come_in();
    local_client_fill(&client, 3, "never", args, sizeof args);
    local_client_submit(&client, 3, 0);
    AWAIT(fake_pit_begun() > 0); // what is not begun is taken back
    end_client(&client);
    AWAIT(sp_server_connections(server) == 0);
    AWAIT(fake_pit_cancels() > 0);
}

static void a_circuit_that_is_closed_cancels_its_calls_alone(void **state)
{
    (void)state;
    come_in();
    local_client_fill(&client, 3, "never", args, sizeof args);
    local_client_submit(&client, 3, 0);
    AWAIT(fake_pit_begun() > 0);
    assert_true(local_client_say(
        &client, SP_LOCAL_CLOSE, &client.circuit, sizeof client.circuit));
    AWAIT(fake_pit_cancels() > 0);
    assert_true(local_client_greet(&client, SP_LAYOUT_VERSION)); // nobody greets twice
    assert_true(local_client_is_closed(&client));
}

static void a_user_has_so_many_calls_under_way_and_no_more(void **state)
{
    (void)state;
    scene_serve(", max_calls_per_user: 1", "");
    assert_true(local_client_begin(&client, path, SLOTS));
    local_client_fill(&client, 3, "never", args, sizeof args);
    local_client_submit(&client, 3, 0);
    (void)call("echo", args, sizeof args);
    assert_int_equal(said("err").as.integer, SNAKEPIT_SATURATED);
    assert_true(is_said("message", "max_calls_per_user"));
}

static void a_trace_that_is_none_is_refused_by_a_fault(void **state)
{
    (void)state;
    come_in();
    local_client_fill(&client, 0, "echo", args, sizeof args);
    memset(client.requests.base + SP_PARCEL_BLOCK - SP_TRACE_CONTEXT, 0, 24);
    client.view.slots[0].request.trace_size = SP_TRACE_CONTEXT;
    struct sp_slot_result result;
    local_client_submit(&client, 0, 0);
    assert_true(local_client_await(&client, 0, &result));
    heard = client.results.base + result.body;
    heard_size = result.body_size;
    assert_int_equal(said("err").as.integer, SNAKEPIT_INVALID_ARGUMENT);
}

// ---- What makes no sense ------------------------------------------------------------

static void outside_name(struct sp_slot_request *request)
{
    request->name = client.requests.size - 2;
}

static void far_name(struct sp_slot_request *request)
{
    request->name = UINT64_MAX - 1;
}

static void long_name(struct sp_slot_request *request)
{
    request->name_size = SP_TOOL_NAME_MAX + 1;
}

static void long_trace(struct sp_slot_request *request)
{
    request->trace_size = SP_TRACE_MAX + 1;
}

static void short_trace(struct sp_slot_request *request)
{
    request->trace_size = SP_TRACE_CONTEXT - 1;
}

static void trace_outside(struct sp_slot_request *request)
{
    request->name = client.requests.size - SP_PARCEL_BLOCK + 1;
    request->trace_size = SP_TRACE_CONTEXT;
}

static void outside_body(struct sp_slot_request *request)
{
    request->body = client.requests.size - 3;
}

static void large_body(struct sp_slot_request *request)
{
    request->body_size = UINT32_MAX;
}

static void no_call(struct sp_slot_request *request)
{
    request->call = 0;
}

static void urgent(struct sp_slot_request *request)
{
    request->priority = SNAKEPIT_MAX_PRIORITY + 1;
}

static void unknown_kind(struct sp_slot_request *request)
{
    request->kind = 77;
}

static void cut_args(struct sp_slot_request *request)
{
    request->body_size--;
}

static void a_call_that_makes_no_sense_ends_the_connection(void **state)
{
    (void)state;
    static void (*const spoil[])(struct sp_slot_request *request) = {outside_name,
                                                                     far_name,
                                                                     long_name,
                                                                     long_trace,
                                                                     short_trace,
                                                                     trace_outside,
                                                                     outside_body,
                                                                     large_body,
                                                                     no_call,
                                                                     urgent,
                                                                     unknown_kind,
                                                                     cut_args};
    scene_serve("", "");
    assert_true(local_client_begin(&other, path, SLOTS));
    for (size_t i = 0; i < sizeof spoil / sizeof spoil[0]; i++) {
        assert_true(local_client_begin(&client, path, SLOTS));
        local_client_fill(&client, 0, "echo", args, sizeof args);
        spoil[i](&client.view.slots[0].request);
        local_client_submit(&client, 0, 0);
        assert_true(local_client_is_closed(&client));
        end_client(&client);
        assert_serves(&other);
    }
}

// {"t": a tensor of 16 bytes at an offset}
static void a_tensor_that_is_not_there_ends_the_connection(void **state)
{
    (void)state;
    uint8_t body[3 + 3 + SP_TENSOR_HEAD + 8] = {
        0x81, 0xa1, 't', 0xc7, SP_TENSOR_HEAD + 8, SP_EXT_TENSOR};
    static const uint64_t places[] = {UINT64_C(1) << 40, SLOTS * LOCAL_CLIENT_ROOM, 1};
    body[6] = SNAKEPIT_UINT8;
    body[7] = 1;
    body[6 + SP_TENSOR_HEAD] = 16;
    scene_serve("", "");
    for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
        memcpy(body + 6 + 8, &places[i], sizeof places[i]);
        assert_true(local_client_begin(&client, path, SLOTS));
        local_client_fill(&client, 0, "echo", body, sizeof body);
        local_client_submit(&client, 0, 0);
        assert_true(local_client_is_closed(&client));
        end_client(&client);
    }
}

static void a_slot_that_is_not_free_ends_the_connection(void **state)
{
    (void)state;
    scene_serve("", "");
    for (uint32_t i = 0; i < 3; i++) {
        static const uint32_t slots[] = {0, SLOTS, UINT32_MAX};
        assert_true(local_client_begin(&client, path, SLOTS));
        local_client_fill(&client, 0, "never", args, sizeof args);
        local_client_submit(&client, 0, 0);
        sp_ring_put(client.view.submit, SLOTS - 1, client.tail++, slots[i]);
        local_client_ring(&client);
        assert_true(local_client_is_closed(&client));
        end_client(&client);
    }
}

static void a_lease_that_nobody_has_ends_the_connection(void **state)
{
    (void)state;
    come_in();
    local_client_return(&client, 3);
    local_client_fill(&client, 0, "echo", args, sizeof args);
    local_client_submit(&client, 0, 0);
    assert_true(local_client_is_closed(&client));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_call_is_answered_in_its_slot),
        test(a_call_without_arguments_is_one_with_an_empty_map),
        test(a_fault_says_what_was_raised),
        test(an_answer_that_is_large_is_lent_and_given_back),
        test(answers_that_are_kept_leave_no_room_for_more),
        test(news_of_a_slot_rings_where_its_queue_sleeps),
        test(what_was_taken_back_is_passed_on),
        test(a_call_can_be_cancelled),
        test(a_deadline_of_the_client_holds),
        test(a_client_that_goes_leaves_its_calls_cancelled),
        test(a_circuit_that_is_closed_cancels_its_calls_alone),
        test(a_user_has_so_many_calls_under_way_and_no_more),
        test(a_trace_that_is_none_is_refused_by_a_fault),
        test(a_call_that_makes_no_sense_ends_the_connection),
        test(a_tensor_that_is_not_there_ends_the_connection),
        test(a_slot_that_is_not_free_ends_the_connection),
        test(a_lease_that_nobody_has_ends_the_connection),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
