// SPDX-License-Identifier: MIT
// What a daemon answers becomes what a pit would have answered: a value, or a fault.
// What else may come (another program, another version, a connection that breaks off)
// is one sentence with a remedy.
#include "cli/remote.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/memory.h"
#include "cli/credentials.h"
#include "cli/events.h"
#include "cli/http.h"
#include "cli/remote_inside.h"
#include "cli/text.h"
#include "http/percent.h"
#include "http/problem.h"

#define VARIABLE   "SNAKEPIT_CONNECT"
#define TOOLS_MS   300000u // that it has for a question to a worker
#define BESIDE_MS  30000u  // that it has beside the time of a call
#define EVENT_MOST ((size_t)1 << 30)
#define NAME_MOST  255u

static struct sp_cli_remote *remote_of(struct sp_cli_target *target)
{
    return (struct sp_cli_remote *)(void *)target;
}

const char *sp_cli_remote_shown(const struct sp_cli_remote *remote)
{
    return remote->address.shown;
}

// ---- What is no answer of a daemon --------------------------------------------------

// The first line of `GET /`, which each version has: "Snakepit 0.6.0". False: it is
// another program.
static bool ask_version(struct sp_cli_remote *remote, char version[64])
{
    snakepit_message why;
    static const char begins[] = "Snakepit ";
    const struct sp_cli_request request = {
        .method = "GET", .path = "/", .timeout_ms = SP_CLI_LOOK_MS};
    struct sp_cli_response response = {.status = 0};
    snakepit_err err = sp_cli_http_ask(remote->http, &request, &response, &why);
    const size_t size = response.body.size;
    const bool known = err == SNAKEPIT_OK && response.status == 200 &&
                       size > sizeof begins &&
                       memcmp(response.body.data, begins, sizeof begins - 1) == 0;
    if (known) {
        const uint8_t *end = memchr(response.body.data, '\n', size);
        const size_t line = end == NULL ? size : (size_t)(end - response.body.data);
        sp_cli_format(version,
                      64,
                      "%.*s",
                      line > 60 ? 60 : (int)line,
                      (char *)response.body.data);
    }
    sp_buf_fini(&response.body);
    return known;
}

// What was asked for is not there, or what came is not what a daemon sends.
static void refuse_stranger(struct sp_cli_remote *remote,
                            const struct sp_cli_request *request,
                            const struct sp_cli_response *response,
                            struct sp_cli_result *result)
{
    char version[64];
    if (ask_version(remote, version)) {
        result->err = SNAKEPIT_UNSUPPORTED;
        sp_cli_explain(&result->why,
                       "the daemon at %s, %s, does not know %s %.200s as this command, "
                       "snakepit " SNAKEPIT_VERSION
                       ", does; use the same version of both",
                       remote->address.shown,
                       version,
                       request->method,
                       request->path);
        return;
    }
    // What speaks TLS says so when it is asked without.
    const bool tls = response->status == 400 && !remote->address.secure;
    result->err = SNAKEPIT_UNREACHABLE;
    sp_cli_explain(&result->why,
                   "what answers at %s is not a Snakepit daemon%s: it says %u%s%s; %s",
                   remote->address.shown,
                   tls ? ", or one that serves TLS" : "",
                   response->status,
                   response->type[0] != '\0' ? " with " : "",
                   response->type,
                   tls ? "then its address begins with https://"
                       : "name the daemon's address with --connect");
}

static void refuse_client(const struct sp_cli_remote *remote,
                          const char *detail,
                          struct sp_cli_result *result)
{
    const bool shown = remote->credentials.token != NULL;
    result->err = SNAKEPIT_DENIED;
    sp_cli_explain(&result->why,
                   "the daemon at %s does not let this client do that: %s; %s",
                   remote->address.shown,
                   detail,
                   shown ? "show another token with --token-file FILE"
                         : "show a token with --token-file FILE or $SNAKEPIT_TOKEN");
}

