// SPDX-License-Identifier: MIT
#include "config/name.h"

#include <string.h>

bool sp_name_is_valid(const char *name)
{
    size_t length = strspn(name,
                           "abcdefghijklmnopqrstuvwxyz"
                           "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
                           "0123456789_-.");
    return length > 0 && length <= SP_NAME_BYTES_MAX && name[length] == '\0';
}

bool sp_token_tool_is_valid(const char *text)
{
    const char *star = strchr(text, '*');
    const char *dot = strchr(text, '.');
    for (const char *at = text; *at != '\0'; at++) {
        if (*at <= ' ' || *at > '~' || strchr(",\"'\\", *at) != NULL) {
            return false;
        }
    }
    return dot != NULL && dot != text && dot[1] != '\0' &&
           strlen(text) <= SP_TOOL_PATTERN_MAX && (star == NULL || star[1] == '\0');
}
