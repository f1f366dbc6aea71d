// SPDX-License-Identifier: MIT
// What is told of a listener of the daemon.
#ifndef TELEMETRY_DOORS_H
#define TELEMETRY_DOORS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>

#include "base/slice.h"

// What is counted; the rows of doors.def say what for.
#define SP_DOOR_METRIC(name, kind, help)
#define SP_DOOR_SAMPLE(label, value, count) SP_DOOR_##count,
#define SP_DOOR_WRITTEN(name, kind, labels, write, help)
enum sp_door_count {
#include "telemetry/doors.def"
    SP_DOOR_COUNTS
};
#undef SP_DOOR_METRIC
#undef SP_DOOR_SAMPLE
#undef SP_DOOR_WRITTEN

#define SP_DOOR_STATUSES 600u // of HTTP, by their number
#define SP_DOOR_CODES    17u  // of gRPC, likewise

struct sp_door_figures {
    const char *address;
    uint64_t of[SP_DOOR_COUNTS];
    uint64_t statuses[SP_DOOR_STATUSES];
    uint64_t codes[SP_DOOR_CODES];
};

// Appends the figures of these doors, as telemetry/exposition.h has it. NO_MEMORY.
snakepit_err sp_doors_write(struct sp_buf *buf,
                            const struct sp_door_figures *doors,
                            size_t count,
                            bool open);

#endif
