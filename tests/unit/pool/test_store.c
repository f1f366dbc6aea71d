// SPDX-License-Identifier: MIT
#include "pool/store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "ipc/layout.h"

#include "base/memory.h"

#define SIZE (UINT64_C(1) << 20)

static struct sp_store store;
static struct sp_parcel *parcel;
static snakepit_writer *writer;

static int open_store(void **state)
{
    (void)state;
    assert_int_equal(sp_store_init(&store, SIZE, NULL), SNAKEPIT_OK);
    assert_int_equal(sp_parcel_new(&store, &parcel), SNAKEPIT_OK);
    writer = snakepit_writer_new();
    assert_non_null(writer);
    return 0;
}

static int close_store(void **state)
{
    (void)state;
    snakepit_writer_free(writer);
    sp_parcel_free(&store, parcel);
    sp_parcel_free(&store, NULL);
    assert_int_equal(sp_arena_used(&store.arena), 0);
    sp_store_fini(&store);
    return 0;
}

static snakepit_err fill(const char *tool, const char *session)
{
    const struct sp_request_text text = {
        .tool = tool,
        .tool_size = (uint32_t)strlen(tool),
        .session = session,
        .session_size = session == NULL ? 0 : (uint32_t)strlen(session),
        .args = writer,
    };
    return sp_parcel_fill(&store, parcel, &text);
}

static const uint8_t *at(uint64_t offset)
{
    return store.segment.base + offset;
}

static void only_pages_that_were_written_back_the_memory(void **state)
{
    struct sp_share *share;
    (void)state;
    const uint64_t before = sp_store_backed(&store);
    assert_true(before < SIZE / 4);
    assert_int_equal(sp_share_new(&store, SIZE / 2, &share), SNAKEPIT_OK);
    assert_int_equal(sp_store_backed(&store), before);
    memset(store.segment.base + share->offset, 1, SIZE / 2);
    assert_in_range(sp_store_backed(&store), SIZE / 2, SIZE / 2 + before + 8192);
    sp_share_unref(&store, share);
}

static void a_small_request_lies_in_the_block(void **state)
{
    (void)state;
    snakepit_writer_map(writer, 0);
    assert_int_equal(fill("tool", "session"), SNAKEPIT_OK);
    assert_memory_equal(at(parcel->block), "toolsession\x80", 12);
    assert_int_equal(parcel->name_size, 4);
    assert_int_equal(parcel->session_size, 7);
    assert_int_equal(parcel->body, parcel->block + 11);
    assert_int_equal(parcel->body_size, 1);
    assert_false(parcel->body_is_range);
    assert_int_equal(sp_arena_used(&store.arena), SP_PARCEL_BLOCK);
}

static void a_trace_lies_behind_the_session_and_fits(void **state)
{
    static const char session[] = "sess";
    char name[SP_TOOL_NAME_MAX + 1];
    char more[SP_TRACESTATE_MAX + 1];
    const struct sp_trace_context trace = {.trace = {1}, .span = {2}, .flags = 1};
    (void)state;
    memset(name, 'n', sizeof name);
    memset(more, 'm', sizeof more);
    struct sp_request_text text = {.tool = name,
                                   .tool_size = 4,
                                   .session = session,
                                   .session_size = 4,
                                   .trace = &trace,
                                   .tracestate = {(uint8_t *)more, 9}};
    assert_int_equal(sp_parcel_fill(&store, parcel, &text), SNAKEPIT_OK);
    struct sp_slice at = sp_parcel_trace(&store, parcel);
    assert_int_equal(at.size, 25 + 9);
    assert_memory_equal(at.data, &trace, 25);
    assert_memory_equal(at.data + 25, "mmm", 3);
    assert_memory_equal(sp_parcel_session(&store, parcel).data, "sess", 4);
    assert_ptr_equal(at.data + at.size,
                     store.segment.base + parcel->block + SP_PARCEL_BLOCK);
    assert_int_equal(parcel->body, parcel->block + 8); // it is not between them
    // Of the longest names there is room for a part of the limit alone.
    text.tool_size = SP_TOOL_NAME_MAX;
    text.session = name;
    text.session_size = SP_SESSION_MAX;
    text.tracestate.size = SP_TRACESTATE_MAX;
    assert_int_equal(sp_parcel_fill(&store, parcel, &text), SNAKEPIT_OK);
    assert_int_equal(sp_parcel_trace(&store, parcel).size, 25);
    text.tracestate.size = SP_PARCEL_BLOCK - 2 * 255 - 25;
    assert_int_equal(sp_parcel_fill(&store, parcel, &text), SNAKEPIT_OK);
    assert_int_equal(sp_parcel_trace(&store, parcel).size, SP_PARCEL_BLOCK - 2 * 255);
    assert_int_equal(parcel->block + 2 * 255, parcel->body);
    // And none is left of the one before.
    text.trace = NULL;
    assert_int_equal(sp_parcel_fill(&store, parcel, &text), SNAKEPIT_OK);
    assert_int_equal(parcel->trace_size, 0);
}

