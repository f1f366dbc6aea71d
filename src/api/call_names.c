// SPDX-License-Identifier: MIT
#include "api/call_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/check.h"
#include "base/list.h"

void sp_call_names_init(struct sp_call_names *names)
{
    // Without chance it works as well; then a client can make it slow.
    struct sp_hash_key key = {{0}};
    ssize_t got = getrandom(&key, sizeof key, GRND_NONBLOCK);
    (void)got;
    SP_CHECK(pthread_mutex_init(&names->lock, NULL) == 0);
    sp_names_init(&names->names, &key);
}

void sp_call_names_fini(struct sp_call_names *names)
{
    sp_names_fini(&names->names);
    pthread_mutex_destroy(&names->lock);
}

static bool is_digit(uint8_t byte)
{
    return byte >= '0' && byte <= '9';
}

static bool may_stand_in_name(uint8_t byte)
{
    const uint8_t lower = byte | 0x20;
    return is_digit(byte) || (lower >= 'a' && lower <= 'z') || byte == '-' ||
           byte == '_' || byte == '.';
}

bool sp_call_name_is_valid(struct sp_slice text)
{
    bool number = true;
    for (size_t i = 0; i < text.size; i++) {
        if (!may_stand_in_name(text.data[i])) {
            return false;
        }
        number = number && is_digit(text.data[i]);
    }
    return text.size > 0 && text.size <= SP_CALL_NAME_MAX && !number;
}

// No name has a colon.
static uint32_t
write_key(const char *owner, struct sp_slice text, char key[SP_CALL_KEY_MAX])
{
    const struct sp_slice front = sp_slice_of_text(owner);
    size_t at = 0;
    SP_CHECK(front.size <= SP_NAME_BYTES_MAX && text.size <= SP_CALL_NAME_MAX);
    if (front.size > 0) {
        memcpy(key, front.data, front.size);
        key[front.size] = ':';
        at = front.size + 1;
    }
    memcpy(key + at, text.data, text.size);
    return (uint32_t)(at + text.size);
}

snakepit_err sp_call_name_add(struct sp_call_names *names,
                              struct sp_call_name *entry,
                              const char *owner,
                              struct sp_slice text)
{
    snakepit_err err = SNAKEPIT_BUSY;
    entry->name.size = write_key(owner, text, entry->text);
    entry->name.text = entry->text;
    pthread_mutex_lock(&names->lock);
    if (sp_names_find(&names->names, entry->text, entry->name.size) == NULL) {
        err = sp_names_add(&names->names, &entry->name);
    }
    pthread_mutex_unlock(&names->lock);
    if (err != SNAKEPIT_OK) {
        entry->name.size = 0;
    }
    return err;
}

bool sp_call_name_set(struct sp_call_names *names,
                      struct sp_call_name *entry,
                      snakepit_call_id call)
{
    if (entry->name.size == 0) {
        return false;
    }
    pthread_mutex_lock(&names->lock);
    entry->call = call;
    const bool cancelled = entry->cancelled;
    pthread_mutex_unlock(&names->lock);
    return cancelled;
}

void sp_call_name_remove(struct sp_call_names *names, struct sp_call_name *entry)
{
    if (entry->name.size == 0) {
        return;
    }
    pthread_mutex_lock(&names->lock);
    sp_names_remove(&names->names, &entry->name);
    pthread_mutex_unlock(&names->lock);
    entry->name.size = 0;
}

static snakepit_call_id number_of(const char *text)
{
    char *end;
    errno = 0;
    const unsigned long long number = strtoull(text, &end, 10);
    return *end == '\0' && errno == 0 && is_digit((uint8_t)text[0]) ? number : 0;
}

static struct sp_call_name *entry_of(struct sp_name *name)
{
    return name == NULL ? NULL : SP_ENTRY(name, struct sp_call_name, name);
}

snakepit_call_id sp_call_name_cancel(struct sp_call_names *names,
                                     const char *owner,
                                     const char *text,
                                     bool *later)
{
    char key[SP_CALL_KEY_MAX];
    const struct sp_slice named = sp_slice_of_text(text);
    *later = false;
    if (named.size > SP_CALL_NAME_MAX) {
        return 0;
    }
    const uint32_t size = write_key(owner, named, key);
    pthread_mutex_lock(&names->lock);
    struct sp_call_name *found = entry_of(sp_names_find(&names->names, key, size));
    const snakepit_call_id call = found == NULL ? 0 : found->call;
    if (found != NULL && call == 0) {
        found->cancelled = *later = true;
    }
    pthread_mutex_unlock(&names->lock);
    return found == NULL && owner[0] == '\0' ? number_of(text) : call;
}
