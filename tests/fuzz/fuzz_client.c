// SPDX-License-Identifier: MIT
// What a daemon, or whatever answers in its place, sends to the command: events, and
// problem documents. However the bytes are split, the same events come.
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/events.h"
#include "cli/problem.h"
#include "fuzz.h"

#define LIMIT 4096u

// What came, one after the other.
static bool on_event(void *user, const char *name, struct sp_slice data)
{
    SP_CHECK(strlen(name) < SP_CLI_EVENT_NAME && data.size < LIMIT);
    SP_CHECK(sp_buf_append(user, name, strlen(name) + 1) == SNAKEPIT_OK);
    SP_CHECK(sp_buf_append(user, data.data, data.size) == SNAKEPIT_OK);
    SP_CHECK(sp_buf_append(user, "\n", 1) == SNAKEPIT_OK);
    return true;
}

static snakepit_err
read_split(const uint8_t *data, size_t size, size_t step, struct sp_buf *came)
{
    struct sp_cli_events events = {.limit = LIMIT, .put = on_event, .user = came};
    snakepit_err err = SNAKEPIT_OK;
    for (size_t at = 0; at < size && err == SNAKEPIT_OK; at += step) {
        const size_t piece = size - at < step ? size - at : step;
        err = sp_cli_events_feed(&events, (struct sp_slice){data + at, piece});
    }
    sp_cli_events_fini(&events);
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED);
    return err;
}

static void read_events(const uint8_t *data, size_t size)
{
    struct sp_buf whole = {0};
    struct sp_buf split = {0};
    const size_t step = size == 0 ? 1 : (size_t)data[0] % 7 + 1;
    const bool first = read_split(data, size, size + 1, &whole) == SNAKEPIT_OK;
    const bool second = read_split(data, size, step, &split) == SNAKEPIT_OK;
    if (first && second) {
        SP_CHECK(whole.size == split.size);
        SP_CHECK(whole.size == 0 || memcmp(whole.data, split.data, whole.size) == 0);
    }
    sp_buf_fini(&whole);
    sp_buf_fini(&split);
}

static void read_problem(const uint8_t *data, size_t size)
{
    struct sp_cli_problem problem;
    snakepit_err err = sp_cli_problem_read((struct sp_slice){data, size}, &problem);
    if (err == SNAKEPIT_OK) {
        SP_CHECK(problem.fault.err != SNAKEPIT_OK && problem.status >= 100);
        SP_CHECK(problem.fault.message != NULL && problem.fault.crash_stack != NULL);
        sp_cli_problem_fini(&problem);
    } else {
        SP_CHECK(err == SNAKEPIT_MALFORMED);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    read_events(data, size);
    read_problem(data, size);
    return 0;
}
