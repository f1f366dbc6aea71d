// SPDX-License-Identifier: MIT
// What a loop does for its local doors. Circuits whose client may have submitted
// something are looked at in each turn; the others ring.
#include "base/memory.h"
#include "local/inside.h"
#include "pit/relay.h"

#define TAKEN_A_TURN 32u // of one circuit, so that others have their turn

static void free_loop(struct sp_local_loop *loop)
{
    sp_local_returns_close(loop->returns);
    snakepit_writer_free(loop->args);
    snakepit_writer_free(loop->text);
    sp_buf_fini(&loop->scratch);
    sp_buf_fini(&loop->pools);
    sp_free(loop->inbox);
    sp_free(loop);
}

static snakepit_err prepare(struct sp_serve_loop *serve)
{
    struct sp_local_loop *loop = sp_alloc(sizeof *loop);
    if (loop == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    loop->serve = serve;
    loop->local = serve->options->packets_user;
    sp_list_init(&loop->connections);
    sp_list_init(&loop->awake);
    loop->inbox = sp_alloc(sizeof *loop->inbox);
    loop->returns = sp_local_returns_new(&serve->loop);
    loop->args = snakepit_writer_new();
    loop->text = snakepit_writer_new();
    if (loop->inbox == NULL || loop->returns == NULL || loop->args == NULL ||
        loop->text == NULL) {
        free_loop(loop);
        return SNAKEPIT_NO_MEMORY;
    }
    loop->look_at_pools.user = loop;
    sp_local_look_at_pools(loop);
    serve->packets = loop;
    return SNAKEPIT_OK;
}

static snakepit_err
open_client(struct sp_serve_loop *serve, int fd, const struct sp_peer *peer)
{
    return sp_local_connection_open(serve->packets, fd, peer);
}

static bool look(struct sp_serve_loop *serve)
{
    struct sp_local_loop *loop = serve->packets;
    bool came = false;
    struct sp_link *next;
    sp_local_returns_take(loop->returns);
    for (struct sp_link *link = loop->awake.next; link != &loop->awake; link = next) {
        struct sp_local_circuit *circuit =
            SP_ENTRY(link, struct sp_local_circuit, awake);
        next = link->next;
        if (circuit->connection->why == NULL) {
            came = sp_local_circuit_take(circuit, TAKEN_A_TURN) > 0 || came;
            sp_local_circuit_pump(circuit);
            sp_local_circuit_hear(circuit);
        }
    }
    if (came) {
        sp_local_note_pause(loop);
    }
    if (came && sp_local_only_circuit(loop) != NULL) { // several bring enough to do
        (void)sp_pit_linger(sp_serve_loop_queue(serve));
    }
    return came;
}

static bool go_to_sleep(struct sp_serve_loop *serve)
{
    struct sp_local_loop *loop = serve->packets;
    bool came = false;
    struct sp_link *next;
    if (sp_local_linger(loop)) {
        return true;
    }
    for (struct sp_link *link = loop->awake.next; link != &loop->awake; link = next) {
        struct sp_local_circuit *circuit =
            SP_ENTRY(link, struct sp_local_circuit, awake);
        next = link->next;
        if (circuit->connection->why == NULL) {
            came = !sp_local_circuit_sleep(circuit) || came;
        }
    }
    return came;
}

static void drain(struct sp_serve_loop *serve)
{
    struct sp_local_loop *loop = serve->packets;
    (void)look(serve);
    for (struct sp_link *link = loop->connections.next; link != &loop->connections;
         link = link->next) {
        sp_local_connection_drain(SP_ENTRY(link, struct sp_local_connection, link));
    }
}

// Only who has not greeted yet: others are programs that count on their connection.
static bool drop_idle(struct sp_serve_loop *serve)
{
    struct sp_local_loop *loop = serve->packets;
    for (struct sp_link *link = loop->connections.next; link != &loop->connections;
         link = link->next) {
        struct sp_local_connection *connection =
            SP_ENTRY(link, struct sp_local_connection, link);
        if (!connection->greeted && connection->why == NULL) {
            sp_door_count(connection->counts, SP_DOOR_NO_ROOM, 1);
            sp_local_connection_close(connection, "to make room");
            return true;
        }
    }
    return false;
}

static void finish(struct sp_serve_loop *serve)
{
    struct sp_local_loop *loop = serve->packets;
    if (loop == NULL) {
        return;
    }
    sp_timer_stop(&loop->look_at_pools);
    sp_timer_stop(&loop->tell_news);
    while (!sp_list_empty(&loop->connections)) {
        sp_local_connection_close(
            SP_ENTRY(loop->connections.next, struct sp_local_connection, link),
            "the daemon ends");
    }
    serve->packets = NULL;
    free_loop(loop);
}

const struct sp_packet_ops sp_local_ops = {
    .prepare = prepare,
    .open = open_client,
    .look = look,
    .sleep = go_to_sleep,
    .drain = drain,
    .drop_idle = drop_idle,
    .finish = finish,
};
