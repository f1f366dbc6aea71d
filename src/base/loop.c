// SPDX-License-Identifier: MIT
// A callback may stop a watch and free its memory while an event of it is still to be
// told: so each watch knows its place among those, and leaves none when it is stopped.
// The kernel hands events out in turns, so nobody waits for ever.
#include "base/loop.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/fork.h"
#include "base/system.h"

static bool goes_on(const struct sp_loop *loop)
{
    return !loop->stop && sp_fork_is_here(loop->process);
}

// ---- Timers -------------------------------------------------------------------

// Mostly near the end of the list: the later it is started, the later it is due.
static void insert(struct sp_loop *loop, struct sp_timer *timer)
{
    struct sp_link *before = loop->timers.previous;
    while (before != &loop->timers &&
           SP_ENTRY(before, struct sp_timer, link)->due > timer->due) {
        before = before->previous;
    }
    sp_list_prepend(before, &timer->link);
}

void sp_timer_start(struct sp_loop *loop,
                    struct sp_timer *timer,
                    sp_timer_fn *fire,
                    uint64_t first_ms,
                    uint64_t again_ms)
{
    sp_timer_stop(timer);
    timer->fire = fire;
    timer->due = sp_clock_now() + first_ms * SP_NS_PER_MS;
    timer->again = again_ms * SP_NS_PER_MS;
    insert(loop, timer);
}

void sp_timer_stop(struct sp_timer *timer)
{
    if (sp_link_used(&timer->link)) {
        sp_list_remove(&timer->link);
    }
}

bool sp_timer_runs(const struct sp_timer *timer)
{
    return sp_link_used(&timer->link);
}

// Those that were due when it began, so that one which is due at once again does not
// keep the descriptors waiting.
static void fire_due(struct sp_loop *loop)
{
    uint64_t now = sp_clock_now();
    while (goes_on(loop) && !sp_list_empty(&loop->timers)) {
        struct sp_timer *timer = SP_ENTRY(loop->timers.next, struct sp_timer, link);
        if (timer->due >= now) {
            break;
        }
        sp_list_remove(&timer->link);
        if (timer->again > 0) {
            timer->due = now + timer->again;
            insert(loop, timer);
        }
        timer->fire(timer);
    }
}

// Milliseconds until the first timer is due, rounded up; -1: there is none.
static int patience(const struct sp_loop *loop)
{
    if (sp_list_empty(&loop->timers)) {
        return -1;
    }
    uint64_t due = SP_ENTRY(loop->timers.next, struct sp_timer, link)->due;
    uint64_t now = sp_clock_now();
    uint64_t ms = due < now ? 0 : (due - now) / SP_NS_PER_MS + 1;
    return ms > INT32_MAX ? INT32_MAX : (int)ms;
}

// ---- Tasks --------------------------------------------------------------------

void sp_loop_later(struct sp_loop *loop, struct sp_task *task, sp_task_fn *run)
{
    task->run = run;
    sp_list_append(&loop->tasks, &task->link);
}

bool sp_task_waits(const struct sp_task *task)
{
    return sp_link_used(&task->link);
}

void sp_task_cancel(struct sp_task *task)
{
    if (sp_task_waits(task)) {
        sp_list_remove(&task->link);
    }
}

static void run_tasks(struct sp_loop *loop)
{
    struct sp_link *link;
    while (sp_fork_is_here(loop->process) &&
           (link = sp_list_take(&loop->tasks)) != NULL) {
        struct sp_task *task = SP_ENTRY(link, struct sp_task, link);
        task->run(task);
    }
}

// ---- Descriptors --------------------------------------------------------------

static uint32_t to_kernel(unsigned wanted)
{
    return ((wanted & SP_WATCH_READ) != 0 ? EPOLLIN : 0U) |
           ((wanted & SP_WATCH_WRITE) != 0 ? EPOLLOUT : 0U) |
           ((wanted & SP_WATCH_HANGUP) != 0 ? EPOLLRDHUP : 0U) |
           ((wanted & SP_WATCH_EDGE) != 0 ? EPOLLET : 0U) |
           ((wanted & SP_WATCH_SHARED) != 0 ? EPOLLEXCLUSIVE : 0U);
}

static unsigned from_kernel(uint32_t events)
{
    return ((events & EPOLLIN) != 0 ? SP_WATCH_READ : 0U) |
           ((events & EPOLLOUT) != 0 ? SP_WATCH_WRITE : 0U) |
           ((events & EPOLLRDHUP) != 0 ? SP_WATCH_HANGUP : 0U) |
           ((events & (EPOLLERR | EPOLLHUP)) != 0 ? SP_WATCH_BROKEN : 0U);
}

snakepit_err sp_watch_start_for(struct sp_watch *watch,
                                struct sp_loop *loop,
                                int fd,
                                unsigned wanted,
                                snakepit_message *why)
{
    struct epoll_event event = {.events = to_kernel(wanted), .data.ptr = watch};
    if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, fd, &event) != 0) {
        return sp_system_failed(why, "epoll_ctl", NULL, "of descriptor %d", fd);
    }
    watch->loop = loop;
    watch->fd = fd;
    watch->wanted = wanted;
    watch->happened = 0;
    watch->place = 0;
    return SNAKEPIT_OK;
}

snakepit_err sp_watch_start(struct sp_watch *watch,
                            struct sp_loop *loop,
                            int fd,
                            sp_watch_fn *ready,
                            snakepit_message *why)
{
    watch->ready = ready;
    return sp_watch_start_for(watch, loop, fd, SP_WATCH_READ, why);
}

