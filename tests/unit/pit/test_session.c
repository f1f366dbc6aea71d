// SPDX-License-Identifier: MIT
// Sessions as a program has them, and what it is told when one ends.
#include "fakes.h"

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static struct {
    _Atomic uint32_t count;
    char name[64];
    snakepit_session_end reason;
} ended;

static void note_end(void *user, const char *session_id, snakepit_session_end reason)
{
    (void)user;
    (void)snprintf(ended.name, sizeof ended.name, "%s", session_id);
    ended.reason = reason;
    atomic_fetch_add(&ended.count, 1);
}

static void open_with(const char *more)
{
    pit_open_ready(more);
    memset(&ended, 0, sizeof ended);
    pit->session_ended = note_end; // before anything uses a session
}

static snakepit_err
put(const char *session, const char *key, int64_t number, snakepit_message *why)
{
    const snakepit_put_options options = {.size = sizeof options, .why = why};
    snakepit_writer *value = snakepit_writer_new();
    snakepit_writer_int(value, number);
    snakepit_err err = snakepit_session_put(pit, session, key, value, &options);
    snakepit_writer_free(value);
    return err;
}

static void expect_json(snakepit_answer *answer, const char *json)
{
    assert_string_equal(snakepit_answer_json(answer), json);
    snakepit_answer_free(answer);
}

static void a_value_is_kept_until_it_is_deleted(void **state)
{
    snakepit_answer *answer;
    (void)state;
    open_with("");
    assert_int_equal(put("a", "k", 7, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_session_get(pit, "a", "k", &answer), SNAKEPIT_OK);
    expect_json(answer, "7");
    assert_int_equal(snakepit_session_list(pit, "a", &answer), SNAKEPIT_OK);
    expect_json(answer, "[\"k\"]");
    assert_int_equal(snakepit_session_delete(pit, "a", "k"), SNAKEPIT_OK);
    assert_int_equal(snakepit_session_delete(pit, "a", "k"), SNAKEPIT_NOT_FOUND);
    assert_int_equal(snakepit_session_get(pit, "a", "k", &answer), SNAKEPIT_NOT_FOUND);
    snakepit_answer_free(answer);
}

static void sessions_are_listed(void **state)
{
    snakepit_answer *answer;
    (void)state;
    open_with("");
    assert_int_equal(put("a", "k", 7, NULL), SNAKEPIT_OK);
    assert_int_equal(put("b", "k", 7, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_sessions(pit, NULL, 1, &answer), SNAKEPIT_OK);
    expect_json(answer,
                "{\"sessions\":[{\"session\":\"a\",\"values\":1,\"bytes\":130}],"
                "\"next\":\"a\"}");
    assert_int_equal(snakepit_sessions(pit, "b", 10000, &answer), SNAKEPIT_OK);
    expect_json(answer, "{\"sessions\":[],\"next\":null}");
    assert_int_equal(snakepit_sessions(pit, "c", 1, &answer), SNAKEPIT_NOT_FOUND);
    assert_string_equal(snakepit_answer_fault(answer)->message,
                        "there is no session \"c\"");
    snakepit_answer_free(answer);
    for (uint32_t most = 0; most <= 10001; most += 10001) {
        assert_int_equal(snakepit_sessions(pit, NULL, most, &answer),
                         SNAKEPIT_INVALID_ARGUMENT);
        assert_non_null(strstr(snakepit_answer_fault(answer)->message,
                               "a page has 1 to 10000 sessions"));
        snakepit_answer_free(answer);
    }
}

static void a_session_that_is_closed_is_told_of_once(void **state)
{
    (void)state;
    open_with("");
    assert_int_equal(put("a", "k", 7, NULL), SNAKEPIT_OK);
    assert_int_equal(snakepit_session_close(pit, "a"), SNAKEPIT_OK);
    assert_int_equal(atomic_load(&ended.count), 1);
    assert_string_equal(ended.name, "a");
    assert_int_equal(ended.reason, SNAKEPIT_SESSION_CLOSED);
    assert_int_equal(snakepit_session_close(pit, "a"), SNAKEPIT_NOT_FOUND);
    assert_int_equal(atomic_load(&ended.count), 1);
}

static void a_session_that_nobody_uses_expires(void **state)
{
    (void)state;
    open_with("session_ttl_ms: 20\n");
    assert_int_equal(put("a", "k", 7, NULL), SNAKEPIT_OK);
    PIT_AWAIT(atomic_load(&ended.count) == 1);
    assert_int_equal(ended.reason, SNAKEPIT_SESSION_EXPIRED);
}

static void one_more_than_there_may_be_ends_the_oldest(void **state)
{
    (void)state;
    open_with("max_sessions: 1\n");
    assert_int_equal(put("a", "k", 7, NULL), SNAKEPIT_OK);
    assert_int_equal(put("b", "k", 7, NULL), SNAKEPIT_OK);
    assert_int_equal(ended.reason, SNAKEPIT_SESSION_EVICTED);
    assert_string_equal(ended.name, "a");
}

static void a_call_begins_its_session_and_keeps_it(void **state)
{
    const snakepit_call_options options = {.size = sizeof options, .session_id = "a"};
    snakepit_answer *answer;
    (void)state;
    open_with("max_sessions: 1\n");
    assert_int_equal(snakepit_call(pit, "echo", NULL, &options, &answer), SNAKEPIT_OK);
    snakepit_answer_free(answer);
    assert_int_equal(snakepit_session_close(pit, "a"), SNAKEPIT_OK);
}

static void what_a_session_cannot_keep_is_explained(void **state)
{
    snakepit_message why;
    const snakepit_put_options options = {.size = sizeof options, .why = &why};
    (void)state;
    open_with("session_quota: 1024\n");
    assert_int_equal(snakepit_session_put(pit, "a", "k", NULL, &options),
                     SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "the value is NULL"));
    assert_int_equal(put("", "k", 7, &why), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "session_id"));
    assert_int_equal(put("a", "", 7, &why), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "the key"));
    snakepit_err err = SNAKEPIT_OK;
    for (int i = 0; i < 100 && err == SNAKEPIT_OK; i++) {
        char key[8];
        (void)snprintf(key, sizeof key, "k%d", i);
        err = put("a", key, i, &why);
    }
    assert_int_equal(err, SNAKEPIT_QUOTA_EXCEEDED);
    assert_non_null(strstr(why.text, "session_quota"));
}

static void sessions_end_with_their_pit(void **state)
{
    (void)state;
    open_with("");
    assert_int_equal(put("a", "k", 7, NULL), SNAKEPIT_OK);
    snakepit_close(pit, 0);
    pit = NULL;
    assert_int_equal(atomic_load(&ended.count), 1);
    assert_int_equal(ended.reason, SNAKEPIT_SESSION_PIT_CLOSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(a_value_is_kept_until_it_is_deleted),
        PIT_TEST(sessions_are_listed),
        PIT_TEST(a_session_that_is_closed_is_told_of_once),
        PIT_TEST(a_session_that_nobody_uses_expires),
        PIT_TEST(one_more_than_there_may_be_ends_the_oldest),
        PIT_TEST(a_call_begins_its_session_and_keeps_it),
        PIT_TEST(what_a_session_cannot_keep_is_explained),
        PIT_TEST(sessions_end_with_their_pit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
