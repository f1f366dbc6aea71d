// SPDX-License-Identifier: MIT
// What a pit tells, and to whom.
#ifndef PIT_LOG_H
#define PIT_LOG_H

#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "telemetry/log_writer.h"

// One that hears of events as the library has them. Called like a snakepit_notice_fn.
struct sp_pit_ear {
    sp_log_fn *hear; // NULL: nobody
    void *user;
    // What is below it is not heard, nor is what adapters say unless the ear is for
    // that, or somebody else hears it as well.
    enum sp_log_level level;
    bool adapters;
    // Gets what adapters emit as well, beside the log. NULL: nobody does.
    snakepit_event_fn *event;
    void *event_user;
};

// Where events lead. Constant once the pit is open.
struct sp_pit_outlets {
    snakepit_log_fn *line; // or NULL
    void *line_user;
    enum sp_log_level line_level; // also of what goes to stderr
    snakepit_notice_fn *notice;   // or NULL
    void *notice_user;
    enum sp_log_level notice_level;
    struct sp_pit_ear ear;
    // Where notices wait for their callback in a pit that is connected to a daemon, so
    // that those of both come one at a time. NULL: they do not.
    struct sp_log_writer *news;
};

// Opens the log of a pit whose configuration is there; `options` may be NULL. SYSTEM,
// NO_MEMORY.
snakepit_err sp_pit_open_log(snakepit *pit,
                             const snakepit_open_options *options,
                             snakepit_message *why);

// Calls the callback `notice`.
void sp_pit_hand_on_notice(const struct sp_pit_outlets *to,
                           const struct sp_notice *notice);

// snakepit_open_file() with an ear.
snakepit_err sp_pit_open_file(const char *path,
                              const snakepit_open_options *options,
                              const struct sp_pit_ear *ear,
                              snakepit **pit,
                              snakepit_message *why);

#endif
