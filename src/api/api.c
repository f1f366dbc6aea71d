// SPDX-License-Identifier: MIT
// Every request comes in here: is it from whom it should be, for which row is it, and
// is its body something that a handler reads.
#include "api/api.h"

#include <stdio.h>
#include <string.h>

#include "api/gate.h"
#include "api/inside.h"
#include "api/query.h"
#include "api/reply.h"
#include "api/tables.h"
#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "http/screen.h"
#include "server/server.h"

#define SP_ROUTE(method, pattern, handler, scope, operation, summary) \
    [SP_ROUTE_##handler] = sp_api_##handler,
static sp_api_fn *const handlers[SP_ROUTES] = {
#include "api/routes.def"
};
#undef SP_ROUTE

#define PREFLIGHT_FIELDS 6u
#define OWN_FIELDS       "snakepit-"
#define SHOWN            64u // bytes of a name

static struct sp_slice field(const struct sp_exchange *exchange, const char *name)
{
    return sp_request_field(&exchange->request, name);
}

// ---- Life -----------------------------------------------------------------------

struct sp_api *sp_api_new(const struct sp_api_options *options)
{
    struct sp_api *api = sp_alloc(sizeof *api);
    if (api == NULL) {
        return NULL;
    }
    api->pit = options->pit;
    api->log = options->log;
    api->events = options->events;
    api->drain = options->drain;
    api->user = options->user;
    api->mcp = options->mcp;
    api->path = options->path == NULL ? NULL : sp_strdup(options->path);
    SP_CHECK(pthread_mutex_init(&api->lock, NULL) == 0);
    sp_call_names_init(&api->names);
    sp_feed_init(&api->feed, api->pit);
    if (options->path != NULL && api->path == NULL) {
        sp_api_free(api);
        return NULL;
    }
    return api;
}

void sp_api_free(struct sp_api *api)
{
    if (api == NULL) {
        return;
    }
    sp_api_finish_reload(api);
    struct sp_api_loop *loop = atomic_load(&api->loops);
    while (loop != NULL) {
        struct sp_api_loop *next = loop->next;
        SP_CHECK(sp_list_empty(&loop->streams) && sp_list_empty(&loop->held));
        sp_timer_stop(&loop->looks);
        if (sp_timer_runs(&loop->recording)) {
            sp_timer_stop(&loop->recording);
            (void)snakepit_calls_record(api->pit, false);
        }
        sp_buf_fini(&loop->events);
        sp_buf_fini(&loop->reply);
        if (loop->spare != NULL) {
            loop->drop_spare(loop->spare);
        }
        sp_free(loop);
        loop = next;
    }
    sp_buf_fini(&api->document.text);
    sp_api_tables_unref(api->tables);
    sp_call_names_fini(&api->names);
    sp_feed_fini(&api->feed);
    pthread_mutex_destroy(&api->lock);
    sp_free(api->path);
    sp_free(api);
}

// ---- Who asks -------------------------------------------------------------------

// A listener on loopback, as it is bound; a Unix socket has no name that could lead
// elsewhere.
static bool can_be_rebound(const struct sp_door *door)
{
    return door->local && strncmp(door->address, "unix:", 5) != 0;
}

// A field that says one thing, of which two could be read in two ways.
static bool is_single(struct sp_slice name)
{
    static const char *const names[] = {
        "content-encoding", "content-type", "grpc-encoding", "grpc-timeout", "origin"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == name.size &&
            memcmp(names[i], name.data, name.size) == 0) {
            return true;
        }
    }
    return name.size > strlen(OWN_FIELDS) &&
           memcmp(name.data, OWN_FIELDS, strlen(OWN_FIELDS)) == 0;
}

static bool stands_before(const struct sp_request *request, size_t at)
{
    const struct sp_slice name = request->fields[at].name;
    for (size_t i = 0; i < at; i++) {
        const struct sp_slice other = request->fields[i].name;
        if (other.size == name.size && memcmp(other.data, name.data, name.size) == 0) {
            return true;
        }
    }
    return false;
}

