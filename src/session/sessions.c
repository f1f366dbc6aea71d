// SPDX-License-Identifier: MIT
// Two lists in the order of use: sessions with values and sessions without. As all live
// equally long, the first of a list is also the first to expire. What ends under the
// lock is told after it: each function leaves by leave().
#include "session/sessions.h"

#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "payload/pairs.h"

// Busy ones that are passed over in the search for one to end.
#define PASSED_OVER_MOST 64

struct value {
    struct sp_name name;
    struct sp_link link; // in session->values
    uint64_t expires;
    size_t size;
    uint8_t data[]; // the value, then its key
};

struct session {
    struct sp_name name;
    struct sp_link link; // in one of the lists of struct sp_sessions
    struct sp_link age;  // in `all`, until it ends
    uint64_t expires;
    struct sp_names keys;
    struct sp_link values; // oldest first
    uint64_t bytes;        // of the values, with their costs
    snakepit_session_end reason;
    char text[];
};

_Static_assert(sizeof(struct value) + sizeof(struct sp_name *) * 2 <= SP_VALUE_COST,
               "a value costs no more than is counted for it");

void sp_sessions_init(struct sp_sessions *sessions,
                      const struct sp_sessions_options *options,
                      const struct sp_sessions_hooks *hooks)
{
    *sessions = (struct sp_sessions){.options = *options, .hooks = *hooks};
    SP_CHECK(pthread_mutex_init(&sessions->lock, NULL) == 0);
    sp_names_init(&sessions->names, &options->key);
    sp_list_init(&sessions->empty);
    sp_list_init(&sessions->filled);
    sp_list_init(&sessions->over);
    sp_list_init(&sessions->all);
}

// ---- Values -------------------------------------------------------------------

static uint64_t cost_of(size_t key_size, size_t value_size)
{
    return (uint64_t)key_size + value_size + SP_VALUE_COST;
}

static void
drop_value(struct sp_sessions *sessions, struct session *session, struct value *value)
{
    uint64_t cost = cost_of(value->name.size, value->size);
    sp_names_remove(&session->keys, &value->name);
    sp_list_remove(&value->link);
    session->bytes -= cost;
    sessions->bytes -= cost;
    sessions->values--;
    sp_free(value);
}

static struct value *
find_value(struct sp_sessions *sessions, struct session *session, struct sp_slice key)
{
    struct sp_name *name =
        sp_names_find(&session->keys, (const char *)key.data, (uint32_t)key.size);
    if (name == NULL) {
        return NULL;
    }
    struct value *value = SP_ENTRY(name, struct value, name);
    if (sessions->options.now() >= value->expires) {
        drop_value(sessions, session, value);
        return NULL;
    }
    return value;
}

static void drop_expired_values(struct sp_sessions *sessions, struct session *session)
{
    uint64_t now = sessions->options.now();
    struct sp_link *next;
    for (struct sp_link *link = session->values.next; link != &session->values;
         link = next) {
        next = link->next;
        struct value *value = SP_ENTRY(link, struct value, link);
        if (now >= value->expires) {
            drop_value(sessions, session, value);
        }
    }
}

static struct value *new_value(struct sp_slice key, struct sp_slice data)
{
    struct value *value = sp_alloc(sizeof *value + data.size + key.size);
    if (value != NULL) {
        if (data.size > 0) {
            memcpy(value->data, data.data, data.size);
        }
        memcpy(value->data + data.size, key.data, key.size);
        value->size = data.size;
        value->name.text = (const char *)value->data + data.size;
        value->name.size = (uint32_t)key.size;
    }
    return value;
}

// ---- Sessions -----------------------------------------------------------------

static struct sp_slice name_of(const struct session *session)
{
    return (struct sp_slice){(const uint8_t *)session->text, session->name.size};
}

