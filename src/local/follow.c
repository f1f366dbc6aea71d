// SPDX-License-Identifier: MIT
// Which clients are told news, and when: a timer looks for more as long as anybody
// follows.
#include <linux/sockios.h>
#include <string.h>
#include <sys/ioctl.h>

#include "local/inside.h"

#define LOOK_MS      25u
#define TOLD_A_LOOK  256   // of one client, so that others have their turn
#define UNREAD_BYTES 65536 // of a client; answers to its questions need room as well

// Whether it has read most of what it was told.
static bool reads(const struct sp_local_connection *connection)
{
    int unread = 0;
    return ioctl(connection->fd, SIOCOUTQ, &unread) == 0 && unread < UNREAD_BYTES;
}

static bool send_one(struct sp_local_connection *connection,
                     const struct sp_local_said *said,
                     uint64_t lost)
{
    const struct sp_local_news_head head = {.lost = lost, .topic = said->topic};
    struct sp_buf *room = &connection->loop->scratch;
    room->size = 0;
    return sp_buf_append(room, &head, sizeof head) == SNAKEPIT_OK &&
           sp_buf_append(room, said->body, said->size) == SNAKEPIT_OK &&
           sp_channel_send(connection->fd, SP_LOCAL_NEWS, room->data, room->size) ==
               SNAKEPIT_OK;
}

// What cannot be sent now is sent later, or is lost by then.
static bool tell_one(struct sp_local_connection *connection)
{
    uint64_t from = connection->news_from;
    uint64_t lost = connection->news_lost;
    struct sp_local_said *said = sp_local_news_take(
        &connection->loop->local->news, &connection->follow, &from, &lost);
    const bool told = said != NULL && send_one(connection, said, lost);
    if (told || said == NULL) {
        connection->news_from = from;
        connection->news_lost = told ? 0 : lost;
    }
    sp_local_said_unref(said);
    return told;
}

static void on_look(struct sp_timer *timer)
{
    struct sp_local_loop *loop = timer->user;
    for (struct sp_link *link = loop->connections.next; link != &loop->connections;
         link = link->next) {
        struct sp_local_connection *connection =
            SP_ENTRY(link, struct sp_local_connection, link);
        bool more = sp_local_follows(&connection->follow) && connection->why == NULL;
        for (int i = 0; i < TOLD_A_LOOK && more && reads(connection); i++) {
            more = tell_one(connection);
        }
    }
}

static void count(struct sp_local_loop *loop, int more)
{
    loop->followers += (uint32_t)more;
    atomic_fetch_add(&loop->local->news.followers, (uint32_t)more);
    if (loop->followers == 0) {
        sp_timer_stop(&loop->tell_news);
    } else if (loop->followers == 1 && more > 0) {
        loop->tell_news.user = loop;
        sp_timer_start(&loop->serve->loop, &loop->tell_news, on_look, LOOK_MS, LOOK_MS);
    }
}

// Has the calls recorded, or no more, for the sake of this client.
static snakepit_err record(struct sp_local_connection *connection, bool on)
{
    if (connection->follow.records == on) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = snakepit_calls_record(connection->loop->serve->options->pit, on);
    connection->follow.records = err == SNAKEPIT_OK ? on : !on;
    return err;
}

snakepit_err sp_local_connection_follow(struct sp_local_connection *connection,
                                        const struct sp_local_follow *follow)
{
    const bool before = sp_local_follows(&connection->follow);
    const bool after = sp_local_follows(follow);
    snakepit_err err = record(connection, follow->records);
    if (after && !before) {
        connection->news_from = sp_local_news_next(&connection->loop->local->news);
        connection->news_lost = 0;
    }
    connection->follow.level = follow->level;
    connection->follow.events = follow->events;
    connection->follow.sessions = follow->sessions;
    if (after != before) {
        count(connection->loop, after ? 1 : -1);
    }
    return err;
}

void sp_local_connection_unfollow(struct sp_local_connection *connection)
{
    static const struct sp_local_follow nothing = {.level = SP_LOG_OFF};
    (void)sp_local_connection_follow(connection, &nothing);
}
