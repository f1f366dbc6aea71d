// SPDX-License-Identifier: MIT
// JSON text to MessagePack, in one pass and without recursion: see
// payload/json_inside.h. An error sticks in the writer, and whoever finds one returns
// false.
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/utf8.h"
#include "payload/json.h"
#include "payload/json_inside.h"
#include "payload/json_number.h"
#include "payload/writer.h"

struct json {
    const uint8_t *start;
    const uint8_t *at;
    const uint8_t *end;
    snakepit_writer *writer;
    struct sp_json_frame *frames; // the containers that are open
    size_t depth;
    size_t room;
    struct sp_json_keys keys; // of all open objects
    struct sp_buf text;       // a text that has escapes, without them
    uint32_t around;          // containers of the writer that the value is inside of
    uint32_t nested;          // containers inside each other that the last one is
    const uint8_t *deepest;   // where more than SP_DEPTH_MAX began to be so, or NULL
};

// ---- Errors -------------------------------------------------------------------

// So that the writer's bytes say how to get here: a container that is open gets a head
// that it cannot outgrow. Without memory for that the place is not told.
static void show_frames(struct json *json)
{
    struct sp_buf *buf = &json->writer->buf;
    if (sp_buf_reserve(buf, 4 * json->depth) != SNAKEPIT_OK) {
        return;
    }
    for (size_t i = json->depth; i-- > 0;) {
        uint8_t *head = buf->data + json->frames[i].head;
        size_t behind = buf->size - json->frames[i].head - 1;
        memmove(head + 5, head + 1, behind);
        memset(head + 1, 0xff, 4);
        *head = json->frames[i].map ? 0xdf : 0xdd;
        buf->size += 4;
    }
    json->depth = 0;
}

static bool has_failed(const struct json *json)
{
    return json->writer->err != SNAKEPIT_OK;
}

// Refuses the text, for what stands at `place`.
__attribute__((format(printf, 3, 4))) static bool
refuse(struct json *json, const uint8_t *place, const char *format, ...)
{
    char wrong[256];
    va_list args;
    unsigned line = 1;
    unsigned column = 1;
    for (const uint8_t *at = json->start; at < place; at++) {
        line += *at == '\n';
        column = *at == '\n' ? 1 : column + !sp_utf8_is_tail(*at);
    }
    va_start(args, format);
    (void)vsnprintf(wrong, sizeof wrong, format, args);
    va_end(args);
    show_frames(json);
    sp_writer_refuse(json->writer,
                     SNAKEPIT_MALFORMED,
                     "line %u, column %u: %s",
                     line,
                     column,
                     wrong);
    return false;
}

static bool fail(struct json *json, snakepit_err err)
{
    sp_writer_fail(json->writer, err);
    return false;
}

// ---- Texts --------------------------------------------------------------------

#define ONES  UINT64_C(0x0101010101010101)
#define HIGHS UINT64_C(0x8080808080808080)

// The high bit of each byte that is `byte`, of eight; what is above such a byte may be
// wrong.
static inline uint64_t find_byte(uint64_t bytes, uint8_t byte)
{
    uint64_t zeros = bytes ^ (ONES * byte);
    return (zeros - ONES) & ~zeros;
}

// The next byte that does not simply stand for itself: a quote, a backslash, a control
// character, one beyond ASCII, or the end.
static const uint8_t *skip_plain(const uint8_t *at, const uint8_t *end)
{
    while (end - at >= 8) {
        uint64_t bytes;
        memcpy(&bytes, at, sizeof bytes);
        uint64_t controls = (bytes - ONES * ' ') & ~bytes;
        uint64_t odd =
            (find_byte(bytes, '"') | find_byte(bytes, '\\') | controls | bytes) & HIGHS;
        if (odd != 0) {
            return at + __builtin_ctzll(odd) / 8;
        }
        at += 8;
    }
    while (at < end && *at >= ' ' && *at < 0x80 && *at != '"' && *at != '\\') {
        at++;
    }
    return at;
}

// Moves over what stands for itself; stops at the quote, at a backslash, or fails.
static bool skip_characters(struct json *json)
{
    for (;;) {
        json->at = skip_plain(json->at, json->end);
        if (json->at == json->end) {
            return refuse(json, json->at, "the text ends inside a string");
        }
        if (*json->at == '"' || *json->at == '\\') {
            return true;
        }
        if (*json->at < ' ') {
            return refuse(json,
                          json->at,
                          "a control character in a string; write it as \\u%04x",
                          *json->at);
        }
        size_t size = sp_utf8_length(json->at, (size_t)(json->end - json->at));
        if (size == 0) {
            return refuse(json, json->at, "a string that is not UTF-8");
        }
        json->at += size;
    }
}

