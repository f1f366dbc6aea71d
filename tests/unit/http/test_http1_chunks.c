// SPDX-License-Identifier: MIT
// Each body of the tables is read whole and, with the same result, split at every byte
// and byte by byte.
#include "http/http1_chunks.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct result {
    unsigned status;
    bool ended;
    size_t used; // of the bytes
    struct sp_buf body;
};

static void
feed(struct sp_http1_chunks *chunks, struct sp_slice bytes, struct result *result)
{
    size_t before = bytes.size;
    while (bytes.size != 0 && result->status == 0 &&
           chunks->state != SP_HTTP1_CHUNK_END) {
        struct sp_slice piece;
        result->status = sp_http1_chunks_next(chunks, &bytes, &piece).status;
        assert_int_equal(sp_buf_append(&result->body, piece.data, piece.size),
                         SNAKEPIT_OK);
    }
    result->used += before - bytes.size;
    result->ended = chunks->state == SP_HTTP1_CHUNK_END;
}

static struct result
read_in_parts(const char *text, size_t size, size_t first, size_t step)
{
    struct result result = {0};
    struct sp_http1_chunks chunks = {0};
    for (size_t at = 0; at < size && result.status == 0 && !result.ended;) {
        size_t part = at == 0 ? first : step;
        part = part < size - at ? part : size - at;
        feed(&chunks, (struct sp_slice){(const uint8_t *)text + at, part}, &result);
        at += part;
    }
    return result;
}

static void check_same(const struct result *one, const struct result *two)
{
    assert_int_equal(one->status, two->status);
    assert_int_equal(one->ended, two->ended);
    assert_int_equal(one->used, two->used);
    assert_int_equal(one->body.size, two->body.size);
    if (one->body.size != 0) {
        assert_memory_equal(one->body.data, two->body.data, one->body.size);
    }
}

static struct result read_body(const char *text)
{
    size_t size = strlen(text);
    struct result whole = read_in_parts(text, size, size, size);
    for (size_t split = 1; split <= size && size < 1000; split++) {
        struct result parts = read_in_parts(text, size, split, size);
        check_same(&parts, &whole);
        sp_buf_fini(&parts.body);
    }
    struct result bytes = read_in_parts(text, size, 1, 1);
    check_same(&bytes, &whole);
    sp_buf_fini(&bytes.body);
    return whole;
}

static void bodies_are_put_together(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *body;
        const char *rest; // not of the body
    } rows[] = {
        {"0\r\n\r\n", "", ""},
        {"5\r\nsnake\r\n0\r\n\r\n", "snake", ""},
        {"5\r\nsnake\r\n3\r\npit\r\n0\r\n\r\nGET /", "snakepit", "GET /"},
        {"A\r\n0123456789\r\n0\r\n\r\n\r\n", "0123456789", "\r\n"},
        {"000000000000000a\r\n0123456789\r\n00\r\n\r\n", "0123456789", ""},
        {"1;a=b;c=\"d;e\"\r\nx\r\n0;f\r\n\r\n", "x", ""},
        {"2\r\n\r\n\r\n0\r\nA: b\r\nC:\r\n\r\nx", "\r\n", "x"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result result = read_body(rows[i].text);
        assert_int_equal(result.status, 0);
        assert_true(result.ended);
        assert_int_equal(result.body.size, strlen(rows[i].body));
        if (result.body.size != 0) {
            assert_memory_equal(result.body.data, rows[i].body, result.body.size);
        }
        assert_string_equal(rows[i].text + result.used, rows[i].rest);
        sp_buf_fini(&result.body);
    }
}

static void what_others_read_in_two_ways_is_refused(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "\r\n",
        "g\r\n",
        " 5\r\nsnake\r\n",
        "5 \r\nsnake\r\n",
        "5 ;a\r\nsnake\r\n",
        "+5\r\nsnake\r\n",
        "-5\r\nsnake\r\n",
        "0x5\r\nsnake\r\n",
        "5\nsnake\r\n",
        "5\r\rsnake\r\n",
        "5\rsnake\r\n",
        ";a\r\n",
        "5;a\nsnake\r\n",
        "5;a\r\rsnake\r\n",
        "5;a\x01\r\nsnake\r\n",
        "5\r\nsnakes\r\n",
        "5\r\nsnake\n0\r\n\r\n",
        "5\r\nsnake0\r\n\r\n",
        "5\r\nsnake\r0\r\n\r\n",
        "5\r\nsnake\r\n\r\n",
        "10000000000000000\r\n",
        "00000000000000000\r\n",
        "0\r\n\n",
        "0\r\n\rx",
        "0\r\nA\r\n\r\n",
        "0\r\nA : b\r\n\r\n",
        "0\r\n A: b\r\n\r\n",
        "0\r\n: b\r\n\r\n",
        "0\r\nA: b\r\n c\r\n\r\n",
        "0\r\nA: b\n\r\n",
        "0\r\nA: b\x7f\r\n\r\n",
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct result result = read_body(rows[i]);
        if (result.status != 400) {
            print_error("%s\n", rows[i]);
        }
        assert_int_equal(result.status, 400);
        assert_false(result.ended);
        sp_buf_fini(&result.body);
    }
}

