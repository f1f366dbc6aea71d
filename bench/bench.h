// SPDX-License-Identifier: MIT
// A case is one thing that is measured, for one interpreter, on up to four sides in
// alternation: the product, the limit, multiprocessing.Pipe and ProcessPoolExecutor(1);
// or, where it is one of JSON, the product, orjson and msgspec.
// Each round measures every side once; ratios are taken within a round.
#ifndef BENCH_BENCH_H
#define BENCH_BENCH_H

#include <stdbool.h>

#include "limit/limit_host.h"
#include "measure.h"
#include "peers.h"
#include "product.h"

#define BENCH_FIGURES   2  // rows that one measurement fills
#define BENCH_ROUNDS    99 // most of them
#define BENCH_IN_FLIGHT 32
#define BENCH_CALLERS   32
#define BENCH_FIRST_X   1000000u // no call's argument fits into a byte

enum bench_side {
    BENCH_PRODUCT,
    BENCH_LIMIT,
    BENCH_PIPE,
    BENCH_PROCESSPOOL,
    BENCH_ORJSON,
    BENCH_MSGSPEC,
    BENCH_SIDES
};

// An interpreter, and what was built for it.
struct bench_python {
    const char *kind;    // "system" or "ft"
    const char *program; // its path
    const char *modules; // the folder with its _limit.so
    bool threads;        // free-threaded: the product runs it in the thread profile
};

// What a running case may use. Owner: the main thread.
struct bench {
    const struct bench_python *python;
    double seconds; // that one side's measurement lasts
    struct product product;
    struct limit limits[PRODUCT_POOLS];
    struct peers peers;
    struct bench_samples samples;
};

// Measures once. Figures that do not apply stay as they are: NAN.
typedef void bench_measure(struct bench *bench, double figures[BENCH_FIGURES]);

struct bench_case {
    const char *rows[BENCH_FIGURES]; // names in the table; the second may be NULL
    const char *unit;
    bool free_threaded_only;
    bool workers_die;  // on purpose: the library's warnings are not printed
    bool opens_itself; // pools and limit are opened by the measurement, not before it
    bool tensors;
    bool json;           // of JSON: on the system's interpreter only
    const char *adapter; // NULL: the one for tensors, or the one for all else
    bool processes;      // the process profile, on any interpreter
    uint32_t workers;    // of each pool of the product; 0: one
    uint32_t line;       // calls that may wait in a pool; 0: the default
    uint32_t executors[PRODUCT_POOLS]; // of each pool's worker; 0: no such pool
    bench_measure *product;
    bench_measure *limit;
    const char *peer; // its name in peers.py; NULL: nobody else does this
};

extern const struct bench_case bench_case_warm;
extern const struct bench_case bench_case_paced;
extern const struct bench_case bench_case_inflight;
extern const struct bench_case bench_case_callers;
extern const struct bench_case bench_case_host_tool;
extern const struct bench_case bench_case_scaling;
extern const struct bench_case bench_case_executors;
extern const struct bench_case bench_case_callers4;
extern const struct bench_case bench_case_batch;
extern const struct bench_case bench_case_cancel;
extern const struct bench_case bench_case_view;
extern const struct bench_case bench_case_result;
extern const struct bench_case bench_case_stream;
extern const struct bench_case bench_case_cpu;
extern const struct bench_case bench_case_idle;
extern const struct bench_case bench_case_start;
extern const struct bench_case bench_case_start_many;
extern const struct bench_case bench_case_import;
extern const struct bench_case bench_case_death;
extern const struct bench_case bench_case_recycle;
extern const struct bench_case bench_case_stuck_c;
extern const struct bench_case bench_case_stuck_loop;
extern const struct bench_case bench_case_stuck_lock;
extern const struct bench_case bench_case_private_memory;
extern const struct bench_case bench_case_profiles;
extern const struct bench_case bench_case_mark;
extern const struct bench_case bench_case_trace;
extern const struct bench_case bench_case_local_warm;
extern const struct bench_case bench_case_local_inflight;
extern const struct bench_case bench_case_local_clients;
extern const struct bench_case bench_case_local_fairness;
extern const struct bench_case bench_case_json_read_maps;
extern const struct bench_case bench_case_json_read_floats;
extern const struct bench_case bench_case_json_read_text;
extern const struct bench_case bench_case_json_read_signs;
extern const struct bench_case bench_case_json_write_maps;
extern const struct bench_case bench_case_json_write_floats;
extern const struct bench_case bench_case_json_write_text;
extern const struct bench_case bench_case_json_write_signs;

// The limit's worker that stands beside pool `index`.
void bench_open_limit(struct bench *bench,
                      const struct bench_case *what,
                      unsigned index);
// The pools of a case, ready.
void bench_open_product(struct bench *bench, const struct bench_case *what);

// What a case wants of its pools.
struct product_options bench_product_options(const struct bench *bench,
                                             const struct bench_case *what);

// Median and 99th percentile of the first limit's warm no-op, of which other cases are
// shares too; and of the product's.
bench_measure bench_warm_limit;
bench_measure bench_warm;
// Calls a second of one thread with 32 in flight, of the product.
bench_measure bench_inflight;

// Nanoseconds of a side's measurement.
static inline uint64_t bench_duration(const struct bench *bench)
{
    return (uint64_t)(bench->seconds * (double)SP_NS_PER_S);
}

#endif
