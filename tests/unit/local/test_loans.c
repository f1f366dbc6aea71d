// SPDX-License-Identifier: MIT
// Large tensors of a client of our own user: workers read them where they lie, and the
// client gets them back when nobody does any more.
#include "scene.h"

#include "by_hand.h"
#include "ipc/ring.h"

#define LARGE UINT64_C(524288)
#define SMALL UINT64_C(1024)
#define LEASE 5u

static uint64_t returned;

static int prepare_by_hand(void **state)
{
    (void)pit_prepare(state);
    by_hand_begin();
    returned = 0;
    return scene_open_pit();
}

#define test_by_hand(name) \
    cmocka_unit_test_setup_teardown(name, prepare_by_hand, scene_clear)

// As local_client_begin(), with more memory.
static void begin(struct local_client *one)
{
    greet(one);
    assert_true(local_client_open_with(one, "default", SLOTS, LOCAL_CLIENT_MORE));
    returned = 0;
}

// A call with a tensor of so many bytes, which the client knows by `lease`.
static void
submit(struct local_client *one, uint32_t slot, uint64_t bytes, uint32_t lease)
{
    local_client_fill_tensor(one, slot, "look", bytes, lease);
    local_client_submit(one, slot, 0);
}

// The window in which a worker finds the tensor; 0: it was copied.
static uint32_t window_of(const struct fake_call *call)
{
    uint32_t window;
    uint64_t offset;
    memcpy(&window, by_hand_args(call) + 6 + 4, sizeof window);
    memcpy(&offset, by_hand_args(call) + 6 + 8, sizeof offset);
    if (window != 0) {
        assert_int_equal(offset, SLOTS * LOCAL_CLIENT_ROOM);
    }
    return window;
}

// A whole call, in slot 0. Returns the window; `*held` is what the client is told.
static uint32_t
look(struct local_client *one, uint64_t bytes, uint32_t lease, bool *held)
{
    struct sp_slot_result result;
    submit(one, 0, bytes, lease);
    const struct fake_call call = by_hand_take();
    const uint32_t window = window_of(&call);
    by_hand_answer(&call, *held);
    assert_true(local_client_await(one, 0, &result));
    assert_int_equal(result.status, SP_STATUS_OK);
    *held = result.held != 0;
    return window;
}

// Calls until the worker has the memory.
static void await_window(struct local_client *one)
{
    bool held;
    uint32_t window;
    do {
        held = false;
        window = look(one, LARGE, LEASE, &held);
        assert_false(held);
    } while (window == 0);
}

static bool next_return(struct local_client *one, uint32_t *lease)
{
    const struct sp_control_view *view = &one->view;
    const bool is_there =
        sp_ring_peek(view->request_returns, view->shape.leases - 1, returned, lease);
    returned += is_there ? 1 : 0;
    return is_there;
}

static void a_large_tensor_is_read_where_it_lies(void **state)
{
    (void)state;
    bool held = false;
    uint32_t lease;
    scene_serve("", "");
    begin(&client);
    assert_int_equal(look(&client, SMALL, LEASE, &held), 0);
    assert_int_equal(by_hand_maps(), 0); // who has no large ones costs nothing
    await_window(&client);
    for (int i = 0; i < 3000; i++) {
        held = false;
        assert_int_not_equal(look(&client, LARGE, LEASE, &held), 0);
        assert_false(held);
    }
    assert_int_equal(look(&client, SMALL, LEASE, &held), 0);
    assert_false(next_return(&client, &lease));
    assert_int_equal(by_hand_maps(), 1);
}

static void what_a_worker_keeps_comes_back_once_it_lets_go(void **state)
{
    (void)state;
    struct sp_slot_result result;
    uint32_t lease;
    bool held = false;
    scene_serve("", "");
    begin(&client);
    await_window(&client);
    submit(&client, 0, LARGE, LEASE);
    const struct fake_call call = by_hand_take();
    by_hand_answer(&call, true);
    assert_true(local_client_await(&client, 0, &result));
    assert_int_equal(result.held, 1);
    assert_false(next_return(&client, &lease));
    by_hand_let_go(&call);
    (void)look(&client, SMALL, SP_NO_LEASE, &held); // a pool sees it as it calls
    AWAIT(next_return(&client, &lease));
    assert_int_equal(lease, LEASE);
    held = false;
    assert_int_not_equal(look(&client, LARGE, LEASE, &held), 0); // and it may be again
}

