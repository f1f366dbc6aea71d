// SPDX-License-Identifier: MIT
// Texts of messages must be UTF-8: readers refuse the whole message otherwise.
#ifndef PROTOBUF_UTF8_H
#define PROTOBUF_UTF8_H

#include <stdbool.h>

#include "base/slice.h"

bool sp_utf8_is_valid(struct sp_slice text);

// Appends a text with U+FFFD in the place of each byte that is not UTF-8. NO_MEMORY.
snakepit_err sp_utf8_mend(struct sp_buf *out, struct sp_slice text);

#endif