static struct session *find(const struct sp_sessions *sessions, struct sp_slice name)
{
    struct sp_name *found =
        sp_names_find(&sessions->names, (const char *)name.data, (uint32_t)name.size);
    return found == NULL ? NULL : SP_ENTRY(found, struct session, name);
}

// To the end of the list it belongs to now.
static void refresh(struct sp_sessions *sessions, struct session *session)
{
    uint64_t ttl = sessions->options.ttl_ms * SP_NS_PER_MS;
    session->expires = ttl == 0 ? SP_NEVER : sessions->options.now() + ttl;
    sp_list_remove(&session->link);
    sp_list_append(session->keys.count > 0 ? &sessions->filled : &sessions->empty,
                   &session->link);
}

// Ends a session; it is told by leave().
static void finish(struct sp_sessions *sessions,
                   struct session *session,
                   snakepit_session_end reason)
{
    sp_names_remove(&sessions->names, &session->name);
    sp_list_remove(&session->link);
    sp_list_remove(&session->age);
    sessions->bytes -= session->bytes;
    sessions->values -= session->keys.count;
    session->reason = reason;
    sp_list_append(&sessions->over, &session->link);
}

// The same of one that is not ended with all others.
static void finish_for(struct sp_sessions *sessions,
                       struct session *session,
                       enum sp_session_over why)
{
    static const snakepit_session_end reasons[] = {
        [SP_SESSION_OVER_CLOSED] = SNAKEPIT_SESSION_CLOSED,
        [SP_SESSION_OVER_EXPIRED] = SNAKEPIT_SESSION_EXPIRED,
        [SP_SESSION_OVER_ROOM] = SNAKEPIT_SESSION_EVICTED,
        [SP_SESSION_OVER_MEMORY] = SNAKEPIT_SESSION_EVICTED};
    sessions->ended[why]++;
    finish(sessions, session, reasons[why]);
}

static void free_session(struct session *session)
{
    struct sp_link *link;
    while ((link = sp_list_take(&session->values)) != NULL) {
        sp_free(SP_ENTRY(link, struct value, link));
    }
    sp_names_fini(&session->keys);
    sp_free(session);
}

// Releases the lock, then tells of the sessions that have ended.
static void leave(struct sp_sessions *sessions)
{
    struct sp_link *link;
    while ((link = sp_list_take(&sessions->over)) != NULL) {
        struct session *session = SP_ENTRY(link, struct session, link);
        pthread_mutex_unlock(&sessions->lock);
        sessions->hooks.ended(sessions->hooks.user, name_of(session), session->reason);
        free_session(session);
        pthread_mutex_lock(&sessions->lock);
    }
    bool wake = !sessions->watched && !sessions->closed && sessions->names.count > 0 &&
                sessions->options.ttl_ms > 0;
    sessions->watched |= wake;
    pthread_mutex_unlock(&sessions->lock);
    if (wake) {
        sessions->hooks.wake(sessions->hooks.user);
    }
}

static bool is_busy(const struct sp_sessions *sessions, const struct session *session)
{
    return sessions->hooks.busy(sessions->hooks.user, name_of(session));
}

// The first session of a list that nothing needs, but for `keep`. Busy ones count as
// used.
static struct session *
find_idle(struct sp_sessions *sessions, struct sp_link *list, struct session *keep)
{
    for (int i = 0; i < PASSED_OVER_MOST && !sp_list_empty(list); i++) {
        struct session *session = SP_ENTRY(list->next, struct session, link);
        if (session != keep && !is_busy(sessions, session)) {
            return session;
        }
        refresh(sessions, session);
    }
    return NULL;
}

// Ends sessions until one more fits. False: all that there are must stay.
static bool make_room_for_session(struct sp_sessions *sessions)
{
    while (sessions->names.count >= sessions->options.most) {
        struct session *session = find_idle(sessions, &sessions->empty, NULL);
        if (session == NULL) {
            session = find_idle(sessions, &sessions->filled, NULL);
        }
        if (session == NULL) {
            return false;
        }
        finish_for(sessions, session, SP_SESSION_OVER_ROOM);
    }
    return true;
}

