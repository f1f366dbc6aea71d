// SPDX-License-Identifier: MIT
// Whether two values of an option are the same, of whatever kind it is.
#include <string.h>

#include "base/check.h"
#include "config/config.h"
#include "config/option.h"

// NULL is a text that there is not.
static bool same_text(const char *a, const char *b)
{
    return a == NULL || b == NULL ? a == b : strcmp(a, b) == 0;
}

static bool same_texts(const struct sp_texts *a, const struct sp_texts *b)
{
    bool same = a->count == b->count;
    // Without items the count is 0; said again for the analyzer.
    bool items = a->items != NULL && b->items != NULL;
    for (size_t i = 0; same && items && i < a->count; i++) {
        same = same_text(a->items[i], b->items[i]);
    }
    return same;
}

static bool same_pairs(const struct sp_pairs *a, const struct sp_pairs *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = same_text(a->items[i].name, b->items[i].name) &&
               same_text(a->items[i].value, b->items[i].value);
    }
    return same;
}

const struct sp_option *
sp_option_differing(enum sp_scope scope, const void *a, const void *b)
{
    const struct sp_option *option;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == scope && !sp_option_equal(option, a, b)) {
            return option;
        }
    }
    return NULL;
}

static bool same_group(enum sp_scope scope, const void *a, const void *b)
{
    return sp_option_differing(scope, a, b) == NULL;
}

static bool same_listeners(const struct sp_listeners *a, const struct sp_listeners *b)
{
    bool same = a->count == b->count;
    for (size_t i = 0; same && i < a->count; i++) {
        same = same_group(SP_SCOPE_LISTENER, &a->items[i], &b->items[i]);
    }
    return same;
}

// A list that there is not is another one than an empty list, unless that is its
// default: see `landlock`.
static bool same_list(const struct sp_option *option,
                      const struct sp_texts *a,
                      const struct sp_texts *b)
{
    bool both = (a->items == NULL) == (b->items == NULL);
    return (both || option->fixed != NULL) && same_texts(a, b);
}

static bool same_field(const struct sp_option *option, const void *a, const void *b)
{
    switch (option->kind) {
    case SP_KIND_BOOLEAN:
        return *(const bool *)a == *(const bool *)b;
    case SP_KIND_RANGE:
        return memcmp(a, b, sizeof(struct sp_range)) == 0;
    case SP_KIND_SIZE:
    case SP_KIND_DURATION:
        return *(const uint64_t *)a == *(const uint64_t *)b;
    case SP_KIND_ADAPTER:
    case SP_KIND_PROGRAM:
    case SP_KIND_TEXT:
    case SP_KIND_PATH:
    case SP_KIND_JSON:
        return same_text(*(char *const *)a, *(char *const *)b);
    case SP_KIND_TEXTS:
        return same_list(option, a, b);
    case SP_KIND_PAIRS:
    case SP_KIND_RESOURCES:
        return same_pairs(a, b);
    case SP_KIND_LISTENERS:
        return same_listeners(a, b);
    default:
        return memcmp(a, b, sizeof(uint32_t)) == 0;
    }
}

bool sp_option_equal(const struct sp_option *option, const void *a, const void *b)
{
    enum sp_scope scope;
    const char *left = (const char *)a + option->offset;
    const char *right = (const char *)b + option->offset;
    return sp_option_is_group(option, &scope) ? same_group(scope, left, right)
                                              : same_field(option, left, right);
}
