// SPDX-License-Identifier: MIT
// A pit and its doors, from the opening to the end: what signals and a service manager
// ask for meanwhile.
#ifndef CLI_DAEMON_H
#define CLI_DAEMON_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "api/api.h"
#include "base/log.h"
#include "base/loop.h"
#include "cli/export.h"
#include "config/config.h"
#include "server/server.h"
#include "server/systemd.h"

// Owner: the main thread, but for what says otherwise.
struct sp_daemon {
    const char *file;
    struct sp_config *config; // as it was when it began to serve
    bool inside;              // it serves this process alone: see sp_server_options
    struct sp_activation activation;
    struct sp_notify notify;

    struct sp_export *export; // NULL: nothing is sent to a collector
    snakepit *pit;
    struct sp_api *api;
    struct sp_local *local;
    struct sp_server *server;
    struct sp_log log;
    struct sp_log_writer *writer;
    struct sp_event_ring *events; // what was told last
    struct sp_loop loop;
    struct sp_timer watchdog;
    struct sp_timer status;
    struct sp_timer look; // at the files of tokens
    char told_status[128];

    // A reload, on a thread of its own.
    pthread_t reload;
    bool reloads;
    atomic_bool reloaded; // it has ended; what follows is the main thread's again
    snakepit_err reload_err;
    snakepit_message reload_why;
};

// Opens pit and doors. `file`, `config` and what systemd gave are set already, the rest
// is zero. INVALID_CONFIG, SYSTEM, NO_MEMORY and what a pit can be refused for; `why`
// explains it. End it by sp_daemon_close() in any case.
snakepit_err sp_daemon_open(struct sp_daemon *daemon, snakepit_message *why);
// Serves until SIGTERM or SIGINT.
void sp_daemon_run(struct sp_daemon *daemon);
// Stops: lets what has begun end within `shutdown_grace_ms`, or until another such
// signal comes.
void sp_daemon_close(struct sp_daemon *daemon);

#endif
