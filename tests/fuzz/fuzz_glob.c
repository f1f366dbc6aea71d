// SPDX-License-Identifier: MIT
// A pattern, a line, and a text, the rest: they match if a table of all their
// beginnings says so, which is slow and plain.
#include <string.h>

#include "base/check.h"
#include "base/glob.h"
#include "fuzz.h"

#define MOST 128u

static bool matches(struct sp_slice pattern, struct sp_slice text)
{
    static bool table[MOST + 1][MOST + 1]; // of beginnings of both
    for (size_t i = 0; i <= pattern.size; i++) {
        for (size_t j = 0; j <= text.size; j++) {
            if (i == 0) {
                table[i][j] = j == 0;
            } else if (pattern.data[i - 1] == '*') {
                table[i][j] = table[i - 1][j] || (j > 0 && table[i][j - 1]);
            } else {
                table[i][j] = j > 0 && table[i - 1][j - 1] &&
                              (pattern.data[i - 1] == '?' ||
                               pattern.data[i - 1] == text.data[j - 1]);
            }
        }
    }
    return table[pattern.size][text.size];
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *end = size == 0 ? NULL : memchr(data, '\n', size);
    const struct sp_slice pattern = {data, end == NULL ? 0 : (size_t)(end - data)};
    const struct sp_slice text =
        end == NULL ? (struct sp_slice){data, size}
                    : (struct sp_slice){end + 1, size - pattern.size - 1};
    if (pattern.size <= MOST && text.size <= MOST) {
        SP_CHECK(sp_glob_matches(pattern, text) == matches(pattern, text));
    }
    return 0;
}
