// SPDX-License-Identifier: MIT
// The JSON emitter. Errors stick in the emitter, and once there is one nothing more is
// written.
#include "payload/json.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <snakepit/snakepit.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "payload/base64.h"
#include "payload/json_inside.h"
#include "payload/place.h"
#include "payload/wire.h"

#define SHOWN_TEXT ((size_t)100) // bytes of a key in an error

struct emitter {
    struct sp_buf *out;
    size_t limit; // the size that `out` must not exceed
    bool in_key;  // this text will be a key of another one
    unsigned depth;
    snakepit_err err;
    const uint8_t *begin;  // of the whole value
    const uint8_t *head;   // of the value that is being written
    snakepit_message *why; // NULL: nobody asks
};

static void emit_value(struct emitter *emitter, snakepit_reader *reader);

static void fail(struct emitter *emitter, snakepit_err err)
{
    if (emitter->err == SNAKEPIT_OK) {
        emitter->err = err;
    }
}

// Room for `bytes` more bytes and a zero; NULL: refused. Add what was used of it to
// out->size.
static char *room_for(struct emitter *emitter, size_t bytes)
{
    struct sp_buf *out = emitter->out;
    if (emitter->err != SNAKEPIT_OK) {
        return NULL;
    }
    if (bytes > emitter->limit - out->size ||
        sp_buf_reserve(out, bytes + 1) != SNAKEPIT_OK) {
        fail(emitter, SNAKEPIT_NO_MEMORY);
        return NULL;
    }
    return (char *)out->data + out->size;
}

static void emit(struct emitter *emitter, const char *text, size_t bytes)
{
    char *room = room_for(emitter, bytes);
    if (room != NULL) {
        memcpy(room, text, bytes);
        emitter->out->size += bytes;
    }
}

static void emit_literal(struct emitter *emitter, const char *text)
{
    emit(emitter, text, strlen(text));
}

// ---- Text ---------------------------------------------------------------------

static inline bool is_plain(uint8_t byte)
{
    return byte >= ' ' && byte < 0x80 && byte != '"' && byte != '\\';
}

// True if the text can stand in JSON as it is.
static bool is_clean(const uint8_t *at, size_t left)
{
    while (left != 0) {
        size_t step = is_plain(*at) ? 1 : *at < 0x80 ? 0 : sp_utf8_length(at, left);
        if (step == 0) {
            return false;
        }
        at += step;
        left -= step;
    }
    return true;
}

static size_t escape_ascii(uint8_t byte, char *out)
{
    static const char from[] = "\"\\\b\f\n\r\t";
    static const char to[] = "\"\\bfnrt";
    if (is_plain(byte)) {
        out[0] = (char)byte;
        return 1;
    }
    const char *found = byte != 0 ? strchr(from, byte) : NULL;
    if (found != NULL) {
        out[0] = '\\';
        out[1] = to[found - from];
        return 2;
    }
    return (size_t)snprintf(out, 7, "\\u%04x", byte);
}

// Writes one character, of at most 6 bytes and a zero, and says in *used how much of
// `at` it took.
static size_t escape(const uint8_t *at, size_t left, char *out, size_t *used)
{
    // Judged and written from a copy: the text may change at any time.
    static const uint8_t replacement[] = {0xef, 0xbf, 0xbd}; // U+FFFD
    uint8_t window[4] = {0};
    memcpy(window, at, left < 4 ? left : 4);
    __asm__ volatile("" : : "r"(window) : "memory");
    *used = 1;
    if (window[0] < 0x80) {
        return escape_ascii(window[0], out);
    }
    size_t length = sp_utf8_length(window, left);
    if (length == 0) {
        memcpy(out, replacement, sizeof(replacement));
        return sizeof(replacement);
    }
    memcpy(out, window, length);
    *used = length;
    return length;
}

static void emit_escaped(struct emitter *emitter, const uint8_t *at, size_t left)
{
    while (left != 0) {
        char *room = room_for(emitter, 6);
        if (room == NULL) {
            return;
        }
        size_t used = 0;
        emitter->out->size += escape(at, left, room, &used);
        at += used;
        left -= used;
    }
}

static void emit_text(struct emitter *emitter, snakepit_span text)
{
    emit(emitter, "\"", 1);
    char *room = room_for(emitter, text.size);
    if (room == NULL) {
        return;
    }
    // Copied first and judged then, for the same reason. Most texts need nothing more.
    if (text.data != NULL) {
        memcpy(room, text.data, text.size);
        __asm__ volatile("" : : "r"(room) : "memory");
    }
    if (is_clean((const uint8_t *)room, text.size)) {
        emitter->out->size += text.size;
    } else {
        emit_escaped(emitter, (const uint8_t *)text.data, text.size);
    }
    emit(emitter, "\"", 1);
}

