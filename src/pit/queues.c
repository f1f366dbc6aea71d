// SPDX-License-Identifier: MIT
// All queues of a pit, and the public functions of those that a program makes. The one
// thing to know: whoever holds a queue's turn and finds it not closed has the pit,
// which takes that turn before it goes.
#include "base/check.h"
#include "base/memory.h"
#include "base/thread.h"
#include "pit/pit.h"
#include "pit/refuse.h"

void sp_queues_init(struct sp_queues *queues)
{
    SP_CHECK(pthread_mutex_init(&queues->lock, NULL) == 0);
    queues->standard.epoll = -1;
    queues->standard.wake = -1;
}

snakepit_err sp_queues_open(snakepit *pit, snakepit_message *why)
{
    struct sp_queues *queues = &pit->queues;
    snakepit_err err = sp_queue_init(&queues->standard, pit, why);
    atomic_store(&queues->of[SP_QUEUE_DEFAULT], &queues->standard);
    return err;
}

void sp_queues_fini(struct sp_queues *queues)
{
    sp_queue_fini(&queues->standard);
    pthread_mutex_destroy(&queues->lock);
    sp_free(queues->bells);
}

void sp_queues_wake(void *user, uint32_t number)
{
    snakepit *pit = user;
    // It is there as long as calls report to it.
    sp_queue_wake(atomic_load(&pit->queues.of[number]));
}

// ---- Making -------------------------------------------------------------------

static void unref(struct snakepit_queue *queue)
{
    if (atomic_fetch_sub_explicit(&queue->refs, 1, memory_order_acq_rel) == 1) {
        sp_queue_fini(queue);
        sp_free(queue);
    }
}

// The first number that is free, or the default's. Lock held.
static uint32_t find_number(struct sp_queues *queues)
{
    uint32_t number = 1;
    while (number < SP_QUEUES_MOST && atomic_load(&queues->of[number]) != NULL) {
        number++;
    }
    return number % SP_QUEUES_MOST;
}

static snakepit_err
join(struct sp_queues *queues, struct snakepit_queue *queue, snakepit_message *why)
{
    snakepit_err err = SNAKEPIT_OK;
    pthread_mutex_lock(&queues->lock);
    queue->number = find_number(queues);
    if (queues->closed) {
        err = sp_refuse(why,
                        SNAKEPIT_SHUTTING_DOWN,
                        "%s",
                        snakepit_err_text(SNAKEPIT_SHUTTING_DOWN));
    } else if (queue->number == SP_QUEUE_DEFAULT) {
        err =
            sp_refuse(why,
                      SNAKEPIT_SATURATED,
                      "the pit has %u queues already, and can have no more; free one, "
                      "or let several loops share one",
                      SP_QUEUES_MOST - 1);
    } else {
        queue->refs++;
        atomic_store(&queues->of[queue->number], queue);
    }
    pthread_mutex_unlock(&queues->lock);
    return err;
}

snakepit_err
snakepit_queue_new(snakepit *pit, snakepit_queue **queue, snakepit_message *why)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (queue == NULL) {
        return sp_refuse(
            why,
            SNAKEPIT_INVALID_ARGUMENT,
            "there is nowhere to put the queue: `queue` is NULL; give its address");
    }
    struct snakepit_queue *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return sp_refuse(
            why, SNAKEPIT_NO_MEMORY, "%s", snakepit_err_text(SNAKEPIT_NO_MEMORY));
    }
    err = sp_queue_init(made, pit, why);
    err = err == SNAKEPIT_OK ? join(&pit->queues, made, why) : err;
    if (err != SNAKEPIT_OK) {
        unref(made);
        return err;
    }
    *queue = made;
    return SNAKEPIT_OK;
}

// ---- Leaving ------------------------------------------------------------------

// Takes it out of its pit, once.
static void part(struct sp_queues *queues, struct snakepit_queue *queue)
{
    pthread_mutex_lock(&queues->lock);
    struct snakepit_queue *there = atomic_load(&queues->of[queue->number]);
    if (there == queue) {
        atomic_store(&queues->of[queue->number], NULL);
    }
    pthread_mutex_unlock(&queues->lock);
    if (there == queue) {
        unref(queue);
    }
}

static struct snakepit_queue *ref_queue(struct sp_queues *queues, uint32_t number)
{
    pthread_mutex_lock(&queues->lock);
    struct snakepit_queue *queue = atomic_load(&queues->of[number]);
    if (queue != NULL) {
        queue->refs++;
    }
    pthread_mutex_unlock(&queues->lock);
    return queue;
}

void sp_queues_close(snakepit *pit)
{
    struct sp_queues *queues = &pit->queues;
    pthread_mutex_lock(&queues->lock);
    queues->closed = true;
    pthread_mutex_unlock(&queues->lock);
    sp_queue_close(&queues->standard);
    for (uint32_t number = 1; number < SP_QUEUES_MOST; number++) {
        struct snakepit_queue *queue = ref_queue(queues, number);
        if (queue != NULL) {
            sp_queue_close(queue);
            part(queues, queue);
            unref(queue);
        }
    }
}

// NULL: none, or, with `*err`, one of the parent's in a forked child.
static struct snakepit_queue *queue_of(snakepit_queue *queue, snakepit_err *err)
{
    *err = SNAKEPIT_INVALID_ARGUMENT;
    if (queue == NULL) {
        return NULL;
    }
    SP_CHECK(queue->magic == SP_QUEUE_MAGIC);
    *err = sp_fork_is_here(queue->process) ? SNAKEPIT_OK : SNAKEPIT_FORKED;
    return *err == SNAKEPIT_OK ? queue : NULL;
}

snakepit_err snakepit_queue_free(snakepit_queue *queue)
{
    SP_UNCANCELLED;
    snakepit_err err;
    struct snakepit_queue *found = queue_of(queue, &err);
    if (found == NULL) {
        sp_free(queue); // its descriptors are gone since the fork
        return SNAKEPIT_OK;
    }
    if (pthread_mutex_trylock(&found->turn) != 0) {
        return SNAKEPIT_BUSY;
    }
    bool used = !found->closed && sp_queue_is_used(found);
    if (!used && !found->closed) {
        part(&found->pit->queues, found);
        found->closed = true;
    }
    pthread_mutex_unlock(&found->turn);
    if (used) {
        return SNAKEPIT_BUSY;
    }
    unref(found);
    return SNAKEPIT_OK;
}

// ---- Using --------------------------------------------------------------------

snakepit_err snakepit_queue_fd(snakepit_queue *queue, int *fd)
{
    SP_UNCANCELLED;
    snakepit_err err;
    struct snakepit_queue *found = queue_of(queue, &err);
    if (found == NULL || fd == NULL) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    *fd = found->epoll;
    // Calls that have ended already are news to the one who polls.
    sp_queue_ring(found);
    return SNAKEPIT_OK;
}

size_t snakepit_queue_drain(snakepit_queue *queue, uint32_t timeout_ms)
{
    SP_UNCANCELLED;
    snakepit_err err;
    struct snakepit_queue *found = queue_of(queue, &err);
    return found == NULL ? 0 : sp_queue_drain(found, timeout_ms);
}
