// SPDX-License-Identifier: MIT
// Values on their way to standard output.
#include "cli/json.h"

#include "cli/output.h"
#include "payload/json.h"
#include "payload/writer.h"

void sp_cli_json_text(snakepit_writer *writer, const char *key, const char *value)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_str(writer, value);
}

void sp_cli_json_number(snakepit_writer *writer, const char *key, uint64_t value)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_uint(writer, value);
}

void sp_cli_json_bool(snakepit_writer *writer, const char *key, bool value)
{
    snakepit_writer_str(writer, key);
    snakepit_writer_bool(writer, value);
}

snakepit_err sp_cli_print_json(struct sp_cli *cli, const snakepit_writer *writer)
{
    snakepit_err err = snakepit_writer_error(writer);
    struct sp_buf text = {0};
    if (err == SNAKEPIT_OK) {
        snakepit_reader reader;
        snakepit_reader_init(&reader, writer->buf.data, writer->buf.size);
        err = sp_json_write(&reader, &text);
    }
    if (err == SNAKEPIT_OK) {
        sp_cli_write(cli, text.data, text.size);
        sp_cli_print(cli, "\n");
    }
    sp_buf_fini(&text);
    return err;
}
