// SPDX-License-Identifier: MIT
// Rows of the feed: the text that was told last, and when it has changed.
#include <string.h>

#include "api/feed.h"
#include "base/memory.h"
#include "payload/pairs.h"

void sp_feed_free_rows(struct sp_feed_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        sp_buf_fini(&rows[i].text);
        sp_free(rows[i].runs);
    }
    sp_free(rows);
}

snakepit_err sp_feed_set_row(struct sp_feed *feed,
                             struct sp_feed_row *row,
                             const snakepit_writer *writer)
{
    struct sp_buf text = {0};
    snakepit_err err = sp_writer_to_json(writer, &text);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    text.size--; // the brace
    if (row->text.size == text.size && row->changed != 0 &&
        memcmp(row->text.data, text.data, text.size) == 0) {
        sp_buf_fini(&text);
        return SNAKEPIT_OK;
    }
    sp_buf_fini(&row->text);
    row->text = text;
    row->changed = feed->look;
    return SNAKEPIT_OK;
}
