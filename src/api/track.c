// SPDX-License-Identifier: MIT
#include "api/track.h"

#include <string.h>

#include "api/gate.h"
#include "api/inside.h"
#include "api/pools.h"
#include "api/reply.h"
#include "base/memory.h"
#include "http/problem.h"
#include "server/grant.h"

bool sp_api_track_begin(struct sp_api_track *track,
                        struct sp_exchange *exchange,
                        const struct sp_api_ask *ask)
{
    if (ask->tool != NULL &&
        !sp_api_admit_to_tool(exchange, ask->options.pool, ask->tool)) {
        return false;
    }
    track->names = &sp_api_of(exchange)->names;
    const char *owner = sp_grant_owner(exchange->grant);
    memcpy(track->owner, owner, strnlen(owner, sizeof track->owner - 1) + 1);
    track->owner[sizeof track->owner - 1] = '\0';
    if (ask->name.size == 0) {
        return true;
    }
    snakepit_err err =
        sp_call_name_add(track->names, &track->name, track->owner, ask->name);
    if (err != SNAKEPIT_OK) {
        sp_api_fail(exchange,
                    err,
                    err == SNAKEPIT_BUSY
                        ? "another call that is under way has this Snakepit-Call-Id"
                        : NULL);
        return false;
    }
    memcpy(track->text, ask->name.data, ask->name.size);
    track->text[ask->name.size] = '\0';
    return true;
}

static void write_number(snakepit_call_id id, char room[SP_CALL_TEXT_SIZE])
{
    char digits[SP_CALL_TEXT_SIZE];
    size_t count = 0;
    size_t size = 0;
    do {
        digits[count++] = (char)('0' + id % 10);
        id /= 10;
    } while (id > 0);
    while (count > 0) {
        room[size++] = digits[--count];
    }
    room[size] = '\0';
}

// So that its owner may cancel it, and nobody else. Without memory nobody may.
static void own_number(struct sp_api_track *track)
{
    if (track->owner[0] != '\0') {
        (void)sp_call_name_add(
            track->names, &track->name, track->owner, sp_slice_of_text(track->text));
    }
}

bool sp_api_track_set(struct sp_api_track *track, snakepit_call_id id)
{
    track->id = id;
    if (track->text[0] == '\0') {
        write_number(id, track->text);
        own_number(track);
    }
    return sp_call_name_set(track->names, &track->name, id);
}

const char *sp_api_track_text(const struct sp_api_track *track)
{
    return track->text[0] == '\0' ? NULL : track->text;
}

void sp_api_track_end(struct sp_api_track *track)
{
    if (track->names != NULL) {
        sp_call_name_remove(track->names, &track->name);
    }
}

// ---- Refusals -------------------------------------------------------------------

static uint32_t
find_tool(const snakepit_breaker_info *rows, size_t count, const char *tool)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(rows[i].tool, tool) == 0) {
            return rows[i].retry_after_ms;
        }
    }
    return 0;
}

// A call that was refused has no answer that would say it.
static uint32_t breaker_opens_in(snakepit *pit, const char *pool, const char *tool)
{
    size_t count = 0;
    snakepit_breaker_info *rows = NULL;
    snakepit_err err = sp_api_breakers(pit, pool, &rows, &count);
    const uint32_t ms = err == SNAKEPIT_OK ? find_tool(rows, count, tool) : 0;
    sp_free(rows);
    return ms;
}

void sp_api_refuse_call(struct sp_exchange *exchange,
                        const struct sp_api_track *track,
                        const struct sp_api_ask *ask,
                        snakepit_err err)
{
    const snakepit_fault fault = sp_fault_of(err, ask->why.text);
    uint32_t ms = 0;
    if (err == SNAKEPIT_BREAKER_OPEN && ask->tool != NULL) {
        ms = breaker_opens_in(sp_api_of(exchange)->pit, ask->options.pool, ask->tool);
    }
    sp_api_fault(exchange, &fault, ms, sp_api_track_text(track));
}
