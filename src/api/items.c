// SPDX-License-Identifier: MIT
#include "api/items.h"

#include "payload/writer.h"

snakepit_writer *sp_items_begin(struct sp_items *items)
{
    if (items->one == NULL) {
        items->one = snakepit_writer_new();
    }
    if (items->one == NULL) {
        items->err = SNAKEPIT_NO_MEMORY;
        return NULL;
    }
    snakepit_writer_reset(items->one);
    return items->one;
}

size_t sp_items_add(struct sp_items *items)
{
    const struct sp_buf *bytes = &items->one->buf;
    snakepit_err err = snakepit_writer_error(items->one);
    if (err == SNAKEPIT_OK) {
        err = sp_buf_append(&items->all, bytes->data, bytes->size);
    }
    if (err != SNAKEPIT_OK) {
        items->err = err;
        return 0;
    }
    items->count++;
    return bytes->size;
}

void sp_items_write(const struct sp_items *items, snakepit_writer *writer)
{
    snakepit_reader at;
    if (writer != NULL && items->err != SNAKEPIT_OK) {
        sp_writer_fail(writer, items->err);
    }
    snakepit_reader_init(&at, items->all.data, items->all.size);
    snakepit_writer_array(writer, items->count);
    for (uint32_t i = 0; i < items->count && writer != NULL; i++) {
        const uint8_t *begin = at.at;
        (void)snakepit_reader_skip(&at);
        sp_writer_value(writer, (struct sp_slice){begin, (size_t)(at.at - begin)});
    }
}

void sp_items_fini(struct sp_items *items)
{
    snakepit_writer_free(items->one);
    sp_buf_fini(&items->all);
}
