// SPDX-License-Identifier: MIT
// Another configuration for a pit that is open. Any thread.
#ifndef SNAKEPIT_RELOAD_H
#define SNAKEPIT_RELOAD_H

#include "errors.h"
#include "stats.h"

#ifdef __cplusplus
extern "C" {
#endif

typedef struct snakepit_reload_options {
    size_t size;       // see Options in snakepit.h
    uint32_t grace_ms; // how long calls of a pool that is removed may go on; 0: 30000
} snakepit_reload_options;

// Has the pit go on as the configuration says now: reads and checks all of it, then
// adds the pools that are new, removes those that it names no longer, and changes the
// others; docs/configuration.md says for each key what it does. Pools in which nothing
// has changed are left alone. Where workers must be made anew, which also is so if the
// code of the adapter has changed, a pool does that as snakepit_pool_recycle() does:
// calls notice nothing of it. A pool that is down or has failed starts over. A pool
// that is removed refuses new calls with POOL_REMOVED at once; calls that it has go on,
// and end in the same way after `grace_ms`.
//
// Returns when calls to new pools are taken, and does not wait for workers:
// `workers_outdated` of snakepit_pool_stats says how many are still to be replaced. One
// reload at a time; another one waits. Where it fails nothing has changed, and `why`,
// where not NULL, explains it in one sentence. `options` may be NULL. INVALID_CONFIG:
// `why` names file, line and key, or the key that cannot change in a pit that is open,
// and what to do instead; also where the workers of a pool that is new, or that are to
// be made anew, would not find their adapter's module (not asked with
// `python_version_detection: off`, and the module is not run). UNSUPPORTED: also of a
// pit that is connected to a daemon, whose file that is; have it read by SIGHUP or by
// `snakepit reload`. INVALID_ARGUMENT, SYSTEM, NO_MEMORY, SHUTTING_DOWN. Not from a
// callback of the log, of events or of sessions. It reads the environment, so no other
// thread may change that meanwhile.
SNAKEPIT_API snakepit_err snakepit_reload_file(snakepit *pit,
                                               const char *path,
                                               const snakepit_reload_options *options,
                                               snakepit_message *why);
// The same from YAML text in memory, borrowed.
SNAKEPIT_API snakepit_err snakepit_reload_memory(snakepit *pit,
                                                 const char *yaml,
                                                 size_t bytes,
                                                 const snakepit_reload_options *options,
                                                 snakepit_message *why);

#ifdef __cplusplus
}
#endif

#endif
