// SPDX-License-Identifier: MIT
#include "grpc/proto_payload.h"

#include <setjmp.h>
#include <stdalign.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "payload/json.h"
#include "payload/reader.h"
#include "payload/writer.h"

static snakepit_writer *writer;
static snakepit_message why;
static struct sp_scratch scratch;
static struct sp_v1_payload payload;

static int fresh(void **state)
{
    (void)state;
    writer = snakepit_writer_new();
    return 0;
}

static int done(void **state)
{
    (void)state;
    snakepit_writer_free(writer);
    sp_scratch_fini(&scratch);
    return 0;
}

// ---- Reading ------------------------------------------------------------------------

static const int16_t elements[] = {1, 2, 3};
static int64_t three[] = {3};

static struct sp_v1_tensor tensor_of(const char *dtype)
{
    struct sp_v1_tensor tensor = {.dtype = sp_slice_of_text(dtype),
                                  .data = {(const uint8_t *)elements, sizeof elements}};
    tensor.shape.items = three;
    tensor.shape.count = 1;
    return tensor;
}

static struct sp_v1_tensor tensors[3];
static struct sp_text_to_v1_tensor entries[3];

// A payload whose tensors have these names.
static struct sp_v1_payload
payload_of(unsigned which, const char *text, const char *const *names)
{
    struct sp_v1_payload made = {.which = which};
    made.json = sp_slice_of_text(text);
    made.msgpack = made.json;
    made.tensors.items = entries;
    for (size_t i = 0; names[i] != NULL; i++) {
        tensors[i] = tensor_of("int16");
        entries[i].key = sp_slice_of_text(names[i]);
        entries[i].value = &tensors[i];
        made.tensors.count = i + 1;
    }
    return made;
}

#define NAMES(...) ((const char *const[]){__VA_ARGS__, NULL})

static snakepit_err read_payload(const struct sp_v1_payload *from, bool arguments)
{
    snakepit_writer_reset(writer);
    return sp_payload_read(from, arguments, UINT64_MAX, writer, &why);
}

// What was written, with its tensors in the places that memory gives them.
static void assert_json(const char *wanted)
{
    static alignas(64) uint8_t memory[1024];
    struct sp_buf text = {0};
    snakepit_reader reader;
    size_t offset = 0;
    for (size_t i = 0; i < writer->tensor_count; i++) {
        memcpy(
            memory + offset, writer->tensors[i].tensor.data, writer->tensors[i].bytes);
        sp_tensor_ref_place(&writer->tensors[i], writer->buf.data, offset);
        offset += 64;
    }
    sp_reader_init(&reader,
                   (struct sp_slice){writer->buf.data, writer->buf.size},
                   (struct sp_slice){memory, sizeof memory});
    assert_int_equal(sp_json_write(&reader, &text, NULL), SNAKEPIT_OK);
    assert_string_equal((const char *)text.data, wanted);
    sp_buf_fini(&text);
}

#define TENSOR "{\"$tensor\":{\"dtype\":\"int16\",\"shape\":[3],\"data\":\"AQACAAMA\"}}"

static void tensors_are_arguments_by_their_names(void **state)
{
    (void)state;
    struct sp_v1_payload from = payload_of(2, "{\"a\":1}", NAMES("y", "x"));
    assert_int_equal(read_payload(&from, true), SNAKEPIT_OK);
    assert_json("{\"x\":" TENSOR ",\"y\":" TENSOR ",\"a\":1}");
    assert_ptr_equal(writer->tensors[0].tensor.data, elements);
    from.which = 0;
    assert_int_equal(read_payload(&from, true), SNAKEPIT_OK);
    assert_json("{\"x\":" TENSOR ",\"y\":" TENSOR "}");
    from = payload_of(3,
                      "\x81\xa1"
                      "a\x01",
                      NAMES("x"));
    assert_int_equal(read_payload(&from, true), SNAKEPIT_OK);
    assert_json("{\"x\":" TENSOR ",\"a\":1}");
    from = payload_of(1, "", NAMES("x"));
    from.value = (struct sp_slice){(const uint8_t *)"\x2a\x00", 2};
    assert_int_equal(read_payload(&from, true), SNAKEPIT_OK);
    assert_json("{\"x\":" TENSOR "}");
}

