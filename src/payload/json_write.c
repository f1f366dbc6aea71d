// SPDX-License-Identifier: MIT
// Containers as JSON, and their keys. What is common is read byte by byte and written
// to where there is room; the rest is left to the reader and to what looks after
// memory.
#include "payload/json.h"

#include <stdio.h>

#include <snakepit/snakepit.h>

#include "base/memory.h"
#include "payload/json_common.h"
#include "payload/json_emitter.h"
#include "payload/json_inside.h"
#include "payload/place.h"
#include "payload/wire.h"

#define LARGE      ((size_t)1 << 24) // bytes that are not trusted to become as many again
#define SHOWN_TEXT ((size_t)100)     // bytes of a key in an error

static char *emit_value(struct sp_emitter *emitter, snakepit_reader *reader, char *out);
static void emit_one(struct sp_emitter *emitter, snakepit_reader *reader);

static void emit_span(struct sp_emitter *emitter, snakepit_span text)
{
    sp_emit_text(emitter, (const uint8_t *)text.data, text.size);
}

// ---- Keys ---------------------------------------------------------------------

// The map that begins at `map` has no JSON: `what`, which is cut if it is long.
static void refuse(struct sp_emitter *emitter, const uint8_t *map, struct sp_slice what)
{
    char place[256];
    sp_emit_fail(emitter, SNAKEPIT_UNSERIALISABLE);
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

// A key that is not a text, as the text of its JSON. Not again inside such a key: each
// time around doubles the backslashes.
static void emit_odd_key(struct sp_emitter *emitter, snakepit_reader *reader)
{
    static const char nested[] = "a map that is a key has a key that is not a text";
    if (emitter->in_key) {
        refuse(emitter,
               emitter->head,
               (struct sp_slice){(const uint8_t *)nested, sizeof nested - 1});
        return;
    }
    struct sp_buf text = {0};
    struct sp_emitter inner = {.out = &text,
                               .limit = SP_JSON_MAX,
                               .in_key = true,
                               .depth = emitter->depth,
                               .begin = emitter->begin,
                               .why = emitter->why};
    emit_one(&inner, reader);
    if (inner.err != SNAKEPIT_OK) {
        sp_emit_fail(emitter, inner.err);
    } else {
        sp_emit_text(emitter, text.data, text.size);
    }
    sp_buf_fini(&text);
}

// True: the key is not a text.
static bool emit_any_key(struct sp_emitter *emitter, snakepit_reader *reader)
{
    bool is_odd = false;
    snakepit_reader ahead = *reader;
    snakepit_value key;
    snakepit_err err = snakepit_reader_next(&ahead, &key);
    if (err != SNAKEPIT_OK) {
        sp_emit_fail(emitter, SNAKEPIT_MALFORMED);
    } else if (key.kind == SNAKEPIT_TEXT) {
        *reader = ahead;
        emit_span(emitter, key.as.text);
    } else {
        is_odd = true;
        emit_odd_key(emitter, reader);
    }
    sp_emit(emitter, ":", 1);
    return is_odd;
}

static inline char *
emit_key(struct sp_emitter *emitter, snakepit_reader *reader, char *out, bool *odd)
{
    uint8_t head = sp_common_peek(reader);
    char *end = head >= 0xa0 && head < 0xc0 ? sp_common_text(reader, head, out) : NULL;
    if (end == NULL) {
        sp_emit_until(emitter, out);
        *odd |= emit_any_key(emitter, reader);
        return sp_emit_end(emitter);
    }
    *end = ':';
    return end + 1;
}

// ---- Keys that become the same ------------------------------------------------

// The keys of one map as they stand in its JSON.
struct written {
    struct sp_buf texts;
    struct sp_json_keys keys;
};

// Writes the next key once more and takes it down; steps over its value.
static snakepit_err
write_again(struct sp_emitter *emitter, snakepit_reader *at, struct written *written)
{
    struct sp_json_key key = {.source = at->at, .at = written->texts.size};
    (void)emit_any_key(emitter, at);
    if (emitter->err != SNAKEPIT_OK) {
        return emitter->err;
    }
    key.size = written->texts.size - key.at - 1; // without the colon
    snakepit_err err = sp_json_keys_put(&written->keys, &key, written->texts.data);
    return err == SNAKEPIT_OK ? snakepit_reader_skip(at) : err;
}

// Of a map with a key that is not a text: refuses it if that became a text that another
// key is. `at` stands at its first key, and its head is at `map`. Texts alone are not
// compared: whoever writes a map sees to it that no two are alike.
static void refuse_twins(struct sp_emitter *emitter,
                         snakepit_reader at,
                         uint32_t count,
                         const uint8_t *map)
{
    struct written written = {0};
    struct sp_emitter again = *emitter;
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
        sp_emit_fail(emitter, err);
    } else if (twin != NULL) {
        struct sp_buf what = {0};
        (void)sp_buf_printf(&what,
                            "two keys arrive as %.*s",
                            (int)(twin->size < SHOWN_TEXT ? twin->size : SHOWN_TEXT),
                            (const char *)written.texts.data + twin->at);
        refuse(emitter, map, (struct sp_slice){what.data, what.size});
        sp_buf_fini(&what);
    }
    sp_free(written.keys.rows);
    sp_buf_fini(&written.texts);
}

// ---- Containers ---------------------------------------------------------------