static void write_bytes(size_t size)
{
    static uint8_t bytes[8192];
    memset(bytes, 'b', sizeof bytes);
    snakepit_writer_reset(writer);
    snakepit_writer_bytes(writer, bytes, size);
}

static void a_request_that_just_fits_stays_and_one_byte_more_gets_a_range(void **state)
{
    (void)state;
    // "tool" and three bytes of head for bytes of this length.
    size_t most = SP_PARCEL_BLOCK - 4 - 3;
    write_bytes(most);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_OK);
    assert_false(parcel->body_is_range);
    assert_int_equal(parcel->body_size, SP_PARCEL_BLOCK - 4);
    sp_parcel_empty(&store, parcel);
    write_bytes(most + 1);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_OK);
    assert_true(parcel->body_is_range);
    assert_int_equal(at(parcel->body)[parcel->body_size - 1], 'b');
    assert_true(sp_arena_used(&store.arena) > 2 * SP_PARCEL_BLOCK - 64);
    sp_parcel_empty(&store, parcel);
    assert_int_equal(sp_arena_used(&store.arena), SP_PARCEL_BLOCK);
}

static void a_request_that_is_too_large_leaves_the_parcel_empty(void **state)
{
    (void)state;
    uint8_t *bytes = calloc(1, SIZE);
    assert_non_null(bytes);
    snakepit_writer_bytes(writer, bytes, SIZE);
    free(bytes);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_NO_MEMORY);
    assert_int_equal(sp_arena_used(&store.arena), SP_PARCEL_BLOCK);
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 0);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_OK);
}

static void the_longest_names_fit(void **state)
{
    (void)state;
    char name[256];
    memset(name, 'n', sizeof name);
    name[255] = 0;
    snakepit_writer_map(writer, 0);
    assert_int_equal(fill(name, name), SNAKEPIT_OK);
    assert_int_equal(parcel->body, parcel->block + 510);
}

// ---- Tensors ------------------------------------------------------------------

static snakepit_tensor vector(const void *data, int64_t items)
{
    return (snakepit_tensor){
        .data = data, .dtype = SNAKEPIT_INT32, .rank = 1, .shape = {items}};
}

static void write_tensor(const snakepit_tensor *tensor)
{
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "x");
    snakepit_writer_tensor(writer, tensor);
}

static void a_foreign_tensor_is_copied_once_and_packed(void **state)
{
    (void)state;
    const int32_t numbers[] = {1, 2, 3, 4, 5, 6};
    snakepit_tensor every_other = vector(numbers, 3);
    every_other.strides[0] = 8;
    write_tensor(&every_other);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_OK);
    assert_int_equal(parcel->share_count, 1);
    const int32_t packed[] = {1, 3, 5};
    assert_memory_equal(at(parcel->shares[0]->offset), packed, sizeof packed);
    assert_int_equal(parcel->shares[0]->refs, 1);
    sp_parcel_empty(&store, parcel);
    assert_true(sp_list_empty(&store.shares));
}

static void a_tensor_of_the_segment_is_not_copied(void **state)
{
    (void)state;
    struct sp_share *share;
    assert_int_equal(sp_share_new(&store, 12, &share), SNAKEPIT_OK);
    uint8_t *data = store.segment.base + share->offset;
    snakepit_tensor tensor = vector(data, 3);
    write_tensor(&tensor);
    uint64_t used = sp_arena_used(&store.arena);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_OK);
    assert_int_equal(sp_arena_used(&store.arena), used);
    assert_ptr_equal(parcel->shares[0], share);
    assert_int_equal(share->refs, 2);
    // The program lets go; the call still has it.
    sp_share_unref(&store, share);
    assert_ptr_equal(sp_share_find(&store, data), share);
    sp_parcel_empty(&store, parcel);
    assert_null(sp_share_find(&store, data));
}

static void a_view_that_is_not_packed_is_copied_even_from_the_segment(void **state)
{
    (void)state;
    struct sp_share *share;
    assert_int_equal(sp_share_new(&store, 24, &share), SNAKEPIT_OK);
    const int32_t numbers[] = {1, 2, 3, 4, 5, 6};
    memcpy(store.segment.base + share->offset, numbers, sizeof numbers);
    snakepit_tensor tensor = vector(store.segment.base + share->offset, 3);
    tensor.strides[0] = 8;
    write_tensor(&tensor);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_OK);
    assert_ptr_not_equal(parcel->shares[0], share);
    const int32_t packed[] = {1, 3, 5};
    assert_memory_equal(at(parcel->shares[0]->offset), packed, sizeof packed);
    sp_parcel_empty(&store, parcel);
    sp_share_unref(&store, share);
}

