// SPDX-License-Identifier: MIT
// What pools and tokens may be called.
#ifndef CONFIG_NAME_H
#define CONFIG_NAME_H

#include <stdbool.h>

#define SP_NAME_BYTES_MAX 64u
#define SP_NAME_FORM      "1 to 64 letters, digits, _, - or ."

// Whether it is of that form.
bool sp_name_is_valid(const char *name);

#define SP_TOOL_PATTERN_MAX 255u
// Whether a text can be one of the `tools` of a token.
bool sp_token_tool_is_valid(const char *text);
#define SP_TOKEN_TOOL_FORM                                                        \
    "POOL.TOOL, with a * at its end for all tools that begin so, of at most 255 " \
    "printable characters without blanks, commas, quotes and backslashes"

#endif
