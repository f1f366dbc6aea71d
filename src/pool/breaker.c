// SPDX-License-Identifier: MIT
// A breaker is made by the first failure of its tool, and keeps the moments of the last
// ones: it opens when the oldest of as many as are allowed lies within the window. So
// calls that end well cost nothing here. The number of breakers is bounded; a closed
// one makes room.
#include "pool/breaker.h"

#include <string.h>

#include "base/clock.h"
#include "base/memory.h"

#define BREAKERS_MOST 1024u // tools, some of which are what callers made up

void sp_breakers_init(struct sp_breakers *breakers,
                      const struct sp_breaker_terms *terms,
                      const struct sp_hash_key *key)
{
    *breakers = (struct sp_breakers){.terms = *terms};
    sp_names_init(&breakers->names, key);
    sp_list_init(&breakers->all);
}

static void drop(struct sp_breakers *breakers, struct sp_breaker *breaker)
{
    sp_list_remove(&breaker->link);
    sp_names_remove(&breakers->names, &breaker->name);
    sp_free(breaker);
}

void sp_breakers_fini(struct sp_breakers *breakers)
{
    while (!sp_list_empty(&breakers->all)) {
        drop(breakers, SP_ENTRY(breakers->all.next, struct sp_breaker, link));
    }
    sp_names_fini(&breakers->names);
}

static struct sp_breaker *find(const struct sp_breakers *breakers, struct sp_slice tool)
{
    struct sp_name *name =
        sp_names_find(&breakers->names, (const char *)tool.data, (uint32_t)tool.size);
    return name == NULL ? NULL : SP_ENTRY(name, struct sp_breaker, name);
}

// ---- Making -------------------------------------------------------------------

// The closed one that failed first goes. False: there is no closed one.
static bool make_room(struct sp_breakers *breakers)
{
    for (struct sp_link *link = breakers->all.next; link != &breakers->all;
         link = link->next) {
        struct sp_breaker *breaker = SP_ENTRY(link, struct sp_breaker, link);
        if (breaker->state == SP_BREAKER_CLOSED) {
            drop(breakers, breaker);
            return true;
        }
    }
    return false;
}

// NULL: there is no room, or no memory.
static struct sp_breaker *make(struct sp_breakers *breakers, struct sp_slice tool)
{
    if (breakers->names.count >= BREAKERS_MOST && !make_room(breakers)) {
        return NULL;
    }
    size_t ring = breakers->terms.failures * sizeof(uint64_t);
    struct sp_breaker *made = sp_alloc(sizeof *made + ring + tool.size);
    if (made == NULL) {
        return NULL;
    }
    char *text = (char *)&made->failed[breakers->terms.failures];
    memcpy(text, tool.data, tool.size);
    made->name.text = text;
    made->name.size = (uint32_t)tool.size;
    if (sp_names_add(&breakers->names, &made->name) != SNAKEPIT_OK) {
        sp_free(made);
        return NULL;
    }
    sp_list_append(&breakers->all, &made->link);
    return made;
}

// ---- The window ---------------------------------------------------------------

// When the failure before the last `back` ones was.
static uint64_t failed_at(const struct sp_breakers *breakers,
                          const struct sp_breaker *breaker,
                          uint32_t back)
{
    uint32_t size = breakers->terms.failures;
    return breaker->failed[(breaker->next + size - 1 - back) % size];
}

uint32_t sp_breaker_failures(const struct sp_breakers *breakers,
                             const struct sp_breaker *breaker,
                             uint64_t now)
{
    uint64_t window = breakers->terms.window_ms * SP_NS_PER_MS;
    uint32_t count = 0;
    while (count < breaker->count &&
           now - failed_at(breakers, breaker, count) <= window) {
        count++;
    }
    return count;
}

static void
record(struct sp_breakers *breakers, struct sp_breaker *breaker, uint64_t now)
{
    uint32_t size = breakers->terms.failures;
    breaker->failed[breaker->next] = now;
    breaker->next = (breaker->next + 1) % size;
    breaker->count += breaker->count < size ? 1 : 0;
    sp_list_remove(&breaker->link);
    sp_list_append(&breakers->all, &breaker->link);
}

// ---- Its states ---------------------------------------------------------------

static struct sp_slice tool_of(const struct sp_breaker *breaker)
{
    return (struct sp_slice){(const uint8_t *)breaker->name.text, breaker->name.size};
}

static void mark_those_that_tripped(struct sp_breakers *breakers)
{
    breakers->marks = 0;
    for (struct sp_link *link = breakers->all.next; link != &breakers->all;
         link = link->next) {
        const struct sp_breaker *breaker = SP_ENTRY(link, struct sp_breaker, link);
        bool is_closed = breaker->state == SP_BREAKER_CLOSED;
        breakers->marks |= is_closed ? 0 : sp_breaker_mark(tool_of(breaker));
    }
}

