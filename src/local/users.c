// SPDX-License-Identifier: MIT
// Who is at a local door, by the user that the kernel names: no single one may have all
// of it. There are few, so they are in a list.
#include <errno.h>

#include "base/check.h"
#include "base/memory.h"
#include "local/inside.h"

struct sp_local *sp_local_new(void)
{
    struct sp_local *local = sp_alloc(sizeof *local);
    if (local != NULL) {
        sp_list_init(&local->users);
        sp_local_news_init(&local->news);
        SP_CHECK(pthread_mutex_init(&local->lock, NULL) == 0);
    }
    return local;
}

void sp_local_free(struct sp_local *local)
{
    if (local != NULL) {
        SP_CHECK(sp_list_empty(&local->users));
        sp_local_news_fini(&local->news);
        (void)pthread_mutex_destroy(&local->lock);
        sp_free(local);
    }
}

// The lock is held.
static struct sp_local_user *find(struct sp_local *local, uint32_t uid)
{
    struct sp_link *link = local->users.next;
    while (link != &local->users &&
           SP_ENTRY(link, struct sp_local_user, link)->uid != uid) {
        link = link->next;
    }
    return link == &local->users ? NULL : SP_ENTRY(link, struct sp_local_user, link);
}

static struct sp_local_user *add(struct sp_local *local, uint32_t uid)
{
    struct sp_local_user *user = sp_alloc(sizeof *user);
    if (user != NULL) {
        user->uid = uid;
        sp_list_append(&local->users, &user->link);
    }
    return user;
}

struct sp_local_user *
sp_local_user_begin(struct sp_local *local, uint32_t uid, uint32_t most)
{
    pthread_mutex_lock(&local->lock);
    struct sp_local_user *user = find(local, uid);
    if (user == NULL) {
        user = add(local, uid);
        errno = ENOMEM;
    } else if (user->connections >= most) {
        user = NULL;
        errno = EMFILE;
    }
    if (user != NULL) {
        user->connections++;
        user->refs++;
    }
    pthread_mutex_unlock(&local->lock);
    return user;
}

void sp_local_user_end(struct sp_local *local, struct sp_local_user *user)
{
    pthread_mutex_lock(&local->lock);
    user->connections--;
    pthread_mutex_unlock(&local->lock);
    sp_local_user_unref(local, user);
}

void sp_local_user_ref(struct sp_local *local, struct sp_local_user *user)
{
    pthread_mutex_lock(&local->lock);
    user->refs++;
    pthread_mutex_unlock(&local->lock);
}

void sp_local_user_unref(struct sp_local *local, struct sp_local_user *user)
{
    pthread_mutex_lock(&local->lock);
    const bool last = --user->refs == 0;
    if (last) {
        sp_list_remove(&user->link);
    }
    pthread_mutex_unlock(&local->lock);
    if (last) {
        sp_free(user);
    }
}
