// SPDX-License-Identifier: MIT
// JSON text to MessagePack: see payload/json_inside.h. Whoever finds an error returns a
// spot that is nowhere.
#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "payload/json.h"
#include "payload/json_inside.h"
#include "payload/json_number.h"
#include "payload/plain.h"
#include "payload/put.h"

// What each value goes through is one function to the compiler, which otherwise brings
// the spot to memory and back for each step.
#define STEP static inline __attribute__((always_inline))
#define RARE static __attribute__((noinline))

static const struct sp_json_spot nowhere;

// ---- Numbers and words --------------------------------------------------------

STEP uint8_t *write_number(uint8_t *out, const struct sp_json_number *number)
{
    if (number->real) {
        return out + sp_put_double(out, number->as.real);
    }
    uint64_t magnitude = number->as.magnitude;
    return out + (number->negative && magnitude != 0
                      ? sp_put_negative(out, (int64_t)(0 - magnitude))
                      : sp_put_uint(out, magnitude));
}

RARE struct sp_json_spot read_any_number(struct sp_json *json, struct sp_json_spot spot)
{
    struct sp_json_number number;
    const uint8_t *at = spot.at;
    const char *wrong;
    snakepit_err err = sp_json_number_read(&at, json->end, &number, &wrong);
    if (err == SNAKEPIT_OK) {
        return (struct sp_json_spot){at, write_number(spot.out, &number)};
    }
    return err == SNAKEPIT_NO_MEMORY
               ? sp_json_fail(json, err)
               : sp_json_refuse(json, spot.out, spot.at, "%s", wrong);
}

STEP struct sp_json_spot read_number(struct sp_json *json, struct sp_json_spot spot)
{
    struct sp_json_number number;
    if (json->end - spot.at >= SP_JSON_NUMBER_QUICK) {
        const uint8_t *at = sp_json_number_quick(spot.at, &number);
        if (at != NULL) {
            return (struct sp_json_spot){at, write_number(spot.out, &number)};
        }
    }
    return read_any_number(json, spot);
}

RARE struct sp_json_spot refuse_value(struct sp_json *json, struct sp_json_spot spot)
{
    return sp_json_refuse(json,
                          spot.out,
                          spot.at,
                          spot.at == json->end ? "the text ends where a value should be"
                                               : "this is not a value of JSON");
}

STEP struct sp_json_spot read_word(struct sp_json *json, struct sp_json_spot spot)
{
    size_t left = (size_t)(json->end - spot.at);
    if (left >= 4 && memcmp(spot.at, "null", 4) == 0) {
        *spot.out = 0xc0;
        return (struct sp_json_spot){spot.at + 4, spot.out + 1};
    }
    if (left >= 4 && memcmp(spot.at, "true", 4) == 0) {
        *spot.out = 0xc3;
        return (struct sp_json_spot){spot.at + 4, spot.out + 1};
    }
    if (left >= 5 && memcmp(spot.at, "false", 5) == 0) {
        *spot.out = 0xc2;
        return (struct sp_json_spot){spot.at + 5, spot.out + 1};
    }
    return refuse_value(json, spot);
}

// ---- Strings and blanks -------------------------------------------------------

STEP struct sp_json_spot read_string(struct sp_json *json, struct sp_json_spot spot)
{
    const uint8_t *text = spot.at + 1;
    if (json->end - text >= (ptrdiff_t)SP_PLAIN_BLOCK) {
        unsigned size = sp_plain_count(text);
        if (size < SP_PLAIN_BLOCK && text[size] == '"') {
            *spot.out = (uint8_t)(0xa0 | size);
            memcpy(spot.out + 1, text, SP_PLAIN_BLOCK);
            return (struct sp_json_spot){text + size + 1, spot.out + 1 + size};
        }
    }
    return sp_json_string_read(json, spot);
}

RARE const uint8_t *skip_more_blanks(const uint8_t *at, const uint8_t *end)
{
    for (;;) {
        // Lines are indented by many.
        while (end - at >= 8 && memcmp(at, "        ", 8) == 0) {
            at += 8;
        }
        if (at == end || (*at != ' ' && *at != '\n' && *at != '\r' && *at != '\t')) {
            return at;
        }
        at++;
    }
}

// The next byte that is not a blank, or the end.
STEP const uint8_t *skip_blanks(const struct sp_json *json, const uint8_t *at)
{
    return at < json->end && *at > ' ' ? at : skip_more_blanks(at, json->end);
}

