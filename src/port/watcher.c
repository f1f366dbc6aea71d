// SPDX-License-Identifier: MIT
// The one thing to know: the kernel wakes sleepers on an owner's death only where
// FUTEX_WAITERS is set in the word, so the watcher sets it before it sleeps. A group is
// one thread with up to GROUP_SIZE watches and, as the first futex it waits on, a word
// of its own that makes it look again. That takes longer the more watches there are, so
// that a group of many does it once for all that are added or removed within LOOK_NS.
#include "port/watcher.h"

#include <errno.h>
#include <linux/futex.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/kernel.h"
#include "base/memory.h"
#include "base/thread.h"
#include "ipc/futex.h"

#define GROUP_SIZE 127
#define LOOK_NS    (10 * SP_NS_PER_MS) // between two looks, where nothing wakes it
#define FEW        16u                 // watches that are looked at in no time

struct watch {
    uint64_t id; // 0: free
    pthread_mutex_t *lifeline;
    int32_t tid;
    sp_watcher_fn *ended;
    void *user;
};

// Guarded by lock, but for `kick`.
struct group {
    struct group *next;
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t idle;   // signalled when `calling` becomes 0
    _Atomic uint32_t kick; // changed whenever the set of watches has changed
    bool stop;
    bool rests;       // it will look again by itself
    uint64_t calling; // the watch whose callback is running, 0 for none
    uint32_t used;
    struct watch watches[GROUP_SIZE];
};

// Guarded by lock.
struct sp_watcher {
    pthread_mutex_t lock;
    struct group *groups;
    uint64_t last_id;
};

static long futex_waitv(struct futex_waitv *words, unsigned count)
{
    return syscall(SYS_futex_waitv, words, count, 0, NULL, 0);
}

static struct futex_waitv waiting_on(_Atomic uint32_t *word, uint32_t value)
{
    return (struct futex_waitv){
        .val = value, .uaddr = (uintptr_t)word, .flags = FUTEX_32};
}

// Reads the word once, with the waiters bit set, and judges what it read.
static enum sp_life arm(const struct watch *watch, uint32_t *value)
{
    _Atomic uint32_t *word = sp_lifeline_word(watch->lifeline);
    *value = atomic_fetch_or_explicit(word, FUTEX_WAITERS, memory_order_acq_rel) |
             FUTEX_WAITERS;
    return sp_lifeline_judge(*value, watch->tid);
}

// Runs the callback with the group's lock released. The watch is free before it runs,
// so it runs once; `calling` keeps sp_watcher_remove() waiting meanwhile.
static void report(struct group *group, struct watch *watch, enum sp_life life)
{
    struct watch ended = *watch;
    watch->id = 0;
    group->used--;
    group->calling = ended.id;
    pthread_mutex_unlock(&group->lock);
    ended.ended(ended.user, life);
    pthread_mutex_lock(&group->lock);
    group->calling = 0;
    pthread_cond_broadcast(&group->idle);
}

// Fills `words` with what to sleep on; false when something was reported and all must
// be looked at again.
static bool look_at_all(struct group *group, struct futex_waitv *words, unsigned *count)
{
    for (int i = 0; i < GROUP_SIZE; i++) {
        struct watch *watch = &group->watches[i];
        uint32_t value = 0;
        if (watch->id == 0) {
            continue;
        }
        enum sp_life life = arm(watch, &value);
        if (life != SP_LIFE_HELD) {
            report(group, watch, life);
            return false;
        }
        words[(*count)++] = waiting_on(sp_lifeline_word(watch->lifeline), value);
    }
    return true;
}

// EAGAIN (a word has changed already), EINTR, EFAULT (a watch was removed and its
// memory is gone) and a wake all mean: look again. Where the kernel has no memory for
// so many, or a filter forbids the call by now, a look now and then must do.
static void
sleep_on(struct group *group, uint32_t kick, struct futex_waitv *words, unsigned count)
{
    long rc = futex_waitv(words, count);
    if (rc < 0 && errno != EAGAIN && errno != EINTR && errno != EFAULT) {
        (void)sp_futex_wait(&group->kick, kick, sp_clock_now() + LOOK_NS);
    }
}

// Many may have joined or left when it is over. The lock is held.
static void rest(struct group *group, uint64_t looked_at)
{
    uint64_t until = looked_at + LOOK_NS;
    uint32_t kick = atomic_load_explicit(&group->kick, memory_order_acquire);
    if (group->used <= FEW || group->stop || sp_clock_now() >= until) {
        return;
    }
    group->rests = true;
    pthread_mutex_unlock(&group->lock);
    (void)sp_futex_wait(&group->kick, kick, until);
    pthread_mutex_lock(&group->lock);
    group->rests = false;
}

