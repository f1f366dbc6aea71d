// SPDX-License-Identifier: MIT
// A PostgreSQL function that calls tools of a Snakepit daemon:
//
//     select snakepit('text', 'add', '{"a": 2, "b": 40}');
//
// A backend is a process with one thread that must notice interrupts while it waits. So
// a call is submitted to a completion queue, and its descriptor is waited for together
// with the backend's latch. pg_cancel_backend(), statement_timeout and a client that
// has gone cancel the call, and its tool is told.
#include "postgres.h"

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/wait_event.h"

#include <snakepit/snakepit.h>

PG_MODULE_MAGIC;

PGDLLEXPORT void _PG_init(void);
PG_FUNCTION_INFO_V1(snakepit_call_tool);

// How long a call is waited for without the latch: the library spins where that has
// paid off lately, and interrupts can wait that long. Most calls have ended by then.
#define AT_FIRST_MS 1

// Of malloc(), since it may outlive the statement that has made it.
struct call {
    snakepit_call_id id;
    snakepit_answer *answer;
    snakepit_err err;
    bool ended;
    bool given_up; // nobody waits for it: it is freed when it ends
};

static char *address; // snakepit.address

// Of this backend, from its first call on.
static snakepit *pit;
static snakepit_queue *queue;
static WaitEventSet *events;
static char *connected_to; // what `address` was then

// ---- The connection -----------------------------------------------------------

static void disconnect(void)
{
    if (events != NULL) {
        FreeWaitEventSet(events);
        events = NULL;
    }
    snakepit_close(pit, 0); // also runs on_done() of calls that were given up
    (void)snakepit_queue_free(queue);
    free(connected_to);
    pit = NULL;
    queue = NULL;
    connected_to = NULL;
}

static void on_exit_of_backend(int code, Datum arg)
{
    disconnect();
}

static void
quiet(void *user, snakepit_log_level level, const char *event, const char *line)
{
    // On a thread of the library, where nothing of PostgreSQL may be called. What
    // matters is in the faults of calls.
}

static WaitEventSet *new_events(int fd)
{
#if PG_VERSION_NUM >= 170000
    WaitEventSet *made = CreateWaitEventSet(NULL, 3);
#else
    WaitEventSet *made = CreateWaitEventSet(TopMemoryContext, 3);
#endif
    AddWaitEventToSet(made, WL_LATCH_SET, PGINVALID_SOCKET, MyLatch, NULL);
    AddWaitEventToSet(made, WL_EXIT_ON_PM_DEATH, PGINVALID_SOCKET, NULL, NULL);
    AddWaitEventToSet(made, WL_SOCKET_READABLE, fd, NULL, NULL);
    return made;
}

static void connect_to_daemon(void)
{
    static bool registered;
    const snakepit_open_options open = {.size = sizeof open, .log = quiet};
    const snakepit_connect_options options = {
        .size = sizeof options, .open = &open, .timeout_ms = 2000, .reconnect = true};
    snakepit_message why = {""};
    int fd = -1;
    if (!registered) {
        on_proc_exit(on_exit_of_backend, 0);
        registered = true;
    }
    connected_to = strdup(address);
    snakepit_err err = connected_to == NULL
                           ? SNAKEPIT_NO_MEMORY
                           : snakepit_connect(address, &options, &pit, &why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_queue_new(pit, &queue, &why);
    }
    if (err == SNAKEPIT_OK) {
        err = snakepit_queue_fd(queue, &fd);
    }
    if (err != SNAKEPIT_OK) {
        disconnect();
        ereport(
            ERROR,
            errcode(ERRCODE_CONNECTION_FAILURE),
            errmsg("cannot connect to the Snakepit daemon at \"%s\"", address),
            errdetail("%s.", why.text[0] == '\0' ? snakepit_err_text(err) : why.text),
            errhint("Start it, or set snakepit.address to where it listens with "
                    "\"door: local\"."));
    }
    events = new_events(fd);
}

// ---- Errors -------------------------------------------------------------------

static int sqlstate_of(snakepit_err err)
{
    switch (err) {
    case SNAKEPIT_CANCELLED:
    case SNAKEPIT_DEADLINE_EXCEEDED:
        return ERRCODE_QUERY_CANCELED;
    case SNAKEPIT_UNKNOWN_POOL:
    case SNAKEPIT_UNKNOWN_TOOL:
    case SNAKEPIT_POOL_REMOVED:
        return ERRCODE_UNDEFINED_FUNCTION;
    case SNAKEPIT_INVALID_ARGUMENT:
    case SNAKEPIT_MALFORMED:
    case SNAKEPIT_TYPE_MISMATCH:
        return ERRCODE_INVALID_PARAMETER_VALUE;
    case SNAKEPIT_SATURATED:
        return ERRCODE_INSUFFICIENT_RESOURCES;
    case SNAKEPIT_NO_MEMORY:
        return ERRCODE_OUT_OF_MEMORY;
    case SNAKEPIT_DENIED:
        return ERRCODE_INSUFFICIENT_PRIVILEGE;
    case SNAKEPIT_UNREACHABLE:
    case SNAKEPIT_DAEMON_LOST:
        return ERRCODE_CONNECTION_FAILURE;
    default:
        return ERRCODE_EXTERNAL_ROUTINE_EXCEPTION; // TOOL_FAILED, WORKER_DIED and
                                                   // others
    }
}

