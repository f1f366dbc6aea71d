// SPDX-License-Identifier: MIT
// Writes MessagePack, each value in its shortest form. `pending` counts the values that
// are still wanted; it starts at 1, a value takes one away and a container adds its
// items. The value is whole when it reaches 0. A full container can end only together
// with its last item, hence the stack of counts at which each open one is full: it
// exists to limit the depth.
#include "payload/writer.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <snakepit/snakepit.h>

#include "base/bytes.h"
#include "base/memory.h"
#include "base/text.h"
#include "payload/keys.h"
#include "payload/place.h"
#include "payload/put.h"
#include "payload/reader.h"
#include "payload/tensor.h"

struct sp_writer_block {
    struct sp_writer_block *next;
    _Alignas(16) uint8_t data[];
};

// What a writer is before its first value.
static void begin(snakepit_writer *writer)
{
    writer->buf.size = 0;
    writer->err = SNAKEPIT_OK;
    writer->depth = 0;
    writer->pending = 1;
    writer->ends[0] = UINT64_MAX;
    writer->maps[0] = false;
    writer->tensor_count = 0;
    writer->wrong[0] = '\0';
}

static void free_blocks(snakepit_writer *writer)
{
    while (writer->blocks != NULL) {
        struct sp_writer_block *next = writer->blocks->next;
        sp_free(writer->blocks);
        writer->blocks = next;
    }
}

snakepit_writer *snakepit_writer_new(void)
{
    snakepit_writer *writer = sp_alloc(sizeof(*writer));
    if (writer != NULL) {
        begin(writer);
    }
    return writer;
}

void snakepit_writer_free(snakepit_writer *writer)
{
    if (writer == NULL) {
        return;
    }
    free_blocks(writer);
    sp_free(writer->tensors);
    sp_buf_fini(&writer->buf);
    sp_free(writer);
}

void snakepit_writer_reset(snakepit_writer *writer)
{
    if (writer != NULL) {
        free_blocks(writer);
        begin(writer);
    }
}

void sp_writer_fail(snakepit_writer *writer, snakepit_err err)
{
    if (writer != NULL && writer->err == SNAKEPIT_OK) {
        writer->err = err;
        writer->pending = 0;
    }
}

// " (at .items[2])", or "" at the root.
static void show_place(const snakepit_writer *writer, char *text, size_t size)
{
    char place[256];
    sp_place_of_next(writer, place, sizeof place);
    if (place[0] != '\0') {
        (void)snprintf(text, size, " (at %s)", place);
    } else {
        text[0] = '\0';
    }
}

void sp_writer_refuse(snakepit_writer *writer,
                      snakepit_err err,
                      const char *format,
                      ...)
{
    va_list args;
    if (writer == NULL || writer->err != SNAKEPIT_OK) {
        return;
    }
    va_start(args, format);
    int used = vsnprintf(writer->wrong, SP_WRONG_MAX, format, args);
    va_end(args);
    if (used >= 0 && (size_t)used < SP_WRONG_MAX) {
        show_place(writer, writer->wrong + used, SP_WRONG_MAX - (size_t)used);
    }
    sp_writer_fail(writer, err);
}

static void explain_incomplete(const snakepit_writer *writer, snakepit_message *why)
{
    char place[264];
    if (writer->buf.size == 0) {
        (void)snprintf(why->text, sizeof why->text, "no value was written");
        return;
    }
    show_place(writer, place, sizeof place);
    (void)snprintf(why->text,
                   sizeof why->text,
                   "a container that was begun wants %llu more values%s; write them, "
                   "or announce fewer",
                   (unsigned long long)(writer->pending - writer->ends[writer->depth]),
                   place);
}

