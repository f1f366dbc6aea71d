// SPDX-License-Identifier: MIT
// Sends spans and metrics of a daemon to a collector: OTLP over HTTP, by libcurl.
// Nothing of the daemon waits for it but its end, and that not for long.
#ifndef CLI_EXPORT_H
#define CLI_EXPORT_H

#include <snakepit/snakepit.h>

#include "base/log.h"
#include "cli/export_settings.h"

#define SP_EXPORT_CLOSE_MS 5000u // that all that is left may take at the end

struct sp_export;

// `*made` is NULL where nothing is to be sent. `endpoint` is that of the file, or NULL.
// Keeps `log`. INVALID_CONFIG: a variable is wrong. SYSTEM: libcurl cannot be loaded.
// NO_MEMORY. The main thread.
snakepit_err sp_export_new(const char *endpoint,
                           const struct sp_log *log,
                           struct sp_export **made,
                           snakepit_message *why);
// Whether spans are to be sent; then by this function, whose user is the export.
bool sp_export_wants_spans(const struct sp_export *export);
void sp_export_spans(void *user,
                     const snakepit_trace_span *const *spans,
                     size_t count,
                     uint64_t dropped);
// Begins to send the metrics of a pit, if they are to be sent. SYSTEM: no thread.
snakepit_err sp_export_begin_metrics(struct sp_export *export, snakepit *pit);
// Sends the metrics once more, and from now on all that is left has SP_EXPORT_CLOSE_MS.
// Before the pit is closed. NULL is fine.
void sp_export_end(struct sp_export *export);
// After it was closed. NULL is fine.
void sp_export_free(struct sp_export *export);

#endif