// ---- Numbers and bytes --------------------------------------------------------

static void emit_integer(struct emitter *emitter, uint64_t magnitude, bool negative)
{
    char digits[24];
    char *at = digits + sizeof(digits);
    do {
        *--at = (char)('0' + magnitude % 10);
        magnitude /= 10;
    } while (magnitude != 0);
    if (negative) {
        *--at = '-';
    }
    emit(emitter, at, (size_t)(digits + sizeof(digits) - at));
}

static void emit_signed(struct emitter *emitter, int64_t value)
{
    uint64_t magnitude = value < 0 ? -(uint64_t)value : (uint64_t)value;
    emit_integer(emitter, magnitude, value < 0);
}

// Replaces the decimal point of the process's locale, which may be several bytes.
static void fix_point(char *digits)
{
    size_t head = strspn(digits, "-0123456789");
    size_t point = strcspn(digits + head, "0123456789e");
    if (point != 0) {
        digits[head] = '.';
        memmove(digits + head + 1,
                digits + head + point,
                strlen(digits + head + point) + 1);
    }
}

static void emit_double(struct emitter *emitter, double value)
{
    if (!isfinite(value)) {
        emit_literal(emitter, "null");
        return;
    }
    char digits[48];
    for (int precision = 15; precision <= 17; precision++) {
        (void)snprintf(digits, sizeof(digits), "%.*g", precision, value);
        if (precision == 17 || strtod(digits, NULL) == value) {
            break;
        }
    }
    fix_point(digits);
    emit_literal(emitter, digits);
    // What looks like an integer would come back as one.
    if (strpbrk(digits, ".e") == NULL) {
        emit_literal(emitter, ".0");
    }
}

static void emit_base64(struct emitter *emitter, const void *data, size_t bytes)
{
    size_t size = sp_base64_size(bytes);
    emit(emitter, "\"", 1);
    char *room = room_for(emitter, size);
    if (room != NULL) {
        sp_base64_encode((struct sp_slice){data, bytes}, room);
        emitter->out->size += size;
    }
    emit(emitter, "\"", 1);
}

static void emit_bytes(struct emitter *emitter, const char *name, snakepit_span bytes)
{
    emit_literal(emitter, "{\"");
    emit_literal(emitter, name);
    emit_literal(emitter, "\":");
    emit_base64(emitter, bytes.data, bytes.size);
    emit(emitter, "}", 1);
}

static void emit_tensor(struct emitter *emitter, const snakepit_tensor *tensor)
{
    size_t bytes = 0;
    if (snakepit_tensor_bytes(tensor, &bytes) != SNAKEPIT_OK) {
        fail(emitter, SNAKEPIT_MALFORMED);
        return;
    }
    emit_literal(emitter, "{\"$tensor\":{\"dtype\":\"");
    emit_literal(emitter, snakepit_dtype_name(tensor->dtype));
    emit_literal(emitter, "\",\"shape\":[");
    for (uint32_t i = 0; i < tensor->rank; i++) {
        emit(emitter, ",", i != 0);
        emit_signed(emitter, tensor->shape[i]);
    }
    emit_literal(emitter, "],\"data\":");
    emit_base64(emitter, tensor->data, bytes);
    emit_literal(emitter, "}}");
}

// ---- Containers ---------------------------------------------------------------

// The map that begins at `map` has no JSON: `what`, which is cut if it is long.
static void refuse(struct emitter *emitter, const uint8_t *map, struct sp_slice what)
{
    char place[256];
    fail(emitter, SNAKEPIT_UNSERIALISABLE);
    if (emitter->why == NULL) {
        return;
    }
    size_t before = (size_t)(map - emitter->begin);
    sp_place_behind((struct sp_slice){emitter->begin, before}, place, sizeof place);
    (void)snprintf(emitter->why->text,
                   sizeof emitter->why->text,
                   "JSON has texts as keys alone, and %.*s%s%s; make them differ, or "
                   "read the MessagePack",
                   (int)(what.size < SHOWN_TEXT ? what.size : SHOWN_TEXT),
                   (const char *)what.data,
                   place[0] != '\0' ? " at " : "",
                   place);
}

