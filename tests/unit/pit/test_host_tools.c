// SPDX-License-Identifier: MIT
#include "pit/host_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include <sched.h>
#include <stdatomic.h>

#include "base/memory.h"
#include "payload/writer.h"

static struct sp_host_tools tools;

static int open_tools(void **state)
{
    static const struct sp_hash_key key = {{1, 2}};
    (void)state;
    sp_host_tools_init(&tools, &key);
    return 0;
}

static int close_tools(void **state)
{
    (void)state;
    sp_host_tools_fini(&tools);
    return 0;
}

static snakepit_err nothing(void *user,
                            const snakepit_tool_info *info,
                            const snakepit_reader *arguments,
                            snakepit_writer *result,
                            snakepit_message *why)
{
    (void)user;
    (void)info;
    (void)arguments;
    (void)result;
    (void)why;
    return SNAKEPIT_OK;
}

static struct sp_slice slice(const char *text)
{
    return sp_slice_of_text(text);
}

static snakepit_err add(const char *session, const char *name, void *user)
{
    const struct sp_host_tool_spec spec = {.session = slice(session),
                                           .name = slice(name),
                                           .description = session,
                                           .function = nothing,
                                           .user = user};
    return sp_host_tools_add(&tools, &spec);
}

// Whose function a call of a session gets; NULL: nobody's.
static void *user_of(const char *session, const char *name)
{
    struct sp_host_tool_spec spec;
    struct sp_host_tool *tool =
        sp_host_tools_use(&tools, slice(session), slice(name), &spec);
    if (tool == NULL) {
        return NULL;
    }
    assert_ptr_equal(spec.function, nothing);
    assert_memory_equal(spec.name.data, name, strlen(name) + 1);
    sp_host_tools_release(&tools, tool);
    return spec.user;
}

static snakepit_err take_away(const char *session, const char *name)
{
    return sp_host_tools_remove(&tools, slice(session), slice(name), true);
}

static int all, mine, other;

static void a_sessions_own_goes_before_that_of_all(void **state)
{
    (void)state;
    assert_int_equal(add("", "who", &all), SNAKEPIT_OK);
    assert_int_equal(add("s", "who", &mine), SNAKEPIT_OK);
    assert_ptr_equal(user_of("s", "who"), &mine);
    assert_ptr_equal(user_of("t", "who"), &all);
    assert_ptr_equal(user_of("", "who"), &all);
    assert_null(user_of("s", "wh"));
    assert_int_equal(take_away("s", "who"), SNAKEPIT_OK);
    assert_ptr_equal(user_of("s", "who"), &all);
}

