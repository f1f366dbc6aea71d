// SPDX-License-Identifier: MIT
// Each request has a connection, so that it is cancelled by closing that, and a slow
// one holds up no other. What a handshake agrees on is kept here for those who speak
// revisions that have one: the daemon keeps nothing (decision 0081).
#include "cli/mcp_relay.h"

#include <string.h>

#include <snakepit/snakepit.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/memory.h"
#include "cli/events.h"
#include "cli/problem.h"
#include "cli/value.h"
#include "mcp/heading.h"
#include "mcp/lines.h"
#include "mcp/reply.h"
#include "mcp/session.h"

#define ASKED_MOST  256u // requests under way
#define READ_SIZE   65536u
#define WAIT_MS     1000        // between two looks where nothing happens
#define AGAIN_NS    SP_NS_PER_S // before it listens again
#define EVENT_SPARE 65536u      // of an event beside the value in it
#define VERSION     "MCP-Protocol-Version"

struct relay {
    const struct sp_cli_mcp_options *options;
    struct sp_link asked;
    size_t count; // of these
    struct sp_mcp_lines lines;
    char session[SP_MCP_SESSION_SIZE];
    char agreed[SP_MCP_FIELD_SIZE]; // the revision of a handshake; "": there was none
    struct asked *ear;              // that listens for changes; NULL: none does
    uint64_t listens_again;         // ns; 0: nobody wants to
    bool lost;                      // the daemon, since it listened
    uint64_t ends;                  // ns, once the input has ended; 0: it has not
    bool over;
    snakepit_err err;
};

// A request to the daemon.
struct asked {
    struct sp_link link;
    struct relay *relay;
    struct sp_buf message;
    struct sp_mcp_heading heading;
    struct sp_cli_request request;
    struct sp_cli_response response;
    struct sp_cli_events events;
    struct sp_cli_transfer *transfer;
};

// ---- Output -----------------------------------------------------------------------

// A message of JSON has no line breaks but between its tokens.
static void write_message(struct relay *relay, struct sp_slice message)
{
    struct sp_buf line = {0};
    snakepit_err err = sp_buf_append(&line, message.data, message.size);
    err = err == SNAKEPIT_OK ? sp_buf_append(&line, "\n", 1) : err;
    for (size_t i = 0; err == SNAKEPIT_OK && i + 1 < line.size; i++) {
        const bool breaks = line.data[i] == '\n' || line.data[i] == '\r';
        line.data[i] = breaks ? ' ' : line.data[i];
    }
    relay->err = err != SNAKEPIT_OK ? err : relay->err;
    if (err != SNAKEPIT_OK ||
        !sp_cli_mcp_pipes_write(relay->options->pipes,
                                (struct sp_slice){line.data, line.size})) {
        relay->over = true;
    }
    sp_buf_fini(&line);
}

static void write_error(struct relay *relay,
                        const struct sp_mcp_heading *heading,
                        int code,
                        const char *why)
{
    struct sp_buf text = {0};
    struct sp_mcp_out out = {.buf = &text};
    const struct sp_mcp_wrong wrong = {code, why};
    struct sp_mcp_address to = {.era = SP_MCP_HANDSHAKE};
    if (heading != NULL) {
        to.id = (struct sp_slice){heading->id.data, heading->id.size};
    }
    sp_mcp_add_error(&out, &to, &wrong, NULL);
    if (out.err == SNAKEPIT_OK) {
        write_message(relay, (struct sp_slice){text.data, text.size});
    }
    sp_buf_fini(&text);
}

static bool on_event(void *user, const char *name, struct sp_slice data)
{
    struct asked *asked = user;
    (void)name;
    write_message(asked->relay, data);
    return !asked->relay->over;
}

static bool on_piece(void *user, struct sp_slice bytes)
{
    return sp_cli_events_feed(user, bytes) == SNAKEPIT_OK;
}

// ---- Requests ---------------------------------------------------------------------