// A problem that HTTP alone has.
static void read_http_problem(struct sp_cli_remote *remote,
                              const struct sp_cli_request *request,
                              const struct sp_cli_response *response,
                              struct sp_cli_result *result)
{
    const char *detail = result->problem.fault.message;
    switch (response->status) {
    case 401:
    case 403:
        refuse_client(remote, detail, result);
        return;
    case 404:
    case 405:
        refuse_stranger(remote, request, response, result);
        return;
    default:
        result->err =
            response->status < 500 ? SNAKEPIT_INVALID_ARGUMENT : SNAKEPIT_PROTOCOL;
        sp_cli_explain(&result->why,
                       "the daemon at %s refuses the request: %s",
                       remote->address.shown,
                       detail);
    }
}

void sp_cli_remote_refuse_answer(const struct sp_cli_remote *remote,
                                 struct sp_cli_result *result)
{
    result->err = SNAKEPIT_PROTOCOL;
    sp_cli_explain(
        &result->why,
        "the answer of %s cannot be read: it is not what version " SNAKEPIT_VERSION
        " sends",
        remote->address.shown);
}

// ---- Answers ------------------------------------------------------------------------

static void read_problem(struct sp_cli_remote *remote,
                         const struct sp_cli_request *request,
                         const struct sp_cli_response *response,
                         struct sp_cli_result *result)
{
    const struct sp_slice document = {response->body.data, response->body.size};
    snakepit_err err = sp_cli_problem_read(document, &result->problem);
    if (err == SNAKEPIT_MALFORMED) {
        sp_cli_remote_refuse_answer(remote, result);
    } else if (err != SNAKEPIT_OK) {
        result->err = err;
    } else if (result->problem.of_http) {
        read_http_problem(remote, request, response, result);
    } else {
        result->fault = &result->problem.fault;
        result->err = result->fault->err;
    }
}

// Takes the body of a value.
void sp_cli_remote_read(struct sp_cli_remote *remote,
                        const struct sp_cli_request *request,
                        struct sp_cli_response *response,
                        struct sp_cli_result *result)
{
    const bool value = request->accept != NULL && response->status == 200;
    if (strcmp(response->type, SP_PROBLEM_TYPE) == 0) {
        read_problem(remote, request, response, result);
    } else if (value && strcmp(response->type, request->accept) == 0) {
        result->text = response->body;
        result->json = (struct sp_slice){result->text.data, result->text.size};
        response->body = (struct sp_buf){0};
    } else if (request->accept != NULL ||
               (response->status != 202 && response->status != 204)) {
        refuse_stranger(remote, request, response, result);
    }
}

static const char *note_of(const struct sp_cli_request *request,
                           const struct sp_cli_response *response)
{
    if (request->undo == NULL) {
        return NULL;
    }
    return response->undone ? "the daemon has cancelled the call"
                            : "the connection was closed, which cancels the call";
}

static void ask(struct sp_cli_remote *remote,
                const struct sp_cli_request *request,
                struct sp_cli_result *result)
{
    struct sp_cli_response response = {.status = 0};
    result->err = sp_cli_http_ask(remote->http, request, &response, &result->why);
    if (result->err == SNAKEPIT_OK) {
        sp_cli_remote_read(remote, request, &response, result);
    } else if (result->err == SNAKEPIT_CANCELLED) {
        result->note = note_of(request, &response);
    }
    sp_buf_fini(&response.body);
}

// ---- Paths --------------------------------------------------------------------------

// Puts the names in place of the "{}"s, of which there are so many. NO_MEMORY.
static snakepit_err make_path(struct sp_buf *path,
                              const char *pattern,
                              const char *const *names,
                              size_t count)
{
    snakepit_err err = SNAKEPIT_OK;
    const char *gap = strstr(pattern, "{}");
    for (size_t i = 0; err == SNAKEPIT_OK && i < count && gap != NULL; i++) {
        err = sp_buf_append(path, pattern, (size_t)(gap - pattern));
        err = err == SNAKEPIT_OK ? sp_percent_encode(path, names[i]) : err;
        pattern = gap + 2;
        gap = strstr(pattern, "{}");
    }
    return err == SNAKEPIT_OK ? sp_buf_append(path, pattern, strlen(pattern) + 1) : err;
}