// The library's texts are UTF-8.
static const char *ours(const char *text)
{
    return pg_any_to_server(text, (int)strlen(text), PG_UTF8);
}

static void report(snakepit_err err, const snakepit_fault *fault)
{
    StringInfoData detail;
    initStringInfo(&detail);
    appendStringInfo(&detail, "Snakepit says %s.", snakepit_err_name(err));
    if (fault->cause[0] != '\0') {
        appendStringInfo(&detail, " Its worker: %s.", ours(fault->cause));
    }
    if (fault->traceback[0] != '\0') {
        appendStringInfo(&detail, "\n%s", ours(fault->traceback));
    }
    ereport(ERROR,
            errcode(sqlstate_of(err)),
            errmsg("%s%s%s",
                   ours(fault->type),
                   fault->type[0] == '\0' ? "" : ": ",
                   fault->message[0] == '\0' ? snakepit_err_text(err)
                                             : ours(fault->message)),
            errdetail_internal("%s", detail.data),
            snakepit_err_retryable(err)
                ? errhint("The call did not run to its end; it may be sent again.")
                : 0);
}

// ---- Calls --------------------------------------------------------------------

// Runs inside snakepit_queue_drain(), or snakepit_close(). It must not ereport().
static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct call *call = user;
    call->err = err;
    call->answer = answer;
    call->ended = true;
    if (call->given_up) {
        snakepit_answer_free(answer);
        free(call);
    }
}

static struct call *submit(const char *pool, const char *tool, const char *json)
{
    snakepit_message why = {""};
    const snakepit_call_options options = {
        .size = sizeof options, .pool = pool, .queue = queue, .why = &why};
    struct call *call = calloc(1, sizeof *call);
    snakepit_err err =
        call == NULL
            ? SNAKEPIT_NO_MEMORY
            : snakepit_submit_json(pit, tool, json, &options, on_done, call, &call->id);
    if (err != SNAKEPIT_OK) {
        const snakepit_fault fault = {
            .message = why.text, .type = "", .cause = "", .traceback = ""};
        free(call);
        report(err, &fault);
    }
    return call;
}

// Throws when the statement is cancelled.
static void wait_for(struct call *call)
{
    (void)snakepit_queue_drain(queue, AT_FIRST_MS);
    while (!call->ended) {
        CHECK_FOR_INTERRUPTS();
        // Only a queue that was drained until there was nothing makes its descriptor
        // readable.
        if (snakepit_queue_drain(queue, 0) == 0 && !call->ended) {
            WaitEvent event;
            (void)WaitEventSetWait(events, -1, &event, 1, PG_WAIT_EXTENSION);
            ResetLatch(MyLatch);
        }
    }
}

static void give_up(struct call *call)
{
    if (call->ended) {
        snakepit_answer_free(call->answer);
        free(call);
    } else {
        call->given_up = true;
        (void)snakepit_cancel(pit, call->id);
    }
}

static Datum result_of(struct call *call)
{
    const char *json = snakepit_answer_json(call->answer);
    if (call->err != SNAKEPIT_OK) {
        report(call->err, snakepit_answer_fault(call->answer));
    }
    if (json == NULL) {
        ereport(ERROR,
                errcode(ERRCODE_DATATYPE_MISMATCH),
                errmsg("what the tool returned has no JSON"),
                errhint("Keys of a dict are texts in JSON."));
    }
    return DirectFunctionCall1(jsonb_in, CStringGetDatum(ours(json)));
}

Datum snakepit_call_tool(PG_FUNCTION_ARGS)
{
    char *pool = text_to_cstring(PG_GETARG_TEXT_PP(0));
    char *tool = text_to_cstring(PG_GETARG_TEXT_PP(1));
    Jsonb *arguments = PG_GETARG_JSONB_P(2);
    char *json = JsonbToCString(NULL, &arguments->root, VARSIZE(arguments));
    Datum result = 0;
    if (events == NULL || strcmp(connected_to, address) != 0) {
        disconnect();
        connect_to_daemon();
    }
    struct call *call = submit(pg_server_to_any(pool, (int)strlen(pool), PG_UTF8),
                               pg_server_to_any(tool, (int)strlen(tool), PG_UTF8),
                               pg_server_to_any(json, (int)strlen(json), PG_UTF8));
    PG_TRY();
    {
        wait_for(call);
        result = result_of(call);
    }
    PG_FINALLY();
    {
        give_up(call);
    }
    PG_END_TRY();
    return result;
}

void _PG_init(void)
{
    // Only who may do anything chooses which socket the server's user connects to.
    DefineCustomStringVariable("snakepit.address",
                               "Where the Snakepit daemon listens, with door: local.",
                               NULL,
                               &address,
                               "unix:/run/snakepit/local.sock",
                               PGC_SUSET,
                               0,
                               NULL,
                               NULL,
                               NULL);
    MarkGUCPrefixReserved("snakepit");
}
