// SPDX-License-Identifier: MIT
// Calls as the doors tell them.
#ifndef API_CALLS_H
#define API_CALLS_H

#include <snakepit/snakepit.h>

#include "api/inside.h"

// Has the calls that end recorded for the next minute.
void sp_api_record_calls(const struct sp_exchange *exchange);

// What is told of a call beside the rest.
enum sp_api_ended_parts { SP_ENDED_SESSION = 1, SP_ENDED_TRACEBACK = 2 };
// Writes a call that has ended, a map. `parts`: some of these.
void sp_api_write_ended(snakepit_writer *writer,
                        const snakepit_ended_call *call,
                        unsigned parts);

#endif