// The byte at `at`; 0 at the end.
STEP uint8_t peek(const struct sp_json *json, const uint8_t *at)
{
    return at < json->end ? *at : 0;
}

// ---- Keys ---------------------------------------------------------------------

STEP struct sp_json_frame *top(struct sp_json *json)
{
    return &json->frames[json->depth - 1];
}

// Where the text of a value begins, of which `head` is the first byte.
STEP size_t head_size(uint8_t head)
{
    return head < 0xc0 ? 1 : head == 0xd9 ? 2 : head == 0xda ? 3 : 5;
}

#define COMPARED 48u // keys, so far, that a new one is compared with

// Whether the object may have the key twice is known at its end only, but most objects
// need no look then: no bit of a digest is there twice.
STEP void note_key(struct sp_json_frame *frame, const struct sp_json_key *key)
{
    uint64_t bit = UINT64_C(1) << (key->digest >> 58);
    if ((frame->seen & bit) != 0) {
        frame->twins =
            frame->twins || frame->count > COMPARED ||
            sp_json_keys_has_digest(key - frame->count, frame->count, key->digest);
    }
    frame->seen |= bit;
}

// Remembers the key that begins `head` bytes into what was written.
STEP bool keep_key(struct sp_json *json,
                   struct sp_json_frame *frame,
                   const uint8_t *source,
                   size_t head,
                   const uint8_t *out)
{
    struct sp_json_keys *keys = &json->keys;
    if (keys->count == keys->room && sp_json_keys_grow(keys) != SNAKEPIT_OK) {
        return false;
    }
    const uint8_t *data = json->writer->buf.data;
    struct sp_json_key *key = &keys->rows[keys->count++];
    size_t at = head + head_size(data[head]);
    size_t size = (size_t)(out - data) - at;
    *key = (struct sp_json_key){source, at, size, sp_json_digest(data + at, size)};
    note_key(frame, key);
    return true;
}

STEP struct sp_json_spot
read_key(struct sp_json *json, struct sp_json_frame *frame, struct sp_json_spot spot)
{
    const uint8_t *source = spot.at;
    size_t head = (size_t)(spot.out - json->writer->buf.data);
    if (peek(json, source) != '"') {
        return sp_json_refuse(json, spot.out, source, "a key in quotes should be here");
    }
    spot = read_string(json, spot);
    if (spot.at == NULL) {
        return spot;
    }
    if (!keep_key(json, frame, source, head, spot.out)) {
        return sp_json_fail(json, SNAKEPIT_NO_MEMORY);
    }
    spot.at = skip_blanks(json, spot.at);
    if (peek(json, spot.at) != ':') {
        return sp_json_refuse(
            json, spot.out, spot.at, "a colon should be here, behind the key");
    }
    spot.at = skip_blanks(json, spot.at + 1);
    return spot;
}

// The keys of the object whose end was read are of no more use, unless two are the
// same.
static bool
check_keys(struct sp_json *json, const struct sp_json_frame *frame, const uint8_t *out)
{
    const uint8_t *bytes = json->writer->buf.data;
    const struct sp_json_key *twin =
        frame->twins ? sp_json_keys_find_twin(&json->keys, frame->keys, bytes) : NULL;
    json->keys.count = frame->keys;
    if (twin == NULL) {
        return true;
    }
    int shown = twin->size < 40 ? (int)twin->size : 40;
    (void)sp_json_refuse(json,
                         out,
                         twin->source,
                         "the key \"%.*s\" stands twice in one object",
                         shown,
                         (const char *)bytes + twin->at);
    return false;
}

// ---- Containers ---------------------------------------------------------------

RARE bool grow_frames(struct sp_json *json, struct sp_json_spot spot)
{
    if (json->depth == SP_JSON_NESTED) {
        (void)sp_json_refuse(json,
                             spot.out,
                             spot.at,
                             "more than %d objects and arrays are inside each other",
                             SP_DEPTH_MAX);
        return false;
    }
    size_t room = json->room == 0 ? 8 : json->room * 2;
    room = room < SP_JSON_NESTED ? room : SP_JSON_NESTED;
    void *grown = sp_realloc(json->frames, room * sizeof(*json->frames));
    if (grown == NULL) {
        (void)sp_json_fail(json, SNAKEPIT_NO_MEMORY);
        return false;
    }
    json->frames = grown;
    json->room = room;
    return true;
}

