// SPDX-License-Identifier: MIT
#include "config/change.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/option.h"

#define REMEDY        "close the pit and open it anew (a daemon: restart it)"
#define REMEDY_DAEMON "restart the daemon"

const char *sp_change_name(enum sp_change change)
{
    static const char *const names[] = {
        [SP_CHANGE_NOTHING] = "nothing",
        [SP_CHANGE_RULES] = "rules",
        [SP_CHANGE_SIZE] = "size",
        [SP_CHANGE_WORKERS] = "workers",
        [SP_CHANGE_ADD] = "added",
        [SP_CHANGE_REMOVE] = "removed",
    };
    return names[change];
}

static size_t count_of(const struct sp_config *config)
{
    return config->pooling_enabled ? config->count : 0;
}

static const struct sp_pool_config *find(const struct sp_config *config,
                                         const char *name)
{
    for (size_t i = 0; i < count_of(config); i++) {
        if (strcmp(config->pools[i].name, name) == 0) {
            return &config->pools[i];
        }
    }
    return NULL;
}

// ---- One pool -----------------------------------------------------------------

static enum sp_change change_of(const struct sp_option *option)
{
    switch (option->reload) {
    case SP_RELOAD_WORKERS:
        return SP_CHANGE_WORKERS;
    case SP_RELOAD_SIZE:
        return SP_CHANGE_SIZE;
    default:
        return SP_CHANGE_RULES;
    }
}

void sp_change_note(struct sp_pool_change *change, enum sp_change kind, const char *key)
{
    size_t used = strlen(change->keys);
    change->kind = kind > change->kind ? kind : change->kind;
    (void)snprintf(change->keys + used,
                   sizeof change->keys - used,
                   "%s%s",
                   used == 0 ? "" : ", ",
                   key);
}

static snakepit_err refuse(const struct sp_config *config,
                           const char *key,
                           const struct sp_pool_config *pool,
                           snakepit_message *why)
{
    const bool daemon = strncmp(key, "serve", 5) == 0;
    if (why != NULL && pool != NULL) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "%.400s: pool %.64s: %s: it cannot change in a pool that is "
                       "open; give the pool another name, or " REMEDY,
                       config->file,
                       pool->name,
                       key);
    } else if (why != NULL) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "%.400s: %s: it cannot change in a %s; %s",
                       config->file,
                       key,
                       daemon ? "daemon that runs" : "pit that is open",
                       daemon ? REMEDY_DAEMON : REMEDY);
    }
    return SNAKEPIT_INVALID_CONFIG;
}

static snakepit_err compare_pool(const struct sp_config *config,
                                 struct sp_pool_change *change,
                                 snakepit_message *why)
{
    const struct sp_option *option;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope != SP_SCOPE_POOL ||
            sp_option_equal(option, change->before, change->after)) {
            continue;
        }
        if (option->reload == SP_RELOAD_NEVER) {
            return refuse(config, option->key, change->after, why);
        }
        sp_change_note(change, change_of(option), option->key);
    }
    return SNAKEPIT_OK;
}

// ---- All of them --------------------------------------------------------------

// Says which of its keys it is, where the option is a map of them.
static snakepit_err refuse_top(const struct sp_config *before,
                               const struct sp_config *after,
                               const struct sp_option *option,
                               snakepit_message *why)
{
    char key[96];
    enum sp_scope scope;
    const struct sp_option *inner = NULL;
    if (sp_option_is_group(option, &scope)) {
        inner = sp_option_differing(scope,
                                    (const char *)before + option->offset,
                                    (const char *)after + option->offset);
    }
    (void)snprintf(key,
                   sizeof key,
                   "%s%s%s",
                   option->key,
                   inner != NULL ? "." : "",
                   inner != NULL ? inner->key : "");
    return refuse(after, key, NULL, why);
}

// What each pool may do is said again in the pool.
static snakepit_err compare_top(const struct sp_config *before,
                                const struct sp_config *after,
                                snakepit_message *why)
{
    const struct sp_option *option;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == SP_SCOPE_TOP && option->reload == SP_RELOAD_NEVER &&
            !sp_option_equal(option, before, after)) {
            return refuse_top(before, after, option, why);
        }
    }
    return SNAKEPIT_OK;
}

static snakepit_err compare_pools(const struct sp_config *before,
                                  const struct sp_config *after,
                                  struct sp_changes *changes,
                                  snakepit_message *why)
{
    bool moved = strcmp(before->directory, after->directory) != 0;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < count_of(after) && err == SNAKEPIT_OK; i++) {
        struct sp_pool_change *change = &changes->pools[changes->count++];
        change->after = &after->pools[i];
        change->before = find(before, change->after->name);
        if (change->before == NULL) {
            change->kind = SP_CHANGE_ADD;
            continue;
        }
        err = compare_pool(after, change, why);
        if (err == SNAKEPIT_OK && moved) {
            sp_change_note(change, SP_CHANGE_WORKERS, "the folder of the file");
        }
    }
    return err;
}

static void find_removed(const struct sp_config *before,
                         const struct sp_config *after,
                         struct sp_changes *changes)
{
    for (size_t i = 0; i < count_of(before); i++) {
        if (find(after, before->pools[i].name) == NULL) {
            struct sp_pool_change *change = &changes->pools[changes->count++];
            change->kind = SP_CHANGE_REMOVE;
            change->before = &before->pools[i];
        }
    }
}

snakepit_err sp_changes_find(const struct sp_config *before,
                             const struct sp_config *after,
                             struct sp_changes *changes,
                             snakepit_message *why)
{
    struct sp_changes found = {0};
    snakepit_err err = compare_top(before, after, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    found.pools =
        sp_alloc_array(count_of(before) + count_of(after) + 1, sizeof *found.pools);
    if (found.pools == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    err = compare_pools(before, after, &found, why);
    if (err != SNAKEPIT_OK) {
        sp_changes_free(&found);
        return err;
    }
    find_removed(before, after, &found);
    *changes = found;
    return SNAKEPIT_OK;
}

void sp_changes_free(struct sp_changes *changes)
{
    sp_free(changes->pools);
    *changes = (struct sp_changes){0};
}
