// SPDX-License-Identifier: MIT
// RFC 9110, 12.5.1. A list that is malformed is read as far as it goes: what is no type
// of ours does not matter, however it is written.
#include "http/negotiate.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define MEDIA_TYPES 8
#define WHOLE       1000u // a quality of 1

struct type {
    const char *name;
    enum sp_media media;
};

// The first one of each is what we say ourselves.
static const struct type types[MEDIA_TYPES] = {
    {"application/json", SP_MEDIA_JSON},
    {"application/msgpack", SP_MEDIA_MSGPACK},
    {"application/x-msgpack", SP_MEDIA_MSGPACK},
    {"application/vnd.msgpack", SP_MEDIA_MSGPACK},
    {"text/event-stream", SP_MEDIA_EVENTS},
    {"text/plain", SP_MEDIA_TEXT},
    {"application/openmetrics-text", SP_MEDIA_OPENMETRICS},
    {"text/html", SP_MEDIA_HTML},
};

// How exactly a range names a type.
enum precision { NOT_AT_ALL = 0, BY_ANY, BY_KIND, BY_NAME };

struct range {
    struct sp_slice name; // "text/*"
    unsigned quality;
};

// What one type has come to.
struct standing {
    enum precision precision;
    unsigned quality;
};

const char *sp_media_type(enum sp_media media)
{
    const struct type *type = types;
    while (type->media != media) {
        type++;
    }
    return type->name;
}

// ---- Texts ----------------------------------------------------------------------

static bool is_blank(uint8_t byte)
{
    return byte == ' ' || byte == '\t';
}

static struct sp_slice trim(struct sp_slice text)
{
    while (text.size > 0 && is_blank(text.data[0])) {
        text = (struct sp_slice){text.data + 1, text.size - 1};
    }
    while (text.size > 0 && is_blank(text.data[text.size - 1])) {
        text.size--;
    }
    return text;
}

// What stands before the next `separator`; takes both from `rest`.
static struct sp_slice take(struct sp_slice *rest, int separator)
{
    const uint8_t *end = memchr(rest->data, separator, rest->size);
    const size_t size = end == NULL ? rest->size : (size_t)(end - rest->data);
    const struct sp_slice part = {rest->data, size};
    const size_t step = end == NULL ? size : size + 1;
    *rest = (struct sp_slice){rest->data + step, rest->size - step};
    return trim(part);
}

static bool is_text(struct sp_slice text, const char *other)
{
    const size_t size = strlen(other);
    return text.size == size && strncasecmp((const char *)text.data, other, size) == 0;
}

// ---- Content-Type ---------------------------------------------------------------

static enum sp_media media_of(struct sp_slice name)
{
    for (size_t i = 0; i < MEDIA_TYPES; i++) {
        if (is_text(name, types[i].name)) {
            return types[i].media;
        }
    }
    return SP_MEDIA_NONE;
}

enum sp_media sp_media_of_body(const struct sp_request *request)
{
    struct sp_slice value = sp_request_field(request, "content-type");
    return value.data == NULL ? SP_MEDIA_NONE : media_of(take(&value, ';'));
}

// ---- Accept ---------------------------------------------------------------------

// "0.25" as 250. What is not a quality counts as 1.
static unsigned read_quality(struct sp_slice text)
{
    unsigned quality = 0;
    unsigned unit = WHOLE;
    for (size_t i = 0; i < text.size; i++) {
        if (i == 1 && text.data[i] == '.') {
            continue;
        }
        if (!isdigit(text.data[i])) {
            return WHOLE;
        }
        quality += (unsigned)(text.data[i] - '0') * unit;
        unit /= 10;
    }
    return text.size == 0 || quality > WHOLE ? WHOLE : quality;
}

static struct range read_range(struct sp_slice text)
{
    struct range range = {.name = take(&text, ';'), .quality = WHOLE};
    while (text.size > 0) {
        struct sp_slice value = take(&text, ';');
        const struct sp_slice key = take(&value, '=');
        if (is_text(key, "q")) {
            range.quality = read_quality(trim(value));
        }
    }
    return range;
}

static enum precision precision_of(struct sp_slice range, const char *name)
{
    const size_t kind = strcspn(name, "/") + 1; // with the slash
    if (is_text(range, name)) {
        return BY_NAME;
    }
    if (is_text(range, "*/*")) {
        return BY_ANY;
    }
    return range.size == kind + 1 && range.data[kind] == '*' &&
                   strncasecmp((const char *)range.data, name, kind) == 0
               ? BY_KIND
               : NOT_AT_ALL;
}

static void weigh(struct standing standings[MEDIA_TYPES], struct range range)
{
    for (size_t i = 0; i < MEDIA_TYPES; i++) {
        const enum precision precision = precision_of(range.name, types[i].name);
        if (precision > standings[i].precision) {
            standings[i] = (struct standing){precision, range.quality};
        }
    }
}

static bool is_better(struct standing one, struct standing than)
{
    return one.quality > than.quality ||
           (one.quality == than.quality && one.precision > than.precision);
}

static enum sp_media choose(const struct standing standings[MEDIA_TYPES],
                            unsigned offered)
{
    struct standing best = {NOT_AT_ALL, 0};
    enum sp_media chosen = SP_MEDIA_NONE;
    for (size_t i = 0; i < MEDIA_TYPES; i++) {
        if ((types[i].media & offered) != 0 && standings[i].quality > 0 &&
            is_better(standings[i], best)) {
            best = standings[i];
            chosen = types[i].media;
        }
    }
    return chosen;
}

enum sp_media sp_media_accepted(const struct sp_request *request,
                                unsigned offered,
                                enum sp_media by_default)
{
    struct standing standings[MEDIA_TYPES] = {{NOT_AT_ALL, 0}};
    bool said = false;
    for (size_t i = 0; i < request->field_count; i++) {
        struct sp_slice list = request->fields[i].value;
        if (!is_text(request->fields[i].name, "accept")) {
            continue;
        }
        while (list.size > 0) {
            said = true;
            weigh(standings, read_range(take(&list, ',')));
        }
    }
    return said ? choose(standings, offered) : by_default;
}
