// SPDX-License-Identifier: MIT
// What pools and tokens may be called.
#ifndef CONFIG_NAME_H
#define CONFIG_NAME_H

#include <stdbool.h>

#define SP_NAME_BYTES_MAX 64u
#define SP_NAME_FORM      "1 to 64 letters, digits, _, - or ."

// Whether it is of that form.
bool sp_name_is_valid(const char *name);

#endif
