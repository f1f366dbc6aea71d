// SPDX-License-Identifier: MIT
// What a service manager hands to a daemon, and what it wants to be told: sockets that
// it has opened (sd_listen_fds(3)), and how the daemon is (sd_notify(3)). Where there
// is no such manager all of this does nothing.
//
// Owner: the main thread.
#ifndef SERVER_SYSTEMD_H
#define SERVER_SYSTEMD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#define SP_ACTIVATED_NAME 256u // with a zero

// A socket that was handed over.
struct sp_activated {
    int fd;
    bool used; // by a listener, which closes it
    char name[SP_ACTIVATED_NAME];
};

struct sp_activation {
    struct sp_activated *items;
    size_t count;
    bool expected; // later: a listener without one is not refused
};

// Takes over what LISTEN_PID, LISTEN_FDS and LISTEN_FDNAMES say is for this process,
// and has its children inherit neither sockets nor variables. While there is but one
// thread: it changes the environment. INVALID_CONFIG: one is not a stream socket that
// listens; `why` names it. NO_MEMORY.
snakepit_err sp_activation_take(struct sp_activation *activation,
                                snakepit_message *why);
// Closes those that nobody uses. Zeroed is fine.
void sp_activation_close(struct sp_activation *activation);

struct sp_notify {
    int fd; // -1: nobody wants to know
    unsigned char address[128];
    uint32_t address_size;
    uint32_t watchdog_ms; // how often it has to be told that all is well; 0: never
};

// Reads NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, and removes them. While there is
// but one thread.
void sp_notify_open(struct sp_notify *notify);
void sp_notify_close(struct sp_notify *notify);

// Sends lines such as "READY=1\nSTATUS=serving". Waits for at most a second, and where
// nobody takes them they are lost.
void sp_notify_send(const struct sp_notify *notify, const char *lines);
// "RELOADING=1", with the time that belongs to it.
void sp_notify_reloading(const struct sp_notify *notify);
// "STOPPING=1", which may take so long.
void sp_notify_stopping(const struct sp_notify *notify, uint32_t within_ms);

#endif