// Ends other sessions until `bytes` more fit into what all may have.
static bool
make_room_for_bytes(struct sp_sessions *sessions, struct session *keep, uint64_t bytes)
{
    while (sessions->bytes + bytes > sessions->options.memory) {
        struct session *session = find_idle(sessions, &sessions->filled, keep);
        if (session == NULL) {
            return false;
        }
        finish_for(sessions, session, SP_SESSION_OVER_MEMORY);
    }
    return true;
}

static snakepit_err
begin(struct sp_sessions *sessions, struct sp_slice name, struct session **session)
{
    if (!make_room_for_session(sessions)) {
        return SNAKEPIT_SATURATED;
    }
    struct session *made = sp_alloc(sizeof *made + name.size);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    memcpy(made->text, name.data, name.size);
    made->name.text = made->text;
    made->name.size = (uint32_t)name.size;
    snakepit_err err = sp_names_add(&sessions->names, &made->name);
    if (err != SNAKEPIT_OK) {
        sp_free(made);
        return err;
    }
    sp_names_init(&made->keys, &sessions->options.key);
    sp_list_init(&made->values);
    sp_list_append(&sessions->empty, &made->link);
    sp_list_append(&sessions->all, &made->age);
    *session = made;
    return SNAKEPIT_OK;
}