static void a_name_is_the_place_of_its_tensor(void **state)
{
    (void)state;
    struct sp_v1_payload from = payload_of(
        2, "{\"a\":[{\"$tensor\":\"x\"},{\"$bytes\":\"AQ==\"}]}", NAMES("x", "b"));
    assert_int_equal(read_payload(&from, true), SNAKEPIT_OK);
    assert_json("{\"b\":" TENSOR ",\"a\":[" TENSOR ",{\"$bytes\":\"AQ==\"}]}");
    from = payload_of(3,
                      "\x81\xa1"
                      "a\x81\xa7$tensor\xa1x",
                      NAMES("x"));
    assert_int_equal(read_payload(&from, true), SNAKEPIT_OK);
    assert_json("{\"a\":" TENSOR "}");
    from = payload_of(2, "{\"$tensor\":\"\"}", NAMES(""));
    assert_int_equal(read_payload(&from, false), SNAKEPIT_OK);
    assert_json(TENSOR);
}

static void inline_tensors_and_others_live_together(void **state)
{
    (void)state;
    struct sp_v1_payload from =
        payload_of(2, "[" TENSOR ",{\"$tensor\":\"x\"}," TENSOR "]", NAMES("x"));
    assert_int_equal(read_payload(&from, false), SNAKEPIT_OK);
    assert_json("[" TENSOR "," TENSOR "," TENSOR "]");
    static const char msgpack[] = "\x92\x81\xa7$tensor\x83\xa5"
                                  "dtype\xa5int16\xa5shape\x91\x01\xa4"
                                  "data\xc4\x02\x07\x00\x81\xa7$tensor\xa1x";
    from.which = 3;
    from.msgpack = (struct sp_slice){(const uint8_t *)msgpack, sizeof msgpack - 1};
    assert_int_equal(read_payload(&from, false), SNAKEPIT_OK);
    assert_json(
        "[{\"$tensor\":{\"dtype\":\"int16\",\"shape\":[1],\"data\":\"BwA=\"}}," TENSOR
        "]");
    assert_in_range((uintptr_t)writer->tensors[0].tensor.data,
                    (uintptr_t)msgpack,
                    (uintptr_t)msgpack + sizeof msgpack);
}

static void marks_can_be_said(void **state)
{
    (void)state;
    struct sp_v1_payload from = {.which = 2};
    from.json = sp_slice_of_text("{\"$$tensor\":\"x\"}");
    assert_int_equal(read_payload(&from, false), SNAKEPIT_OK);
    assert_json("{\"$tensor\":\"x\"}");
    from.json = sp_slice_of_text("{\"a\":{\"$$$tensor\":\"x\"}}");
    assert_int_equal(read_payload(&from, true), SNAKEPIT_OK);
    assert_json("{\"a\":{\"$$tensor\":\"x\"}}");
    from.which = 3;
    from.msgpack = sp_slice_of_text("\x81\xa5$$ext\x05");
    assert_int_equal(read_payload(&from, false), SNAKEPIT_OK);
    assert_json("{\"$ext\":5}");
}

