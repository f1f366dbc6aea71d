// SPDX-License-Identifier: MIT
#include "front/exchange.h"

#include <string.h>

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
