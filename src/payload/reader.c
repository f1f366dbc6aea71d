// SPDX-License-Identifier: MIT
// Reads MessagePack that nobody vouches for. The bytes may lie in memory that their
// writer still changes, so whatever is decided upon is loaded once into a local, and
// only the local is used. A token is the head of one value; a container's items are
// tokens of their own.
#include <snakepit/payload.h>

#include <string.h>

#include "base/bytes.h"
#include "base/slice.h"
#include "payload/reader.h"
#include "payload/tensor.h"
#include "payload/wire.h"

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__,
               "heads are swapped, tensors are not");

enum form {
    FORM_BAD = 0,
    FORM_NIL,
    FORM_FALSE,
    FORM_TRUE,
    FORM_INT,
    FORM_UINT,
    FORM_FLOAT,
    FORM_DOUBLE,
    FORM_TEXT, // from here on `bits` is a length
    FORM_BYTES,
    FORM_EXT,
    FORM_ARRAY, // from here on `bits` is a count
    FORM_MAP
};

struct token {
    enum form form;
    uint8_t ext;         // type of a FORM_EXT
    uint64_t bits;       // the number, the length or the count of values
    const uint8_t *body; // first byte behind the head
    const uint8_t *next; // first byte behind what this token covers
};

// Heads 0xc0 to 0xdf: what they begin and how many bytes of number or length follow.
// Lengths of fixext are in the head itself: `fixed`.
struct head {
    uint8_t form;
    uint8_t width;
    uint8_t fixed;
};

// clang-format off
static const struct head heads[32] = {
    {FORM_NIL, 0, 0},   {FORM_BAD, 0, 0},    {FORM_FALSE, 0, 0}, {FORM_TRUE, 0, 0},
    {FORM_BYTES, 1, 0}, {FORM_BYTES, 2, 0},  {FORM_BYTES, 4, 0}, {FORM_EXT, 1, 0},
    {FORM_EXT, 2, 0},   {FORM_EXT, 4, 0},    {FORM_FLOAT, 4, 0}, {FORM_DOUBLE, 8, 0},
    {FORM_UINT, 1, 0},  {FORM_UINT, 2, 0},   {FORM_UINT, 4, 0},  {FORM_UINT, 8, 0},
    {FORM_INT, 1, 0},   {FORM_INT, 2, 0},    {FORM_INT, 4, 0},   {FORM_INT, 8, 0},
    {FORM_EXT, 0, 1},   {FORM_EXT, 0, 2},    {FORM_EXT, 0, 4},   {FORM_EXT, 0, 8},
    {FORM_EXT, 0, 16},  {FORM_TEXT, 1, 0},   {FORM_TEXT, 2, 0},  {FORM_TEXT, 4, 0},
    {FORM_ARRAY, 2, 0}, {FORM_ARRAY, 4, 0},  {FORM_MAP, 2, 0},   {FORM_MAP, 4, 0},
};
// clang-format on

// ---- Tokens -------------------------------------------------------------------

// Hides from the compiler where a value came from, so that it cannot load it again.
static inline uint64_t once(uint64_t value)
{
    __asm__ volatile("" : "+r"(value));
    return value;
}

static inline uint8_t load8(const uint8_t *at)
{
    return (uint8_t)once(*at);
}

static uint64_t load_be(const uint8_t *at, size_t width)
{
    uint16_t two;
    uint32_t four;
    uint64_t eight;
    switch (width) {
    case 1:
        return load8(at);
    case 2:
        memcpy(&two, at, sizeof(two));
        return __builtin_bswap16((uint16_t)once(two));
    case 4:
        memcpy(&four, at, sizeof(four));
        return __builtin_bswap32((uint32_t)once(four));
    default:
        memcpy(&eight, at, sizeof(eight));
        return __builtin_bswap64(once(eight));
    }
}