// False: it was refused.
static bool has_single_fields(struct sp_exchange *exchange)
{
    const struct sp_request *request = &exchange->request;
    for (size_t i = 1; i < request->field_count; i++) {
        const struct sp_slice name = request->fields[i].name;
        if (is_single(name) && stands_before(request, i)) {
            char why[160];
            (void)snprintf(why,
                           sizeof why,
                           "the header field %.*s is there twice; send it once",
                           (int)(name.size < SHOWN ? name.size : SHOWN),
                           (const char *)name.data);
            sp_api_refuse(exchange, 400, why);
            return false;
        }
    }
    return true;
}

bool sp_api_may_ask(struct sp_exchange *exchange)
{
    const struct sp_request *request = &exchange->request;
    if (!has_single_fields(exchange)) {
        return false;
    }
    const struct sp_texts *origins = sp_api_origins(exchange);
    const struct sp_door *door = exchange->peer->door;
    if (!sp_api_admit_user(exchange)) {
        return false;
    }
    if (can_be_rebound(door) &&
        !sp_host_is_ours(request->host, door->address, origins)) {
        sp_api_refuse(exchange,
                      421,
                      "this listener is for this machine, and Host names another one");
        return false;
    }
    const struct sp_slice origin = field(exchange, "origin");
    if (origin.data != NULL && !sp_origin_is_named(origin, origins) &&
        !sp_origin_is_own(origin, request->secure, request->host)) {
        sp_api_refuse(exchange,
                      403,
                      "pages of this origin may not ask; `serve: origins` in the "
                      "configuration names those that may");
        return false;
    }
    return true;
}

// ---- OPTIONS --------------------------------------------------------------------

// Also what a browser asks before it sends a page's request.
static void tell_options(struct sp_exchange *exchange)
{
    char allow[SP_ALLOW_SIZE];
    const struct sp_slice origin = field(exchange, "origin");
    const bool named =
        origin.data != NULL && sp_origin_is_named(origin, sp_api_origins(exchange));
    const bool any =
        exchange->request.path.size == 1 && exchange->request.path.data[0] == '*';
    (void)sp_route_allowed(exchange->request.path, allow);
    if (allow[0] == '\0' && !any) {
        sp_api_refuse(
            exchange, 404, "there is nothing at this path; GET / lists all paths");
        return;
    }
    const struct sp_slice methods =
        sp_slice_of_text(any ? "GET, HEAD, POST, PUT, DELETE, OPTIONS" : allow);
    const struct sp_field fields[PREFLIGHT_FIELDS] = {
        {sp_slice_of_text("allow"), methods},
        {sp_slice_of_text("access-control-allow-origin"), origin},
        {sp_slice_of_text("access-control-allow-methods"), methods},
        {sp_slice_of_text("access-control-allow-headers"),
         sp_slice_of_text("Accept, Content-Type, Authorization, Snakepit-Timeout-Ms, "
                          "Snakepit-Session, Snakepit-Priority, Snakepit-Idempotent, "
                          "Snakepit-Call-Id, traceparent, tracestate, "
                          "Mcp-Protocol-Version, Mcp-Method, Mcp-Name, "
                          "Mcp-Session-Id, Inference-Header-Content-Length")},
        {sp_slice_of_text("access-control-max-age"), sp_slice_of_text("600")},
        {sp_slice_of_text("vary"), sp_slice_of_text("Origin")}};
    const struct sp_reply reply = {
        .status = 204, .fields = fields, .field_count = named ? PREFLIGHT_FIELDS : 1};
    sp_exchange_reply(exchange, &reply, (struct sp_slice){NULL, 0});
}

// ---- Requests -------------------------------------------------------------------

// Tensors are bytes behind JSON, and clients say of both what they like: a page of
// another origin has been refused by its Origin.
static bool takes_any_type(enum sp_route_id id)
{
    return id == SP_ROUTE_infer || id == SP_ROUTE_infer_version ||
           id == SP_ROUTE_repository || id == SP_ROUTE_load_model ||
           id == SP_ROUTE_unload_model;
}

