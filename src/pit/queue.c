// SPDX-License-Identifier: MIT
// Bells are heard by their edges and never read: a worker shares the description of its
// own and could make a read block. Whoever drains looks at the completion rings, spins
// a little while that has paid off, and only then asks the workers to ring and sleeps.
//
// Whoever looks takes over what the rings say for all queues. None misses its news by
// that: a worker rings after it has put them there if their queue sleeps, and a queue
// that is about to sleep looks once more after it has said so.
#include "pit/queue.h"

#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/callback.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/system.h"
#include "ipc/spin.h"
#include "pit/pit.h"
#include "pool/question.h"
#include "pool/stream.h"
#include "telemetry/notice.h"

#define EVENTS_A_TURN 32
#define FOREVER_MS    UINT32_MAX
#define NO_DOORBELL   (-1)
#define RINGS_MOST    10000u // in a row, for nothing
#define VAIN_MOST     16u    // in a row, of a queue that has nothing to wait for
#define LINGER_US     10u    // others wait meanwhile for who lingers

static _Thread_local sp_queue_hand_on_fn *hands_on;

snakepit_err
sp_queue_init(struct snakepit_queue *queue, snakepit *pit, snakepit_message *why)
{
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = NO_DOORBELL};
    queue->magic = SP_QUEUE_MAGIC;
    queue->process = pit->process;
    queue->pit = pit;
    queue->refs = 1;
    queue->wake = -1;
    SP_CHECK(pthread_mutex_init(&queue->turn, NULL) == 0);
    queue->epoll = sp_descriptor_keep(epoll_create1(EPOLL_CLOEXEC));
    if (queue->epoll < 0) {
        return sp_system_failed(why, "epoll_create1", NULL, "for callbacks");
    }
    queue->wake = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (queue->wake < 0) {
        return sp_system_failed(why, "eventfd", NULL, "for callbacks");
    }
    if (epoll_ctl(queue->epoll, EPOLL_CTL_ADD, queue->wake, &event) != 0) {
        return sp_system_failed(why, "epoll_ctl", NULL, "for callbacks");
    }
    return SNAKEPIT_OK;
}

void sp_queue_fini(struct snakepit_queue *queue)
{
    sp_descriptor_close(&queue->epoll);
    sp_descriptor_close(&queue->wake);
    if (queue->magic == SP_QUEUE_MAGIC) {
        pthread_mutex_destroy(&queue->turn);
        queue->magic = 0;
    }
}

bool sp_queue_is_of(const struct snakepit_queue *queue, const snakepit *pit)
{
    SP_CHECK(queue->magic == SP_QUEUE_MAGIC);
    return queue->pit == pit && !atomic_load(&queue->stop);
}

void sp_queue_ring(struct snakepit_queue *queue)
{
    uint64_t one = 1;
    // A full counter wakes as well.
    ssize_t written = write(queue->wake, &one, sizeof one);
    (void)written;
}

void sp_queue_wake(struct snakepit_queue *queue)
{
    if (atomic_exchange(&queue->asleep, false)) {
        sp_queue_ring(queue);
    }
}

// ---- Reporting ----------------------------------------------------------------

// A child that a callback has forked, and that returns from it, does nothing more.
static bool is_here(const struct snakepit_queue *queue)
{
    return sp_fork_is_here(queue->process);
}

static size_t run_done(const struct snakepit_queue *queue, struct sp_link *ended)
{
    size_t count = 0;
    struct sp_link *link;
    while (is_here(queue) && (link = sp_list_take(ended)) != NULL) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, link);
        sp_call_open(call);
        SP_CALLBACK("the callback `done`");
        call->done(call->user, call->err, sp_call_answer(call));
        SP_CALLBACK_RETURNED;
        count++;
    }
    return count;
}

