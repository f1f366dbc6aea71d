// SPDX-License-Identifier: MIT
#include "pool/loads.h"

#include "base/check.h"
#include "pool/seat.h"

void sp_loads_init(struct sp_loads *loads)
{
    for (uint32_t i = 0; i < SP_LOADS; i++) {
        sp_list_init(&loads->by_load[i]);
    }
    loads->lowest = 0;
    loads->count = 0;
    loads->crowded = 0;
}

static void note_load(struct sp_loads *loads, uint32_t load)
{
    SP_CHECK(load < SP_LOADS);
    if (load < loads->lowest) {
        loads->lowest = load;
    }
}

void sp_loads_add(struct sp_loads *loads, struct sp_seat *seat)
{
    SP_CHECK(!seat->open);
    seat->open = true;
    loads->count++;
    note_load(loads, seat->load);
    struct sp_link *first = loads->by_load[seat->load].next;
    sp_list_append(first->next, &seat->link); // second, or alone
}

void sp_loads_remove(struct sp_loads *loads, struct sp_seat *seat)
{
    if (seat->open) {
        seat->open = false;
        loads->count--;
        sp_list_remove(&seat->link);
    }
}

void sp_loads_set_load(struct sp_loads *loads, struct sp_seat *seat, uint32_t load)
{
    loads->crowded += load > seat->capacity ? 1 : 0;
    loads->crowded -= seat->load > seat->capacity ? 1 : 0;
    seat->load = load;
    if (seat->open) {
        note_load(loads, load);
        sp_list_remove(&seat->link);
        sp_list_prepend(&loads->by_load[load], &seat->link);
    }
}

struct sp_seat *sp_loads_least(struct sp_loads *loads)
{
    if (loads->count == 0) {
        return NULL;
    }
    while (sp_list_empty(&loads->by_load[loads->lowest])) {
        loads->lowest++;
        SP_CHECK(loads->lowest < SP_LOADS);
    }
    return SP_ENTRY(loads->by_load[loads->lowest].next, struct sp_seat, link);
}
