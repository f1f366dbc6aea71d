// SPDX-License-Identifier: MIT
// What a running call asks its host: tools that the program has registered, and
// sessions. The test is the worker.
#include "fakes.h"

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"

static struct {
    snakepit_tool_info info;
    char name[64];
    char session[64];
    uint32_t count;
    bool fails;
} tool;

static snakepit_err run_tool(void *user,
                             const snakepit_tool_info *info,
                             const snakepit_reader *arguments,
                             snakepit_writer *result,
                             snakepit_message *why)
{
    snakepit_reader reader = *arguments;
    snakepit_value value;
    assert_ptr_equal(user, &tool);
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_MAP);
    tool.info = *info;
    (void)snprintf(tool.name, sizeof tool.name, "%s", info->name);
    (void)snprintf(tool.session, sizeof tool.session, "%s", info->session_id);
    tool.count++;
    if (tool.fails) {
        (void)snprintf(why->text, sizeof why->text, "not today");
        return SNAKEPIT_NOT_FOUND;
    }
    snakepit_writer_int(result, 42);
    return SNAKEPIT_OK;
}

static void open_with_tool(void)
{
    pit_fakes.by_hand = true;
    memset(&tool, 0, sizeof tool);
    pit_open_ready("");
    assert_int_equal(snakepit_tool_register(pit, "t", run_tool, &tool, NULL),
                     SNAKEPIT_OK);
}

// ---- One call that asks -------------------------------------------------------

static void *make_call(void *session)
{
    const snakepit_call_options options = {.size = sizeof options,
                                           .session_id = session};
    snakepit_answer *answer;
    (void)snakepit_call(pit, "asks", NULL, &options, &answer);
    snakepit_answer_free(answer);
    return NULL;
}

// What the host replies to a question of a call of this session.
struct reply {
    enum sp_reply_kind kind;
    uint8_t body[1024];
    size_t size;
};

static struct reply ask(const char *session, const char *question)
{
    pthread_t caller;
    struct reply reply = {0};
    assert_int_equal(
        pthread_create(&caller, NULL, make_call, (void *)(uintptr_t)session), 0);
    struct fake_call call = pit_take();
    struct sp_slot *slot = &atomic_load(&pit_fakes.port)->view.slots[call.slot];
    fake_ask(atomic_load(&pit_fakes.player), &call, question);
    PIT_AWAIT((atomic_load(&slot->result.state) & SP_SLOT_STATE) == SP_SLOT_RUNNING);
    reply.kind = (enum sp_reply_kind)slot->request.reply;
    reply.size = slot->request.body_size;
    assert_true(reply.size < sizeof reply.body);
    memcpy(reply.body,
           sp_pool_store(pit->pools[0]->pool)->segment.base + slot->request.body,
           reply.size);
    call.request.body_size = 0;
    pit_serve(&call);
    assert_int_equal(pthread_join(caller, NULL), 0);
    return reply;
}

static bool says(const struct reply *reply, const char *text)
{
    return memmem(reply->body, reply->size, text, strlen(text)) != NULL;
}

// ---- Tools of the program -----------------------------------------------------

static void a_tool_of_the_program_is_run_with_what_it_needs(void **state)
{
    (void)state;
    open_with_tool();
    struct reply reply = ask("s1", "\x92\xa1t\x80");
    assert_int_equal(reply.kind, SP_REPLY_RESULT);
    assert_int_equal(reply.size, 1);
    assert_int_equal(reply.body[0], 42);
    assert_int_equal(tool.count, 1);
    assert_string_equal(tool.name, "t");
    assert_string_equal(tool.session, "s1");
    assert_string_equal(tool.info.pool, "default");
    assert_int_equal(tool.info.worker, 1);
    assert_in_range(tool.info.remaining_ms, 1, 30000); // call_timeout_ms
}

static void a_tool_that_fails_is_a_fault_with_its_words(void **state)
{
    (void)state;
    open_with_tool();
    tool.fails = true;
    struct reply reply = ask(NULL, "\x92\xa1t\x80");
    assert_int_equal(reply.kind, SP_REPLY_FAULT);
    assert_true(says(&reply, "not today"));
    assert_true(says(&reply, "NOT_FOUND"));
}

static void a_tool_that_is_not_there_is_a_fault(void **state)
{
    (void)state;
    open_with_tool();
    struct reply reply = ask(NULL, "\x92\xa2tt\x80");
    assert_int_equal(reply.kind, SP_REPLY_FAULT);
    assert_true(says(&reply, "UNKNOWN_TOOL"));
    assert_int_equal(tool.count, 0);
}

static void what_is_not_a_question_reaches_no_tool(void **state)
{
    static const char *const rows[] = {
        "\xa1t",             // not a pair
        "\x93\xa1t\x80\x80", // three
        "\x92\xa1t",         // half a pair
        "\x92\xa0\x80",      // no name
        "\x92\x01\x80",      // a number as a name
        "\x92\xa1t\x90",     // arguments that are not a map
        "\x92\xa1t\x80\x80", // and more behind
        "\xc1",
    };
    (void)state;
    open_with_tool();
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct reply reply = ask(NULL, rows[i]);
        assert_int_equal(reply.kind, SP_REPLY_FAULT);
        assert_int_equal(tool.count, 0);
    }
}

// ---- Sessions -----------------------------------------------------------------

static void sessions_are_asked_by_the_name_of_an_operation(void **state)
{
    (void)state;
    open_with_tool();
    struct reply reply = ask("s1", "\x92\xb5snakepit.session.list\x80");
    assert_int_equal(reply.kind, SP_REPLY_RESULT);
    assert_int_equal(reply.body[0], 0x90);
    reply = ask(NULL, "\x92\xb5snakepit.session.list\x80");
    assert_int_equal(reply.kind, SP_REPLY_FAULT);
    assert_int_equal(tool.count, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        PIT_TEST(a_tool_of_the_program_is_run_with_what_it_needs),
        PIT_TEST(a_tool_that_fails_is_a_fault_with_its_words),
        PIT_TEST(a_tool_that_is_not_there_is_a_fault),
        PIT_TEST(what_is_not_a_question_reaches_no_tool),
        PIT_TEST(sessions_are_asked_by_the_name_of_an_operation),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