static void a_tensor_larger_than_its_share_is_not_taken_for_it(void **state)
{
    (void)state;
    struct sp_share *share;
    struct sp_share *behind;
    assert_int_equal(sp_share_new(&store, 64, &share), SNAKEPIT_OK);
    assert_int_equal(sp_share_new(&store, 4096, &behind), SNAKEPIT_OK);
    snakepit_tensor tensor = vector(store.segment.base + share->offset, 64);
    write_tensor(&tensor);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_OK);
    assert_ptr_not_equal(parcel->shares[0], share);
    assert_true(parcel->shares[0]->bytes >= 256);
    sp_parcel_empty(&store, parcel);
    sp_share_unref(&store, behind);
    sp_share_unref(&store, share);
}

static void an_empty_tensor_has_a_place_too(void **state)
{
    (void)state;
    snakepit_tensor tensor = vector(NULL, 0);
    write_tensor(&tensor);
    assert_int_equal(fill("tool", NULL), SNAKEPIT_OK);
    assert_int_equal(parcel->share_count, 1);
    sp_parcel_empty(&store, parcel);
}

static void only_the_start_of_a_share_finds_it(void **state)
{
    (void)state;
    struct sp_share *share;
    assert_int_equal(sp_share_new(&store, 0, &share), SNAKEPIT_OK);
    uint8_t *data = store.segment.base + share->offset;
    assert_ptr_equal(sp_share_find(&store, data), share);
    assert_null(sp_share_find(&store, data + 1));
    assert_null(sp_share_find(&store, NULL));
    assert_null(sp_share_find(&store, &share));
    assert_null(sp_share_find(&store, store.segment.base + SIZE));
    sp_share_unref(&store, share);
}

static void every_failed_allocation_leaves_the_parcel_empty(void **state)
{
    (void)state;
    const int32_t numbers[] = {1, 2, 3};
    snakepit_tensor tensor = vector(numbers, 3);
    write_tensor(&tensor);
    snakepit_err err;
    long nth = 0;
    do {
        sp_memory_fail_at(++nth);
        err = fill("tool", NULL);
        sp_memory_fail_at(0);
        if (err != SNAKEPIT_OK) {
            assert_int_equal(err, SNAKEPIT_NO_MEMORY);
            assert_int_equal(parcel->share_count, 0);
            assert_int_equal(sp_arena_used(&store.arena), SP_PARCEL_BLOCK);
        }
    } while (err != SNAKEPIT_OK);
    assert_true(nth >= 2);
    sp_parcel_empty(&store, parcel);
}

static void every_failed_allocation_of_constructors_is_survived(void **state)
{
    (void)state;
    struct sp_store other;
    struct sp_parcel *made = NULL;
    struct sp_share *share = NULL;
    sp_memory_fail_at(1);
    memset(&other, 0, sizeof other);
    assert_int_equal(sp_store_init(&other, SIZE, NULL), SNAKEPIT_NO_MEMORY);
    sp_memory_fail_at(1);
    assert_int_equal(sp_parcel_new(&store, &made), SNAKEPIT_NO_MEMORY);
    assert_null(made);
    sp_memory_fail_at(1);
    assert_int_equal(sp_share_new(&store, 10, &share), SNAKEPIT_NO_MEMORY);
    assert_null(share);
    sp_memory_fail_at(0);
    assert_int_equal(sp_share_new(&store, SIZE, &share), SNAKEPIT_NO_MEMORY);
    assert_int_equal(sp_arena_used(&store.arena), SP_PARCEL_BLOCK);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_store, close_store)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(only_pages_that_were_written_back_the_memory),
        test(a_small_request_lies_in_the_block),
        test(a_trace_lies_behind_the_session_and_fits),
        test(a_request_that_just_fits_stays_and_one_byte_more_gets_a_range),
        test(a_request_that_is_too_large_leaves_the_parcel_empty),
        test(the_longest_names_fit),
        test(a_foreign_tensor_is_copied_once_and_packed),
        test(a_tensor_of_the_segment_is_not_copied),
        test(a_view_that_is_not_packed_is_copied_even_from_the_segment),
        test(a_tensor_larger_than_its_share_is_not_taken_for_it),
        test(an_empty_tensor_has_a_place_too),
        test(only_the_start_of_a_share_finds_it),
        test(every_failed_allocation_leaves_the_parcel_empty),
        test(every_failed_allocation_of_constructors_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