// Finishes a token of which form, bits and body are known: what it covers must be
// there. Every value is at least one byte, so a count beyond the bytes left is a lie,
// and nobody need allocate for it.
static inline snakepit_err
cover(const uint8_t *body, const uint8_t *end, struct token *token)
{
    uint64_t left = (uint64_t)(end - body);
    token->body = body;
    token->next = body;
    if (token->form < FORM_TEXT) {
        return SNAKEPIT_OK;
    }
    if (token->bits > left) {
        return SNAKEPIT_MALFORMED;
    }
    if (token->form < FORM_ARRAY) {
        token->next += token->bits;
    }
    return SNAKEPIT_OK;
}

// A head of 0xc0 to 0xdf.
static snakepit_err
scan_wide(uint8_t first, const uint8_t *at, const uint8_t *end, struct token *token)
{
    const struct head *head = &heads[first & 31];
    size_t extra = head->width + (head->form == FORM_EXT);
    if (head->form == FORM_BAD || (size_t)(end - at) < extra) {
        return SNAKEPIT_MALFORMED;
    }
    token->form = (enum form)head->form;
    token->bits = head->width != 0 ? load_be(at, head->width) : head->fixed;
    if (head->form == FORM_EXT) {
        token->ext = load8(at + head->width);
    } else if (head->form == FORM_MAP) {
        token->bits *= 2;
    } else if (head->form == FORM_INT) {
        unsigned shift = (64 - 8u * head->width) & 63;
        token->bits = (uint64_t)((int64_t)(token->bits << shift) >> shift);
    }
    return cover(at + extra, end, token);
}

// The token at `at`, which stands before `end`. A map's count is of keys and values
// together.
static inline snakepit_err
scan(const uint8_t *at, const uint8_t *end, struct token *token)
{
    uint8_t first = load8(at++);
    if (first < 0x80 || first >= 0xe0) {
        token->form = FORM_INT;
        token->bits = (uint64_t)(int8_t)first;
    } else if (first >= 0xc0) {
        return scan_wide(first, at, end, token);
    } else if (first >= 0xa0) {
        token->form = FORM_TEXT;
        token->bits = first & 31;
    } else {
        bool map = first < 0x90;
        token->form = map ? FORM_MAP : FORM_ARRAY;
        token->bits = (uint64_t)(first & 15) << map;
    }
    return cover(at, end, token);
}

// ---- Values -------------------------------------------------------------------

static uint64_t load_le64(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof(value));
    return value;
}

// `head` is a private copy of an ext's payload of `size` bytes, at least
// SP_TENSOR_HEAD.
static bool decode_tensor(const uint8_t *head, size_t size, snakepit_tensor *tensor)
{
    static const uint8_t zeros[6];
    tensor->dtype = (snakepit_dtype)head[0];
    tensor->rank = head[1];
    if (tensor->rank > SNAKEPIT_MAX_RANK ||
        memcmp(head + 2, zeros, sizeof(zeros)) != 0 ||
        size != SP_TENSOR_HEAD + 8 * (size_t)tensor->rank) {
        return false;
    }
    for (uint32_t i = 0; i < tensor->rank; i++) {
        uint64_t extent = load_le64(head + SP_TENSOR_HEAD + 8 * (size_t)i);
        if (extent > INT64_MAX) {
            return false;
        }
        tensor->shape[i] = (int64_t)extent;
    }
    return true;
}

static snakepit_err read_tensor(const snakepit_reader *reader,
                                const struct token *token,
                                snakepit_value *value)
{
    uint8_t head[SP_TENSOR_HEAD + 8 * SNAKEPIT_MAX_RANK];
    size_t bytes = 0;
    snakepit_tensor tensor = {0};
    if (reader->tensors == NULL || token->bits < SP_TENSOR_HEAD ||
        token->bits > sizeof(head)) {
        return SNAKEPIT_MALFORMED;
    }
    memcpy(head, token->body, token->bits);
    // The copy is real: the compiler must not look at the original again.
    __asm__ volatile("" : : "r"(head) : "memory");
    if (!decode_tensor(head, token->bits, &tensor) ||
        snakepit_tensor_bytes(&tensor, &bytes) != SNAKEPIT_OK) {
        return SNAKEPIT_MALFORMED;
    }
    uint64_t offset = load_le64(head + 8);
    if (offset % SP_TENSOR_ALIGN != 0 || offset > reader->tensors_size ||
        bytes > reader->tensors_size - offset) {
        return SNAKEPIT_MALFORMED;
    }
    sp_tensor_set_packed(&tensor);
    tensor.data = reader->tensors + offset;
    value->kind = SNAKEPIT_TENSOR;
    value->as.tensor = tensor;
    return SNAKEPIT_OK;
}

