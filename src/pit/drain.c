// SPDX-License-Identifier: MIT
// Callbacks of submitted calls. Bells are heard by their edges and never read: a worker
// shares the description of its own and could make a read block. Whoever drains looks
// at the completion rings, spins a little while that has paid off, and only then asks
// the workers to ring and sleeps.
#include <errno.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/callback.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/descriptor.h"
#include "base/system.h"
#include "base/thread.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "pool/question.h"

#define EVENTS_A_TURN 32
#define FOREVER_MS    UINT32_MAX
#define NO_DOORBELL   (-1)
#define RINGS_MOST    10000u // in a row, for nothing; calls given up ring so too

snakepit_err sp_drain_init(struct sp_drain *drain, snakepit_message *why)
{
    SP_CHECK(pthread_mutex_init(&drain->lock, NULL) == 0);
    SP_CHECK(pthread_cond_init(&drain->news, NULL) == 0);
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = NO_DOORBELL};
    drain->epoll = sp_descriptor_keep(epoll_create1(EPOLL_CLOEXEC));
    if (drain->epoll < 0) {
        return sp_system_failed(why, "epoll_create1", NULL, "for callbacks");
    }
    drain->wake = sp_descriptor_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (drain->wake < 0) {
        return sp_system_failed(why, "eventfd", NULL, "for callbacks");
    }
    if (epoll_ctl(drain->epoll, EPOLL_CTL_ADD, drain->wake, &event) != 0) {
        return sp_system_failed(why, "epoll_ctl", NULL, "for callbacks");
    }
    return SNAKEPIT_OK;
}

void sp_drain_fini(struct sp_drain *drain)
{
    sp_descriptor_close(&drain->epoll);
    sp_descriptor_close(&drain->wake);
    pthread_cond_destroy(&drain->news);
    pthread_mutex_destroy(&drain->lock);
}

static void ring_wake(struct sp_drain *drain)
{
    uint64_t one = 1;
    // A full counter wakes as well.
    ssize_t written = write(drain->wake, &one, sizeof one);
    (void)written;
}

void sp_drain_wake(void *user)
{
    snakepit *pit = user;
    if (atomic_exchange(&pit->drain.asleep, false)) {
        ring_wake(&pit->drain);
    }
}

void sp_drain_doorbell(void *user, int fd, bool joins)
{
    snakepit *pit = user;
    struct epoll_event event = {.events = EPOLLIN | EPOLLET, .data.fd = fd};
    // Without the event the tick still finds what has ended, ten milliseconds later.
    (void)epoll_ctl(
        pit->drain.epoll, joins ? EPOLL_CTL_ADD : EPOLL_CTL_DEL, fd, &event);
}

// ---- Draining -----------------------------------------------------------------

// A child that a callback has forked, and that returns from it, does nothing more.
static size_t run_callbacks(const snakepit *pit, struct sp_link *ended)
{
    size_t count = 0;
    struct sp_link *link;
    while (sp_pit_is_here(pit) && (link = sp_list_take(ended)) != NULL) {
        struct sp_call *call = SP_ENTRY(link, struct sp_call, link);
        sp_call_open(call);
        SP_CALLBACK("the callback `done`");
        call->done(call->user, call->err, sp_call_answer(call));
        SP_CALLBACK_RETURNED;
        count++;
    }
    return count;
}

static size_t serve_questions(snakepit *pit)
{
    size_t count = 0;
    for (size_t i = 0; i < pit->count && sp_pit_is_here(pit); i++) {
        count += sp_pool_serve_questions(pit->pools[i].pool);
    }
    return count;
}

// The library's thread that runs callbacks hands questions on, for a tool of the host
// may take long, and other calls have deadlines. A program that drains runs both.
static _Thread_local bool hands_on;

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
        (void)serve_questions(pit);
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
    return answering ? 0 : serve_questions(pit);
}

// Whether there was any news: something that ended, or a question. Callbacks come
// first: a tool of the host may take long.
static bool run_news(snakepit *pit, size_t *ran)
{
    struct sp_link ended;
    bool asked = false;
    sp_list_init(&ended);
    for (size_t i = 0; i < pit->count; i++) {
        asked = sp_pool_collect(pit->pools[i].pool, &ended) || asked;
    }
    size_t count = run_callbacks(pit, &ended);
    if (asked && sp_pit_is_here(pit)) {
        count += hands_on ? hand_on_questions(pit) : serve_questions(pit);
    }
    *ran = count;
    return count > 0 || asked;
}

static size_t run_ended(snakepit *pit)
{
    size_t ran;
    (void)run_news(pit, &ran);
    return ran;
}

// Asks to be woken. What ended before is found by the look that must follow.
static void arm(snakepit *pit)
{
    atomic_store(&pit->drain.asleep, true);
    for (size_t i = 0; i < pit->count; i++) {
        sp_pool_set_asleep(pit->pools[i].pool, true);
    }
}

static bool peer_is_elsewhere(const snakepit *pit)
{
    uint32_t here = (uint32_t)sched_getcpu();
    for (size_t i = 0; i < pit->count; i++) {
        uint32_t peer = sp_pool_peer_cpu(pit->pools[i].pool);
        if (peer != here) {
            return true;
        }
    }
    return false;
}

static size_t spin(snakepit *pit, uint64_t begun)
{
    struct sp_patience *patience = &pit->drain.patience;
    size_t count = 0;
    if (patience->budget == 0 || !peer_is_elsewhere(pit) || !sp_spin_begin()) {
        return 0;
    }
    while (count == 0 && sp_clock_ticks() - begun < patience->budget) {
        sp_clock_relax();
        count = run_ended(pit);
    }
    sp_spin_end();
    if (count > 0) {
        sp_patience_hit(patience, sp_clock_ticks() - begun);
    }
    return count;
}

