// SPDX-License-Identifier: MIT
#include "server/exchange.h"

#include <string.h>

#include "base/memory.h"

enum sp_method sp_method_of(struct sp_slice name)
{
    static const char *const methods[] = {[SP_METHOD_GET] = "GET",
                                          [SP_METHOD_HEAD] = "HEAD",
                                          [SP_METHOD_POST] = "POST",
                                          [SP_METHOD_PUT] = "PUT",
                                          [SP_METHOD_DELETE] = "DELETE",
                                          [SP_METHOD_OPTIONS] = "OPTIONS"};
    unsigned method = SP_METHOD_GET;
    while (method < SP_METHOD_OTHER &&
           (strlen(methods[method]) != name.size ||
            memcmp(methods[method], name.data, name.size) != 0)) {
        method++;
    }
    return (enum sp_method)method;
}

struct sp_slice sp_request_field(const struct sp_request *request, const char *name)
{
    size_t size = strlen(name);
    for (size_t i = 0; i < request->field_count; i++) {
        const struct sp_field *field = &request->fields[i];
        if (field->name.size == size && memcmp(field->name.data, name, size) == 0) {
            return field->value;
        }
    }
    return (struct sp_slice){NULL, 0};
}

struct sp_slice sp_request_only_field(const struct sp_request *request,
                                      const char *name)
{
    const struct sp_slice none = {NULL, 0};
    const struct sp_slice found = sp_request_field(request, name);
    size_t count = 0;
    for (size_t i = 0; found.data != NULL && i < request->field_count; i++) {
        const struct sp_slice *other = &request->fields[i].name;
        count +=
            other->size == strlen(name) && memcmp(other->data, name, other->size) == 0;
    }
    return count > 1 ? none : found;
}

// ---- Calls that nobody waits for ----------------------------------------------------

struct sp_unfinished {
    size_t count;
    bool owned; // by a connection
};

struct sp_unfinished *sp_unfinished_new(void)
{
    struct sp_unfinished *unfinished = sp_alloc(sizeof *unfinished);
    if (unfinished != NULL) {
        unfinished->owned = true;
    }
    return unfinished;
}

static void free_unused(struct sp_unfinished *unfinished)
{
    if (unfinished->count == 0 && !unfinished->owned) {
        sp_free(unfinished);
    }
}

void sp_unfinished_free(struct sp_unfinished *unfinished)
{
    if (unfinished != NULL) {
        unfinished->owned = false;
        free_unused(unfinished);
    }
}

struct sp_unfinished *sp_unfinished_begin(struct sp_exchange *exchange)
{
    if (exchange->unfinished != NULL) {
        exchange->unfinished->count++;
    }
    return exchange->unfinished;
}

void sp_unfinished_end(struct sp_unfinished *unfinished)
{
    if (unfinished != NULL) {
        unfinished->count--;
        free_unused(unfinished);
    }
}

size_t sp_unfinished_count(const struct sp_unfinished *unfinished)
{
    return unfinished->count;
}