static void what_is_wrong_is_named(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        const char *name;
        bool arguments;
        const char *why;
    } rows[] = {
        {"{\"a\":{\"$tensor\":\"z\"}}",
         "x",
         true,
         "the tensor 'z' is not in `tensors`"},
        {"[{\"$tensor\":\"x\"},{\"$tensor\":\"x\"}]",
         "x",
         false,
         "the tensor 'x' is asked for twice; send it twice, by two names"},
        {"5", "x", false, "the tensor 'x' has no place in the value"},
        {"5", "x", true, "the arguments are not a map"},
        {"{\"$tensor\":\"x\"}", "x", true, "the arguments are not a map"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_v1_payload from = payload_of(2, rows[i].json, NAMES(rows[i].name));
        assert_int_equal(read_payload(&from, rows[i].arguments),
                         SNAKEPIT_INVALID_ARGUMENT);
        assert_string_equal(why.text, rows[i].why);
    }
    struct sp_v1_payload from = {.which = 2};
    from.json = sp_slice_of_text("5");
    assert_int_equal(read_payload(&from, true), SNAKEPIT_INVALID_ARGUMENT);
    assert_string_equal(why.text, "the arguments are not a map");
    from.json = sp_slice_of_text("{");
    assert_int_equal(read_payload(&from, true), SNAKEPIT_MALFORMED);
    from.which = 0;
    assert_int_equal(read_payload(&from, false), SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(read_payload(NULL, true), SNAKEPIT_OK);
    assert_json("{}");
    from = payload_of(2, "{\"x\":1}", NAMES("x"));
    assert_int_equal(read_payload(&from, true), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "equal"));
}

static void tensors_must_be_right(void **state)
{
    (void)state;
    int64_t shape[9] = {3, 1, 1, 1, 1, 1, 1, 1, 1};
    struct sp_v1_payload from = payload_of(2, "{}", NAMES("x"));
    tensors[0] = tensor_of("complex");
    assert_int_equal(read_payload(&from, true), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "dtype"));
    tensors[0] = tensor_of("int32");
    assert_int_equal(read_payload(&from, true), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "bytes of data"));
    tensors[0] = tensor_of("int16");
    tensors[0].shape.items = shape;
    tensors[0].shape.count = 9;
    assert_int_equal(read_payload(&from, true), SNAKEPIT_INVALID_ARGUMENT);
    assert_non_null(strstr(why.text, "8 extents"));
    shape[0] = -3;
    shape[1] = -1;
    tensors[0].shape.count = 2;
    assert_int_equal(read_payload(&from, true), SNAKEPIT_INVALID_ARGUMENT);
    entries[0].value = NULL;
    assert_int_equal(read_payload(&from, true), SNAKEPIT_INVALID_ARGUMENT);
}

static void of_two_tensors_with_one_name_the_last_one_counts(void **state)
{
    (void)state;
    static const int16_t others[] = {4, 5, 6};
    struct sp_v1_payload from = payload_of(2, "{}", NAMES("x", "a", "x"));
    tensors[2].data.data = (const uint8_t *)others;
    assert_int_equal(read_payload(&from, true), SNAKEPIT_OK);
    assert_int_equal(writer->tensor_count, 2);
    assert_ptr_equal(writer->tensors[1].tensor.data, others);
}

// ---- Writing ------------------------------------------------------------------------

// A value of two tensors in other places, and one that is a member: "m", [.., ..].
static snakepit_reader tensors_of_an_answer(void)
{
    static alignas(64) uint8_t memory[64] = {1, 0, 2, 0, 3, 0};
    static const snakepit_tensor tensor = {
        .data = elements, .dtype = SNAKEPIT_INT16, .rank = 1, .shape = {3}};
    snakepit_reader reader;
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "m");
    snakepit_writer_tensor(writer, &tensor);
    snakepit_writer_str(writer, "l");
    snakepit_writer_array(writer, 2);
    snakepit_writer_tensor(writer, &tensor);
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "$tensor");
    snakepit_writer_str(writer, "m");
    snakepit_writer_str(writer, "/0");
    snakepit_writer_tensor(writer, &tensor);
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    sp_reader_init(&reader,
                   (struct sp_slice){writer->buf.data, writer->buf.size},
                   (struct sp_slice){memory, sizeof memory});
    return reader;
}

