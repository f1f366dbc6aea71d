// SPDX-License-Identifier: MIT
// Each request of the tables is read whole and, with the same result, split at every
// byte and byte by byte.
#include "http/http1_parser.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"

#define LIMIT 16384u

struct result {
    size_t size; // of the head; 0: it has not ended
    struct sp_refusal refusal;
    struct sp_http1_head head;
    struct sp_field fields[SP_FIELDS_MOST];
    struct sp_http1_scan scan;
};

// Gives `parts` more bytes each time, the rest at the end. The bytes are the caller's,
// and in a block of exactly their size.
static void read_in_parts(
    uint8_t *bytes, size_t size, size_t first, size_t step, struct result *result)
{
    *result = (struct result){0};
    for (size_t there = first; result->size == 0 && result->refusal.status == 0;) {
        there = there < size ? there : size;
        struct sp_slice slice = {bytes, there};
        result->size = sp_http1_scan(&result->scan, slice, LIMIT, &result->refusal);
        if (there == size) {
            break;
        }
        there += step;
    }
    if (result->size != 0) {
        result->refusal =
            sp_http1_read_head(bytes, result->size, result->fields, &result->head);
    }
}

static void check_same(const struct result *one, const struct result *two)
{
    assert_int_equal(one->size, two->size);
    assert_int_equal(one->refusal.status, two->refusal.status);
    assert_ptr_equal(one->refusal.why, two->refusal.why);
    if (one->size != 0 && one->refusal.status == 0) {
        assert_int_equal(sp_http1_scan_fields(&one->scan), one->head.field_count);
        assert_memory_equal(&one->head, &two->head, sizeof one->head);
    }
}

// The bytes go with the result: free them with sp_free().
static uint8_t *read_bytes(const void *request, size_t size, struct result *result)
{
    static struct result other;
    uint8_t *bytes = sp_alloc(size != 0 ? size : 1);
    assert_non_null(bytes);
    for (size_t split = 1; split <= size && size < 2000; split++) {
        memcpy(bytes, request, size);
        read_in_parts(bytes, size, split, size, &other);
        memcpy(bytes, request, size);
        read_in_parts(bytes, size, size, size, result);
        check_same(&other, result);
    }
    memcpy(bytes, request, size);
    read_in_parts(bytes, size, 1, 1, &other);
    memcpy(bytes, request, size);
    read_in_parts(bytes, size, size, size, result);
    check_same(&other, result);
    return bytes;
}

static uint8_t *read_text(const char *request, struct result *result)
{
    return read_bytes(request, strlen(request), result);
}

static void check_slice(struct sp_slice slice, const char *text)
{
    assert_int_equal(slice.size, strlen(text));
    if (slice.size != 0) {
        assert_memory_equal(slice.data, text, slice.size);
    }
}

static void check_field(const struct result *result,
                        size_t index,
                        const char *name,
                        const char *value)
{
    check_slice(result->fields[index].name, name);
    check_slice(result->fields[index].value, value);
}

// A request with these fields besides Host.
#define WITH(fields) "POST / HTTP/1.1\r\nHost: h\r\n" fields "\r\n"

// ---- What is served ---------------------------------------------------------------

static void a_head_is_taken_apart(void **state)
{
    (void)state;
    static struct result result;
    uint8_t *bytes = read_text("POST /v1/pools/p/tools/t?a=b HTTP/1.1\r\n"
                               "Host: localhost:8470\r\n"
                               "Content-TYPE:application/json\r\n"
                               "X-Blanks: \t a  b\t \r\n"
                               "X-Empty:\r\n"
                               "X-Bytes: \xc3\xa4\"\\\r\n"
                               "Content-Length: 23\r\n"
                               "\r\n"
                               "{\"and\": \"what follows\"}",
                               &result);
    const struct sp_http1_head *head = &result.head;
    assert_int_equal(result.refusal.status, 0);
    assert_int_equal(head->method, SP_METHOD_POST);
    assert_int_equal(head->minor, 1);
    check_slice(head->path, "/v1/pools/p/tools/t");
    check_slice(head->query, "a=b");
    check_slice(head->host, "localhost:8470");
    assert_int_equal(head->field_count, 6);
    check_field(&result, 0, "host", "localhost:8470");
    check_field(&result, 1, "content-type", "application/json");
    check_field(&result, 2, "x-blanks", "a  b");
    check_field(&result, 3, "x-empty", "");
    check_field(&result, 4, "x-bytes", "\xc3\xa4\"\\");
    assert_true(head->keep_alive);
    assert_false(head->chunked);
    assert_false(head->wants_continue);
    assert_int_equal(head->length, 23);
    check_slice((struct sp_slice){bytes + result.size, 23},
                "{\"and\": \"what follows\"}");
    sp_free(bytes);
}