// Finds a session, which counts as a use of it; with `create` it begins if it must.
static snakepit_err find_for_use(struct sp_sessions *sessions,
                                 struct sp_slice name,
                                 bool create,
                                 struct session **session)
{
    if (sessions->closed) {
        return SNAKEPIT_SHUTTING_DOWN;
    }
    struct session *found = find(sessions, name);
    if (found != NULL && sessions->options.now() >= found->expires &&
        !is_busy(sessions, found)) {
        finish_for(sessions, found, SP_SESSION_OVER_EXPIRED);
        found = NULL;
    }
    if (found == NULL) {
        snakepit_err err = create ? begin(sessions, name, &found) : SNAKEPIT_NOT_FOUND;
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    refresh(sessions, found);
    *session = found;
    return SNAKEPIT_OK;
}

// ---- What callers ask for -----------------------------------------------------

snakepit_err sp_sessions_use(struct sp_sessions *sessions, struct sp_slice name)
{
    struct session *session;
    pthread_mutex_lock(&sessions->lock);
    snakepit_err err = find_for_use(sessions, name, true, &session);
    leave(sessions);
    return err;
}

// Makes room for `cost` bytes in place of the `freed` ones of an old value.
static bool fits(struct sp_sessions *sessions,
                 struct session *session,
                 uint64_t cost,
                 uint64_t freed)
{
    const struct sp_sessions_options *options = &sessions->options;
    uint64_t most = options->quota < options->memory ? options->quota : options->memory;
    if (session->bytes - freed + cost > most) {
        return false;
    }
    return cost <= freed || make_room_for_bytes(sessions, session, cost - freed);
}

// Takes `value` on success.
static snakepit_err
replace(struct sp_sessions *sessions, struct session *session, struct value *value)
{
    const struct sp_slice key = {(const uint8_t *)value->name.text, value->name.size};
    uint64_t cost = cost_of(key.size, value->size);
    drop_expired_values(sessions, session);
    struct value *old = find_value(sessions, session, key);
    uint64_t freed = old == NULL ? 0 : cost_of(key.size, old->size);
    if (!fits(sessions, session, cost, freed)) {
        return SNAKEPIT_QUOTA_EXCEEDED;
    }
    if (old != NULL) {
        drop_value(sessions, session, old);
    }
    snakepit_err err = sp_names_add(&session->keys, &value->name);
    if (err == SNAKEPIT_OK) {
        sp_list_append(&session->values, &value->link);
        session->bytes += cost;
        sessions->bytes += cost;
        sessions->values++;
    }
    refresh(sessions, session);
    return err;
}

snakepit_err sp_sessions_put(struct sp_sessions *sessions,
                             const struct sp_session_place *place,
                             struct sp_slice data,
                             uint64_t ttl_ms)
{
    struct session *session;
    if (cost_of(place->key.size, data.size) > sessions->options.quota) {
        return SNAKEPIT_QUOTA_EXCEEDED;
    }
    struct value *value = new_value(place->key, data);
    if (value == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    value->expires =
        ttl_ms == 0 ? SP_NEVER : sessions->options.now() + ttl_ms * SP_NS_PER_MS;
    pthread_mutex_lock(&sessions->lock);
    snakepit_err err = find_for_use(sessions, place->session, true, &session);
    if (err == SNAKEPIT_OK) {
        err = replace(sessions, session, value);
    }
    leave(sessions);
    if (err != SNAKEPIT_OK) {
        sp_free(value);
    }
    return err;
}

snakepit_err sp_sessions_get(struct sp_sessions *sessions,
                             const struct sp_session_place *place,
                             struct sp_buf *copy)
{
    struct session *session;
    pthread_mutex_lock(&sessions->lock);
    snakepit_err err = find_for_use(sessions, place->session, false, &session);
    if (err == SNAKEPIT_OK) {
        const struct value *value = find_value(sessions, session, place->key);
        err = value == NULL ? SNAKEPIT_NOT_FOUND
                            : sp_buf_append(copy, value->data, value->size);
    }
    leave(sessions);
    return err;
}

snakepit_err sp_sessions_delete(struct sp_sessions *sessions,
                                const struct sp_session_place *place)
{
    struct session *session;
    pthread_mutex_lock(&sessions->lock);
    snakepit_err err = find_for_use(sessions, place->session, false, &session);
    if (err == SNAKEPIT_OK) {
        struct value *value = find_value(sessions, session, place->key);
        err = value == NULL ? SNAKEPIT_NOT_FOUND : SNAKEPIT_OK;
        if (value != NULL) {
            drop_value(sessions, session, value);
        }
        refresh(sessions, session);
    }
    leave(sessions);
    return err;
}

snakepit_err sp_sessions_list(struct sp_sessions *sessions,
                              struct sp_slice name,
                              snakepit_writer *keys)
{
    struct session *session;
    pthread_mutex_lock(&sessions->lock);
    snakepit_err err = find_for_use(sessions, name, false, &session);
    if (err == SNAKEPIT_OK) {
        drop_expired_values(sessions, session);
        refresh(sessions, session);
        snakepit_writer_array(keys, (uint32_t)session->keys.count);
        for (struct sp_link *link = session->values.next; link != &session->values;
             link = link->next) {
            const struct value *value = SP_ENTRY(link, struct value, link);
            snakepit_writer_strn(keys, value->name.text, value->name.size);
        }
    }
    leave(sessions);
    return err;
}

static uint32_t
count_from(const struct sp_sessions *sessions, struct sp_link *first, uint32_t most)
{
    uint32_t count = 0;
    while (count < most && first != &sessions->all) {
        first = first->next;
        count++;
    }
    return count;
}

// Those that begin with `first`.
static void write_page(struct sp_sessions *sessions,
                       struct sp_link *first,
                       uint32_t most,
                       snakepit_writer *page)
{
    const uint32_t count = count_from(sessions, first, most);
    const struct session *last = NULL;
    snakepit_writer_map(page, 2);
    snakepit_writer_str(page, "sessions");
    snakepit_writer_array(page, count);
    for (uint32_t i = 0; i < count; i++, first = first->next) {
        last = SP_ENTRY(first, struct session, age);
        snakepit_writer_map(page, 3);
        snakepit_writer_str(page, "session");
        snakepit_writer_strn(page, last->text, last->name.size);
        sp_pair_number(page, "values", last->keys.count);
        sp_pair_number(page, "bytes", last->bytes);
    }
    snakepit_writer_str(page, "next");
    if (last == NULL || first == &sessions->all) {
        snakepit_writer_nil(page);
    } else {
        snakepit_writer_strn(page, last->text, last->name.size);
    }
}

snakepit_err sp_sessions_page(struct sp_sessions *sessions,
                              struct sp_slice after,
                              uint32_t most,
                              snakepit_writer *page)
{
    snakepit_err err = SNAKEPIT_OK;
    pthread_mutex_lock(&sessions->lock);
    struct session *before = after.size > 0 ? find(sessions, after) : NULL;
    if (sessions->closed) {
        err = SNAKEPIT_SHUTTING_DOWN;
    } else if (after.size > 0 && before == NULL) {
        err = SNAKEPIT_NOT_FOUND;
    } else {
        write_page(sessions,
                   before != NULL ? before->age.next : sessions->all.next,
                   most,
                   page);
    }
    leave(sessions);
    return err == SNAKEPIT_OK ? snakepit_writer_error(page) : err;
}

void sp_sessions_figures(struct sp_sessions *sessions,
                         struct sp_session_figures *figures)
{
    pthread_mutex_lock(&sessions->lock);
    *figures = (struct sp_session_figures){.open = sessions->names.count,
                                           .values = sessions->values,
                                           .bytes = sessions->bytes};
    memcpy(figures->ended, sessions->ended, sizeof figures->ended);
    pthread_mutex_unlock(&sessions->lock);
}

snakepit_err sp_sessions_end(struct sp_sessions *sessions, struct sp_slice name)
{
    struct session *session;
    pthread_mutex_lock(&sessions->lock);
    snakepit_err err = find_for_use(sessions, name, false, &session);
    if (err == SNAKEPIT_OK) {
        finish_for(sessions, session, SP_SESSION_OVER_CLOSED);
    }
    leave(sessions);
    return err;
}

// ---- The end ------------------------------------------------------------------

// Ends what has expired in one list; when its next one will.
static uint64_t sweep(struct sp_sessions *sessions, struct sp_link *list, uint64_t now)
{
    while (!sp_list_empty(list)) {
        struct session *session = SP_ENTRY(list->next, struct session, link);
        if (now < session->expires) {
            return session->expires;
        }
        if (is_busy(sessions, session)) {
            refresh(sessions, session);
        } else {
            finish_for(sessions, session, SP_SESSION_OVER_EXPIRED);
        }
    }
    return SP_NEVER;
}

uint64_t sp_sessions_sweep(struct sp_sessions *sessions)
{
    pthread_mutex_lock(&sessions->lock);
    uint64_t now = sessions->options.now();
    uint64_t empty = sweep(sessions, &sessions->empty, now);
    uint64_t filled = sweep(sessions, &sessions->filled, now);
    uint64_t next = empty < filled ? empty : filled;
    sessions->watched = next != SP_NEVER;
    leave(sessions);
    return next;
}

void sp_sessions_close(struct sp_sessions *sessions)
{
    struct sp_link *lists[] = {&sessions->empty, &sessions->filled};
    pthread_mutex_lock(&sessions->lock);
    sessions->closed = true;
    for (int i = 0; i < 2; i++) {
        while (!sp_list_empty(lists[i])) {
            finish(sessions,
                   SP_ENTRY(lists[i]->next, struct session, link),
                   SNAKEPIT_SESSION_PIT_CLOSED);
        }
    }
    leave(sessions);
}

void sp_sessions_fini(struct sp_sessions *sessions)
{
    SP_CHECK(sessions->names.count == 0 && sp_list_empty(&sessions->over));
    sp_names_fini(&sessions->names);
    pthread_mutex_destroy(&sessions->lock);
}
