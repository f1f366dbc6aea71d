// SPDX-License-Identifier: MIT
// Questions of clients that are not calls.
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

void sp_local_ask(struct sp_local_connection *connection,
                  const struct sp_local_ask *ask,
                  struct sp_slice question)
{
    snakepit_writer *writer = connection->loop->text;
    snakepit_writer_reset(writer);
    sp_pit_tell(connection->loop->serve->options->pit, question, writer);
    reply(connection, ask, writer);
}
