// SPDX-License-Identifier: MIT
#include "payload/pairs.h"

#include "payload/json.h"
#include "payload/writer.h"

void sp_pair_text(snakepit_writer *writer, const char *key, const char *value)
{
    snakepit_writer_str(writer, key);
    if (value != NULL) {
        snakepit_writer_str(writer, value);
    } else {
        snakepit_writer_nil(writer);
    }
}

void sp_pair_number(snakepit_writer *writer, const char *key, uint64_t value)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_uint(writer, value);
}

void sp_pair_bool(snakepit_writer *writer, const char *key, bool value)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_bool(writer, value);
}

snakepit_err sp_writer_to_json(const snakepit_writer *writer, struct sp_buf *out)
{
    snakepit_reader reader;
    snakepit_err err =
        writer == NULL ? SNAKEPIT_NO_MEMORY : snakepit_writer_error(writer);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
    return sp_json_write(&reader, out, NULL);
}
