// SPDX-License-Identifier: MIT
// A list and a count; a call's phase says whether it is in it.
#include "pool/line.h"

#include "base/check.h"
#include "base/clock.h"

void sp_line_init(struct sp_line *line, uint32_t most)
{
    sp_list_init(&line->calls);
    sp_list_init(&line->delayed);
    line->count = 0;
    line->most = most;
}

static void count(struct sp_line *line)
{
    line->count++;
    line->highest = line->count > line->highest ? line->count : line->highest;
}

// From now on it waits for a worker, unless it has done so in another line.
static void enter(struct sp_line *line, struct sp_call *call)
{
    call->phase = SP_CALL_IN_LINE;
    call->lined_at = call->lined_at != 0 ? call->lined_at : sp_clock_ticks();
    count(line);
}

bool sp_line_is_full(const struct sp_line *line)
{
    return line->count >= line->most;
}

void sp_line_put_first(struct sp_line *line, struct sp_call *call)
{
    sp_list_prepend(&line->calls, &call->link);
    enter(line, call);
}

void sp_line_put_delayed(struct sp_line *line, struct sp_call *call)
{
    call->phase = SP_CALL_IN_LINE; // and waits for its time
    call->lined_at = 0;
    sp_list_append(&line->delayed, &call->link);
    count(line);
}

struct sp_call *sp_line_first(const struct sp_link *list)
{
    return sp_list_empty(list) ? NULL : SP_ENTRY(list->next, struct sp_call, link);
}

// Behind whom a call of that rank stands; the list itself: behind nobody.
static struct sp_link *find_from_end(struct sp_link *list, uint64_t rank)
{
    struct sp_link *before = list->previous;
    while (before != list && SP_ENTRY(before, struct sp_call, link)->rank > rank) {
        before = before->previous;
    }
    return before;
}

static struct sp_link *find_from_front(struct sp_link *list, uint64_t rank)
{
    struct sp_link *after = list->next;
    while (after != list && SP_ENTRY(after, struct sp_call, link)->rank <= rank) {
        after = after->next;
    }
    return after->previous;
}

// Nearly all belong to the end, and urgent ones to the front.
static bool is_near_front(const struct sp_link *list, uint64_t rank)
{
    if (sp_list_empty(list)) {
        return false;
    }
    uint64_t first = SP_ENTRY(list->next, struct sp_call, link)->rank;
    uint64_t last = SP_ENTRY(list->previous, struct sp_call, link)->rank;
    return rank < first || (rank < last && rank - first < last - rank);
}

void sp_line_put_sorted(struct sp_line *line,
                        struct sp_link *list,
                        struct sp_call *call)
{
    struct sp_link *before = is_near_front(list, call->rank)
                                 ? find_from_front(list, call->rank)
                                 : find_from_end(list, call->rank);
    sp_list_prepend(before, &call->link);
    enter(line, call);
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
