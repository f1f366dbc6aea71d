// SPDX-License-Identifier: MIT
// Words for interpreters.
#ifndef CLI_PYTHONS_H
#define CLI_PYTHONS_H

#include <snakepit/payload.h>

#include "interpreter/interpreter.h"

// "GIL", "free-threaded", or "free-threaded, GIL on".
const char *sp_cli_build_of(const struct sp_interpreter *python);

// The profile that it is best for: "thread" or "process".
const char *sp_cli_profile_of(const struct sp_interpreter *python);

// What it is good for, in words.
const char *sp_cli_use_of(const struct sp_interpreter *python);

// Writes the pairs of a map that say what it is; SP_CLI_PYTHON_PAIRS of them. With
// NULL, an interpreter that could not be asked, they are all nil.
#define SP_CLI_PYTHON_PAIRS 8u
void sp_cli_write_python(snakepit_writer *writer, const struct sp_interpreter *python);
// The array that `snakepit python --json` prints.
void sp_cli_write_pythons(snakepit_writer *writer,
                          const struct sp_interpreter_list *list);

#endif