static void a_name_is_taken_once_in_each_session(void **state)
{
    (void)state;
    assert_int_equal(add("", "who", &all), SNAKEPIT_OK);
    assert_int_equal(add("", "who", &other), SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(add("s", "who", &mine), SNAKEPIT_OK);
    assert_int_equal(add("s", "who", &other), SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(take_away("t", "who"), SNAKEPIT_NOT_FOUND);
    assert_int_equal(take_away("", "who"), SNAKEPIT_OK);
    assert_int_equal(add("", "who", &other), SNAKEPIT_OK);
    assert_ptr_equal(user_of("t", "who"), &other);
}

static void names_and_sessions_are_not_confused(void **state)
{
    (void)state;
    assert_int_equal(add("ab", "c", &mine), SNAKEPIT_OK);
    assert_int_equal(add("a", "bc", &other), SNAKEPIT_OK);
    assert_ptr_equal(user_of("ab", "c"), &mine);
    assert_ptr_equal(user_of("a", "bc"), &other);
    assert_null(user_of("a", "c"));
}

static void a_session_takes_its_tools_with_it(void **state)
{
    (void)state;
    assert_int_equal(add("", "who", &all), SNAKEPIT_OK);
    assert_int_equal(add("s", "who", &mine), SNAKEPIT_OK);
    assert_int_equal(add("s", "more", &mine), SNAKEPIT_OK);
    assert_int_equal(add("t", "who", &other), SNAKEPIT_OK);
    sp_host_tools_end_session(&tools, slice("s"));
    assert_ptr_equal(user_of("s", "who"), &all);
    assert_null(user_of("s", "more"));
    assert_ptr_equal(user_of("t", "who"), &other);
}

static void one_that_runs_outlives_its_removal(void **state)
{
    (void)state;
    struct sp_host_tool_spec spec;
    assert_int_equal(add("", "who", &all), SNAKEPIT_OK);
    struct sp_host_tool *tool =
        sp_host_tools_use(&tools, slice("s"), slice("who"), &spec);
    assert_int_equal(sp_host_tools_remove(&tools, slice(""), slice("who"), false),
                     SNAKEPIT_OK);
    assert_null(user_of("", "who"));
    assert_memory_equal(spec.name.data, "who", 4);
    sp_host_tools_release(&tools, tool);
}

static void *remove_who(void *removed)
{
    assert_int_equal(take_away("", "who"), SNAKEPIT_OK);
    atomic_store((_Atomic bool *)removed, true);
    return NULL;
}

static void whoever_removes_it_waits_for_those_inside(void **state)
{
    (void)state;
    struct sp_host_tool_spec spec;
    pthread_t thread;
    _Atomic bool removed = false;
    assert_int_equal(add("", "who", &all), SNAKEPIT_OK);
    struct sp_host_tool *tool =
        sp_host_tools_use(&tools, slice(""), slice("who"), &spec);
    struct sp_host_tool *again =
        sp_host_tools_use(&tools, slice(""), slice("who"), &spec);
    assert_int_equal(pthread_create(&thread, NULL, remove_who, &removed), 0);
    while (user_of("", "who") != NULL) {
        sched_yield();
    }
    sp_host_tools_release(&tools, tool);
    assert_false(atomic_load(&removed));
    sp_host_tools_release(&tools, again);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(atomic_load(&removed));
}

static void the_list_is_what_a_session_sees(void **state)
{
    (void)state;
    static const uint8_t wanted[] = "\x82\xa3"
                                    "one\xa0"
                                    "\xa3who"
                                    "\xa1s";
    snakepit_writer *writer = snakepit_writer_new();
    assert_int_equal(add("", "who", &all), SNAKEPIT_OK);
    assert_int_equal(add("", "one", &all), SNAKEPIT_OK);
    assert_int_equal(add("s", "who", &mine), SNAKEPIT_OK);
    assert_int_equal(add("t", "not for s", &other), SNAKEPIT_OK);
    sp_host_tools_list(&tools, slice("s"), writer);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    assert_int_equal(writer->buf.size, sizeof wanted - 1);
    assert_memory_equal(writer->buf.data, wanted, sizeof wanted - 1);
    snakepit_writer_free(writer);
}

static void a_hint_names_only_what_the_session_sees(void **state)
{
    (void)state;
    snakepit_message why = {"no such tool"};
    assert_int_equal(add("t", "lookup", &other), SNAKEPIT_OK);
    sp_host_tools_hint(&tools, slice("s"), slice("lokup"), &why);
    assert_string_equal(why.text, "no such tool");
    sp_host_tools_hint(&tools, slice("t"), slice("lokup"), &why);
    assert_string_equal(why.text, "no such tool; did you mean \"lookup\"?");
}

static void every_failed_allocation_is_survived(void **state)
{
    (void)state;
    snakepit_err err;
    long nth = 0;
    do {
        sp_memory_fail_at(++nth);
        err = add("s", "who", &mine);
        sp_memory_fail_at(0);
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY);
        assert_int_equal(user_of("s", "who") != NULL, err == SNAKEPIT_OK);
    } while (err != SNAKEPIT_OK);
    assert_true(nth >= 3 && nth <= 5);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_tools, close_tools)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(a_sessions_own_goes_before_that_of_all),
        test(a_name_is_taken_once_in_each_session),
        test(names_and_sessions_are_not_confused),
        test(a_session_takes_its_tools_with_it),
        test(one_that_runs_outlives_its_removal),
        test(whoever_removes_it_waits_for_those_inside),
        test(the_list_is_what_a_session_sees),
        test(a_hint_names_only_what_the_session_sees),
        test(every_failed_allocation_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