static void *watch_group(void *argument)
{
    SP_UNCANCELLED;
    struct group *group = argument;
    struct futex_waitv words[GROUP_SIZE + 1];
    pthread_mutex_lock(&group->lock);
    while (!group->stop) {
        unsigned count = 0;
        uint64_t looked_at = sp_clock_now();
        uint32_t kick = atomic_load_explicit(&group->kick, memory_order_acquire);
        words[count++] = waiting_on(&group->kick, kick);
        if (!look_at_all(group, words, &count)) {
            continue;
        }
        pthread_mutex_unlock(&group->lock);
        sleep_on(group, kick, words, count);
        pthread_mutex_lock(&group->lock);
        // A death is told at once.
        if (atomic_load_explicit(&group->kick, memory_order_acquire) != kick) {
            rest(group, looked_at);
        }
    }
    pthread_mutex_unlock(&group->lock);
    return NULL;
}

static void kick(struct group *group)
{
    atomic_fetch_add_explicit(&group->kick, 1, memory_order_release);
    sp_futex_wake(&group->kick, 1);
}

static struct group *group_new(void)
{
    struct group *group = sp_alloc(sizeof *group);
    if (group == NULL) {
        return NULL;
    }
    SP_CHECK(pthread_mutex_init(&group->lock, NULL) == 0);
    SP_CHECK(pthread_cond_init(&group->idle, NULL) == 0);
    if (sp_thread_start(&group->thread, watch_group, group) != 0) {
        pthread_cond_destroy(&group->idle);
        pthread_mutex_destroy(&group->lock);
        sp_free(group);
        return NULL;
    }
    return group;
}

static void group_free(struct group *group)
{
    pthread_mutex_lock(&group->lock);
    SP_CHECK(group->used == 0);
    group->stop = true;
    pthread_mutex_unlock(&group->lock);
    kick(group);
    pthread_join(group->thread, NULL);
    pthread_cond_destroy(&group->idle);
    pthread_mutex_destroy(&group->lock);
    sp_free(group);
}

snakepit_err sp_watcher_new(struct sp_watcher **watcher)
{
    if (!sp_kernel_has(SP_KERNEL_FUTEX_WAITV)) {
        return SNAKEPIT_UNSUPPORTED;
    }
    struct sp_watcher *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    SP_CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
    *watcher = made;
    return SNAKEPIT_OK;
}

void sp_watcher_free(struct sp_watcher *watcher)
{
    if (watcher == NULL) {
        return;
    }
    while (watcher->groups != NULL) {
        struct group *group = watcher->groups;
        watcher->groups = group->next;
        group_free(group);
    }
    pthread_mutex_destroy(&watcher->lock);
    sp_free(watcher);
}

static bool put_watch(struct group *group, const struct watch *watch)
{
    bool placed = false;
    pthread_mutex_lock(&group->lock);
    for (int i = 0; i < GROUP_SIZE && !placed; i++) {
        if (group->watches[i].id == 0) {
            group->watches[i] = *watch;
            group->used++;
            placed = true;
        }
    }
    bool rests = group->rests;
    pthread_mutex_unlock(&group->lock);
    if (placed && !rests) {
        kick(group);
    }
    return placed;
}

// NOLINTNEXTLINE(readability-function-size): a callback and its user are one thing
snakepit_err sp_watcher_add(struct sp_watcher *watcher,
                            pthread_mutex_t *lifeline,
                            int32_t tid,
                            sp_watcher_fn *ended,
                            void *user,
                            uint64_t *watch)
{
    snakepit_err err = SNAKEPIT_OK;
    pthread_mutex_lock(&watcher->lock);
    struct watch made = {++watcher->last_id, lifeline, tid, ended, user};
    *watch = made.id;
    struct group *group = watcher->groups;
    while (group != NULL && !put_watch(group, &made)) {
        group = group->next;
    }
    if (group == NULL) {
        group = group_new();
        if (group == NULL) {
            err = SNAKEPIT_NO_MEMORY;
        } else {
            group->next = watcher->groups;
            watcher->groups = group;
            SP_CHECK(put_watch(group, &made));
        }
    }
    pthread_mutex_unlock(&watcher->lock);
    return err;
}

static void remove_from(struct group *group, uint64_t id)
{
    bool found = false;
    pthread_mutex_lock(&group->lock);
    for (int i = 0; i < GROUP_SIZE; i++) {
        if (group->watches[i].id == id) {
            group->watches[i].id = 0;
            group->used--;
            found = true;
        }
    }
    while (group->calling == id) {
        pthread_cond_wait(&group->idle, &group->lock);
    }
    bool rests = group->rests;
    pthread_mutex_unlock(&group->lock);
    // The thread may sleep on the word until it is kicked, unless it rests; afterwards
    // it never touches it again.
    if (found && !rests) {
        kick(group);
    }
}

void sp_watcher_remove(struct sp_watcher *watcher, uint64_t watch)
{
    if (watch == 0) {
        return;
    }
    pthread_mutex_lock(&watcher->lock);
    for (struct group *group = watcher->groups; group != NULL; group = group->next) {
        remove_from(group, watch);
    }
    pthread_mutex_unlock(&watcher->lock);
}