static void methods_are_known_by_their_exact_names(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        enum sp_method method;
    } rows[] = {
        {"GET / HTTP/1.0\r\n\r\n", SP_METHOD_GET},
        {"HEAD / HTTP/1.0\r\n\r\n", SP_METHOD_HEAD},
        {"POST / HTTP/1.0\r\n\r\n", SP_METHOD_POST},
        {"PUT / HTTP/1.0\r\n\r\n", SP_METHOD_PUT},
        {"DELETE / HTTP/1.0\r\n\r\n", SP_METHOD_DELETE},
        {"OPTIONS / HTTP/1.0\r\n\r\n", SP_METHOD_OPTIONS},
        {"OPTIONS * HTTP/1.0\r\n\r\n", SP_METHOD_OPTIONS},
        {"get / HTTP/1.0\r\n\r\n", SP_METHOD_OTHER},
        {"PATCH / HTTP/1.0\r\n\r\n", SP_METHOD_OTHER},
        {"GETS / HTTP/1.0\r\n\r\n", SP_METHOD_OTHER},
        {"!#$%&'*+-.^_`|~9 / HTTP/1.0\r\n\r\n", SP_METHOD_OTHER},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct result result;
        uint8_t *bytes = read_text(rows[i].request, &result);
        assert_int_equal(result.size, strlen(rows[i].request));
        assert_int_equal(result.refusal.status, 0);
        assert_int_equal(result.head.method, rows[i].method);
        sp_free(bytes);
    }
}

