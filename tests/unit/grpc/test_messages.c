// SPDX-License-Identifier: MIT
// The codec with the tables that it is there for.
#include "grpc/messages.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "protobuf/descriptor.h"
#include "protobuf/message.h"

static struct sp_scratch scratch;
static snakepit_message why;

static int done(void **state)
{
    (void)state;
    sp_scratch_fini(&scratch);
    scratch.limit = 0;
    return 0;
}

static snakepit_err
decode(const struct sp_proto_type *type, const void *bytes, size_t size, void *message)
{
    return sp_proto_decode(
        type, (struct sp_slice){bytes, size}, &scratch, message, &why);
}

#define DECODE(name, bytes, message) \
    decode(&sp_type_##name, bytes, sizeof(bytes) - 1, message)

static void assert_text(struct sp_slice text, const char *wanted)
{
    assert_int_equal(text.size, strlen(wanted));
    assert_memory_equal(text.data, wanted, text.size);
}

#define ASSERT_ENCODED(name, message, wanted)                                   \
    do {                                                                        \
        struct sp_buf buf_ = {0};                                               \
        assert_int_equal(sp_proto_encode_flat(&sp_type_##name, message, &buf_), \
                         SNAKEPIT_OK);                                          \
        assert_int_equal(buf_.size, sizeof(wanted) - 1);                        \
        assert_memory_equal(buf_.data, wanted, buf_.size);                      \
        sp_buf_fini(&buf_);                                                     \
    } while (0)

// ---- Reading ------------------------------------------------------------------------

static void a_call_is_read(void **state)
{
    (void)state;
    struct sp_v1_call_request call = {0};
    static const char bytes[] = "\x0a\x01p\x12\x03"
                                "add\x1a\x04\x12\x02{}\x22\x00\x28\x07\x30\x01\x40\x03";
    assert_int_equal(DECODE(v1_call_request, bytes, &call), SNAKEPIT_OK);
    assert_text(call.pool, "p");
    assert_text(call.tool, "add");
    assert_ptr_equal(call.tool.data, bytes + 5);
    assert_int_equal(call.arguments->which, 2);
    assert_text(call.arguments->json, "{}");
    assert_true(call.has_session);
    assert_false(call.has_call_id);
    assert_int_equal(call.priority, 7);
    assert_true(call.idempotent);
    assert_int_equal(call.result_form, SP_V1_FORM_MSGPACK);
    ASSERT_ENCODED(v1_call_request, &call, bytes);
}

static void nothing_is_the_empty_message(void **state)
{
    (void)state;
    struct sp_v1_call_request call = {0};
    assert_int_equal(decode(&sp_type_v1_call_request, NULL, 0, &call), SNAKEPIT_OK);
    assert_null(call.arguments);
    ASSERT_ENCODED(v1_call_request, &call, "");
}

static void the_last_one_wins(void **state)
{
    (void)state;
    struct sp_v1_call_request call = {0};
    struct sp_v1_payload payload = {0};
    assert_int_equal(
        DECODE(v1_call_request, "\x0a\x01p\x0a\x01q\x28\x01\x28\x00", &call),
        SNAKEPIT_OK);
    assert_text(call.pool, "q");
    assert_int_equal(call.priority, 0);
    assert_int_equal(
        DECODE(v1_payload, "\x0a\x02\x20\x01\x12\x02{}\x1a\x01\xc0", &payload),
        SNAKEPIT_OK);
    assert_int_equal(payload.which, 3);
    ASSERT_ENCODED(v1_payload, &payload, "\x1a\x01\xc0");
}

static void messages_that_come_twice_are_merged(void **state)
{
    (void)state;
    struct sp_v1_call_response response = {0};
    assert_int_equal(DECODE(v1_call_response,
                            "\x0a\x04\x0a\x02\x20\x01"
                            "\x0a\x06\x22\x04\x0a\x02"
                            "ab"
                            "\x0a\x03\x0a\x01\x08",
                            &response),
                     SNAKEPIT_OK);
    assert_int_equal(response.result->which, 1);
    assert_int_equal(response.result->tensors.count, 1);
    assert_text(response.result->tensors.items[0].key, "ab");
    assert_null(response.result->tensors.items[0].value);
    // The parts of a raw message one after the other.
    assert_memory_equal(response.result->value.data, "\x20\x01\x08", 3);
}

static void lists_of_numbers_come_packed_or_not(void **state)
{
    (void)state;
    struct sp_v1_tensor tensor = {0};
    assert_int_equal(
        DECODE(v1_tensor, "\x10\x02\x12\x04\x03\xff\x01\x00\x10\x05\x12\x00", &tensor),
        SNAKEPIT_OK);
    const int64_t wanted[] = {2, 3, 255, 0, 5};
    assert_int_equal(tensor.shape.count, 5);
    assert_memory_equal(tensor.shape.items, wanted, sizeof wanted);
    ASSERT_ENCODED(v1_tensor, &tensor, "\x12\x06\x02\x03\xff\x01\x00\x05");
}

static void what_is_unknown_is_skipped(void **state)
{
    (void)state;
    struct sp_v1_cancel_request cancel = {0};
    assert_int_equal(DECODE(v1_cancel_request,
                            "\x10\x01"                             // 2, a number
                            "\x19\x01\x02\x03\x04\x05\x06\x07\x08" // 3, of 64 bits
                            "\x25\x01\x02\x03\x04"                 // 4, of 32 bits
                            "\x2a\x01x"                            // 5, bytes
                            "\x33\x3b\x08\x01\x3c\x34" // 6 and in it 7, groups
                            "\x08\x05"                 // 1, not of its type
                            "\x0a\x01y",
                            &cancel),
                     SNAKEPIT_OK);
    assert_text(cancel.call_id, "y");
}

static void numbers_are_cut_to_their_bits(void **state)
{
    (void)state;
    struct sp_v1_fault fault = {0};
    assert_int_equal(DECODE(v1_fault,
                            "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01" // -1
                            "\x18\x80\x80\x01"
                            "\x60\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01"
                            "\x78\xff\xff\xff\xff\x1f",
                            &fault),
                     SNAKEPIT_OK);
    assert_int_equal(fault.number, -1);
    assert_true(fault.retryable);
    assert_true(fault.worker == UINT64_MAX);
    assert_int_equal(fault.late_ms, UINT32_MAX);
    ASSERT_ENCODED(
        v1_fault,
        &fault,
        "\x10\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x18\x01"
        "\x60\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01\x78\xff\xff\xff\xff\x0f");
}

static void what_is_malformed_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *bytes;
        size_t size;
        const char *why;
    } rows[] = {
        {"\x0a", 1, "CallRequest.pool: it is longer than what was sent"},
        {"\x0a\x02p", 3, "CallRequest.pool: it is longer than what was sent"},
        {"\x0a\x01\xff", 3, "CallRequest.pool: the text is not UTF-8"},
        {"\x0a\x03\xed\xa0\x80", 5, "CallRequest.pool: the text is not UTF-8"},
        {"\x1a\x03\x22\x01\x0a",
         5,
         "CallRequest.arguments.tensors.key: it is longer than what was sent"},
        {"\x28",
         1,
         "CallRequest.priority: a number is cut off, or has more than ten bytes"},
        {"\x28\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80",
         11,
         "CallRequest.priority: a number is cut off, or has more than ten bytes"},
        {"\x02\x01", 2, "CallRequest: what should be a field is none"}, // number 0
        {"\x0e\x01", 2, "CallRequest: what should be a field is none"}, // type 6
        {"\x80\x80\x80\x80\x80\x00", 6, "CallRequest: what should be a field is none"},
        {"\x54",
         1,
         "CallRequest: a field that is not known here is cut off, or no field"},
        {"\x53\x08\x01",
         3,
         "CallRequest: a field that is not known here is cut off, or no field"},
        {"\x53\x5c",
         2,
         "CallRequest: a field that is not known here is cut off, or no field"},
        {"\x51\x01",
         2,
         "CallRequest: a field that is not known here is cut off, or no field"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_v1_call_request call = {0};
        assert_int_equal(
            decode(&sp_type_v1_call_request, rows[i].bytes, rows[i].size, &call),
            SNAKEPIT_MALFORMED);
        assert_string_equal(why.text, rows[i].why);
    }
}

static void messages_are_so_deep_and_no_deeper(void **state)
{
    (void)state;
    // google.protobuf.ListValue in Value in ListValue: two messages a round.
    static uint8_t bytes[1024];
    for (size_t rounds = 49; rounds < 52; rounds++) {
        struct sp_pb_list list = {0};
        uint8_t *at = bytes + sizeof bytes;
        size_t size = 0;
        for (size_t i = 0; i < 2 * rounds; i++) {
            const size_t head = size < 128 ? 2 : 3;
            at -= head;
            at[0] = i % 2 == 0 ? 0x32 : 0x0a;
            at[1] = (uint8_t)(head == 2 ? size : (size & 0x7f) | 0x80);
            if (head == 3) {
                at[2] = (uint8_t)(size >> 7);
            }
            size += head;
        }
        assert_int_equal(decode(&sp_type_pb_list, at, size, &list),
                         2 * rounds < SP_PROTO_DEPTH_MAX ? SNAKEPIT_OK
                                                         : SNAKEPIT_MALFORMED);
    }
    struct sp_v1_cancel_request cancel = {0};
    memset(bytes, 0x13, sizeof bytes);
    assert_int_equal(decode(&sp_type_v1_cancel_request, bytes, sizeof bytes, &cancel),
                     SNAKEPIT_MALFORMED);
}

static void memory_is_bounded(void **state)
{
    (void)state;
    static uint8_t bytes[20000];
    struct sp_v1_list_pools_response pools = {0};
    for (size_t i = 0; i < sizeof bytes; i += 2) {
        bytes[i] = 0x0a;
    }
    scratch.limit = 65536;
    assert_int_equal(
        decode(&sp_type_v1_list_pools_response, bytes, sizeof bytes, &pools),
        SNAKEPIT_NO_MEMORY);
    assert_string_equal(
        why.text, "ListPoolsResponse.pools: the message takes more memory than it may");
    assert_true(scratch.used <= 65536);
}

// ---- Writing ------------------------------------------------------------------------

static void large_bytes_are_not_copied(void **state)
{
    (void)state;
    static uint8_t data[SP_PROTO_FOREIGN_MIN];
    struct sp_v1_tensor tensors[] = {{.data = {data, sizeof data}},
                                     {.data = {data, sizeof data}}};
    struct sp_text_to_v1_tensor entries[] = {
        {.key = {(const uint8_t *)"a", 1}, .value = &tensors[0]},
        {.key = {(const uint8_t *)"b", 1}, .value = &tensors[1]}};
    struct sp_v1_payload payload = {.which = 3, .msgpack = {data, 200}};
    payload.tensors.items = entries;
    payload.tensors.count = 2;
    struct sp_v1_call_response response = {.result = &payload};
    struct sp_proto_out out = {0};
    struct sp_buf joined = {0};
    struct sp_buf flat = {0};
    struct sp_slice part;
    size_t foreign = 0;
    assert_int_equal(sp_buf_append(&out.bytes, "frame", 5), SNAKEPIT_OK);
    assert_int_equal(sp_proto_encode(&sp_type_v1_call_response, &response, &out),
                     SNAKEPIT_OK);
    for (size_t i = 0; sp_proto_out_part(&out, i, &part); i++) {
        foreign += part.data == data;
        assert_int_equal(sp_buf_append(&joined, part.data, part.size), SNAKEPIT_OK);
    }
    assert_int_equal(foreign, 2);
    assert_int_equal(joined.size, sp_proto_out_size(&out));
    assert_true(out.bytes.size < 512);
    assert_int_equal(sp_proto_encode_flat(&sp_type_v1_call_response, &response, &flat),
                     SNAKEPIT_OK);
    assert_int_equal(joined.size, flat.size + 5);
    assert_memory_equal(joined.data + 5, flat.data, flat.size);
    struct sp_v1_call_response back = {0};
    assert_int_equal(decode(&sp_type_v1_call_response, flat.data, flat.size, &back),
                     SNAKEPIT_OK);
    assert_int_equal(back.result->tensors.count, 2);
    assert_text(back.result->tensors.items[1].key, "b");
    assert_int_equal(back.result->tensors.items[1].value->data.size, sizeof data);
    sp_proto_out_fini(&out);
    sp_buf_fini(&joined);
    sp_buf_fini(&flat);
}

static void nothing_has_one_empty_part(void **state)
{
    (void)state;
    struct sp_slice part;
    const struct sp_proto_out out = {0};
    assert_true(sp_proto_out_part(&out, 0, &part));
    assert_int_equal(part.size, 0);
    assert_false(sp_proto_out_part(&out, 1, &part));
}

static void zeros_of_an_entry_and_of_a_choice_are_written(void **state)
{
    (void)state;
    struct sp_text_to_v1_tensor entry = {0};
    struct sp_v1_payload payload = {.which = 2};
    payload.tensors.items = &entry;
    payload.tensors.count = 1;
    ASSERT_ENCODED(v1_payload, &payload, "\x12\x00\x22\x04\x0a\x00\x12\x00");
    struct sp_pb_value value = {.which = 2, .number_value = -0.0};
    ASSERT_ENCODED(pb_value, &value, "\x11\x00\x00\x00\x00\x00\x00\x00\x80");
}

static void what_does_not_fit_into_memory_leaves_the_rest(void **state)
{
    (void)state;
    static uint8_t data[SP_PROTO_FOREIGN_MIN];
    struct sp_v1_tensor tensor = {.data = {data, sizeof data}};
    struct sp_text_to_v1_tensor entry = {.key = {data, 300}, .value = &tensor};
    struct sp_v1_payload payload = {.which = 2, .json = {data, 1000}};
    payload.tensors.items = &entry;
    payload.tensors.count = 1;
    struct sp_v1_stream_response response = {.which = 1, .chunk = &payload};
    long n = 0;
    snakepit_err err;
    do {
        struct sp_proto_out out = {0};
        assert_int_equal(sp_buf_append(&out.bytes, "x", 1), SNAKEPIT_OK);
        sp_memory_fail_at(++n);
        err = sp_proto_encode(&sp_type_v1_stream_response, &response, &out);
        sp_memory_fail_at(0);
        if (err != SNAKEPIT_OK) {
            assert_int_equal(err, SNAKEPIT_NO_MEMORY);
            assert_int_equal(out.bytes.size, 1);
            assert_int_equal(out.foreign.size, 0);
            assert_int_equal(sp_proto_out_size(&out), 1);
        }
        sp_proto_out_fini(&out);
    } while (err != SNAKEPIT_OK);
    assert_true(n > 2);
}

// ---- Descriptors --------------------------------------------------------------------

static bool declares(const struct sp_proto_file *file, const char *symbol)
{
    return sp_proto_file_declares(file, sp_slice_of_text(symbol));
}

static void a_symbol_is_found_in_its_file(void **state)
{
    (void)state;
    static const char *const symbols[] = {
        "snakepit.v1.Snakepit",
        "snakepit.v1.Snakepit.Call",
        "snakepit.v1.CallRequest",
        "snakepit.v1.CallRequest.tool",
        "snakepit.v1.Form",
        "snakepit.v1.Payload.TensorsEntry",
        "snakepit.v1.Payload.form",
    };
    for (size_t i = 0; i < sizeof symbols / sizeof symbols[0]; i++) {
        assert_true(declares(&sp_file_v1, symbols[i]));
        assert_false(declares(&sp_file_health, symbols[i]));
    }
    assert_false(declares(&sp_file_v1, "snakepit.v1"));
    assert_false(declares(&sp_file_v1, "snakepit.v1."));
    assert_false(declares(&sp_file_v1, "snakepit.v1.Snakepi"));
    assert_false(declares(&sp_file_v1, "snakepit.v1.Snakepit.Cal"));
    assert_false(declares(&sp_file_v1, "snakepit.v1.Snakepit.Call.x"));
    assert_false(declares(&sp_file_v1, ""));
    assert_true(
        declares(&sp_file_health, "grpc.health.v1.HealthCheckResponse.ServingStatus"));
    assert_true(declares(&sp_file_reflection_alpha,
                         "grpc.reflection.v1alpha.ServerReflection"));
    assert_false(
        declares(&sp_file_reflection_alpha, "grpc.reflection.v1.ServerReflection"));
}

static void descriptors_are_made_or_memory_is_missing(void **state)
{
    (void)state;
    for (size_t i = 0; sp_files[i] != NULL; i++) {
        struct sp_buf whole = {0};
        assert_int_equal(sp_proto_describe(sp_files[i], &whole), SNAKEPIT_OK);
        assert_true(whole.size > strlen(sp_files[i]->path));
        sp_buf_fini(&whole);
        struct sp_buf none = {0};
        sp_memory_fail_at(1);
        assert_int_equal(sp_proto_describe(sp_files[i], &none), SNAKEPIT_NO_MEMORY);
        sp_memory_fail_at(0);
        sp_buf_fini(&none);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_teardown(a_call_is_read, done),
        cmocka_unit_test_teardown(nothing_is_the_empty_message, done),
        cmocka_unit_test_teardown(the_last_one_wins, done),
        cmocka_unit_test_teardown(messages_that_come_twice_are_merged, done),
        cmocka_unit_test_teardown(lists_of_numbers_come_packed_or_not, done),
        cmocka_unit_test_teardown(what_is_unknown_is_skipped, done),
        cmocka_unit_test_teardown(numbers_are_cut_to_their_bits, done),
        cmocka_unit_test_teardown(what_is_malformed_is_named, done),
        cmocka_unit_test_teardown(messages_are_so_deep_and_no_deeper, done),
        cmocka_unit_test_teardown(memory_is_bounded, done),
        cmocka_unit_test_teardown(large_bytes_are_not_copied, done),
        cmocka_unit_test(nothing_has_one_empty_part),
        cmocka_unit_test(zeros_of_an_entry_and_of_a_choice_are_written),
        cmocka_unit_test(what_does_not_fit_into_memory_leaves_the_rest),
        cmocka_unit_test(a_symbol_is_found_in_its_file),
        cmocka_unit_test(descriptors_are_made_or_memory_is_missing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
