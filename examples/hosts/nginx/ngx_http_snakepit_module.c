// SPDX-License-Identifier: MIT
// A location that a tool of a Snakepit daemon answers:
//
//     snakepit_daemon unix:/run/snakepit/local.sock;        # in http {}
//     location = /add { snakepit_call text add; }           # pool and tool
//
// The body of the request, a JSON object, is the tool's keyword arguments; the answer
// is what it returned, as JSON. The worker of nginx never waits: calls are submitted to
// a completion queue whose descriptor is one more of its event loop. A client that goes
// away cancels its call.
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_http.h>

#include <snakepit/snakepit.h>

#define CONNECT_MS 500  // a daemon that listens but does not answer holds a worker up
#define PAUSE_MS   1000 // between two tries to connect

typedef struct {
    ngx_str_t address;
} ngx_http_snakepit_main_conf_t;

typedef struct {
    ngx_str_t pool;
    ngx_str_t tool; // both end with a zero; no tool: the location is not ours
} ngx_http_snakepit_loc_conf_t;

// Of malloc(), since a call may outlive the request that has made it.
typedef struct {
    ngx_http_request_t *r; // NULL: the client has gone
    snakepit_call_id id;
    ngx_uint_t ended; // unsigned ended:1
} ngx_http_snakepit_call_t;

// Of this worker. One thread uses them.
static snakepit *pit;
static snakepit_queue *queue;
static ngx_connection_t *completions; // the queue's descriptor, in nginx's words
static ngx_event_t drain_soon;
static ngx_msec_t tried_at;

extern ngx_module_t ngx_http_snakepit_module;

// ---- Answers ------------------------------------------------------------------

static ngx_uint_t status_of(snakepit_err err)
{
#define STATUS(name, number, grpc, http, retryable, text) \
    case SNAKEPIT_##name:                                 \
        return http;
    switch (err) {
        SNAKEPIT_ERRORS(STATUS)
    }
    return NGX_HTTP_INTERNAL_SERVER_ERROR;
}

