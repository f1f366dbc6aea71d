// SPDX-License-Identifier: MIT
// snakepit doctor: facts about the machine, its interpreters and the pools of a
// configuration, and what is to be said of them. Facts are gathered first; findings are
// a pure function of facts.
#ifndef CLI_DOCTOR_H
#define CLI_DOCTOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/kernel.h"
#include "cli/command.h"
#include "interpreter/examine.h"
#include "interpreter/interpreter.h"

#define SP_DOCTOR_UNLIMITED UINT64_MAX

// ---- Facts --------------------------------------------------------------------

enum sp_doctor_limit {
    SP_DOCTOR_FILES,
    SP_DOCTOR_PROCESSES, // and threads
    SP_DOCTOR_ADDRESSES,
    SP_DOCTOR_FILE_SIZE,
    SP_DOCTOR_LOCKED,
    SP_DOCTOR_LIMITS
};

struct sp_doctor_limit_row {
    int resource;     // of getrlimit(2)
    const char *name; // "open files"
    const char *key;  // in JSON
    bool is_bytes;
};

const struct sp_doctor_limit_row *sp_doctor_limit_row(enum sp_doctor_limit limit);

// "512 MiB", "1.5 GiB", "4096 bytes", "1024" or "unlimited", into `room`; returns it.
#define SP_DOCTOR_AMOUNT_MAX 32u
const char *sp_doctor_size(uint64_t bytes, char room[SP_DOCTOR_AMOUNT_MAX]);
const char *sp_doctor_amount(enum sp_doctor_limit limit,
                             uint64_t value,
                             char room[SP_DOCTOR_AMOUNT_MAX]);

struct sp_doctor_range {
    uint64_t soft;
    uint64_t hard;
};

// What the control group of this process and those above it allow.
struct sp_doctor_group {
    uint32_t cpu_percent; // of one core; 0: no limit
    uint64_t memory;      // bytes
    uint64_t tasks;       // processes and threads that may still come
    bool is_v2;
    bool may_limit_memory; // groups of our own can be made and limited
    bool may_limit_cpu;
};

struct sp_doctor_machine {
    char kernel[64];
    uint32_t cores; // that this process may use
    struct sp_doctor_group group;
    struct sp_doctor_range limits[SP_DOCTOR_LIMITS];
    uint64_t tasks_of_user; // its processes and threads now; 0: they do not count
    bool features[SP_KERNEL_FEATURES];
    bool has_proc;    // /proc is mounted
    uint32_t seccomp; // 0: none, 1: strict, 2: a filter
    uint32_t nvidia_devices;
    bool has_uncounted_devices; // NVIDIA's that have no number in /dev
    uint32_t nodes;             // of NUMA, with cores that this process may use
};

// A pool of the configuration.
struct sp_doctor_pool {
    const struct sp_pool_config *config;
    const struct sp_interpreter *python; // NULL: it could not be asked
    snakepit_message problem; // why not, or how it gets the bridge that it lacks
    struct sp_examination adapter;
    uint32_t threads[SP_THREAD_VARIABLES]; // what its workers find there; 0: no number
};

// All of it, borrowed.
struct sp_doctor_facts {
    const struct sp_doctor_machine *machine;
    const struct sp_interpreter_list *pythons;
    const char *no_bridge; // how the first of them gets the bridge that it lacks
    const struct sp_config *config; // NULL: no file was named
    const struct sp_doctor_pool *pools;
};

// What a pool is going to be, as far as the facts tell.
struct sp_doctor_shape {
    enum sp_profile profile;
    bool takes_turns; // threads under a GIL, as the pool allows
    uint32_t workers;
    uint32_t threads;         // of a worker, that run calls
    uint32_t library_threads; // of each of these, where a library has some; else 1
};

void sp_doctor_shape(const struct sp_doctor_pool *pool, struct sp_doctor_shape *shape);

