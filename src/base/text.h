// SPDX-License-Identifier: MIT
// Texts that others have written, on their way to a log or a terminal. This is the one
// place that knows what must not get there: bytes that are no UTF-8, control codes (C0,
// DEL, and C1: to a terminal U+009B is what ESC [ is), what turns the order of a line
// around, ends it for some readers, or cannot be seen.
#ifndef BASE_TEXT_H
#define BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum sp_text_kind {
    SP_TEXT_LINE,  // one line: tabs and ends of lines become blanks
    SP_TEXT_BLOCK, // may have several lines: tabs and ends of lines stay
};

// Bytes of the character that `at` begins with, of which `left` bytes, at least one,
// are there. 0: it begins none; it is stray, cut, overlong, a surrogate, or over
// U+10FFFF.
size_t sp_text_character(const uint8_t *at, size_t left);

// The number of the character of `size` bytes at `at`, as sp_text_character() found it.
uint32_t sp_text_code(const uint8_t *at, size_t size);

// Whether a terminal may be shown this character. Tabs and ends of lines count as
// control codes.
bool sp_text_may_be_shown(uint32_t code);

// Replaces what must not be shown by '?', one for each byte, so that the text keeps its
// size.
void sp_text_clean(char *text, size_t size, enum sp_text_kind kind);

#endif
