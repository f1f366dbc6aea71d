// SPDX-License-Identifier: MIT
// The default queue, which a thread of the library drains until the program does. That
// thread hands the questions of tools on to a second one, for a tool of the host may
// take long, and other calls have deadlines. A program that drains runs both.
#include <errno.h>

#include "base/check.h"
#include "base/system.h"
#include "base/thread.h"
#include "pit/pit.h"
#include "pit/refuse.h"

#define FOREVER_MS UINT32_MAX

void sp_drain_init(struct sp_drain *drain)
{
    SP_CHECK(pthread_mutex_init(&drain->lock, NULL) == 0);
    SP_CHECK(pthread_cond_init(&drain->news, NULL) == 0);
}

void sp_drain_fini(struct sp_drain *drain)
{
    pthread_cond_destroy(&drain->news);
    pthread_mutex_destroy(&drain->lock);
}

// ---- Questions ----------------------------------------------------------------

static void *answer_loop(void *argument)
{
    SP_UNCANCELLED;
    snakepit *pit = argument;
    struct sp_drain *drain = &pit->drain;
    pthread_mutex_lock(&drain->lock);
    while (!drain->stop) {
        if (!drain->asked) {
            pthread_cond_wait(&drain->news, &drain->lock);
            continue;
        }
        drain->asked = false;
        pthread_mutex_unlock(&drain->lock);
        (void)sp_queue_serve(&pit->queues.standard);
        sp_fork_leave(pit->process);
        pthread_mutex_lock(&drain->lock);
    }
    pthread_mutex_unlock(&drain->lock);
    return NULL;
}

static size_t hand_on_questions(snakepit *pit)
{
    struct sp_drain *drain = &pit->drain;
    pthread_mutex_lock(&drain->lock);
    if (!drain->answering && !drain->stop) {
        drain->answering = sp_thread_start(&drain->answerer, answer_loop, pit) == 0;
    }
    bool answering = drain->answering;
    drain->asked = answering;
    pthread_cond_signal(&drain->news);
    pthread_mutex_unlock(&drain->lock);
    return answering ? 0 : sp_queue_serve(&pit->queues.standard);
}

static bool told_to_stop(struct sp_drain *drain)
{
    pthread_mutex_lock(&drain->lock);
    bool stop = drain->stop;
    pthread_mutex_unlock(&drain->lock);
    return stop;
}

// ---- The library's own thread -------------------------------------------------

static void *drain_loop(void *argument)
{
    SP_UNCANCELLED;
    snakepit *pit = argument;
    sp_queue_hand_on(hand_on_questions);
    while (!told_to_stop(&pit->drain)) {
        (void)sp_queue_drain(&pit->queues.standard, FOREVER_MS);
        sp_fork_leave(pit->process);
    }
    return NULL;
}

snakepit_err sp_drain_ensure(snakepit *pit, snakepit_message *why)
{
    struct sp_drain *drain = &pit->drain;
    snakepit_err err = SNAKEPIT_OK;
    pthread_mutex_lock(&drain->lock);
    if (drain->closing) {
        err = SNAKEPIT_SHUTTING_DOWN;
    } else if (!drain->owned && !drain->running) {
        drain->stop = false;
        errno = sp_thread_start(&drain->thread, drain_loop, pit);
        drain->running = errno == 0;
        err = drain->running
                  ? SNAKEPIT_OK
                  : sp_system_failed(why,
                                     "pthread_create",
                                     NULL,
                                     "of the thread that runs callbacks (call "
                                     "snakepit_drain() before to do without it)");
    }
    pthread_mutex_unlock(&drain->lock);
    return err;
}

static void stop_threads(snakepit *pit)
{
    struct sp_drain *drain = &pit->drain;
    struct snakepit_queue *queue = &pit->queues.standard;
    pthread_mutex_lock(&drain->lock);
    bool running = drain->running;
    bool answering = drain->answering;
    drain->running = false;
    drain->answering = false;
    drain->stop = true;
    atomic_store(&queue->stop, true);
    pthread_cond_signal(&drain->news);
    pthread_mutex_unlock(&drain->lock);
    if (running) {
        sp_queue_ring(queue);
        SP_CHECK(pthread_join(drain->thread, NULL) == 0);
    }
    if (answering) {
        SP_CHECK(pthread_join(drain->answerer, NULL) == 0);
    }
    pthread_mutex_lock(&drain->lock);
    drain->stop = false;
    atomic_store(&queue->stop, false);
    pthread_mutex_unlock(&drain->lock);
}

void sp_drain_finish(snakepit *pit)
{
    pthread_mutex_lock(&pit->drain.lock);
    pit->drain.closing = true;
    pthread_mutex_unlock(&pit->drain.lock);
    stop_threads(pit);
}

// From here on the program runs the callbacks. False: this is a thread of the library,
// which cannot wait for itself.
static bool take_over(snakepit *pit)
{
    struct sp_drain *drain = &pit->drain;
    pthread_t self = pthread_self();
    pthread_mutex_lock(&drain->lock);
    bool from_callback = (drain->running && pthread_equal(drain->thread, self)) ||
                         (drain->answering && pthread_equal(drain->answerer, self));
    bool running = drain->running;
    drain->owned |= !from_callback;
    pthread_mutex_unlock(&drain->lock);
    if (running && !from_callback) {
        stop_threads(pit);
    }
    return !from_callback;
}

size_t snakepit_drain(snakepit *pit, uint32_t timeout_ms)
{
    SP_UNCANCELLED;
    if (sp_refuse_no_pit(pit, NULL) != SNAKEPIT_OK) {
        return 0;
    }
    return take_over(pit) ? sp_queue_drain(&pit->queues.standard, timeout_ms) : 0;
}

snakepit_err snakepit_completion_fd(snakepit *pit, int *fd)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK || fd == NULL || !take_over(pit)) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    return snakepit_queue_fd(&pit->queues.standard, fd);
}