static unsigned hex_digit(uint8_t digit)
{
    unsigned letter = (unsigned)(digit | 0x20) - 'a';
    unsigned number = (unsigned)digit - '0';
    return number < 10 ? number : letter < 6 ? letter + 10 : UINT_MAX;
}

// The four digits behind "\u", at `at`; UINT_MAX if they are none.
static unsigned read_unit(const struct json *json, const uint8_t *at)
{
    unsigned unit = 0;
    if (json->end - at < 4) {
        return UINT_MAX;
    }
    for (size_t i = 0; i < 4; i++) {
        unsigned digit = hex_digit(at[i]);
        if (digit == UINT_MAX) {
            return UINT_MAX;
        }
        unit = unit << 4 | digit;
    }
    return unit;
}

static size_t put_utf8(uint8_t *out, uint32_t character)
{
    if (character < 0x80) {
        out[0] = (uint8_t)character;
        return 1;
    }
    size_t tails = character < 0x800 ? 1 : character < 0x10000 ? 2 : 3;
    static const uint8_t heads[] = {0, 0xc0, 0xe0, 0xf0};
    out[0] = (uint8_t)(heads[tails] | character >> (6 * tails));
    for (size_t i = 1; i <= tails; i++) {
        out[i] = (uint8_t)(0x80 | (character >> (6 * (tails - i)) & 0x3f));
    }
    return 1 + tails;
}

// "\uXXXX", or two of them that are one character.
static bool read_unicode(struct json *json)
{
    uint8_t out[4];
    const uint8_t *escape = json->at;
    uint32_t character = read_unit(json, escape + 2);
    json->at += 6;
    if (character == UINT_MAX) {
        return refuse(json, escape, "\\u wants four hexadecimal digits");
    }
    if (character >= 0xd800 && character < 0xe000) {
        bool pair = json->end - json->at >= 6 && memcmp(json->at, "\\u", 2) == 0;
        unsigned low = pair ? read_unit(json, json->at + 2) : 0;
        if (character >= 0xdc00 || low < 0xdc00 || low >= 0xe000) {
            return refuse(json, escape, "half a surrogate pair");
        }
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
        json->at += 6;
    }
    snakepit_err err = sp_buf_append(&json->text, out, put_utf8(out, character));
    return err == SNAKEPIT_OK || fail(json, err);
}

static bool read_escape(struct json *json)
{
    static const char from[] = "\"\\/bfnrt";
    static const char to[] = "\"\\/\b\f\n\r\t";
    uint8_t letter = json->end - json->at < 2 ? 0 : json->at[1];
    if (letter == 'u') {
        return read_unicode(json);
    }
    const char *found = letter == 0 ? NULL : strchr(from, letter);
    if (found == NULL) {
        return refuse(json, json->at, "a backslash before what needs none");
    }
    json->at += 2;
    snakepit_err err = sp_buf_append(&json->text, &to[found - from], 1);
    return err == SNAKEPIT_OK || fail(json, err);
}

// The rest of a string whose first escape is next, `from` where it begins.
static bool read_escaped(struct json *json, const uint8_t *from)
{
    json->text.size = 0;
    for (;;) {
        snakepit_err err = sp_buf_append(&json->text, from, (size_t)(json->at - from));
        if (err != SNAKEPIT_OK) {
            return fail(json, err);
        }
        if (*json->at == '"') {
            return true;
        }
        if (!read_escape(json)) {
            return false;
        }
        from = json->at;
        if (!skip_characters(json)) {
            return false;
        }
    }
}

// The string whose quote is next becomes a value of *size bytes.
static bool read_string(struct json *json, size_t *size)
{
    const uint8_t *from = ++json->at;
    struct sp_slice text;
    if (!skip_characters(json)) {
        return false;
    }
    if (*json->at == '"') {
        text = (struct sp_slice){from, (size_t)(json->at - from)};
    } else if (read_escaped(json, from)) {
        text = (struct sp_slice){json->text.data, json->text.size};
    } else {
        return false;
    }
    json->at++;
    *size = text.size;
    snakepit_writer_strn(json->writer, (const char *)text.data, text.size);
    return !has_failed(json);
}

// ---- Numbers and words --------------------------------------------------------

static bool write_number(struct json *json, const struct sp_json_number *number)
{
    if (number->real) {
        snakepit_writer_double(json->writer, number->as.real);
    } else if (number->negative) {
        snakepit_writer_int(json->writer, (int64_t)(0 - number->as.magnitude));
    } else {
        snakepit_writer_uint(json->writer, number->as.magnitude);
    }
    return !has_failed(json);
}

static bool read_number(struct json *json)
{
    struct sp_json_number number;
    const uint8_t *from = json->at;
    const char *wrong;
    snakepit_err err = sp_json_number_read(&json->at, json->end, &number, &wrong);
    if (err == SNAKEPIT_OK) {
        return write_number(json, &number);
    }
    return err == SNAKEPIT_NO_MEMORY ? fail(json, err)
                                     : refuse(json, from, "%s", wrong);
}

