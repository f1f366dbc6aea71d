// SPDX-License-Identifier: MIT
// Sentences about a configuration. What is quoted comes from a file that may be
// hostile, so it is shortened and freed of control characters before it reaches a
// terminal.
#include "config/problem.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define SHOWN_MAX 60u  // bytes of a foreign text
#define MARGIN    8u   // bytes that stay free for what follows a foreign text
#define FILE_MAX  300u // bytes of a file name: of a longer one the end

static bool is_number(const char *text)
{
    size_t digits = strspn(text, "0123456789");
    return digits > 0 && digits <= 20 && text[digits] == '\0';
}

// Appends `text` without control characters, at most SHOWN_MAX bytes of it, to `out`.
static void append_shown(char *out, size_t room, const char *text)
{
    size_t at = strlen(out);
    size_t shown = 0;
    if (at + MARGIN >= room) {
        return;
    }
    for (; text[shown] != '\0' && shown < SHOWN_MAX && at + MARGIN < room; shown++) {
        unsigned char byte = (unsigned char)text[shown];
        out[at++] = (char)(byte < 0x20 || byte == 0x7f ? '?' : byte);
    }
    // Not in the middle of a character of several bytes.
    while (shown > 0 && ((unsigned char)text[shown] & 0xc0) == 0x80) {
        shown--;
        at--;
    }
    out[at] = '\0';
    if (text[shown] != '\0') {
        memcpy(out + at, "...", 4);
    }
}

const char *sp_quote(const char *text, char out[SP_QUOTED_MAX])
{
    out[0] = '\0';
    if (is_number(text)) {
        append_shown(out, SP_QUOTED_MAX, text);
        return out;
    }
    memcpy(out, "\"", 2);
    append_shown(out, SP_QUOTED_MAX - 1, text);
    size_t length = strlen(out);
    memcpy(out + length, "\"", 2);
    return out;
}

struct sp_place sp_place_key(const struct sp_place *outer, const char *key, size_t line)
{
    struct sp_place place = *outer;
    place.line = line;
    size_t length = strlen(place.path);
    if (length != 0 && length + 2 < sizeof(place.path)) {
        memcpy(place.path + length, ".", 2);
    }
    append_shown(place.path, sizeof(place.path), key);
    return place;
}

struct sp_place sp_place_item(const struct sp_place *outer, size_t index, size_t line)
{
    struct sp_place place = *outer;
    place.line = line;
    size_t length = strlen(place.path);
    (void)snprintf(place.path + length, sizeof(place.path) - length, "[%zu]", index);
    return place;
}

// Appends to a message; what does not fit is left out.
__attribute__((format(printf, 2, 0))) static void
append(snakepit_message *why, const char *format, va_list args)
{
    size_t length = strlen(why->text);
    (void)vsnprintf(why->text + length, sizeof(why->text) - length, format, args);
}

__attribute__((format(printf, 2, 3))) static void
add(snakepit_message *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    append(why, format, args);
    va_end(args);
}

snakepit_err sp_problem(const struct sp_place *place, const char *format, ...)
{
    snakepit_message *why = place->why;
    if (why == NULL) {
        return SNAKEPIT_INVALID_CONFIG;
    }
    why->text[0] = '\0';
    size_t length = strlen(place->file);
    bool cut = length > FILE_MAX;
    add(why, "%s%s:", cut ? "..." : "", place->file + (cut ? length - FILE_MAX : 0));
    if (place->line != 0 && place->variable == NULL && !place->is_word) {
        add(why, "%zu:", place->line);
    }
    add(why, " %s%s", place->path, place->path[0] != '\0' ? ": " : "");
    va_list args;
    va_start(args, format);
    append(why, format, args);
    va_end(args);
    if (place->variable != NULL) {
        add(why, " (from the environment variable %s)", place->variable);
    }
    // Paths and reasons may have ends of lines in them.
    sp_text_clean(why->text, strlen(why->text), SP_TEXT_LINE);
    return SNAKEPIT_INVALID_CONFIG;
}