// A key that is no text, as the text of its JSON. Not again inside such a key: each
// time around doubles the backslashes.
static void emit_odd_key(struct emitter *emitter, snakepit_reader *reader)
{
    static const char nested[] = "a map that is a key has a key that is no text";
    if (emitter->in_key) {
        refuse(emitter,
               emitter->head,
               (struct sp_slice){(const uint8_t *)nested, sizeof nested - 1});
        return;
    }
    struct sp_buf text = {0};
    struct emitter inner = {.out = &text,
                            .limit = emitter->limit - emitter->out->size,
                            .in_key = true,
                            .depth = emitter->depth,
                            .begin = emitter->begin,
                            .why = emitter->why};
    emit_value(&inner, reader);
    if (inner.err != SNAKEPIT_OK) {
        fail(emitter, inner.err);
    } else {
        emit_text(emitter, (snakepit_span){(const char *)text.data, text.size});
    }
    sp_buf_fini(&text);
}

// True: the key is no text.
static bool emit_key(struct emitter *emitter, snakepit_reader *reader)
{
    bool is_odd = false;
    snakepit_reader ahead = *reader;
    snakepit_value key;
    snakepit_err err = snakepit_reader_next(&ahead, &key);
    if (err != SNAKEPIT_OK) {
        fail(emitter, SNAKEPIT_MALFORMED);
    } else if (key.kind == SNAKEPIT_TEXT) {
        *reader = ahead;
        emit_text(emitter, key.as.text);
    } else {
        is_odd = true;
        emit_odd_key(emitter, reader);
    }
    emit(emitter, ":", 1);
    return is_odd;
}

// ---- Keys that become the same ------------------------------------------------

// The keys of one map as they stand in its JSON.
struct written {
    struct sp_buf texts;
    struct sp_json_keys keys;
};

// Writes the next key once more and takes it down; steps over its value.
static snakepit_err
write_again(struct emitter *emitter, snakepit_reader *at, struct written *written)
{
    struct sp_json_key key = {.source = at->at, .at = written->texts.size};
    (void)emit_key(emitter, at);
    if (emitter->err != SNAKEPIT_OK) {
        return emitter->err;
    }
    key.size = written->texts.size - key.at - 1; // without the colon
    snakepit_err err = sp_json_keys_put(&written->keys, &key, written->texts.data);
    return err == SNAKEPIT_OK ? snakepit_reader_skip(at) : err;
}

// Of a map with a key that is no text: refuses it if that became a text that another
// key is. `at` stands at its first key, and its head is at `map`. Texts alone are not
// compared: whoever writes a map sees to it that no two are alike.
static void refuse_twins(struct emitter *emitter,
                         snakepit_reader at,
                         uint32_t count,
                         const uint8_t *map)
{
    struct written written = {0};
    struct emitter again = *emitter;
    again.out = &written.texts;
    again.limit = SP_JSON_MAX;
    snakepit_err err = SNAKEPIT_OK;
    for (uint32_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        err = write_again(&again, &at, &written);
    }
    const struct sp_json_key *twin =
        err != SNAKEPIT_OK
            ? NULL
            : sp_json_keys_find_twin(&written.keys, 0, written.texts.data);
    if (err != SNAKEPIT_OK) {
        fail(emitter, err);
    } else if (twin != NULL) {
        struct sp_buf what = {0};
        err = sp_buf_printf(&what,
                            "two keys arrive as %.*s",
                            (int)(twin->size < SHOWN_TEXT ? twin->size : SHOWN_TEXT),
                            (const char *)written.texts.data + twin->at);
        refuse(emitter, map, (struct sp_slice){what.data, what.size});
        sp_buf_fini(&what);
    }
    sp_free(written.keys.rows);
    sp_buf_fini(&written.texts);
}

// Of a key that would make its object one of ours: written with one "$" more, whatever
// the memory holds by now.
static void emit_escaped_key(struct emitter *emitter,
                             const struct sp_json_special *found)
{
    emit(emitter, "\"", 1);
    for (size_t i = 0; i <= found->dollars; i++) {
        emit(emitter, "$", 1);
    }
    emit_literal(emitter, found->name);
    emit_literal(emitter, "\":");
}

// The key of the only pair of a map.
static void emit_only_key(struct emitter *emitter, snakepit_reader *reader)
{
    struct sp_json_special found;
    snakepit_reader ahead = *reader;
    snakepit_value key;
    snakepit_value value;
    if (snakepit_reader_next(&ahead, &key) == SNAKEPIT_OK) {
        const snakepit_reader behind = ahead;
        if (snakepit_reader_next(&ahead, &value) == SNAKEPIT_OK &&
            sp_json_is_special(&key, &value, &found)) {
            *reader = behind;
            emit_escaped_key(emitter, &found);
            return;
        }
    }
    emit_key(emitter, reader);
}

