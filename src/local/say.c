// SPDX-License-Identifier: MIT
// What clients are told.
#include "local/inside.h"
#include "payload/writer.h"

void sp_local_connection_say(struct sp_local_connection *connection,
                             enum sp_local_message type,
                             const void *body,
                             size_t size)
{
    if (sp_channel_send(connection->fd, type, body, size) != SNAKEPIT_OK) {
        sp_local_connection_fail(connection, "it does not read what it is told");
    }
}

void sp_local_connection_say_text(struct sp_local_connection *connection,
                                  enum sp_local_message type)
{
    const snakepit_writer *writer = connection->loop->text;
    if (snakepit_writer_error(writer) == SNAKEPIT_OK) {
        sp_local_connection_say(connection, type, writer->buf.data, writer->buf.size);
    } else {
        sp_local_connection_fail(connection, "there is no memory for it");
    }
}
