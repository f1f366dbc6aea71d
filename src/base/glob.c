// SPDX-License-Identifier: MIT
#include "base/glob.h"

// Only the last star is ever tried again: what stands before it was matched as early as
// possible, so no other way could leave more of the text.
bool sp_glob_matches(struct sp_slice pattern, struct sp_slice text)
{
    size_t at = 0;   // in the pattern
    size_t from = 0; // in the text
    size_t star = SIZE_MAX;
    size_t tried = 0; // bytes up to here are the star's
    while (from < text.size) {
        if (at < pattern.size && pattern.data[at] == '*') {
            star = at++;
            tried = from;
        } else if (at < pattern.size &&
                   (pattern.data[at] == '?' || pattern.data[at] == text.data[from])) {
            at++;
            from++;
        } else if (star != SIZE_MAX) {
            at = star + 1;
            from = ++tried;
        } else {
            return false;
        }
    }
    while (at < pattern.size && pattern.data[at] == '*') {
        at++;
    }
    return at == pattern.size;
}
