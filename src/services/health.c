// SPDX-License-Identifier: MIT
// grpc.health.v1. Each pool is a service by its name; the empty name, and those of the
// services that there are, stand for all of them.
#include <string.h>

#include "api/gate.h"
#include "api/health.h"
#include "api/inside.h"
#include "base/memory.h"
#include "grpc/messages.h"
#include "grpc/reply.h"
#include "server/server.h"
#include "services/call.h"
#include "services/message.h"

static bool is_service(const char *name)
{
    const char *service;
    for (size_t i = 0; (service = sp_grpc_service_at(i)) != NULL; i++) {
        if (strcmp(service, name) == 0) {
            return true;
        }
    }
    return false;
}

// Names of pools are for those who may see the pools.
static bool may_know(struct sp_exchange *exchange, const char *pool)
{
    return sp_api_may_look(exchange) && sp_api_may(exchange, SP_ACCESS_OBSERVE, pool);
}

static enum sp_health_status status_of(struct sp_exchange *exchange, const char *name)
{
    snakepit *pit = sp_api_of(exchange)->pit;
    bool serving = false;
    if (name[0] == '\0' || is_service(name)) {
        serving = sp_api_all_serve(pit);
    } else if (!may_know(exchange, name) || !sp_api_pool_serves(pit, name, &serving)) {
        return SP_HEALTH_SERVICE_UNKNOWN;
    }
    return serving && !sp_serve_loop_draining(exchange->loop) ? SP_HEALTH_SERVING
                                                              : SP_HEALTH_NOT_SERVING;
}

// False: it was refused.
static bool read_service(struct sp_grpc_call *call,
                         struct sp_slice message,
                         char service[SP_PARAM_SIZE])
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_health_check_request request = {.which = 0};
    const bool read = sp_grpc_decode(call->exchange,
                                     &sp_type_health_check_request,
                                     message,
                                     &scratch,
                                     &request) &&
                      sp_grpc_text(call->exchange, request.service, "service", service);
    sp_scratch_fini(&scratch);
    return read;
}

void sp_grpc_health_check(struct sp_grpc_call *call, struct sp_slice message)
{
    char service[SP_PARAM_SIZE];
    if (!read_service(call, message, service)) {
        return;
    }
    const struct sp_health_check_response response = {
        .status = (int32_t)status_of(call->exchange, service)};
    if (response.status == SP_HEALTH_SERVICE_UNKNOWN) {
        sp_grpc_refuse(
            call->exchange, SP_GRPC_NOT_FOUND, "there is no pool of that name");
        return;
    }
    sp_grpc_answer(call->exchange, &sp_type_health_check_response, &response);
}

// ---- All of them ----------------------------------------------------------------

void sp_grpc_health_list(struct sp_grpc_call *call, struct sp_slice message)
{
    struct sp_exchange *exchange = call->exchange;
    snakepit *pit = sp_api_of(exchange)->pit;
    const size_t room = snakepit_pool_count(pit) + 1;
    struct sp_scratch scratch = {.used = 0};
    struct sp_health_list_response response = {.which = 0};
    struct sp_text_to_health_check_response *items =
        sp_scratch_take(&scratch, room * sizeof *items);
    struct sp_health_check_response *values =
        sp_scratch_take(&scratch, room * sizeof *values);
    (void)message;
    if (items == NULL || values == NULL) {
        sp_grpc_refuse(exchange, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
        sp_scratch_fini(&scratch);
        return;
    }
    for (size_t i = 0; i < room; i++) {
        const char *name = i == 0 ? "" : snakepit_pool_name(pit, i - 1);
        if (name != NULL && (i == 0 || sp_api_may(exchange, SP_ACCESS_OBSERVE, name))) {
            const size_t at = response.statuses.count++;
            values[at].status = (int32_t)status_of(exchange, name);
            items[at].key = sp_slice_of_text(name);
            items[at].value = &values[at];
        }
    }
    response.statuses.items = items;
    sp_grpc_answer(exchange, &sp_type_health_list_response, &response);
    sp_scratch_fini(&scratch);
}

// ---- Watching -------------------------------------------------------------------

struct watched {
    enum sp_health_status told;
    char service[SP_PARAM_SIZE];
};

static void tell(struct sp_grpc_call *call, enum sp_health_status status)
{
    struct watched *watched = call->state;
    struct sp_buf frame = {0};
    const struct sp_health_check_response response = {.status = (int32_t)status};
    watched->told = status;
    if (sp_grpc_append(&frame, &sp_type_health_check_response, &response) ==
        SNAKEPIT_OK) {
        (void)sp_grpc_send(call, (struct sp_slice){frame.data, frame.size});
    } else {
        sp_grpc_finish(call, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
    }
    sp_buf_fini(&frame);
}

static void look(struct sp_grpc_call *call)
{
    const struct watched *watched = call->state;
    const enum sp_health_status now = status_of(call->exchange, watched->service);
    // One who does not read is told the latest when he does.
    if (now != watched->told && sp_exchange_room(call->exchange) > 0) {
        tell(call, now);
    }
}

static void over(struct sp_grpc_call *call)
{
    sp_free(call->state);
}

void sp_grpc_health_watch(struct sp_grpc_call *call, struct sp_slice message)
{
    static const struct sp_grpc_holder holder = {.look = look, .over = over};
    char service[SP_PARAM_SIZE];
    if (!read_service(call, message, service)) {
        return;
    }
    struct watched *watched = sp_alloc(sizeof *watched);
    if (watched == NULL) {
        sp_grpc_refuse(
            call->exchange, SP_GRPC_RESOURCE_EXHAUSTED, "there is no memory");
        return;
    }
    memcpy(watched->service, service, sizeof watched->service);
    call->state = watched;
    sp_grpc_hold(call, &holder);
    tell(call, status_of(call->exchange, service));
}