snakepit_err snakepit_writer_explain(const snakepit_writer *writer,
                                     snakepit_message *why)
{
    snakepit_err err = snakepit_writer_error(writer);
    snakepit_message unread;
    why = why == NULL ? &unread : why;
    why->text[0] = '\0';
    if (writer == NULL) {
        (void)strcpy(why->text, "the writer is NULL; make one first");
        return err;
    }
    if (err == SNAKEPIT_OK) {
        err = sp_keys_check((struct sp_slice){writer->buf.data, writer->buf.size}, why);
    } else if (writer->err == SNAKEPIT_OK) {
        explain_incomplete(writer, why);
    } else if (err != SNAKEPIT_OK) {
        const char *wrong = writer->wrong;
        wrong = *wrong != '\0' ? wrong : snakepit_err_text(err);
        (void)snprintf(why->text, sizeof why->text, "%s", wrong);
    }
    sp_text_clean(why->text, strlen(why->text), SP_TEXT_LINE); // it shows keys
    return err;
}

snakepit_err snakepit_writer_error(const snakepit_writer *writer)
{
    if (writer == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (writer->err != SNAKEPIT_OK) {
        return writer->err;
    }
    return writer->pending != 0 ? SNAKEPIT_MALFORMED : SNAKEPIT_OK;
}

void *sp_writer_own(snakepit_writer *writer, size_t bytes)
{
    if (bytes > PTRDIFF_MAX - sizeof(struct sp_writer_block)) {
        return NULL;
    }
    struct sp_writer_block *block = sp_alloc(sizeof(*block) + bytes);
    if (block == NULL) {
        return NULL;
    }
    block->next = writer->blocks;
    writer->blocks = block;
    return block->data;
}

// ---- Values -------------------------------------------------------------------

static __attribute__((noinline)) uint8_t *make_room(snakepit_writer *writer,
                                                    size_t bytes)
{
    if (writer == NULL) {
        return NULL;
    }
    if (writer->pending == 0) {
        sp_writer_refuse(writer,
                         SNAKEPIT_MALFORMED,
                         "a value was written behind one that is whole already; "
                         "announce more pairs or items, or reset the writer first");
        return NULL;
    }
    if (sp_buf_reserve(&writer->buf, bytes) != SNAKEPIT_OK) {
        sp_writer_fail(writer, SNAKEPIT_NO_MEMORY);
        return NULL;
    }
    return writer->buf.data + writer->buf.size;
}

// Room for a value of at most `bytes` bytes; NULL: nothing may be written.
static inline uint8_t *room_for(snakepit_writer *writer, size_t bytes)
{
    if (__builtin_expect(writer != NULL &&
                             bytes <= writer->buf.capacity - writer->buf.size &&
                             writer->pending != 0,
                         1)) {
        return writer->buf.data + writer->buf.size;
    }
    return make_room(writer, bytes);
}

// A value of `bytes` bytes is written and whole.
static inline void finish(snakepit_writer *writer, size_t bytes)
{
    writer->buf.size += bytes;
    writer->pending--;
    while (writer->pending == writer->ends[writer->depth]) {
        writer->depth--;
    }
}

void sp_writer_value(snakepit_writer *writer, struct sp_slice value)
{
    uint8_t *room = room_for(writer, value.size);
    if (room != NULL) {
        memcpy(room, value.data, value.size);
        finish(writer, value.size);
    }
}

void snakepit_writer_nil(snakepit_writer *writer)
{
    uint8_t *out = room_for(writer, 1);
    if (out != NULL) {
        *out = 0xc0;
        finish(writer, 1);
    }
}

void snakepit_writer_bool(snakepit_writer *writer, bool value)
{
    uint8_t *out = room_for(writer, 1);
    if (out != NULL) {
        *out = value ? 0xc3 : 0xc2;
        finish(writer, 1);
    }
}

void snakepit_writer_int(snakepit_writer *writer, int64_t value)
{
    uint8_t *out = room_for(writer, 9);
    if (out != NULL) {
        finish(writer,
               value >= 0 ? sp_put_uint(out, (uint64_t)value)
                          : sp_put_negative(out, value));
    }
}

void snakepit_writer_uint(snakepit_writer *writer, uint64_t value)
{
    uint8_t *out = room_for(writer, 9);
    if (out != NULL) {
        finish(writer, sp_put_uint(out, value));
    }
}

void snakepit_writer_double(snakepit_writer *writer, double value)
{
    uint8_t *out = room_for(writer, 9);
    if (out != NULL) {
        finish(writer, sp_put_double(out, value));
    }
}

static __attribute__((noinline)) void
refuse_blob(snakepit_writer *writer, const void *data, size_t bytes)
{
    if (data == NULL) {
        sp_writer_refuse(writer,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "a text or bytes are NULL; give their address, or write nil");
    } else {
        sp_writer_refuse(writer,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "a text or bytes of %zu bytes are over the 4 GiB that one "
                         "value can have; send them in pieces",
                         bytes);
    }
}

// Room for `bytes` bytes of a caller's with their head; NULL: refused.
static inline uint8_t *
room_for_blob(snakepit_writer *writer, const void *data, size_t bytes)
{
    if (__builtin_expect((data == NULL && bytes != 0) || bytes > UINT32_MAX, 0)) {
        refuse_blob(writer, data, bytes);
        return NULL;
    }
    return room_for(writer, bytes + 5);
}

static inline void
finish_blob(snakepit_writer *writer, size_t head, const void *data, size_t bytes)
{
    sp_bytes_copy(writer->buf.data + writer->buf.size + head, data, bytes);
    finish(writer, head + bytes);
}

void snakepit_writer_strn(snakepit_writer *writer, const char *text, size_t bytes)
{
    uint8_t *out = room_for_blob(writer, text, bytes);
    if (out != NULL) {
        finish_blob(writer, sp_put_text_head(out, bytes), text, bytes);
    }
}

void snakepit_writer_str(snakepit_writer *writer, const char *text)
{
    if (text == NULL) {
        refuse_blob(writer, NULL, 0);
        return;
    }
    snakepit_writer_strn(writer, text, strlen(text));
}

void snakepit_writer_bytes(snakepit_writer *writer, const void *data, size_t bytes)
{
    uint8_t *out = room_for_blob(writer, data, bytes);
    if (out != NULL) {
        size_t head = sp_put_length(out, (struct sp_heads){0xc4, 0xc5, 0xc6}, bytes);
        finish_blob(writer, head, data, bytes);
    }
}

// ---- Containers ---------------------------------------------------------------

// A head of `bytes` bytes is written, and `items` values belong behind it.
static inline void
open_container(snakepit_writer *writer, size_t bytes, uint64_t items, bool map)
{
    if (items == 0) {
        finish(writer, bytes);
        return;
    }
    writer->buf.size += bytes;
    writer->pending--;
    writer->ends[++writer->depth] = writer->pending;
    writer->maps[writer->depth] = map;
    writer->pending += items;
}

// Whether the next value is a key: an even number of a map's is still to come.
static inline bool wants_key(const snakepit_writer *writer)
{
    return writer->maps[writer->depth] &&
           (writer->pending - writer->ends[writer->depth]) % 2 == 0;
}

static void refuse_key(snakepit_writer *writer)
{
    sp_writer_refuse(writer,
                     SNAKEPIT_INVALID_ARGUMENT,
                     "a map, an array or a tensor cannot be a key in Python; "
                     "keys are texts, numbers, booleans, nil or bytes");
}

// Room for a container's head; NULL: refused, for its depth or place or another reason.
static inline uint8_t *room_for_container(snakepit_writer *writer)
{
    if (__builtin_expect(writer == NULL, 0)) {
        return NULL;
    }
    if (__builtin_expect(wants_key(writer), 0)) {
        refuse_key(writer);
        return NULL;
    }
    if (__builtin_expect(writer->depth == SP_DEPTH_MAX, 0)) {
        sp_writer_refuse(writer,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "more than %d maps and arrays are inside each other; nest "
                         "fewer",
                         SP_DEPTH_MAX);
        return NULL;
    }
    return room_for(writer, 5);
}

void snakepit_writer_map(snakepit_writer *writer, uint32_t pairs)
{
    uint8_t *out = room_for_container(writer);
    if (out == NULL) {
        return;
    }
    size_t head = 1;
    if (pairs < 16) {
        *out = (uint8_t)(0x80 | pairs);
    } else {
        head = sp_put_length(out, (struct sp_heads){0, 0xde, 0xdf}, pairs);
    }
    open_container(writer, head, 2 * (uint64_t)pairs, true);
}

void snakepit_writer_array(snakepit_writer *writer, uint32_t items)
{
    uint8_t *out = room_for_container(writer);
    if (out == NULL) {
        return;
    }
    size_t head = 1;
    if (items < 16) {
        *out = (uint8_t)(0x90 | items);
    } else {
        head = sp_put_length(out, (struct sp_heads){0, 0xdc, 0xdd}, items);
    }
    open_container(writer, head, items, false);
}

// ---- Many values that count as one --------------------------------------------

#define UNCOUNTED (UINT64_C(1) << 62) // more values than memory holds

bool sp_writer_hold(snakepit_writer *writer, struct sp_writer_hold *hold)
{
    if (room_for(writer, 1) == NULL) {
        return false;
    }
    *hold = (struct sp_writer_hold){writer->pending, writer->buf.size};
    writer->ends[++writer->depth] = 0;
    writer->maps[writer->depth] = false;
    writer->pending = UNCOUNTED;
    return true;
}

// Whether the value at `first` cannot be a key.
static bool is_no_key(uint8_t first)
{
    return (first >= 0x80 && first < 0xa0) || (first >= 0xdc && first <= 0xdf) ||
           first == 0xc7;
}

void sp_writer_release(snakepit_writer *writer, const struct sp_writer_hold *hold)
{
    if (writer->err != SNAKEPIT_OK) {
        return;
    }
    writer->depth--;
    writer->pending = hold->pending;
    if (wants_key(writer) && is_no_key(writer->buf.data[hold->start])) {
        writer->buf.size = hold->start;
        refuse_key(writer);
        return;
    }
    finish(writer, 0);
}

// ---- Tensors ------------------------------------------------------------------

static snakepit_err remember_tensor(snakepit_writer *writer,
                                    const struct sp_tensor_ref *ref)
{
    if (writer->tensor_count == writer->tensor_room) {
        size_t room = writer->tensor_room == 0 ? 4 : writer->tensor_room * 2;
        void *grown = sp_realloc(writer->tensors, room * sizeof(*ref));
        if (grown == NULL) {
            return SNAKEPIT_NO_MEMORY;
        }
        writer->tensors = grown;
        writer->tensor_room = room;
    }
    writer->tensors[writer->tensor_count++] = *ref;
    return SNAKEPIT_OK;
}

void sp_writer_part(snakepit_writer *writer,
                    const snakepit_writer *of,
                    struct sp_slice part)
{
    const size_t start = writer->buf.size;
    const size_t begin = (size_t)(part.data - of->buf.data);
    sp_writer_value(writer, part);
    for (size_t i = 0; i < of->tensor_count && writer->err == SNAKEPIT_OK; i++) {
        struct sp_tensor_ref ref = of->tensors[i];
        const bool within = ref.at >= begin && ref.at < begin + part.size;
        ref.at = ref.at - begin + start;
        if (within && remember_tensor(writer, &ref) != SNAKEPIT_OK) {
            sp_writer_fail(writer, SNAKEPIT_NO_MEMORY);
        }
    }
}

static void put_le64(uint8_t *out, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++) {
        out[i] = (uint8_t)(value >> (8 * i));
    }
}

