// SPDX-License-Identifier: MIT
// What clients are told of the pools: all of it when they come, and again when
// something of it has changed.
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "local/inside.h"
#include "payload/writer.h"
#include "pit/glance.h"

// From one look at the pools to the next; and while workers start, since clients wait
// for them.
#define LOOK_MS      1000u
#define LOOK_SOON_MS 50u

static void write_pool(snakepit_writer *writer, const struct sp_pit_glance *pool)
{
    snakepit_writer_map(writer, 7);
    snakepit_writer_str(writer, "name");
    snakepit_writer_str(writer, pool->name);
    snakepit_writer_str(writer, "default");
    snakepit_writer_bool(writer, pool->standard);
    snakepit_writer_str(writer, "state");
    snakepit_writer_str(writer, pool->state);
    snakepit_writer_str(writer, "reason");
    snakepit_writer_str(writer, pool->reason.text);
    snakepit_writer_str(writer, "call_timeout_ms");
    snakepit_writer_uint(writer, pool->call_timeout_ms);
    snakepit_writer_str(writer, "serving");
    snakepit_writer_bool(writer, pool->serving);
    snakepit_writer_str(writer, "ready");
    snakepit_writer_bool(writer, pool->whole);
}

// Whether all of them are whole.
static bool write_pools(snakepit_writer *writer, struct sp_local_loop *loop)
{
    snakepit *pit = loop->serve->options->pit;
    struct sp_pit_glance *glance = &loop->glance;
    const size_t count = snakepit_pool_count(pit);
    bool whole = true;
    snakepit_writer_array(writer, (uint32_t)count);
    for (size_t i = 0; i < count && sp_pit_glance(pit, i, glance); i++) {
        write_pool(writer, glance);
        whole = whole && glance->whole;
    }
    return whole;
}

// Writes them anew, and counts up if anything is another one than before. Pools that
// come or go in this moment make a list that is not whole; the next look finds them.
static void read_pools(struct sp_local_loop *loop)
{
    snakepit_writer *writer = loop->text;
    struct sp_buf *known = &loop->pools;
    snakepit_writer_reset(writer);
    loop->pools_whole = write_pools(writer, loop);
    const struct sp_buf *now = &writer->buf;
    if (snakepit_writer_error(writer) != SNAKEPIT_OK ||
        (now->size == known->size && known->size > 0 &&
         memcmp(now->data, known->data, now->size) == 0)) {
        return;
    }
    known->size = 0;
    if (sp_buf_append(known, now->data, now->size) == SNAKEPIT_OK) {
        loop->pools_told++;
    }
}

static void on_look(struct sp_timer *timer)
{
    sp_local_look_at_pools(timer->user);
}

static void look_again_later(struct sp_local_loop *loop)
{
    const bool soon = !loop->pools_whole && !sp_list_empty(&loop->connections);
    sp_timer_start(&loop->serve->loop,
                   &loop->look_at_pools,
                   on_look,
                   soon ? LOOK_SOON_MS : LOOK_MS,
                   0);
}

bool sp_local_write_welcome(struct sp_local_loop *loop)
{
    snakepit_writer *writer = loop->text;
    read_pools(loop);
    look_again_later(loop);
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 3);
    snakepit_writer_str(writer, "version");
    snakepit_writer_str(writer, snakepit_version());
    snakepit_writer_str(writer, "pid");
    snakepit_writer_int(writer, getpid());
    snakepit_writer_str(writer, "pools");
    sp_writer_value(writer, (struct sp_slice){loop->pools.data, loop->pools.size});
    return loop->pools.size > 0 && snakepit_writer_error(writer) == SNAKEPIT_OK;
}

static void tell(struct sp_local_loop *loop, struct sp_local_connection *connection)
{
    const struct sp_buf *body = &loop->text->buf;
    // Who has not read what came before hears it the next time.
    if (sp_channel_send(connection->watch.fd, SP_LOCAL_POOLS, body->data, body->size) ==
        SNAKEPIT_OK) {
        connection->pools_seen = loop->pools_told;
    }
}

static void tell_all(struct sp_local_loop *loop)
{
    snakepit_writer *writer = loop->text;
    snakepit_writer_reset(writer);
    snakepit_writer_map(writer, 1);
    snakepit_writer_str(writer, "pools");
    sp_writer_value(writer, (struct sp_slice){loop->pools.data, loop->pools.size});
    if (loop->pools.size == 0 || snakepit_writer_error(writer) != SNAKEPIT_OK) {
        return;
    }
    for (struct sp_link *link = loop->connections.next; link != &loop->connections;
         link = link->next) {
        struct sp_local_connection *connection =
            SP_ENTRY(link, struct sp_local_connection, link);
        if (connection->greeted && connection->pools_seen != loop->pools_told) {
            tell(loop, connection);
        }
    }
}

void sp_local_look_at_pools(struct sp_local_loop *loop)
{
    if (!sp_list_empty(&loop->connections)) {
        read_pools(loop);
        tell_all(loop);
    }
    look_again_later(loop);
}
