// SPDX-License-Identifier: MIT
#include "session/tool.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "payload/writer.h"

static struct sp_sessions sessions;
static uint64_t now_ms;
static snakepit_writer *arguments;
static snakepit_writer *result;
static snakepit_message why;

static uint64_t fake_now(void)
{
    return now_ms * SP_NS_PER_MS;
}

static void ignore_end(void *user, struct sp_slice session, snakepit_session_end reason)
{
    (void)user;
    (void)session;
    (void)reason;
}

static bool never_busy(void *user, struct sp_slice session)
{
    (void)user;
    (void)session;
    return false;
}

static void ignore_wake(void *user)
{
    (void)user;
}

static int fresh(void **state)
{
    (void)state;
    const struct sp_sessions_options options = {
        .ttl_ms = 60000,
        .most = 10,
        .quota = 1024,
        .memory = 4096,
        .now = fake_now,
    };
    const struct sp_sessions_hooks hooks = {ignore_end, never_busy, ignore_wake, NULL};
    sp_sessions_init(&sessions, &options, &hooks);
    now_ms = 1;
    arguments = snakepit_writer_new();
    result = snakepit_writer_new();
    return 0;
}

static int end(void **state)
{
    (void)state;
    snakepit_writer_free(arguments);
    snakepit_writer_free(result);
    sp_sessions_close(&sessions);
    sp_sessions_fini(&sessions);
    return 0;
}

static snakepit_err
ask_bytes(const char *session, const char *operation, struct sp_slice bytes)
{
    struct sp_session_question question = {.operation = operation,
                                           .session = sp_slice_of_text(session)};
    snakepit_reader_init(&question.arguments, bytes.data, bytes.size);
    snakepit_writer_reset(result);
    why.text[0] = 0;
    return sp_session_tool(&sessions, &question, result, &why);
}

// Asks with arguments that are given as JSON.
static snakepit_err ask(const char *session, const char *operation, const char *json)
{
    snakepit_writer_reset(arguments);
    assert_int_equal(snakepit_writer_json(arguments, json, strlen(json), NULL),
                     SNAKEPIT_OK);
    const struct sp_slice bytes = {arguments->buf.data, arguments->buf.size};
    return ask_bytes(session, operation, bytes);
}

static void assert_result(const char *expected, size_t size)
{
    assert_int_equal(snakepit_writer_error(result), SNAKEPIT_OK);
    assert_int_equal(result->buf.size, size);
    assert_memory_equal(result->buf.data, expected, size);
}

#define assert_answers(session, operation, json, expected)                  \
    do {                                                                    \
        assert_int_equal(ask((session), (operation), (json)), SNAKEPIT_OK); \
        assert_result((expected), sizeof(expected) - 1);                    \
    } while (0)
#define assert_refuses(session, operation, json, err, words)        \
    do {                                                            \
        assert_int_equal(ask((session), (operation), (json)), err); \
        assert_non_null(strstr(why.text, (words)));                 \
        assert_non_null(strstr(why.text, (operation)));             \
    } while (0)

static void what_is_put_is_got(void **state)
{
    (void)state;
    assert_answers(
        "s", "put", "{\"key\": \"k\", \"value\": {\"a\": [1, null]}}", "\xc0");
    assert_answers("s", "get", "{\"key\": \"k\"}", "\x91\x81\xa1\x61\x92\x01\xc0");
    assert_answers("t", "get", "{\"key\": \"k\"}", "\x90");
    assert_answers("s", "get", "{\"key\": \"l\"}", "\x90");
}

static void a_stored_nil_is_not_nothing(void **state)
{
    (void)state;
    assert_answers("s", "put", "{\"value\": null, \"key\": \"k\"}", "\xc0");
    assert_answers("s", "get", "{\"key\": \"k\"}", "\x91\xc0");
}

static void deleting_says_whether_it_was_there(void **state)
{
    (void)state;
    assert_answers("s", "delete", "{\"key\": \"k\"}", "\xc2");
    assert_answers("s", "put", "{\"key\": \"k\", \"value\": 1}", "\xc0");
    assert_answers("s", "delete", "{\"key\": \"k\"}", "\xc3");
    assert_answers("s", "delete", "{\"key\": \"k\"}", "\xc2");
}