static void assert_name(size_t index, const char *name)
{
    const struct sp_text_to_v1_tensor *entry = &payload.tensors.items[index];
    assert_int_equal(entry->key.size, strlen(name));
    assert_memory_equal(entry->key.data, name, entry->key.size);
    assert_memory_equal(entry->value->dtype.data, "int16", 5);
    assert_int_equal(entry->value->shape.count, 1);
    assert_int_equal(entry->value->shape.items[0], 3);
    assert_memory_equal(entry->value->data.data, elements, sizeof elements);
}

static void tensors_of_an_answer_are_apart(void **state)
{
    (void)state;
    const snakepit_reader reader = tensors_of_an_answer();
    static const char json[] = "{\"m\":{\"$tensor\":\"m\"},\"l\":[{\"$tensor\":\"/0\"},"
                               "{\"$$tensor\":\"m\"}],\"/0\":{\"$tensor\":\"/1\"}}";
    assert_int_equal(
        sp_payload_write(&reader, SP_V1_FORM_JSON, &scratch, &payload, &why),
        SNAKEPIT_OK);
    assert_int_equal(payload.which, 2);
    assert_int_equal(payload.json.size, sizeof json - 1);
    assert_memory_equal(payload.json.data, json, sizeof json - 1);
    assert_int_equal(payload.tensors.count, 3);
    assert_name(0, "m");
    assert_name(1, "/0");
    assert_name(2, "/1");
}

static void an_answer_can_be_sent_as_arguments(void **state)
{
    (void)state;
    for (int form = SP_V1_FORM_STRUCT; form <= SP_V1_FORM_MSGPACK; form++) {
        const snakepit_reader reader = tensors_of_an_answer();
        assert_int_equal(
            sp_payload_write(&reader, (enum sp_v1_form)form, &scratch, &payload, &why),
            SNAKEPIT_OK);
        assert_int_equal(payload.which, form);
        snakepit_writer *back = snakepit_writer_new();
        assert_int_equal(sp_payload_read(&payload, true, UINT64_MAX, back, &why),
                         SNAKEPIT_OK);
        assert_int_equal(back->buf.size, writer->buf.size);
        assert_int_equal(back->tensor_count, 3);
        snakepit_writer_free(back);
        sp_scratch_fini(&scratch);
    }
}

static void a_value_that_is_a_tensor_has_no_name(void **state)
{
    (void)state;
    snakepit_reader reader = tensors_of_an_answer();
    assert_int_equal(snakepit_reader_find(&reader, "m", &reader), SNAKEPIT_OK);
    assert_int_equal(
        sp_payload_write(&reader, SP_V1_FORM_MSGPACK, &scratch, &payload, &why),
        SNAKEPIT_OK);
    assert_int_equal(payload.msgpack.size, 10);
    assert_memory_equal(payload.msgpack.data, "\x81\xa7$tensor\xa0", 10);
    assert_int_equal(payload.tensors.count, 1);
    assert_name(0, "");
}

static void a_value_without_tensors_is_borrowed(void **state)
{
    (void)state;
    static const uint8_t value[] = "\x92\x01\xc4\x01\xff\x05";
    snakepit_reader reader;
    snakepit_reader_init(&reader, value, sizeof value - 1);
    assert_int_equal(
        sp_payload_write(&reader, SP_V1_FORM_MSGPACK, &scratch, &payload, &why),
        SNAKEPIT_OK);
    assert_ptr_equal(payload.msgpack.data, value);
    assert_int_equal(payload.msgpack.size, 5);
    assert_int_equal(scratch.used, 0);
}

