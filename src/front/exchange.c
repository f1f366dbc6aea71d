// SPDX-License-Identifier: MIT
#include "front/exchange.h"

#include <string.h>

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
