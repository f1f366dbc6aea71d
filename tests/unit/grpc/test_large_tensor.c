// SPDX-License-Identifier: MIT
#include "grpc/large_tensor.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/messages.h"
#include "protobuf/message.h"
#include "protobuf/wire.h"

#define LEAST 300u // bytes of a tensor that is large here

static struct sp_slice slice_of(const struct sp_buf *buf)
{
    return (struct sp_slice){buf->data, buf->size};
}

static void add(struct sp_buf *buf, uint32_t number, const struct sp_buf *bytes)
{
    assert_int_equal(sp_wire_add_bytes(buf, number, slice_of(bytes)), SNAKEPIT_OK);
}

static void add_text(struct sp_buf *buf, uint32_t number, const char *text)
{
    assert_int_equal(sp_wire_add_text(buf, number, text), SNAKEPIT_OK);
}

// An entry of the map of tensors, with `size` bytes of `fill`.
static void add_tensor(struct sp_buf *payload, const char *name, size_t size, int fill)
{
    struct sp_buf data = {0};
    struct sp_buf tensor = {0};
    struct sp_buf entry = {0};
    assert_int_equal(sp_buf_reserve(&data, size + 1), SNAKEPIT_OK);
    memset(data.data, fill, size);
    data.size = size;
    add_text(&tensor, 1, "uint8");
    assert_int_equal(sp_wire_add_varint(&tensor, 2, size), SNAKEPIT_OK);
    add(&tensor, 3, &data);
    add_text(&entry, 1, name);
    add(&entry, 2, &tensor);
    add(payload, 4, &entry);
    sp_buf_fini(&data);
    sp_buf_fini(&tensor);
    sp_buf_fini(&entry);
}

// Two tensors, of which the second is large, between other fields.
static struct sp_buf make_request(size_t size)
{
    struct sp_buf payload = {0};
    struct sp_buf request = {0};
    add_text(&request, 1, "other");
    add_text(&request, 2, "tool");
    assert_int_equal(sp_wire_add_varint(&request, 5, 3), SNAKEPIT_OK);
    add_text(&payload, 2, "{\"a\":1}");
    add_tensor(&payload, "small", 4, 1);
    add_tensor(&payload, "large", size, 2);
    add_tensor(&payload, "last", 4, 3);
    add(&request, 3, &payload);
    add_text(&request, 4, "session");
    sp_buf_fini(&payload);
    return request;
}

static snakepit_err decode(struct sp_slice message,
                           struct sp_scratch *scratch,
                           struct sp_v1_call_request *request)
{
    snakepit_message why = {{0}};
    return sp_proto_decode(&sp_type_v1_call_request, message, scratch, request, &why);
}

static void expect_same(struct sp_slice one, struct sp_slice other)
{
    assert_int_equal(one.size, other.size);
    if (one.size > 0) {
        assert_memory_equal(one.data, other.data, one.size);
    }
}

static void expect_same_tensors(const struct sp_v1_call_request *one,
                                const struct sp_v1_call_request *other)
{
    assert_true((one->arguments == NULL) == (other->arguments == NULL));
    if (one->arguments == NULL) {
        return;
    }
    assert_int_equal(one->arguments->tensors.count, other->arguments->tensors.count);
    for (size_t i = 0; i < one->arguments->tensors.count; i++) {
        const struct sp_text_to_v1_tensor *a = &one->arguments->tensors.items[i];
        const struct sp_text_to_v1_tensor *b = &other->arguments->tensors.items[i];
        expect_same(a->key, b->key);
        assert_true((a->value == NULL) == (b->value == NULL));
        if (a->value != NULL) {
            expect_same(a->value->dtype, b->value->dtype);
            expect_same(a->value->data, b->value->data);
        }
    }
}

// What is decoded without the large tensor, and gets it back, is what was sent.
static bool is_the_same_without(struct sp_slice message, size_t head)
{
    struct sp_large_tensor found;
    struct sp_scratch scratch = {0};
    struct sp_scratch other = {0};
    struct sp_v1_call_request sent = {0};
    struct sp_v1_call_request got = {0};
    struct sp_buf rest = {0};
    if (!sp_large_tensor_find(&sp_large_path_call,
                              (struct sp_slice){message.data, head},
                              message.size,
                              LEAST,
                              &found)) {
        return false;
    }
    const size_t behind = found.at + found.size;
    assert_true(found.size >= LEAST && behind <= message.size && found.at <= head);
    (void)sp_buf_append(&rest, message.data, found.at);
    sp_large_tensor_leave_out(&found, rest.data);
    (void)sp_buf_append(&rest, message.data + behind, message.size - behind);
    snakepit_err err = decode(message, &scratch, &sent);
    assert_int_equal(decode(slice_of(&rest), &other, &got), err);
    if (err == SNAKEPIT_OK) {
        sp_large_tensor_put_back(&found, rest.data, message.data + found.at, &got);
        expect_same_tensors(&sent, &got);
        expect_same(sent.session, got.session);
        expect_same(sent.pool, got.pool);
    }
    sp_buf_fini(&rest);
    sp_scratch_fini(&scratch);
    sp_scratch_fini(&other);
    return true;
}

