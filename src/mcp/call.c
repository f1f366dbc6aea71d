// SPDX-License-Identifier: MIT
// tools/call: a call like any other, whose outcome is told as a result of MCP.
#include <stdio.h>
#include <string.h>

#include "api/ask.h"
#include "api/call.h"
#include "api/gate.h"
#include "base/names.h"
#include "http/problem.h"
#include "mcp/content.h"
#include "mcp/inside.h"
#include "payload/writer.h"

#define SESSION_MOST 128u // bytes of what a client sends
#define NAME_SIZE    40u  // of a call: "mcp-" and 32 digits

// ---- Names of requests ------------------------------------------------------------

// What the call of a client's request is called, so that the client can cancel it by
// the request's number. False: the client has no session, and closes its connection.
static bool name_request(const struct sp_exchange *exchange,
                         struct sp_slice id,
                         char name[NAME_SIZE])
{
    static const struct sp_hash_key keys[] = {{{1, 2}}, {{3, 4}}};
    const struct sp_slice session =
        sp_request_field(&exchange->request, "mcp-session-id");
    char text[SESSION_MOST + SP_MCP_ID_MOST * 6 + 4]; // an escape is six characters
    if (session.size == 0 || session.size > SESSION_MOST ||
        session.size + 1 + id.size > sizeof text) {
        return false;
    }
    memcpy(text, session.data, session.size);
    text[session.size] = '\n';
    memcpy(text + session.size + 1, id.data, id.size);
    const size_t size = session.size + 1 + id.size;
    (void)snprintf(name,
                   NAME_SIZE,
                   "mcp-%016llx%016llx",
                   (unsigned long long)sp_hash(&keys[0], text, size),
                   (unsigned long long)sp_hash(&keys[1], text, size));
    return true;
}

void sp_mcp_cancel(const struct sp_mcp_read *read)
{
    char name[NAME_SIZE];
    struct sp_buf id = {0};
    snakepit_reader found;
    struct sp_mcp_out out = {.buf = &id};
    const snakepit_reader *params = &read->message.params;
    if (sp_mcp_is_there(params) &&
        snakepit_reader_find(params, "requestId", &found) == SNAKEPIT_OK) {
        sp_mcp_add_value(&out, &found);
        if (out.err == SNAKEPIT_OK &&
            name_request(read->exchange, (struct sp_slice){id.data, id.size}, name)) {
            (void)sp_api_cancel_named(read->exchange, name);
        }
    }
    sp_buf_fini(&id);
}

// ---- Outcomes -------------------------------------------------------------------

// Of a call that the library has not taken.
static void tell_fault(struct sp_exchange *exchange, const snakepit_fault *fault)
{
    const struct sp_mcp_asked *asked = exchange->own;
    sp_mcp_reply_fault(exchange, asked, fault, NULL);
}

// Any thread.
static void
make_result(struct sp_api_result *result, snakepit_answer *answer, unsigned as)
{
    snakepit_reader value;
    const struct sp_mcp_asked *asked = result->own;
    struct sp_mcp_out out = {.buf = &result->room};
    (void)as;
    snakepit_answer_reader(answer, &value);
    sp_mcp_begin_result(&out, &asked->to);
    sp_mcp_add_content(&out, &value, asked->to.era);
    sp_mcp_end_result(&out, &asked->to);
    result->err = out.err;
}

static void send_result(struct sp_exchange *exchange,
                        struct sp_api_result *result,
                        snakepit_answer *answer,
                        unsigned as,
                        const char *call)
{
    const struct sp_mcp_asked *asked = result->own;
    struct sp_mcp_out out = {.buf = &result->room, .err = result->err};
    (void)as;
    exchange->tell_fault = NULL;
    if (result->err == SNAKEPIT_OK || result->err == SNAKEPIT_NO_MEMORY) {
        sp_mcp_reply(exchange, &asked->to, &out, call);
        return;
    }
    snakepit_message why;
    snakepit_reader value;
    snakepit_answer_reader(answer, &value);
    const snakepit_fault fault = sp_fault_no_json(&value, &why);
    sp_buf_fini(&result->room);
    sp_mcp_reply_fault(exchange, asked, &fault, call);
}

static void answer_call(struct sp_exchange *exchange,
                        snakepit_answer *answer,
                        unsigned as,
                        const char *call)
{
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    struct sp_api_result result = {.own = exchange->own};
    if (fault->err != SNAKEPIT_OK) {
        const struct sp_mcp_asked *asked = exchange->own;
        sp_mcp_reply_fault(exchange, asked, fault, call);
        return;
    }
    make_result(&result, answer, as);
    send_result(exchange, &result, answer, as, call);
}

// ---- Calls ----------------------------------------------------------------------

