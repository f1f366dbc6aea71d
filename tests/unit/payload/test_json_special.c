// SPDX-License-Identifier: MIT
#include "json_support.h"
#include "payload/wire.h"

static void a_tensor_comes_back_with_memory_of_its_own(void **state)
{
    snakepit_writer *writer = *state;
    char json[] =
        "{\"$tensor\":{\"dtype\":\"int16\",\"shape\":[3,1],\"data\":\"AQACAAMA\"}}";
    assert_int_equal(read_text(writer, json, NULL), SNAKEPIT_OK);
    memset(json, 0, sizeof(json));
    assert_int_equal(snakepit_writer_error(writer), SNAKEPIT_OK);
    assert_int_equal(writer->tensor_count, 1);
    const struct sp_tensor_ref *ref = &writer->tensors[0];
    assert_int_equal(ref->bytes, 6);
    assert_int_equal(ref->tensor.dtype, SNAKEPIT_INT16);
    assert_int_equal(ref->tensor.rank, 2);
    assert_int_equal(ref->tensor.shape[0], 3);
    assert_memory_equal(ref->tensor.data, "\x01\0\x02\0\x03", 6);
    assert_int_equal((uintptr_t)ref->tensor.data % 16, 0);
    static const char *const empty =
        "{\"$tensor\":{\"dtype\":\"bool\",\"shape\":[0],\"data\":\"\"}}";
    assert_int_equal(read_text(writer, empty, NULL), SNAKEPIT_OK);
}

static void a_tensor_that_contradicts_itself_is_malformed(void **state)
{
    static const char *const inside[] = {
        "",
        "\"dtype\":\"int8\"",
        "\"dtype\":\"int8\",\"shape\":[1]",
        "\"dtype\":\"int7\",\"shape\":[1],\"data\":\"AA==\"",
        "\"dtype\":1,\"shape\":[1],\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":1,\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":[1.0],\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":[-1],\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":[2],\"data\":\"AA==\"",
        "\"dtype\":\"int8\",\"shape\":[1],\"data\":\"AA=\"",
        "\"dtype\":\"int8\",\"shape\":[1],\"data\":[0]",
        "\"dtype\":\"int8\",\"shape\":[1,1,1,1,1,1,1,1,1],\"data\":\"AA==\"",
        "\"dtype\":\"int64\",\"shape\":[9223372036854775807],\"data\":\"AA==\"",
    };
    for (size_t i = 0; i < sizeof(inside) / sizeof(inside[0]); i++) {
        char json[256];
        snakepit_message why;
        snprintf(json, sizeof(json), "{\"$tensor\":{%s}}", inside[i]);
        assert_int_equal(read_text(*state, json, &why), SNAKEPIT_MALFORMED);
        assert_memory_equal(why.text, "$tensor ", 8);
    }
    snakepit_message why;
    assert_int_equal(read_text(*state, "{\"$bytes\":\"A\"}", &why), SNAKEPIT_MALFORMED);
    assert_string_equal(why.text, "$bytes is not base64");
}

static void what_looks_special_comes_back_as_what_it_was(void **state)
{
    static const char *const texts[] = {
        "{\"$$bytes\":\"no base64\"}",
        "{\"$$uint\":\"x\"}",
        "{\"$$tensor\":{}}",
        "{\"$$$bytes\":\"\"}",
        "{\"$$bytes\":1}",
        "{\"$$bytes\":\"\",\"b\":2}",
        "{\"$$tensor\":{\"$bytes\":\"AAAA\"}}",
        "[{\"$$bytes\":\"A\"},{\"$bytes\":\"AAAA\"}]",
        "{\"$$$$$$$$$$$$$$$$$$$$$$$$$$$bytes\":\"\"}",
        "{\"$$$$$$$$$$$$$$$$$$$$$$$$$$$$bytes\":\"\"}",
        "{\"a\\u0000b\":\"c\\u0000d\"}",
        "{\"\":{\"\\u0000\":1,\"\\u0000\\u0000\":2}}",
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        check_back(*state, texts[i], texts[i]);
    }
    check_back(*state, "{\"\\u0024bytes\":\"AA==\"}", "{\"$bytes\":\"AA==\"}");
    check_back(*state, "{\"$uint\":\"7\"}", "7");
    // A tensor behind a key that becomes shorter stays at its place.
    static const char *const text =
        "{\"$$tensor\":{\"a\":{\"$tensor\":{\"dtype\":\"int8\",\"shape\":[],"
        "\"data\":\"AA==\"}}}}";
    snakepit_writer *writer = *state;
    assert_int_equal(read_text(writer, text, NULL), SNAKEPIT_OK);
    assert_int_equal(writer->tensors[0].at, writer->buf.size - 16);
}

