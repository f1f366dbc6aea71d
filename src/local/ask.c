// SPDX-License-Identifier: MIT
// Questions of clients that are not calls.
#include <string.h>

#include "local/inside.h"
#include "payload/writer.h"
#include "pit/tell.h"

static void reply(struct sp_local_connection *connection,
                  const struct sp_local_ask *ask,
                  const snakepit_writer *writer)
{
    struct sp_buf *room = &connection->loop->scratch;
    room->size = 0;
    if (snakepit_writer_error(writer) != SNAKEPIT_OK ||
        sp_buf_append(room, ask, sizeof *ask) != SNAKEPIT_OK ||
        sp_buf_append(room, writer->buf.data, writer->buf.size) != SNAKEPIT_OK) {
        sp_local_connection_fail(connection, "there is no memory for it");
        return;
    }
    sp_local_connection_say(connection, SP_LOCAL_ANSWER, room->data, room->size);
}

static bool find(const snakepit_reader *map,
                 const char *key,
                 snakepit_kind kind,
                 snakepit_value *value)
{
    snakepit_reader at;
    return snakepit_reader_find(map, key, &at) == SNAKEPIT_OK &&
           snakepit_reader_next(&at, value) == SNAKEPIT_OK && value->kind == kind;
}

static bool find_flag(const snakepit_reader *map, const char *key)
{
    snakepit_value value;
    return find(map, key, SNAKEPIT_BOOLEAN, &value) && value.as.boolean;
}

// Reads ["follow", {...}]. False: it is another question.
static bool read_follow(struct sp_slice question, struct sp_local_follow *follow)
{
    snakepit_reader at;
    snakepit_value value;
    snakepit_reader_init(&at, question.data, question.size);
    if (snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count != 2 ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT || value.as.text.size != strlen("follow") ||
        memcmp(value.as.text.data, "follow", value.as.text.size) != 0) {
        return false;
    }
    *follow = (struct sp_local_follow){.level = SP_LOG_OFF,
                                       .events = find_flag(&at, "events"),
                                       .sessions = find_flag(&at, "sessions"),
                                       .records = find_flag(&at, "records")};
    if (find(&at, "level", SNAKEPIT_INTEGER, &value) && value.as.integer >= 0 &&
        value.as.integer < SP_LOG_OFF) {
        follow->level = (enum sp_log_level)value.as.integer;
    }
    return true;
}

static void write_done(snakepit_writer *writer, snakepit_err err)
{
    snakepit_writer_array(writer, 3);
    snakepit_writer_int(writer, (int64_t)err);
    snakepit_writer_str(writer, err == SNAKEPIT_OK ? "" : snakepit_err_text(err));
    snakepit_writer_nil(writer);
}

void sp_local_ask(struct sp_local_connection *connection,
                  const struct sp_local_ask *ask,
                  struct sp_slice question)
{
    struct sp_local_follow follow;
    snakepit_writer *writer = connection->loop->text;
    snakepit_writer_reset(writer);
    if (read_follow(question, &follow)) {
        write_done(writer, sp_local_connection_follow(connection, &follow));
    } else {
        sp_pit_tell(connection->loop->serve->options->pit, question, writer);
    }
    reply(connection, ask, writer);
}