// The pool is the one of the longest name that fits, since pools and tools may have
// dots in their names. One that the client may not call is as if it were not there.
static struct sp_mcp_callee find_callee(const struct sp_exchange *exchange,
                                        struct sp_slice name)
{
    size_t longest = 0;
    struct sp_mcp_callee callee = {.pool = NULL};
    snakepit *pit = sp_api_of(exchange)->pit;
    const size_t count = snakepit_pool_count(pit);
    for (size_t i = 0; i < count; i++) {
        const char *pool = snakepit_pool_name(pit, i);
        const size_t size = pool == NULL ? 0 : strlen(pool);
        if (size > longest && size + 1 < name.size && name.data[size] == '.' &&
            name.size - size - 1 < sizeof callee.tool &&
            memcmp(name.data, pool, size) == 0 &&
            sp_api_may(exchange, SP_ACCESS_CALL, pool)) {
            longest = size;
            callee.pool = pool;
        }
    }
    if (callee.pool != NULL) {
        memcpy(callee.tool, name.data + longest + 1, name.size - longest - 1);
    }
    if (memchr(name.data, '\0', name.size) != NULL ||
        (callee.pool != NULL && !sp_mcp_takes(exchange, callee.pool, callee.tool))) {
        callee.pool = NULL;
    }
    return callee;
}

static void refuse(const struct sp_mcp_read *read, const char *why)
{
    const struct sp_mcp_wrong wrong = {SP_MCP_INVALID_PARAMS, why};
    sp_mcp_refuse(read->exchange, &read->asked->to, &wrong);
    sp_mcp_asked_free(read->asked);
}

// Of a name that is not found. A client that may call some pools alone is refused the
// others whether they are there or not, as those that come by HTTP are.
static void refuse_tool(const struct sp_mcp_read *read, struct sp_slice name)
{
    char why[SP_PARAM_SIZE + 96];
    char pool[SP_PARAM_SIZE] = "";
    const uint8_t *dot = name.size == 0 ? NULL : memchr(name.data, '.', name.size);
    const size_t size = dot == NULL ? 0 : (size_t)(dot - name.data);
    if (size > 0 && size < sizeof pool) {
        memcpy(pool, name.data, size);
        if (!sp_api_admit_to_pool(read->exchange, SP_ACCESS_CALL, pool)) {
            sp_mcp_asked_free(read->asked);
            return;
        }
    }
    (void)snprintf(why,
                   sizeof why,
                   "there is no tool \"%.*s\"; tools/list names those there are",
                   (int)(name.size < SP_PARAM_SIZE ? name.size : SP_PARAM_SIZE),
                   (const char *)name.data);
    refuse(read, why);
}

// False: it was refused.
static bool find_tool(const struct sp_mcp_read *read, struct sp_mcp_callee *callee)
{
    struct sp_slice name;
    if (!sp_mcp_text(&read->message.params, "name", &name)) {
        refuse(read, "params.name must be a text, the name of a tool");
        return false;
    }
    *callee = find_callee(read->exchange, name);
    if (callee->pool == NULL) {
        refuse_tool(read, name); // frees what `callee` is of
        return false;
    }
    return true;
}

// False: they are no object, or there was no memory, and the call was refused.
static bool read_arguments(const struct sp_mcp_read *read)
{
    snakepit_reader found;
    struct sp_mcp_asked *asked = read->asked;
    if (snakepit_reader_find(&read->message.params, "arguments", &found) !=
        SNAKEPIT_OK) {
        return true;
    }
    if (!sp_mcp_member(&read->message.params, "arguments", SNAKEPIT_MAP, &found)) {
        refuse(read, "params.arguments must be an object");
        return false;
    }
    snakepit_reader behind = found;
    (void)snakepit_reader_skip(&behind);
    asked->args = snakepit_writer_new();
    if (asked->args == NULL) {
        refuse(read, "out of memory");
        return false;
    }
    sp_writer_part(asked->args,
                   read->value,
                   (struct sp_slice){found.at, (size_t)(behind.at - found.at)});
    return true;
}

// False: out of memory, and the call was refused. A malformed trace counts as none.
static bool keep_trace(const struct sp_mcp_read *read)
{
    const struct sp_slice state = read->message.state;
    struct sp_mcp_asked *asked = read->asked;
    if (sp_traceparent_read(read->message.parent, &asked->trace) &&
        sp_tracestate_is_sound(state) &&
        sp_buf_append(&asked->tracestate, state.data, state.size) != SNAKEPIT_OK) {
        refuse(read, "out of memory");
        return false;
    }
    return true;
}

// What its message says goes before what the header fields say, those of all of a
// batch.
static void set_trace(const struct sp_mcp_asked *asked, struct sp_api_ask *ask)
{
    const struct sp_buf *state = &asked->tracestate;
    if (sp_trace_is_one(&asked->trace)) {
        sp_api_ask_set_trace(
            ask, &asked->trace, (struct sp_slice){state->data, state->size});
    }
}

