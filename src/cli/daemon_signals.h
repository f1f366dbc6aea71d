// SPDX-License-Identifier: MIT
// The signals of a daemon. Unlike those of other commands (cli/interrupt.h) they come
// while there is much to be ended in order, and SIGHUP asks for a reload.
#ifndef CLI_DAEMON_SIGNALS_H
#define CLI_DAEMON_SIGNALS_H

#include <stdbool.h>

#include "base/loop.h"

// From now on SIGTERM, SIGINT and SIGHUP are noted, and wake the loop. SIGINT stays
// ignored where the parent ignores it. Once in a process; keeps the loop.
void sp_daemon_signals_init(struct sp_loop *loop);

// The same as SIGTERM once, where none has come: another one is then the first. Any
// thread, once the signals are noted.
void sp_daemon_ask_to_stop(void);
// Whether it is to stop.
bool sp_daemon_is_to_stop(void);

// How often SIGTERM or SIGINT has come.
unsigned sp_daemon_stops(void);
// What has come, for the log: "SIGTERM"; "a request", quoted, where it was not a
// signal.
const char *sp_daemon_stop_name(void);
// Whether SIGHUP has come since this was asked last.
bool sp_daemon_take_reload(void);

// From now on the next SIGTERM or SIGINT ends the process, and its workers with it.
void sp_daemon_signals_end(void);

#endif
