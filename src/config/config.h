// SPDX-License-Identifier: MIT
// A configuration: YAML and SNAKEPIT_... variables, checked, as plain structs. The
// fields are the keys of config/options.def, which also says what each means, its unit
// and its range.
#ifndef CONFIG_CONFIG_H
#define CONFIG_CONFIG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>
#include <snakepit/payload.h>

#include "base/log.h"
#include "base/slice.h"
#include "config/address.h"

enum sp_profile { SP_PROFILE_PROCESS = 0, SP_PROFILE_THREAD };
enum sp_detection { SP_DETECTION_AUTO = 0, SP_DETECTION_OFF };
enum sp_on_unsupported {
    SP_UNSUPPORTED_FALLBACK = 0,
    SP_UNSUPPORTED_REFUSE,
    SP_UNSUPPORTED_ALLOW,
};
enum sp_on_unserialisable {
    SP_UNSERIALISABLE_ERROR = 0,
    SP_UNSERIALISABLE_MARKER,
    SP_UNSERIALISABLE_MARKER_WITH_REPR
};
enum sp_tensors_as {
    SP_TENSORS_AS_VIEW = 0,
    SP_TENSORS_AS_COPY,
    SP_TENSORS_AS_NUMPY,
    SP_TENSORS_AS_NUMPY_COPY
};
enum sp_on_stuck { SP_STUCK_KILL = 0, SP_STUCK_ISOLATE };
enum sp_listener_door { SP_LISTENER_HTTP = 0, SP_LISTENER_LOCAL };
enum sp_undeclared { SP_UNDECLARED_WARN = 0, SP_UNDECLARED_REFUSE };
enum sp_template_use { SP_TEMPLATE_AUTO = 0, SP_TEMPLATE_OFF };
// The numbers of enum sp_placement in ipc/layout.h, which this module cannot see.
enum sp_pool_placement {
    SP_POOL_PLACEMENT_AUTO = 0,
    SP_POOL_PLACEMENT_PAIRED,
    SP_POOL_PLACEMENT_SPREAD
};

enum sp_affinity {
    SP_AFFINITY_HINT = 0,
    SP_AFFINITY_STRICT_QUEUE,
    SP_AFFINITY_STRICT_FAIL_FAST
};

enum sp_seccomp { SP_SECCOMP_OFF = 0, SP_SECCOMP_DEFAULT };

#define SP_AUTO UINT32_MAX // `prefetch: auto`, `loops: auto`

// From the one to the other; both the same: just so many.
struct sp_range {
    uint32_t min;
    uint32_t max;
};

// Owned texts, in the order of the file.
struct sp_texts {
    char **items;
    size_t count;
};

struct sp_pair {
    char *name;
    char *value;
};

// Owned pairs, in the order of the file; no name is there twice.
struct sp_pairs {
    struct sp_pair *items;
    size_t count;
};

#define SP_SANDBOX_FIELD(key, type) type key;
#define SP_RETRY_FIELD(key, type)
#define SP_BREAKER_FIELD(key, type)
#define SP_DEVICES_FIELD(key, type)
#define SP_THRESHOLD_FIELD(key, type)
#define SP_TLS_FIELD(key, type)
#define SP_LISTENER_FIELD(key, type)
#define SP_SERVE_FIELD(key, type)
#define SP_POOL_FIELD(key, type)
#define SP_TOP_FIELD(key, type)
#define SP_OPTION(scope, key, type, ...) SP_##scope##_FIELD(key, type)
#define SP_SECTION(scope, title)
#define SP_LATER(scope, key)
// What is taken from the workers of a pool; zeroed: nothing. `landlock.items` is NULL
// where files are not restricted, `memory_max` and `cpu_max` are 0 without a limit, and
// `uid` is NULL for the user of the host.
struct sp_sandbox {
#include "config/options.def"
};
#undef SP_SANDBOX_FIELD
#define SP_SANDBOX_FIELD(key, type)

#undef SP_RETRY_FIELD
#define SP_RETRY_FIELD(key, type) type key;
// When calls are run once more; zeroed: never. `on` has a bit for each of its choices.
struct sp_retry_keys {
#include "config/options.def"
};
#undef SP_RETRY_FIELD
#define SP_RETRY_FIELD(key, type)

#undef SP_BREAKER_FIELD
#define SP_BREAKER_FIELD(key, type) type key;
// When a tool gets no calls for a while; zeroed: never. `on` likewise.
struct sp_breaker_keys {
#include "config/options.def"
};
#undef SP_BREAKER_FIELD
#define SP_BREAKER_FIELD(key, type)

#undef SP_DEVICES_FIELD
#define SP_DEVICES_FIELD(key, type) type key;
// Which names there are for the workers; zeroed: none.
struct sp_devices {
#include "config/options.def"
};
#undef SP_DEVICES_FIELD
#define SP_DEVICES_FIELD(key, type)

