// SPDX-License-Identifier: MIT
// One completion queue: who waits for it, and what is run when it is drained. What is
// to be reported lies in the pools, in a lane for each queue (pool/lane.h).
#ifndef PIT_QUEUE_H
#define PIT_QUEUE_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "ipc/wait.h"

#define SP_QUEUE_MAGIC 0x65756575u

struct snakepit_queue {
    uint32_t magic;
    uint32_t process;      // sp_fork_here(): whose it is
    snakepit *pit;         // constant; not to be touched once it is closed
    uint32_t number;       // of its lanes; constant
    _Atomic uint32_t refs; // the program's, and the pit's until it is closed
    int epoll;             // the doorbells and `wake`; constant
    int wake;              // eventfd: there is news that no worker rings for; constant
    _Atomic bool asleep;   // somebody waits for the epoll
    _Atomic bool hears;    // the doorbells; written with sp_queues.lock held
    _Atomic bool stop;     // nobody is to wait any more
    pthread_mutex_t turn;  // of whoever drains; held while it waits and runs callbacks

    // Guarded by turn.
    bool closed; // there is no pit any more, and no news
    struct sp_patience patience;
    uint32_t idle_rings; // in a row, for nobody
    uint32_t vain_rings; // in a row, for nobody or for another queue
    uint64_t heard;      // sp_pool_news.heard at the last look
    uint64_t lingered;   // ticks, since when it was waited for in vain; 0: it was not
};

// The pit is one of this process. SYSTEM. The first reference is the caller's.
snakepit_err
sp_queue_init(struct snakepit_queue *queue, snakepit *pit, snakepit_message *why);
// Also of one that was only zeroed, with -1 as its descriptors.
void sp_queue_fini(struct snakepit_queue *queue);

// Whether it is one of that pit, which is not closed.
bool sp_queue_is_of(const struct snakepit_queue *queue, const snakepit *pit);

// Wakes whoever waits for it. Any thread.
void sp_queue_wake(struct snakepit_queue *queue);
// The same, whether somebody waits or not.
void sp_queue_ring(struct snakepit_queue *queue);
// Whether anything is to be reported to it, now or later. Any thread.
bool sp_queue_is_used(const struct snakepit_queue *queue);

// snakepit_queue_drain().
size_t sp_queue_drain(struct snakepit_queue *queue, uint32_t timeout_ms);
// The same for who has just submitted something and waits elsewhere if nothing has
// ended soon: spins, where that has paid off lately, and for some microseconds at most.
size_t sp_queue_linger(struct snakepit_queue *queue);
// For the calling thread: hands questions to another one instead of serving them in its
// drains; how many it served nevertheless.
typedef size_t sp_queue_hand_on_fn(snakepit *pit);
void sp_queue_hand_on(sp_queue_hand_on_fn *hand_on);
// Serves questions now; how many.
size_t sp_queue_serve(struct snakepit_queue *queue);
// The pit closes, and its calls have ended: reports what is left, and nothing any more.
void sp_queue_close(struct snakepit_queue *queue);

#endif