static void ext_types_are_named_and_escaped(void **state)
{
    (void)state;
    snakepit_reader reader;
    static const char value[] = "\x92\xd4\x05\x07\x81\xa4$ext\xa1x";
    snakepit_reader_init(&reader, value, sizeof value - 1);
    assert_int_equal(
        sp_payload_write(&reader, SP_V1_FORM_MSGPACK, &scratch, &payload, &why),
        SNAKEPIT_OK);
    static const char wanted[] = "\x92\x81\xa4$ext\xc4\x01\x07\x81\xa5$$ext\xa1x";
    assert_int_equal(payload.msgpack.size, sizeof wanted - 1);
    assert_memory_equal(payload.msgpack.data, wanted, sizeof wanted - 1);
    assert_int_equal(
        sp_payload_write(&reader, SP_V1_FORM_JSON, &scratch, &payload, &why),
        SNAKEPIT_OK);
    static const char json[] = "[{\"$ext\":\"Bw==\"},{\"$ext\":\"x\"}]";
    assert_int_equal(payload.json.size, sizeof json - 1);
    assert_memory_equal(payload.json.data, json, sizeof json - 1);
}

static void keys_of_a_struct_become_texts_as_in_json(void **state)
{
    (void)state;
    snakepit_reader reader;
    snakepit_reader_init(&reader, "\x81\x01\xc3", 3);
    assert_int_equal(
        sp_payload_write(&reader, SP_V1_FORM_STRUCT, &scratch, &payload, &why),
        SNAKEPIT_OK);
    assert_int_equal(payload.value.size, 11);
    assert_memory_equal(
        payload.value.data, "\x2a\x09\x0a\x07\x0a\x01\x31\x12\x02\x20\x01", 11);
    snakepit_reader_init(&reader, "\x82\x01\xc3\xa1\x31\xc3", 6);
    assert_int_equal(
        sp_payload_write(&reader, SP_V1_FORM_STRUCT, &scratch, &payload, &why),
        SNAKEPIT_UNSERIALISABLE);
    assert_non_null(strstr(why.text, "two keys"));
}

static void the_form_is_that_of_the_request(void **state)
{
    (void)state;
    enum sp_v1_form form = SP_V1_FORM_UNSPECIFIED;
    struct sp_v1_payload request = {.which = 3};
    assert_int_equal(sp_payload_form(0, NULL, &form), SNAKEPIT_OK);
    assert_int_equal(form, SP_V1_FORM_STRUCT);
    assert_int_equal(sp_payload_form(0, &request, &form), SNAKEPIT_OK);
    assert_int_equal(form, SP_V1_FORM_MSGPACK);
    assert_int_equal(sp_payload_form(2, &request, &form), SNAKEPIT_OK);
    assert_int_equal(form, SP_V1_FORM_JSON);
    assert_int_equal(sp_payload_form(4, &request, &form), SNAKEPIT_INVALID_ARGUMENT);
    assert_int_equal(sp_payload_form(-1, NULL, &form), SNAKEPIT_INVALID_ARGUMENT);
}

static void a_fault_hides_the_inside_of_an_adapter(void **state)
{
    (void)state;
    const snakepit_fault fault = {.err = SNAKEPIT_TOOL_FAILED,
                                  .message = "bad \xff",
                                  .type = "ValueError",
                                  .traceback = "Traceback",
                                  .stage = "running",
                                  .cause = "",
                                  .last_output = "secret",
                                  .arguments = "n: int",
                                  .crash_stack = "frame",
                                  .late_stack = "frame",
                                  .worker = 7};
    struct sp_v1_fault message;
    sp_fault_to_proto(&fault, true, 250, &scratch, &message);
    assert_memory_equal(message.name.data, "TOOL_FAILED", message.name.size);
    assert_int_equal(message.message.size, 7);
    assert_memory_equal(message.message.data, "bad \xef\xbf\xbd", 7);
    assert_int_equal(message.traceback.size, 9);
    assert_int_equal(message.worker, 7);
    assert_int_equal(message.retry_after_ms, 250);
    sp_fault_to_proto(&fault, false, 0, &scratch, &message);
    assert_int_equal(message.traceback.size, 0);
    assert_int_equal(message.last_output.size, 0);
    assert_int_equal(message.crash_stack.size, 0);
    assert_int_equal(message.late_stack.size, 0);
    sp_memory_fail_at(1);
    sp_fault_to_proto(&fault, false, 0, &scratch, &message);
    sp_memory_fail_at(0);
    assert_int_equal(message.message.size, 0);
}

