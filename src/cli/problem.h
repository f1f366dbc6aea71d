// SPDX-License-Identifier: MIT
// What a daemon says of a failure: problem documents, read back into faults.
#ifndef CLI_PROBLEM_H
#define CLI_PROBLEM_H

#include <stdbool.h>

#include <snakepit/fault.h>

#include "base/slice.h"

#define SP_CLI_FAULT_TEXTS 9u

// Owner: one thread. Zeroed it holds nothing.
struct sp_cli_problem {
    unsigned status;      // of the document
    bool of_http;         // HTTP alone is to blame: `fault` is a sentence and no more
    snakepit_fault fault; // with texts below
    char *texts[SP_CLI_FAULT_TEXTS];
    char sentence[256]; // of an error that this version does not know
};

// Reads a document. An error whose name this version does not know is UNSUPPORTED, and
// its message begins with that name. MALFORMED: it is not a problem document.
// NO_MEMORY.
snakepit_err sp_cli_problem_read(struct sp_slice document,
                                 struct sp_cli_problem *problem);
void sp_cli_problem_fini(struct sp_cli_problem *problem);

#endif
