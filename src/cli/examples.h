// SPDX-License-Identifier: MIT
// Where the examples are.
#ifndef CLI_EXAMPLES_H
#define CLI_EXAMPLES_H

#include <snakepit/errors.h>

#include "base/slice.h"

// The path of a file of examples/, given: in share/snakepit/examples of the
// installation or in examples of the source tree that the running program lies in, then
// in the current directory. It is relative to the current directory where that contains
// it. NOT_FOUND, NO_MEMORY. `path` ends in a zero; free it with sp_buf_fini().
snakepit_err sp_cli_find_example(const char *name, struct sp_buf *path);

#endif