// A segment of a path cannot be empty, and the daemon takes none that is longer.
static bool is_name(const char *what, const char *name, struct sp_cli_result *result)
{
    const size_t size = strlen(name);
    if (size > 0 && size <= NAME_MOST) {
        return true;
    }
    result->err = SNAKEPIT_INVALID_ARGUMENT;
    sp_cli_explain(&result->why, "the name of a %s has 1 to %u bytes", what, NAME_MOST);
    return false;
}

static void get(struct sp_cli_remote *remote,
                const char *pattern,
                const char *pool,
                uint32_t timeout_ms,
                struct sp_cli_result *result)
{
    struct sp_buf path = {0};
    if (pool != NULL && !is_name("pool", pool, result)) {
        return;
    }
    result->err = make_path(&path, pattern, &pool, pool != NULL ? 1 : 0);
    if (result->err == SNAKEPIT_OK) {
        const struct sp_cli_request request = {.method = "GET",
                                               .path = (const char *)path.data,
                                               .accept = SP_CLI_JSON_TYPE,
                                               .timeout_ms = timeout_ms};
        ask(remote, &request, result);
    }
    sp_buf_fini(&path);
}

static void
list_tools(struct sp_cli_target *target, const char *pool, struct sp_cli_result *result)
{
    get(remote_of(target), "/v1/pools/{}/tools", pool, TOOLS_MS, result);
}

static void list_pools(struct sp_cli_target *target, struct sp_cli_result *result)
{
    get(remote_of(target), "/v1/pools", NULL, SP_CLI_LOOK_MS, result);
}

static void describe_pool(struct sp_cli_target *target,
                          const char *pool,
                          struct sp_cli_result *result)
{
    get(remote_of(target), "/v1/pools/{}", pool, SP_CLI_LOOK_MS, result);
}

void sp_cli_remote_path(const struct sp_cli_order *order,
                        struct sp_buf *path,
                        struct sp_cli_result *result)
{
    size_t count = 0;
    for (; count < 2 && order->names[count] != NULL; count++) {
        if (!is_name("pool, a session or a key", order->names[count], result)) {
            return;
        }
    }
    result->err = make_path(path, order->path, order->names, count);
}

static void inspect_pool(struct sp_cli_target *target,
                         const char *pool,
                         struct sp_cli_result *result)
{
    get(remote_of(target), "/v1/pools/{}/inspection", pool, SP_CLI_LOOK_MS, result);
}

void sp_cli_remote_order(struct sp_cli_remote *remote,
                         const struct sp_cli_order *order,
                         struct sp_cli_result *result)
{
    struct sp_buf path = {0};
    sp_cli_remote_path(order, &path, result);
    if (result->err == SNAKEPIT_OK) {
        const struct sp_cli_request request = {
            .method = order->method,
            .path = (const char *)path.data,
            .accept = strcmp(order->method, "GET") == 0 ? SP_CLI_JSON_TYPE : NULL,
            .timeout_ms = order->timeout_ms != 0 ? order->timeout_ms : SP_CLI_LOOK_MS};
        ask(remote, &request, result);
    }
    sp_buf_fini(&path);
}

// ---- Streams ------------------------------------------------------------------------

// Owner: the main thread.
struct stream {
    struct sp_cli_remote *remote;
    const struct sp_cli_ask *ask;
    struct sp_cli_result *result;
    struct sp_cli_events events;
    bool ended;         // the last event has come
    bool failed;        // and it was a fault, or one could not be read
    bool given_up;      // nobody reads on
    snakepit_err broke; // what reading the events came to
};

static void read_error(struct stream *stream, struct sp_slice document)
{
    struct sp_cli_result *result = stream->result;
    snakepit_err err = sp_cli_problem_read(document, &result->problem);
    stream->failed = true;
    if (err == SNAKEPIT_OK && !result->problem.of_http) {
        result->fault = &result->problem.fault;
        result->err = result->fault->err;
    } else if (err == SNAKEPIT_NO_MEMORY) {
        result->err = err;
    } else {
        sp_cli_remote_refuse_answer(stream->remote, result);
    }
}