static void keys_are_listed(void **state)
{
    (void)state;
    assert_answers("s", "list", "{}", "\x90");
    assert_answers("s", "put", "{\"key\": \"k\", \"value\": 1}", "\xc0");
    assert_answers("s", "put", "{\"key\": \"j\", \"value\": 1}", "\xc0");
    assert_answers("s", "list", "{}", "\x92\xa1k\xa1j");
}

static void a_value_may_have_a_time_to_live(void **state)
{
    (void)state;
    assert_answers(
        "s", "put", "{\"key\": \"a\", \"value\": 1, \"ttl\": 0.0005}", "\xc0");
    assert_answers("s", "put", "{\"key\": \"b\", \"value\": 1, \"ttl\": 2}", "\xc0");
    assert_answers("s", "put", "{\"key\": \"c\", \"value\": 1, \"ttl\": null}", "\xc0");
    assert_answers(
        "s", "put", "{\"key\": \"d\", \"value\": 1, \"ttl\": 1e300}", "\xc0");
    assert_answers("s", "list", "{}", "\x94\xa1\x61\xa1\x62\xa1\x63\xa1\x64");
    now_ms += 1;
    assert_answers("s", "list", "{}", "\x93\xa1\x62\xa1\x63\xa1\x64");
    now_ms += 1999;
    assert_answers("s", "list", "{}", "\x92\xa1\x63\xa1\x64");
}

static void bad_arguments_are_refused_with_a_reason(void **state)
{
    (void)state;
    const snakepit_err bad = SNAKEPIT_INVALID_ARGUMENT;
    assert_refuses("s", "get", "{}", bad, "key");
    assert_refuses("s", "get", "[]", bad, "key");
    assert_refuses("s", "get", "{\"key\": 1}", bad, "key");
    assert_refuses("s", "delete", "{\"key\": \"\"}", bad, "1 to 255");
    assert_refuses("s", "put", "{\"key\": \"k\"}", bad, "no value");
    const char *const ttls[] = {"0", "-1", "\"1\"", "-0.5", "[]", "true"};
    for (size_t i = 0; i < sizeof ttls / sizeof ttls[0]; i++) {
        char json[80];
        (void)snprintf(
            json, sizeof json, "{\"key\": \"k\", \"value\": 1, \"ttl\": %s}", ttls[i]);
        assert_refuses("s", "put", json, bad, "ttl");
    }
    assert_refuses("s", "steal", "{}", SNAKEPIT_UNKNOWN_TOOL, "no such operation");
    assert_refuses("", "list", "{}", SNAKEPIT_NOT_FOUND, "no session");
    assert_answers("s", "list", "{}", "\x90");
}

static void keys_that_are_equal_in_python_are_refused(void **state)
{
    (void)state;
    // {"key": "k", "value": [{1: nil, true: nil}]}
    static const char put[] = "\x82\xa3key\xa1k\xa5value\x91\x82\x01\xc0\xc3\xc0";
    const struct sp_slice bytes = {(const uint8_t *)put, sizeof put - 1};
    assert_int_equal(ask_bytes("s", "put", bytes), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text,
                           "session_context.put: the keys 1 and true are equal in "
                           "Python, which would lose a value (at [0])"));
    assert_answers("s", "list", "{}", "\x90");
}

static void a_key_has_at_most_255_bytes(void **state)
{
    (void)state;
    char json[400];
    char key[257];
    memset(key, 'k', 256);
    key[256] = 0;
    (void)snprintf(json, sizeof json, "{\"key\": \"%s\", \"value\": 1}", key);
    assert_refuses("s", "put", json, SNAKEPIT_INVALID_ARGUMENT, "255");
    (void)snprintf(json, sizeof json, "{\"key\": \"%s\", \"value\": 1}", key + 1);
    assert_int_equal(ask("s", "put", json), SNAKEPIT_OK);
}

static void a_full_session_says_so_with_its_quota(void **state)
{
    (void)state;
    char json[1200] = "{\"key\": \"k\", \"value\": \"";
    memset(json + strlen(json), 'v', 1024);
    strcat(json, "\"}");
    assert_refuses("s", "put", json, SNAKEPIT_QUOTA_EXCEEDED, "1024 bytes");
}

