// SPDX-License-Identifier: MIT
// A call is submitted rather than made synchronously, so that Ctrl-C can be waited for
// at the same time.
#include "cli/own.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "api/inspection.h"
#include "api/pools.h"
#include "base/memory.h"
#include "cli/address.h"
#include "cli/interrupt.h"
#include "cli/json.h"
#include "cli/pit.h"
#include "cli/stream.h"
#include "cli/text.h"
#include "payload/writer.h"
#include "pit/tools.h"

#define GRACE_MS      1000u // that a call has to end once it is cancelled
#define DRAIN_AT_ONCE 0u
#define UNIX          "unix:"

// Owner: the main thread.
struct own {
    struct sp_cli_target target; // first
    const char *config;          // or the address of a local door
    bool connected;
    snakepit *pit;
};

static struct own *own_of(struct sp_cli_target *target)
{
    return (struct own *)(void *)target;
}

// ---- Pools that serve -------------------------------------------------------------

static void
refuse_pool(const struct own *own, const char *pool, struct sp_cli_result *result)
{
    const char *like = sp_cli_pool_nearest(own->pit, pool);
    result->err = SNAKEPIT_UNKNOWN_POOL;
    if (snakepit_pool_count(own->pit) == 0) {
        sp_cli_explain(&result->why,
                       "%s runs no pool: it names none, or pooling_enabled is false",
                       own->config);
        return;
    }
    sp_cli_explain(&result->why,
                   "%s has no pool \"%s\"%s%s%s",
                   own->config,
                   pool,
                   like != NULL ? "; did you mean \"" : "",
                   like != NULL ? like : "",
                   like != NULL ? "\"?" : "");
}

// False: the result says why it does not serve.
static bool
await_serving(const struct own *own, const char *pool, struct sp_cli_result *result)
{
    if (!sp_cli_pool_exists(own->pit, pool)) {
        refuse_pool(own, pool, result);
        return false;
    }
    result->err = sp_cli_await_serving(own->pit, pool, &result->why);
    return result->err == SNAKEPIT_OK;
}

// ---- Calls ------------------------------------------------------------------------

// A call that runs. Owner: the main thread; the callback runs inside snakepit_drain().
struct call {
    snakepit_call_id id;
    bool done;
    struct sp_cli_result *result;
};

static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct call *call = user;
    call->done = true;
    call->result->err = err;
    call->result->answer = answer;
}

// Waits for the answer, or for a signal; then the call is cancelled and given a moment
// to end.
static snakepit_err wait_for(snakepit *pit, struct call *call)
{
    struct pollfd fds[] = {{.fd = -1, .events = POLLIN},
                           {.fd = sp_cli_interrupt_fd(), .events = POLLIN}};
    snakepit_err err = snakepit_completion_fd(pit, &fds[0].fd);
    while (err == SNAKEPIT_OK && !call->done && sp_cli_interrupted() == 0) {
        if (poll(fds, 2, -1) < 0 && errno != EINTR) {
            err = SNAKEPIT_SYSTEM;
        }
        snakepit_drain(pit, DRAIN_AT_ONCE);
    }
    if (!call->done && snakepit_cancel(pit, call->id) == SNAKEPIT_OK) {
        snakepit_drain(pit, GRACE_MS);
    }
    return err;
}

static void read_answer(struct sp_cli_result *result)
{
    if (result->answer == NULL) {
        return;
    }
    if (result->err != SNAKEPIT_OK) {
        result->fault = snakepit_answer_fault(result->answer);
        return;
    }
    const char *json = snakepit_answer_json(result->answer);
    if (json != NULL) {
        result->json = sp_slice_of_text(json);
        return;
    }
    snakepit_reader value;
    snakepit_answer_reader(result->answer, &value);
    result->err = sp_cli_explain_json(&value, &result->why);
}

static void submit(const struct own *own,
                   const struct sp_cli_ask *ask,
                   const snakepit_call_options *options,
                   struct sp_cli_result *result)
{
    struct call call = {.result = result};
    const snakepit_writer *arguments =
        ask->arguments == NULL ? NULL : ask->arguments->writer;
    snakepit_err err = snakepit_submit(
        own->pit, ask->tool, arguments, options, on_done, &call, &call.id);
    if (err == SNAKEPIT_OK) {
        err = wait_for(own->pit, &call);
    }
    if (err == SNAKEPIT_OK && sp_cli_interrupted() != 0) {
        err = SNAKEPIT_CANCELLED;
    }
    if (err == SNAKEPIT_OK) {
        read_answer(result);
    } else {
        result->err = err;
    }
}

static void call_tool(struct sp_cli_target *target,
                      const struct sp_cli_ask *ask,
                      struct sp_cli_result *result)
{
    const struct own *own = own_of(target);
    const snakepit_call_options options = {.size = sizeof options,
                                           .pool = ask->pool,
                                           .timeout_ms = ask->timeout_ms,
                                           .priority = ask->priority,
                                           .session_id = ask->session,
                                           .why = &result->why};
    if (!await_serving(own, ask->pool, result)) {
        return;
    }
    if (ask->chunk != NULL) {
        snakepit_call_options streaming = options;
        streaming.why = NULL; // whose reasons the answer has
        sp_cli_stream(own->pit, ask, &streaming, result);
    } else {
        submit(own, ask, &options, result);
    }
    (void)snakepit_flush_log(own->pit, SP_CLI_FLUSH_MS);
}

