// SPDX-License-Identifier: MIT
#include "grpc/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#define MOST 1000u

// "abc", nothing, and one that says that it is compressed.
static const uint8_t three[] = {0, 0, 0, 0, 3, 'a', 'b', 'c', 0,   0,
                                0, 0, 0, 1, 0, 0,   0,   2,   'x', 'y'};

static void
expect(const struct sp_grpc_reader *reader, bool compressed, const char *text)
{
    assert_int_equal(reader->compressed, compressed);
    assert_int_equal(reader->message.bytes.size, strlen(text));
    if (reader->message.bytes.size > 0) {
        assert_memory_equal(reader->message.bytes.data, text, strlen(text));
    }
}

// Hands the bytes over in pieces of `step` and counts the messages.
static void read_in_steps(size_t step)
{
    static const char *const texts[] = {"abc", "", "xy"};
    struct sp_grpc_reader reader = {.most = MOST};
    size_t count = 0;
    for (size_t at = 0; at < sizeof three; at += step) {
        const size_t left = sizeof three - at;
        struct sp_slice piece = {three + at, step < left ? step : left};
        enum sp_grpc_read read = sp_grpc_reader_take(&reader, &piece);
        while (read == SP_GRPC_READ_MESSAGE) {
            assert_false(sp_grpc_reader_is_amid(&reader));
            expect(&reader, count == 2, texts[count]);
            count++;
            read = piece.size > 0 ? sp_grpc_reader_take(&reader, &piece)
                                  : SP_GRPC_READ_MORE;
        }
        assert_int_equal(read, SP_GRPC_READ_MORE);
        assert_int_equal(piece.size, 0);
    }
    assert_int_equal(count, 3);
    sp_grpc_reader_fini(&reader);
}

static void messages_are_read_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t step = 1; step <= sizeof three; step++) {
        read_in_steps(step);
    }
}

// A message of 40 bytes of which 20 go elsewhere from the 5th on, in pieces of `step`.
static void read_aside(size_t step, size_t stop)
{
    uint8_t body[SP_GRPC_PREFIX_SIZE + 40] = {0, 0, 0, 0, 40};
    uint8_t room[20];
    size_t heads = 0;
    struct sp_grpc_reader reader = {.most = MOST, .stop = stop};
    enum sp_grpc_read read = SP_GRPC_READ_MORE;
    for (uint8_t i = 0; i < 40; i++) {
        body[SP_GRPC_PREFIX_SIZE + i] = i;
    }
    for (size_t at = 0; at < sizeof body; at += step) {
        const size_t left = sizeof body - at;
        struct sp_slice piece = {body + at, step < left ? step : left};
        do {
            read = sp_grpc_reader_take(&reader, &piece);
            if (read == SP_GRPC_READ_HEAD) {
                assert_int_equal(reader.message.bytes.size, stop);
                sp_grpc_reader_put_aside(&reader, room, 5, sizeof room);
                heads++;
            }
        } while (piece.size > 0);
        assert_true(sp_grpc_reader_is_amid(&reader) ==
                    (at + step < sizeof body && read != SP_GRPC_READ_MESSAGE));
    }
    assert_int_equal(heads, 1);
    assert_int_equal(read, SP_GRPC_READ_MESSAGE);
    assert_int_equal(reader.message.bytes.size, 20);
    assert_memory_equal(reader.message.bytes.data, body + SP_GRPC_PREFIX_SIZE, 5);
    assert_memory_equal(
        reader.message.bytes.data + 5, body + SP_GRPC_PREFIX_SIZE + 25, 15);
    assert_memory_equal(room, body + SP_GRPC_PREFIX_SIZE + 5, sizeof room);
    // The next one has nothing aside.
    struct sp_slice bytes = {three, 8};
    assert_int_equal(sp_grpc_reader_take(&reader, &bytes), SP_GRPC_READ_MESSAGE);
    expect(&reader, false, "abc");
    sp_grpc_reader_fini(&reader);
}

static void bytes_go_elsewhere_however_they_are_cut(void **state)
{
    (void)state;
    for (size_t step = 1; step <= SP_GRPC_PREFIX_SIZE + 40; step++) {
        for (size_t stop = 5; stop < 25; stop++) {
            read_aside(step, stop);
        }
    }
}

static void only_a_message_that_is_larger_stops(void **state)
{
    (void)state;
    struct sp_grpc_reader reader = {.most = MOST, .stop = 3};
    struct sp_slice bytes = {three, 8};
    assert_int_equal(sp_grpc_reader_take(&reader, &bytes), SP_GRPC_READ_MESSAGE);
    expect(&reader, false, "abc");
    sp_grpc_reader_fini(&reader);
}

