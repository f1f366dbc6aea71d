// SPDX-License-Identifier: MIT
#include "server/bearer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct {
    const char *value;
    enum sp_bearer found;
    const char *token;
} rows[] = {
    {"Bearer abc", SP_BEARER_FOUND, "abc"},
    {"bearer abc", SP_BEARER_FOUND, "abc"},
    {"BEARER    a-._~+/=", SP_BEARER_FOUND, "a-._~+/="},
    {"Bearer", SP_BEARER_INVALID, ""},
    {"Bearer ", SP_BEARER_INVALID, ""},
    {"Bearer a b", SP_BEARER_INVALID, ""},
    {"Bearer \"abc\"", SP_BEARER_INVALID, ""},
    {"Bearer a,b", SP_BEARER_INVALID, ""},
    {"Bearer \xc3\xa9", SP_BEARER_INVALID, ""},
    {"Bearer\tabc", SP_BEARER_OTHER, ""},
    {"Bearerabc", SP_BEARER_OTHER, ""},
    {"Beare", SP_BEARER_OTHER, ""},
    {"", SP_BEARER_OTHER, ""},
    {"abc", SP_BEARER_OTHER, ""},
    {"Basic dXNlcjpwdw==", SP_BEARER_OTHER, ""},
};

static enum sp_bearer
find(const struct sp_field *fields, size_t count, struct sp_slice *token)
{
    const struct sp_request request = {.fields = fields, .field_count = count};
    return sp_bearer_of(&request, token);
}

static void the_token_is_what_stands_behind_the_scheme(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_slice token = {(const uint8_t *)"", 0};
        const struct sp_field fields[] = {
            {sp_slice_of_text("authorizations"), sp_slice_of_text("Bearer no")},
            {sp_slice_of_text("authorization"), sp_slice_of_text(rows[i].value)}};
        if (find(fields, 2, &token) != rows[i].found ||
            token.size != strlen(rows[i].token) ||
            memcmp(token.data, rows[i].token, token.size) != 0) {
            fail_msg("%s", rows[i].value);
        }
    }
}

static void one_is_shown_or_none(void **state)
{
    (void)state;
    struct sp_slice token;
    const struct sp_field field = {sp_slice_of_text("authorization"),
                                   sp_slice_of_text("Bearer abc")};
    const struct sp_field fields[] = {field, field};
    assert_int_equal(find(fields, 0, &token), SP_BEARER_NONE);
    assert_int_equal(find(fields, 1, &token), SP_BEARER_FOUND);
    assert_int_equal(find(fields, 2, &token), SP_BEARER_TWO);
}

static void a_token_has_512_bytes_at_most(void **state)
{
    (void)state;
    char text[600] = "Bearer ";
    struct sp_slice token;
    struct sp_field field = {sp_slice_of_text("authorization"), {0}};
    memset(text + 7, 'a', sizeof text - 7);
    field.value = (struct sp_slice){(const uint8_t *)text, 7 + 512};
    assert_int_equal(find(&field, 1, &token), SP_BEARER_FOUND);
    assert_int_equal(token.size, 512);
    field.value.size++;
    assert_int_equal(find(&field, 1, &token), SP_BEARER_INVALID);
}

static void each_refusal_has_a_sentence(void **state)
{
    (void)state;
    assert_string_equal(sp_bearer_text(SP_BEARER_FOUND), "");
    for (int found = SP_BEARER_NONE; found <= SP_BEARER_INVALID; found++) {
        assert_true(strlen(sp_bearer_text((enum sp_bearer)found)) > 20);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_token_is_what_stands_behind_the_scheme),
        cmocka_unit_test(one_is_shown_or_none),
        cmocka_unit_test(a_token_has_512_bytes_at_most),
        cmocka_unit_test(each_refusal_has_a_sentence),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
