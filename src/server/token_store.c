// SPDX-License-Identifier: MIT
// A table never changes; a new one takes its place, and the last who uses the old one
// frees it. To see that there is a new one takes a view one load.
#include "server/token_store.h"

#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/check.h"
#include "base/memory.h"

#define WARNINGS_MOST 8u

struct sp_token_table {
    atomic_size_t users;
    struct sp_tokens tokens;
    struct sp_grant *grants; // one for each
};

// ---- Tables -----------------------------------------------------------------------

static void unref(struct sp_token_table *table)
{
    if (table != NULL && atomic_fetch_sub(&table->users, 1) == 1) {
        sp_tokens_free(&table->tokens);
        sp_free(table->grants);
        sp_free(table);
    }
}

// Takes the tokens.
static snakepit_err make_table(struct sp_tokens *tokens, struct sp_token_table **table)
{
    struct sp_token_table *made = sp_alloc(sizeof *made);
    struct sp_grant *grants = sp_alloc_array(tokens->count + 1, sizeof *grants);
    if (made == NULL || grants == NULL) {
        sp_free(made);
        sp_free(grants);
        return SNAKEPIT_NO_MEMORY;
    }
    for (size_t i = 0; i < tokens->count; i++) {
        const struct sp_token *token = &tokens->items[i];
        grants[i] =
            (struct sp_grant){.name = token->name,
                              .access = token->access,
                              .pools = token->all_pools ? NULL : &token->pools,
                              .tools = token->tools.count == 0 ? NULL : &token->tools};
    }
    made->users = 1;
    made->tokens = *tokens;
    made->grants = grants;
    *tokens = (struct sp_tokens){0};
    *table = made;
    return SNAKEPIT_OK;
}

// ---- The file ---------------------------------------------------------------------

static bool is_same_file(const struct stat *one, const struct stat *other)
{
    return one->st_dev == other->st_dev && one->st_ino == other->st_ino &&
           one->st_size == other->st_size && one->st_mode == other->st_mode &&
           one->st_uid == other->st_uid &&
           one->st_ctim.tv_sec == other->st_ctim.tv_sec &&
           one->st_ctim.tv_nsec == other->st_ctim.tv_nsec;
}

// What is not there is zeroed.
static struct stat look_at(const char *path)
{
    struct stat found;
    return stat(path, &found) == 0 ? found : (struct stat){0};
}

static snakepit_err
read_file(const char *path, struct sp_token_fresh *fresh, snakepit_message *why)
{
    struct sp_tokens tokens = {0};
    // Looked at before it is read: what changes meanwhile is read once more.
    *fresh = (struct sp_token_fresh){.seen = look_at(path)};
    snakepit_err err = sp_tokens_read(path, &tokens, why);
    err = err != SNAKEPIT_OK ? err : make_table(&tokens, &fresh->table);
    sp_tokens_free(&tokens);
    return err;
}

// With the lock held.
static void use(struct sp_token_store *store, struct sp_token_fresh *fresh)
{
    store->seen = fresh->seen;
    if (fresh->table != NULL) {
        unref(store->now);
        store->now = fresh->table;
        fresh->table = NULL;
        (void)atomic_fetch_add_explicit(&store->edition, 1, memory_order_relaxed);
    }
}

// With the lock held.
static snakepit_err reread(struct sp_token_store *store, snakepit_message *why)
{
    struct sp_token_fresh fresh;
    snakepit_err err = read_file(store->path, &fresh, why);
    use(store, &fresh);
    return err;
}

snakepit_err sp_token_store_open(const char *path,
                                 struct sp_token_store **store,
                                 snakepit_message *why)
{
    struct sp_token_store *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->path = path;
    SP_CHECK(pthread_mutex_init(&made->lock, NULL) == 0);
    snakepit_err err = reread(made, why);
    if (err != SNAKEPIT_OK) {
        sp_token_store_free(made);
        return err;
    }
    *store = made;
    return SNAKEPIT_OK;
}

void sp_token_store_free(struct sp_token_store *store)
{
    if (store != NULL) {
        unref(store->now);
        pthread_mutex_destroy(&store->lock);
        sp_free(store);
    }
}

snakepit_err sp_token_store_reread(struct sp_token_store *store, snakepit_message *why)
{
    pthread_mutex_lock(&store->lock);
    snakepit_err err = reread(store, why);
    pthread_mutex_unlock(&store->lock);
    return err;
}

snakepit_err sp_token_store_prepare(struct sp_token_store *store,
                                    struct sp_token_fresh *fresh,
                                    snakepit_message *why)
{
    snakepit_err err = read_file(store->path, fresh, why);
    if (err != SNAKEPIT_OK) {
        // It was looked at: whoever looks for changes does not tell it again.
        sp_token_store_take(store, fresh);
    }
    return err;
}

