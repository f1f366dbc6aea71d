// SPDX-License-Identifier: MIT
#include "cli/value.h"

#include <string.h>

#include "payload/writer.h"

snakepit_err sp_cli_value_read(struct sp_slice json,
                               snakepit_writer *writer,
                               snakepit_reader *reader)
{
    snakepit_value value;
    snakepit_err err =
        snakepit_writer_json(writer, (const char *)json.data, json.size, NULL);
    if (err == SNAKEPIT_OK) {
        err = snakepit_writer_error(writer);
    }
    if (err != SNAKEPIT_OK) {
        return err == SNAKEPIT_NO_MEMORY ? err : SNAKEPIT_MALFORMED;
    }
    snakepit_reader_init(reader, writer->buf.data, writer->buf.size);
    snakepit_reader look = *reader;
    return sp_cli_value_next(&look, SNAKEPIT_MAP, &value) ? SNAKEPIT_OK
                                                          : SNAKEPIT_MALFORMED;
}

bool sp_cli_value_find(const snakepit_reader *map,
                       const char *key,
                       snakepit_reader *found)
{
    return snakepit_reader_find(map, key, found) == SNAKEPIT_OK;
}

bool sp_cli_value_next(snakepit_reader *at, snakepit_kind kind, snakepit_value *value)
{
    return snakepit_reader_next(at, value) == SNAKEPIT_OK && value->kind == kind;
}

// The member of that name and kind. False: there is none.
static bool member(const snakepit_reader *map,
                   const char *key,
                   snakepit_kind kind,
                   snakepit_value *value)
{
    snakepit_reader at;
    return sp_cli_value_find(map, key, &at) && sp_cli_value_next(&at, kind, value);
}

snakepit_span sp_cli_value_text(const snakepit_reader *map, const char *key)
{
    snakepit_value value;
    if (member(map, key, SNAKEPIT_TEXT, &value)) {
        return value.as.text;
    }
    return (snakepit_span){.data = "", .size = 0};
}

uint64_t sp_cli_value_number(const snakepit_reader *map, const char *key)
{
    snakepit_value value;
    if (member(map, key, SNAKEPIT_INTEGER, &value) && value.as.integer >= 0) {
        return (uint64_t)value.as.integer;
    }
    return 0;
}

bool sp_cli_value_truth(const snakepit_reader *map, const char *key)
{
    snakepit_value value;
    return member(map, key, SNAKEPIT_BOOLEAN, &value) && value.as.boolean;
}

uint32_t
sp_cli_value_list(const snakepit_reader *map, const char *key, snakepit_reader *at)
{
    snakepit_value value;
    const bool found = sp_cli_value_find(map, key, at) &&
                       sp_cli_value_next(at, SNAKEPIT_ARRAY, &value);
    return found ? value.as.count : 0;
}

bool sp_cli_span_is(snakepit_span span, const char *text)
{
    return span.size == strlen(text) && memcmp(span.data, text, span.size) == 0;
}
