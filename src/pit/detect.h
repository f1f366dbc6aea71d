// SPDX-License-Identifier: MIT
// `python_version_detection: auto`: asks each interpreter of a configuration what it is
// before its pool starts, so that a wrong one is an error of the configuration and not
// of a worker.
#ifndef PIT_DETECT_H
#define PIT_DETECT_H

#include <snakepit/errors.h>
#include <snakepit/payload.h>

#include "config/config.h"

// Replaces each pool's `python` by the executable behind it (a version manager's shim
// would cost every start). INVALID_CONFIG: it is no CPython that can run a worker;
// `why` names file, pool and remedy. Blocks up to 100 ms for each interpreter that this
// process has not asked before.
snakepit_err sp_detect_interpreters(struct sp_config *config, snakepit_message *why);

// Whether the workers of `pool` would find its adapter's module, which is not run.
// INVALID_CONFIG: they would not; `why` names file, pool and remedy. NO_MEMORY. Asks
// nothing, and is OK, where sp_detect_interpreters() asks nothing. Blocks likewise,
// each time.
snakepit_err sp_detect_adapter(const struct sp_config *config,
                               const struct sp_pool_config *pool,
                               snakepit_message *why);

#endif
