// SPDX-License-Identifier: MIT
// A Redis command that calls tools of a Snakepit daemon:
//
//     SNAKEPIT.CALL text add '{"a": 2, "b": 40}'
//
// Redis serves other clients meanwhile: the one that calls is blocked, and unblocked by
// the thread of the library that drains the default queue. A client that goes away
// cancels its call. Load it with
//
//     loadmodule /path/snakepit.so unix:/run/snakepit/local.sock
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "redismodule.h"

#include <snakepit/snakepit.h>

#define CONNECT_MS 500 // a daemon that listens but does not answer holds Redis up
#define PAUSE_S    1   // between two tries to connect

// Owner: Redis' thread, but for the outcome, which is the library's until it unblocks.
struct call {
    struct call *next; // of all that have not ended
    struct call **link;
    RedisModuleBlockedClient *client;
    snakepit_call_id id;
    snakepit_err err;
    snakepit_answer *answer;
};

static char *address;
static snakepit *pit;
static time_t tried_at;
static struct call *calls;

// ---- The connection -----------------------------------------------------------

static void
on_log(void *user, snakepit_log_level level, const char *event, const char *line)
{
    (void)user, (void)event;
    // Any thread may log to Redis where no context is given.
    RedisModule_Log(
        NULL, level >= SNAKEPIT_LOG_WARNING ? "warning" : "verbose", "%s", line);
}

static snakepit_err connect_to_daemon(snakepit_message *why)
{
    const snakepit_open_options open = {
        .size = sizeof open, .log = on_log, .log_level = SNAKEPIT_LOG_WARNING};
    const snakepit_connect_options options = {.size = sizeof options,
                                              .open = &open,
                                              .timeout_ms = CONNECT_MS,
                                              .reconnect = true};
    if (pit != NULL) {
        return SNAKEPIT_OK;
    }
    if (time(NULL) - tried_at < PAUSE_S) {
        return SNAKEPIT_UNREACHABLE;
    }
    tried_at = time(NULL);
    return snakepit_connect(address, &options, &pit, why);
}

// ---- Replies ------------------------------------------------------------------

// "TOOL_FAILED ValueError: no such order": clients of Redis look at the first word.
static int reply_error(RedisModuleCtx *ctx,
                       snakepit_err err,
                       const char *type,
                       const char *message)
{
    char text[1024];
    (void)snprintf(text,
                   sizeof text,
                   "%s %s%s%s",
                   snakepit_err_name(err),
                   type,
                   type[0] == '\0' ? "" : ": ",
                   message[0] == '\0' ? snakepit_err_text(err) : message);
    for (char *at = text; *at != '\0'; at++) {
        *at = *at == '\r' || *at == '\n' ? ' ' : *at;
    }
    return RedisModule_ReplyWithError(ctx, text);
}

// On Redis' thread, when the call has ended.
static int reply(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    (void)argv, (void)argc;
    struct call *call = RedisModule_GetBlockedClientPrivateData(ctx);
    const snakepit_fault *fault = snakepit_answer_fault(call->answer);
    if (call->err != SNAKEPIT_OK) {
        return reply_error(ctx, call->err, fault->type, fault->message);
    }
    const char *json = snakepit_answer_json(call->answer);
    if (json == NULL) {
        return reply_error(ctx, SNAKEPIT_UNSERIALISABLE, "", "the result has no JSON");
    }
    return RedisModule_ReplyWithStringBuffer(ctx, json, strlen(json));
}

// The client may have gone.
static void free_call(RedisModuleCtx *ctx, void *data)
{
    struct call *call = data;
    (void)ctx;
    *call->link = call->next;
    if (call->next != NULL) {
        call->next->link = call->link;
    }
    snakepit_answer_free(call->answer);
    free(call);
}

// On a thread of the library, which Redis lets unblock clients.
static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct call *call = user;
    call->err = err;
    call->answer = answer;
    (void)RedisModule_UnblockClient(call->client, call);
}

// ---- The command --------------------------------------------------------------

// on_done() comes nevertheless.
static void on_disconnect(RedisModuleCtx *ctx, RedisModuleBlockedClient *client)
{
    (void)ctx;
    for (struct call *call = calls; call != NULL; call = call->next) {
        if (call->client == client) {
            (void)snakepit_cancel(pit, call->id);
        }
    }
}

static struct call *new_call(RedisModuleCtx *ctx)
{
    struct call *call = calloc(1, sizeof *call);
    if (call == NULL) {
        return NULL;
    }
    call->client = RedisModule_BlockClient(ctx, reply, NULL, free_call, 0);
    RedisModule_SetDisconnectCallback(call->client, on_disconnect);
    call->next = calls;
    call->link = &calls;
    if (calls != NULL) {
        calls->link = &call->next;
    }
    calls = call;
    return call;
}

static int call_tool(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    snakepit_message why = {""};
    if (argc < 3 || argc > 4) {
        return RedisModule_WrongArity(ctx);
    }
    if ((RedisModule_GetContextFlags(ctx) & REDISMODULE_CTX_FLAGS_DENY_BLOCKING) != 0) {
        return RedisModule_ReplyWithError(
            ctx, "ERR SNAKEPIT.CALL waits, which a transaction or a script may not");
    }
    snakepit_err err = connect_to_daemon(&why);
    if (err != SNAKEPIT_OK) {
        return reply_error(ctx, err, "", why.text);
    }
    const snakepit_call_options options = {.size = sizeof options,
                                           .pool =
                                               RedisModule_StringPtrLen(argv[1], NULL),
                                           .why = &why};
    struct call *call = new_call(ctx);
    err = call == NULL ? SNAKEPIT_NO_MEMORY
                       : snakepit_submit_json(
                             pit,
                             RedisModule_StringPtrLen(argv[2], NULL),
                             argc == 4 ? RedisModule_StringPtrLen(argv[3], NULL) : NULL,
                             &options,
                             on_done,
                             call,
                             &call->id);
    if (err != SNAKEPIT_OK && call != NULL) {
        (void)RedisModule_AbortBlock(call->client);
        free_call(ctx, call);
    }
    return err == SNAKEPIT_OK ? REDISMODULE_OK : reply_error(ctx, err, "", why.text);
}

int RedisModule_OnLoad(RedisModuleCtx *ctx, RedisModuleString **argv, int argc)
{
    if (RedisModule_Init(ctx, "snakepit", 1, REDISMODULE_APIVER_1) != REDISMODULE_OK) {
        return REDISMODULE_ERR;
    }
    if (argc != 1) {
        RedisModule_Log(ctx, "warning", "loadmodule snakepit.so ADDRESS OF THE DAEMON");
        return REDISMODULE_ERR;
    }
    snakepit_message why = {""};
    address = strdup(RedisModule_StringPtrLen(argv[0], NULL));
    if (address == NULL ||
        RedisModule_CreateCommand(ctx, "snakepit.call", call_tool, "", 0, 0, 0) !=
            REDISMODULE_OK) {
        return REDISMODULE_ERR;
    }
    // Without a daemon Redis serves all the same; calls try again.
    if (connect_to_daemon(&why) != SNAKEPIT_OK) {
        RedisModule_Log(ctx, "warning", "%s", why.text);
    }
    return REDISMODULE_OK;
}

// Redis unloads no module with blocked clients, so nothing is under way.
int RedisModule_OnUnload(RedisModuleCtx *ctx)
{
    (void)ctx;
    snakepit_close(pit, 0);
    free(address);
    pit = NULL;
    address = NULL;
    return REDISMODULE_OK;
}
