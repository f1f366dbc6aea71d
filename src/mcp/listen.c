// SPDX-License-Identifier: MIT
// A client hears that the tools have changed as an event, in an answer that goes on
// until it goes. Where there are other workers than before the tables are asked for
// again, and compared. A daemon that drains waits for nobody who would listen for ever.
#include "api/gate.h"
#include "api/reply.h"
#include "api/tables.h"
#include "base/memory.h"
#include "http/sse.h"
#include "mcp/inside.h"
#include "mcp/list.h"
#include "server/server.h"

#define LOOK_MS       500u
#define LOOKS_SILENCE 30u // after which a comment keeps the connection alive
#define SUBSCRIPTION  "\"_meta\":{\"io.modelcontextprotocol/subscriptionId\":"

// Owner: the loop of its exchange.
struct ear {
    struct sp_api_tables_waiter waiter;
    struct sp_exchange *exchange;
    struct sp_mcp_asked *asked; // that has subscribed; NULL: GET
    bool wants;                 // to hear of tools
    bool known;                 // the next two are
    uint64_t stamp;
    uint64_t print;
    unsigned silent; // looks
    struct sp_timer timer;
};

static void free_ear(struct ear *ear)
{
    sp_timer_stop(&ear->timer);
    sp_mcp_asked_free(ear->asked);
    sp_free(ear);
}

static void on_gone(void *user)
{
    free_ear(user);
}

static void on_tables_gone(struct sp_api_tables_waiter *waiter)
{
    free_ear(SP_ENTRY(waiter, struct ear, waiter));
}

static const struct sp_exchange_listener listener = {.gone = on_gone};

// ---- Events ---------------------------------------------------------------------

static void add_subscription(struct sp_mcp_out *out, const struct ear *ear)
{
    if (ear->asked != NULL) {
        sp_mcp_add(out, SUBSCRIPTION);
        sp_mcp_add_bytes(out, ear->asked->to.id);
        sp_mcp_add(out, "}");
    }
}

// Frees what was made. False: there was no memory, and the ear is no more.
static bool send_event(struct ear *ear, struct sp_mcp_out *made)
{
    struct sp_buf event = {0};
    snakepit_err err = made->err;
    if (err == SNAKEPIT_OK) {
        err = sp_sse_event(
            &event, NULL, (struct sp_slice){made->buf->data, made->buf->size});
    }
    if (err == SNAKEPIT_OK) {
        err =
            sp_exchange_send(ear->exchange, (struct sp_slice){event.data, event.size});
    }
    sp_buf_fini(made->buf);
    sp_buf_fini(&event);
    ear->silent = 0;
    if (err != SNAKEPIT_OK) {
        sp_exchange_fail(ear->exchange);
        free_ear(ear);
    }
    return err == SNAKEPIT_OK;
}

