// SPDX-License-Identifier: MIT
// Where a daemon's spans and metrics go, as OpenTelemetry's variables and the file say:
// https://opentelemetry.io/docs/specs/otel/protocol/exporter/
#ifndef CLI_EXPORT_SETTINGS_H
#define CLI_EXPORT_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "otlp/otlp.h"

#define SP_EXPORT_URL_SIZE 1024u

// Texts are those of the environment, or lie in here.
struct sp_export_settings {
    char traces[SP_EXPORT_URL_SIZE];  // a URL; empty: nothing is told of them
    char metrics[SP_EXPORT_URL_SIZE]; // likewise
    const char *traces_headers;       // "key=value,...", percent-encoded; or NULL
    const char *metrics_headers;
    uint32_t timeout_ms;  // that one request may take, with all attempts
    uint32_t interval_ms; // between two readings of the metrics
    struct sp_otlp_teller teller;
    char texts[4096]; // of the teller, decoded
};

// `endpoint` is that of the file, or NULL; the variables go first. INVALID_CONFIG:
// `why` names a variable and what is wrong with it. One thread, before there are
// others.
snakepit_err sp_export_settings_read(struct sp_export_settings *settings,
                                     const char *endpoint,
                                     snakepit_message *why);
// The next "key=value" of a list, decoded into `room` as "key" and "value". False:
// there is none. One that is malformed is passed over.
bool sp_export_take_pair(const char **list,
                         char *room,
                         size_t size,
                         struct sp_slice *key,
                         struct sp_slice *value);

#endif