static void fields_say_what_comes_next(void **state)
{
    (void)state;
    static const struct {
        const char *request;
        bool keep_alive;
        bool chunked;
        bool wants_continue;
        uint64_t length;
    } rows[] = {
        {"GET / HTTP/1.1\r\nHost:\r\n\r\n", true, false, false, 0},
        {"GET / HTTP/1.9\r\nHost: h\r\n\r\n", true, false, false, 0},
        {"GET / HTTP/1.0\r\n\r\n", false, false, false, 0},
        {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true, false, false, 0},
        {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n",
         false,
         false,
         false,
         0},
        {"GET / HTTP/1.0\r\nExpect: 100-continue\r\n\r\n", false, false, false, 0},
        {WITH("Connection: close\r\n"), false, false, false, 0},
        {WITH("Connection: upgrade , CLOSE\r\n"), false, false, false, 0},
        {WITH("Connection: a,,b\r\nConnection: close\r\n"), false, false, false, 0},
        {WITH("Connection: closed, xclose\r\n"), true, false, false, 0},
        {WITH("Connection:\r\n"), true, false, false, 0},
        {WITH("Content-Length: 0\r\n"), true, false, false, 0},
        {WITH("Content-Length: 0005\r\n"), true, false, false, 5},
        {WITH("Content-Length: 18446744073709551614\r\n"),
         true,
         false,
         false,
         UINT64_MAX - 1},
        {WITH("Content-Length: 18446744073709551616\r\n"),
         true,
         false,
         false,
         UINT64_MAX},
        {WITH("Content-Length: 99999999999999999999999\r\n"),
         true,
         false,
         false,
         UINT64_MAX},
        {WITH("Transfer-Encoding: chunked\r\n"), true, true, false, 0},
        {WITH("Transfer-encoding:\t Chunked \r\n"), true, true, false, 0},
        {WITH("Expect: 100-Continue\r\nContent-Length: 3\r\n"), true, false, true, 3},
        {WITH("Upgrade: h2c\r\n"), true, false, false, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        static struct result result;
        uint8_t *bytes = read_text(rows[i].request, &result);
        assert_int_equal(result.size, strlen(rows[i].request));
        assert_int_equal(result.refusal.status, 0);
        assert_int_equal(result.head.keep_alive, rows[i].keep_alive);
        assert_int_equal(result.head.chunked, rows[i].chunked);
        assert_int_equal(result.head.wants_continue, rows[i].wants_continue);
        assert_int_equal(result.head.length, rows[i].length);
        sp_free(bytes);
    }
}

static void an_absolute_target_says_the_host(void **state)
{
    (void)state;
    static struct result result;
    uint8_t *bytes =
        read_text("GET http://a:1/b?c HTTP/1.1\r\nHost: d\r\n\r\n", &result);
    assert_int_equal(result.refusal.status, 0);
    check_slice(result.head.host, "a:1");
    check_slice(result.head.path, "/b");
    check_slice(result.head.query, "c");
    sp_free(bytes);
}

static void one_empty_line_may_stand_before_a_request(void **state)
{
    (void)state;
    static struct result result;
    static const char request[] = "\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n";
    uint8_t *bytes = read_text(request, &result);
    assert_int_equal(result.size, strlen(request));
    assert_int_equal(result.refusal.status, 0);
    check_slice(result.head.host, "h");
    sp_free(bytes);
}

static void what_is_not_whole_is_waited_for(void **state)
{
    (void)state;
    static const char request[] = "\r\nPOST /a HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\n";
    for (size_t size = 0; size < strlen(request); size++) {
        static struct result result;
        uint8_t *bytes = read_bytes(request, size, &result);
        assert_int_equal(result.size, 0);
        assert_int_equal(result.refusal.status, 0);
        sp_free(bytes);
    }
}

// ---- What is refused --------------------------------------------------------------

struct refused {
    unsigned status;
    const char *request;
};

static void check_refused(const struct refused *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        static struct result result;
        uint8_t *bytes = read_text(rows[i].request, &result);
        if (result.refusal.status != rows[i].status) {
            print_error("%s\n", rows[i].request);
        }
        assert_int_equal(result.refusal.status, rows[i].status);
        assert_non_null(result.refusal.why);
        sp_free(bytes);
    }
}

#define CHECK_REFUSED(rows) check_refused(rows, sizeof(rows) / sizeof((rows)[0]))

static void malformed_first_lines_are_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {400, " GET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET  / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /  HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/1.1 \r\nHost: h\r\n\r\n"},
        {400, "GET\t/ HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET / a HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /\r\n\r\n"},
        {400, "GET\r\n\r\n"},
        {400, "GET / \r\n\r\n"},
        {400, "G(T / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET / http/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/1\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/1.10\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/11.1\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/1,1\r\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/a.1\r\nHost: h\r\n\r\n"},
        {400, "GET / ICAP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /%zz HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /\x80 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /\x01 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET /#a HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET * HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET a HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "GET http:///a HTTP/1.1\r\nHost: h\r\n\r\n"},
        {501, "CONNECT h:443 HTTP/1.1\r\nHost: h\r\n\r\n"},
        {505, "GET / HTTP/0.9\r\nHost: h\r\n\r\n"},
        {505, "GET / HTTP/2.0\r\nHost: h\r\n\r\n"},
        {505, "GET / HTTP/9.9\r\nHost: h\r\n\r\n"},
        {505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
        {400, "\r\n\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "\x16\x03\x01"},
        {400, "\n"},
    };
    CHECK_REFUSED(rows);
}

static void ends_of_lines_are_exact(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {400, "GET / HTTP/1.1\nHost: h\n\n"},
        {400, "GET / HTTP/1.1\nHost: h\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\n\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\rA: b\r\n\r\n"},
        {400, "GET / HTTP/1.1\rHost: h\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: h\r\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\r\nHost: h\r\n\r\n"},
        {400, "\rGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "\r\n\rGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, "\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"},
        {400, WITH("A: b\r\n c\r\n")},
        {400, WITH("A: b\r\n\tc\r\n")},
        {400, "GET / HTTP/1.1\r\n Host: h\r\n\r\n"},
        {400, WITH("A: b\rTransfer-Encoding: chunked\r\n")},
        {400, WITH("A: b\nTransfer-Encoding: chunked\r\n")},
    };
    CHECK_REFUSED(rows);
}

