// SPDX-License-Identifier: MIT
#include "interpreter/reply.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

bool sp_reply_find(const snakepit_reader *reply,
                   const char *key,
                   snakepit_kind kind,
                   snakepit_value *value)
{
    snakepit_reader found;
    return snakepit_reader_find(reply, key, &found) == SNAKEPIT_OK &&
           snakepit_reader_next(&found, value) == SNAKEPIT_OK && value->kind == kind;
}

bool sp_reply_is_true(const snakepit_reader *reply, const char *key)
{
    snakepit_value value;
    return sp_reply_find(reply, key, SNAKEPIT_BOOLEAN, &value) && value.as.boolean;
}

void sp_reply_copy(const snakepit_reader *reply,
                   const char *key,
                   char *room,
                   size_t size)
{
    snakepit_value value;
    room[0] = '\0';
    if (sp_reply_find(reply, key, SNAKEPIT_TEXT, &value)) {
        size_t most = value.as.text.size < size ? value.as.text.size : size - 1;
        (void)snprintf(room, size, "%.*s", (int)most, value.as.text.data);
        sp_text_clean(room, strlen(room), SP_TEXT_LINE);
    }
}

uint64_t sp_reply_number(const snakepit_reader *reply, const char *key)
{
    snakepit_value value;
    bool found = sp_reply_find(reply, key, SNAKEPIT_INTEGER, &value);
    return found && value.as.integer > 0 ? (uint64_t)value.as.integer : 0;
}
