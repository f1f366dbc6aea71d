// SPDX-License-Identifier: MIT
// Which queues hear the workers' doorbells. A bell wakes all that hear it, whosever
// news it rings for; so a queue that nothing reports to leaves them when they have
// woken it in vain, and whoever gives it something to report has it hear them again.
#include <sys/epoll.h>

#include "base/check.h"
#include "base/memory.h"
#include "pit/pit.h"

static void hear(const struct snakepit_queue *queue, int fd, bool joins)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    // Without the event the tick still finds what has ended, ten milliseconds later.
    (void)epoll_ctl(queue->epoll, joins ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
}

// Lock held.
static void
hear_all(const struct sp_queues *queues, const struct snakepit_queue *queue, bool joins)
{
    for (size_t i = 0; i < queues->bell_count; i++) {
        hear(queue, queues->bells[i], joins);
    }
}

// For those that hear the bells later. Without memory the tick finds what they do not.
static void note_bell(struct sp_queues *queues, int fd)
{
    if (queues->bell_count == queues->bell_room) {
        size_t room = queues->bell_room == 0 ? 16 : 2 * queues->bell_room;
        int *bells = sp_realloc(queues->bells, room * sizeof *bells);
        if (bells == NULL) {
            return;
        }
        queues->bells = bells;
        queues->bell_room = room;
    }
    queues->bells[queues->bell_count++] = fd;
}

static void forget_bell(struct sp_queues *queues, int fd)
{
    for (size_t i = 0; i < queues->bell_count; i++) {
        if (queues->bells[i] == fd) {
            queues->bells[i] = queues->bells[--queues->bell_count];
            return;
        }
    }
}

void sp_bells_change(void *user, int fd, bool joins)
{
    struct sp_queues *queues = &((snakepit *)user)->queues;
    pthread_mutex_lock(&queues->lock);
    if (joins) {
        note_bell(queues, fd);
    } else {
        forget_bell(queues, fd);
    }
    for (uint32_t i = 0; i < SP_QUEUES_MOST; i++) {
        const struct snakepit_queue *queue = atomic_load(&queues->of[i]);
        if (queue != NULL && atomic_load(&queue->hears)) {
            hear(queue, fd, joins);
        }
    }
    pthread_mutex_unlock(&queues->lock);
}

void sp_bells_ignore(const struct snakepit_queue *queue, int fd)
{
    hear(queue, fd, false);
}

bool sp_queue_is_used(const struct snakepit_queue *queue)
{
    const snakepit *pit = queue->pit;
    for (size_t i = 0; i < pit->count; i++) {
        if (sp_pool_queue_is_used(pit->pools[i]->pool, queue->number)) {
            return true;
        }
    }
    return false;
}

void sp_bells_leave(struct snakepit_queue *queue)
{
    struct sp_queues *queues = &queue->pit->queues;
    pthread_mutex_lock(&queues->lock);
    // Said before the look at what reports here: who comes after that look, under a
    // pool's lock, sees that nobody hears.
    if (atomic_exchange(&queue->hears, false)) {
        if (sp_queue_is_used(queue)) {
            atomic_store(&queue->hears, true);
        } else {
            hear_all(queues, queue, false);
        }
    }
    pthread_mutex_unlock(&queues->lock);
}

void sp_bells_join(struct snakepit_queue *queue)
{
    struct sp_queues *queues = &queue->pit->queues;
    pthread_mutex_lock(&queues->lock);
    if (!atomic_exchange(&queue->hears, true)) {
        // Bells are never read, so one that has rung before rings now.
        hear_all(queues, queue, true);
    }
    pthread_mutex_unlock(&queues->lock);
}
