// SPDX-License-Identifier: MIT
// Base64 of RFC 4648, section 4: with padding, without line ends.
#ifndef PAYLOAD_BASE64_H
#define PAYLOAD_BASE64_H

#include <snakepit/errors.h>

#include "base/slice.h"

// Characters that `bytes` bytes become; `bytes` is at most PTRDIFF_MAX.
static inline size_t sp_base64_size(size_t bytes)
{
    return bytes / 3 * 4 + (bytes % 3 != 0 ? 4 : 0);
}

// Writes exactly sp_base64_size(bytes.size) characters. Reads each byte once.
void sp_base64_encode(struct sp_slice bytes, char *out);

// `out` has room for text.size / 4 * 3 bytes; *size says how many were written.
// MALFORMED: any other character, padding that is missing or misplaced, or set bits
// that stand for nothing.
snakepit_err sp_base64_decode(struct sp_slice text, uint8_t *out, size_t *size);

#endif