static void values_are_counted_in_each_form(void **state)
{
    (void)state;
    // [[null, null]]: an element, and its two.
    static const uint8_t value[] = {0x32,
                                    0x0c,
                                    0x0a,
                                    0x0a,
                                    0x32,
                                    0x08,
                                    0x0a,
                                    0x02,
                                    0x08,
                                    0x00,
                                    0x0a,
                                    0x02,
                                    0x08,
                                    0x00};
    struct sp_v1_payload payloads[3] = {
        {.which = 1, .value = {value, sizeof value}},
        payload_of(2, "[[null,null]]", NAMES(NULL)),
        payload_of(3, "\x91\x92\xc0\xc0", NAMES(NULL)),
    };
    for (size_t i = 0; i < 3; i++) {
        snakepit_writer_reset(writer);
        assert_int_equal(sp_payload_read(&payloads[i], false, 3, writer, &why),
                         SNAKEPIT_OK);
        snakepit_writer_reset(writer);
        assert_int_equal(sp_payload_read(&payloads[i], false, 2, writer, &why),
                         SNAKEPIT_MALFORMED);
        assert_non_null(strstr(why.text, "the 2 values that `serve: max_values`"));
    }
}

static void memory_may_be_missing(void **state)
{
    (void)state;
    snakepit_err err;
    struct sp_v1_payload from =
        payload_of(2, "[" TENSOR ",{\"$tensor\":\"x\"}]", NAMES("x"));
    long n = 0;
    do {
        snakepit_writer_free(writer);
        writer = snakepit_writer_new();
        sp_memory_fail_at(++n);
        err = sp_payload_read(&from, false, UINT64_MAX, writer, &why);
        sp_memory_fail_at(0);
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY);
        assert_true((why.text[0] == '\0') == (err == SNAKEPIT_OK));
    } while (err != SNAKEPIT_OK);
    assert_true(n > 4);
    for (int form = SP_V1_FORM_STRUCT; form <= SP_V1_FORM_MSGPACK; form++) {
        n = 0;
        do {
            sp_scratch_fini(&scratch);
            const snakepit_reader reader = tensors_of_an_answer();
            sp_memory_fail_at(++n);
            err = sp_payload_write(
                &reader, (enum sp_v1_form)form, &scratch, &payload, &why);
            sp_memory_fail_at(0);
            assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_NO_MEMORY);
        } while (err != SNAKEPIT_OK);
        assert_true(n > 3);
    }
}

int main(void)
{
#define ROW(name) cmocka_unit_test_setup_teardown(name, fresh, done)
    const struct CMUnitTest tests[] = {
        ROW(tensors_are_arguments_by_their_names),
        ROW(a_name_is_the_place_of_its_tensor),
        ROW(inline_tensors_and_others_live_together),
        ROW(marks_can_be_said),
        ROW(what_is_wrong_is_named),
        ROW(tensors_must_be_right),
        ROW(of_two_tensors_with_one_name_the_last_one_counts),
        ROW(tensors_of_an_answer_are_apart),
        ROW(an_answer_can_be_sent_as_arguments),
        ROW(a_value_that_is_a_tensor_has_no_name),
        ROW(a_value_without_tensors_is_borrowed),
        ROW(ext_types_are_named_and_escaped),
        ROW(keys_of_a_struct_become_texts_as_in_json),
        ROW(the_form_is_that_of_the_request),
        ROW(a_fault_hides_the_inside_of_an_adapter),
        ROW(values_are_counted_in_each_form),
        ROW(memory_may_be_missing),
    };
#undef ROW
    return cmocka_run_group_tests(tests, NULL, NULL);
}
