// SPDX-License-Identifier: MIT
#include "payload/tensor.h"

#include "values.h"

static void every_dtype_has_a_size_and_a_name(void **state)
{
    (void)state;
#define CHECK_ROW(name, number, size, numpy)                          \
    assert_int_equal(snakepit_dtype_size(SNAKEPIT_##name), size);     \
    assert_string_equal(snakepit_dtype_name(SNAKEPIT_##name), numpy); \
    assert_int_equal(sp_dtype_of(numpy), SNAKEPIT_##name);
    SNAKEPIT_DTYPES(CHECK_ROW)
#undef CHECK_ROW
}

static void a_number_that_is_no_dtype_has_neither(void **state)
{
    (void)state;
    assert_int_equal(snakepit_dtype_size((snakepit_dtype)0), 0);
    assert_int_equal(snakepit_dtype_size((snakepit_dtype)255), 0);
    assert_null(snakepit_dtype_name((snakepit_dtype)16));
    assert_int_equal(sp_dtype_of("float"), 0);
    assert_int_equal(sp_dtype_of(""), 0);
}

static void size_is_the_product_of_the_shape(void **state)
{
    (void)state;
    size_t bytes = 0;
    snakepit_tensor tensor = {NULL, SNAKEPIT_COMPLEX128, 3, {2, 3, 4}, {0}};
    assert_int_equal(snakepit_tensor_bytes(&tensor, &bytes), SNAKEPIT_OK);
    assert_int_equal(bytes, 2 * 3 * 4 * 16);
    tensor.rank = 0;
    assert_int_equal(snakepit_tensor_bytes(&tensor, &bytes), SNAKEPIT_OK);
    assert_int_equal(bytes, 16);
    tensor = (snakepit_tensor){NULL, SNAKEPIT_INT8, 2, {0, 5}, {0}};
    assert_int_equal(snakepit_tensor_bytes(&tensor, &bytes), SNAKEPIT_OK);
    assert_int_equal(bytes, 0);
}

static void a_size_that_cannot_be_is_refused_and_nothing_written(void **state)
{
    (void)state;
    static const snakepit_tensor wrong[] = {
        {NULL, (snakepit_dtype)99, 0, {0}, {0}},
        {NULL, SNAKEPIT_INT8, SNAKEPIT_MAX_RANK + 1, {0}, {0}},
        {NULL, SNAKEPIT_INT8, 1, {-1}, {0}},
        {NULL, SNAKEPIT_INT8, 2, {0, -1}, {0}},
        {NULL, SNAKEPIT_INT16, 1, {INT64_MAX}, {0}},
        {NULL, SNAKEPIT_INT8, 3, {1LL << 32, 1LL << 31, 2}, {0}},
        {NULL, SNAKEPIT_INT8, 3, {0, INT64_MAX, 3}, {0}},
    };
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        size_t bytes = 42;
        assert_int_equal(snakepit_tensor_bytes(&wrong[i], &bytes),
                         SNAKEPIT_INVALID_ARGUMENT);
        assert_int_equal(sp_tensor_check(&wrong[i], &bytes), SNAKEPIT_INVALID_ARGUMENT);
        assert_int_equal(bytes, 42);
    }
}

static void packed_strides_are_those_of_c(void **state)
{
    (void)state;
    snakepit_tensor tensor = {NULL, SNAKEPIT_INT16, 3, {2, 3, 4}, {0}};
    sp_tensor_set_packed(&tensor);
    assert_int_equal(tensor.strides[0], 24);
    assert_int_equal(tensor.strides[1], 8);
    assert_int_equal(tensor.strides[2], 2);
}

// ---- Packing ------------------------------------------------------------------

// What sp_tensor_pack() should give, one element after the other.
static void pack_slowly(const snakepit_tensor *tensor, uint8_t *out)
{
    size_t size = snakepit_dtype_size(tensor->dtype);
    size_t bytes = 0;
    assert_int_equal(snakepit_tensor_bytes(tensor, &bytes), SNAKEPIT_OK);
    for (size_t i = 0; i < bytes / size; i++) {
        const uint8_t *at = tensor->data;
        size_t rest = i;
        for (uint32_t d = tensor->rank; d > 0; d--) {
            at +=
                (int64_t)(rest % (size_t)tensor->shape[d - 1]) * tensor->strides[d - 1];
            rest /= (size_t)tensor->shape[d - 1];
        }
        memcpy(out + i * size, at, size);
    }
}

static uint8_t source[1 << 16];
static uint8_t packed[1 << 16];
static uint8_t expected[1 << 16];

static void check_pack(const snakepit_tensor *tensor)
{
    size_t bytes = 0;
    assert_int_equal(snakepit_tensor_bytes(tensor, &bytes), SNAKEPIT_OK);
    uint8_t *exact = malloc(bytes != 0 ? bytes : 1);
    pack_slowly(tensor, expected);
    sp_tensor_pack(tensor, exact);
    assert_memory_equal(exact, expected, bytes);
    free(exact);
}

static int fill_source(void **state)
{
    (void)state;
    struct chance chance = {1};
    for (size_t i = 0; i < sizeof(source); i++) {
        source[i] = (uint8_t)chance_next(&chance);
    }
    return 0;
}

static void a_packed_tensor_is_copied_as_it_is(void **state)
{
    (void)state;
    snakepit_tensor tensor = {source, SNAKEPIT_FLOAT32, 2, {100, 100}, {0}};
    sp_tensor_pack(&tensor, packed);
    assert_memory_equal(packed, source, 40000);
    sp_tensor_set_packed(&tensor);
    memset(packed, 0, sizeof(packed));
    sp_tensor_pack(&tensor, packed);
    assert_memory_equal(packed, source, 40000);
}

static void columns_slices_reversals_and_repeats_are_packed(void **state)
{
    (void)state;
    const uint8_t *middle = source + sizeof(source) / 2;
    const snakepit_tensor tensors[] = {
        {source, SNAKEPIT_FLOAT32, 2, {30, 40}, {4, 120}},
        {source, SNAKEPIT_FLOAT64, 2, {30, 10}, {400, 8}},
        {middle, SNAKEPIT_INT16, 1, {100}, {-2}},
        {middle, SNAKEPIT_INT8, 3, {5, 1, 7}, {-70, 999, 3}},
        {source, SNAKEPIT_COMPLEX128, 2, {8, 9}, {0, 16}},
        {source, SNAKEPIT_COMPLEX64, 3, {2, 3, 4}, {1000, 8, 96}},
        {source, SNAKEPIT_UINT8, 1, {0}, {7}},
        {source, SNAKEPIT_UINT8, 3, {2, 0, 3}, {7, 1, 1}},
        {source, SNAKEPIT_INT32, 3, {1, 1, 1}, {7, 5, 3}},
    };
    for (size_t i = 0; i < sizeof(tensors) / sizeof(tensors[0]); i++) {
        check_pack(&tensors[i]);
    }
}

static void random_strides_are_packed(void **state)
{
    (void)state;
    struct chance chance = {2};
    for (int i = 0; i < 20000; i++) {
        snakepit_tensor tensor = {.data = source + sizeof(source) / 2};
        bool moved = false;
        tensor.dtype = (snakepit_dtype)(1 + chance_below(&chance, 14));
        tensor.rank = (uint32_t)chance_below(&chance, 6);
        for (uint32_t d = 0; d < tensor.rank; d++) {
            tensor.shape[d] = (int64_t)chance_below(&chance, 5);
            tensor.strides[d] = (int64_t)chance_below(&chance, 2001) - 1000;
            moved = moved || tensor.strides[d] != 0;
        }
        // Often an inner part that is packed, so that merging has something to do.
        if (tensor.rank > 2 && chance_below(&chance, 2) != 0) {
            int64_t size = (int64_t)snakepit_dtype_size(tensor.dtype);
            tensor.strides[tensor.rank - 1] = size;
            tensor.strides[tensor.rank - 2] = size * tensor.shape[tensor.rank - 1];
            moved = true;
        }
        if (moved) {
            check_pack(&tensor);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_dtype_has_a_size_and_a_name),
        cmocka_unit_test(a_number_that_is_no_dtype_has_neither),
        cmocka_unit_test(size_is_the_product_of_the_shape),
        cmocka_unit_test(a_size_that_cannot_be_is_refused_and_nothing_written),
        cmocka_unit_test(packed_strides_are_those_of_c),
        cmocka_unit_test(a_packed_tensor_is_copied_as_it_is),
        cmocka_unit_test(columns_slices_reversals_and_repeats_are_packed),
        cmocka_unit_test(random_strides_are_packed),
    };
    return cmocka_run_group_tests(tests, fill_source, NULL);
}
