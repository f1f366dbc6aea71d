// SPDX-License-Identifier: MIT
// What a client says in packets. Who says what makes no sense, or does not take what it
// is told, is closed.
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "local/inside.h"
#include "payload/writer.h"
#include "telemetry/notice.h"

#define PACKETS_A_TURN 16 // so that others have their turn

static const struct sp_log *log_of(const struct sp_local_connection *connection)
{
    return sp_serve_loop_log(connection->loop->serve);
}

// ---- The end ----------------------------------------------------------------------

// The client uses it no more: its calls are cancelled.
static void close_circuit(struct sp_local_circuit *circuit)
{
    const uint32_t slots = circuit->view.shape.slots;
    sp_local_circuit_unlink(circuit);
    for (uint32_t i = 0; i < slots; i++) {
        if (circuit->calls[i].number != 0) {
            sp_local_question_leave(&circuit->calls[i]);
            sp_local_call_cancel(&circuit->calls[i]);
        }
    }
    sp_local_circuit_unref(circuit);
}

void sp_local_connection_close(struct sp_local_connection *connection, const char *why)
{
    struct sp_local_loop *loop = connection->loop;
    const uint32_t cancelled = connection->calls;
    if (connection->greeted) {
        sp_log(log_of(connection),
               serve_local_left,
               .client = connection->peer.address,
               .listen = connection->peer.door->address,
               .cancelled = cancelled,
               .because = why);
    }
    connection->why = why;
    sp_local_connection_unfollow(connection);
    sp_task_cancel(&connection->end);
    sp_timer_stop(&connection->late);
    sp_watch_stop(&connection->watch);
    while (!sp_list_empty(&connection->circuits)) {
        close_circuit(
            SP_ENTRY(connection->circuits.next, struct sp_local_circuit, link));
    }
    (void)close(connection->fd);
    if (connection->user != NULL) {
        sp_local_user_end(loop->local, connection->user);
    }
    sp_door_count_less(connection->counts, SP_DOOR_OPEN);
    sp_list_remove(&connection->link);
    sp_free(connection);
    sp_serve_loop_closed(loop->serve);
}

static void on_end(struct sp_task *task)
{
    struct sp_local_connection *connection = task->user;
    sp_local_connection_close(connection, connection->why);
}

void sp_local_connection_drain(struct sp_local_connection *connection)
{
    if (!connection->told_leaving) {
        connection->told_leaving = true;
        (void)sp_channel_send(connection->fd, SP_LOCAL_LEAVING, NULL, 0);
    }
    sp_local_connection_leave(connection);
}

// ---- The greeting -------------------------------------------------------------------

static void refuse(struct sp_local_connection *connection,
                   snakepit_err err,
                   const char *message,
                   const char *because)
{
    snakepit_writer *writer = connection->loop->text;
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 2);
    snakepit_writer_str(writer, "err");
    snakepit_writer_int(writer, (int64_t)err);
    snakepit_writer_str(writer, "message");
    snakepit_writer_str(writer, message);
    sp_log(log_of(connection),
           serve_local_refused,
           .client = connection->peer.address,
           .listen = connection->peer.door->address,
           .because = message);
    sp_local_connection_say_text(connection, SP_LOCAL_REFUSED);
    sp_local_connection_fail(connection, because);
}

static void on_late(struct sp_timer *timer)
{
    struct sp_local_connection *connection = timer->user;
    sp_door_count(connection->counts, SP_DOOR_HEADER_LATE, 1);
    sp_local_connection_fail(connection, "it did not greet in time");
}

static void refuse_version(struct sp_local_connection *connection, uint32_t version)
{
    snakepit_message message;
    (void)snprintf(message.text,
                   sizeof message.text,
                   "the program speaks version %u of the local door, the daemon "
                   "(Snakepit %s) version %u; have both use the same Snakepit",
                   version,
                   snakepit_version(),
                   SP_LAYOUT_VERSION);
    refuse(connection, SNAKEPIT_PROTOCOL, message.text, "it has another version");
}

// What keeps a client out that has greeted well. NULL in `user`: it was refused.
static void admit(struct sp_local_connection *connection)
{
    struct sp_local_loop *loop = connection->loop;
    const uint32_t most = sp_serve_loop_config(loop->serve)->max_connections_per_user;
    if (connection->peer.excluded) {
        refuse(connection,
               SNAKEPIT_DENIED,
               "this user may not call here; see `users` of the listener",
               "its user may not call");
        return;
    }
    connection->user = sp_local_user_begin(loop->local, connection->peer.uid, most);
    if (connection->user == NULL) {
        refuse(connection,
               SNAKEPIT_SATURATED,
               "this user has as many connections as `serve: "
               "max_connections_per_user` of the daemon allows",
               "its user has too many connections");
    }
}