static bool on_event(void *user, const char *name, struct sp_slice data)
{
    struct stream *stream = user;
    if (stream->ended) {
        return true; // nothing may follow, and nobody would know what it means
    }
    if (strcmp(name, "message") == 0) {
        stream->given_up = !stream->ask->chunk(stream->ask->user, data);
        return !stream->given_up;
    }
    stream->ended = strcmp(name, "end") == 0 || strcmp(name, "error") == 0;
    if (strcmp(name, "error") == 0) {
        read_error(stream, data);
    }
    return true; // an event of another name is of a version to come
}

static bool on_piece(void *user, struct sp_slice bytes)
{
    struct stream *stream = user;
    stream->broke = sp_cli_events_feed(&stream->events, bytes);
    return stream->broke == SNAKEPIT_OK;
}

static void read_stream(struct stream *stream,
                        const struct sp_cli_request *request,
                        struct sp_cli_response *response)
{
    struct sp_cli_result *result = stream->result;
    const bool whole =
        response->status == 200 && strcmp(response->type, SP_CLI_EVENTS_TYPE) == 0;
    if (!whole) {
        sp_cli_remote_read(stream->remote, request, response, result);
    } else if (!stream->ended) {
        result->err = SNAKEPIT_DAEMON_LOST;
        sp_cli_explain(&result->why,
                       "the stream of %s broke off: its end has not come; the call may "
                       "have gone on",
                       stream->remote->address.shown);
    }
}

static void stream_call(struct sp_cli_remote *remote,
                        const struct sp_cli_ask *ask,
                        struct sp_cli_request *request,
                        struct sp_cli_result *result)
{
    struct sp_cli_response response = {.status = 0};
    struct stream stream = {.remote = remote, .ask = ask, .result = result};
    snakepit_message why;
    stream.events =
        (struct sp_cli_events){.limit = EVENT_MOST, .put = on_event, .user = &stream};
    request->accept = SP_CLI_EVENTS_TYPE;
    request->piece = on_piece;
    request->user = &stream;
    snakepit_err err = sp_cli_http_ask(remote->http, request, &response, &why);
    if (err == SNAKEPIT_OK) {
        read_stream(&stream, request, &response);
    } else if (err == SNAKEPIT_END && stream.broke == SNAKEPIT_MALFORMED) {
        sp_cli_remote_refuse_answer(remote, result);
    } else if (err == SNAKEPIT_END && !stream.given_up) {
        result->err = stream.broke;
    } else if (err == SNAKEPIT_CANCELLED) {
        result->err = err; // also where the end that it led to has come
        result->note = note_of(request, &response);
    } else if (err != SNAKEPIT_END && !stream.ended) {
        result->err = err;
        result->why = why;
    }
    sp_cli_events_fini(&stream.events);
    sp_buf_fini(&response.body);
}

// ---- Calls --------------------------------------------------------------------------

// The texts of a call's fields.
struct fields {
    char id[32];
    char timeout[16];
    char priority[16];
};

static void add(struct sp_cli_request *request, const char *name, const char *value)
{
    request->headers[request->header_count++] =
        (struct sp_cli_header){.name = name, .value = value};
}

static void add_fields(struct sp_cli_request *request,
                       const struct sp_cli_ask *ask,
                       struct fields *fields)
{
    uint64_t chance = 0;
    ssize_t got = getrandom(&chance, sizeof chance, 0);
    (void)got; // a name that others have as well is refused, and nothing is harmed
    sp_cli_format(fields->id, sizeof fields->id, "cli-%016" PRIx64, chance);
    add(request, "Snakepit-Call-Id", fields->id);
    if (ask->timeout_ms > 0) {
        sp_cli_format(fields->timeout, sizeof fields->timeout, "%u", ask->timeout_ms);
        add(request, "Snakepit-Timeout-Ms", fields->timeout);
        request->timeout_ms = ask->timeout_ms + BESIDE_MS;
    }
    if (ask->priority > 0) {
        sp_cli_format(fields->priority, sizeof fields->priority, "%u", ask->priority);
        add(request, "Snakepit-Priority", fields->priority);
    }
    if (ask->session != NULL) {
        add(request, "Snakepit-Session", ask->session);
    }
}

