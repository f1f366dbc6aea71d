// SPDX-License-Identifier: MIT
// What the import of an adapter does on an interpreter. This runs the adapter's module,
// in a process of its own; nothing else here does.
#ifndef INTERPRETER_EXAMINE_H
#define INTERPRETER_EXAMINE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "interpreter/interpreter.h"

#define SP_EXAMINED_IMPORTS   5u
#define SP_EXAMINED_LIBRARIES 16u

enum sp_examined {
    SP_EXAMINED_NOT,    // it was not tried
    SP_EXAMINED_OK,     // a worker would take it
    SP_EXAMINED_FAILED, // it would not; `why` says what is wrong
    SP_EXAMINED_LATE,   // the import did not end in time and was killed
};

struct sp_examined_import {
    char package[64];
    uint64_t us; // what it imports itself included
};

// A library of the table in library_compatibility.json that the adapter has imported.
struct sp_examined_library {
    char title[48];
    char version[32]; // "" if it does not say
    char minimum[16]; // the version from which on it is thread-safe
    char reason[200];
    char pattern[200]; // the safe way to use it
    bool thread_safe;
    bool too_old;
    bool has_threads; // of its own, counted by the thread variables
};

// Plain data. Zeroed: it was not tried.
struct sp_examination {
    enum sp_examined outcome;
    snakepit_message why;
    uint64_t import_us;
    bool gil_enabled;        // after the import
    char gil_enabled_by[64]; // the module that has switched it on, if Python says so
    bool declares;           // the class says whether it is thread-safe:
    bool thread_safe;        // so
    struct sp_examined_import imports[SP_EXAMINED_IMPORTS]; // the slowest ones
    size_t import_count;
    struct sp_examined_library libraries[SP_EXAMINED_LIBRARIES];
    size_t library_count;
};

// How it is imported. Borrowed.
struct sp_examine_options {
    const struct sp_pool_config *pool; // whose adapter it is
    char *const *environment;          // of a worker; NULL: that of this process
    char *folder;                      // of the configuration
    uint32_t timeout_ms;               // that the import may take
};

// Imports an adapter as a worker would. Blocks; not from the loop thread.
void sp_interpreter_examine(const struct sp_interpreter *interpreter,
                            const struct sp_examine_options *options,
                            struct sp_examination *examination);

#endif
