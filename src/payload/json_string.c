// SPDX-License-Identifier: MIT
// Strings of JSON that are not short and plain: of any length, beyond ASCII, with
// escapes.
#include <limits.h>
#include <string.h>

#include "payload/json_inside.h"
#include "payload/plain.h"
#include "payload/put.h"
#include "payload/writer.h"

#define HEAD 5u // the longest

// A string that is read: its text goes behind where the longest head would end, and
// moves if it gets a shorter one.
struct string {
    struct sp_json_spot spot; // behind what was written of the text
    size_t start;             // where the head is in the writer's bytes
};

static struct sp_json_spot refuse(struct sp_json *json,
                                  const struct string *string,
                                  const uint8_t *place,
                                  const char *wrong)
{
    return sp_json_refuse(
        json, json->writer->buf.data + string->start, place, "%s", wrong);
}

static struct sp_json_spot
refuse_byte(struct sp_json *json, const struct string *string, const uint8_t *at)
{
    if (at == json->end) {
        return refuse(json, string, at, "the text ends inside a string");
    }
    if (*at >= 0x80) {
        return refuse(json, string, at, "a string that is not UTF-8");
    }
    return sp_json_refuse(json,
                          json->writer->buf.data + string->start,
                          at,
                          "a control character in a string; write it as \\u%04x",
                          *at);
}

// ---- Escapes ------------------------------------------------------------------

static unsigned hex_digit(uint8_t digit)
{
    unsigned letter = (unsigned)(digit | 0x20) - 'a';
    unsigned number = (unsigned)digit - '0';
    return number < 10 ? number : letter < 6 ? letter + 10 : UINT_MAX;
}

// The four digits behind "\u", at `at`; UINT_MAX if they are none.
static unsigned read_unit(const struct sp_json *json, const uint8_t *at)
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
static struct sp_json_spot read_unicode(struct sp_json *json, struct string *string)
{
    const uint8_t *escape = string->spot.at;
    const uint8_t *at = escape + 6;
    uint32_t character = read_unit(json, escape + 2);
    if (character == UINT_MAX) {
        return refuse(json, string, escape, "\\u wants four hexadecimal digits");
    }
    if (character >= 0xd800 && character < 0xe000) {
        bool pair = json->end - at >= 6 && memcmp(at, "\\u", 2) == 0;
        unsigned low = pair ? read_unit(json, at + 2) : 0;
        if (character >= 0xdc00 || low < 0xdc00 || low >= 0xe000) {
            return refuse(json, string, escape, "half a surrogate pair");
        }
        character = 0x10000 + ((character - 0xd800) << 10) + (low - 0xdc00);
        at += 6;
    }
    uint8_t *out = string->spot.out;
    return (struct sp_json_spot){at, out + put_utf8(out, character)};
}

// What a backslash and a letter stand for; 0 where that is nothing.
static uint8_t meaning_of(uint8_t letter)
{
    switch (letter) {
    case '"':
    case '\\':
    case '/':
        return letter;
    case 'b':
        return '\b';
    case 'f':
        return '\f';
    case 'n':
        return '\n';
    case 'r':
        return '\r';
    case 't':
        return '\t';
    default:
        return 0;
    }
}

// The escape at the spot, of which the text has room.
static struct sp_json_spot read_escape(struct sp_json *json, struct string *string)
{
    const uint8_t *at = string->spot.at;
    uint8_t letter = json->end - at < 2 ? 0 : at[1];
    uint8_t meaning = meaning_of(letter);
    if (meaning != 0) {
        *string->spot.out = meaning;
        return (struct sp_json_spot){at + 2, string->spot.out + 1};
    }
    if (letter == 'u') {
        return read_unicode(json, string);
    }
    return refuse(json, string, at, "a backslash before what needs none");
}

// ---- Strings ------------------------------------------------------------------

// Room for `more` bytes; what was written is not committed.
static bool make_room(struct sp_json *json, struct string *string, size_t more)
{
    struct sp_buf *buf = &json->writer->buf;
    if (json->brim - string->spot.out >= (ptrdiff_t)more) {
        return true;
    }
    string->spot = sp_json_grow(json, string->spot, more);
    buf->size = string->start;
    return string->spot.at != NULL;
}

// Writes what is plain from the spot to `to`.
static bool append(struct sp_json *json, struct string *string, const uint8_t *to)
{
    size_t bytes = (size_t)(to - string->spot.at);
    if (!make_room(json, string, bytes)) {
        return false;
    }
    memcpy(string->spot.out, string->spot.at, bytes);
    string->spot = (struct sp_json_spot){to, string->spot.out + bytes};
    return true;
}

// Its text is whole: writes the head, and is behind the quote.
static struct sp_json_spot finish(struct sp_json *json, const struct string *string)
{
    uint8_t *head = json->writer->buf.data + string->start;
    uint8_t *text = head + HEAD;
    size_t size = (size_t)(string->spot.out - text);
    if (size > UINT32_MAX) {
        json->writer->buf.size = string->start;
        snakepit_writer_strn(json->writer, (const char *)text, size); // says why not
        return (struct sp_json_spot){NULL, NULL};
    }
    size_t used = sp_put_text_head(head, size);
    if (used != HEAD) {
        memmove(head + used, text, size);
    }
    return (struct sp_json_spot){string->spot.at + 1, head + used + size};
}

struct sp_json_spot sp_json_string_read(struct sp_json *json, struct sp_json_spot spot)
{
    struct string string = {
        .spot = {spot.at + 1, spot.out + HEAD},
        .start = (size_t)(spot.out - json->writer->buf.data),
    };
    for (;;) {
        const uint8_t *at = sp_plain_skip_text(string.spot.at, json->end);
        if (at == json->end || (*at != '"' && *at != '\\')) {
            return refuse_byte(json, &string, at);
        }
        if (!append(json, &string, at)) {
            return string.spot;
        }
        if (*at == '"') {
            return finish(json, &string);
        }
        string.spot = read_escape(json, &string);
        if (string.spot.at == NULL) {
            return string.spot;
        }
    }
}
