// SPDX-License-Identifier: MIT
// Words are found, sorted and counted in runs.
#include "cli/words.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static bool is_letter(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z');
}

static size_t letters_at(struct sp_slice text, size_t at)
{
    size_t start = at;
    while (at < text.size && is_letter(text.data[at])) {
        at++;
    }
    return at - start;
}

// Bytes of the word that begins at `at`; 0 if none does.
static size_t word_at(struct sp_slice text, size_t at)
{
    size_t head = letters_at(text, at);
    bool joined = head > 0 && at + head < text.size && text.data[at + head] == '\'';
    size_t tail = joined ? letters_at(text, at + head + 1) : 0;
    return tail > 0 ? head + 1 + tail : head;
}

// Gives the words, at most half as many as there are bytes, into `words`, unless it is
// NULL, and says how many there are.
static size_t find_words(struct sp_slice text, struct sp_slice *words)
{
    size_t count = 0;
    for (size_t at = 0; at < text.size;) {
        size_t length = word_at(text, at);
        if (length > 0 && words != NULL) {
            words[count] = (struct sp_slice){text.data + at, length};
        }
        count += length > 0;
        at += length > 0 ? length : 1;
    }
    return count;
}

static int compare(const void *left, const void *right)
{
    const struct sp_slice *a = left;
    const struct sp_slice *b = right;
    size_t shared = a->size < b->size ? a->size : b->size;
    // Bit 5 is what capitals lack; the apostrophe has it.
    for (size_t i = 0; i < shared; i++) {
        int difference = (a->data[i] | 0x20) - (b->data[i] | 0x20);
        if (difference != 0) {
            return difference;
        }
    }
    return (a->size > b->size) - (a->size < b->size);
}

static void count_runs(const struct sp_slice *sorted, struct sp_cli_words *words)
{
    uint64_t run = 0;
    for (size_t i = 0; i < words->words; i++) {
        bool same = i > 0 && compare(&sorted[i - 1], &sorted[i]) == 0;
        run = same ? run + 1 : 1;
        words->distinct += !same;
        words->most = run > words->most ? run : words->most;
    }
}

snakepit_err sp_cli_count_words(struct sp_slice text, struct sp_cli_words *words)
{
    size_t count = find_words(text, NULL);
    struct sp_slice *found = sp_alloc_array(count, sizeof(*found));
    if (found == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    *words = (struct sp_cli_words){.words = count};
    find_words(text, found);
    qsort(found, count, sizeof(*found), compare);
    count_runs(found, words);
    for (size_t i = 0; i < text.size; i++) {
        words->letters += is_letter(text.data[i]);
    }
    sp_free(found);
    return SNAKEPIT_OK;
}