static bool tell_change(struct ear *ear)
{
    struct sp_buf text = {0};
    struct sp_mcp_out made = {.buf = &text};
    sp_mcp_add(&made,
               "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"");
    if (ear->asked != NULL) {
        sp_mcp_add(&made, ",\"params\":{");
        add_subscription(&made, ear);
        sp_mcp_add(&made, "}");
    }
    sp_mcp_add(&made, "}");
    return send_event(ear, &made);
}

static bool acknowledge(struct ear *ear)
{
    struct sp_buf text = {0};
    struct sp_mcp_out made = {.buf = &text};
    sp_mcp_add(&made,
               "{\"jsonrpc\":\"2.0\",\"method\":"
               "\"notifications/subscriptions/acknowledged\",\"params\":{");
    add_subscription(&made, ear);
    sp_mcp_add(&made,
               ear->wants ? ",\"notifications\":{\"toolsListChanged\":true}}}"
                          : ",\"notifications\":{}}}");
    return send_event(ear, &made);
}

// A subscription that has ended by itself is answered.
static void end(struct ear *ear)
{
    struct sp_buf text = {0};
    struct sp_mcp_out made = {.buf = &text};
    bool there = true;
    if (ear->asked != NULL) {
        sp_mcp_add(&made, "{\"jsonrpc\":\"2.0\",\"id\":");
        sp_mcp_add_bytes(&made, ear->asked->to.id);
        sp_mcp_add(&made, ",\"result\":{\"resultType\":\"complete\",");
        add_subscription(&made, ear);
        sp_mcp_add(&made, "}}");
        there = send_event(ear, &made);
    }
    if (there) {
        sp_exchange_end(ear->exchange);
        free_ear(ear);
    }
}

// ---- Looks ----------------------------------------------------------------------

static void on_look(struct sp_timer *timer);

static void wait_for_look(struct ear *ear, uint64_t ms)
{
    ear->exchange->user = ear;
    ear->exchange->listener = &listener;
    sp_timer_start(&ear->exchange->loop->loop, &ear->timer, on_look, ms, 0);
}

static void on_tables(struct sp_api_tables_waiter *waiter, struct sp_api_tables *tables)
{
    struct ear *ear = SP_ENTRY(waiter, struct ear, waiter);
    struct sp_exchange *exchange = ear->exchange;
    const struct sp_mcp_choice choice = {sp_mcp_takes, exchange};
    exchange->grant = sp_grant_of(exchange);
    if (exchange->grant == NULL) {
        wait_for_look(ear, 0); // which ends it
        return;
    }
    const uint64_t print = sp_mcp_tables_print(tables, &choice);
    const bool changed = ear->known && ear->print != print;
    ear->known = true;
    ear->stamp = tables->stamp;
    ear->print = print;
    if (!changed || tell_change(ear)) {
        wait_for_look(ear, LOOK_MS);
    }
}

static bool is_over(const struct ear *ear, const struct sp_grant *grant)
{
    return grant == NULL || !sp_grant_allows(grant, SP_ACCESS_CALL, NULL) ||
           sp_serve_loop_draining(ear->exchange->loop);
}

static bool break_silence(struct ear *ear)
{
    struct sp_buf text = {0};
    if (++ear->silent < LOOKS_SILENCE) {
        return true;
    }
    ear->silent = 0;
    snakepit_err err = sp_sse_comment(&text);
    if (err == SNAKEPIT_OK) {
        err = sp_exchange_send(ear->exchange, (struct sp_slice){text.data, text.size});
    }
    sp_buf_fini(&text);
    if (err != SNAKEPIT_OK) {
        sp_exchange_fail(ear->exchange);
        free_ear(ear);
    }
    return err == SNAKEPIT_OK;
}

// A client that does not read is sent nothing; it hears later.
static void on_look(struct sp_timer *timer)
{
    struct ear *ear = timer->user;
    struct sp_exchange *exchange = ear->exchange;
    const struct sp_grant *grant = sp_grant_of(exchange);
    if (is_over(ear, grant)) {
        end(ear);
        return;
    }
    if (sp_exchange_room(exchange) == 0) {
        wait_for_look(ear, LOOK_MS);
        return;
    }
    if (!break_silence(ear)) {
        return;
    }
    const uint64_t stamp = sp_api_tables_stamp(sp_api_of(exchange)->pit);
    if (!ear->wants || (ear->known && ear->stamp == stamp) ||
        sp_api_tables_get(&ear->waiter, SP_MCP_TABLES_MS) != SNAKEPIT_OK) {
        wait_for_look(ear, LOOK_MS);
    }
}

// ---- Beginning ------------------------------------------------------------------

// NULL: without memory.
static struct ear *new_ear(struct sp_exchange *exchange)
{
    struct ear *ear = sp_alloc(sizeof *ear);
    if (ear != NULL) {
        ear->exchange = exchange;
        ear->timer.user = ear;
        ear->waiter = (struct sp_api_tables_waiter){
            .exchange = exchange, .told = on_tables, .gone = on_tables_gone};
    }
    return ear;
}

// What was told last is what its client may have listed: what has changed since then,
// before anybody listened, is news as well.
static void note_told(struct ear *ear)
{
    struct sp_exchange *exchange = ear->exchange;
    const struct sp_mcp_choice choice = {sp_mcp_takes, exchange};
    struct sp_api_tables *tables = sp_api_tables_last(sp_api_of(exchange));
    if (tables != NULL) {
        ear->known = true;
        ear->stamp = tables->stamp;
        ear->print = sp_mcp_tables_print(tables, &choice);
        sp_api_tables_unref(tables);
    }
}

static void begin(struct ear *ear)
{
    note_told(ear);
    sp_api_begin(
        ear->exchange,
        &(const struct sp_api_answer){.status = 200, .type = "text/event-stream"});
    if (ear->asked == NULL || acknowledge(ear)) {
        wait_for_look(ear, 0);
    }
}

void sp_mcp_listen(struct sp_exchange *exchange)
{
    if (sp_media_accepted(&exchange->request, SP_MEDIA_EVENTS, SP_MEDIA_NONE) !=
        SP_MEDIA_EVENTS) {
        sp_api_refuse(
            exchange, 406, "a GET of this path needs Accept: text/event-stream");
        return;
    }
    if (exchange->request.method == SP_METHOD_HEAD) {
        sp_api_reply(
            exchange,
            &(const struct sp_api_answer){.status = 200, .type = "text/event-stream"});
        return;
    }
    struct ear *ear = new_ear(exchange);
    if (ear == NULL) {
        sp_api_refuse(exchange, 500, "out of memory");
        return;
    }
    ear->wants = true;
    begin(ear);
}

void sp_mcp_subscribe(const struct sp_mcp_read *read)
{
    snakepit_value value = {.kind = SNAKEPIT_NIL};
    snakepit_reader filter;
    struct ear *ear = new_ear(read->exchange);
    if (ear == NULL) {
        sp_api_refuse(read->exchange, 500, "out of memory");
        sp_mcp_asked_free(read->asked);
        return;
    }
    ear->asked = read->asked;
    if (sp_mcp_member(&read->message.params, "notifications", SNAKEPIT_MAP, &filter) &&
        sp_mcp_member(&filter, "toolsListChanged", SNAKEPIT_BOOLEAN, &filter) &&
        snakepit_reader_next(&filter, &value) == SNAKEPIT_OK) {
        ear->wants = value.as.boolean;
    }
    begin(ear);
}
