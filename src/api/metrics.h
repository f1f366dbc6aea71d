// SPDX-License-Identifier: MIT
// The figures of pools as Prometheus reads them: its text format, and OpenMetrics. The
// rows are in metrics.def.
#ifndef API_METRICS_H
#define API_METRICS_H

#include <stdbool.h>
#include <stddef.h>

#include <snakepit/snakepit.h>

#include "base/slice.h"

// What is told besides the pools.
struct sp_metrics_daemon {
    size_t connections;
    bool draining;
};

// Appends all figures. `open`: as OpenMetrics 1.0, else as text 0.0.4. NO_MEMORY.
snakepit_err sp_metrics_write(struct sp_buf *buf,
                              const struct sp_metrics_daemon *daemon,
                              const snakepit_pool_stats *pools,
                              size_t count,
                              bool open);

#endif
