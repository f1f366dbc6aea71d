// SPDX-License-Identifier: MIT
// Which Python this is: asked of the interpreter itself, once, in a process of its own.
#ifndef INTERPRETER_INTERPRETER_H
#define INTERPRETER_INTERPRETER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>
#include <snakepit/payload.h>

#include "config/config.h"

// What an interpreter says of itself. Owned texts, never NULL but where it is said.
// Read-only once probed: any thread.
struct sp_interpreter {
    char *path;       // absolute, as it was found
    char *executable; // what a worker should run: sys.executable, behind all shims;
                      // that of a virtual environment stays the environment's
    char *prefix;     // sys.prefix: tells apart environments of one executable
    char *version;    // "3.13.5"
    char *soabi;      // "cpython-313t-x86_64-linux-gnu"; "" if it has none
    char *numpy;      // version of the NumPy it would import, or NULL
    int major;
    int minor;
    bool free_threaded;  // built without the GIL (Py_GIL_DISABLED)
    bool gil_enabled;    // the GIL is on nevertheless, or as always
    bool has_bridge;     // snakepit_bridge._runtime, built for it, is installed
    bool is_environment; // a virtual one
};

// Runs `python`, a command or an absolute path, in `environment` (NULL: that of this
// process) and fills `interpreter`. Takes 20 to 100 ms as a rule and at most 10 s.
// Blocks; not from the loop thread. NOT_FOUND, DEADLINE_EXCEEDED, UNSUPPORTED (it is no
// CPython of 3.9 or later, or does not start), SYSTEM, NO_MEMORY; `why`, which may be
// NULL, explains. On success call sp_interpreter_fini().
snakepit_err sp_interpreter_probe(const char *python,
                                  char *const *environment,
                                  struct sp_interpreter *interpreter,
                                  snakepit_message *why);
void sp_interpreter_fini(struct sp_interpreter *interpreter);

// True if `python`, an absolute path, is that of a virtual environment in which the
// bridge is installed for it, as far as files tell without running it. It is CPython of
// 3.9 or later then, and its own path is what a worker should run. `environment`: that
// of a worker. False: only sp_interpreter_probe() can tell.
bool sp_interpreter_is_equipped(const char *python, char *const *environment);

// True if its threads run in parallel, so that the thread profile can use it.
bool sp_interpreter_runs_threads(const struct sp_interpreter *interpreter);

// Gives the folder that pip can build the bridge from: below the prefix where this
// library is installed, or in the checkout that it was built in. NULL: there is none.
char *sp_interpreter_bridge_sources(void);
// Says that `python` lacks the bridge, and by which command one gets it that has it.
void sp_interpreter_explain_bridge(const struct sp_interpreter *python,
                                   snakepit_message *why);

// Looks for the module of `pool`'s adapter as a worker would, in `environment`, with
// the interpreter `python`. False: there is none, or Python has one of its own by that
// name; `why` says so. True also where nothing could be learnt. `folder`: of the
// configuration. Blocks as sp_interpreter_probe() does.
bool sp_interpreter_finds_adapter(char *python,
                                  const struct sp_pool_config *pool,
                                  char *const *environment,
                                  char *folder,
                                  snakepit_message *why);

// ---- How it is run ------------------------------------------------------------

// A program for `python -c` begins so: the current folder is not searched for modules.
// Python has an option for that from 3.11 on; there the environment of a worker asks
// for it, and this finds nothing to do.
#define SP_PYTHON_SAFE_PATH "import sys; sys.path[:1] = filter(None, sys.path[:1])\n"
// The program that calls a function of the bridge and ends with what it returns.
#define SP_PYTHON_BRIDGE(module, function)                                 \
    SP_PYTHON_SAFE_PATH "from snakepit_bridge." module " import " function \
                        "\nsys.exit(" function "())"

// ---- What there is on this machine --------------------------------------------

struct sp_interpreter_entry {
    const char *found_as; // "SNAKEPIT_PYTHON_FT", "python3.13t"; static
    char *problem;        // why it cannot be used, or NULL; then nothing below is set
    struct sp_interpreter interpreter;
};

struct sp_interpreter_list {
    struct sp_interpreter_entry *items;
    size_t count;
};

// Probes those that SNAKEPIT_PYTHON, SNAKEPIT_PYTHON_FT and the usual names on PATH
// lead to, and the one that tools/bootstrap has built for this user, each once however
// many names it has. One that does not work is listed only if a variable names it.
// NO_MEMORY. On success call sp_interpreter_list_fini().
snakepit_err sp_interpreter_find(struct sp_interpreter_list *list);
void sp_interpreter_list_fini(struct sp_interpreter_list *list);

// ---- The environment of a worker ----------------------------------------------

#define SP_THREAD_VARIABLES 5u

// The variable `index` of those that say how many threads BLAS, OpenMP and their like
// use: OPENBLAS_NUM_THREADS and so on. NULL past the end.
const char *sp_interpreter_thread_variable(size_t index);

struct sp_thread_env {
    enum sp_profile profile;     // what the worker runs as, after a fallback
    uint32_t threads_per_worker; // at least 1
    uint32_t workers;            // of the pool, at its largest; at least 1
    uint32_t cores;              // at least 1; sp_config_cores()
    const struct sp_pairs *user; // the pool's adapter_env, borrowed; NULL: none
    char *const *inherited;      // the host's environment, borrowed; NULL: none
};

// Gives the whole environment of a worker, NAME=value each, ended by NULL: what is
// inherited, the user's variables over it, and of the thread-count variables of BLAS
// and OpenMP, each one that neither of these sets, so that all workers' threads
// together do not outnumber the cores. GRPC_POLL_STRATEGY and PYTHONSAFEPATH likewise.
// Empty entries of PYTHONPATH, which mean the current folder, are left out. NO_MEMORY.
// Free with sp_interpreter_free_env().
snakepit_err sp_interpreter_thread_env(const struct sp_thread_env *wanted,
                                       char ***environment);
// The same for a worker of `pool` in the profile that the pool wants.
snakepit_err sp_interpreter_pool_env(const struct sp_pool_config *pool,
                                     char ***environment);
// The host's own environment for a Python that is not a worker: without such entries.
snakepit_err sp_interpreter_host_env(char ***environment);
void sp_interpreter_free_env(char **environment);
// What a worker finds in each of these variables; 0: no number. NO_MEMORY.
snakepit_err sp_interpreter_library_threads(const struct sp_thread_env *wanted,
                                            uint32_t threads[SP_THREAD_VARIABLES]);

#endif
