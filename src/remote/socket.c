// SPDX-License-Identifier: MIT
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/descriptor.h"
#include "base/system.h"
#include "remote/inside.h"

static snakepit_err
explain(snakepit_message *why, snakepit_err err, const char *path, const char *what)
{
    if (why != NULL) {
        (void)snprintf(
            why->text, sizeof why->text, "the socket \"%.200s\" %s", path, what);
    }
    return err;
}

// What connect(2) says, for people.
static snakepit_err refused(snakepit_message *why, const char *path, int reason)
{
    switch (reason) {
    case ENOENT:
        return explain(
            why,
            SNAKEPIT_UNREACHABLE,
            path,
            "is not there; start the daemon by snakepit serve, with an item of "
            "`serve: listen` that has this path and `door: local`");
    case ECONNREFUSED:
        return explain(why,
                       SNAKEPIT_UNREACHABLE,
                       path,
                       "is there, but nobody listens; start the daemon that made it");
    case EAGAIN:
        return explain(why,
                       SNAKEPIT_UNREACHABLE,
                       path,
                       "has more clients waiting than it has room for; try again");
    case EACCES:
    case EPERM:
        return explain(
            why,
            SNAKEPIT_DENIED,
            path,
            "may not be used by this user; see its permissions, and `mode` of "
            "the listener");
    case EPROTOTYPE:
        return explain(
            why,
            SNAKEPIT_PROTOCOL,
            path,
            "is not that of a local door; give the one whose listener has `door: "
            "local`");
    default:
        errno = reason;
        return sp_system_failed(why, "connect", NULL, "to \"%.200s\"", path);
    }
}

snakepit_err sp_socket_connect(const char *path, int *fd, snakepit_message *why)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const size_t size = strlen(path);
    if (size == 0 || size >= sizeof address.sun_path) {
        return explain(why,
                       SNAKEPIT_INVALID_ARGUMENT,
                       path,
                       size == 0
                           ? "has an empty path; give unix:/PATH"
                           : "has a path of more than the 107 bytes that it can have");
    }
    memcpy(address.sun_path, path, size);
    const int type = SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK;
    int made = sp_descriptor_keep(socket(AF_UNIX, type, 0));
    if (made < 0) {
        return sp_system_failed(why, "socket", NULL, "to reach a daemon");
    }
    if (connect(made, (const struct sockaddr *)&address, sizeof address) != 0) {
        int reason = errno;
        sp_descriptor_close(&made);
        return refused(why, path, reason);
    }
    *fd = made;
    return SNAKEPIT_OK;
}

bool sp_socket_wait(int fd, bool write, uint64_t deadline)
{
    struct pollfd entry = {.fd = fd, .events = write ? POLLOUT : POLLIN};
    for (;;) {
        uint64_t now = sp_clock_now();
        if (now >= deadline) {
            return false;
        }
        int rc = poll(&entry, 1, (int)((deadline - now) / SP_NS_PER_MS) + 1);
        if (rc > 0) {
            return true;
        }
        if (rc < 0 && errno != EINTR) {
            return false;
        }
    }
}
