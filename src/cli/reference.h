// SPDX-License-Identifier: MIT
// The reference of a configuration and its JSON schema. Only the command and the build
// need them, so they are not in the library.
#ifndef CLI_REFERENCE_H
#define CLI_REFERENCE_H

#include <snakepit/errors.h>

#include "base/slice.h"

// docs/configuration.md and docs/snakepit.schema.json, appended to `text`. NO_MEMORY.
snakepit_err sp_cli_reference(struct sp_buf *text);
snakepit_err sp_cli_json_schema(struct sp_buf *text);

#endif
