// SPDX-License-Identifier: MIT
#include "pool/lane.h"

#include "pool/call.h"

void sp_lane_init(struct sp_lane *lane)
{
    *lane = (struct sp_lane){.open = 0};
    sp_list_init(&lane->ended);
    sp_list_init(&lane->questions);
    sp_list_init(&lane->readable);
}

bool sp_lane_has_news(const struct sp_lane *lane)
{
    return !sp_list_empty(&lane->ended) || !sp_list_empty(&lane->questions) ||
           !sp_list_empty(&lane->readable);
}

void sp_lane_put_readable(struct sp_lane *lane, struct sp_call *call)
{
    if (!sp_link_used(&call->stream_link)) {
        sp_list_append(&lane->readable, &call->stream_link);
        lane->readable_count++;
    }
}

void sp_lane_drop_readable(struct sp_lane *lane, struct sp_call *call)
{
    if (sp_link_used(&call->stream_link)) {
        sp_list_remove(&call->stream_link);
        lane->readable_count--;
    }
}

struct sp_call *sp_lane_take_readable(struct sp_lane *lane)
{
    struct sp_link *link = sp_list_take(&lane->readable);
    lane->readable_count -= link != NULL ? 1 : 0;
    return link == NULL ? NULL : SP_ENTRY(link, struct sp_call, stream_link);
}