static snakepit_err read_ext(const snakepit_reader *reader,
                             const struct token *token,
                             snakepit_value *value)
{
    if (token->ext == SP_EXT_TENSOR) {
        return read_tensor(reader, token, value);
    }
    value->kind = SNAKEPIT_EXTENSION;
    value->as.bytes = (snakepit_span){(const char *)token->body, token->bits};
    return SNAKEPIT_OK;
}

static inline void set_int(snakepit_value *value, uint64_t bits)
{
    value->kind = SNAKEPIT_INTEGER;
    value->as.integer = (int64_t)bits;
}

static double double_of(const struct token *token)
{
    double wide;
    float narrow;
    uint32_t half = (uint32_t)token->bits;
    memcpy(&wide, &token->bits, sizeof(wide));
    memcpy(&narrow, &half, sizeof(narrow));
    return token->form == FORM_FLOAT ? (double)narrow : wide;
}

static inline snakepit_err value_of(const snakepit_reader *reader,
                                    const struct token *token,
                                    snakepit_value *value)
{
    switch (token->form) {
    case FORM_NIL:
        value->kind = SNAKEPIT_NIL;
        return SNAKEPIT_OK;
    case FORM_FALSE:
    case FORM_TRUE:
        value->kind = SNAKEPIT_BOOLEAN;
        value->as.boolean = token->form == FORM_TRUE;
        return SNAKEPIT_OK;
    case FORM_INT:
        set_int(value, token->bits);
        return SNAKEPIT_OK;
    case FORM_UINT:
        set_int(value, token->bits);
        value->kind = token->bits > INT64_MAX ? SNAKEPIT_UNSIGNED : SNAKEPIT_INTEGER;
        return SNAKEPIT_OK;
    case FORM_FLOAT:
    case FORM_DOUBLE:
        value->kind = SNAKEPIT_REAL;
        value->as.real = double_of(token);
        return SNAKEPIT_OK;
    case FORM_TEXT:
    case FORM_BYTES:
        value->kind = token->form == FORM_TEXT ? SNAKEPIT_TEXT : SNAKEPIT_BYTES;
        value->as.text = (snakepit_span){(const char *)token->body, token->bits};
        return SNAKEPIT_OK;
    case FORM_EXT:
        return read_ext(reader, token, value);
    case FORM_ARRAY:
        value->kind = SNAKEPIT_ARRAY;
        value->as.count = (uint32_t)token->bits;
        return SNAKEPIT_OK;
    case FORM_MAP:
        value->kind = SNAKEPIT_MAP;
        value->as.count = (uint32_t)(token->bits / 2);
        return SNAKEPIT_OK;
    default:
        return SNAKEPIT_MALFORMED;
    }
}

void snakepit_reader_init(snakepit_reader *reader, const void *data, size_t bytes)
{
    if (reader != NULL) {
        *reader = (snakepit_reader){.at = data};
        reader->end = bytes != 0 && data != NULL ? reader->at + bytes : reader->at;
    }
}

snakepit_err snakepit_reader_next(snakepit_reader *reader, snakepit_value *value)
{
    if (__builtin_expect(reader == NULL || value == NULL, 0)) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    if (reader->at == reader->end) {
        return SNAKEPIT_END;
    }
    struct token token;
    snakepit_err err = scan(reader->at, reader->end, &token);
    if (err == SNAKEPIT_OK) {
        err = value_of(reader, &token, value);
    }
    if (err == SNAKEPIT_OK) {
        reader->at = token.next;
    }
    return err;
}

// ---- Skip and find ------------------------------------------------------------

