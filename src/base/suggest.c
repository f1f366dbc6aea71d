// SPDX-License-Identifier: MIT
// Likeness is the number of letters to add, drop, change or swap with their neighbour.
// A word may be wrong in a third of its letters, so that a short one is not taken for
// any.
#include "base/suggest.h"

#include <string.h>

#define LONGEST 63u // longer words and names are like nothing

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// rows[i % 3][j] is how far the first i letters of `a` are from the first j letters of
// `b`. Fills in one of them; the ones before it are known, and i and j are not 0.
static void
step(size_t rows[3][LONGEST + 1], const char *a, size_t i, const char *b, size_t j)
{
    const size_t *above = rows[(i + 2) % 3];
    size_t *row = rows[i % 3];
    size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);
    row[j] = least(least(above[j], row[j - 1]) + 1, changed);
    if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = least(row[j], rows[(i + 1) % 3][j - 2] + 1);
    }
}

// Both are at most LONGEST long.
static size_t distance(const char *a, const char *b)
{
    size_t rows[3][LONGEST + 1];
    size_t height = strlen(a);
    size_t width = strlen(b);
    for (size_t j = 0; j <= width; j++) {
        rows[0][j] = j;
    }
    for (size_t i = 1; i <= height; i++) {
        rows[i % 3][0] = i;
        for (size_t j = 1; j <= width; j++) {
            step(rows, a, i, b, j);
        }
    }
    return rows[height % 3][width];
}

static size_t allowed(const char *word)
{
    size_t third = (strlen(word) + 1) / 3;
    return least(third, 3);
}

const char *sp_suggest(const char *word, const char *const *names, size_t count)
{
    size_t length = strlen(word);
    if (length < 2 || length > LONGEST) {
        return NULL;
    }
    const char *best = NULL;
    size_t best_distance = allowed(word) + 1;
    for (size_t i = 0; i < count; i++) {
        if (names[i] == NULL || strlen(names[i]) > LONGEST) {
            continue;
        }
        // A beginning is as good as one wrong letter.
        size_t far =
            strncmp(names[i], word, length) == 0 ? 1 : distance(word, names[i]);
        if (far < best_distance) {
            best = names[i];
            best_distance = far;
        }
    }
    return best;
}