static void forget(struct asked *asked)
{
    if (asked->link.next != NULL) {
        sp_list_remove(&asked->link);
        asked->relay->count--;
    }
    sp_mcp_heading_fini(&asked->heading);
    sp_cli_events_fini(&asked->events);
    sp_buf_fini(&asked->response.body);
    sp_buf_fini(&asked->message);
    sp_free(asked);
}

// Closes its connection, which cancels what the daemon does for it.
static void give_up(struct asked *asked)
{
    snakepit_message why;
    (void)sp_cli_http_end(asked->transfer, &why);
    forget(asked);
}

static void add_header(struct asked *asked, const char *name, const char *value)
{
    struct sp_cli_request *request = &asked->request;
    if (value[0] != '\0') {
        request->headers[request->header_count++] = (struct sp_cli_header){name, value};
    }
}

// NULL: without memory.
static struct asked *new_asked(struct relay *relay)
{
    struct asked *asked = sp_alloc(sizeof *asked);
    if (asked == NULL) {
        return NULL;
    }
    asked->relay = relay;
    asked->events = (struct sp_cli_events){
        .limit = relay->options->most + EVENT_SPARE, .put = on_event, .user = asked};
    asked->request = (struct sp_cli_request){.path = "/mcp",
                                             .piece = on_piece,
                                             .piece_type = "text/event-stream",
                                             .user = &asked->events};
    return asked;
}

// Frees what was not begun. False: without memory.
static bool begin(struct asked *asked)
{
    struct relay *relay = asked->relay;
    if (asked->heading.era == SP_MCP_STATELESS) {
        add_header(asked, VERSION, asked->heading.version);
        add_header(asked, "Mcp-Method", asked->heading.name_of_method);
        add_header(asked, "Mcp-Name", asked->heading.name);
    } else {
        add_header(asked, VERSION, relay->agreed);
        add_header(asked, "Mcp-Session-Id", relay->session);
    }
    if (sp_cli_http_begin(relay->options->http,
                          &asked->request,
                          &asked->response,
                          &asked->transfer) != SNAKEPIT_OK) {
        forget(asked);
        return false;
    }
    sp_list_append(&relay->asked, &asked->link);
    relay->count++;
    return true;
}

// Takes the heading. False: without memory.
static bool
ask(struct relay *relay, struct sp_slice message, struct sp_mcp_heading *heading)
{
    struct asked *asked = new_asked(relay);
    if (asked == NULL ||
        sp_buf_append(&asked->message, message.data, message.size) != SNAKEPIT_OK) {
        sp_free(asked);
        return false;
    }
    asked->heading = *heading;
    *heading = (struct sp_mcp_heading){.answered = heading->answered};
    asked->request.method = "POST";
    asked->request.accept = "application/json, text/event-stream";
    asked->request.type = "application/json";
    asked->request.body = (struct sp_slice){asked->message.data, asked->message.size};
    return begin(asked);
}

static void listen_for_changes(struct relay *relay)
{
    struct asked *asked = new_asked(relay);
    relay->listens_again = 0;
    if (asked != NULL) {
        asked->request.method = "GET";
        asked->request.accept = "text/event-stream";
        relay->ear = begin(asked) ? asked : NULL;
    }
}

// ---- Input ------------------------------------------------------------------------

static struct asked *find_asked(struct relay *relay, const struct sp_buf *id)
{
    struct sp_link *link = relay->asked.next;
    for (; link != &relay->asked; link = link->next) {
        struct asked *asked = SP_ENTRY(link, struct asked, link);
        const struct sp_buf *its = &asked->heading.id;
        if (its->size == id->size && memcmp(its->data, id->data, id->size) == 0) {
            return asked;
        }
    }
    return NULL;
}

// A call of a batch has no connection of its own: the daemon finds it by its number.
static void
cancel(struct relay *relay, struct sp_slice message, struct sp_mcp_heading *heading)
{
    struct asked *asked =
        heading->cancels.size > 0 ? find_asked(relay, &heading->cancels) : NULL;
    if (asked != NULL) {
        give_up(asked);
    } else {
        (void)ask(relay, message, heading);
    }
}