// At most so many: what a callback leaves unread may be back at once.
static size_t
run_ready(const struct snakepit_queue *queue, struct sp_pool *pool, size_t most)
{
    size_t count = 0;
    struct sp_stream *stream;
    while (count < most && is_here(queue) &&
           (stream = sp_stream_take_readable(pool, queue->number)) != NULL) {
        SP_CALLBACK("the callback `ready`");
        stream->ready(stream->ready_user, (snakepit_stream *)(void *)stream);
        SP_CALLBACK_RETURNED;
        count++;
    }
    return count;
}

static size_t run_all_ready(const struct snakepit_queue *queue, size_t most)
{
    const snakepit *pit = queue->pit;
    size_t count = 0;
    for (size_t i = 0; i < pit->count && count < most && is_here(queue); i++) {
        count += run_ready(queue, pit->pools[i]->pool, most - count);
    }
    return count;
}

void sp_queue_hand_on(sp_queue_hand_on_fn *hand_on)
{
    hands_on = hand_on;
}

size_t sp_queue_serve(struct snakepit_queue *queue)
{
    const snakepit *pit = queue->pit;
    size_t count = 0;
    for (size_t i = 0; i < pit->count && is_here(queue); i++) {
        count += sp_pool_serve_questions(pit->pools[i]->pool, queue->number);
    }
    return count;
}

// Whether anything was new: to this queue, or in the rings to any. Callbacks come
// first: a tool of the host may take long.
static bool run_news(struct snakepit_queue *queue, size_t *ran)
{
    const snakepit *pit = queue->pit;
    struct sp_pool_news news = {.readable = 0};
    sp_list_init(&news.ended);
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_collect(pit->pools[i]->pool, queue->number, &news);
    }
    bool heard = news.heard != queue->heard;
    queue->heard = news.heard;
    size_t count = run_done(queue, &news.ended);
    if (news.readable > 0) {
        count += run_all_ready(queue, news.readable);
    }
    if (news.asked && is_here(queue)) {
        count += hands_on != NULL ? hands_on(queue->pit) : sp_queue_serve(queue);
    }
    *ran = count;
    return count > 0 || heard || news.asked;
}

static size_t run(struct snakepit_queue *queue)
{
    size_t ran;
    (void)run_news(queue, &ran);
    return ran;
}

// ---- Waiting ------------------------------------------------------------------

// Asks to be woken. What ended before is found by the look that must follow.
static void arm(struct snakepit_queue *queue)
{
    const snakepit *pit = queue->pit;
    atomic_store(&queue->asleep, true);
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_ring_for(pit->pools[i]->pool, queue->number);
    }
}

static bool peer_is_elsewhere(const snakepit *pit)
{
    uint32_t here = (uint32_t)sched_getcpu();
    for (size_t i = 0; i < pit->count; i++) {
        uint32_t peer = sp_pool_peer_cpu(pit->pools[i]->pool);
        if (peer != here) {
            return true;
        }
    }
    return false;
}

static size_t spin(struct snakepit_queue *queue, uint64_t begun, uint64_t most)
{
    struct sp_patience *patience = &queue->patience;
    const uint64_t budget = patience->budget < most ? patience->budget : most;
    size_t count = 0;
    if (budget == 0 || !peer_is_elsewhere(queue->pit) || !sp_spin_begin()) {
        return 0;
    }
    while (count == 0 && sp_clock_ticks() - begun < budget) {
        sp_clock_relax();
        count = run(queue);
    }
    sp_spin_end();
    if (count > 0) {
        sp_patience_hit(patience, sp_clock_ticks() - begun);
    }
    return count;
}

// The bells that rang last, and those before them, rang for nothing. What such workers
// end is found by the tick.
static void
stop_hearing(struct snakepit_queue *queue, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd != NO_DOORBELL) {
            sp_bells_ignore(queue, events[i].data.fd);
            sp_log(&queue->pit->log,
                   worker_bell_ignored,
                   .fd = (uint64_t)events[i].data.fd,
                   .because = "it rings for nothing");
        }
    }
}