// Steps over the items of a container whose `items` values begin at `at`; NULL:
// malformed. `around`: see sp_reader_skip_around(). `pending` counts the values still
// to come and ends[i] what is left when the i-th container is over, as in the writer.
static const uint8_t *
skip_items(const uint8_t *at, const uint8_t *end, uint64_t items, size_t around)
{
    uint64_t ends[SP_DEPTH_MAX + SP_AROUND_MAX + 1];
    uint64_t pending = items;
    size_t depth = 1;
    ends[0] = UINT64_MAX;
    ends[1] = 0;
    while (pending != 0) {
        struct token token;
        if (at == end || scan(at, end, &token) != SNAKEPIT_OK ||
            (token.form >= FORM_ARRAY && depth == SP_DEPTH_MAX + around)) {
            return NULL;
        }
        at = token.next;
        pending--;
        if (token.form >= FORM_ARRAY && token.bits != 0) {
            ends[++depth] = pending;
            pending += token.bits;
            continue;
        }
        while (pending == ends[depth]) {
            depth--;
        }
    }
    return at;
}

// The first byte behind a value of which `token` is the head; NULL: malformed.
static inline const uint8_t *
skip_value(const struct token *token, const uint8_t *end, size_t around)
{
    bool filled = token->form >= FORM_ARRAY && token->bits != 0;
    return filled ? skip_items(token->next, end, token->bits, around) : token->next;
}

snakepit_err sp_reader_skip_around(snakepit_reader *reader, size_t around)
{
    if (reader->at == reader->end) {
        return SNAKEPIT_END;
    }
    struct token token;
    const uint8_t *next = NULL;
    if (scan(reader->at, reader->end, &token) == SNAKEPIT_OK) {
        next = skip_value(&token, reader->end, around);
    }
    if (next == NULL) {
        return SNAKEPIT_MALFORMED;
    }
    reader->at = next;
    return SNAKEPIT_OK;
}

snakepit_err snakepit_reader_skip(snakepit_reader *reader)
{
    return reader == NULL ? SNAKEPIT_INVALID_ARGUMENT
                          : sp_reader_skip_around(reader, 0);
}

// Steps over a key, which may be of any kind; *same says whether it is the text `key`.
static snakepit_err match_key(snakepit_reader *at, struct sp_slice key, bool *same)
{
    struct token token;
    if (at->at == at->end || scan(at->at, at->end, &token) != SNAKEPIT_OK) {
        return SNAKEPIT_MALFORMED;
    }
    *same = token.form == FORM_TEXT && token.bits == key.size &&
            sp_bytes_equal(token.body, key.data, key.size);
    at->at = skip_value(&token, at->end, 0);
    // Behind a key there is a value.
    return at->at == NULL || at->at == at->end ? SNAKEPIT_MALFORMED : SNAKEPIT_OK;
}

// Looks through `pairs` pairs; on success `at` stands before the value.
static snakepit_err find_pair(snakepit_reader *at, uint32_t pairs, struct sp_slice key)
{
    for (uint32_t i = 0; i < pairs; i++) {
        bool same = false;
        if (match_key(at, key, &same) != SNAKEPIT_OK) {
            return SNAKEPIT_MALFORMED;
        }
        if (same) {
            return SNAKEPIT_OK;
        }
        if (snakepit_reader_skip(at) != SNAKEPIT_OK) {
            return SNAKEPIT_MALFORMED;
        }
    }
    return SNAKEPIT_NOT_FOUND;
}

snakepit_err snakepit_reader_find(const snakepit_reader *reader,
                                  const char *key,
                                  snakepit_reader *found)
{
    if (reader == NULL || key == NULL || found == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    snakepit_reader at = *reader;
    snakepit_value map;
    snakepit_err err = snakepit_reader_next(&at, &map);
    if (err == SNAKEPIT_END || (err == SNAKEPIT_OK && map.kind != SNAKEPIT_MAP)) {
        err = SNAKEPIT_TYPE_MISMATCH;
    }
    if (err == SNAKEPIT_OK) {
        err = find_pair(&at, map.as.count, sp_slice_of_text(key));
    }
    if (err == SNAKEPIT_OK) {
        *found = at;
    }
    return err;
}
