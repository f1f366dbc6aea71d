// SPDX-License-Identifier: MIT
#include "server/connection_inside.h"

void sp_connections_init(struct sp_connections *all,
                         struct sp_loop *loop,
                         const uint32_t limits_ms[SP_WAITS])
{
    all->loop = loop;
    all->count = 0;
    all->spare_in = (struct sp_buf){0};
    all->spare_out = (struct sp_buf){0};
    sp_waits_init(&all->waits, loop, limits_ms, sp_connection_late);
}

static struct sp_connection *first_that_waits_for(struct sp_connections *all,
                                                  enum sp_wait_for what)
{
    struct sp_link *list = &all->waits.lists[what];
    return sp_list_empty(list) ? NULL
                               : SP_ENTRY(SP_ENTRY(list->next, struct sp_wait, link),
                                          struct sp_connection,
                                          wait);
}

void sp_connections_fini(struct sp_connections *all)
{
    struct sp_connection *connection;
    for (int what = 0; what < SP_WAITS; what++) {
        while ((connection = first_that_waits_for(all, (enum sp_wait_for)what)) !=
               NULL) {
            sp_connection_destroy(connection);
        }
    }
    sp_waits_fini(&all->waits);
    sp_buf_fini(&all->spare_in);
    sp_buf_fini(&all->spare_out);
}

// Each is asked once, though what it does may move it to another list.
void sp_connections_drain(struct sp_connections *all)
{
    struct sp_link asked;
    struct sp_link *link;
    sp_list_init(&asked);
    for (int what = 0; what < SP_WAITS; what++) {
        while ((link = sp_list_take(&all->waits.lists[what])) != NULL) {
            sp_list_append(&asked, link);
        }
    }
    while ((link = sp_list_take(&asked)) != NULL) {
        struct sp_wait *wait = SP_ENTRY(link, struct sp_wait, link);
        sp_list_append(&all->waits.lists[wait->what], link);
        sp_connection_drain(SP_ENTRY(wait, struct sp_connection, wait));
    }
}

bool sp_connections_drop_idle(struct sp_connections *all)
{
    struct sp_connection *idle = first_that_waits_for(all, SP_WAIT_END);
    if (idle == NULL) {
        idle = first_that_waits_for(all, SP_WAIT_REQUEST);
    }
    if (idle == NULL) {
        idle = first_that_waits_for(all, SP_WAIT_HANDSHAKE);
    }
    if (idle != NULL) {
        sp_door_count(idle->counts, SP_DOOR_NO_ROOM, 1);
        // Of an answer a part may still be on its way.
        sp_connection_discard(idle);
        sp_connection_destroy(idle);
    }
    return idle != NULL;
}