static void malformed_fields_are_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {400, WITH("A : b\r\n")},
        {400, WITH("A\t: b\r\n")},
        {400, WITH("A\r\n")},
        {400, WITH(": b\r\n")},
        {400, WITH("A b: c\r\n")},
        {400, WITH("A(b): c\r\n")},
        {400, WITH("\xc3\xa4: c\r\n")},
        {400, WITH("A\x01: c\r\n")},
        {400, WITH("A: \x01\r\n")},
        {400, WITH("A: \x7f\r\n")},
        {400, WITH("A: b\x1b[0m\r\n")},
        {400, WITH("A: b\x0b\r\n")},
    };
    CHECK_REFUSED(rows);
}

static void a_zero_is_refused_wherever_it_is(void **state)
{
    (void)state;
    // What looks like the next request ends the head where the zero was in its end.
    static const char request[] =
        "GET /a?b HTTP/1.1\r\nHost: h\r\nAb: cd\r\n\r\n\r\n\r\n";
    size_t size = strlen(request);
    for (size_t at = 0; at < size - 4; at++) {
        static struct result result;
        char bytes[64];
        memcpy(bytes, request, size);
        bytes[at] = '\0';
        uint8_t *read = read_bytes(bytes, size, &result);
        assert_int_equal(result.refusal.status, 400);
        sp_free(read);
    }
}

// The requests of the literature on request smuggling: each has been read in two ways.
static void bodies_whose_end_is_in_doubt_are_refused(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {400, WITH("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")},
        {400, WITH("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n")},
        {400, WITH("Content-Length: 5\r\nContent-Length: 6\r\n")},
        {400, WITH("Content-Length: 5\r\nContent-Length: 5\r\n")},
        {400, WITH("Content-Length: 5, 5\r\n")},
        {400, WITH("Content-Length: 5,6\r\n")},
        {400, WITH("Content-Length:\r\n")},
        {400, WITH("Content-Length: +5\r\n")},
        {400, WITH("Content-Length: -5\r\n")},
        {400, WITH("Content-Length: 5 6\r\n")},
        {400, WITH("Content-Length: 0x5\r\n")},
        {400, WITH("Content-Length: 5.0\r\n")},
        {400, WITH("Content-Length: 5;\r\n")},
        {400, WITH("Content-Length: \"5\"\r\n")},
        {400, WITH("Content-Length: 5\x0b\r\n")},
        {400, WITH("Content-Length : 5\r\n")},
        {400, WITH("Transfer-Encoding : chunked\r\n")},
        {400, WITH("Transfer-Encoding: xchunked\r\n")},
        {400, WITH("Transfer-Encoding: chunkedx\r\n")},
        {400, WITH("Transfer-Encoding: \"chunked\"\r\n")},
        {400, WITH("Transfer-Encoding: 'chunked'\r\n")},
        {400,
         WITH("Transfer-Encoding:\x0b"
              "chunked\r\n")},
        {400, WITH("Transfer-Encoding:\r\n chunked\r\n")},
        {400, WITH("X: y\r\nTransfer-Encoding\r\n : chunked\r\n")},
        {400, WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
        {400, WITH("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n")},
        {400, WITH("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n")},
        {400, WITH("Transfer-Encoding: chunked, chunked\r\n")},
        {400, WITH("Transfer-Encoding: chunked, identity\r\n")},
        {400, WITH("Transfer-Encoding: chunked, gzip, chunked\r\n")},
        {400, WITH("Transfer-Encoding: chunked,\r\n")},
        {400, WITH("Transfer-Encoding: chunked;q=1\r\n")},
        {400, WITH("Transfer-Encoding: identity\r\n")},
        {400, WITH("Transfer-Encoding: gzip\r\n")},
        {400, WITH("Transfer-Encoding:\r\n")},
        {501, WITH("Transfer-Encoding: gzip, chunked\r\n")},
        {501, WITH("Transfer-Encoding: , chunked\r\n")},
        {400, "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n"},
        {417, WITH("Expect: 100-continue, x\r\n")},
        {417, WITH("Expect: x\r\n")},
        {417, WITH("Expect: 100-continue\r\nExpect: 100-continue\r\n")},
    };
    CHECK_REFUSED(rows);
}

