// SPDX-License-Identifier: MIT
// sp_sessions_page() of session/sessions.h.
#include "session/sessions.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "payload/pairs.h"
#include "payload/writer.h"

static struct sp_sessions sessions;

static uint64_t fake_now(void)
{
    return 1;
}

static void note_ended(void *user, struct sp_slice session, snakepit_session_end reason)
{
    (void)user;
    (void)session;
    (void)reason;
}

static bool is_busy(void *user, struct sp_slice session)
{
    (void)user;
    (void)session;
    return false;
}

static struct sp_slice slice(const char *text)
{
    return sp_slice_of_text(text);
}

static void use(const char *session)
{
    assert_int_equal(sp_sessions_use(&sessions, slice(session)), SNAKEPIT_OK);
}

static void put(const char *session, const char *key, const char *value)
{
    const struct sp_session_place place = {slice(session), slice(key)};
    assert_int_equal(sp_sessions_put(&sessions, &place, slice(value), 0), SNAKEPIT_OK);
}

// A page as JSON.
static void assert_page(const char *after, uint32_t most, const char *expected)
{
    snakepit_writer *page = snakepit_writer_new();
    struct sp_buf text = {0};
    assert_int_equal(sp_sessions_page(&sessions, slice(after), most, page),
                     SNAKEPIT_OK);
    assert_int_equal(sp_writer_to_json(page, &text), SNAKEPIT_OK);
    assert_string_equal((const char *)text.data, expected);
    sp_buf_fini(&text);
    snakepit_writer_free(page);
}

static void sessions_are_listed_page_by_page(void **state)
{
    (void)state;
    assert_page("", 2, "{\"sessions\":[],\"next\":null}");
    use("a");
    put("b", "k", "12");
    use("c");
    use("a"); // changes no order
    assert_page("",
                2,
                "{\"sessions\":[{\"session\":\"a\",\"values\":0,\"bytes\":0},"
                "{\"session\":\"b\",\"values\":1,\"bytes\":131}],\"next\":\"b\"}");
    assert_page("b",
                2,
                "{\"sessions\":[{\"session\":\"c\",\"values\":0,\"bytes\":0}],"
                "\"next\":null}");
    assert_page("c", 1, "{\"sessions\":[],\"next\":null}");
    assert_int_equal(sp_sessions_end(&sessions, slice("b")), SNAKEPIT_OK);
    assert_page("a",
                1,
                "{\"sessions\":[{\"session\":\"c\",\"values\":0,\"bytes\":0}],"
                "\"next\":null}");
    snakepit_writer *page = snakepit_writer_new();
    assert_int_equal(sp_sessions_page(&sessions, slice("b"), 1, page),
                     SNAKEPIT_NOT_FOUND);
    assert_int_equal(page->buf.size, 0);
    snakepit_writer_free(page);
}

int main(void)
{
    const struct sp_sessions_options options = {
        .most = 4, .quota = 1024, .memory = 1024, .key = {{1, 2}}, .now = fake_now};
    const struct sp_sessions_hooks hooks = {.ended = note_ended, .busy = is_busy};
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sessions_are_listed_page_by_page),
    };
    sp_sessions_init(&sessions, &options, &hooks);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    sp_sessions_close(&sessions);
    sp_sessions_fini(&sessions);
    return failed;
}
