// SPDX-License-Identifier: MIT
// What a daemon tells a pit that is connected to it.
#ifndef PIT_NEWS_H
#define PIT_NEWS_H

#include <snakepit/snakepit.h>

#include "base/slice.h"
#include "ipc/local.h"
#include "remote/daemon.h"

// Makes the thread that hands it on, if the program wants to hear of it. SYSTEM,
// NO_MEMORY.
snakepit_err sp_pit_open_news(snakepit *pit, snakepit_message *why);
// What the daemon is asked for.
struct sp_daemon_follow sp_pit_follows(const snakepit *pit);
// Loop thread. PROTOCOL: it makes no sense.
snakepit_err sp_pit_take_news(snakepit *pit,
                              const struct sp_local_news_head *head,
                              struct sp_slice body);

#endif