// What the pools want at least, each as its limit counts it. 0: nothing to speak of.
void sp_doctor_needs(const struct sp_doctor_facts *facts,
                     uint64_t needs[SP_DOCTOR_LIMITS]);

// Fills in what the machine is. With `wants_tasks` also how many processes and threads
// its user has, which means looking at all there are.
void sp_doctor_look(struct sp_doctor_machine *machine, bool wants_tasks);

// Parts of it, for tests. `root` is SP_CGROUP_ROOT and `own` the text of
// /proc/self/cgroup; the nodes are in /sys/devices/system/node, the devices in /dev,
// and those that the driver has found in /proc/driver/nvidia/gpus.
void sp_doctor_look_at_groups(const char *root,
                              const char *own,
                              struct sp_doctor_group *group);
uint32_t sp_doctor_count_nodes(const char *folder);
uint32_t sp_doctor_count_devices(const char *folder, const char *found);
bool sp_doctor_has_uncounted_devices(const char *folder);

// ---- Findings -----------------------------------------------------------------

enum sp_doctor_code {
#define SP_DOCTOR_FINDING(id, code) SP_DOCTOR_##id,
#include "cli/doctor.def"
#undef SP_DOCTOR_FINDING
    SP_DOCTOR_CODES
};

enum sp_doctor_severity {
    SP_DOCTOR_NOTE,    // good to know
    SP_DOCTOR_WARNING, // it works, but worse than it could
    SP_DOCTOR_ERROR,   // it will not work as the configuration says
    SP_DOCTOR_SEVERITIES
};

struct sp_doctor_finding {
    enum sp_doctor_code code;
    enum sp_doctor_severity severity;
    const char *pool; // borrowed; NULL: it is the machine's
    snakepit_message what;
    snakepit_message remedy;
};

// Owner: the main thread. Zero-initialised is empty.
struct sp_doctor_findings {
    struct sp_doctor_finding *items;
    size_t count;
    size_t room;
    size_t counts[SP_DOCTOR_SEVERITIES];
    bool is_cut; // memory ran out
    struct sp_doctor_finding scrap;
};

// Adds one; the texts are still to be written. Where memory runs out it is `scrap`.
struct sp_doctor_finding *sp_doctor_find(struct sp_doctor_findings *findings,
                                         enum sp_doctor_code code,
                                         enum sp_doctor_severity severity,
                                         const char *pool);
void sp_doctor_findings_fini(struct sp_doctor_findings *findings);

const char *sp_doctor_code_name(enum sp_doctor_code code);
const char *sp_doctor_severity_name(enum sp_doctor_severity severity);

// What is to be said of the facts, errors first. Pure.
void sp_doctor_judge(const struct sp_doctor_facts *facts,
                     struct sp_doctor_findings *findings);
// Its parts.
void sp_doctor_judge_pool(const struct sp_doctor_pool *pool,
                          const struct sp_doctor_facts *facts,
                          struct sp_doctor_findings *findings);
void sp_doctor_judge_recursion(const struct sp_interpreter *python,
                               const char *pool,
                               struct sp_doctor_findings *findings);
void sp_doctor_judge_devices(const struct sp_doctor_pool *pool,
                             const struct sp_doctor_machine *machine,
                             struct sp_doctor_findings *findings);
void sp_doctor_judge_cores(const struct sp_doctor_facts *facts,
                           struct sp_doctor_findings *findings);
void sp_doctor_judge_limits(const struct sp_doctor_facts *facts,
                            struct sp_doctor_findings *findings);
void sp_doctor_judge_kernel(const struct sp_doctor_facts *facts,
                            struct sp_doctor_findings *findings);

// ---- Output -------------------------------------------------------------------

void sp_doctor_print(struct sp_cli *cli,
                     const struct sp_doctor_facts *facts,
                     const struct sp_doctor_findings *findings);
snakepit_err sp_doctor_print_json(struct sp_cli *cli,
                                  const struct sp_doctor_facts *facts,
                                  const struct sp_doctor_findings *findings,
                                  bool ok);

#endif
