// SPDX-License-Identifier: MIT
// What a daemon tells of its pools.
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "remote/inside.h"

#define POOLS_MOST 4096u

static bool read_text(const snakepit_reader *map,
                      const char *key,
                      char *text,
                      size_t room,
                      enum sp_text_kind kind)
{
    snakepit_reader at;
    snakepit_value value;
    text[0] = '\0';
    if (snakepit_reader_find(map, key, &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return false;
    }
    size_t size = value.as.text.size < room ? value.as.text.size : room - 1;
    memcpy(text, value.as.text.data, size);
    text[size] = '\0';
    sp_text_clean(text, size, kind);
    return true;
}

bool sp_remote_text(const snakepit_reader *map,
                    const char *key,
                    char *text,
                    size_t room)
{
    return read_text(map, key, text, room, SP_TEXT_LINE);
}

uint64_t sp_remote_number(const snakepit_reader *map,
                          const char *key,
                          uint64_t most,
                          uint64_t otherwise)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(map, key, &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_INTEGER || value.as.integer < 0 ||
        (uint64_t)value.as.integer > most) {
        return otherwise;
    }
    return (uint64_t)value.as.integer;
}

static bool read_flag(const snakepit_reader *map, const char *key)
{
    snakepit_reader at;
    snakepit_value value;
    return snakepit_reader_find(map, key, &at) == SNAKEPIT_OK &&
           snakepit_reader_next(&at, &value) == SNAKEPIT_OK &&
           value.kind == SNAKEPIT_BOOLEAN && value.as.boolean;
}

static bool read_pool(const snakepit_reader *map, struct sp_remote_pool *pool)
{
    char state[32];
    if (!sp_remote_text(map, "name", pool->name, sizeof pool->name) ||
        !sp_remote_text(map, "state", state, sizeof state) || pool->name[0] == '\0') {
        return false;
    }
    (void)read_text(map, "reason", pool->reason, sizeof pool->reason, SP_TEXT_BLOCK);
    pool->call_timeout_ms =
        (uint32_t)sp_remote_number(map, "call_timeout_ms", UINT32_MAX, 0);
    pool->is_default = read_flag(map, "default");
    pool->serves = read_flag(map, "serving");
    pool->ready = strcmp(state, "ready") == 0;
    pool->refuses = strcmp(state, "failed") == 0;
    return true;
}

snakepit_err sp_remote_pools_read(const snakepit_reader *map,
                                  struct sp_remote_pools *pools)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(map, "pools", &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count > POOLS_MOST) {
        return SNAKEPIT_PROTOCOL;
    }
    // One more than there are: an array of none is not an error.
    pools->count = value.as.count;
    pools->items = sp_alloc_array(pools->count + 1, sizeof *pools->items);
    if (pools->items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    bool sound = true;
    for (size_t i = 0; i < pools->count && sound; i++) {
        sound = read_pool(&at, &pools->items[i]) &&
                snakepit_reader_skip(&at) == SNAKEPIT_OK;
    }
    if (!sound) {
        sp_remote_pools_free(pools);
    }
    return sound ? SNAKEPIT_OK : SNAKEPIT_PROTOCOL;
}

void sp_remote_pools_free(struct sp_remote_pools *pools)
{
    sp_free(pools->items);
    *pools = (struct sp_remote_pools){0};
}