// Writes the ext of payload/wire.h, its offset still 0; returns its bytes.
static size_t put_tensor(uint8_t *out, const snakepit_tensor *tensor)
{
    size_t bytes = SP_TENSOR_HEAD + 8 * (size_t)tensor->rank;
    const uint8_t head[] = {0xc7, (uint8_t)bytes, SP_EXT_TENSOR};
    memcpy(out, head, sizeof(head));
    out += sizeof(head);
    memset(out, 0, SP_TENSOR_HEAD);
    out[0] = (uint8_t)tensor->dtype;
    out[1] = (uint8_t)tensor->rank;
    for (uint32_t i = 0; i < tensor->rank; i++) {
        put_le64(out + SP_TENSOR_HEAD + 8 * (size_t)i, (uint64_t)tensor->shape[i]);
    }
    return sizeof(head) + bytes;
}

void snakepit_writer_tensor(snakepit_writer *writer, const snakepit_tensor *tensor)
{
    struct sp_tensor_ref ref = {0};
    if (sp_tensor_check(tensor, &ref.bytes) != SNAKEPIT_OK) {
        char wrong[256];
        sp_tensor_explain(tensor, wrong, sizeof wrong);
        sp_writer_refuse(writer, SNAKEPIT_INVALID_ARGUMENT, "%s", wrong);
        return;
    }
    if (writer == NULL) {
        return;
    }
    if (wants_key(writer)) {
        refuse_key(writer);
        return;
    }
    uint8_t *out = room_for(writer, 3 + SP_TENSOR_HEAD + 8 * SNAKEPIT_MAX_RANK);
    if (out == NULL) {
        return;
    }
    ref.tensor = *tensor;
    ref.at = writer->buf.size + 3;
    snakepit_err err = remember_tensor(writer, &ref);
    if (err != SNAKEPIT_OK) {
        sp_writer_fail(writer, err);
        return;
    }
    finish(writer, put_tensor(out, tensor));
}

