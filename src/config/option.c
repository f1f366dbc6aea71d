// SPDX-License-Identifier: MIT
// The table of options. A key that is not in it is looked for by likeness, because a
// misspelt key is the commonest mistake in a configuration.
#include "config/option.h"

#include <string.h>

#include "base/check.h"
#include "config/config.h"

#define LONGEST_KEY 40u

#define TARGET_TOP       struct sp_config
#define TARGET_POOL      struct sp_pool_config
#define TARGET_SANDBOX   struct sp_sandbox
#define TARGET_RETRY     struct sp_retry_keys
#define TARGET_BREAKER   struct sp_breaker_keys
#define TARGET_DEVICES   struct sp_devices
#define TARGET_THRESHOLD struct sp_threshold
#define TARGET_SERVE     struct sp_serve_config
#define TARGET_LISTENER  struct sp_listener_config
#define TARGET_TLS       struct sp_tls_config
#define FIXED(text)      .fixed = (text)
#define COMPUTED(words)  .computed = (words)
#define SP_SECTION(scope, title)
#define SP_LATER(row_scope, row_key)
#define SP_OPTION(                                                                     \
    row_scope, row_key, type, row_kind, default_, low, high, list, of, on, when, text) \
    {                                                                                  \
        .key = #row_key,                                                               \
        .scope = SP_SCOPE_##row_scope,                                                 \
        .kind = SP_KIND_##row_kind,                                                    \
        .applies = SP_APPLIES_##on,                                                    \
        .reload = SP_RELOAD_##when,                                                    \
        .offset = offsetof(TARGET_##row_scope, row_key),                               \
        default_,                                                                      \
        .minimum = (low),                                                              \
        .maximum = (high),                                                             \
        .choices = (list),                                                             \
        .unit = (of),                                                                  \
        .help = (text),                                                                \
    },
static const struct sp_option options[] = {
#include "config/options.def"
};
#undef SP_OPTION
#undef SP_SECTION
#undef SP_LATER

#define SP_OPTION(...)
#define SP_SECTION(scope, title)
#define SP_LATER(row_scope, row_key) {SP_SCOPE_##row_scope, #row_key},
static const struct {
    enum sp_scope scope;
    const char *key;
} later[] = {
#include "config/options.def"
};
#undef SP_OPTION
#undef SP_SECTION
#undef SP_LATER

#define COUNT (sizeof(options) / sizeof(options[0]))
_Static_assert(COUNT <= SP_OPTIONS_MAX,
               "arrays that run along with the table are longer");

const struct sp_option *sp_option_at(size_t index)
{
    return index < COUNT ? &options[index] : NULL;
}

size_t sp_option_index(const struct sp_option *option)
{
    return (size_t)(option - options);
}

const struct sp_option *sp_option_find(enum sp_scope scope, const char *key)
{
    for (size_t i = 0; i < COUNT; i++) {
        if (options[i].scope == scope && strcmp(options[i].key, key) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

bool sp_option_is_later(unsigned scopes, const char *key)
{
    // What will be at the top is not an unknown key in a pool either.
    bool in_pool = (scopes & SP_SCOPE_BIT(SP_SCOPE_POOL)) != 0;
    scopes |= in_pool ? SP_SCOPE_BIT(SP_SCOPE_TOP) : 0;
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        if ((scopes & SP_SCOPE_BIT(later[i].scope)) != 0 &&
            strcmp(later[i].key, key) == 0) {
            return true;
        }
    }
    return false;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// Three rows of the table that distance() fills, of which row i is rows[i % 3].
struct edits {
    size_t rows[3][LONGEST_KEY + 1];
    const char *a;
    const char *b;
};

// How many edits make the first `i` letters of `a` into the first `j` of `b`; both at
// least 1.
static size_t edits_at(const struct edits *edits, size_t i, size_t j)
{
    const size_t *row = edits->rows[i % 3];
    const size_t *above = edits->rows[(i - 1) % 3];
    const char *a = edits->a;
    const char *b = edits->b;
    size_t changed = above[j - 1] + (a[i - 1] != b[j - 1]);
    size_t best = least(least(above[j] + 1, row[j - 1] + 1), changed);
    bool swapped = i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1];
    return swapped ? least(best, edits->rows[(i - 2) % 3][j - 2] + 1) : best;
}

// How many letters must be added, dropped, changed or swapped with their neighbour to
// make `a` into `b`. Both are at most LONGEST_KEY long.
static size_t distance(const char *a, const char *b)
{
    struct edits edits = {.a = a, .b = b};
    size_t rows = strlen(a);
    size_t columns = strlen(b);
    for (size_t j = 0; j <= columns; j++) {
        edits.rows[0][j] = j;
    }
    for (size_t i = 1; i <= rows; i++) {
        edits.rows[i % 3][0] = i;
        for (size_t j = 1; j <= columns; j++) {
            edits.rows[i % 3][j] = edits_at(&edits, i, j);
        }
    }
    return edits.rows[rows % 3][columns];
}

// Keys that are not options, but that one may have meant as well.
static const struct {
    const char *key;
    enum sp_scope scope;
} others[] = {{"pools", SP_SCOPE_TOP}, {"name", SP_SCOPE_POOL}};

#define CANDIDATES (COUNT + sizeof(others) / sizeof(others[0]))

// Candidate `index`; "" if it is of none of `scopes`.
static const char *candidate(unsigned scopes, size_t index)
{
    enum sp_scope scope =
        index < COUNT ? options[index].scope : others[index - COUNT].scope;
    const char *key = index < COUNT ? options[index].key : others[index - COUNT].key;
    return (scopes & SP_SCOPE_BIT(scope)) != 0 ? key : "";
}

static const char *nearest_within(unsigned scopes, const char *key, size_t limit)
{
    const char *best = NULL;
    size_t best_distance = limit + 1;
    for (size_t i = 0; i < CANDIDATES; i++) {
        const char *other = candidate(scopes, i);
        size_t far = other[0] != '\0' ? distance(key, other) : best_distance;
        if (far < best_distance) {
            best = other;
            best_distance = far;
        }
    }
    return best;
}

// The first key that contains `key`, or that `key` begins with.
static const char *related(unsigned scopes, const char *key)
{
    for (size_t i = 0; i < CANDIDATES && strlen(key) >= 4; i++) {
        const char *other = candidate(scopes, i);
        size_t length = strlen(other);
        bool around =
            length > 0 && strncmp(key, other, length) == 0 && key[length] == '_';
        if (around || strstr(other, key) != NULL) {
            return other;
        }
    }
    return NULL;
}

const char *sp_option_nearest(unsigned scopes, const char *key)
{
    size_t length = strlen(key);
    if (length > LONGEST_KEY) {
        return NULL;
    }
    const char *found = nearest_within(scopes, key, least(2, length / 2));
    found = found != NULL ? found : related(scopes, key);
    return found != NULL ? found : nearest_within(scopes, key, length / 3);
}

snakepit_err
sp_option_unknown(unsigned scopes, const char *key, const struct sp_place *place)
{
    if (sp_option_is_later(scopes, key)) {
        return sp_problem(place,
                          "unknown key; it is not available yet in this version");
    }
    const char *nearest = sp_option_nearest(scopes, key);
    if (nearest == NULL) {
        return sp_problem(place,
                          "unknown key; see docs/configuration.md for those there are");
    }
    return sp_problem(place, "unknown key; did you mean \"%s\"?", nearest);
}

const struct sp_option *sp_option_misspelt(enum sp_scope scope, const char *key)
{
    size_t length = strlen(key);
    if (length > LONGEST_KEY || length < 4) {
        return NULL;
    }
    const char *found = nearest_within(SP_SCOPE_BIT(scope), key, 2);
    return found != NULL ? sp_option_find(scope, found) : NULL;
}

bool sp_option_is_slip(const char *word, const char *meant)
{
    size_t shorter = least(strlen(word), strlen(meant));
    if (shorter < 3 || strlen(word) > LONGEST_KEY || strlen(meant) > LONGEST_KEY ||
        strcmp(word, meant) == 0) {
        return false;
    }
    bool part =
        shorter >= 4 && (strstr(word, meant) != NULL || strstr(meant, word) != NULL);
    return part || distance(word, meant) <= least(2, shorter / 3);
}

void *sp_option_field(const struct sp_option *option, void *target)
{
    SP_CHECK(target != NULL);
    return (char *)target + option->offset;
}

bool sp_option_is_collection(const struct sp_option *option)
{
    return option->kind >= SP_KIND_TEXTS;
}

bool sp_option_is_group(const struct sp_option *option, enum sp_scope *scope)
{
    switch (option->kind) {
    case SP_KIND_SANDBOX:
        *scope = SP_SCOPE_SANDBOX;
        return true;
    case SP_KIND_RETRY:
        *scope = SP_SCOPE_RETRY;
        return true;
    case SP_KIND_BREAKER:
        *scope = SP_SCOPE_BREAKER;
        return true;
    case SP_KIND_DEVICES:
        *scope = SP_SCOPE_DEVICES;
        return true;
    case SP_KIND_THRESHOLD:
        *scope = SP_SCOPE_THRESHOLD;
        return true;
    case SP_KIND_SERVE:
        *scope = SP_SCOPE_SERVE;
        return true;
    case SP_KIND_TLS:
        *scope = SP_SCOPE_TLS;
        return true;
    default:
        return false;
    }
}