static ngx_int_t
send_json(ngx_http_request_t *r, ngx_uint_t status, u_char *text, size_t size)
{
    ngx_buf_t *b = ngx_calloc_buf(r->pool);
    ngx_chain_t out = {b, NULL};
    if (b == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    b->pos = text;
    b->last = text + size;
    b->memory = size > 0;
    b->last_buf = r == r->main;
    b->last_in_chain = 1;
    r->headers_out.status = status;
    r->headers_out.content_length_n = (off_t)size;
    ngx_str_set(&r->headers_out.content_type, "application/json");
    r->headers_out.content_type_len = r->headers_out.content_type.len;
    ngx_int_t rc = ngx_http_send_header(r);
    return rc == NGX_ERROR || rc > NGX_OK || r->header_only
               ? rc
               : ngx_http_output_filter(r, &out);
}

// {"error": "TOOL_FAILED", "message": "..."}
static ngx_int_t
send_error(ngx_http_request_t *r, snakepit_err err, const char *message)
{
    const char *said = message[0] == '\0' ? snakepit_err_text(err) : message;
    size_t size = ngx_strlen(said);
    size_t room = size + ngx_escape_json(NULL, (u_char *)said, size) + 100;
    u_char *text = ngx_pnalloc(r->pool, room);
    ngx_log_error(NGX_LOG_ERR,
                  r->connection->log,
                  0,
                  "snakepit: %s: %s",
                  snakepit_err_name(err),
                  said);
    if (text == NULL) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    u_char *p =
        ngx_sprintf(text, "{\"error\":\"%s\",\"message\":\"", snakepit_err_name(err));
    p = (u_char *)ngx_escape_json(p, (u_char *)said, size);
    p = ngx_cpymem(p, "\"}\n", 3);
    return send_json(r, status_of(err), text, (size_t)(p - text));
}

static void free_answer(void *answer)
{
    snakepit_answer_free(answer);
}

// The answer lives as long as the request, so its text is sent from where it is.
static ngx_int_t
send_answer(ngx_http_request_t *r, snakepit_err err, snakepit_answer *answer)
{
    ngx_pool_cleanup_t *cleanup = ngx_pool_cleanup_add(r->pool, 0);
    if (cleanup == NULL) {
        snakepit_answer_free(answer);
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    cleanup->handler = free_answer;
    cleanup->data = answer;
    if (err != SNAKEPIT_OK) {
        return send_error(r, err, snakepit_answer_fault(answer)->message);
    }
    const char *json = snakepit_answer_json(answer);
    return json == NULL
               ? send_error(r, SNAKEPIT_UNSERIALISABLE, "the result has no JSON")
               : send_json(r, NGX_HTTP_OK, (u_char *)json, ngx_strlen(json));
}

// Runs inside snakepit_queue_drain(), so on nginx's thread.
static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    ngx_http_snakepit_call_t *call = user;
    ngx_http_request_t *r = call->r;
    if (r == NULL) {
        snakepit_answer_free(answer);
        free(call);
        return;
    }
    ngx_connection_t *c = r->connection;
    call->ended = 1; // its request frees it
    ngx_http_finalize_request(r, send_answer(r, err, answer));
    ngx_http_run_posted_requests(c);
}

// ---- The connection -----------------------------------------------------------

static void
quiet(void *user, snakepit_log_level level, const char *event, const char *line)
{
    // On a thread of the library, where nginx's log may not be used.
}

// The queue's descriptor becomes readable again only after a drain has found nothing.
static void drain(ngx_event_t *event)
{
    while (snakepit_queue_drain(queue, 0) > 0) {
    }
}

static void disconnect(void)
{
    if (completions != NULL) {
        // The descriptor is the queue's, so it is taken out and not closed.
        (void)ngx_del_event(completions->read, NGX_READ_EVENT, 0);
        completions->fd = (ngx_socket_t)-1;
        ngx_free_connection(completions);
        completions = NULL;
    }
    if (drain_soon.posted) {
        ngx_delete_posted_event(&drain_soon);
    }
    snakepit_close(pit, 0);
    (void)snakepit_queue_free(queue);
    pit = NULL;
    queue = NULL;
}

static ngx_int_t watch_queue(ngx_log_t *log)
{
    int fd;
    if (snakepit_queue_fd(queue, &fd) != SNAKEPIT_OK ||
        (completions = ngx_get_connection(fd, log)) == NULL) {
        return NGX_ERROR;
    }
    completions->read->handler = drain;
    completions->read->log = log;
    drain_soon.handler = drain;
    drain_soon.log = log;
    return ngx_add_event(completions->read, NGX_READ_EVENT, 0);
}

static snakepit_err connect_to_daemon(const char *address, ngx_log_t *log)
{
    const snakepit_open_options open = {.size = sizeof open, .log = quiet};
    const snakepit_connect_options options = {.size = sizeof options,
                                              .open = &open,
                                              .timeout_ms = CONNECT_MS,
                                              .reconnect = true};
    snakepit_message why = {""};
    tried_at = ngx_current_msec;
    snakepit_err err = snakepit_connect(address, &options, &pit, &why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_queue_new(pit, &queue, &why);
    }
    if (err == SNAKEPIT_OK && watch_queue(log) != NGX_OK) {
        err = SNAKEPIT_SYSTEM;
    }
    if (err != SNAKEPIT_OK) {
        ngx_log_error(
            NGX_LOG_ERR, log, 0, "snakepit: %s: %s", snakepit_err_name(err), why.text);
        disconnect();
    }
    return err;
}

// Each worker has a connection of its own: a pit does not survive fork().
static ngx_int_t init_process(ngx_cycle_t *cycle)
{
    ngx_http_snakepit_main_conf_t *conf =
        ngx_http_cycle_get_module_main_conf(cycle, ngx_http_snakepit_module);
    if (conf != NULL && conf->address.len > 0) {
        // Without a daemon nginx serves all the same; requests try again.
        (void)connect_to_daemon((char *)conf->address.data, cycle->log);
    }
    return NGX_OK;
}

static void exit_process(ngx_cycle_t *cycle)
{
    disconnect();
}

static ngx_int_t is_connected(ngx_http_request_t *r)
{
    ngx_http_snakepit_main_conf_t *conf =
        ngx_http_get_module_main_conf(r, ngx_http_snakepit_module);
    return pit != NULL ||
           (conf->address.len > 0 && ngx_current_msec - tried_at >= PAUSE_MS &&
            connect_to_daemon((char *)conf->address.data, ngx_cycle->log) ==
                SNAKEPIT_OK);
}

// ---- Requests -----------------------------------------------------------------

// The request ends: with its answer, or since its client has gone.
static void on_request_end(void *data)
{
    ngx_http_snakepit_call_t *call = data;
    if (call->ended) {
        free(call);
        return;
    }
    call->r = NULL;
    (void)snakepit_cancel(pit, call->id);
}

// The body as one text with a zero at its end; NULL: it is too large, or no memory.
static const char *body_of(ngx_http_request_t *r)
{
    size_t size = 0;
    if (r->request_body == NULL || r->request_body->temp_file != NULL) {
        return NULL;
    }
    for (ngx_chain_t *in = r->request_body->bufs; in != NULL; in = in->next) {
        size += (size_t)ngx_buf_size(in->buf);
    }
    u_char *text = ngx_pnalloc(r->pool, size + 1);
    u_char *p = text;
    for (ngx_chain_t *in = r->request_body->bufs; p != NULL && in != NULL;
         in = in->next) {
        p = ngx_cpymem(p, in->buf->pos, ngx_buf_size(in->buf));
    }
    if (p != NULL) {
        *p = '\0';
    }
    return (const char *)text;
}

static snakepit_err
submit(ngx_http_request_t *r, const char *json, snakepit_message *why)
{
    ngx_http_snakepit_loc_conf_t *conf =
        ngx_http_get_module_loc_conf(r, ngx_http_snakepit_module);
    const snakepit_call_options options = {.size = sizeof options,
                                           .pool = (char *)conf->pool.data,
                                           .queue = queue,
                                           .why = why};
    ngx_http_cleanup_t *cleanup = ngx_http_cleanup_add(r, 0);
    ngx_http_snakepit_call_t *call = calloc(1, sizeof *call);
    if (cleanup == NULL || call == NULL) {
        free(call);
        return SNAKEPIT_NO_MEMORY;
    }
    call->r = r;
    snakepit_err err = snakepit_submit_json(pit,
                                            (char *)conf->tool.data,
                                            json[0] == '\0' ? NULL : json,
                                            &options,
                                            on_done,
                                            call,
                                            &call->id);
    if (err != SNAKEPIT_OK) {
        free(call);
        return err;
    }
    cleanup->handler = on_request_end;
    cleanup->data = call;
    return SNAKEPIT_OK;
}

// The whole body is there.
static void on_body(ngx_http_request_t *r)
{
    snakepit_message why = {""};
    const char *json = body_of(r);
    snakepit_err err = SNAKEPIT_UNREACHABLE;
    if (json == NULL) {
        ngx_log_error(NGX_LOG_ERR,
                      r->connection->log,
                      0,
                      "snakepit: the body is larger than client_body_buffer_size");
        ngx_http_finalize_request(r, NGX_HTTP_REQUEST_ENTITY_TOO_LARGE);
        return;
    }
    if (is_connected(r)) {
        err = submit(r, json, &why);
    }
    if (err != SNAKEPIT_OK) {
        ngx_http_finalize_request(r, send_error(r, err, why.text));
        return;
    }
    r->read_event_handler = ngx_http_test_reading; // sees a client that goes away
    r->write_event_handler = ngx_http_request_empty_handler;
    ngx_post_event(&drain_soon, &ngx_posted_events); // before nginx sleeps
}

static ngx_int_t handle(ngx_http_request_t *r)
{
    ngx_int_t rc = ngx_http_read_client_request_body(r, on_body);
    return rc >= NGX_HTTP_SPECIAL_RESPONSE ? rc : NGX_DONE;
}

// ---- Configuration ------------------------------------------------------------

static char *set_call(ngx_conf_t *cf, ngx_command_t *cmd, void *conf)
{
    ngx_http_snakepit_loc_conf_t *own = conf;
    ngx_str_t *words = cf->args->elts; // each ends with a zero
    ngx_http_core_loc_conf_t *core =
        ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module);
    if (own->tool.data != NULL) {
        return "is duplicate";
    }
    own->pool = words[1];
    own->tool = words[2];
    core->handler = handle;
    return NGX_CONF_OK;
}

