// SPDX-License-Identifier: MIT
#include "grpc/fields.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static void content_types_are_told_apart(void **state)
{
    static const struct {
        const char *type;
        enum sp_grpc_type wanted;
    } rows[] = {
        {"application/grpc", SP_GRPC_TYPE_PROTO},
        {"application/grpc+proto", SP_GRPC_TYPE_PROTO},
        {"Application/gRPC+Proto", SP_GRPC_TYPE_PROTO},
        {"application/grpc;charset=utf-8", SP_GRPC_TYPE_PROTO},
        {"application/grpc+proto ; x=y", SP_GRPC_TYPE_PROTO},
        {"application/grpc+json", SP_GRPC_TYPE_OTHER},
        {"application/grpc+protox", SP_GRPC_TYPE_OTHER},
        {"application/grpc-web", SP_GRPC_TYPE_OTHER},
        {"application/grp", SP_GRPC_TYPE_NONE},
        {"application/json", SP_GRPC_TYPE_NONE},
        {"", SP_GRPC_TYPE_NONE},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        if (sp_grpc_type_of(sp_slice_of_text(rows[i].type)) != rows[i].wanted) {
            fail_msg("%s", rows[i].type);
        }
    }
}

static void a_timeout_has_eight_digits_and_any_unit(void **state)
{
    static const struct {
        const char *text;
        uint64_t ms;
    } rows[] = {
        {"1n", 1},
        {"1000000n", 1},
        {"1000001n", 2},
        {"1u", 1},
        {"2500u", 3},
        {"0m", 0},
        {"5m", 5},
        {"00000007m", 7},
        {"3S", 3000},
        {"2M", 120000},
        {"1H", 3600000},
        {"99999999n", 100},
        {"99999999H", UINT64_C(359999996400000)},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        uint64_t ms = UINT64_MAX;
        if (!sp_grpc_timeout(sp_slice_of_text(rows[i].text), &ms) || ms != rows[i].ms) {
            fail_msg("%s became %llu", rows[i].text, (unsigned long long)ms);
        }
    }
}

static void what_is_not_a_timeout_is_refused(void **state)
{
    static const char *const texts[] = {"",
                                        "S",
                                        "1",
                                        "12",
                                        "-1S",
                                        "1.5S",
                                        "1s",
                                        "1D",
                                        "123456789S",
                                        " 1S",
                                        "1S ",
                                        "0x1S"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        uint64_t ms = 77;
        if (sp_grpc_timeout(sp_slice_of_text(texts[i]), &ms) || ms != 77) {
            fail_msg("%s", texts[i]);
        }
    }
}

static void bytes_come_padded_and_unpadded(void **state)
{
    static const struct {
        const char *text;
        const char *bytes;
    } rows[] = {
        {"", ""},
        {"YQ", "a"},
        {"YQ==", "a"},
        {"YWI", "ab"},
        {"YWI=", "ab"},
        {"YWJj", "abc"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_buf out = {0};
        const size_t size = strlen(rows[i].bytes);
        assert_int_equal(sp_grpc_decode_bin(sp_slice_of_text(rows[i].text), &out),
                         SNAKEPIT_OK);
        assert_int_equal(out.size, size);
        assert_memory_equal(
            size == 0 ? (const void *)"" : out.data, rows[i].bytes, size);
        sp_buf_fini(&out);
    }
}

static void what_is_not_base64_is_refused(void **state)
{
    static const char *const texts[] = {"Y", "Y$==", "YQ===", "YWJjZ", "YR"};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sp_buf out = {0};
        if (sp_grpc_decode_bin(sp_slice_of_text(texts[i]), &out) !=
                SNAKEPIT_MALFORMED ||
            out.size != 0) {
            fail_msg("%s", texts[i]);
        }
        sp_buf_fini(&out);
    }
}

static void bytes_go_unpadded(void **state)
{
    static const char *const texts[][2] = {
        {"", ""}, {"a", "YQ"}, {"ab", "YWI"}, {"abc", "YWJj"}, {"abcd", "YWJjZA"}};
    (void)state;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        struct sp_buf out = {0};
        assert_int_equal(sp_grpc_encode_bin(sp_slice_of_text(texts[i][0]), &out),
                         SNAKEPIT_OK);
        assert_int_equal(out.size, strlen(texts[i][1]));
        assert_memory_equal(
            out.size == 0 ? (const void *)"" : out.data, texts[i][1], out.size);
        sp_buf_fini(&out);
    }
}

static void a_message_is_encoded_and_cut_between_characters(void **state)
{
    static const struct {
        const char *text;
        size_t most;
        const char *wanted;
        bool whole;
    } rows[] = {
        {"", 10, "", true},
        {"plain: \"it\"", 100, "plain: \"it\"", true},
        {"50%\n\x7f", 100, "50%25%0A%7F", true},
        {"gr\xc3\xbc\xc3\x9f", 100, "gr%C3%BC%C3%9F", true},
        {"abc", 2, "ab", false},
        {"abc", 3, "abc", true},
        {"a%b", 3, "a", false},
        {"a%b", 4, "a%25", false},
        {"a\xc3\xbc", 6, "a", false},
        {"a\xc3\xbc", 7, "a%C3%BC", true},
        {"abc", 0, "", false},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_buf out = {0};
        size_t taken = 99;
        const struct sp_slice text = sp_slice_of_text(rows[i].text);
        assert_int_equal(sp_grpc_encode_message(text, rows[i].most, &out, &taken),
                         SNAKEPIT_OK);
        assert_int_equal(taken == text.size, rows[i].whole);
        if (out.size != strlen(rows[i].wanted) ||
            (out.size > 0 && memcmp(out.data, rows[i].wanted, out.size) != 0)) {
            fail_msg("%s became %.*s", rows[i].text, (int)out.size, (char *)out.data);
        }
        sp_buf_fini(&out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(content_types_are_told_apart),
        cmocka_unit_test(a_timeout_has_eight_digits_and_any_unit),
        cmocka_unit_test(what_is_not_a_timeout_is_refused),
        cmocka_unit_test(bytes_come_padded_and_unpadded),
        cmocka_unit_test(what_is_not_base64_is_refused),
        cmocka_unit_test(bytes_go_unpadded),
        cmocka_unit_test(a_message_is_encoded_and_cut_between_characters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