static void
submit(struct sp_exchange *exchange, struct sp_mcp_asked *asked, bool streams)
{
    char name[NAME_SIZE];
    struct sp_api_ask ask;
    const struct sp_api_form form = {.answer = answer_call,
                                     .make = make_result,
                                     .send = send_result,
                                     .over = sp_mcp_asked_free,
                                     .own = asked};
    exchange->own = asked;
    exchange->tell_fault = tell_fault;
    const bool begun = sp_api_ask_begin(exchange, asked->callee.pool, &ask);
    ask.tool = asked->callee.tool;
    ask.args = asked->args;
    asked->args = NULL;
    set_trace(asked, &ask);
    if (begun && ask.name.size == 0 && name_request(exchange, asked->to.id, name)) {
        ask.name = sp_slice_of_text(name);
    }
    if (!begun) {
        sp_mcp_asked_free(asked);
    } else if (streams) {
        sp_mcp_stream(exchange, asked, &ask);
    } else {
        sp_api_submit(exchange, &ask, form);
    }
    sp_api_ask_fini(&ask);
}

// ---- Progress ---------------------------------------------------------------------

// Its token may have been taken back meanwhile, or be for other pools.
static void on_tables(struct sp_api_tables_waiter *waiter, struct sp_api_tables *tables)
{
    struct sp_mcp_asked *asked = SP_ENTRY(waiter, struct sp_mcp_asked, waiter);
    struct sp_exchange *exchange = waiter->exchange;
    exchange->grant = sp_grant_of(exchange);
    if (exchange->grant == NULL) {
        sp_api_refuse(exchange, 401, "the token is not good any more");
        sp_mcp_asked_free(asked);
        return;
    }
    if (!sp_mcp_takes(exchange, asked->callee.pool, asked->callee.tool)) {
        sp_api_refuse(exchange, 403, "the token is not for this pool any more");
        sp_mcp_asked_free(asked);
        return;
    }
    submit(exchange, asked, sp_mcp_streams(asked, tables));
}

static void on_tables_gone(struct sp_api_tables_waiter *waiter)
{
    sp_mcp_asked_free(SP_ENTRY(waiter, struct sp_mcp_asked, waiter));
}

// Only a tool that streams has progress, and only a client that reads events hears it.
static bool wants_progress(const struct sp_mcp_read *read)
{
    return !read->batch && sp_mcp_is_there(&read->message.token) &&
           sp_media_accepted(&read->exchange->request,
                             SP_MEDIA_EVENTS,
                             SP_MEDIA_NONE) == SP_MEDIA_EVENTS;
}

// What is kept longer than the message is its own: what JSON has made of it is packed.
static bool own_arguments(struct sp_mcp_asked *asked)
{
    snakepit_writer *args = asked->args;
    for (size_t i = 0; args != NULL && i < args->tensor_count; i++) {
        struct sp_tensor_ref *ref = &args->tensors[i];
        void *own = sp_writer_own(args, ref->bytes);
        if (own == NULL) {
            return false;
        }
        if (ref->bytes > 0) {
            memcpy(own, ref->tensor.data, ref->bytes);
        }
        ref->tensor.data = own;
    }
    return true;
}

// Until the tables are known arguments wait. Large ones do not, since nobody counts
// their memory any more: their call has no progress then.
static void call_with_progress(const struct sp_mcp_read *read)
{
    struct sp_mcp_asked *asked = read->asked;
    struct sp_mcp_out token = {.buf = &asked->token};
    sp_mcp_add_value(&token, &read->message.token);
    if (token.err != SNAKEPIT_OK) {
        refuse(read, "out of memory");
        return;
    }
    struct sp_api_tables *kept = sp_api_tables_kept(sp_api_of(read->exchange));
    if (kept != NULL) {
        submit(read->exchange, asked, sp_mcp_streams(asked, kept));
        sp_api_tables_unref(kept);
        return;
    }
    if (read->large) {
        submit(read->exchange, asked, false);
        return;
    }
    asked->waiter = (struct sp_api_tables_waiter){
        .exchange = read->exchange, .told = on_tables, .gone = on_tables_gone};
    if (!own_arguments(asked) ||
        sp_api_tables_get(&asked->waiter, SP_MCP_TABLES_MS) != SNAKEPIT_OK) {
        refuse(read, "out of memory");
    }
}

void sp_mcp_call(const struct sp_mcp_read *read)
{
    if (!sp_mcp_is_there(&read->message.params)) {
        refuse(read, "params must be an object with the tool's name");
    } else if (find_tool(read, &read->asked->callee) && read_arguments(read) &&
               keep_trace(read)) {
        if (wants_progress(read)) {
            call_with_progress(read);
        } else {
            submit(read->exchange, read->asked, false);
        }
    }
}