static void a_message_that_is_cut_off_is_noticed(void **state)
{
    (void)state;
    for (size_t size = 0; size <= sizeof three; size++) {
        struct sp_grpc_reader reader = {.most = MOST};
        struct sp_slice bytes = {three, size};
        while (bytes.size > 0) {
            (void)sp_grpc_reader_take(&reader, &bytes);
        }
        const bool between = size == 0 || size == 8 || size == 13 || size == 20;
        assert_int_equal(sp_grpc_reader_is_amid(&reader), !between);
        sp_grpc_reader_fini(&reader);
    }
}

static enum sp_grpc_read read_once(size_t most, const uint8_t *data, size_t size)
{
    struct sp_grpc_reader reader = {.most = most};
    struct sp_slice bytes = {data, size};
    const enum sp_grpc_read read = sp_grpc_reader_take(&reader, &bytes);
    sp_grpc_reader_fini(&reader);
    return read;
}

static void a_message_may_be_as_large_as_it_may(void **state)
{
    static const uint8_t huge[] = {0, 0xff, 0xff, 0xff, 0xff};
    (void)state;
    assert_int_equal(read_once(3, three, 8), SP_GRPC_READ_MESSAGE);
    assert_int_equal(read_once(2, three, 8), SP_GRPC_READ_TOO_LARGE);
    assert_int_equal(read_once(2, three, 5), SP_GRPC_READ_TOO_LARGE);
    assert_int_equal(read_once(MOST, huge, 5), SP_GRPC_READ_TOO_LARGE);
}

static void a_claim_takes_no_memory(void **state)
{
    static const uint8_t claim[] = {0, 0x7f, 0xff, 0xff, 0xff, 'a'};
    struct sp_grpc_reader reader = {.most = UINT32_MAX};
    struct sp_slice bytes = {claim, sizeof claim};
    (void)state;
    assert_int_equal(sp_grpc_reader_take(&reader, &bytes), SP_GRPC_READ_MORE);
    assert_true(reader.message.bytes.capacity < 4096);
    sp_grpc_reader_fini(&reader);
}

static void messages_take_no_more_than_the_budget_has(void **state)
{
    static const uint8_t claim[] = {0, 0, 0, 0x40, 0}; // 16 KiB
    static const uint8_t piece[4096];
    struct sp_budget budget = {.most = 12000};
    struct sp_grpc_reader reader = {.most = UINT32_MAX, .budget = &budget};
    struct sp_slice bytes = {claim, sizeof claim};
    (void)state;
    assert_int_equal(sp_grpc_reader_take(&reader, &bytes), SP_GRPC_READ_MORE);
    for (size_t taken = 0; taken < 8192; taken += sizeof piece) {
        bytes = (struct sp_slice){piece, sizeof piece};
        assert_int_equal(sp_grpc_reader_take(&reader, &bytes), SP_GRPC_READ_MORE);
    }
    assert_int_equal(atomic_load(&budget.used), 8192);
    bytes = (struct sp_slice){piece, sizeof piece};
    assert_int_equal(sp_grpc_reader_take(&reader, &bytes), SP_GRPC_READ_SPENT);
    sp_grpc_reader_fini(&reader);
    assert_int_equal(atomic_load(&budget.used), 0);
}

static void a_large_message_does_not_stay_with_the_next_one(void **state)
{
    static uint8_t large[SP_GRPC_PREFIX_SIZE + 8192] = {0, 0, 0, 0x20, 0};
    struct sp_budget budget = {.most = 12000};
    struct sp_grpc_reader reader = {.most = UINT32_MAX, .budget = &budget};
    struct sp_slice bytes = {large, sizeof large};
    (void)state;
    assert_int_equal(sp_grpc_reader_take(&reader, &bytes), SP_GRPC_READ_MESSAGE);
    assert_int_equal(atomic_load(&budget.used), 8192);
    bytes = (struct sp_slice){three, 8};
    assert_int_equal(sp_grpc_reader_take(&reader, &bytes), SP_GRPC_READ_MESSAGE);
    expect(&reader, false, "abc");
    assert_int_equal(atomic_load(&budget.used), 0);
    sp_grpc_reader_fini(&reader);
}

static void a_flag_is_nought_or_one(void **state)
{
    static const uint8_t wrong[] = {2, 0, 0, 0, 0};
    (void)state;
    assert_int_equal(read_once(MOST, wrong, 1), SP_GRPC_READ_BAD_FLAG);
    assert_int_equal(read_once(MOST, wrong, 5), SP_GRPC_READ_BAD_FLAG);
}

static void a_frame_begins_with_its_size(void **state)
{
    struct sp_buf out = {0};
    size_t at = 0;
    uint8_t byte = 'z';
    (void)state;
    assert_int_equal(sp_buf_append(&out, "before", 6), SNAKEPIT_OK);
    assert_int_equal(sp_grpc_frame_begin(&out, &at), SNAKEPIT_OK);
    for (unsigned i = 0; i < 0x10203; i++) {
        assert_int_equal(sp_buf_append(&out, &byte, 1), SNAKEPIT_OK);
    }
    assert_int_equal(sp_grpc_frame_end(&out, at), SNAKEPIT_OK);
    assert_memory_equal(out.data, "before\0\0\1\2\3z", 12);
    sp_buf_fini(&out);
}