static void
list_tools(struct sp_cli_target *target, const char *pool, struct sp_cli_result *result)
{
    const struct sp_cli_ask ask = {.pool = pool, .tool = SP_PIT_TABLE_TOOL};
    call_tool(target, &ask, result);
}

// ---- Pools ------------------------------------------------------------------------

// False: a local door does not tell that to a command.
static bool is_told(const struct own *own, struct sp_cli_result *result)
{
    if (own->connected) {
        result->err = SNAKEPIT_UNSUPPORTED;
        sp_cli_explain(&result->why, SP_CLI_IS_LOCAL_DOOR, own->config);
    }
    return !own->connected;
}

// Until each pool is ready, or will not be.
static bool await_all(const struct own *own, struct sp_cli_result *result)
{
    for (size_t i = 0; i < snakepit_pool_count(own->pit); i++) {
        snakepit_message why;
        const char *pool = snakepit_pool_name(own->pit, i);
        if (sp_cli_await_ready(own->pit, pool, &why) == SNAKEPIT_CANCELLED) {
            result->err = SNAKEPIT_CANCELLED;
            return false;
        }
    }
    return true;
}

static void take_value(snakepit_writer *writer, struct sp_cli_result *result)
{
    if (result->err == SNAKEPIT_OK) {
        result->err = sp_writer_to_json(writer, &result->text);
        result->json = (struct sp_slice){result->text.data, result->text.size};
    }
    snakepit_writer_free(writer);
}

static void list_pools(struct sp_cli_target *target, struct sp_cli_result *result)
{
    const struct own *own = own_of(target);
    if (!is_told(own, result) || !await_all(own, result)) {
        return;
    }
    snakepit_writer *writer = snakepit_writer_new();
    sp_api_describe_pools(own->pit, NULL, NULL, writer);
    take_value(writer, result);
}

typedef snakepit_err
describe_fn(snakepit *pit, const char *pool, snakepit_writer *writer);

static void describe(struct sp_cli_target *target,
                     const char *pool,
                     describe_fn *how,
                     struct sp_cli_result *result)
{
    const struct own *own = own_of(target);
    if (!is_told(own, result)) {
        return;
    }
    if (!sp_cli_pool_exists(own->pit, pool)) {
        refuse_pool(own, pool, result);
        return;
    }
    if (!await_all(own, result)) {
        return;
    }
    snakepit_writer *writer = snakepit_writer_new();
    result->err = how(own->pit, pool, writer);
    take_value(writer, result);
}

static void describe_pool(struct sp_cli_target *target,
                          const char *pool,
                          struct sp_cli_result *result)
{
    describe(target, pool, sp_api_describe_pool, result);
}

static void inspect_pool(struct sp_cli_target *target,
                         const char *pool,
                         struct sp_cli_result *result)
{
    describe(target, pool, sp_api_inspect_pool, result);
}

// ---- Life -------------------------------------------------------------------------

static void close_pit(struct sp_cli_target *target)
{
    struct own *own = own_of(target);
    snakepit_close(own->pit, 0);
    sp_free(own);
}

static const struct sp_cli_target_ops ops = {.call = call_tool,
                                             .tools = list_tools,
                                             .pools = list_pools,
                                             .pool = describe_pool,
                                             .inspect = inspect_pool,
                                             .close = close_pit};

static snakepit_err
finish(struct own *own, snakepit_err err, struct sp_cli_target **target)
{
    if (err != SNAKEPIT_OK) {
        sp_free(own);
        return err;
    }
    own->target.ops = &ops;
    *target = &own->target;
    return SNAKEPIT_OK;
}

snakepit_err sp_cli_own_open(const char *config,
                             struct sp_cli_target **target,
                             snakepit_message *why)
{
    struct own *own = sp_alloc(sizeof *own);
    if (own == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    own->config = config;
    return finish(own, snakepit_open_file(config, NULL, &own->pit, why), target);
}

// ---- Local doors --------------------------------------------------------------------

bool sp_cli_is_local_door(const char *address)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    const size_t prefix = strlen(UNIX);
    if (strncmp(address, UNIX, prefix) != 0 ||
        strlen(address + prefix) >= sizeof name.sun_path) {
        return false;
    }
    memcpy(name.sun_path, address + prefix, strlen(address + prefix));
    // Connecting to a socket of another kind fails whatever is there.
    const int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    const bool local = fd >= 0 &&
                       connect(fd, (const struct sockaddr *)&name, sizeof name) != 0 &&
                       errno == EPROTOTYPE;
    if (fd >= 0) {
        (void)close(fd);
    }
    return local;
}

snakepit_err sp_cli_own_connect(const char *address,
                                struct sp_cli_target **target,
                                snakepit_message *why)
{
    struct own *own = sp_alloc(sizeof *own);
    if (own == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    own->config = address;
    own->connected = true;
    return finish(own, snakepit_connect(address, NULL, &own->pit, why), target);
}