static void there_is_one_host(void **state)
{
    (void)state;
    static const struct refused rows[] = {
        {400, "GET / HTTP/1.1\r\n\r\n"},
        {400, "GET http://h/ HTTP/1.1\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"},
        {400, "GET / HTTP/1.0\r\nHost: a\r\nHost: a\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a, b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"},
        {400, "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n"},
        {400, "GET http://a/ HTTP/1.1\r\nHost: b@c\r\n\r\n"},
    };
    CHECK_REFUSED(rows);
}

// ---- Limits -----------------------------------------------------------------------

// "GET /aaa HTTP/1.1", "Host: h", then `fields` fields "a: b" and one of `last` bytes.
static size_t write_large(char *text, size_t target, size_t fields, size_t last)
{
    size_t size = (size_t)sprintf(text, "GET /");
    memset(text + size, 'a', target);
    size += target;
    size += (size_t)sprintf(text + size, " HTTP/1.1\r\nHost: h\r\n");
    for (size_t i = 0; i < fields; i++) {
        size += (size_t)sprintf(text + size, "a: b\r\n");
    }
    if (last != 0) {
        size += (size_t)sprintf(text + size, "a:");
        memset(text + size, 'b', last);
        size += last;
        size += (size_t)sprintf(text + size, "\r\n");
    }
    return size + (size_t)sprintf(text + size, "\r\n");
}

static void heads_are_bounded(void **state)
{
    (void)state;
    static char text[100000];
    static struct result result;
    static const size_t fixed = sizeof "GET / HTTP/1.1\r\nHost: h\r\na:\r\n\r\n" - 1;
    static const struct {
        size_t target;
        size_t fields;
        size_t last;
        unsigned status;
    } rows[] = {
        {0, 0, LIMIT - fixed, 0},
        {0, 0, LIMIT - fixed + 1, 431},
        {LIMIT - fixed - 100, 0, 1, 0},
        {LIMIT, 0, 0, 414},
        {LIMIT * 2, 0, 0, 414},
        {LIMIT - 16, 0, 0, 431},
        {0, SP_FIELDS_MOST - 1, 0, 0},
        {0, SP_FIELDS_MOST, 0, 431},
        {0, 10000, 0, 431},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        size_t size = write_large(text, rows[i].target, rows[i].fields, rows[i].last);
        uint8_t *bytes = read_bytes(text, size, &result);
        assert_int_equal(result.refusal.status, rows[i].status);
        assert_int_equal(result.size, rows[i].status == 0 ? size : 0);
        sp_free(bytes);
    }
}

static void a_line_without_an_end_is_refused_at_the_limit(void **state)
{
    (void)state;
    static char text[LIMIT + 1];
    static struct result result;
    memset(text, 'a', sizeof text);
    for (size_t size = LIMIT - 1; size <= LIMIT + 1; size++) {
        uint8_t *bytes = read_bytes(text, size, &result);
        assert_int_equal(result.refusal.status, size < LIMIT ? 0 : 414);
        sp_free(bytes);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_head_is_taken_apart),
        cmocka_unit_test(methods_are_known_by_their_exact_names),
        cmocka_unit_test(fields_say_what_comes_next),
        cmocka_unit_test(an_absolute_target_says_the_host),
        cmocka_unit_test(one_empty_line_may_stand_before_a_request),
        cmocka_unit_test(what_is_not_whole_is_waited_for),
        cmocka_unit_test(malformed_first_lines_are_refused),
        cmocka_unit_test(ends_of_lines_are_exact),
        cmocka_unit_test(malformed_fields_are_refused),
        cmocka_unit_test(a_zero_is_refused_wherever_it_is),
        cmocka_unit_test(bodies_whose_end_is_in_doubt_are_refused),
        cmocka_unit_test(there_is_one_host),
        cmocka_unit_test(heads_are_bounded),
        cmocka_unit_test(a_line_without_an_end_is_refused_at_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
