// SPDX-License-Identifier: MIT
// Counts the words of a text as the adapter of examples/hybrid.yaml does, to check it.
#ifndef CLI_WORDS_H
#define CLI_WORDS_H

#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/slice.h"

struct sp_cli_words {
    uint64_t words;    // letters, and an apostrophe between two runs of them
    uint64_t distinct; // without regard to capitals
    uint64_t letters;
    uint64_t most; // how often the most frequent word is there
};

// Counts the words of ASCII text. NO_MEMORY.
snakepit_err sp_cli_count_words(struct sp_slice text, struct sp_cli_words *words);

#endif