// True if the word is next, which is then passed.
static bool take_word(struct json *json, const char *word)
{
    size_t size = strlen(word);
    if ((size_t)(json->end - json->at) < size || memcmp(json->at, word, size) != 0) {
        return false;
    }
    json->at += size;
    return true;
}

static bool read_word(struct json *json)
{
    if (take_word(json, "null")) {
        snakepit_writer_nil(json->writer);
    } else if (take_word(json, "true")) {
        snakepit_writer_bool(json->writer, true);
    } else if (take_word(json, "false")) {
        snakepit_writer_bool(json->writer, false);
    } else if (json->at == json->end) {
        return refuse(json, json->at, "the text ends where a value should be");
    } else {
        return refuse(json, json->at, "this is not a value of JSON");
    }
    return !has_failed(json);
}

// ---- Containers ---------------------------------------------------------------

static struct sp_json_frame *top(struct json *json)
{
    return &json->frames[json->depth - 1];
}

// The next byte that is not a blank, not passed; 0 at the end.
static uint8_t peek(struct json *json)
{
    while (json->at < json->end && (*json->at == ' ' || *json->at == '\n' ||
                                    *json->at == '\r' || *json->at == '\t')) {
        json->at++;
    }
    return json->at < json->end ? *json->at : 0;
}

static bool grow_frames(struct json *json)
{
    size_t room = json->room == 0 ? 8 : json->room * 2;
    void *grown = sp_realloc(json->frames, room * sizeof(*json->frames));
    if (grown == NULL) {
        return fail(json, SNAKEPIT_NO_MEMORY);
    }
    json->frames = grown;
    json->room = room;
    return true;
}

// Its head is one byte until its end is read.
static bool open_container(struct json *json, bool map)
{
    struct sp_buf *buf = &json->writer->buf;
    const uint8_t head = map ? 0x80 : 0x90;
    if (json->depth == SP_JSON_NESTED) {
        return refuse(json,
                      json->at,
                      "more than %d objects and arrays are inside each other",
                      SP_DEPTH_MAX);
    }
    if (json->depth == json->room && !grow_frames(json)) {
        return false;
    }
    if (json->deepest == NULL && json->depth + json->around >= SP_DEPTH_MAX) {
        json->deepest = json->at;
    }
    json->frames[json->depth++] =
        (struct sp_json_frame){.head = buf->size,
                               .tensors = json->writer->tensor_count,
                               .keys = json->keys.count,
                               .map = map};
    json->at++;
    snakepit_err err = sp_buf_append(buf, &head, 1);
    return err == SNAKEPIT_OK || fail(json, err);
}

// Bytes that the head of a container of so many items has behind its first.
static size_t head_tail(uint32_t count)
{
    return count < 16 ? 0 : count <= UINT16_MAX ? 2 : 4;
}

// Writes the head of the container, now that its count is known.
static bool write_head(struct json *json, const struct sp_json_frame *frame)
{
    snakepit_writer *writer = json->writer;
    size_t more = head_tail(frame->count);
    if (sp_buf_reserve(&writer->buf, more) != SNAKEPIT_OK) {
        return fail(json, SNAKEPIT_NO_MEMORY);
    }
    uint8_t *head = writer->buf.data + frame->head;
    if (more == 0) {
        *head |= (uint8_t)frame->count;
        return true;
    }
    memmove(head + 1 + more, head + 1, writer->buf.size - frame->head - 1);
    writer->buf.size += more;
    *head = (uint8_t)((frame->map ? 0xde : 0xdc) + (more == 4));
    for (size_t i = 0; i < more; i++) {
        head[1 + i] = (uint8_t)(frame->count >> (8 * (more - 1 - i)));
    }
    for (size_t i = frame->tensors; i < writer->tensor_count; i++) {
        writer->tensors[i].at += more;
    }
    return true;
}

// The keys of the object whose end was read are of no more use, unless two are the
// same.
static bool check_keys(struct json *json, const struct sp_json_frame *frame)
{
    const uint8_t *bytes = json->writer->buf.data;
    const struct sp_json_key *twin =
        frame->count < 2 ? NULL
                         : sp_json_keys_find_twin(&json->keys, frame->keys, bytes);
    json->keys.count = frame->keys;
    if (twin == NULL) {
        return true;
    }
    int shown = twin->size < 40 ? (int)twin->size : 40;
    return refuse(json,
                  twin->source,
                  "the key \"%.*s\" stands twice in one object",
                  shown,
                  (const char *)bytes + twin->at);
}