static void
greet(struct sp_local_connection *connection, const uint8_t *body, size_t size)
{
    struct sp_local_loop *loop = connection->loop;
    struct sp_local_greeting greeting;
    if (size != sizeof greeting) {
        sp_local_connection_fail(connection, "it did not greet");
        return;
    }
    memcpy(&greeting, body, sizeof greeting);
    if (greeting.magic != SP_LOCAL_MAGIC) {
        sp_local_connection_fail(connection, "it did not greet");
        return;
    }
    if (greeting.version != SP_LAYOUT_VERSION) {
        refuse_version(connection, greeting.version);
        return;
    }
    admit(connection);
    if (connection->user == NULL) {
        return;
    }
    sp_timer_stop(&connection->late);
    connection->greeted = true;
    (void)sp_local_write_welcome(loop);
    connection->pools_seen = loop->pools_told;
    sp_local_connection_say_text(connection, SP_LOCAL_WELCOME);
    sp_log(log_of(connection),
           serve_local_client,
           .client = connection->peer.address,
           .listen = connection->peer.door->address);
}

// ---- Circuits -----------------------------------------------------------------------

static void refuse_circuit(struct sp_local_connection *connection,
                           uint64_t circuit,
                           snakepit_err err,
                           const char *message)
{
    snakepit_writer *writer = connection->loop->text;
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "circuit");
    snakepit_writer_uint(writer, circuit);
    snakepit_writer_str(writer, "err");
    snakepit_writer_int(writer, (int64_t)err);
    snakepit_writer_str(writer, "message");
    snakepit_writer_str(writer, message[0] != '\0' ? message : snakepit_err_text(err));
    sp_local_connection_say_text(connection, SP_LOCAL_UNOPENED);
}

static bool is_pool(snakepit *pit, const char *name)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    return snakepit_pool_get_stats(pit, name, &stats) == SNAKEPIT_OK;
}

static void open_circuit(struct sp_local_connection *connection,
                         const struct sp_local_open *open,
                         const char *name,
                         struct sp_packet_fds *fds)
{
    static const char too_many[] =
        "one connection has 64 circuits at most; close those that are not used";
    snakepit_message why = {{0}};
    if (connection->circuit_count >= SP_LOCAL_CIRCUITS_MOST) {
        refuse_circuit(connection, open->circuit, SNAKEPIT_SATURATED, too_many);
        return;
    }
    if (!is_pool(connection->loop->serve->options->pit, name)) {
        refuse_circuit(connection,
                       open->circuit,
                       SNAKEPIT_UNKNOWN_POOL,
                       snakepit_err_text(SNAKEPIT_UNKNOWN_POOL));
        return;
    }
    snakepit_err err =
        sp_local_circuit_open(connection, open, name, fds->of[--fds->count], &why);
    if (err == SNAKEPIT_PROTOCOL) {
        sp_local_connection_fail(connection,
                                 "the memory that it showed is no sealed memfd of the "
                                 "size that it said");
    } else if (err != SNAKEPIT_OK) {
        refuse_circuit(connection, open->circuit, err, why.text);
    }
}

static void on_open(struct sp_local_connection *connection,
                    const uint8_t *body,
                    size_t size,
                    struct sp_packet_fds *fds)
{
    struct sp_local_open open;
    char name[SP_TOOL_NAME_MAX + 1];
    if (size < sizeof open || fds->count != 1) {
        sp_local_connection_fail(connection, "it asked for a circuit without memory");
        return;
    }
    memcpy(&open, body, sizeof open);
    if (open.name_size != size - sizeof open || open.name_size >= sizeof name ||
        open.slots == 0 || sp_local_circuit_find(connection, open.circuit) != NULL) {
        sp_local_connection_fail(connection, "it asked for a circuit that cannot be");
        return;
    }
    memcpy(name, body + sizeof open, open.name_size);
    name[open.name_size] = '\0';
    open_circuit(connection, &open, name, fds);
}

static void
on_close(struct sp_local_connection *connection, const uint8_t *body, size_t size)
{
    uint64_t number = 0;
    if (size != sizeof number) {
        sp_local_connection_fail(connection, "it closed what is no circuit");
        return;
    }
    memcpy(&number, body, sizeof number);
    struct sp_local_circuit *circuit = sp_local_circuit_find(connection, number);
    if (circuit != NULL) {
        close_circuit(circuit);
    }
}