#undef SP_THRESHOLD_FIELD
#define SP_THRESHOLD_FIELD(key, type) type key;
// From when on a pool is to be threads, in percent.
struct sp_threshold {
#include "config/options.def"
};
#undef SP_THRESHOLD_FIELD
#define SP_THRESHOLD_FIELD(key, type)

#undef SP_TLS_FIELD
#define SP_TLS_FIELD(key, type) type key;
// The files of TLS; zeroed: none. `certificate` and `key` are there together. Each path
// is absolute, or counts from the current folder of the host.
struct sp_tls_config {
#include "config/options.def"
};
#undef SP_TLS_FIELD
#define SP_TLS_FIELD(key, type)

#undef SP_LISTENER_FIELD
#define SP_LISTENER_FIELD(key, type) type key;
// Where the daemon listens; `tokens` and `users.items` are NULL without.
struct sp_listener_config {
    struct sp_address parsed; // `address`
#include "config/options.def"
};
#undef SP_LISTENER_FIELD
#define SP_LISTENER_FIELD(key, type)

struct sp_listeners {
    struct sp_listener_config *items;
    size_t count; // at least 1
};

#undef SP_SERVE_FIELD
#define SP_SERVE_FIELD(key, type) type key;
// What `snakepit serve` goes by; the library reads it and leaves it alone. Whole, with
// its defaults, also where nobody asked for it.
struct sp_serve_config {
    bool given; // the file or a variable says something of it
#include "config/options.def"
};
#undef SP_SERVE_FIELD
#define SP_SERVE_FIELD(key, type)

#undef SP_POOL_FIELD
#define SP_OPTIONS_MAX 128 // a bound for arrays that run along with the table of keys

// Who set a field. A later one may replace what an earlier one set.
enum sp_origin {
    SP_ORIGIN_NOBODY = 0, // it has its default
    SP_ORIGIN_FILE,
    SP_ORIGIN_ARGUMENT, // a word of adapter_args
    SP_ORIGIN_VARIABLE,
};

#define SP_POOL_FIELD(key, type) type key;
// One pool. Every text is owned and never NULL, but for `python`.
//
// `adapter_args` holds the words that are left for the adapter; `adapter_config` is one
// JSON object; `python` is an absolute path, NULL only where pooling is not enabled and
// there is no interpreter.
struct sp_pool_config {
    char *name;
    uint8_t origins[SP_OPTIONS_MAX]; // enum sp_origin of each row of the table
    uint32_t lines[SP_OPTIONS_MAX];  // where the file set it
#include "config/options.def"
};
#undef SP_POOL_FIELD
#undef SP_TOP_FIELD

#define SP_POOL_FIELD(key, type)
#define SP_TOP_FIELD(key, type) type key;
// A whole configuration. Read-only once it is read: any thread.
struct sp_config {
    _Atomic uint32_t others; // who share it with its first owner; see sp_config_ref()
    char *file;              // as it was named; "<memory>"
    char *directory; // absolute; of the file, or the current one: relative adapters lie
                     // there
    // What workers inherit: NAME=value each, ended by NULL. A copy, for the program may
    // change its own while threads of ours start workers.
    char **environment;
    struct sp_pool_config *pools;
    size_t count;
#include "config/options.def"
};
#undef SP_POOL_FIELD
#undef SP_TOP_FIELD
#undef SP_OPTION
#undef SP_SECTION
#undef SP_LATER

// Reads, checks and completes a configuration. INVALID_CONFIG: `why`, which may be
// NULL, says in one sentence where, what was expected and what was found: "FILE:LINE:
// pools[1].pool_sise: unknown key; did you mean "pool_size"?". NO_MEMORY, SYSTEM. Free
// with sp_config_free(). Reads the environment, so no other thread may change it
// meanwhile.
snakepit_err
sp_config_read_file(const char *path, struct sp_config **config, snakepit_message *why);
// The same from YAML text, borrowed. Relative paths count from the current directory.
snakepit_err sp_config_read_memory(const char *yaml,
                                   size_t bytes,
                                   struct sp_config **config,
                                   snakepit_message *why);
// Has the daemon listen there instead: addresses with commas between, as in a variable,
// and checked as they are there. Relative paths count from the current folder.
// INVALID_CONFIG: `why` says what "--listen" should be; the list may be gone.
// NO_MEMORY. Before the configuration is shared.
snakepit_err sp_config_listen(struct sp_config *config,
                              const char *addresses,
                              snakepit_message *why);
// Shares it with one more owner, who frees it as well. Any thread.
void sp_config_ref(struct sp_config *config);
// Its last owner frees it. Any thread; NULL is fine.
void sp_config_free(struct sp_config *config);

// The pool of that name; NULL: the pool named "default", else the first one. NULL if
// there is none.
const struct sp_pool_config *sp_config_pool(const struct sp_config *config,
                                            const char *name);

// "process" or "thread".
const char *sp_profile_name(enum sp_profile profile);

// How many processor cores this process may use, at least 1.
uint32_t sp_config_cores(void);

#endif
