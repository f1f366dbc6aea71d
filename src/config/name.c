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
