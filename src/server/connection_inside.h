// SPDX-License-Identifier: MIT
// What one connection does for all of a loop.
#ifndef SERVER_CONNECTION_INSIDE_H
#define SERVER_CONNECTION_INSIDE_H

#include "server/connection.h"

// Reads what the client has sent by now, and forgets it.
void sp_connection_discard(struct sp_connection *connection);
// Closes it at once.
void sp_connection_destroy(struct sp_connection *connection);
// A request that has come by now is still served.
void sp_connection_drain(struct sp_connection *connection);
void sp_connection_late(struct sp_wait *wait, enum sp_wait_for what);

#endif
