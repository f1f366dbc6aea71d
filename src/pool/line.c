// SPDX-License-Identifier: MIT
// A list and a count; a call's phase says whether it is in it.
#include "pool/line.h"

#include "base/check.h"

void sp_line_init(struct sp_line *line, uint32_t most)
{
    sp_list_init(&line->calls);
    sp_list_init(&line->delayed);
    line->count = 0;
    line->most = most;
}

bool sp_line_is_full(const struct sp_line *line)
{
    return line->count >= line->most;
}

void sp_line_put_first(struct sp_line *line, struct sp_call *call)
{
    call->phase = SP_CALL_IN_LINE;
    sp_list_prepend(&line->calls, &call->link);
    line->count++;
}

void sp_line_put_delayed(struct sp_line *line, struct sp_call *call)
{
    call->phase = SP_CALL_IN_LINE;
    sp_list_append(&line->delayed, &call->link);
    line->count++;
}

struct sp_call *sp_line_first(const struct sp_link *list)
{
    return sp_list_empty(list) ? NULL : SP_ENTRY(list->next, struct sp_call, link);
}

void sp_line_put_sorted(struct sp_line *line,
                        struct sp_link *list,
                        struct sp_call *call)
{
    // From the end, where nearly all belong; the most urgent ones go to the front.
    const struct sp_call *first = sp_line_first(list);
    bool foremost = first != NULL && call->rank < first->rank;
    struct sp_link *before = foremost ? list : list->previous;
    while (before != list &&
           SP_ENTRY(before, struct sp_call, link)->rank > call->rank) {
        before = before->previous;
    }
    call->phase = SP_CALL_IN_LINE;
    sp_list_prepend(before, &call->link);
    line->count++;
}

struct sp_call *sp_line_take(struct sp_line *line)
{
    struct sp_link *first = sp_list_take(&line->calls);
    if (first == NULL) {
        return NULL;
    }
    line->count--;
    return SP_ENTRY(first, struct sp_call, link);
}

void sp_line_remove(struct sp_line *line, struct sp_call *call)
{
    SP_CHECK(call->phase == SP_CALL_IN_LINE && line->count > 0);
    sp_list_remove(&call->link);
    line->count--;
}