// Of a key that would make its object one of ours: written with one "$" more, whatever
// the memory holds by now.
static void emit_escaped_key(struct sp_emitter *emitter,
                             const struct sp_json_special *found)
{
    sp_emit(emitter, "\"", 1);
    for (size_t i = 0; i <= found->dollars; i++) {
        sp_emit(emitter, "$", 1);
    }
    sp_emit_word(emitter, found->name);
    sp_emit_word(emitter, "\":");
}

// The key of the only pair of a map.
static char *
emit_only_key(struct sp_emitter *emitter, snakepit_reader *reader, char *out)
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
            sp_emit_until(emitter, out);
            emit_escaped_key(emitter, &found);
            return sp_emit_end(emitter);
        }
    }
    bool odd = false; // the only key is like no other
    return emit_key(emitter, reader, out, &odd);
}

// Between items there is slack behind `out`, so that it has to be asked for but here.
static char *emit_items(struct sp_emitter *emitter,
                        snakepit_reader *reader,
                        char *out,
                        uint32_t count,
                        bool map)
{
    if (emitter->depth == SP_DEPTH_MAX) {
        sp_emit_fail(emitter, SNAKEPIT_MALFORMED);
        return out;
    }
    const uint8_t *head = emitter->head;
    const snakepit_reader first = *reader;
    bool odd = false;
    emitter->depth++;
    *out++ = map ? '{' : '[';
    for (uint32_t i = 0; i < count; i++) {
        if (out > emitter->brim) {
            sp_emit_until(emitter, out);
            (void)sp_emit_room(emitter, 0);
            out = sp_emit_end(emitter);
        }
        *out = ',';
        out += i != 0;
        if (map && count == 1) {
            out = emit_only_key(emitter, reader, out);
        } else if (map) {
            out = emit_key(emitter, reader, out, &odd);
        }
        out = emit_value(emitter, reader, out);
        if (emitter->err != SNAKEPIT_OK) {
            return out;
        }
    }
    if (odd) {
        refuse_twins(emitter, first, count, head);
    }
    emitter->depth--;
    *out = map ? '}' : ']';
    return out + 1;
}

// A value that is not a container and has at most 24 digits.
static char *write_known(const snakepit_value *value, char *out)
{
    switch (value->kind) {
    case SNAKEPIT_NIL:
        return sp_common_word(out, SP_COMMON_NULL);
    case SNAKEPIT_BOOLEAN:
        return sp_common_word(out,
                              value->as.boolean ? SP_COMMON_TRUE : SP_COMMON_FALSE);
    case SNAKEPIT_INTEGER:
        return sp_common_signed(out, value->as.integer);
    case SNAKEPIT_UNSIGNED:
        return sp_common_integer(out, value->as.unsigned_integer);
    case SNAKEPIT_REAL:
        return sp_common_double(out, value->as.real);
    default:
        return NULL;
    }
}

static void emit_known(struct sp_emitter *emitter, const snakepit_value *value)
{
    switch (value->kind) {
    case SNAKEPIT_TEXT:
        emit_span(emitter, value->as.text);
        break;
    case SNAKEPIT_BYTES:
        sp_emit_bytes(emitter, "$bytes", value->as.bytes);
        break;
    case SNAKEPIT_EXTENSION:
        sp_emit_bytes(emitter, "$ext", value->as.bytes);
        break;
    case SNAKEPIT_TENSOR:
        sp_emit_tensor(emitter, &value->as.tensor);
        break;
    default:
        sp_emit_fail(emitter, SNAKEPIT_MALFORMED);
        break;
    }
}

static char *
emit_any_value(struct sp_emitter *emitter, snakepit_reader *reader, char *out)
{
    snakepit_value value;
    emitter->head = reader->at;
    snakepit_err err = snakepit_reader_next(reader, &value);
    if (err != SNAKEPIT_OK) {
        sp_emit_fail(emitter, SNAKEPIT_MALFORMED);
    }
    if (emitter->err != SNAKEPIT_OK) {
        return out;
    }
    if (value.kind == SNAKEPIT_ARRAY || value.kind == SNAKEPIT_MAP) {
        return emit_items(
            emitter, reader, out, value.as.count, value.kind == SNAKEPIT_MAP);
    }
    char *end = write_known(&value, out);
    if (end == NULL) {
        sp_emit_until(emitter, out);
        emit_known(emitter, &value);
        end = sp_emit_end(emitter);
    }
    return end;
}

// Recurses at most SP_DEPTH_MAX times, and once more for keys.
static char *emit_value(struct sp_emitter *emitter, snakepit_reader *reader, char *out)
{
    char *end = sp_common_value(reader, sp_common_peek(reader), out);
    return end != NULL ? end : emit_any_value(emitter, reader, out);
}

// Emits one value behind what there is, and a zero.
static void emit_one(struct sp_emitter *emitter, snakepit_reader *reader)
{
    char *out = sp_emit_room(emitter, 0);
    if (out != NULL) {
        sp_emit_until(emitter, emit_value(emitter, reader, out));
        out = sp_emit_room(emitter, 0); // what is over the limit is refused here
    }
    if (out != NULL) {
        *out = '\0';
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
    size_t bytes = (size_t)(reader->end - reader->at);
    struct sp_emitter emitter = {
        .out = out, .limit = start + SP_JSON_MAX, .begin = reader->at, .why = why};
    // The JSON of reals is more than twice as long. What is not needed is not touched.
    (void)sp_emit_room(&emitter, bytes < LARGE ? bytes / 4 * 9 : 0);
    emit_one(&emitter, reader);
    if (emitter.err != SNAKEPIT_OK) {
        out->size = start;
        tell(why, emitter.err);
    }
    return emitter.err;
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