void sp_watch_want(struct sp_watch *watch, unsigned wanted)
{
    if (watch->loop != NULL && watch->wanted != wanted) {
        struct epoll_event event = {.events = to_kernel(wanted), .data.ptr = watch};
        int rc = epoll_ctl(watch->loop->epoll, EPOLL_CTL_MOD, watch->fd, &event);
        SP_CHECK(rc == 0); // of what is watched already it needs no memory
        watch->wanted = wanted;
    }
}

void sp_watch_stop(struct sp_watch *watch)
{
    if (watch->loop != NULL) {
        (void)epoll_ctl(watch->loop->epoll, EPOLL_CTL_DEL, watch->fd, NULL);
        if (watch->place > 0) {
            watch->loop->batch[watch->place - 1].watch = NULL;
            watch->place = 0;
        }
        watch->loop = NULL;
    }
}

// By now the numbers may be those of others, to whom we would write.
static _Noreturn void descriptors_are_closed(void)
{
    (void)dprintf(STDERR_FILENO,
                  "snakepit: the program has closed descriptors of an open pit (by "
                  "closefrom(), close_range() or a loop); close the pit before\n");
    abort();
}

static unsigned wait_for_some(struct sp_loop *loop)
{
    struct epoll_event events[SP_LOOP_BATCH];
    int count = epoll_wait(loop->epoll, events, (int)SP_LOOP_BATCH, patience(loop));
    if (count < 0 && (errno == EBADF || errno == EINVAL)) {
        descriptors_are_closed();
    }
    SP_CHECK(count >= 0 || errno == EINTR);
    for (int i = 0; i < count; i++) {
        struct sp_watch *watch = events[i].data.ptr;
        watch->place = (unsigned)i + 1;
        loop->batch[i] = (struct sp_loop_event){watch, from_kernel(events[i].events)};
    }
    return count < 0 ? 0 : (unsigned)count;
}

// A loop that is stopped tells nothing more: what is left lasts, or is nobody's.
static void tell(struct sp_loop *loop, unsigned count)
{
    for (unsigned i = 0; i < count && sp_fork_is_here(loop->process); i++) {
        struct sp_watch *watch = loop->batch[i].watch;
        if (watch != NULL) {
            watch->place = 0;
        }
        if (watch != NULL && !loop->stop) {
            watch->happened = loop->batch[i].happened;
            watch->ready(watch);
            run_tasks(loop);
        }
    }
}

// ---- Waking -------------------------------------------------------------------

static void on_bell(struct sp_watch *watch)
{
    struct sp_loop *loop = watch->user;
    uint64_t count;
    ssize_t got = read(loop->bell, &count, sizeof count);
    (void)got;
    loop->woken(loop->user);
}

void sp_loop_wake(struct sp_loop *loop)
{
    uint64_t one = 1;
    int reason = errno;
    // A full counter wakes as well.
    ssize_t written = write(loop->bell, &one, sizeof one);
    (void)written;
    errno = reason;
}

bool sp_loop_is_called(const struct sp_loop *loop)
{
    struct pollfd events = {.fd = loop->epoll, .events = POLLIN};
    return poll(&events, 1, 0) > 0;
}

void sp_loop_before_waits(struct sp_loop *loop, sp_before_fn *before)
{
    loop->before = before;
}

// ---- Life ---------------------------------------------------------------------

// Where a filter refuses that, it is better said now than found later.
static snakepit_err try_to_wait(const struct sp_loop *loop, snakepit_message *why)
{
    struct epoll_event event;
    return epoll_wait(loop->epoll, &event, 1, 0) >= 0 || errno == EINTR
               ? SNAKEPIT_OK
               : sp_system_failed(why, "epoll_wait", NULL, "for the event loop");
}

static snakepit_err open_descriptors(struct sp_loop *loop, snakepit_message *why)
{
    loop->epoll = sp_descriptor_keep(epoll_create1(EPOLL_CLOEXEC));
    if (loop->epoll < 0) {
        return sp_system_failed(why, "epoll_create1", NULL, "for the event loop");
    }
    loop->bell = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (loop->bell < 0) {
        return sp_system_failed(why, "eventfd", NULL, "for the event loop");
    }
    snakepit_err err =
        sp_watch_start(&loop->bell_watch, loop, loop->bell, on_bell, why);
    return err == SNAKEPIT_OK ? try_to_wait(loop, why) : err;
}

snakepit_err sp_loop_init(struct sp_loop *loop,
                          sp_woken_fn *woken,
                          void *user,
                          snakepit_message *why)
{
    *loop = (struct sp_loop){.epoll = -1,
                             .bell = -1,
                             .woken = woken,
                             .user = user,
                             .process = sp_fork_here()};
    sp_list_init(&loop->timers);
    sp_list_init(&loop->tasks);
    loop->bell_watch.user = loop;
    snakepit_err err = open_descriptors(loop, why);
    if (err != SNAKEPIT_OK) {
        sp_loop_fini(loop);
    }
    return err;
}

void sp_loop_fini(struct sp_loop *loop)
{
    // One that was never made has no list either.
    if (loop->timers.next != NULL) {
        sp_descriptor_close(&loop->bell);
        sp_descriptor_close(&loop->epoll);
        loop->timers.next = NULL;
    }
}

void sp_loop_run(struct sp_loop *loop)
{
    while (goes_on(loop)) {
        fire_due(loop);
        run_tasks(loop);
        if (loop->before != NULL && goes_on(loop)) {
            loop->before(loop->user);
            run_tasks(loop);
        }
        if (goes_on(loop)) {
            tell(loop, wait_for_some(loop));
        }
    }
}

void sp_loop_stop(struct sp_loop *loop)
{
    loop->stop = true;
}