// One that has ended meanwhile is none any more.
static void
on_cancel(struct sp_local_connection *connection, const uint8_t *body, size_t size)
{
    struct sp_local_cancel cancel;
    if (size != sizeof cancel) {
        sp_local_connection_fail(connection, "it cancelled what is no call");
        return;
    }
    memcpy(&cancel, body, sizeof cancel);
    struct sp_local_circuit *circuit =
        sp_local_circuit_find(connection, cancel.circuit);
    if (circuit == NULL || cancel.slot >= circuit->view.shape.slots) {
        return;
    }
    // Submitted before, it may still be in the ring; but not behind all that this
    // holds, which a client could fill again and again.
    if (circuit->calls[cancel.slot].number != cancel.call) {
        (void)sp_local_circuit_take(circuit, circuit->view.shape.slots);
    }
    struct sp_local_call *call = &circuit->calls[cancel.slot];
    if (connection->why == NULL && cancel.call != 0 && call->number == cancel.call) {
        sp_local_call_cancel(call);
    }
}

// ---- Questions
// ------------------------------------------------------------------------

static void
on_ask(struct sp_local_connection *connection, const uint8_t *body, size_t size)
{
    struct sp_local_ask ask;
    if (size < sizeof ask) {
        sp_local_connection_fail(connection, "it asked nothing");
        return;
    }
    memcpy(&ask, body, sizeof ask);
    sp_local_ask(
        connection, &ask, (struct sp_slice){body + sizeof ask, size - sizeof ask});
}

// ---- Packets ------------------------------------------------------------------------

static void hear(struct sp_local_connection *connection,
                 const struct sp_message_head *head,
                 const uint8_t *body,
                 struct sp_packet_fds *fds)
{
    if (!connection->greeted) {
        if (head->type == SP_LOCAL_GREETING) {
            greet(connection, body, head->size);
        } else {
            sp_local_connection_fail(connection, "it did not greet");
        }
        return;
    }
    switch (head->type) {
    case SP_LOCAL_OPEN:
        on_open(connection, body, head->size, fds);
        break;
    case SP_LOCAL_CLOSE:
        on_close(connection, body, head->size);
        break;
    case SP_LOCAL_CANCEL:
        on_cancel(connection, body, head->size);
        break;
    case SP_LOCAL_ASK:
        on_ask(connection, body, head->size);
        break;
    default:
        sp_local_connection_fail(connection, "it said what no program says");
        break;
    }
}

// False: there is nothing more now.
static bool receive(struct sp_local_connection *connection)
{
    struct sp_message_head head;
    const uint8_t *body;
    struct sp_packet_fds fds;
    snakepit_err err = sp_channel_receive_with(
        connection->fd, connection->loop->inbox->room, &head, &body, NULL, &fds);
    if (err == SNAKEPIT_OK) {
        hear(connection, &head, body, &fds);
        sp_packet_fds_close(&fds);
        return connection->why == NULL;
    }
    if (err == SNAKEPIT_END) {
        sp_local_connection_fail(connection, "it has gone");
    } else if (err == SNAKEPIT_PROTOCOL) {
        sp_local_connection_fail(connection, "it sent what is no packet");
    } else if (err == SNAKEPIT_SYSTEM) {
        sp_local_connection_fail(connection, "there are no descriptors for it");
    }
    return false;
}

static void on_packets(struct sp_watch *watch)
{
    struct sp_local_connection *connection = watch->user;
    bool more = connection->why == NULL;
    for (int i = 0; i < PACKETS_A_TURN && more; i++) {
        more = receive(connection);
    }
}

snakepit_err
sp_local_connection_open(struct sp_local_loop *loop, int fd, const struct sp_peer *peer)
{
    struct sp_local_connection *connection = sp_alloc(sizeof *connection);
    if (connection == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    connection->loop = loop;
    connection->fd = fd;
    connection->peer = *peer;
    connection->follow.level = SP_LOG_OFF;
    connection->counts = sp_serve_loop_counts(loop->serve, peer->door);
    connection->watch.user = connection;
    connection->late.user = connection;
    connection->end.user = connection;
    connection->end.run = on_end;
    sp_list_init(&connection->circuits);
    snakepit_err err =
        sp_watch_start(&connection->watch, &loop->serve->loop, fd, on_packets, NULL);
    if (err != SNAKEPIT_OK) {
        sp_free(connection);
        return err;
    }
    sp_timer_start(&loop->serve->loop,
                   &connection->late,
                   on_late,
                   sp_serve_loop_config(loop->serve)->header_timeout_ms,
                   0);
    sp_list_append(&loop->connections, &connection->link);
    sp_door_count(connection->counts, SP_DOOR_ACCEPTED, 1);
    sp_door_count(connection->counts, SP_DOOR_OPEN, 1);
    return SNAKEPIT_OK;
}