// ---- Compression ------------------------------------------------------------------

// `size` zeros, packed.
static struct sp_buf pack(size_t size)
{
    static const uint8_t zeros[4096];
    struct sp_buf packed = {0};
    z_stream stream = {.next_in = NULL};
    assert_int_equal(deflateInit2(&stream, 9, Z_DEFLATED, 15 + 16, 8, 0), Z_OK);
    assert_int_equal(sp_buf_reserve(&packed, size + 1024), SNAKEPIT_OK);
    stream.next_out = packed.data;
    stream.avail_out = (uInt)packed.capacity;
    for (size_t left = size; left > 0;) {
        const size_t piece = left < sizeof zeros ? left : sizeof zeros;
        stream.next_in = (Bytef *)(uintptr_t)zeros;
        stream.avail_in = (uInt)piece;
        assert_int_equal(deflate(&stream, Z_NO_FLUSH), Z_OK);
        left -= piece;
    }
    assert_int_equal(deflate(&stream, Z_FINISH), Z_STREAM_END);
    packed.size = packed.capacity - stream.avail_out;
    assert_int_equal(deflateEnd(&stream), Z_OK);
    return packed;
}

static snakepit_err unpack(size_t size, size_t most, size_t *got)
{
    struct sp_buf packed = pack(size);
    struct sp_counted out = {.counted = 0};
    snakepit_err err =
        sp_grpc_gunzip((struct sp_slice){packed.data, packed.size}, most, NULL, &out);
    *got = out.bytes.size;
    sp_counted_forget(&out, NULL, 0);
    sp_buf_fini(&packed);
    return err;
}

static void what_is_packed_is_unpacked_up_to_a_limit(void **state)
{
    static const size_t sizes[] = {0, 1, 65535, 65536, 65537, 300000};
    size_t got = 0;
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
        assert_int_equal(unpack(sizes[i], sizes[i], &got), SNAKEPIT_OK);
        assert_int_equal(got, sizes[i]);
        if (sizes[i] > 0) {
            assert_int_equal(unpack(sizes[i], sizes[i] - 1, &got),
                             SNAKEPIT_QUOTA_EXCEEDED);
            assert_true(got <= sizes[i]);
        }
    }
}

static void what_is_not_gzip_is_refused(void **state)
{
    struct sp_buf packed = pack(1000);
    struct sp_counted out = {.counted = 0};
    (void)state;
    for (size_t size = 0; size < packed.size; size++) {
        assert_int_equal(
            sp_grpc_gunzip((struct sp_slice){packed.data, size}, MOST, NULL, &out),
            SNAKEPIT_MALFORMED);
    }
    assert_int_equal(sp_buf_append(&packed, "more", 4), SNAKEPIT_OK);
    assert_int_equal(
        sp_grpc_gunzip((struct sp_slice){packed.data, packed.size}, MOST, NULL, &out),
        SNAKEPIT_MALFORMED);
    sp_buf_fini(&packed);
    sp_counted_forget(&out, NULL, 0);
}

static void what_unpacks_to_more_than_the_budget_has_ends_early(void **state)
{
    struct sp_budget budget = {.most = 200000};
    struct sp_counted out = {.counted = 0};
    struct sp_buf packed = pack(10000000);
    const struct sp_slice bytes = {packed.data, packed.size};
    (void)state;
    assert_int_equal(sp_grpc_gunzip(bytes, 10000000, &budget, &out), SNAKEPIT_AGAIN);
    assert_true(out.bytes.capacity <= 200000);
    assert_int_equal(atomic_load(&budget.used), out.counted);
    sp_counted_forget(&out, &budget, 0);
    assert_int_equal(atomic_load(&budget.used), 0);
    sp_buf_fini(&packed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(messages_are_read_however_they_are_cut),
        cmocka_unit_test(bytes_go_elsewhere_however_they_are_cut),
        cmocka_unit_test(only_a_message_that_is_larger_stops),
        cmocka_unit_test(a_message_that_is_cut_off_is_noticed),
        cmocka_unit_test(a_message_may_be_as_large_as_it_may),
        cmocka_unit_test(a_claim_takes_no_memory),
        cmocka_unit_test(messages_take_no_more_than_the_budget_has),
        cmocka_unit_test(a_large_message_does_not_stay_with_the_next_one),
        cmocka_unit_test(a_flag_is_nought_or_one),
        cmocka_unit_test(a_frame_begins_with_its_size),
        cmocka_unit_test(what_is_packed_is_unpacked_up_to_a_limit),
        cmocka_unit_test(what_is_not_gzip_is_refused),
        cmocka_unit_test(what_unpacks_to_more_than_the_budget_has_ends_early),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
