// SPDX-License-Identifier: MIT
// What an adapter tells, as it becomes a message for a host of the original: any bytes
// as the JSON of an event. The message can be written and read again, its parts are its
// name, and no key of its metadata stands twice.
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "protobuf/message.h"
#include "services/bridge_telemetry.h"

static bool is_same(struct sp_slice one, struct sp_slice other)
{
    return one.size == other.size &&
           (one.size == 0 || memcmp(one.data, other.data, one.size) == 0);
}

static void check_name(const struct sp_bridge_told *told)
{
    size_t size = told->event.event_parts.count - 1; // the dots
    for (size_t i = 0; i < told->event.event_parts.count; i++) {
        size += told->event.event_parts.items[i].size;
    }
    SP_CHECK(size == told->name.size);
}

static void check_keys(const struct sp_bridge_told *told)
{
    const size_t count = told->event.metadata.count;
    for (size_t i = 0; i < count; i++) {
        for (size_t j = i + 1; j < count; j++) {
            SP_CHECK(!is_same(told->event.metadata.items[i].key,
                              told->event.metadata.items[j].key));
        }
    }
}

static void check_again(const struct sp_bridge_told *told)
{
    struct sp_buf bytes = {0};
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_telemetry_event again = {.which = 0};
    const struct sp_proto_type *type = &sp_type_bridge_telemetry_event;
    snakepit_message why;
    SP_CHECK(sp_proto_encode_flat(type, &told->event, &bytes) == SNAKEPIT_OK);
    const struct sp_slice written = {bytes.data, bytes.size};
    SP_CHECK(sp_proto_decode(type, written, &scratch, &again, &why) == SNAKEPIT_OK);
    SP_CHECK(again.measurements.count == told->event.measurements.count);
    SP_CHECK(again.metadata.count == told->event.metadata.count);
    sp_scratch_fini(&scratch);
    sp_buf_fini(&bytes);
}

static void tell(enum sp_notice_id id, const char *json, size_t size)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_bridge_told told;
    snakepit_writer *writer = snakepit_writer_new();
    const struct sp_kept_event event = {
        .kind = &sp_notice_kinds[id], .json = json, .json_size = size};
    SP_CHECK(sp_bridge_tell(&event, writer, &scratch, &told) == SNAKEPIT_OK);
    check_name(&told);
    check_keys(&told);
    check_again(&told);
    sp_scratch_fini(&scratch);
    snakepit_writer_free(writer);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size <= 4096) { // as long as an event's JSON may be
        tell(SP_NOTICE_worker_event, (const char *)data, size);
        tell(SP_NOTICE_worker_started, (const char *)data, size);
    }
    return 0;
}
