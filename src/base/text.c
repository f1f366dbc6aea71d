// SPDX-License-Identifier: MIT
#include "base/text.h"

#include "base/utf8.h"

struct range {
    uint32_t first;
    uint32_t last;
};

// In order. Joiners (U+200C, U+200D) and selectors of variants stay: scripts and emoji
// need them.
static const struct range unshown[] = {
    {0x0000, 0x001f},   // C0
    {0x007f, 0x009f},   // DEL and C1
    {0x061c, 0x061c},   // Arabic letter mark
    {0x180e, 0x180e},   // Mongolian vowel separator
    {0x200b, 0x200b},   // zero width space
    {0x200e, 0x200f},   // marks of direction
    {0x2028, 0x202e},   // ends of lines and paragraphs, embeddings and overrides
    {0x2060, 0x206f},   // word joiner, invisible operators, isolates
    {0xfdd0, 0xfdef},   // no characters
    {0xfeff, 0xfeff},   // byte order mark
    {0xfff0, 0xfffb},   // unassigned, and marks of annotations
    {0xfffe, 0xffff},   // no characters
    {0xe0000, 0xe00ff}, // tags: whole texts that nobody sees
    {0xe01f0, 0xe0fff}, // unassigned and invisible
};

size_t sp_text_character(const uint8_t *at, size_t left)
{
    return at[0] < 0x80 ? 1 : sp_utf8_length(at, left);
}

uint32_t sp_text_code(const uint8_t *at, size_t size)
{
    static const uint8_t masks[] = {0, 0x7f, 0x1f, 0x0f, 0x07};
    uint32_t code = at[0] & masks[size];
    for (size_t i = 1; i < size; i++) {
        code = code << 6 | (at[i] & 0x3f);
    }
    return code;
}

bool sp_text_may_be_shown(uint32_t code)
{
    size_t i = 0;
    while (i < sizeof unshown / sizeof *unshown && code > unshown[i].last) {
        i++;
    }
    return i == sizeof unshown / sizeof *unshown || code < unshown[i].first;
}

static bool is_space(uint8_t byte)
{
    return byte >= '\t' && byte <= '\r';
}

// What becomes of the character of `size` bytes at `at`; 0: it stays.
static char replacement(const uint8_t *at, size_t size, enum sp_text_kind kind)
{
    if (is_space(at[0])) {
        bool stays = kind == SP_TEXT_BLOCK && (at[0] == '\t' || at[0] == '\n');
        return (char)(stays ? 0 : kind == SP_TEXT_LINE ? ' ' : '?');
    }
    return (char)(size > 0 && sp_text_may_be_shown(sp_text_code(at, size)) ? 0 : '?');
}

void sp_text_clean(char *text, size_t size, enum sp_text_kind kind)
{
    uint8_t *at = (uint8_t *)text;
    const uint8_t *end = size == 0 ? at : at + size; // no text may have no place
    while (at < end) {
        if (*at >= ' ' && *at < 0x7f) {
            at++;
            continue;
        }
        size_t bytes = sp_text_character(at, (size_t)(end - at));
        char instead = replacement(at, bytes, kind);
        bytes = bytes == 0 ? 1 : bytes;
        for (size_t i = 0; i < bytes && instead != 0; i++) {
            at[i] = (uint8_t)instead;
        }
        at += bytes;
    }
}
