// SPDX-License-Identifier: MIT
// Who comes in through a local door, and who does not.
#include "scene.h"

static void a_greeting_is_answered_with_the_pools(void **state)
{
    (void)state;
    scene_serve("", "");
    greet(&client);
    assert_true(is_said("version", snakepit_version()));
    assert_int_equal(said("pid").as.integer, getpid());
    const snakepit_value pools = said("pools");
    assert_int_equal(pools.kind, SNAKEPIT_ARRAY);
    assert_int_equal(pools.as.count, 1);
}

static void another_version_is_refused_with_both(void **state)
{
    (void)state;
    char theirs[32];
    char ours[32];
    scene_serve("", "");
    assert_true(local_client_connect(&client, path));
    assert_true(local_client_greet(&client, SP_LAYOUT_VERSION + 7));
    assert_int_equal(local_client_answer(&client, &heard, &heard_size),
                     SP_LOCAL_REFUSED);
    (void)snprintf(theirs, sizeof theirs, "version %u", SP_LAYOUT_VERSION + 7);
    (void)snprintf(ours, sizeof ours, "version %u", SP_LAYOUT_VERSION);
    assert_true(is_said("message", theirs));
    assert_true(is_said("message", ours));
    assert_true(local_client_is_closed(&client));
}

static void who_does_not_greet_in_time_is_closed(void **state)
{
    (void)state;
    scene_serve(", header_timeout_ms: 50", "");
    assert_true(local_client_connect(&client, path));
    assert_true(local_client_is_closed(&client));
}

static void who_begins_with_something_else_is_closed(void **state)
{
    (void)state;
    const uint64_t number = 1;
    scene_serve("", "");
    assert_true(local_client_connect(&client, path));
    assert_true(local_client_say(&client, SP_LOCAL_CLOSE, &number, sizeof number));
    assert_true(local_client_is_closed(&client));
    end_client(&client);
    assert_true(local_client_connect(&client, path));
    assert_true(local_client_say(&client, SP_LOCAL_GREETING, &number, sizeof number));
    assert_true(local_client_is_closed(&client));
}

static void a_user_that_is_not_named_is_refused(void **state)
{
    (void)state;
    scene_serve("", ", users: [\"4242\"]");
    assert_true(local_client_connect(&client, path));
    assert_true(local_client_greet(&client, SP_LAYOUT_VERSION));
    assert_int_equal(local_client_answer(&client, &heard, &heard_size),
                     SP_LOCAL_REFUSED);
    assert_int_equal(said("err").as.integer, SNAKEPIT_DENIED);
    assert_true(is_said("message", "users"));
    assert_true(local_client_is_closed(&client));
}

static void a_user_has_so_many_connections_and_no_more(void **state)
{
    (void)state;
    scene_serve(", max_connections_per_user: 1", "");
    greet(&client);
    assert_true(local_client_connect(&other, path));
    assert_true(local_client_greet(&other, SP_LAYOUT_VERSION));
    assert_int_equal(local_client_answer(&other, &heard, &heard_size),
                     SP_LOCAL_REFUSED);
    assert_true(is_said("message", "max_connections_per_user"));
    end_client(&other);
    end_client(&client);
    AWAIT(sp_server_connections(server) == 0);
    greet(&client);
}

static void a_pool_that_is_not_there_has_no_circuit(void **state)
{
    (void)state;
    scene_serve("", "");
    greet(&client);
    assert_false(local_client_open(&client, "texts", SLOTS));
    heard = client.inbox.room + sizeof(struct sp_message_head);
    heard_size = SP_MESSAGE_MAX - sizeof(struct sp_message_head);
    assert_int_equal(said("err").as.integer, SNAKEPIT_UNKNOWN_POOL);
    assert_int_equal(said("circuit").as.integer, client.circuit);
}

// One that can shrink, one that is smaller than said, and one that is no memory.
static void memory_that_could_end_the_daemon_ends_the_connection(void **state)
{
    (void)state;
    int ends[2];
    struct sp_segment small;
    scene_serve("", "");
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(sp_segment_create(&small, "snakepit-small", 4096, true, NULL),
                     SNAKEPIT_OK);
    int open_memory = memfd_create("open", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_int_equal(ftruncate(open_memory, 1 << 20), 0);
    const int all[] = {ends[0], small.fd, open_memory, -1};
    for (size_t i = 0; i < sizeof all / sizeof all[0]; i++) {
        greet(&client);
        assert_true(local_client_ask(&client, "default", SLOTS, all[i], 1 << 20));
        assert_true(local_client_is_closed(&client));
        end_client(&client);
    }
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(open_memory);
    sp_segment_fini(&small);
}

static void what_no_program_says_ends_the_connection(void **state)
{
    (void)state;
    static const uint32_t types[] = {0,
                                     SP_LOCAL_GREETING,
                                     SP_LOCAL_WELCOME,
                                     SP_LOCAL_OPEN,
                                     SP_LOCAL_CLOSE,
                                     SP_LOCAL_CANCEL,
                                     SP_LOCAL_ASK,
                                     SP_LOCAL_LEAVING,
                                     4711};
    scene_serve("", "");
    for (size_t i = 0; i < sizeof types / sizeof types[0]; i++) {
        greet(&client);
        assert_true(
            local_client_say(&client, (enum sp_local_message)types[i], "abc", 3));
        assert_true(local_client_is_closed(&client));
        end_client(&client);
    }
    greet(&client);
    assert_true(local_client_open(&client, "default", SLOTS));
    assert_serves(&client);
}

static void a_daemon_that_ends_says_so(void **state)
{
    (void)state;
    come_in();
    sp_server_drain(server);
    assert_int_equal(local_client_answer(&client, &heard, &heard_size),
                     SP_LOCAL_LEAVING);
    assert_true(local_client_is_closed(&client));
    assert_true(sp_server_await_drained(server, LOCAL_CLIENT_MS));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_greeting_is_answered_with_the_pools),
        test(another_version_is_refused_with_both),
        test(who_does_not_greet_in_time_is_closed),
        test(who_begins_with_something_else_is_closed),
        test(a_user_that_is_not_named_is_refused),
        test(a_user_has_so_many_connections_and_no_more),
        test(a_pool_that_is_not_there_has_no_circuit),
        test(memory_that_could_end_the_daemon_ends_the_connection),
        test(what_no_program_says_ends_the_connection),
        test(a_daemon_that_ends_says_so),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
