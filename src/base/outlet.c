// SPDX-License-Identifier: MIT
// The one thing to know: whether a write waits is a property of the open file
// description, and a pipe or terminal that is opened anew has one of its own.
#include "base/outlet.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/descriptor.h"

void sp_outlet_open(struct sp_outlet *outlet, int fd)
{
    char path[64];
    struct stat what;
    *outlet = (struct sp_outlet){.fd = fd, .own = -1};
    if (fstat(fd, &what) != 0) {
        return;
    }
    outlet->is_file = S_ISREG(what.st_mode);
    outlet->is_socket = S_ISSOCK(what.st_mode);
    if (S_ISFIFO(what.st_mode) || S_ISCHR(what.st_mode)) {
        // Without /proc, a descriptor to spare, or the right to: see sp_outlet_write().
        (void)snprintf(path, sizeof path, "/proc/self/fd/%d", fd);
        outlet->own = sp_descriptor_keep(
            open(path, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC));
    }
}

void sp_outlet_close(struct sp_outlet *outlet)
{
    sp_descriptor_close(&outlet->own);
}

static bool is_ready(int fd, int ms)
{
    struct pollfd entry = {.fd = fd, .events = POLLOUT};
    return poll(&entry, 1, ms) > 0;
}

static ssize_t write_once(const struct sp_outlet *outlet, const char *data, size_t size)
{
    if (outlet->is_socket) {
        return send(outlet->fd, data, size, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
    if (outlet->own >= 0) {
        return write(outlet->own, data, size);
    }
    if (!outlet->is_file && !is_ready(outlet->fd, 0)) {
        errno = EAGAIN;
        return -1;
    }
    return write(outlet->fd, data, size);
}

ssize_t sp_outlet_write(const struct sp_outlet *outlet, const char *data, size_t size)
{
    ssize_t written;
    do {
        written = write_once(outlet, data, size);
    } while (written < 0 && errno == EINTR);
    return written < 0 && (errno == EAGAIN || errno == EWOULDBLOCK) ? 0 : written;
}

void sp_outlet_wait(const struct sp_outlet *outlet, int ms)
{
    (void)is_ready(outlet->fd, ms);
}
