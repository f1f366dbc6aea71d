// SPDX-License-Identifier: MIT
// The thread that speaks for the worker. It never touches the interpreter, so a busy or
// stuck tool cannot keep it from answering; and it holds the lifeline, so the host
// knows the moment the process ends.
#include "state.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/system.h"
#include "cancel.h"
#include "crash.h"
#include "descriptors.h"
#include "ending.h"
#include "ipc/lifeline.h"
#include "leaving.h"

// ---- The channel --------------------------------------------------------------

#define HOST_DIES_MS 50 // between its last descriptor and the end of the process

// Whether the host lives. It closes its end of the channel a moment before it is gone.
static bool host_lives(const struct sp_runtime *runtime)
{
    struct pollfd host = {.fd = (int)syscall(SYS_pidfd_open, runtime->host, 0),
                          .events = POLLIN};
    bool lives =
        host.fd >= 0 && poll(&host, 1, HOST_DIES_MS) == 0 && getppid() == runtime->host;
    if (host.fd >= 0) {
        close(host.fd);
    }
    return lives;
}

_Noreturn void sp_service_lost_channel(struct sp_runtime *runtime)
{
    if (host_lives(runtime)) {
        sp_descriptors_tell_shutdown(runtime);
    }
    sp_ending_end();
}

_Noreturn void sp_service_lost_descriptors(struct sp_runtime *runtime)
{
    sp_descriptors_tell(runtime);
    sp_ending_end();
}

void sp_service_check_descriptors(struct sp_runtime *runtime)
{
    if (!sp_descriptors_are_ours(runtime)) {
        sp_service_lost_descriptors(runtime);
    }
}

// ---- Orders -------------------------------------------------------------------

static void obey(struct sp_runtime *runtime,
                 const struct sp_message_head *head,
                 const uint8_t *body,
                 const struct sp_packet_fds *fds)
{
    switch (head->type) {
    case SP_MESSAGE_PING:
        (void)sp_channel_send(runtime->channel, SP_MESSAGE_PONG, body, head->size);
        sp_leaving_tell(runtime);
        sp_runtime_tidy(runtime);
        break;
    case SP_MESSAGE_CANCEL:
        sp_cancel_queue(runtime, body, head->size);
        break;
    case SP_MESSAGE_STOP:
        sp_leaving_begin(runtime);
        break;
    case SP_MESSAGE_WHERE:
        sp_crash_tell_where(runtime);
        break;
    case SP_MESSAGE_MAP:
        sp_windows_map(runtime, body, head->size, fds);
        break;
    case SP_MESSAGE_UNMAP:
        sp_windows_unmap(runtime, body, head->size);
        break;
    default: // from a newer host; it does not wait for an answer
        break;
    }
}

struct service_start {
    struct sp_runtime *runtime;
    pthread_mutex_t lock;
    pthread_cond_t said;
    int outcome; // -1: not yet, else 0 or an errno
};

static int say_hello(struct sp_runtime *runtime)
{
    int rc = sp_lifeline_hold(&runtime->view.header->lifeline);
    if (rc != 0) {
        return rc;
    }
    struct sp_hello hello = {
        .version = SP_LAYOUT_VERSION, .pid = getpid(), .tid = (int32_t)gettid()};
    return sp_channel_send(runtime->channel, SP_MESSAGE_HELLO, &hello, sizeof hello) ==
                   SNAKEPIT_OK
               ? 0
               : ECONNRESET;
}

// Waits for a message. User code may block the signal of the host's death, the kernel
// takes it away at setuid(), and a process that the host has forked may hold the other
// end of the channel; so the host itself is watched as well.
static void wait_for_word(const struct sp_runtime *runtime, struct pollfd *host)
{
    struct pollfd entries[] = {{.fd = runtime->channel, .events = POLLIN}, *host};
    if (poll(entries, 2, -1) > 0 && entries[1].revents != 0) {
        if (getppid() != runtime->host) {
            sp_ending_end();
        }
        host->fd = -1; // user code has closed it, or it is another's by now
    }
}

static void *service_loop(void *argument)
{
    struct service_start *begun = argument;
    struct sp_runtime *runtime = begun->runtime;
    runtime->host = getppid();
    runtime->service_tid = gettid();
    static uint8_t room[SP_MESSAGE_MAX];
    int rc = say_hello(runtime);
    pthread_mutex_lock(&begun->lock);
    begun->outcome = rc;
    pthread_cond_signal(&begun->said);
    pthread_mutex_unlock(&begun->lock);
    // From here on `begun` is gone.
    struct pollfd host = {.fd = (int)syscall(SYS_pidfd_open, runtime->host, 0),
                          .events = POLLIN};
    while (rc == 0) {
        wait_for_word(runtime, &host);
        sp_service_check_descriptors(runtime);
        struct sp_message_head head;
        struct sp_packet_fds fds;
        const uint8_t *body;
        snakepit_err err =
            sp_channel_receive_with(runtime->channel, room, &head, &body, NULL, &fds);
        if (err == SNAKEPIT_OK) {
            obey(runtime, &head, body, &fds);
            sp_packet_fds_close(&fds);
        } else if (err == SNAKEPIT_END) {
            sp_service_lost_channel(runtime);
        }
    }
    return NULL;
}

// Signals are for Python's main thread.
static int create_without_signals(pthread_t *thread, void *argument)
{
    sigset_t all;
    sigset_t before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(thread, NULL, service_loop, argument);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return rc;
}

snakepit_err sp_service_start(struct sp_runtime *runtime, snakepit_message *why)
{
    struct service_start begun = {.runtime = runtime, .outcome = -1};
    pthread_mutex_init(&begun.lock, NULL);
    pthread_cond_init(&begun.said, NULL);
    int rc = create_without_signals(&runtime->service, &begun);
    pthread_mutex_lock(&begun.lock);
    while (rc == 0 && begun.outcome < 0) {
        pthread_cond_wait(&begun.said, &begun.lock);
    }
    pthread_mutex_unlock(&begun.lock);
    pthread_cond_destroy(&begun.said);
    pthread_mutex_destroy(&begun.lock);
    if (rc != 0) {
        errno = rc;
        return sp_system_failed(
            why, "pthread_create", NULL, "of the thread that hears the host");
    }
    if (begun.outcome != 0) {
        errno = begun.outcome;
        return sp_system_failed(why, "send", NULL, "of the first word to the host");
    }
    return SNAKEPIT_OK;
}
