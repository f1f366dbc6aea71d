// SPDX-License-Identifier: MIT
#include "server/offload.h"

#include <errno.h>

#include "base/check.h"
#include "base/system.h"
#include "base/thread.h"
#include "server/server.h"

// What is done is handed back under the same lock, so that a loop which ends meanwhile
// is there until it has been told.
static void hand_back(struct sp_offload *offload, struct sp_offload_work *work)
{
    struct sp_serve_loop *loop = work->loop;
    pthread_mutex_lock(&offload->lock);
    sp_list_append(&loop->offloaded, &work->link);
    sp_loop_wake(&loop->loop);
    pthread_mutex_unlock(&offload->lock);
}

// NULL: the server closes.
static struct sp_offload_work *next_work(struct sp_offload *offload)
{
    struct sp_link *link = NULL;
    pthread_mutex_lock(&offload->lock);
    while (!offload->stopping && (link = sp_list_take(&offload->line)) == NULL) {
        (void)pthread_cond_wait(&offload->more, &offload->lock);
    }
    struct sp_offload_work *work =
        link != NULL ? SP_ENTRY(link, struct sp_offload_work, link) : NULL;
    if (work != NULL) {
        work->waits = false;
    }
    pthread_mutex_unlock(&offload->lock);
    return work;
}

static void *run(void *argument)
{
    struct sp_offload *offload = argument;
    struct sp_offload_work *work;
    while ((work = next_work(offload)) != NULL) {
        work->run(work);
        hand_back(offload, work);
    }
    return NULL;
}

snakepit_err sp_offload_start(struct sp_offload *offload, snakepit_message *why)
{
    sp_list_init(&offload->line);
    SP_CHECK(pthread_mutex_init(&offload->lock, NULL) == 0);
    SP_CHECK(pthread_cond_init(&offload->more, NULL) == 0);
    offload->started = true;
    while (offload->count < SP_OFFLOAD_THREADS) {
        int rc = sp_thread_start(&offload->threads[offload->count], run, offload);
        if (rc != 0) {
            errno = rc;
            return sp_system_failed(why, "pthread_create", NULL, "for large bodies");
        }
        offload->count++;
    }
    return SNAKEPIT_OK;
}

void sp_offload_stop(struct sp_offload *offload)
{
    struct sp_link *link;
    if (!offload->started) {
        return;
    }
    pthread_mutex_lock(&offload->lock);
    offload->stopping = true;
    pthread_cond_broadcast(&offload->more);
    pthread_mutex_unlock(&offload->lock);
    while (offload->count > 0) {
        SP_CHECK(pthread_join(offload->threads[--offload->count], NULL) == 0);
    }
    while ((link = sp_list_take(&offload->line)) != NULL) {
        struct sp_offload_work *work = SP_ENTRY(link, struct sp_offload_work, link);
        work->done(work);
    }
}

void sp_offload_fini(struct sp_offload *offload)
{
    if (offload->started) {
        pthread_cond_destroy(&offload->more);
        pthread_mutex_destroy(&offload->lock);
    }
}

void sp_offload_do(struct sp_serve_loop *loop, struct sp_offload_work *work)
{
    struct sp_offload *offload = loop->offload;
    work->loop = loop;
    if (offload == NULL) {
        work->run(work);
        work->done(work);
        return;
    }
    pthread_mutex_lock(&offload->lock);
    work->waits = true;
    sp_list_append(&offload->line, &work->link);
    pthread_cond_signal(&offload->more);
    pthread_mutex_unlock(&offload->lock);
}

void sp_offload_give_up(struct sp_offload_work *work)
{
    struct sp_offload *offload = work->loop->offload;
    pthread_mutex_lock(&offload->lock);
    const bool waits = work->waits && !offload->stopping;
    if (waits) {
        work->waits = false;
        sp_list_remove(&work->link);
    }
    pthread_mutex_unlock(&offload->lock);
    if (waits) {
        work->done(work);
    }
}

static struct sp_offload_work *next_done(struct sp_serve_loop *loop)
{
    pthread_mutex_lock(&loop->offload->lock);
    struct sp_link *link = sp_list_take(&loop->offloaded);
    pthread_mutex_unlock(&loop->offload->lock);
    return link != NULL ? SP_ENTRY(link, struct sp_offload_work, link) : NULL;
}

void sp_offload_take(struct sp_serve_loop *loop)
{
    struct sp_offload_work *work;
    while (loop->offload != NULL && (work = next_done(loop)) != NULL) {
        work->done(work);
    }
}
