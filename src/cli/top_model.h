// SPDX-License-Identifier: MIT
// What `snakepit top` knows: the rows of `GET /v1/watch`, kept as they came. A snapshot
// replaces pools and workers, a delta those rows that it has; calls and deaths are
// added.
#ifndef CLI_TOP_MODEL_H
#define CLI_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/slice.h"

#define SP_TOP_ENDED_MAX  1000u   // calls that have ended, the oldest go first
#define SP_TOP_DEATHS_MAX 100u    // of workers, likewise
#define SP_TOP_ROWS_MAX   100000u // of pools, and of workers
#define SP_TOP_NAME       256u    // bytes of a name, with a zero behind it

struct sp_top_row {
    uint64_t id; // of a worker or a call, for a death the worker's; 0: it has a name
    uint64_t seen_ms;  // the daemon's clock when it came
    struct sp_buf map; // MessagePack, as the daemon has it
};

struct sp_top_list {
    struct sp_top_row *rows;
    size_t count;
    size_t room;
};

// Zeroed it knows nothing. Owner: one thread.
struct sp_top_model {
    bool known;       // a snapshot has come
    uint64_t time_ms; // the daemon's clock at the last event, Unix time
    uint64_t uptime_ms;
    uint64_t left_out; // calls that have ended, and were too many to be told
    char version[32];
    struct sp_top_list pools;
    struct sp_top_list workers;
    struct sp_top_list tools; // an older daemon tells none
    struct sp_top_list ended; // calls, in the order in which they came
    struct sp_top_list deaths;
    struct sp_top_list waiting; // calls that have not begun, when last asked for
};

// Takes one event: `name` is "snapshot" or "delta", what has another name is passed
// over, and so is a delta before the first snapshot. MALFORMED: its data is no map, or
// has more rows than SP_TOP_ROWS_MAX. NO_MEMORY. After an error the model may have a
// part of it.
snakepit_err
sp_top_model_take(struct sp_top_model *model, const char *name, struct sp_slice data);
// Takes `{"calls": [...]}` of `GET /v1/calls?state=line`, in place of those that waited
// before. Errors as above.
snakepit_err sp_top_model_take_waiting(struct sp_top_model *model,
                                       struct sp_slice data);
void sp_top_model_fini(struct sp_top_model *model);

// The row as a map to be read; it lives until the model takes the next event.
snakepit_reader sp_top_row_reader(const struct sp_top_row *row);

#endif
