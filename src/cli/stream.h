// SPDX-License-Identifier: MIT
// The chunks of one call to a pit, as JSON text.
#ifndef CLI_STREAM_H
#define CLI_STREAM_H

#include "cli/target.h"

// Calls and hands over each chunk as it comes. A signal cancels the call.
void sp_cli_stream(snakepit *pit,
                   const struct sp_cli_ask *ask,
                   const snakepit_call_options *options,
                   struct sp_cli_result *result);

#endif
