// SPDX-License-Identifier: MIT
// Options and answers of programs that were built with another snakepit.h. `size` says
// how much of the struct the program knew, so an older one gets defaults for what came
// later, and a newer one is refused only if it asks for what this library cannot know.
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

static bool is_a_size(size_t size)
{
    // A struct that begins with a size_t is a multiple of it.
    return size != 0 && size <= OPTIONS_MOST && size % sizeof size == 0;
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
    if (!is_a_size(size)) {
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

bool sp_struct_is_sized(const void *given)
{
    size_t size;
    memcpy(&size, given, sizeof size);
    return is_a_size(size);
}

bool sp_struct_write(void *given, const void *filled, size_t known)
{
    size_t size;
    if (!sp_struct_is_sized(given)) {
        return false;
    }
    memcpy(&size, given, sizeof size);
    memset(given, 0, size);
    memcpy(given, filled, size < known ? size : known);
    memcpy(given, &size, sizeof size);
    return true;
}
