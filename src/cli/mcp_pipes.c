// SPDX-License-Identifier: MIT
// The descriptors are the other program's as well, so they are not made non-blocking:
// what could block is asked for with poll(2), or told with each call not to.
#include "cli/mcp_pipes.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/system.h"

// Leaves `instead` where `fd` was. -1: see errno.
static int take_over(int fd, int instead)
{
    const int own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return own >= 0 && instead >= 0 && dup2(instead, fd) >= 0 ? own : -1;
}

static bool watch(int epoll, int fd, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.fd = fd};
    return epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) == 0;
}

static bool open_all(struct sp_cli_mcp_pipes *pipes)
{
    const int nothing = open("/dev/null", O_RDWR | O_CLOEXEC);
    pipes->in = take_over(STDIN_FILENO, nothing);
    pipes->out = take_over(STDOUT_FILENO, STDERR_FILENO);
    pipes->epoll = epoll_create1(EPOLL_CLOEXEC);
    if (nothing >= 0) {
        (void)close(nothing);
    }
    if (pipes->in < 0 || pipes->out < 0 || pipes->epoll < 0 ||
        !watch(pipes->epoll, pipes->stop, EPOLLIN)) {
        return false;
    }
    // A file is always ready, and cannot be waited for.
    const bool waits = watch(pipes->epoll, pipes->in, EPOLLIN);
    pipes->file = !waits && errno == EPERM;
    return (waits || pipes->file) &&
           (watch(pipes->epoll, pipes->out, 0) || errno == EPERM);
}

snakepit_err
sp_cli_mcp_pipes_open(int stop, struct sp_cli_mcp_pipes *pipes, snakepit_message *why)
{
    *pipes = (struct sp_cli_mcp_pipes){.in = -1, .out = -1, .epoll = -1, .stop = stop};
    if (open_all(pipes)) {
        return SNAKEPIT_OK;
    }
    (void)sp_system_failed(why, "dup", NULL, "of standard input or output");
    sp_cli_mcp_pipes_close(pipes);
    return SNAKEPIT_SYSTEM;
}

static void close_one(int *fd)
{
    if (*fd >= 0) {
        (void)close(*fd);
        *fd = -1;
    }
}

void sp_cli_mcp_pipes_close(struct sp_cli_mcp_pipes *pipes)
{
    close_one(&pipes->in);
    close_one(&pipes->out);
    close_one(&pipes->epoll);
}

struct sp_cli_mcp_news sp_cli_mcp_pipes_look(const struct sp_cli_mcp_pipes *pipes)
{
    struct epoll_event events[3];
    struct sp_cli_mcp_news news = {.in = pipes->file && pipes->in >= 0,
                                   .stops = pipes->out < 0};
    const int count = epoll_wait(pipes->epoll, events, 3, 0);
    for (int i = 0; i < count; i++) {
        const bool in = pipes->in >= 0 && events[i].data.fd == pipes->in;
        news.in = news.in || in;
        news.stops = news.stops || !in;
    }
    return news;
}

void sp_cli_mcp_pipes_end_in(struct sp_cli_mcp_pipes *pipes)
{
    if (pipes->in >= 0 && !pipes->file) {
        (void)epoll_ctl(pipes->epoll, EPOLL_CTL_DEL, pipes->in, NULL);
    }
    close_one(&pipes->in);
}

size_t sp_cli_mcp_pipes_read(struct sp_cli_mcp_pipes *pipes, void *room, size_t size)
{
    ssize_t got = -1;
    do {
        got = read(pipes->in, room, size);
    } while (got < 0 && errno == EINTR);
    if (got <= 0) {
        sp_cli_mcp_pipes_end_in(pipes);
    }
    return got > 0 ? (size_t)got : 0;
}

// A pipe that can be written to takes this much without a wait.
static ssize_t write_some(int fd, struct sp_slice bytes)
{
    const ssize_t sent = send(fd, bytes.data, bytes.size, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent >= 0 || errno != ENOTSOCK) {
        return sent;
    }
    return write(fd, bytes.data, bytes.size < PIPE_BUF ? bytes.size : PIPE_BUF);
}

static bool await_room(const struct sp_cli_mcp_pipes *pipes)
{
    struct pollfd fds[] = {{.fd = pipes->out, .events = POLLOUT},
                           {.fd = pipes->stop, .events = POLLIN}};
    const int count = poll(fds, 2, -1);
    return (count > 0 && fds[1].revents == 0) || (count < 0 && errno == EINTR);
}

bool sp_cli_mcp_pipes_write(struct sp_cli_mcp_pipes *pipes, struct sp_slice bytes)
{
    bool good = pipes->out >= 0;
    while (good && bytes.size > 0) {
        good = await_room(pipes);
        const ssize_t done = good ? write_some(pipes->out, bytes) : 0;
        good = good && (done >= 0 || errno == EAGAIN || errno == EINTR);
        bytes.data += done > 0 ? done : 0;
        bytes.size -= done > 0 ? (size_t)done : 0;
    }
    if (!good) {
        close_one(&pipes->out);
    }
    return good;
}