// ---- What others have written ---------------------------------------------------

// Notes a tensor that ends before `end` in what was written.
static snakepit_err
note_tensor(snakepit_writer *writer, const snakepit_tensor *tensor, const uint8_t *end)
{
    const size_t head = SP_TENSOR_HEAD + 8 * (size_t)tensor->rank;
    struct sp_tensor_ref ref = {.tensor = *tensor,
                                .at = (size_t)(end - writer->buf.data) - head};
    snakepit_err err = sp_tensor_check(tensor, &ref.bytes);
    if (err == SNAKEPIT_OK) {
        sp_tensor_ref_place(&ref, writer->buf.data, 0);
        err = remember_tensor(writer, &ref);
    }
    return err;
}

static snakepit_err find_tensors(snakepit_writer *writer, snakepit_reader reader)
{
    snakepit_value value;
    snakepit_err err;
    while ((err = snakepit_reader_next(&reader, &value)) == SNAKEPIT_OK) {
        if (value.kind == SNAKEPIT_TENSOR) {
            err = note_tensor(writer, &value.as.tensor, reader.at);
        } else if (value.kind == SNAKEPIT_EXTENSION) {
            err = SNAKEPIT_MALFORMED;
        }
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    return err == SNAKEPIT_END ? SNAKEPIT_OK : err;
}

snakepit_err sp_writer_message(snakepit_writer *writer,
                               struct sp_slice message,
                               struct sp_slice memory)
{
    const size_t before = writer->buf.size;
    sp_writer_value(writer, message);
    if (writer->err != SNAKEPIT_OK) {
        return writer->err;
    }
    const struct sp_slice copy = {writer->buf.data + before, writer->buf.size - before};
    snakepit_reader reader;
    sp_reader_init(&reader, copy, memory);
    snakepit_reader end = reader;
    return snakepit_reader_skip(&end) == SNAKEPIT_OK && end.at == end.end
               ? find_tensors(writer, reader)
               : SNAKEPIT_MALFORMED;
}