static void
serve(struct relay *relay, struct sp_slice message, struct sp_mcp_heading *heading)
{
    if (!heading->answered) {
        if (heading->method == SP_MCP_CANCELLED) {
            cancel(relay, message, heading);
        }
        return; // no other notification says what the daemon needs to know
    }
    if (relay->count >= ASKED_MOST) {
        write_error(relay,
                    heading,
                    SP_MCP_INTERNAL_ERROR,
                    "256 requests are under way; wait until one is answered");
    } else if (!ask(relay, message, heading)) {
        write_error(relay, heading, SP_MCP_INTERNAL_ERROR, "out of memory");
    }
}

static void on_line(void *user, struct sp_slice line, bool cut)
{
    struct relay *relay = user;
    struct sp_mcp_heading heading = {.answered = true};
    if (cut) {
        write_error(relay,
                    NULL,
                    SP_MCP_PARSE_ERROR,
                    "the message is longer than `serve: max_message` allows");
        return;
    }
    if (sp_mcp_heading_read(line, &heading) == SNAKEPIT_OK) {
        serve(relay, line, &heading);
    } else {
        write_error(relay, &heading, SP_MCP_INTERNAL_ERROR, "out of memory");
    }
    sp_mcp_heading_fini(&heading);
}

static bool is_endless(const struct asked *asked)
{
    return asked == asked->relay->ear || asked->heading.method == SP_MCP_LISTEN;
}

// Nobody can hear of changes for ever.
static void end_input(struct relay *relay)
{
    sp_mcp_lines_end(&relay->lines);
    relay->ends = sp_clock_now() + relay->options->grace_ms * SP_NS_PER_MS;
    struct sp_link *link = relay->asked.next;
    while (link != &relay->asked) {
        struct asked *asked = SP_ENTRY(link, struct asked, link);
        link = link->next;
        if (is_endless(asked)) {
            give_up(asked);
        }
    }
    relay->ear = NULL;
    relay->listens_again = 0;
}

static void read_input(struct relay *relay, void *room)
{
    const size_t size = sp_cli_mcp_pipes_read(relay->options->pipes, room, READ_SIZE);
    if (size == 0) {
        end_input(relay);
    } else if (sp_mcp_lines_feed(&relay->lines, (struct sp_slice){room, size}) !=
               SNAKEPIT_OK) {
        write_error(relay, NULL, SP_MCP_INTERNAL_ERROR, "out of memory");
    }
}

// ---- Answers ----------------------------------------------------------------------

// What the handshake has agreed on; then there may be changes to hear of.
static void note_agreed(struct relay *relay, struct sp_slice answer)
{
    snakepit_reader reader;
    snakepit_reader result;
    snakepit_writer *writer = snakepit_writer_new();
    if (writer != NULL && sp_cli_value_read(answer, writer, &reader) == SNAKEPIT_OK &&
        sp_cli_value_find(&reader, "result", &result)) {
        const snakepit_span version = sp_cli_value_text(&result, "protocolVersion");
        sp_mcp_field_write(
            (struct sp_slice){(const uint8_t *)version.data, version.size},
            relay->agreed);
        if (relay->ear == NULL && relay->ends == 0) {
            listen_for_changes(relay);
        }
    }
    snakepit_writer_free(writer);
}

// The daemon did not take it as a message at all.
static void write_problem(struct asked *asked)
{
    struct sp_cli_problem problem = {.status = 0};
    const struct sp_cli_response *response = &asked->response;
    const struct sp_slice body = {response->body.data, response->body.size};
    const bool read = sp_cli_problem_read(body, &problem) == SNAKEPIT_OK;
    write_error(asked->relay,
                &asked->heading,
                SP_MCP_INTERNAL_ERROR,
                read ? problem.fault.message
                     : "what answers there is not a Snakepit daemon that speaks MCP");
    sp_cli_problem_fini(&problem);
}

