// SPDX-License-Identifier: MIT
// The secrets of tokens: how one is made, known again, and hashed.
//
//     sp_ 64 hexadecimal digits, which are 256 random bits  8 more, their CRC-32
//
// Programs that look for lost secrets find one by its form, and by the checksum know it
// from a text that only looks like it. The file has the SHA-256 of the whole text: what
// is random needs no slow hash.
#ifndef SERVER_TOKEN_H
#define SERVER_TOKEN_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/slice.h"
#include "config/tokens.h"

#define SP_TOKEN_PREFIX    "sp_"
#define SP_TOKEN_TEXT_SIZE 76u  // with its zero
#define SP_TOKEN_TEXT_MAX  512u // bytes of one that was made elsewhere

// Makes a token. SYSTEM, with errno: the system gives no random bytes.
snakepit_err sp_token_make(char text[SP_TOKEN_TEXT_SIZE]);
// Whether a text begins as such a token, and is none: it was cut, or mistyped.
bool sp_token_is_damaged(struct sp_slice text);
// False: without memory.
bool sp_token_hash(struct sp_slice text, uint8_t hash[SP_TOKEN_HASH_BYTES]);

#endif
