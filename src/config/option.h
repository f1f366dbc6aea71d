// SPDX-License-Identifier: MIT
// The rows of config/options.def as data, and how a value gets from its text into a
// field.
#ifndef CONFIG_OPTION_H
#define CONFIG_OPTION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "config/problem.h"

enum sp_scope {
    SP_SCOPE_TOP = 0,
    SP_SCOPE_POOL,
    SP_SCOPE_SANDBOX,
    SP_SCOPE_RETRY,
    SP_SCOPE_BREAKER,
    SP_SCOPE_DEVICES,
    SP_SCOPE_THRESHOLD,
    SP_SCOPE_SERVE,
    SP_SCOPE_LISTENER,
    SP_SCOPE_TLS,
};
#define SP_SCOPE_BIT(scope) (1u << (unsigned)(scope))

enum sp_applies { SP_APPLIES_BOTH = 0, SP_APPLIES_PROCESS, SP_APPLIES_THREAD };

enum sp_kind {
    SP_KIND_BOOLEAN = 0,         // bool: true, false
    SP_KIND_INTEGER,             // uint32_t: decimal digits
    SP_KIND_INTEGER_OR_AUTO,     // uint32_t: decimal digits, or auto, which is SP_AUTO
    SP_KIND_INTEGER_OR_INFINITY, // uint32_t: decimal digits, or infinity, which is 0
    SP_KIND_RANGE,    // struct sp_range: decimal digits, or two such numbers: "2-16"
    SP_KIND_SIZE,     // uint64_t: decimal digits and B, KiB, MiB, GiB or nothing
    SP_KIND_FRACTION, // uint32_t: percent, written as 0.8
    SP_KIND_DURATION, // uint64_t: milliseconds, see there; 0: infinity
    SP_KIND_CHOICE,   // an enum: one of `choices`
    SP_KIND_ADAPTER,  // char *: a Python import path
    SP_KIND_PROGRAM,  // char *: a command or a path
    SP_KIND_TEXT,     // char *: any text but the empty one
    SP_KIND_PATH,     // char *: the same, and it counts from the folder of the file
    SP_KIND_MODE,     // uint32_t: octal digits, the permissions of a file
    // What follows is written as a list or a map.
    SP_KIND_TEXTS,     // struct sp_texts: a list of texts
    SP_KIND_PAIRS,     // struct sp_pairs: a map of texts, or a list of pairs
    SP_KIND_RESOURCES, // struct sp_pairs: paths and types, as PAIRS or by these names
    SP_KIND_JSON,      // char *: a map, kept as JSON
    SP_KIND_CHOICES,   // uint32_t: a list of some of `choices`, a bit for each
    SP_KIND_SANDBOX,   // struct sp_sandbox: a map of the keys of that scope, or a word
    SP_KIND_RETRY,     // struct sp_retry_keys: the same
    SP_KIND_BREAKER,   // struct sp_breaker_keys: the same
    SP_KIND_DEVICES,   // struct sp_devices: the same
    SP_KIND_THRESHOLD, // struct sp_threshold: a map of the keys of that scope
    SP_KIND_LISTENERS, // struct sp_listeners: a list of such maps, or of addresses
    SP_KIND_SERVE,     // struct sp_serve_config: a map of the keys of that scope
    SP_KIND_TLS,       // struct sp_tls_config: the same
};

// What a reload does where the value has changed, the least of it first.
enum sp_reload_class {
    SP_RELOAD_NOW = 0, // it holds at once
    SP_RELOAD_SIZE,    // the number of workers changes
    SP_RELOAD_WORKERS, // new workers take the place of those that there are
    SP_RELOAD_POOLS,   // pools are added or removed
    SP_RELOAD_NEVER,   // it is refused
};

struct sp_option {
    const char *key;
    enum sp_scope scope;
    enum sp_kind kind;
    enum sp_applies applies;
    enum sp_reload_class reload;
    size_t offset;        // of the field in the struct of its scope
    const char *fixed;    // the default as one would write it, or NULL
    const char *computed; // otherwise how it is found, in words
    uint64_t minimum;
    uint64_t maximum;
    const char *choices;
    const char *unit;
    const char *help;
};

// Row `index` of the table, in its order; NULL past the end.
const struct sp_option *sp_option_at(size_t index);

// The place of a row in the table, below SP_OPTIONS_MAX.
size_t sp_option_index(const struct sp_option *option);

// The row of that key; NULL if there is none.
const struct sp_option *sp_option_find(enum sp_scope scope, const char *key);

// The key that one most likely meant by `key`, among those of `scopes`; NULL if none
// comes near.
const char *sp_option_nearest(unsigned scopes, const char *key);

// The row whose key is a slip or two of the finger away from `key`; NULL if there is
// none.
const struct sp_option *sp_option_misspelt(enum sp_scope scope, const char *key);

// True when `word` is not `meant`, but a slip or two of the finger away from it, or a
// part of it. Short words must be nearer than long ones.
bool sp_option_is_slip(const char *word, const char *meant);

// True for a key of one of `scopes` that a later version will know.
bool sp_option_is_later(unsigned scopes, const char *key);

// Explains that `key` at `place` is of none of `scopes`.
snakepit_err
sp_option_unknown(unsigned scopes, const char *key, const struct sp_place *place);

// The field of `option` in `target`: the struct of its scope.
void *sp_option_field(const struct sp_option *option, void *target);

// True for the kinds that are written as a list or a map.
bool sp_option_is_collection(const struct sp_option *option);

// True for the kinds that are a map of the keys of a scope of their own: that one.
bool sp_option_is_group(const struct sp_option *option, enum sp_scope *scope);

// Sets the bit of one of the choices. False: there is no such choice.
bool sp_option_add_choice(const struct sp_option *option,
                          const char *text,
                          uint32_t *bits);

// Sets the field from the text of a scalar; the old value is freed. `quoted`: it stood
// in quotes, so it is not a number. INVALID_CONFIG, explained at `place`. NO_MEMORY.
// The field stays on failure.
snakepit_err sp_option_set(const struct sp_option *option,
                           void *target,
                           const char *text,
                           bool quoted,
                           const struct sp_place *place);

// Sets the field to its fixed default.
snakepit_err sp_option_set_default(const struct sp_option *option,
                                   void *target,
                                   const struct sp_place *place);

// True when the fields of `a` and `b`, both scalars, mean the same.
bool sp_option_same(const struct sp_option *option, void *a, void *b);
// The same for all kinds.
bool sp_option_equal(const struct sp_option *option, const void *a, const void *b);
// The first key of `scope` of which `a` and `b`, its structs, have different values;
// NULL if there is none.
const struct sp_option *
sp_option_differing(enum sp_scope scope, const void *a, const void *b);

// Explains that the value at `place` is not what the option takes; `got` describes it.
snakepit_err sp_option_expected(const struct sp_option *option,
                                const char *got,
                                const struct sp_place *place);

// Frees what the field owns and zeroes it.
void sp_option_clear(const struct sp_option *option, void *target);

// Writes milliseconds so that sp_option_set() reads them back: "90s".
void sp_option_format_duration(uint64_t ms, char *text, size_t room);
// Writes "bytes" so that sp_option_set() reads it back: "512MiB".
void sp_option_format_size(uint64_t bytes, char *text, size_t room);

#endif
