// SPDX-License-Identifier: MIT
#include "services/methods.h"

#include <string.h>

#include "config/config.h"

#define SP_GRPC_SERVICE(service)
#define SP_GRPC_METHOD(service, name, kind, handler, access, summary)           \
    {{(const uint8_t *)"/" service "/" name, sizeof("/" service "/" name) - 1}, \
     SP_GRPC_##kind,                                                            \
     sp_grpc_##handler,                                                         \
     SP_ACCESS_##access,                                                        \
     summary,                                                                   \
     SP_ACCESS_##access == SP_ACCESS_OPEN ? SP_GRPC_OPEN_MOST : 0},
static const struct sp_grpc_method methods[] = {
#include "services/methods.def"
};
#undef SP_GRPC_METHOD
#undef SP_GRPC_SERVICE

#define SP_GRPC_SERVICE(service) service,
#define SP_GRPC_METHOD(service, name, kind, handler, access, summary)
static const char *const services[] = {
#include "services/methods.def"
};
#undef SP_GRPC_METHOD
#undef SP_GRPC_SERVICE

const struct sp_grpc_method *sp_grpc_method_find(struct sp_slice path)
{
    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (methods[i].path.size == path.size &&
            memcmp(methods[i].path.data, path.data, path.size) == 0) {
            return &methods[i];
        }
    }
    return NULL;
}

const struct sp_grpc_method *sp_grpc_method_at(size_t index)
{
    return index < sizeof methods / sizeof methods[0] ? &methods[index] : NULL;
}

const char *sp_grpc_service_at(size_t index)
{
    return index < sizeof services / sizeof services[0] ? services[index] : NULL;
}

bool sp_grpc_is_served(const struct sp_serve_config *config, struct sp_slice name)
{
    static const char service[] = SP_BRIDGE_SERVICE;
    const struct sp_texts *kept = &config->compatibility;
    bool bridge = false;
    if (name.size < sizeof service - 1 ||
        memcmp(name.data, service, sizeof service - 1) != 0) {
        return true;
    }
    for (size_t i = 0; i < kept->count; i++) {
        bridge |= strcmp(kept->items[i], "bridge") == 0;
    }
    return bridge;
}