static void a_container_as_a_key_is_refused_however_deep(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        "\x82\xa3key\xa1k\xa5value\x81\x90\x01",         // {[]: 1}
        "\x82\xa3key\xa1k\xa5value\x91\x81\x80\x01",     // [{{}: 1}]
        "\x82\xa3key\xa1k\xa5value\x82\x01\x90\x90\xc0", // {1: [], []: nil}
    };
    static const size_t sizes[] = {16, 17, 18};
    for (size_t i = 0; i < 3; i++) {
        const struct sp_slice bytes = {(const uint8_t *)bodies[i], sizes[i]};
        assert_int_equal(ask_bytes("s", "put", bytes), SNAKEPIT_INVALID_ARGUMENT);
        assert_non_null(strstr(why.text, "a list or a map cannot be a key"));
    }
    assert_answers("s", "list", "{}", "\x90");
}

// What means something only inside of its message must not be kept for another one.
static void tensors_and_unknown_extensions_are_refused_however_deep(void **state)
{
    (void)state;
    static const char *const bodies[] = {
        // {"key": "k", "value": ext}, of our type, which is not one here, and of
        // another.
        "\x82\xa3key\xa1k\xa5value\xd4\x01\x00",
        "\x82\xa3key\xa1k\xa5value\xd4\x07\x00",
        "\x82\xa3key\xa1k\xa5value\x91\x81\xa1x\xd4\x07\x00",
    };
    static const size_t sizes[] = {16, 16, 20};
    for (size_t i = 0; i < 3; i++) {
        const struct sp_slice bytes = {(const uint8_t *)bodies[i], sizes[i]};
        snakepit_err err = ask_bytes("s", "put", bytes);
        assert_int_equal(err, i == 0 ? SNAKEPIT_MALFORMED : SNAKEPIT_UNSERIALISABLE);
        assert_true(why.text[0] != 0);
    }
    assert_answers("s", "list", "{}", "\x90");
}

static void a_tensor_of_a_message_that_may_have_some_is_refused(void **state)
{
    (void)state;
    static _Alignas(64) const uint8_t memory[64];
    static const uint8_t body[] = "\x82\xa3key\xa1k\xa5value\xc7\x18\x01"
                                  "\x06\x01\x00\x00\x00\x00\x00\x00"
                                  "\x00\x00\x00\x00\x00\x00\x00\x00"
                                  "\x08\x00\x00\x00\x00\x00\x00\x00";
    struct sp_session_question question = {.operation = "put",
                                           .session = sp_slice_of_text("s")};
    snakepit_reader_init(&question.arguments, body, sizeof body - 1);
    question.arguments.tensors = memory;
    question.arguments.tensors_size = sizeof memory;
    assert_int_equal(sp_session_tool(&sessions, &question, result, &why),
                     SNAKEPIT_UNSERIALISABLE);
    assert_non_null(strstr(why.text, "arrays"));
}

static void truncated_arguments_are_refused(void **state)
{
    (void)state;
    static const uint8_t body[] = "\x82\xa3key\xa1k\xa5value\x93\x01\x02\x03";
    for (size_t size = 0; size < sizeof body - 1; size++) {
        assert_int_not_equal(ask_bytes("s", "put", (struct sp_slice){body, size}),
                             SNAKEPIT_OK);
    }
    assert_int_equal(ask_bytes("s", "put", (struct sp_slice){body, sizeof body - 1}),
                     SNAKEPIT_OK);
    assert_answers("s", "get", "{\"key\": \"k\"}", "\x91\x93\x01\x02\x03");
}

#define test(name) cmocka_unit_test_setup_teardown(name, fresh, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(what_is_put_is_got),
        test(a_stored_nil_is_not_nothing),
        test(deleting_says_whether_it_was_there),
        test(keys_are_listed),
        test(a_value_may_have_a_time_to_live),
        test(bad_arguments_are_refused_with_a_reason),
        test(keys_that_are_equal_in_python_are_refused),
        test(a_key_has_at_most_255_bytes),
        test(a_full_session_says_so_with_its_quota),
        test(a_container_as_a_key_is_refused_however_deep),
        test(tensors_and_unknown_extensions_are_refused_however_deep),
        test(a_tensor_of_a_message_that_may_have_some_is_refused),
        test(truncated_arguments_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