static void a_lease_that_we_have_or_that_is_none_has_its_tensors_copied(void **state)
{
    (void)state;
    struct sp_slot_result result;
    bool held = false;
    scene_serve("", "");
    begin(&client);
    await_window(&client);
    submit(&client, 0, LARGE, LEASE);
    const struct fake_call call = by_hand_take();
    assert_int_not_equal(window_of(&call), 0);
    by_hand_answer(&call, true);
    assert_true(local_client_await(&client, 0, &result));
    static const uint32_t wrong[] = {LEASE, 1024, UINT32_MAX - 1, SP_NO_LEASE};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        held = false;
        assert_int_equal(look(&client, LARGE, wrong[i], &held), 0);
        assert_false(held);
    }
    by_hand_let_go(&call);
}

static void a_call_that_is_given_up_keeps_its_tensors_until_it_has_ended(void **state)
{
    (void)state;
    struct sp_slot_result result;
    uint32_t lease;
    scene_serve("", "");
    begin(&client);
    await_window(&client);
    submit(&client, 1, LARGE, LEASE);
    const struct fake_call call = by_hand_take();
    const struct sp_local_cancel cancel = {
        .circuit = client.circuit, .call = client.call, .slot = 1};
    assert_true(local_client_say(&client, SP_LOCAL_CANCEL, &cancel, sizeof cancel));
    assert_true(local_client_await(&client, 1, &result));
    assert_int_equal(result.status, SP_STATUS_FAULT);
    assert_int_equal(result.held, 1); // its tool reads on
    assert_false(next_return(&client, &lease));
    by_hand_answer(&call, false);
    AWAIT(next_return(&client, &lease));
    assert_int_equal(lease, LEASE);
}

static void who_leaves_takes_the_window_with_him(void **state)
{
    (void)state;
    struct sp_slot_result result;
    bool held = false;
    scene_serve("", "");
    begin(&client);
    begin(&other);
    await_window(&client);
    submit(&client, 0, LARGE, LEASE);
    const struct fake_call call = by_hand_take();
    by_hand_answer(&call, true);
    assert_true(local_client_await(&client, 0, &result));
    end_client(&client);
    (void)look(&other, SMALL, SP_NO_LEASE, &held);
    assert_int_equal(by_hand_unmaps(), 0); // somebody reads there
    by_hand_let_go(&call);
    (void)look(&other, SMALL, SP_NO_LEASE, &held);
    AWAIT(by_hand_unmaps() == 1);
}

static void many_come_and_go(void **state)
{
    (void)state;
    scene_serve("", "");
    for (uint32_t i = 0; i < 100; i++) { // more than there are numbers
        begin(&client);
        await_window(&client);
        end_client(&client);
        AWAIT(by_hand_unmaps() == i + 1);
    }
    assert_int_equal(by_hand_maps(), 100);
}

static void where_workers_cannot_map_all_is_copied(void **state)
{
    (void)state;
    by_hand_refuse_maps();
    scene_serve("", "");
    begin(&client);
    for (int i = 0; i < 100; i++) {
        bool held = false;
        assert_int_equal(look(&client, LARGE, LEASE, &held), 0);
    }
    assert_int_equal(by_hand_maps(), 1);
}

static void the_daemon_ends_while_a_worker_reads(void **state)
{
    (void)state;
    struct sp_slot_result result;
    scene_serve("", "");
    begin(&client);
    await_window(&client);
    submit(&client, 0, LARGE, LEASE);
    struct fake_call call = by_hand_take();
    by_hand_answer(&call, true);
    assert_true(local_client_await(&client, 0, &result));
    submit(&client, 1, LARGE, LEASE + 1);
    call = by_hand_take(); // never answered
    assert_int_not_equal(window_of(&call), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test_by_hand(a_large_tensor_is_read_where_it_lies),
        test_by_hand(what_a_worker_keeps_comes_back_once_it_lets_go),
        test_by_hand(a_lease_that_we_have_or_that_is_none_has_its_tensors_copied),
        test_by_hand(a_call_that_is_given_up_keeps_its_tensors_until_it_has_ended),
        test_by_hand(who_leaves_takes_the_window_with_him),
        test_by_hand(many_come_and_go),
        test_by_hand(where_workers_cannot_map_all_is_copied),
        test_by_hand(the_daemon_ends_while_a_worker_reads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
