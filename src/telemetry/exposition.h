// SPDX-License-Identifier: MIT
// Figures as Prometheus reads them: its text format 0.0.4, and OpenMetrics 1.0, which
// ends in "# EOF". The rows are in telemetry/metrics.def.
#ifndef TELEMETRY_EXPOSITION_H
#define TELEMETRY_EXPOSITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slice.h"
#include "telemetry/figures.h"

// Appends the version and all figures, without an end. `open`: as OpenMetrics, with
// calls that were traced as examples. NO_MEMORY.
snakepit_err
sp_exposition_write(struct sp_buf *buf, const struct sp_all_figures *all, bool open);
// Appends a figure that there is one of. `help` needs no escape. NO_MEMORY.
snakepit_err sp_exposition_gauge(struct sp_buf *buf,
                                 const char *name,
                                 const char *help,
                                 uint64_t value);
// Appends the end of OpenMetrics. NO_MEMORY.
snakepit_err sp_exposition_end(struct sp_buf *buf);

#endif