// Waits for bells, at most until the timeout, and runs what they rang for. False: none
// rang.
static bool hear_bells(struct snakepit_queue *queue, int timeout_ms, size_t *ran)
{
    struct epoll_event events[EVENTS_A_TURN];
    int rang = epoll_wait(queue->epoll, events, EVENTS_A_TURN, timeout_ms);
    if (timeout_ms == 0) {
        arm(queue);
    }
    bool some = run_news(queue, ran);
    queue->idle_rings = some || rang <= 0 ? 0 : queue->idle_rings + 1;
    queue->vain_rings = *ran > 0 || rang <= 0 ? 0 : queue->vain_rings + 1;
    if (queue->vain_rings >= VAIN_MOST && !sp_queue_is_used(queue)) {
        sp_bells_leave(queue);
        queue->vain_rings = 0;
    }
    if (queue->idle_rings >= RINGS_MOST) {
        stop_hearing(queue, events, rang);
        queue->idle_rings = 0;
    }
    return rang != 0;
}

static int ms_until(uint64_t deadline)
{
    uint64_t now = sp_clock_now();
    if (deadline == SP_NEVER) {
        return -1;
    }
    uint64_t left =
        deadline > now ? (deadline - now + SP_NS_PER_MS - 1) / SP_NS_PER_MS : 0;
    return left > INT32_MAX ? INT32_MAX : (int)left;
}

static size_t drain_until(struct snakepit_queue *queue, uint64_t deadline)
{
    uint64_t begun = sp_clock_ticks();
    size_t count = spin(queue, begun, UINT64_MAX);
    bool more = true;
    while (count == 0 && more) {
        arm(queue);
        count = run(queue);
        if (count > 0 || atomic_load(&queue->stop)) {
            break;
        }
        more = hear_bells(queue, ms_until(deadline), &count);
        sp_patience_miss(&queue->patience, sp_clock_ticks() - begun);
    }
    return count;
}

static size_t drain(struct snakepit_queue *queue, uint32_t timeout_ms)
{
    size_t count = run(queue);
    if (count > 0 && queue->lingered != 0) {
        sp_patience_miss(&queue->patience, sp_clock_ticks() - queue->lingered);
        queue->lingered = 0;
    }
    if (count > 0) {
        return count;
    }
    if (timeout_ms == 0) {
        (void)hear_bells(queue, 0, &count);
        return count;
    }
    uint64_t deadline = timeout_ms == FOREVER_MS
                            ? SP_NEVER
                            : sp_clock_now() + timeout_ms * SP_NS_PER_MS;
    return drain_until(queue, deadline);
}

size_t sp_queue_drain(struct snakepit_queue *queue, uint32_t timeout_ms)
{
    if (atomic_load(&queue->stop) || pthread_mutex_trylock(&queue->turn) != 0) {
        return 0;
    }
    size_t count = queue->closed ? 0 : drain(queue, timeout_ms);
    pthread_mutex_unlock(&queue->turn);
    return count;
}

size_t sp_queue_linger(struct snakepit_queue *queue)
{
    if (atomic_load(&queue->stop) || pthread_mutex_trylock(&queue->turn) != 0) {
        return 0;
    }
    const uint64_t begun = sp_clock_ticks();
    const uint64_t most = LINGER_US * sp_clock_ticks_per_us();
    size_t count = queue->closed ? 0 : spin(queue, begun, most);
    queue->lingered = count > 0 ? 0 : begun;
    pthread_mutex_unlock(&queue->turn);
    return count;
}

void sp_queue_close(struct snakepit_queue *queue)
{
    atomic_store(&queue->stop, true);
    sp_queue_ring(queue);
    pthread_mutex_lock(&queue->turn);
    while (!queue->closed && run(queue) > 0) {
    }
    queue->closed = true;
    pthread_mutex_unlock(&queue->turn);
}
