// SPDX-License-Identifier: MIT
// Options of programs that were built with another snakepit.h. `size` says how much of
// the struct the program knew, so an older one gets defaults for what came later, and a
// newer one is refused only if it asks for what this library cannot know.
#include <stdint.h>
#include <string.h>

#include "pit/pit.h"

#define OPTIONS_MOST 4096u // bytes; a size above it was never set

static bool is_zero(const uint8_t *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] != 0) {
            return false;
        }
    }
    return true;
}

const void *
sp_options_read(const void *given, size_t known, void *room, const char **wrong)
{
    size_t size = known;
    *wrong = NULL;
    if (given != NULL) {
        memcpy(&size, given, sizeof size);
    }
    if (size == known) {
        return given;
    }
    // A struct that begins with a size_t is a multiple of it.
    if (size == 0 || size > OPTIONS_MOST || size % sizeof size != 0) {
        *wrong = "the options have no valid `size`: set it to sizeof the struct";
        return NULL;
    }
    if (size > known && !is_zero((const uint8_t *)given + known, size - known)) {
        *wrong = "the options set a member of a later snakepit.h than this library's; "
                 "leave it zero or use a later library";
        return NULL;
    }
    memset(room, 0, known);
    memcpy(room, given, size < known ? size : known);
    return room;
}
