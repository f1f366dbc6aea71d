// SPDX-License-Identifier: MIT
// What a worker's adapter says of itself.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "payload/json.h"
#include "process/event.h"

static void go_through(snakepit_reader map, struct sp_buf *json)
{
    snakepit_err err = sp_json_write(&map, json, NULL);
    SP_CHECK(err == SNAKEPIT_OK || err == SNAKEPIT_MALFORMED ||
             err == SNAKEPIT_UNSERIALISABLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct sp_event event;
    struct sp_buf json = {0};
    if (sp_event_parse(&event, data, size) == SNAKEPIT_OK) {
        SP_CHECK(memchr(event.name, 0, sizeof event.name) != NULL);
        SP_CHECK(memchr(event.session, 0, sizeof event.session) != NULL);
        SP_CHECK(memchr(event.correlation, 0, sizeof event.correlation) != NULL);
        go_through(event.told.measurements, &json);
        go_through(event.told.metadata, &json);
    }
    sp_buf_fini(&json);
    return 0;
}