void sp_token_store_take(struct sp_token_store *store, struct sp_token_fresh *fresh)
{
    pthread_mutex_lock(&store->lock);
    use(store, fresh);
    pthread_mutex_unlock(&store->lock);
}

void sp_token_fresh_discard(struct sp_token_fresh *fresh)
{
    unref(fresh->table);
    fresh->table = NULL;
}

// ---- Pools that are not there -----------------------------------------------------

static bool has_pool(const struct sp_config *config, const char *name)
{
    for (size_t i = 0; i < config->count; i++) {
        if (strcmp(config->pools[i].name, name) == 0) {
            return true;
        }
    }
    return false;
}

// The first pool that the token names and the configuration has not; NULL: none.
static const char *missing_pool(const struct sp_token *token,
                                const struct sp_config *config)
{
    for (size_t i = 0; !token->all_pools && i < token->pools.count; i++) {
        if (!has_pool(config, token->pools.items[i])) {
            return token->pools.items[i];
        }
    }
    return NULL;
}

void sp_token_store_warn(struct sp_token_store *store,
                         const struct sp_config *config,
                         sp_token_warning_fn *warn,
                         void *user)
{
    snakepit_message said;
    size_t count = 0;
    pthread_mutex_lock(&store->lock);
    const struct sp_tokens *tokens = &store->now->tokens;
    for (size_t i = 0; i < tokens->count; i++) {
        const char *pool = missing_pool(&tokens->items[i], config);
        if (pool != NULL && count++ < WARNINGS_MOST) {
            (void)snprintf(said.text,
                           sizeof said.text,
                           "%s: the token %s is for the pool %s, which the "
                           "configuration has not",
                           store->path,
                           tokens->items[i].name,
                           pool);
            warn(user, said.text);
        }
    }
    pthread_mutex_unlock(&store->lock);
    if (count > WARNINGS_MOST) {
        (void)snprintf(said.text,
                       sizeof said.text,
                       "%s: %zu more tokens are for pools which the configuration has "
                       "not",
                       store->path,
                       count - WARNINGS_MOST);
        warn(user, said.text);
    }
}

bool sp_token_store_is_stale(struct sp_token_store *store)
{
    const struct stat now = look_at(store->path);
    pthread_mutex_lock(&store->lock);
    const bool same = is_same_file(&now, &store->seen);
    pthread_mutex_unlock(&store->lock);
    return !same;
}

size_t sp_token_store_count(struct sp_token_store *store)
{
    pthread_mutex_lock(&store->lock);
    const size_t count = store->now->tokens.count;
    pthread_mutex_unlock(&store->lock);
    return count;
}

bool sp_token_store_tells(struct sp_token_store *store, uint64_t now, unsigned *others)
{
    return sp_refusals_tell(&store->refusals, now, others);
}

// ---- Views ------------------------------------------------------------------------

void sp_token_view_open(struct sp_token_view *view,
                        struct sp_token_store *store,
                        struct sp_loop *loop)
{
    *view = (struct sp_token_view){.store = store, .loop = loop};
}

void sp_token_view_close(struct sp_token_view *view)
{
    sp_task_cancel(&view->drop);
    unref(view->before);
    unref(view->table);
    *view = (struct sp_token_view){0};
}

static void on_drop(struct sp_task *task)
{
    struct sp_token_view *view = SP_ENTRY(task, struct sp_token_view, drop);
    unref(view->before);
    view->before = NULL;
}

// Once in a callback at most: what was shown in it stays.
static void refresh(struct sp_token_view *view)
{
    struct sp_token_store *store = view->store;
    if (view->edition == atomic_load_explicit(&store->edition, memory_order_relaxed) ||
        sp_task_waits(&view->drop)) {
        return;
    }
    view->before = view->table;
    sp_loop_later(view->loop, &view->drop, on_drop);
    pthread_mutex_lock(&store->lock);
    view->table = store->now;
    view->edition = atomic_load_explicit(&store->edition, memory_order_relaxed);
    (void)atomic_fetch_add(&view->table->users, 1);
    pthread_mutex_unlock(&store->lock);
}

enum sp_token_state sp_token_view_find(struct sp_token_view *view,
                                       const uint8_t hash[SP_TOKEN_HASH_BYTES],
                                       int64_t now,
                                       const struct sp_grant **grant)
{
    refresh(view);
    const struct sp_tokens *tokens = &view->table->tokens;
    size_t found = tokens->count;
    // Each is compared, and each wholly.
    for (size_t i = 0; i < tokens->count; i++) {
        if (CRYPTO_memcmp(tokens->items[i].hash, hash, SP_TOKEN_HASH_BYTES) == 0) {
            found = i;
        }
    }
    if (found == tokens->count) {
        return SP_TOKEN_UNKNOWN;
    }
    const int64_t expires = tokens->items[found].expires;
    if (expires != 0 && now >= expires) {
        return SP_TOKEN_EXPIRED;
    }
    *grant = &view->table->grants[found];
    return SP_TOKEN_GOOD;
}