static void
emit_items(struct emitter *emitter, snakepit_reader *reader, uint32_t count, bool map)
{
    if (emitter->depth == SP_DEPTH_MAX) {
        fail(emitter, SNAKEPIT_MALFORMED);
        return;
    }
    const uint8_t *head = emitter->head;
    const snakepit_reader first = *reader;
    bool odd = false;
    emitter->depth++;
    emit(emitter, map ? "{" : "[", 1);
    for (uint32_t i = 0; i < count && emitter->err == SNAKEPIT_OK; i++) {
        emit(emitter, ",", i != 0);
        if (map && count == 1) {
            emit_only_key(emitter, reader);
        } else if (map) {
            odd |= emit_key(emitter, reader);
        }
        emit_value(emitter, reader);
    }
    if (odd && emitter->err == SNAKEPIT_OK) {
        refuse_twins(emitter, first, count, head);
    }
    emit(emitter, map ? "}" : "]", 1);
    emitter->depth--;
}

static void emit_known(struct emitter *emitter,
                       snakepit_reader *reader,
                       const snakepit_value *value)
{
    switch (value->kind) {
    case SNAKEPIT_NIL:
        emit_literal(emitter, "null");
        break;
    case SNAKEPIT_BOOLEAN:
        emit_literal(emitter, value->as.boolean ? "true" : "false");
        break;
    case SNAKEPIT_INTEGER:
        emit_signed(emitter, value->as.integer);
        break;
    case SNAKEPIT_UNSIGNED:
        emit_integer(emitter, value->as.unsigned_integer, false);
        break;
    case SNAKEPIT_REAL:
        emit_double(emitter, value->as.real);
        break;
    case SNAKEPIT_TEXT:
        emit_text(emitter, value->as.text);
        break;
    case SNAKEPIT_BYTES:
        emit_bytes(emitter, "$bytes", value->as.bytes);
        break;
    case SNAKEPIT_EXTENSION:
        emit_bytes(emitter, "$ext", value->as.bytes);
        break;
    case SNAKEPIT_TENSOR:
        emit_tensor(emitter, &value->as.tensor);
        break;
    case SNAKEPIT_ARRAY:
    case SNAKEPIT_MAP:
        emit_items(emitter, reader, value->as.count, value->kind == SNAKEPIT_MAP);
        break;
    }
}

// Recurses at most SP_DEPTH_MAX times, and once more for keys.
static void emit_value(struct emitter *emitter, snakepit_reader *reader)
{
    snakepit_value value;
    emitter->head = reader->at;
    snakepit_err err = snakepit_reader_next(reader, &value);
    if (err == SNAKEPIT_OK && emitter->err == SNAKEPIT_OK) {
        emit_known(emitter, reader, &value);
    } else if (err != SNAKEPIT_OK) {
        fail(emitter, SNAKEPIT_MALFORMED);
    }
}

// What to say of an error of which nothing was said.
static void tell(snakepit_message *why, snakepit_err err)
{
    if (why != NULL && err != SNAKEPIT_OK && err != SNAKEPIT_UNSERIALISABLE) {
        (void)snprintf(why->text, sizeof why->text, "%s", snakepit_err_text(err));
    }
}

snakepit_err
sp_json_write(snakepit_reader *reader, struct sp_buf *out, snakepit_message *why)
{
    if (reader->at == reader->end) {
        tell(why, SNAKEPIT_END);
        return SNAKEPIT_END;
    }
    size_t start = out->size;
    struct emitter emitter = {
        .out = out, .limit = start + SP_JSON_MAX, .begin = reader->at, .why = why};
    emit_value(&emitter, reader);
    char *end = room_for(&emitter, 0);
    if (end == NULL) {
        out->size = start;
        tell(why, emitter.err);
        return emitter.err;
    }
    *end = '\0';
    return SNAKEPIT_OK;
}

snakepit_err snakepit_reader_explain_json(const snakepit_reader *reader,
                                          snakepit_message *why)
{
    struct sp_buf json = {0};
    if (why != NULL) {
        why->text[0] = '\0';
    }
    if (reader == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    snakepit_reader at = *reader;
    snakepit_err err = sp_json_write(&at, &json, why);
    sp_buf_fini(&json);
    return err;
}
