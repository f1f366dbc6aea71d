// SPDX-License-Identifier: MIT
// A length keeps its width when it becomes smaller, so that nothing has to move: what
// it lacks are bits that say that more follow.
//
// That a tensor is the one whose bytes are elsewhere shows by the place of its empty
// ones: no two fields can begin at one place.
#include "grpc/large_tensor.h"

#include "grpc/messages.h"
#include "protobuf/wire.h"

const struct sp_large_path sp_large_path_call = {4, {3, 4, 2, 3}};
const struct sp_large_path sp_large_path_infer = {1, {7}};

struct finder {
    struct sp_slice head;
    struct sp_wire wire;
    size_t end; // of what is looked into
    size_t least;
    unsigned level;
    struct sp_large_tensor *found;
};

static size_t place_of(const struct finder *finder)
{
    return (size_t)(finder->wire.at - finder->head.data);
}

static void enter(struct finder *finder, const struct sp_large_length *length)
{
    finder->found->lengths[finder->level++] = *length;
    finder->found->at = place_of(finder);
    finder->found->size = length->value;
    finder->end = place_of(finder) + length->value;
}

// A field that has a length. False: it cannot be read.
static bool look_at(struct finder *finder, uint32_t number)
{
    uint64_t size = 0;
    struct sp_large_length length = {.at = place_of(finder)};
    const bool read = sp_wire_varint(&finder->wire, &size);
    const size_t at = place_of(finder);
    if (!read || at > finder->end || size > finder->end - at ||
        size > SP_WIRE_SIZE_MAX || at - length.at > SP_WIRE_TAG_MAX) {
        return false;
    }
    length.width = at - length.at;
    length.value = (size_t)size;
    if (number == finder->found->path->fields[finder->level] &&
        length.value >= finder->least) {
        enter(finder, &length);
        return true;
    }
    if (length.value > finder->head.size - at) {
        return false;
    }
    if (finder->level == 0 && number == 1) {
        finder->found->pool = (struct sp_slice){finder->wire.at, length.value};
    }
    finder->wire.at += length.value;
    return true;
}

bool sp_large_tensor_find(const struct sp_large_path *path,
                          struct sp_slice head,
                          size_t total,
                          size_t least,
                          struct sp_large_tensor *found)
{
    uint32_t number = 0;
    enum sp_wire_type type = SP_WIRE_VARINT;
    struct finder finder = {.head = head, .end = total, .least = least, .found = found};
    *found = (struct sp_large_tensor){.path = path};
    if (head.size > 0) { // else it may be nowhere
        finder.wire = sp_wire_of(head);
    }
    bool read = true;
    while (read && finder.level < path->levels && !sp_wire_ends(&finder.wire)) {
        read = sp_wire_tag(&finder.wire, &number, &type) &&
               (type == SP_WIRE_BYTES ? look_at(&finder, number)
                                      : sp_wire_skip(&finder.wire, number, type, 0));
    }
    return read && finder.level == path->levels;
}

void sp_large_tensor_leave_out(const struct sp_large_tensor *found, uint8_t *message)
{
    for (size_t i = 0; i < found->path->levels; i++) {
        const struct sp_large_length *length = &found->lengths[i];
        size_t value = length->value - found->size;
        for (size_t k = 0; k < length->width; k++) {
            const bool last = k + 1 == length->width;
            message[length->at + k] = (uint8_t)((value & 0x7fu) | (last ? 0u : 0x80u));
            value >>= 7;
        }
    }
}

void sp_large_tensor_put_back(const struct sp_large_tensor *found,
                              const uint8_t *message,
                              const void *bytes,
                              struct sp_v1_call_request *request)
{
    if (request->arguments == NULL) {
        return;
    }
    for (size_t i = 0; i < request->arguments->tensors.count; i++) {
        struct sp_v1_tensor *tensor = request->arguments->tensors.items[i].value;
        if (tensor != NULL && tensor->data.data == message + found->at &&
            tensor->data.size == 0) {
            tensor->data = (struct sp_slice){bytes, found->size};
        }
    }
}

void sp_large_tensor_put_back_raw(const struct sp_large_tensor *found,
                                  const uint8_t *message,
                                  const void *bytes,
                                  struct sp_oip_request *request)
{
    for (size_t i = 0; i < request->raw_input_contents.count; i++) {
        struct sp_slice *data = &request->raw_input_contents.items[i];
        if (data->data == message + found->at && data->size == 0) {
            *data = (struct sp_slice){bytes, found->size};
        }
    }
}
