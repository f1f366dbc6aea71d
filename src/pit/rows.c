// SPDX-License-Identifier: MIT
#include "pit/rows.h"

#include <string.h>

#include "pit/pit.h"
#include "pit/refuse.h"

void sp_rows_put(const struct sp_rows *rows, size_t index, const void *row, size_t size)
{
    if (index < rows->room) {
        uint8_t *at = rows->first + index * rows->size;
        memcpy(at, &rows->size, sizeof rows->size);
        (void)sp_struct_write(at, row, size);
    }
}

snakepit_err
sp_rows_check(snakepit *pit, const void *rows, size_t room, const size_t *count)
{
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    bool is_sized = room == 0 || (rows != NULL && sp_struct_is_sized(rows));
    return count != NULL && is_sized ? SNAKEPIT_OK : SNAKEPIT_INVALID_ARGUMENT;
}