// Only what a page of another origin cannot send without asking first.
static bool has_known_body(struct sp_exchange *exchange, enum sp_route_id id)
{
    const enum sp_media media = sp_media_of_body(&exchange->request);
    const struct sp_slice coding = field(exchange, "content-encoding");
    const bool plain = coding.size == 8 && memcmp(coding.data, "identity", 8) == 0;
    if (coding.size > 0 && !plain) {
        sp_api_refuse(exchange,
                      415,
                      "bodies are not compressed here; leave Content-Encoding away");
        return false;
    }
    if (exchange->request.body.size == 0 || takes_any_type(id) ||
        (media & (SP_MEDIA_JSON | SP_MEDIA_MSGPACK)) != 0) {
        return true;
    }
    sp_api_refuse(exchange,
                  415,
                  "a body has the Content-Type application/json or "
                  "application/msgpack; with curl: --json DATA");
    return false;
}

static bool has_known_query(struct sp_exchange *exchange, enum sp_route_id id)
{
    char why[256];
    if (sp_query_fits(id, exchange->request.query, why, sizeof why)) {
        return true;
    }
    sp_api_refuse(exchange, 400, why);
    return false;
}

static void route(struct sp_exchange *exchange)
{
    enum sp_route_id id = SP_ROUTES;
    struct sp_params params;
    switch (
        sp_route_find(exchange->request.method, exchange->request.path, &id, &params)) {
    case SP_MATCH_FOUND:
        if (sp_api_admit(exchange, &sp_routes[id], &params) &&
            has_known_body(exchange, id) && has_known_query(exchange, id)) {
            handlers[id](exchange, &params);
        }
        return;
    case SP_MATCH_NO_PATH:
        sp_api_refuse(
            exchange, 404, "there is nothing at this path; GET / lists all paths");
        return;
    case SP_MATCH_NO_METHOD:
        sp_api_refuse_method(exchange);
        return;
    default:
        sp_api_refuse(exchange,
                      400,
                      "a part of the path is badly encoded, or longer than 255 bytes");
        return;
    }
}

// ---- MCP ------------------------------------------------------------------------

static void ask_mcp(struct sp_exchange *exchange, sp_handler_fn *handle)
{
    if (handle != NULL) {
        handle(exchange);
    } else {
        sp_api_refuse(exchange, 404, "this daemon does not speak MCP");
    }
}

void sp_api_mcp(struct sp_exchange *exchange, const struct sp_params *params)
{
    const struct sp_api_mcp *mcp = sp_api_of(exchange)->mcp;
    (void)params;
    ask_mcp(exchange, mcp == NULL ? NULL : mcp->handle);
}

void sp_api_mcp_news(struct sp_exchange *exchange, const struct sp_params *params)
{
    const struct sp_api_mcp *mcp = sp_api_of(exchange)->mcp;
    (void)params;
    ask_mcp(exchange, mcp == NULL ? NULL : mcp->listen);
}

// ---- Before the body ------------------------------------------------------------

bool sp_api_admits(struct sp_exchange *exchange)
{
    enum sp_route_id id = SP_ROUTES;
    struct sp_params params;
    const struct sp_request *request = &exchange->request;
    const struct sp_peer *peer = exchange->peer;
    if (!peer->excluded && peer->door->tokens == NULL) {
        return true;
    }
    if (!peer->excluded &&
        sp_route_find(request->method, request->path, &id, &params) == SP_MATCH_FOUND &&
        sp_routes[id].access != SP_ACCESS_OPEN) {
        return sp_api_admit(exchange, &sp_routes[id], &params);
    }
    sp_api_handle(exchange); // what needs no token, or is refused, needs no body either
    return false;
}

void sp_api_handle(struct sp_exchange *exchange)
{
    if (!sp_api_may_ask(exchange)) {
        return;
    }
    if (exchange->request.method == SP_METHOD_OPTIONS) {
        tell_options(exchange);
        return;
    }
    route(exchange);
}
