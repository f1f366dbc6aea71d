// SPDX-License-Identifier: MIT
// The file of the tokens of a listener: `serve.listen[].tokens`.
//
//     tokens:
//       - name: ci
//         hash: sha256:9f86d081...        of the token, 64 hexadecimal digits
//         scopes: [call, observe]
//         pools: all                      or [math, text]
//         tools: [math.add, "text.*"]     may be left out, as the next two
//         created: 2026-11-30T10:00:00Z
//         expires: 2027-11-30T10:00:00Z   or a day
#ifndef CONFIG_TOKENS_H
#define CONFIG_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/slice.h"
#include "config/access.h"
#include "config/config.h"

#define SP_TOKEN_HASH_BYTES 32u
#define SP_TOKEN_HASH_TEXT  "sha256:"

// One token. Its texts are owned.
struct sp_token {
    char *name;
    uint8_t hash[SP_TOKEN_HASH_BYTES];
    unsigned access; // of enum sp_access, at least one
    bool all_pools;
    struct sp_texts pools; // else these
    struct sp_texts tools; // that it may call: "POOL.TOOL", or "POOL.*" and the like
                           // for all that begin so; none: those of its pools
    int64_t created;       // seconds since 1970; 0: it does not say
    int64_t expires;       // 0: never
    size_t line;           // its item begins there, counted from 1
};

// In the order of the file; names and hashes are there once.
struct sp_tokens {
    struct sp_token *items;
    size_t count;
};

// Reads the text of such a file; `file` is what it is called. INVALID_CONFIG: `why`
// says in one sentence where, what was expected and what was found. NO_MEMORY.
snakepit_err sp_tokens_parse(struct sp_slice text,
                             const char *file,
                             struct sp_tokens *tokens,
                             snakepit_message *why);
// The same of a file, which must be its owner's alone: nobody else may write it, and
// others than its group may not read it either.
snakepit_err
sp_tokens_read(const char *path, struct sp_tokens *tokens, snakepit_message *why);
// Appends the text of such a file. INVALID_CONFIG: it is not that; NOT_FOUND: it is not
// there; NO_MEMORY.
snakepit_err
sp_tokens_read_text(const char *path, struct sp_buf *text, snakepit_message *why);
// Zeroed is fine.
void sp_tokens_free(struct sp_tokens *tokens);

// Appends the item of a token as the file has it. NO_MEMORY.
snakepit_err sp_token_write(const struct sp_token *token, struct sp_buf *text);
// The token of that name; NULL: there is none.
const struct sp_token *sp_token_named(const struct sp_tokens *tokens, const char *name);

// The bit of "call", "observe" or "admin"; 0: it is none of them.
unsigned sp_access_named(const char *text, size_t size);
// The word for one bit.
const char *sp_access_name(enum sp_access access);

#endif