static void what_is_refused_is_named_by_its_way(void **state)
{
    static const struct {
        const char *json;
        const char *why;
    } rows[] = {
        {"{\"a\":{\"b\":[0,{\"$bytes\":\"A\"}]}}", "$bytes is not base64 (at .a.b[1])"},
        {"[[{\"$uint\":\"x\"}]]", "$uint is not an integer of 64 bits (at [0][0])"},
        {"[1,[2,[3,[4,[5,[6,[7,[8,[9,{\"$bytes\":\"A\"}]]]]]]]]]",
         "$bytes is not base64 (at ...[1][1][1][1][1][1][1][1])"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        snakepit_message why;
        assert_int_equal(read_text(*state, rows[i].json, &why), SNAKEPIT_MALFORMED);
        assert_string_equal(why.text, rows[i].why);
    }
}

// In the writer's own containers, `inside` at the end of `depth` of the text's.
static snakepit_err
read_within(snakepit_writer *writer, size_t depth, const char *inside)
{
    struct sp_buf json = {0};
    snakepit_message why;
    for (size_t i = 0; i < depth; i++) {
        assert_int_equal(sp_buf_append(&json, "[", 1), SNAKEPIT_OK);
    }
    assert_int_equal(sp_buf_printf(&json, "%s", inside), SNAKEPIT_OK);
    for (size_t i = 0; i < depth; i++) {
        assert_int_equal(sp_buf_append(&json, "]", 1), SNAKEPIT_OK);
    }
    snakepit_writer_reset(writer);
    snakepit_writer_array(writer, 1);
    snakepit_err err = snakepit_writer_json(writer, (char *)json.data, json.size, &why);
    sp_buf_fini(&json);
    return err;
}

static void what_json_cannot_say_is_not_deeper_for_it(void **state)
{
    static const char *const flat[] = {
        "1",
        "{\"$bytes\":\"AA==\"}",
        "{\"$tensor\":{\"dtype\":\"int8\",\"shape\":[1],\"data\":\"AA==\"}}",
    };
    static const char *const one_deep[] = {
        "[]",
        "{\"a\":1}",
        "{\"$$bytes\":\"A\"}",
        "{\"$tensor\":1}",
    };
    for (size_t i = 0; i < sizeof(flat) / sizeof(flat[0]); i++) {
        assert_int_equal(read_within(*state, SP_DEPTH_MAX - 1, flat[i]), SNAKEPIT_OK);
        assert_int_equal(read_within(*state, SP_DEPTH_MAX, flat[i]),
                         SNAKEPIT_MALFORMED);
    }
    for (size_t i = 0; i < sizeof(one_deep) / sizeof(one_deep[0]); i++) {
        const char *inside = one_deep[i];
        assert_int_equal(read_within(*state, SP_DEPTH_MAX - 2, inside), SNAKEPIT_OK);
        assert_int_equal(read_within(*state, SP_DEPTH_MAX - 1, inside),
                         SNAKEPIT_MALFORMED);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH_WRITER(a_tensor_comes_back_with_memory_of_its_own),
        WITH_WRITER(a_tensor_that_contradicts_itself_is_malformed),
        WITH_WRITER(what_looks_special_comes_back_as_what_it_was),
        WITH_WRITER(what_is_refused_is_named_by_its_way),
        WITH_WRITER(what_json_cannot_say_is_not_deeper_for_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
