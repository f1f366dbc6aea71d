// SPDX-License-Identifier: MIT
// The sentences that more than one public function says.
#include "pit/refuse.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "base/suggest.h"
#include "ipc/layout.h"
#include "pit/pit.h"

_Static_assert(SP_SESSION_MAX == SP_NAME_MOST && SP_KEY_MAX == SP_NAME_MOST &&
                   SP_TOOL_NAME_MAX == SP_NAME_MOST,
               "one function judges all names");

#define SHOWN_POOLS 32u

snakepit_err sp_refuse(snakepit_message *why, snakepit_err err, const char *format, ...)
{
    va_list args;
    if (why != NULL) {
        va_start(args, format);
        (void)vsnprintf(why->text, sizeof why->text, format, args);
        va_end(args);
    }
    return err;
}

snakepit_err sp_refuse_no_pit(const snakepit *pit, snakepit_message *why)
{
    if (pit == NULL) {
        return sp_refuse(why, SNAKEPIT_INVALID_ARGUMENT, SP_NO_PIT);
    }
    if (!sp_pit_is_here(pit)) {
        return sp_refuse(why,
                         SNAKEPIT_FORKED,
                         "%s; open another one here",
                         snakepit_err_text(SNAKEPIT_FORKED));
    }
    return SNAKEPIT_OK;
}

snakepit_err sp_refuse_no_own_pit(const snakepit *pit, snakepit_message *why)
{
    snakepit_err err = sp_refuse_no_pit(pit, why);
    if (err != SNAKEPIT_OK || !sp_pit_is_connected(pit)) {
        return err;
    }
    return sp_refuse(
        why,
        SNAKEPIT_UNSUPPORTED,
        "the pools are those of a daemon, and so is their file; have the daemon read "
        "it "
        "again by SIGHUP, or by snakepit reload --connect and its HTTP address");
}

snakepit_err sp_refuse_no_name(const char *what,
                               const char *text,
                               struct sp_slice *name,
                               snakepit_message *why)
{
    size_t size = text == NULL ? 0 : strnlen(text, SP_NAME_MOST + 1);
    const char *wrong = "too long";
    if (size > 0 && size <= SP_NAME_MOST) {
        *name = (struct sp_slice){(const uint8_t *)text, size};
        return SNAKEPIT_OK;
    }
    if (size == 0) {
        wrong = text == NULL ? "NULL" : "empty";
    }
    return sp_refuse(why,
                     SNAKEPIT_INVALID_ARGUMENT,
                     "%s is %s; give 1 to %u bytes",
                     what,
                     wrong,
                     SP_NAME_MOST);
}

// "the pools are "text", "arrays""
static void list_pools(const char *const *names, size_t count, char *text, size_t size)
{
    int used = snprintf(text, size, count > 1 ? "the pools are" : "the pool is");
    for (size_t i = 0; i < count && used >= 0 && (size_t)used < size; i++) {
        used += snprintf(text + used,
                         size - (size_t)used,
                         "%s \"%.64s\"",
                         i > 0 ? "," : "",
                         names[i]);
    }
}

snakepit_err
sp_refuse_pool(const snakepit *pit, const char *name, snakepit_message *why)
{
    const char *names[SHOWN_POOLS];
    char there[600];
    size_t count = 0;
    snakepit_err missing =
        sp_pit_is_connected(pit) ? sp_daemon_missing(pit->daemon, why) : SNAKEPIT_OK;
    if (missing != SNAKEPIT_OK) {
        return missing;
    }
    for (size_t i = 0; i < pit->count && count < SHOWN_POOLS; i++) {
        if (!sp_pit_pool_is_removed(pit->pools[i])) {
            names[count++] = sp_pool_name(pit->pools[i]->pool);
        }
    }
    if (count == 0) {
        return sp_refuse(why,
                         SNAKEPIT_UNKNOWN_POOL,
                         "there is no pool at all: the configuration names none, or "
                         "its pooling_enabled is false");
    }
    const char *meant = sp_suggest(name, names, count);
    if (meant != NULL) {
        (void)snprintf(there, sizeof there, "did you mean \"%s\"?", meant);
    } else {
        list_pools(names, count, there, sizeof there);
    }
    return sp_refuse(
        why, SNAKEPIT_UNKNOWN_POOL, "there is no pool \"%.255s\"; %s", name, there);
}

snakepit_err sp_refuse_worker(const char *pool, uint64_t worker, snakepit_message *why)
{
    return sp_refuse(why,
                     SNAKEPIT_NOT_FOUND,
                     "pool %s has no worker %" PRIu64
                     "; snakepit_pool_workers() names those that it has",
                     pool,
                     worker);
}