// What JSON cannot say stands where the container stood; or `wrong` is why it does not.
static bool finish_rewriting(struct json *json, const char *wrong)
{
    if (wrong != NULL && !has_failed(json)) {
        show_frames(json);
        sp_writer_refuse(json->writer, SNAKEPIT_MALFORMED, "%s", wrong);
    }
    return !has_failed(json);
}

// The innermost container is whole.
static bool close_container(struct json *json)
{
    struct sp_json_frame frame = *top(json);
    const char *wrong = NULL;
    json->at++;
    if ((frame.map && !check_keys(json, &frame)) || !write_head(json, &frame)) {
        return false;
    }
    json->depth--;
    bool single = frame.map && frame.count == 1;
    bool rewritten = single && sp_json_rewrite(json->writer, &frame, &wrong);
    frame.nested = rewritten ? 0 : frame.nested + 1;
    if (json->depth > 0 && top(json)->nested < frame.nested) {
        top(json)->nested = frame.nested;
    }
    json->nested = frame.nested;
    return finish_rewriting(json, wrong);
}

static bool read_key(struct json *json)
{
    struct sp_json_key key;
    if (peek(json) != '"') {
        return refuse(json, json->at, "a key in quotes should be here");
    }
    key.source = json->at;
    if (!read_string(json, &key.size)) {
        return false;
    }
    key.at = json->writer->buf.size - key.size;
    snakepit_err err = sp_json_keys_put(&json->keys, &key, json->writer->buf.data);
    if (err != SNAKEPIT_OK) {
        return fail(json, err);
    }
    if (peek(json) != ':') {
        return refuse(json, json->at, "a colon should be here, behind the key");
    }
    json->at++;
    return true;
}

// ---- Values -------------------------------------------------------------------

// A value, or the beginning of a container.
static bool read_value(struct json *json)
{
    size_t size;
    uint8_t first = peek(json);
    if (first == '"') {
        return read_string(json, &size);
    }
    if (first == '{' || first == '[') {
        return open_container(json, first == '{');
    }
    if (first == '-' || (first >= '0' && first <= '9')) {
        return read_number(json);
    }
    return read_word(json);
}

// The end of the innermost container, or what it holds next.
static bool read_item(struct json *json)
{
    struct sp_json_frame *frame = top(json);
    uint8_t next = peek(json);
    if (next == (frame->map ? '}' : ']')) {
        return close_container(json);
    }
    if (frame->count == UINT32_MAX) {
        return refuse(json, json->at, "more items than a container can have");
    }
    if (frame->count > 0) {
        if (next != ',') {
            return refuse(json,
                          json->at,
                          json->at == json->end ? "the text ends inside an %s"
                                                : "a comma or the end of the %s should "
                                                  "be here",
                          frame->map ? "object" : "array");
        }
        json->at++;
    }
    if (frame->map && !read_key(json)) {
        return false;
    }
    frame->count++;
    return read_value(json);
}

static void read_all(struct json *json)
{
    size_t start = json->writer->buf.size;
    bool fine = read_value(json);
    while (fine && json->depth > 0) {
        fine = read_item(json);
    }
    if (fine && (peek(json) != 0 || json->at != json->end)) {
        fine = refuse(json, json->at, "the text goes on behind its value");
    }
    if (fine && json->nested + json->around > SP_DEPTH_MAX) {
        json->writer->buf.size = start;
        (void)refuse(json,
                     json->deepest,
                     "more than %d objects and arrays are inside each other",
                     SP_DEPTH_MAX);
    }
}

static void read_json(snakepit_writer *writer, const char *text, size_t bytes)
{
    const uint8_t *start = (const uint8_t *)text;
    struct json json = {
        .start = start, .at = start, .end = start + bytes, .writer = writer};
    struct sp_writer_hold hold;
    if (sp_writer_hold(writer, &hold)) {
        json.around = writer->depth - 1;
        read_all(&json);
        sp_writer_release(writer, &hold);
    }
    sp_free(json.frames);
    sp_free(json.keys.rows);
    sp_buf_fini(&json.text);
}

snakepit_err snakepit_writer_json(snakepit_writer *writer,
                                  const char *json,
                                  size_t bytes,
                                  snakepit_message *why)
{
    if (writer == NULL) {
        return snakepit_writer_explain(writer, why);
    }
    if (json == NULL) {
        sp_writer_refuse(writer,
                         SNAKEPIT_INVALID_ARGUMENT,
                         "the JSON text is NULL; give its address, or write nil");
    } else if (writer->err == SNAKEPIT_OK) {
        read_json(writer, json, bytes);
    }
    if (why != NULL) {
        why->text[0] = '\0';
    }
    if (writer->err != SNAKEPIT_OK && why != NULL) {
        (void)snakepit_writer_explain(writer, why);
    }
    return writer->err;
}
