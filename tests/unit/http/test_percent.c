// SPDX-License-Identifier: MIT
#include "http/percent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

static void escapes_are_decoded(void **state)
{
    (void)state;
    char room[8];
    assert_true(sp_percent_decode(sp_slice_of_text("a%20%c3%A9+"), room, sizeof room));
    assert_string_equal(room, "a é+");
    assert_true(sp_percent_decode((struct sp_slice){NULL, 0}, room, sizeof room));
    assert_string_equal(room, "");
}

static void what_is_no_escape_is_refused(void **state)
{
    (void)state;
    static const char *const bad[] = {
        "%", "%a", "a%4", "%g0", "%0g", "%00", "12345678"};
    char room[8];
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        assert_false(sp_percent_decode(sp_slice_of_text(bad[i]), room, sizeof room));
    }
    assert_false(
        sp_percent_decode((struct sp_slice){(const uint8_t *)"a\0", 2}, room, 8));
}

static void what_is_encoded_comes_back(void **state)
{
    (void)state;
    struct sp_buf out = {0};
    char room[64];
    assert_int_equal(sp_percent_encode(&out, "a/b: é~%{}"), SNAKEPIT_OK);
    assert_int_equal(sp_buf_append(&out, "", 1), SNAKEPIT_OK);
    assert_string_equal((const char *)out.data, "a%2Fb%3A%20%C3%A9~%25%7B%7D");
    assert_true(sp_percent_decode(
        (struct sp_slice){out.data, out.size - 1}, room, sizeof room));
    assert_string_equal(room, "a/b: é~%{}");
    sp_buf_fini(&out);
    sp_memory_fail_at(1);
    assert_int_equal(sp_percent_encode(&out, "a"), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(0);
}

static void assert_found(const char *query, const char *name, const char *value)
{
    struct sp_slice found = sp_query_find(sp_slice_of_text(query), name);
    if (value == NULL) {
        assert_null(found.data);
        return;
    }
    assert_non_null(found.data);
    assert_int_equal(found.size, strlen(value));
    assert_memory_equal(found.data, value, found.size);
}

static void a_query_is_looked_through(void **state)
{
    (void)state;
    assert_found("verbose", "verbose", "");
    assert_found("a=1&verbose=&b", "verbose", "");
    assert_found("ttl_ms=5&ttl_ms=6", "ttl_ms", "5");
    assert_found("ttl_mst=5&&=&ttl_ms=%20", "ttl_ms", "%20");
    assert_found("ttl_m", "ttl_ms", NULL);
    assert_found("", "ttl_ms", NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(escapes_are_decoded),
        cmocka_unit_test(what_is_no_escape_is_refused),
        cmocka_unit_test(what_is_encoded_comes_back),
        cmocka_unit_test(a_query_is_looked_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