static void it_is_found_once_its_beginning_is_there(void **state)
{
    (void)state;
    struct sp_buf request = make_request(500);
    struct sp_large_tensor found;
    assert_true(sp_large_tensor_find(
        &sp_large_path_call, slice_of(&request), request.size, LEAST, &found));
    assert_int_equal(found.size, 500);
    assert_int_equal(request.data[found.at], 2);
    assert_int_equal(request.data[found.at + 499], 2);
    expect_same(found.pool, sp_slice_of_text("other"));
    for (size_t head = 0; head <= request.size; head++) {
        assert_true(is_the_same_without(slice_of(&request), head) ==
                    (head >= found.at));
    }
    sp_buf_fini(&request);
}

static void what_is_small_is_not_found(void **state)
{
    (void)state;
    struct sp_large_tensor found;
    for (size_t size = LEAST - 1; size <= LEAST; size++) {
        struct sp_buf request = make_request(size);
        assert_true(
            sp_large_tensor_find(
                &sp_large_path_call, slice_of(&request), request.size, LEAST, &found) ==
            (size == LEAST));
        sp_buf_fini(&request);
    }
}

// A length that says more than there is, or less than it holds, is not believed.
static void lengths_that_cannot_be_are_left_to_the_decoder(void **state)
{
    (void)state;
    struct sp_buf request = make_request(500);
    struct sp_large_tensor found;
    for (size_t total = 0; total < request.size; total++) {
        const size_t head = total < 100 ? total : 100;
        if (sp_large_tensor_find(&sp_large_path_call,
                                 (struct sp_slice){request.data, head},
                                 total,
                                 LEAST,
                                 &found)) {
            assert_true(found.at + found.size <= total);
        }
    }
    sp_buf_fini(&request);
}

// Each byte of the beginning changed to each value: it may not be found then, or be
// malformed, but is never something else.
static void a_damaged_beginning_means_what_it_meant(void **state)
{
    (void)state;
    struct sp_buf request = make_request(500);
    unsigned found = 0;
    for (size_t at = 0; at < 120; at++) {
        const uint8_t was = request.data[at];
        for (unsigned value = 0; value < 256; value++) {
            request.data[at] = (uint8_t)value;
            found += is_the_same_without(slice_of(&request), 120);
        }
        request.data[at] = was;
    }
    assert_true(found > 1000);
    sp_buf_fini(&request);
}

// Another one of the same name, arguments twice, and bytes twice: the last one counts.
static void what_comes_later_goes_first(void **state)
{
    (void)state;
    struct sp_buf request = make_request(500);
    struct sp_buf payload = {0};
    struct sp_buf again = {0};
    add_tensor(&payload, "large", 4, 9);
    add(&request, 3, &payload);
    assert_true(is_the_same_without(slice_of(&request), request.size));
    // The tensor of an entry twice: these are merged, and the bytes are the second's.
    struct sp_buf data = {0};
    struct sp_buf entry = {0};
    struct sp_buf first = {0};
    (void)sp_buf_reserve(&data, 400);
    memset(data.data, 5, 400);
    data.size = 400;
    add(&first, 3, &data);
    add(&entry, 2, &first);
    data.size = 3;
    first.size = 0;
    add(&first, 3, &data);
    add(&entry, 2, &first);
    payload.size = 0;
    add(&payload, 4, &entry);
    add(&again, 3, &payload);
    assert_true(is_the_same_without(slice_of(&again), again.size));
    sp_buf_fini(&request);
    sp_buf_fini(&payload);
    sp_buf_fini(&again);
    sp_buf_fini(&data);
    sp_buf_fini(&entry);
    sp_buf_fini(&first);
}

// Lengths may be longer than they need be.
static void a_padded_length_keeps_its_width(void **state)
{
    (void)state;
    uint8_t message[500] = {0x1a,
                            0x80 | (468 & 0x7f),
                            0x83,
                            0x80,
                            0, // arguments
                            0x22,
                            0x80 | (462 & 0x7f),
                            0x83,
                            0x80,
                            0, // entry
                            0x12,
                            0x80 | (457 & 0x7f),
                            0x83,
                            0, // tensor
                            0x1a,
                            0x80 | (453 & 0x7f),
                            0x83,
                            0}; // bytes
    struct sp_large_tensor found;
    const struct sp_slice all = {message, 5 + 468};
    assert_true(
        sp_large_tensor_find(&sp_large_path_call, all, all.size, LEAST, &found));
    assert_int_equal(found.size, 453);
    assert_int_equal(found.lengths[0].width, 4);
    assert_int_equal(found.lengths[3].width, 3);
    assert_true(is_the_same_without(all, all.size));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_found_once_its_beginning_is_there),
        cmocka_unit_test(what_is_small_is_not_found),
        cmocka_unit_test(lengths_that_cannot_be_are_left_to_the_decoder),
        cmocka_unit_test(a_damaged_beginning_means_what_it_meant),
        cmocka_unit_test(what_comes_later_goes_first),
        cmocka_unit_test(a_padded_length_keeps_its_width),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