// ---- Waiting ------------------------------------------------------------------

// The bells that rang last, and those before them, rang for nothing. What such workers
// end is found by the tick.
static void stop_hearing(snakepit *pit, const struct epoll_event *events, int count)
{
    for (int i = 0; i < count; i++) {
        if (events[i].data.fd != NO_DOORBELL) {
            sp_drain_doorbell(pit, events[i].data.fd, false);
            sp_log(&pit->log,
                   SP_LOG_WARNING,
                   "worker.bell_ignored",
                   "fd=%d because=\"it rings for nothing\"",
                   events[i].data.fd);
        }
    }
}

// Waits for bells, at most until the timeout, and runs what they rang for. False: none
// rang.
static bool hear_bells(snakepit *pit, int timeout_ms, size_t *ran)
{
    struct sp_drain *drain = &pit->drain;
    struct epoll_event events[EVENTS_A_TURN];
    int rang = epoll_wait(drain->epoll, events, EVENTS_A_TURN, timeout_ms);
    if (timeout_ms == 0) {
        arm(pit);
    }
    bool some = run_news(pit, ran);
    drain->idle_rings = some || rang <= 0 ? 0 : drain->idle_rings + 1;
    if (drain->idle_rings >= RINGS_MOST) {
        stop_hearing(pit, events, rang);
        drain->idle_rings = 0;
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

static bool told_to_stop(struct sp_drain *drain)
{
    pthread_mutex_lock(&drain->lock);
    bool stop = drain->stop;
    pthread_mutex_unlock(&drain->lock);
    return stop;
}

static size_t drain_until(snakepit *pit, uint64_t deadline)
{
    struct sp_patience *patience = &pit->drain.patience;
    uint64_t begun = sp_clock_ticks();
    size_t count = spin(pit, begun);
    bool more = true;
    while (count == 0 && more) {
        arm(pit);
        count = run_ended(pit);
        if (count == 0 && !told_to_stop(&pit->drain)) {
            more = hear_bells(pit, ms_until(deadline), &count);
            sp_patience_miss(patience, sp_clock_ticks() - begun);
        } else {
            break;
        }
    }
    return count;
}

static size_t drain(snakepit *pit, uint32_t timeout_ms)
{
    size_t count = run_ended(pit);
    if (count > 0) {
        return count;
    }
    if (timeout_ms == 0) {
        (void)hear_bells(pit, 0, &count);
        return count;
    }
    uint64_t deadline = timeout_ms == FOREVER_MS
                            ? SP_NEVER
                            : sp_clock_now() + timeout_ms * SP_NS_PER_MS;
    return drain_until(pit, deadline);
}

// ---- The library's own thread -------------------------------------------------

static void *drain_loop(void *argument)
{
    SP_UNCANCELLED;
    snakepit *pit = argument;
    hands_on = true;
    while (!told_to_stop(&pit->drain)) {
        (void)drain(pit, FOREVER_MS);
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

static void stop_threads(struct sp_drain *drain)
{
    pthread_mutex_lock(&drain->lock);
    bool running = drain->running;
    bool answering = drain->answering;
    drain->running = false;
    drain->answering = false;
    drain->stop = true;
    pthread_cond_signal(&drain->news);
    pthread_mutex_unlock(&drain->lock);
    if (running) {
        ring_wake(drain);
        SP_CHECK(pthread_join(drain->thread, NULL) == 0);
    }
    if (answering) {
        SP_CHECK(pthread_join(drain->answerer, NULL) == 0);
    }
    pthread_mutex_lock(&drain->lock);
    drain->stop = false;
    pthread_mutex_unlock(&drain->lock);
}

void sp_drain_finish(snakepit *pit)
{
    pthread_mutex_lock(&pit->drain.lock);
    pit->drain.closing = true;
    pthread_mutex_unlock(&pit->drain.lock);
    stop_threads(&pit->drain);
    while (run_ended(pit) > 0) {
    }
}

// From here on the program runs the callbacks. False: this is a thread of the library,
// which cannot wait for itself.
static bool take_over(struct sp_drain *drain)
{
    pthread_t self = pthread_self();
    pthread_mutex_lock(&drain->lock);
    bool from_callback = (drain->running && pthread_equal(drain->thread, self)) ||
                         (drain->answering && pthread_equal(drain->answerer, self));
    bool running = drain->running;
    drain->owned |= !from_callback;
    pthread_mutex_unlock(&drain->lock);
    if (running && !from_callback) {
        stop_threads(drain);
    }
    return !from_callback;
}

size_t snakepit_drain(snakepit *pit, uint32_t timeout_ms)
{
    SP_UNCANCELLED;
    if (sp_refuse_no_pit(pit, NULL) != SNAKEPIT_OK) {
        return 0;
    }
    return take_over(&pit->drain) ? drain(pit, timeout_ms) : 0;
}

snakepit_err snakepit_completion_fd(snakepit *pit, int *fd)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK || fd == NULL || !take_over(&pit->drain)) {
        return err == SNAKEPIT_OK ? SNAKEPIT_INVALID_ARGUMENT : err;
    }
    *fd = pit->drain.epoll;
    // Calls that have ended already are news to the one who polls.
    ring_wake(&pit->drain);
    return SNAKEPIT_OK;
}
