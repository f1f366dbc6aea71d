// SPDX-License-Identifier: MIT
// Finds programs as a shell would, without running them.
#ifndef CONFIG_PROGRAM_H
#define CONFIG_PROGRAM_H

#include <stdbool.h>
#include <stddef.h>

#include <snakepit/errors.h>

// The absolute path of `command`, given: looked up on PATH, or, with a slash in it,
// counted from `directory` (NULL: the current one). Symbolic links stay, for a virtual
// environment is known by its own. NOT_FOUND: there is no such file that may be
// executed. NO_MEMORY. Free with sp_free().
snakepit_err sp_program_find(const char *command, const char *directory, char **path);

// Why the file that a `command` with a slash names is none that may be executed, where
// that needs to be told: the place that its symbolic links lead to, if it is one, and
// the error of the system. `directory` as above. False: nothing is there, or nothing is
// to be told.
bool sp_program_explain(const char *command,
                        const char *directory,
                        char *text,
                        size_t size);

// A copy of the whole environment, ended by NULL. NO_MEMORY. Free with
// sp_program_environment_free(). No other thread may change the environment meanwhile.
snakepit_err sp_program_environment(char ***copy);
void sp_program_environment_free(char **copy);
// The value of an environment variable, borrowed; NULL if it is not set. No other
// thread may change the environment meanwhile.
const char *sp_program_variable(const char *name);

// The absolute path of the current directory, given. SYSTEM, NO_MEMORY.
snakepit_err sp_program_directory(char **path);

#endif