static void *create_main_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_snakepit_main_conf_t));
}

static void *create_loc_conf(ngx_conf_t *cf)
{
    return ngx_pcalloc(cf->pool, sizeof(ngx_http_snakepit_loc_conf_t));
}

static ngx_command_t commands[] = {{ngx_string("snakepit_daemon"),
                                    NGX_HTTP_MAIN_CONF | NGX_CONF_TAKE1,
                                    ngx_conf_set_str_slot,
                                    NGX_HTTP_MAIN_CONF_OFFSET,
                                    offsetof(ngx_http_snakepit_main_conf_t, address),
                                    NULL},
                                   {ngx_string("snakepit_call"),
                                    NGX_HTTP_LOC_CONF | NGX_CONF_TAKE2,
                                    set_call,
                                    NGX_HTTP_LOC_CONF_OFFSET,
                                    0,
                                    NULL},
                                   ngx_null_command};

static ngx_http_module_t context = {.create_main_conf = create_main_conf,
                                    .create_loc_conf = create_loc_conf};

ngx_module_t ngx_http_snakepit_module = {NGX_MODULE_V1,
                                         &context,
                                         commands,
                                         NGX_HTTP_MODULE,
                                         NULL,
                                         NULL,
                                         init_process,
                                         NULL,
                                         NULL,
                                         exit_process,
                                         NULL,
                                         NGX_MODULE_V1_PADDING};