static void
open_it(struct sp_breakers *breakers, struct sp_breaker *breaker, uint64_t now)
{
    breakers->tripped += breaker->state == SP_BREAKER_CLOSED ? 1 : 0;
    breakers->marks |= sp_breaker_mark(tool_of(breaker));
    breaker->state = SP_BREAKER_OPEN;
    breaker->probing = false;
    breaker->open_until = now + breakers->terms.open_ms * SP_NS_PER_MS;
    breaker->count = 0;
}

static void
close_it(struct sp_breakers *breakers, struct sp_breaker *breaker, uint64_t newest)
{
    breakers->tripped--;
    breaker->state = SP_BREAKER_CLOSED;
    breaker->probing = false;
    breaker->count = 0;
    breaker->closed_after = newest;
    mark_those_that_tripped(breakers);
}

enum sp_breaker_state sp_breaker_state(const struct sp_breaker *breaker, uint64_t now)
{
    bool is_over = breaker->state == SP_BREAKER_OPEN && now >= breaker->open_until;
    return is_over ? SP_BREAKER_HALF_OPEN : breaker->state;
}

uint64_t sp_breaker_wait(const struct sp_breaker *breaker, uint64_t now)
{
    switch (sp_breaker_state(breaker, now)) {
    case SP_BREAKER_OPEN:
        return breaker->open_until - now;
    case SP_BREAKER_HALF_OPEN:
        // Nobody knows how long the probe takes; another one takes its place.
        return breaker->probing && breaker->open_until > now ? breaker->open_until - now
                                                             : 0;
    default:
        return 0;
    }
}

enum sp_passage sp_breakers_pass(struct sp_breakers *breakers,
                                 struct sp_slice tool,
                                 uint64_t now,
                                 uint64_t *again_at)
{
    struct sp_breaker *breaker =
        sp_breakers_concern(breakers, tool) ? find(breakers, tool) : NULL;
    if (breaker == NULL || breaker->state == SP_BREAKER_CLOSED) {
        return SP_PASSAGE_FREE;
    }
    uint64_t wait = sp_breaker_wait(breaker, now);
    if (wait > 0) {
        *again_at = now + wait;
        return SP_PASSAGE_REFUSED;
    }
    breaker->state = SP_BREAKER_HALF_OPEN;
    breaker->probing = true;
    breaker->open_until = now + breakers->terms.open_ms * SP_NS_PER_MS;
    return SP_PASSAGE_AS_PROBE;
}

static enum sp_breaker_turn note_probe(struct sp_breakers *breakers,
                                       struct sp_breaker *breaker,
                                       const struct sp_attempt *attempt,
                                       uint64_t now)
{
    switch (attempt->end) {
    case SP_ATTEMPT_SUCCEEDED:
        close_it(breakers, breaker, attempt->newest);
        return SP_BREAKER_CLOSES;
    case SP_ATTEMPT_FAILED:
        open_it(breakers, breaker, now);
        return SP_BREAKER_OPENS;
    default:
        breaker->probing = false; // the next call is another one
        return SP_BREAKER_STAYS;
    }
}

static enum sp_breaker_turn note_failure(struct sp_breakers *breakers,
                                         struct sp_slice tool,
                                         uint64_t call,
                                         uint64_t now)
{
    struct sp_breaker *breaker = find(breakers, tool);
    breaker = breaker == NULL ? make(breakers, tool) : breaker;
    if (breaker == NULL || breaker->state != SP_BREAKER_CLOSED ||
        call <= breaker->closed_after) {
        return SP_BREAKER_STAYS;
    }
    record(breakers, breaker, now);
    if (sp_breaker_failures(breakers, breaker, now) < breakers->terms.failures) {
        return SP_BREAKER_STAYS;
    }
    open_it(breakers, breaker, now);
    return SP_BREAKER_OPENS;
}

enum sp_breaker_turn sp_breakers_note(struct sp_breakers *breakers,
                                      struct sp_slice tool,
                                      const struct sp_attempt *attempt,
                                      uint64_t now)
{
    if (breakers->terms.failures == 0) {
        return SP_BREAKER_STAYS;
    }
    // Of a probe that took too long another one may have decided in the meantime.
    struct sp_breaker *breaker = attempt->probe ? find(breakers, tool) : NULL;
    if (breaker != NULL && breaker->state == SP_BREAKER_HALF_OPEN) {
        return note_probe(breakers, breaker, attempt, now);
    }
    return attempt->end == SP_ATTEMPT_FAILED
               ? note_failure(breakers, tool, attempt->call, now)
               : SP_BREAKER_STAYS;
}

bool sp_breakers_near(const struct sp_breakers *breakers,
                      struct sp_slice tool,
                      uint64_t now)
{
    if (breakers->terms.failures == 0) {
        return false;
    }
    const struct sp_breaker *breaker = find(breakers, tool);
    uint32_t failures = 0;
    if (breaker != NULL && breaker->state != SP_BREAKER_CLOSED) {
        return true;
    }
    if (breaker != NULL) {
        failures = sp_breaker_failures(breakers, breaker, now);
    }
    return failures + 1 >= breakers->terms.failures;
}
