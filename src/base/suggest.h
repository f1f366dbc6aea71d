// SPDX-License-Identifier: MIT
// What one most likely meant by a word that is not known.
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include <stddef.h>

// The name of `names` that `word` is one slip or a few of the finger away from, or the
// beginning of; the first one of those that are equally near. NULL if none comes near.
// NULL names are skipped.
const char *sp_suggest(const char *word, const char *const *names, size_t count);

#endif