// Its head is one byte until its end is read.
STEP struct sp_json_spot
open_container(struct sp_json *json, struct sp_json_spot spot, bool map)
{
    if (json->depth == json->room && !grow_frames(json, spot)) {
        return nowhere;
    }
    if (json->depth + json->around >= SP_DEPTH_MAX && json->deepest == NULL) {
        json->deepest = spot.at;
    }
    json->frames[json->depth++] =
        (struct sp_json_frame){.head = (size_t)(spot.out - json->writer->buf.data),
                               .tensors = json->writer->tensor_count,
                               .keys = json->keys.count,
                               .map = map};
    *spot.out = map ? 0x80 : 0x90;
    return (struct sp_json_spot){spot.at + 1, spot.out + 1};
}

// The head of a container of 16 and more items, for which what is behind it moves.
RARE struct sp_json_spot write_long_head(struct sp_json *json, struct sp_json_spot spot)
{
    const struct sp_json_frame *frame = top(json);
    snakepit_writer *writer = json->writer;
    size_t more = frame->count <= UINT16_MAX ? 2 : 4;
    // Many containers may end here, and each takes some of the room.
    spot = sp_json_grow(json, spot, more);
    if (spot.at == NULL) {
        return spot;
    }
    uint8_t *head = writer->buf.data + frame->head;
    memmove(head + 1 + more, head + 1, (size_t)(spot.out - head) - 1);
    (void)sp_put_length(head,
                        frame->map ? (struct sp_heads){0, 0xde, 0xdf}
                                   : (struct sp_heads){0, 0xdc, 0xdd},
                        frame->count);
    for (size_t i = frame->tensors; i < writer->tensor_count; i++) {
        writer->tensors[i].at += more;
    }
    spot.out += more;
    return spot;
}

// Whether the object, of one pair, can be what JSON cannot say.
STEP bool is_special(const struct sp_json *json, const struct sp_json_frame *frame)
{
    const uint8_t *key = json->writer->buf.data + frame->head + 1;
    return frame->map && frame->count == 1 && key[head_size(*key)] == '$';
}

// What JSON cannot say stands where the container stood: *rewritten. Or it is refused.
RARE struct sp_json_spot
rewrite(struct sp_json *json, struct sp_json_spot spot, bool *rewritten)
{
    const char *wrong = NULL;
    snakepit_writer *writer = json->writer;
    sp_json_commit(json, spot.out);
    *rewritten = sp_json_rewrite(writer, &json->frames[json->depth], &wrong);
    if (wrong != NULL && writer->err == SNAKEPIT_OK) {
        sp_json_show_frames(json);
        sp_writer_refuse(writer, SNAKEPIT_MALFORMED, "%s", wrong);
    }
    if (writer->err != SNAKEPIT_OK) {
        return nowhere;
    }
    spot.out = writer->buf.data + writer->buf.size;
    return sp_json_grow(json, spot, 0);
}

// The innermost container is whole; its end is at the spot.
STEP struct sp_json_spot close_container(struct sp_json *json, struct sp_json_spot spot)
{
    struct sp_json_frame *frame = top(json);
    bool rewritten = false;
    spot.at++;
    if (frame->map && !check_keys(json, frame, spot.out)) {
        return nowhere;
    }
    if (frame->count < 16) {
        json->writer->buf.data[frame->head] |= (uint8_t)frame->count;
    } else {
        spot = write_long_head(json, spot);
        if (spot.at == NULL) {
            return spot;
        }
    }
    json->depth--;
    if (is_special(json, frame)) {
        spot = rewrite(json, spot, &rewritten);
        if (spot.at == NULL) {
            return spot;
        }
    }
    json->nested = rewritten ? 0 : frame->nested + 1;
    if (json->depth > 0 && frame[-1].nested < json->nested) {
        frame[-1].nested = json->nested;
    }
    return spot;
}

// ---- Values -------------------------------------------------------------------

// A value, or the beginning of a container.
STEP struct sp_json_spot read_value(struct sp_json *json, struct sp_json_spot spot)
{
    uint8_t first = peek(json, spot.at);
    if (first == '"') {
        return read_string(json, spot);
    }
    if (first == '-' || (first >= '0' && first <= '9')) {
        return read_number(json, spot);
    }
    if (first == '{' || first == '[') {
        return open_container(json, spot, first == '{');
    }
    return read_word(json, spot);
}

RARE struct sp_json_spot refuse_item(struct sp_json *json, struct sp_json_spot spot)
{
    const struct sp_json_frame *frame = top(json);
    if (frame->count == UINT32_MAX) {
        return sp_json_refuse(
            json, spot.out, spot.at, "more items than a container can have");
    }
    return sp_json_refuse(json,
                          spot.out,
                          spot.at,
                          spot.at == json->end ? "the text ends inside an %s"
                                               : "a comma or the end of the %s should "
                                                 "be here",
                          frame->map ? "object" : "array");
}