static void take_answer(struct asked *asked)
{
    snakepit_message why = {{0}};
    struct relay *relay = asked->relay;
    struct sp_cli_response *response = &asked->response;
    const struct sp_slice body = {response->body.data, response->body.size};
    const snakepit_err err = sp_cli_http_end(asked->transfer, &why);
    if (!asked->heading.answered || relay->over) {
        // nobody waits for it
    } else if (err != SNAKEPIT_OK) {
        write_error(relay,
                    &asked->heading,
                    SP_MCP_INTERNAL_ERROR,
                    why.text[0] != '\0' ? why.text : snakepit_err_text(err));
    } else if (strcmp(response->type, "application/json") == 0) {
        write_message(relay, body);
        if (asked->heading.method == SP_MCP_INITIALIZE) {
            note_agreed(relay, body);
        }
    } else if (strcmp(response->type, "text/event-stream") != 0 &&
               response->status != 202) {
        write_problem(asked);
    }
    forget(asked);
}

// A daemon that has ended may come again.
static void note_deaf(struct relay *relay)
{
    snakepit_message why;
    (void)sp_cli_http_end(relay->ear->transfer, &why);
    forget(relay->ear);
    relay->ear = NULL;
    relay->lost = true;
    relay->listens_again = relay->ends == 0 ? sp_clock_now() + AGAIN_NS : 0;
}

static void take_answers(struct relay *relay)
{
    struct sp_link *link = relay->asked.next;
    while (link != &relay->asked && !relay->over) {
        struct asked *asked = SP_ENTRY(link, struct asked, link);
        link = link->next;
        if (!sp_cli_http_is_done(asked->transfer)) {
            continue;
        }
        if (asked == relay->ear) {
            note_deaf(relay);
        } else {
            take_answer(asked);
        }
    }
}

// The tools may be others after a daemon has gone and come.
static void look_after_ear(struct relay *relay)
{
    static const char changed[] =
        "{\"jsonrpc\":\"2.0\",\"method\":\"notifications/tools/list_changed\"}";
    if (relay->listens_again > 0 && sp_clock_now() >= relay->listens_again) {
        listen_for_changes(relay);
    } else if (relay->lost && relay->ear != NULL &&
               sp_cli_http_has_begun(relay->ear->transfer)) {
        relay->lost = false;
        write_message(relay, sp_slice_of_text(changed));
    }
}

// ---- All of it --------------------------------------------------------------------

static bool is_over(const struct relay *relay)
{
    return relay->over ||
           (relay->ends > 0 && (relay->count == 0 || sp_clock_now() >= relay->ends));
}

static void turn(struct relay *relay, void *room)
{
    struct sp_cli_mcp_pipes *pipes = relay->options->pipes;
    const int wait_ms = pipes->file && pipes->in >= 0 ? 0 : WAIT_MS;
    relay->err = sp_cli_http_turn(relay->options->http, pipes->epoll, wait_ms);
    take_answers(relay);
    const struct sp_cli_mcp_news news = sp_cli_mcp_pipes_look(pipes);
    relay->over = relay->over || news.stops || relay->err != SNAKEPIT_OK;
    if (!relay->over && news.in) {
        read_input(relay, room);
    }
    if (!relay->over) {
        look_after_ear(relay);
    }
}

snakepit_err sp_cli_mcp_relay(const struct sp_cli_mcp_options *options)
{
    struct relay relay = {.options = options};
    void *room = sp_alloc(READ_SIZE);
    relay.lines =
        (struct sp_mcp_lines){.most = options->most, .put = on_line, .user = &relay};
    sp_list_init(&relay.asked);
    sp_mcp_new_session(relay.session);
    relay.err = room != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    while (relay.err == SNAKEPIT_OK && !is_over(&relay)) {
        turn(&relay, room);
    }
    while (!sp_list_empty(&relay.asked)) {
        give_up(SP_ENTRY(relay.asked.next, struct asked, link));
    }
    sp_mcp_lines_fini(&relay.lines);
    sp_free(room);
    return relay.err;
}