static void what_is_not_whole_is_waited_for(void **state)
{
    (void)state;
    static const char body[] = "5;a=b\r\nsnake\r\n1\r\nx\r\n0\r\nA: b\r\n\r\n";
    for (size_t size = 0; size < strlen(body); size++) {
        struct result result = read_in_parts(body, size, 1, 1);
        assert_int_equal(result.status, 0);
        assert_int_equal(result.used, size);
        assert_false(result.ended);
        sp_buf_fini(&result.body);
    }
}

static void a_size_may_have_all_bits(void **state)
{
    (void)state;
    struct sp_http1_chunks chunks = {0};
    struct sp_slice piece;
    struct sp_slice bytes = sp_slice_of_text("ffffffffffffffff\r\n");
    assert_int_equal(sp_http1_chunks_next(&chunks, &bytes, &piece).status, 0);
    assert_int_equal(chunks.state, SP_HTTP1_CHUNK_DATA);
    assert_true(chunks.left == UINT64_MAX);
}

static void data_can_be_taken_elsewhere(void **state)
{
    (void)state;
    struct sp_http1_chunks chunks = {0};
    struct sp_slice piece;
    struct sp_slice bytes = sp_slice_of_text("a\r\n01");
    assert_int_equal(sp_http1_chunks_next(&chunks, &bytes, &piece).status, 0);
    assert_int_equal(piece.size, 2);
    assert_int_equal(chunks.left, 8);
    sp_http1_chunks_skip(&chunks, 7);
    assert_int_equal(chunks.state, SP_HTTP1_CHUNK_DATA);
    sp_http1_chunks_skip(&chunks, 1);
    bytes = sp_slice_of_text("\r\n0\r\n\r\n");
    assert_int_equal(sp_http1_chunks_next(&chunks, &bytes, &piece).status, 0);
    assert_int_equal(chunks.state, SP_HTTP1_CHUNK_END);
}

static void extensions_and_trailers_are_bounded_together(void **state)
{
    (void)state;
    static char text[20000];
    for (unsigned over = 0; over < 2; over++) {
        size_t size = (size_t)sprintf(text, "1;");
        memset(text + size, 'e', SP_HTTP1_EXTRAS / 2 - 1);
        size += SP_HTTP1_EXTRAS / 2 - 1;
        size += (size_t)sprintf(text + size, "\r\nx\r\n0\r\nt:");
        memset(text + size, 'v', SP_HTTP1_EXTRAS / 2 - 2 + over);
        size += SP_HTTP1_EXTRAS / 2 - 2 + over;
        sprintf(text + size, "\r\n\r\n");
        struct result result = read_body(text);
        assert_int_equal(result.status, over == 0 ? 0 : 431);
        assert_int_equal(result.ended, over == 0);
        sp_buf_fini(&result.body);
    }
}

static void an_extension_for_each_byte_is_bounded_as_well(void **state)
{
    (void)state;
    struct sp_http1_chunks chunks = {0};
    unsigned status = 0;
    unsigned count = 0;
    for (; status == 0 && count < 10000; count++) {
        struct sp_slice bytes = sp_slice_of_text("1;e\r\nx\r\n");
        while (bytes.size != 0 && status == 0) {
            struct sp_slice piece;
            status = sp_http1_chunks_next(&chunks, &bytes, &piece).status;
        }
    }
    assert_int_equal(status, 431);
    assert_int_equal(count, SP_HTTP1_EXTRAS / 2 + 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bodies_are_put_together),
        cmocka_unit_test(what_others_read_in_two_ways_is_refused),
        cmocka_unit_test(what_is_not_whole_is_waited_for),
        cmocka_unit_test(a_size_may_have_all_bits),
        cmocka_unit_test(data_can_be_taken_elsewhere),
        cmocka_unit_test(extensions_and_trailers_are_bounded_together),
        cmocka_unit_test(an_extension_for_each_byte_is_bounded_as_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