RARE struct sp_json_spot refuse_more(struct sp_json *json, struct sp_json_spot spot)
{
    return sp_json_refuse(json,
                          spot.out,
                          spot.at,
                          "more than the %" PRIu64 " values that `%s` allows",
                          json->limit->values,
                          json->limit->name);
}

// The end of the innermost container, an object if `map`, or what it holds next.
STEP struct sp_json_spot
read_item(struct sp_json *json, struct sp_json_spot spot, const bool map)
{
    struct sp_json_frame *frame = top(json);
    spot.at = skip_blanks(json, spot.at);
    uint8_t next = peek(json, spot.at);
    if (next == (map ? '}' : ']')) {
        return close_container(json, spot);
    }
    if (frame->count > 0) {
        if (next != ',' || frame->count == UINT32_MAX) {
            return refuse_item(json, spot);
        }
        spot.at = skip_blanks(json, spot.at + 1);
    }
    if (json->left-- == 0) {
        return refuse_more(json, spot);
    }
    if (spot.out > json->brim) {
        spot = sp_json_grow(json, spot, 0);
        if (spot.at == NULL) {
            return spot;
        }
    }
    if (map) {
        spot = read_key(json, frame, spot);
        if (spot.at == NULL) {
            return spot;
        }
    }
    frame->count++;
    return read_value(json, spot);
}

static void read_all(struct sp_json *json, struct sp_json_spot spot)
{
    size_t start = (size_t)(spot.out - json->writer->buf.data);
    spot.at = skip_blanks(json, spot.at);
    spot = read_value(json, spot);
    while (spot.at != NULL && json->depth > 0) {
        spot =
            top(json)->map ? read_item(json, spot, true) : read_item(json, spot, false);
    }
    if (spot.at == NULL) {
        return;
    }
    sp_json_commit(json, spot.out);
    spot.at = skip_blanks(json, spot.at);
    if (spot.at != json->end) {
        (void)sp_json_refuse(
            json, spot.out, spot.at, "the text goes on behind its value");
    } else if (json->nested + json->around > SP_DEPTH_MAX) {
        (void)sp_json_refuse(json,
                             json->writer->buf.data + start,
                             json->deepest,
                             "more than %d objects and arrays are inside each other",
                             SP_DEPTH_MAX);
    }
}

#define RESERVED 65536u // bytes that a text is trusted with before any of it is read

static void read_json(snakepit_writer *writer,
                      struct sp_slice text,
                      const struct sp_json_limit *limit)
{
    struct sp_json json = {.start = text.data,
                           .end = text.data + text.size,
                           .writer = writer,
                           .left = limit->values,
                           .limit = limit};
    struct sp_json_spot spot = {text.data, NULL};
    struct sp_writer_hold hold;
    if (sp_writer_hold(writer, &hold)) {
        json.around = writer->depth - 1;
        spot.out = writer->buf.data + writer->buf.size;
        spot = sp_json_grow(&json, spot, text.size < RESERVED ? text.size : RESERVED);
        if (spot.at != NULL) {
            read_all(&json, spot);
        }
        sp_writer_release(writer, &hold);
    }
    sp_free(json.frames);
    sp_free(json.keys.rows);
}

snakepit_err sp_json_read(snakepit_writer *writer,
                          struct sp_slice text,
                          const struct sp_json_limit *limit,
                          snakepit_message *why)
{
    if (writer == NULL) {
        return snakepit_writer_explain(writer, why);
    }
    if (text.data == NULL) {
        sp_writer_refuse(writer,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the JSON text is NULL; give its address, or write nil");
    } else if (writer->err == SNAKEPIT_OK) {
        read_json(writer, text, limit);
    }
    if (why != NULL) {
        why->text[0] = '\0';
    }
    if (writer->err != SNAKEPIT_OK && why != NULL) {
        (void)snakepit_writer_explain(writer, why);
    }
    return writer->err;
}

snakepit_err snakepit_writer_json(snakepit_writer *writer,
                                  const char *json,
                                  size_t bytes,
                                  snakepit_message *why)
{
    static const struct sp_json_limit none = {.values = UINT64_MAX, .name = ""};
    return sp_json_read(
        writer, (struct sp_slice){(const uint8_t *)json, bytes}, &none, why);
}
