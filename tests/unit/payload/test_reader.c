// SPDX-License-Identifier: MIT
#include "payload/reader.h"

#include "base/slice.h"
#include "payload/json.h"
#include "payload/wire.h"
#include "values.h"

#define READ(literal) at((literal), sizeof(literal) - 1)

static snakepit_reader at(const char *bytes, size_t size)
{
    snakepit_reader reader;
    snakepit_reader_init(&reader, bytes, size);
    return reader;
}

static snakepit_err next(snakepit_reader reader, snakepit_value *value)
{
    return snakepit_reader_next(&reader, value);
}

static void nothing_is_the_end(void **state)
{
    (void)state;
    snakepit_value value;
    snakepit_reader reader = at(NULL, 0);
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_END);
    assert_int_equal(snakepit_reader_skip(&reader), SNAKEPIT_END);
    assert_int_equal(snakepit_reader_find(&reader, "a", &reader),
                     SNAKEPIT_TYPE_MISMATCH);
}

static void kinds_are_told_apart(void **state)
{
    (void)state;
    snakepit_value value;
    assert_int_equal(next(READ("\xc0"), &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_NIL);
    assert_int_equal(next(READ("\xc3"), &value), SNAKEPIT_OK);
    assert_true(value.kind == SNAKEPIT_BOOLEAN && value.as.boolean);
    assert_int_equal(next(READ("\xca\x3f\xc0\0\0"), &value), SNAKEPIT_OK);
    assert_true(value.kind == SNAKEPIT_REAL && value.as.real == 1.5);
    assert_int_equal(next(READ("\xcb\x3f\xf8\0\0\0\0\0\0"), &value), SNAKEPIT_OK);
    assert_true(value.kind == SNAKEPIT_REAL && value.as.real == 1.5);
    assert_int_equal(next(READ("\xcf\x80\0\0\0\0\0\0\0"), &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_UNSIGNED);
    assert_int_equal(value.as.unsigned_integer, UINT64_C(1) << 63);
    assert_int_equal(next(READ("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), &value),
                     SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_INTEGER);
    assert_int_equal(value.as.integer, INT64_MAX);
    assert_int_equal(next(READ("\xd3\x80\0\0\0\0\0\0\0"), &value), SNAKEPIT_OK);
    assert_int_equal(value.as.integer, INT64_MIN);
    assert_int_equal(next(READ("\xd4\x05x"), &value), SNAKEPIT_OK);
    assert_true(value.kind == SNAKEPIT_EXTENSION && value.as.bytes.size == 1);
    assert_int_equal(next(READ("\xd8\xff"
                               "0123456789abcdef"),
                          &value),
                     SNAKEPIT_OK);
    assert_true(value.kind == SNAKEPIT_EXTENSION && value.as.bytes.size == 16);
}

static void longer_forms_than_needed_are_read(void **state)
{
    (void)state;
    snakepit_value value;
    assert_int_equal(next(READ("\xd3\xff\xff\xff\xff\xff\xff\xff\xfe"), &value),
                     SNAKEPIT_OK);
    assert_int_equal(value.as.integer, -2);
    assert_int_equal(next(READ("\xd0\x80"), &value), SNAKEPIT_OK);
    assert_int_equal(value.as.integer, -128);
    assert_int_equal(next(READ("\xdb\0\0\0\x01z"), &value), SNAKEPIT_OK);
    assert_true(value.kind == SNAKEPIT_TEXT && value.as.text.size == 1);
    assert_int_equal(next(READ("\xdf\0\0\0\x01\xc0\xc0"), &value), SNAKEPIT_OK);
    assert_true(value.kind == SNAKEPIT_MAP && value.as.count == 1);
}

static void what_no_bytes_can_back_is_malformed_and_nothing_moves(void **state)
{
    (void)state;
    static const struct sp_slice bad[] = {
#define BAD(literal) {(const uint8_t *)(literal), sizeof(literal) - 1}
        BAD("\xc1"),
        BAD("\xcd\x01"),
        BAD("\xa2x"),
        BAD("\xc6\xff\xff\xff\xffx"),
        BAD("\xdb\xff\xff\xff\xffx"),
        BAD("\xdd\xff\xff\xff\xff\xc0"),
        BAD("\xdf\xff\xff\xff\xff\xc0"),
        BAD("\x92\xc0"),
        BAD("\x81\xc0"),
        BAD("\xc9\xff\xff\xff\xff\x05x"),
        BAD("\xc7\x01"),
        BAD("\xd4"),
        BAD("\xd4\x05"),
#undef BAD
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        snakepit_value value;
        snakepit_reader reader;
        snakepit_reader_init(&reader, bad[i].data, bad[i].size);
        assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_MALFORMED);
        assert_int_equal(snakepit_reader_skip(&reader), SNAKEPIT_MALFORMED);
        assert_ptr_equal(reader.at, bad[i].data);
    }
}

static void skip_steps_over_all_that_a_value_contains(void **state)
{
    (void)state;
    snakepit_reader reader = READ("\x82\xa1"
                                  "a\x93\x01\x91\xc0\x80\xa1"
                                  "b\xc4\x01x\x07");
    snakepit_value value;
    assert_int_equal(snakepit_reader_skip(&reader), SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_OK);
    assert_int_equal(value.as.integer, 7);
    assert_int_equal(snakepit_reader_skip(&reader), SNAKEPIT_END);
}

static void skip_refuses_to_go_too_deep(void **state)
{
    (void)state;
    uint8_t bytes[SP_DEPTH_MAX + 2];
    memset(bytes, 0x91, sizeof(bytes));
    bytes[SP_DEPTH_MAX] = 0x90;
    bytes[SP_DEPTH_MAX + 1] = 0;
    snakepit_reader reader;
    snakepit_reader_init(&reader, bytes + 1, sizeof(bytes) - 2);
    assert_int_equal(snakepit_reader_skip(&reader), SNAKEPIT_OK);
    snakepit_reader_init(&reader, bytes, sizeof(bytes) - 1);
    assert_int_equal(snakepit_reader_skip(&reader), SNAKEPIT_MALFORMED);
    assert_ptr_equal(reader.at, bytes);
}

static void find_stands_before_the_value(void **state)
{
    (void)state;
    // {"ab": [1, {}], [0]: "a", "a": nil, "b": 5}
    const snakepit_reader map = READ("\x84\xa2"
                                     "ab\x92\x01\x80\x91\0\xa1"
                                     "a\xa1"
                                     "a\xc0\xa1"
                                     "b\x05");
    snakepit_reader found = map;
    snakepit_value value;
    assert_int_equal(snakepit_reader_find(&map, "b", &found), SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_next(&found, &value), SNAKEPIT_OK);
    assert_int_equal(value.as.integer, 5);
    found = map;
    assert_int_equal(snakepit_reader_find(&found, "a", &found), SNAKEPIT_OK);
    assert_int_equal(snakepit_reader_next(&found, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_NIL);
    found = map;
    assert_int_equal(snakepit_reader_find(&map, "c", &found), SNAKEPIT_NOT_FOUND);
    assert_int_equal(snakepit_reader_find(&map, "", &found), SNAKEPIT_NOT_FOUND);
    assert_ptr_equal(found.at, map.at);
}

static void find_refuses_what_is_no_map_or_is_cut(void **state)
{
    (void)state;
    snakepit_reader found = {0};
    snakepit_reader reader = READ("\x91\xa1"
                                  "a");
    assert_int_equal(snakepit_reader_find(&reader, "a", &found),
                     SNAKEPIT_TYPE_MISMATCH);
    reader = READ("\xc1");
    assert_int_equal(snakepit_reader_find(&reader, "a", &found), SNAKEPIT_MALFORMED);
    reader = READ("\x81\xa1"
                  "a");
    assert_int_equal(snakepit_reader_find(&reader, "a", &found), SNAKEPIT_MALFORMED);
    reader = READ("\x81\xc1\xc0");
    assert_int_equal(snakepit_reader_find(&reader, "a", &found), SNAKEPIT_MALFORMED);
    reader = READ("\x82\xa1"
                  "b\x92\xc0");
    assert_int_equal(snakepit_reader_find(&reader, "a", &found), SNAKEPIT_MALFORMED);
    assert_null(found.at);
}

// ---- Tensors ------------------------------------------------------------------

static _Alignas(SP_TENSOR_ALIGN) uint8_t memory[256];

// An ext of a float32[2, 3] at offset 64.
static void tensor_bytes(uint8_t *out)
{
    static const char ext[] = "\xc7\x20\x01\x0b\x02\0\0\0\0\0\0\x40\0\0\0\0\0\0\0"
                              "\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0";
    memcpy(out, ext, 35);
}

static snakepit_err
read_tensor(const uint8_t *ext, size_t bytes, uint64_t size, snakepit_value *value)
{
    snakepit_reader reader;
    struct sp_slice all = {memory, size};
    sp_reader_init(&reader, (struct sp_slice){ext, bytes}, all);
    return snakepit_reader_next(&reader, value);
}

static void a_tensor_points_into_the_memory(void **state)
{
    (void)state;
    uint8_t ext[35];
    snakepit_value value;
    tensor_bytes(ext);
    assert_int_equal(read_tensor(ext, sizeof(ext), 88, &value), SNAKEPIT_OK);
    assert_int_equal(value.kind, SNAKEPIT_TENSOR);
    assert_ptr_equal(value.as.tensor.data, memory + 64);
    assert_int_equal(value.as.tensor.dtype, SNAKEPIT_FLOAT32);
    assert_int_equal(value.as.tensor.rank, 2);
    assert_int_equal(value.as.tensor.shape[1], 3);
    assert_int_equal(value.as.tensor.strides[0], 12);
    assert_int_equal(value.as.tensor.strides[1], 4);
}

static void every_wrong_field_of_a_tensor_is_malformed(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        uint8_t byte;
    } wrong[] = {
        {1, 0x1f},  {1, 0x10},            // a length that is not the rank's
        {3, 0},     {3, 16},              // no dtype
        {4, 3},     {4, 1},     {4, 255}, // a rank that is not the length's
        {5, 1},     {7, 1},     {10, 1},  // what must be zero
        {11, 0x41}, {11, 0x20}, {18, 1},  // not aligned, beyond the memory
        {11, 0x80}, {18, 0x80},           // the end, and overflow
        {19, 3},    {26, 0x40}, {26, 0x80}, {34, 0x80}, // too large, overflow, negative
    };
    uint8_t ext[35];
    snakepit_value value;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        tensor_bytes(ext);
        ext[wrong[i].at] = wrong[i].byte;
        assert_int_equal(read_tensor(ext, sizeof(ext), 88, &value), SNAKEPIT_MALFORMED);
    }
    tensor_bytes(ext);
    assert_int_equal(read_tensor(ext, sizeof(ext), 87, &value), SNAKEPIT_MALFORMED);
    assert_int_equal(read_tensor(ext, sizeof(ext) - 1, 88, &value), SNAKEPIT_MALFORMED);
}

static void a_tensor_in_foreign_bytes_is_malformed(void **state)
{
    (void)state;
    uint8_t ext[35];
    snakepit_value value;
    tensor_bytes(ext);
    snakepit_reader reader;
    snakepit_reader_init(&reader, ext, sizeof(ext));
    assert_int_equal(snakepit_reader_next(&reader, &value), SNAKEPIT_MALFORMED);
    assert_int_equal(snakepit_reader_skip(&reader), SNAKEPIT_OK);
}

static void an_empty_tensor_may_stand_at_the_very_end(void **state)
{
    (void)state;
    uint8_t ext[35];
    snakepit_value value;
    tensor_bytes(ext);
    ext[19] = 0;
    assert_int_equal(read_tensor(ext, sizeof(ext), 64, &value), SNAKEPIT_OK);
    assert_int_equal(read_tensor(ext, sizeof(ext), 63, &value), SNAKEPIT_MALFORMED);
    // An empty dimension does not excuse an impossible one.
    ext[34] = 0x7f;
    assert_int_equal(read_tensor(ext, sizeof(ext), 64, &value), SNAKEPIT_MALFORMED);
}

// ---- Hostile bytes ------------------------------------------------------------

// Every kind in one value.
static const char zoo[] =
    "\x8e\x01\xc0\x02\xc2\x03\xcc\xff\x04\xd1\x80\x00\x05\xca\x3f\x80\0\0\x06\xcb\x3f"
    "\xf0"
    "\0\0\0\0\0\0\xa2kk\xd9\x03xyz\x08\xc4\x03\x01\x02\x03\x09\x93\x01\x92\xc3\x90\x80"
    "\x80\x81\x01\x02\x0a\xdc\0\x01\xcf\xff\xff\xff\xff\xff\xff\xff\xff\x0b\xd6\x05WXYZ"
    "\x0c\xde\0\x01\xa1q\xda\0\x01w\x0d\xc7\x20\x01\x0b\x02\0\0\0\0\0\0\x40\0\0\0\0\0\0"
    "\0"
    "\x02\0\0\0\0\0\0\0\x03\0\0\0\0\0\0\0";

// Does all that can be done with bytes; returns what skip said.
static snakepit_err exercise(const uint8_t *bytes, size_t size)
{
    snakepit_reader reader;
    struct sp_buf json = {0};
    snakepit_value value;
    sp_reader_init(&reader,
                   (struct sp_slice){bytes, size},
                   (struct sp_slice){memory, sizeof(memory)});
    snakepit_reader other = reader;
    snakepit_reader_find(&reader, "q", &other);
    other = reader;
    sp_json_write(&other, &json, NULL);
    sp_buf_fini(&json);
    other = reader;
    while (snakepit_reader_next(&other, &value) == SNAKEPIT_OK) {
        assert_true(other.at > reader.at && other.at <= other.end);
    }
    snakepit_err err = snakepit_reader_skip(&reader);
    assert_true(reader.at <= reader.end);
    return err;
}

static void every_prefix_of_a_value_is_an_error(void **state)
{
    (void)state;
    for (size_t size = 0; size < sizeof(zoo); size++) {
        // Exactly as large as its bytes, so that a byte behind them is found out.
        uint8_t *exact = malloc(size != 0 ? size : 1);
        memcpy(exact, zoo, size);
        snakepit_err err = exercise(exact, size);
        snakepit_err expected = size == 0                 ? SNAKEPIT_END
                                : size == sizeof(zoo) - 1 ? SNAKEPIT_OK
                                                          : SNAKEPIT_MALFORMED;
        assert_int_equal(err, expected);
        free(exact);
    }
}

static void every_changed_byte_is_an_error_or_a_value(void **state)
{
    (void)state;
    size_t size = sizeof(zoo) - 1;
    uint8_t *exact = malloc(size);
    memcpy(exact, zoo, size);
    for (size_t i = 0; i < size; i++) {
        uint8_t kept = exact[i];
        for (unsigned byte = 0; byte < 256; byte++) {
            exact[i] = (uint8_t)byte;
            snakepit_err err = exercise(exact, size);
            assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED);
        }
        exact[i] = kept;
    }
    free(exact);
}

static void random_bytes_are_an_error_or_a_value(void **state)
{
    (void)state;
    struct chance chance = {7};
    for (int i = 0; i < 100000; i++) {
        size_t size = 1 + chance_below(&chance, 40);
        uint8_t *exact = malloc(size);
        for (size_t j = 0; j < size; j++) {
            exact[j] = (uint8_t)chance_next(&chance);
        }
        snakepit_err err = exercise(exact, size);
        assert_true(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_is_the_end),
        cmocka_unit_test(kinds_are_told_apart),
        cmocka_unit_test(longer_forms_than_needed_are_read),
        cmocka_unit_test(what_no_bytes_can_back_is_malformed_and_nothing_moves),
        cmocka_unit_test(skip_steps_over_all_that_a_value_contains),
        cmocka_unit_test(skip_refuses_to_go_too_deep),
        cmocka_unit_test(find_stands_before_the_value),
        cmocka_unit_test(find_refuses_what_is_no_map_or_is_cut),
        cmocka_unit_test(a_tensor_points_into_the_memory),
        cmocka_unit_test(every_wrong_field_of_a_tensor_is_malformed),
        cmocka_unit_test(a_tensor_in_foreign_bytes_is_malformed),
        cmocka_unit_test(an_empty_tensor_may_stand_at_the_very_end),
        cmocka_unit_test(every_prefix_of_a_value_is_an_error),
        cmocka_unit_test(every_changed_byte_is_an_error_or_a_value),
        cmocka_unit_test(random_bytes_are_an_error_or_a_value),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