// Whether a field of HTTP holds it as it is.
static bool is_session(const char *session, struct sp_cli_result *result)
{
    const size_t size = session == NULL ? 0 : strlen(session);
    bool fits = size == 0 || (session[0] != ' ' && session[size - 1] != ' ');
    for (size_t i = 0; i < size; i++) {
        fits = fits && (unsigned char)session[i] >= ' ' && session[i] != 0x7f;
    }
    if (!fits) {
        result->err = SNAKEPIT_INVALID_ARGUMENT;
        sp_cli_explain(
            &result->why,
            "over HTTP a session has no control codes, and no blank at an end");
    }
    return fits;
}

static void call_tool(struct sp_cli_target *target,
                      const struct sp_cli_ask *wanted,
                      struct sp_cli_result *result)
{
    struct sp_cli_remote *remote = remote_of(target);
    struct sp_buf path = {0};
    struct sp_buf undo = {0};
    struct fields fields = {.id = ""};
    struct sp_cli_request request = {.method = "POST",
                                     .accept = SP_CLI_JSON_TYPE,
                                     .type = SP_CLI_JSON_TYPE,
                                     .body = wanted->arguments->json};
    if (!is_name("pool", wanted->pool, result) ||
        !is_name("tool", wanted->tool, result) ||
        !is_session(wanted->session, result)) {
        return;
    }
    add_fields(&request, wanted, &fields);
    const char *const names[] = {wanted->pool, wanted->tool};
    const char *const ids[] = {fields.id};
    snakepit_err err = make_path(&path, "/v1/pools/{}/tools/{}", names, 2);
    err = err == SNAKEPIT_OK ? make_path(&undo, "/v1/calls/{}", ids, 1) : err;
    result->err = err;
    if (err == SNAKEPIT_OK) {
        request.path = (const char *)path.data;
        request.undo = (const char *)undo.data;
        if (wanted->chunk != NULL) {
            stream_call(remote, wanted, &request, result);
        } else {
            ask(remote, &request, result);
        }
    }
    sp_buf_fini(&path);
    sp_buf_fini(&undo);
}

// ---- Life ---------------------------------------------------------------------------

static void close_remote(struct sp_cli_target *target)
{
    struct sp_cli_remote *remote = remote_of(target);
    sp_cli_http_close(remote->http);
    sp_cli_credentials_fini(&remote->credentials);
    sp_free(remote);
}

static const struct sp_cli_target_ops ops = {.call = call_tool,
                                             .tools = list_tools,
                                             .pools = list_pools,
                                             .pool = describe_pool,
                                             .inspect = inspect_pool,
                                             .close = close_remote};

const char *sp_cli_remote_address(const struct sp_cli *cli)
{
    const char *typed = cli->args.texts[SP_CLI_CLIENT_CONNECT];
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    const char *variable = getenv(VARIABLE);
    if (typed != NULL) {
        return typed;
    }
    return variable != NULL && variable[0] != '\0' ? variable : NULL;
}

struct sp_cli_target *sp_cli_remote_target(struct sp_cli_remote *remote)
{
    return &remote->target;
}

snakepit_err sp_cli_remote_open(struct sp_cli *cli,
                                const char *address,
                                struct sp_cli_remote **remote,
                                snakepit_message *why)
{
    struct sp_cli_remote *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->target = (struct sp_cli_target){.ops = &ops};
    snakepit_err err = sp_cli_address_read(address, &made->address, why);
    if (err == SNAKEPIT_OK) {
        err = sp_cli_credentials_read(cli, &made->address, &made->credentials, why);
    }
    if (err == SNAKEPIT_OK) {
        const struct sp_cli_http_options options = {.address = &made->address,
                                                    .token = made->credentials.token,
                                                    .ca = made->credentials.ca,
                                                    .cert = made->credentials.cert,
                                                    .key = made->credentials.key};
        err = sp_cli_http_open(&options, &made->http, why);
    }
    if (err != SNAKEPIT_OK) {
        close_remote(&made->target);
        return err;
    }
    *remote = made;
    return SNAKEPIT_OK;
}
