// SPDX-License-Identifier: MIT
#include "pool/recent.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "base/text.h"

#define SLOW_US UINT64_C(1000000)

snakepit_err sp_recent_init(struct sp_recent *recent)
{
    recent->slow_ticks = SLOW_US * sp_clock_ticks_per_us();
    sp_recent_tell(recent, UINT64_MAX);
    recent->kept = sp_alloc_array(SP_RECENT_KEPT, sizeof *recent->kept);
    return recent->kept == NULL ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK;
}

void sp_recent_fini(struct sp_recent *recent)
{
    sp_free(recent->rows);
    sp_free(recent->kept);
}

static void choose_noted(struct sp_recent *recent)
{
    const uint64_t slow = recent->slow_ticks;
    const uint64_t told = recent->told_ticks;
    recent->noted_ticks = recent->rows != NULL ? 0 : slow < told ? slow : told;
}

struct sp_ended *sp_recent_record(struct sp_recent *recent, struct sp_ended *rows)
{
    struct sp_ended *before = recent->rows;
    recent->rows = rows;
    choose_noted(recent);
    return before;
}

void sp_recent_tell(struct sp_recent *recent, uint64_t ticks)
{
    recent->told_ticks = ticks;
    choose_noted(recent);
}

// ---- Noting ---------------------------------------------------------------------

static uint64_t unix_us(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (uint64_t)now.tv_sec * 1000000 + (uint64_t)now.tv_nsec / SP_NS_PER_US;
}

static size_t least(size_t a, size_t b)
{
    return a < b ? a : b;
}

// A call that was given up has left its parcel to the worker.
static void
name_it(struct sp_ended *row, const struct sp_store *store, const struct sp_call *call)
{
    const struct sp_parcel *parcel =
        call->parcel != NULL ? call->parcel : call->left_parcel;
    if (parcel == NULL) {
        return; // there was no memory for one
    }
    const struct sp_slice tool = sp_parcel_tool(store, parcel);
    const struct sp_slice session = sp_parcel_session(store, parcel);
    const size_t tool_size = least(tool.size, SP_RECENT_TOOL_MOST);
    const size_t session_size = least(session.size, SP_RECENT_TEXT - tool_size);
    memcpy(row->text, tool.data, tool_size);
    memcpy(row->text + tool_size, session.data, session_size);
    row->tool_size = (uint8_t)tool_size;
    row->session_size = (uint8_t)session_size;
}

static void
fill(const struct sp_recent *recent, struct sp_ended *row, const struct sp_call *call)
{
    const uint64_t ticks = sp_clock_ticks_per_us();
    row->call = call->id;
    row->worker = call->fault.worker;
    row->ended_us = unix_us();
    row->waited_us = sp_call_waited(call) / ticks;
    row->ran_us = call->ran_ticks / ticks;
    row->executor = call->executor;
    row->retries = (uint8_t)least(call->retries, UINT8_MAX);
    row->slow = sp_recent_is_slow(recent, call);
    row->tool_size = row->session_size = 0;
}

static struct sp_kept_call *kept_at(const struct sp_recent *recent, uint64_t number)
{
    return &recent->kept[(number - 1) & (SP_RECENT_KEPT - 1)];
}

static void keep(struct sp_recent *recent, const struct sp_ended *row)
{
    struct sp_kept_call *kept = kept_at(recent, ++recent->kept_count);
    kept->row = *row;
    kept->row.number = recent->kept_count;
    kept->error[0] = '\0';
    kept->traceback[0] = '\0';
}

// Whoever has cancelled it knows. There may be very many at once.
static bool is_of_no_interest(const struct sp_recent *recent,
                              const struct sp_call *call)
{
    return call->err == SNAKEPIT_CANCELLED && recent->rows == NULL;
}

void sp_recent_note(struct sp_recent *recent,
                    const struct sp_store *store,
                    const struct sp_call *call,
                    snakepit_err err)
{
    struct sp_ended row;
    if (is_of_no_interest(recent, call)) {
        return;
    }
    fill(recent, &row, call);
    row.err = (uint16_t)err;
    name_it(&row, store, call);
    if (recent->rows != NULL) {
        row.number = ++recent->count;
        recent->rows[(row.number - 1) & (SP_RECENT_ROWS - 1)] = row;
    }
    if (call->err != SNAKEPIT_OK || row.slow) {
        keep(recent, &row);
    }
    if (call->err != SNAKEPIT_OK && call->body.data == NULL) {
        sp_recent_explain(recent, call); // the pool has ended it, and said why
    }
}

// ---- Explaining -------------------------------------------------------------------

// The newest first, for it has ended just now. NULL: it is not there any more.
static struct sp_kept_call *find(const struct sp_recent *recent, uint64_t call)
{
    const uint64_t last = recent->kept_count;
    for (uint64_t i = 0; i < last && i < SP_RECENT_KEPT; i++) {
        struct sp_kept_call *kept = kept_at(recent, last - i);
        if (kept->row.call == call) {
            return kept;
        }
    }
    return NULL;
}

// Not from the middle of a character.
static const char *end_of(const char *text, size_t most)
{
    const size_t size = strlen(text);
    const char *at = size > most ? text + size - most : text;
    while ((*at & 0xc0) == 0x80) {
        at++;
    }
    return at;
}

void sp_recent_explain(struct sp_recent *recent, const struct sp_call *call)
{
    const snakepit_fault *fault = &call->fault;
    struct sp_kept_call *kept = find(recent, call->id);
    if (kept == NULL) {
        return;
    }
    const bool typed = fault->type != NULL && fault->type[0] != '\0';
    (void)snprintf(kept->error,
                   sizeof kept->error,
                   "%s%s%s",
                   typed ? fault->type : "",
                   typed ? ": " : "",
                   fault->message == NULL ? "" : fault->message);
    (void)snprintf(kept->traceback,
                   sizeof kept->traceback,
                   "%s",
                   fault->traceback == NULL
                       ? ""
                       : end_of(fault->traceback, sizeof kept->traceback - 1));
    sp_text_clean(kept->error, strlen(kept->error), SP_TEXT_LINE);
}

// ---- Reading ----------------------------------------------------------------------

// The number before the first one that is to be copied.
static uint64_t start(uint64_t count, uint64_t ring, uint64_t after, size_t room)
{
    const uint64_t most = least(ring, room);
    const uint64_t oldest = count > most ? count - most : 0;
    return after > oldest ? after : oldest;
}

size_t sp_recent_copy(const struct sp_recent *recent,
                      uint64_t after,
                      struct sp_ended *rows,
                      size_t room)
{
    size_t count = 0;
    if (recent->rows == NULL) {
        return 0;
    }
    for (uint64_t i = start(recent->count, SP_RECENT_ROWS, after, room);
         i < recent->count;
         i++) {
        const struct sp_ended *row = &recent->rows[i & (SP_RECENT_ROWS - 1)];
        if (row->number == i + 1) { // else the ring is newer than that
            rows[count++] = *row;
        }
    }
    return count;
}

size_t sp_recent_copy_kept(const struct sp_recent *recent,
                           uint64_t after,
                           struct sp_kept_call *rows,
                           size_t room)
{
    size_t count = 0;
    for (uint64_t i = start(recent->kept_count, SP_RECENT_KEPT, after, room);
         i < recent->kept_count;
         i++) {
        rows[count++] = *kept_at(recent, i + 1);
    }
    return count;
}
