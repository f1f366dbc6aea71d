// SPDX-License-Identifier: MIT
// The transfer is driven by the multi interface, so that a signal can be waited for at
// the same time. libcurl is loaded and prepared here and nowhere else: a command that
// asks no daemon does not pay for it.
#include "cli/http.h"

#include <errno.h>
#include <string.h>

#include <snakepit/version.h>

#include "base/memory.h"
#include "cli/interrupt.h"
#include "cli/libcurl.h"
#include "cli/text.h"

#define CONNECT_MS  10000L
#define LOOK_MS     1000 // between two looks where nothing happens
#define UNDO_MS     1000 // that a call has to end once it is cancelled
#define ANSWER_MOST ((size_t)1 << 30)

struct sp_cli_http {
    struct sp_cli_http_options options;
    CURLM *multi;
    char authorization[1024]; // a header, or ""
};

// One transfer. Owner: the main thread.
struct sp_cli_transfer {
    const struct sp_cli_http *http;
    const struct sp_cli_request *request;
    struct sp_cli_response *response;
    CURL *easy;
    struct curl_slist *fields;
    snakepit_err err; // of what was done with the answer
    CURLcode code;    // once it is done
    bool done;
    char said[CURL_ERROR_SIZE];
};

// ---- Life -------------------------------------------------------------------------

snakepit_err sp_cli_http_open(const struct sp_cli_http_options *options,
                              struct sp_cli_http **http,
                              snakepit_message *why)
{
    if (!sp_curl_load(why)) {
        return SNAKEPIT_SYSTEM;
    }
    if (sp_curl.global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
        sp_cli_explain(why, "libcurl cannot be prepared");
        return SNAKEPIT_SYSTEM;
    }
    struct sp_cli_http *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    made->options = *options;
    made->multi = sp_curl.multi_init();
    if (options->token != NULL) {
        sp_cli_format(made->authorization,
                      sizeof made->authorization,
                      "Authorization: Bearer %s",
                      options->token);
    }
    if (made->multi == NULL) {
        sp_cli_http_close(made);
        return SNAKEPIT_NO_MEMORY;
    }
    *http = made;
    return SNAKEPIT_OK;
}

void sp_cli_http_close(struct sp_cli_http *http)
{
    if (http != NULL) {
        (void)sp_curl.multi_cleanup(http->multi);
        sp_curl.global_cleanup();
        explicit_bzero(http->authorization, sizeof http->authorization);
        sp_free(http);
    }
}

// ---- The answer -------------------------------------------------------------------

// Content-Type; NULL: there is none.
static const char *type_of(CURL *easy)
{
    const char *type = NULL;
    (void)sp_curl.easy_getinfo(easy, CURLINFO_CONTENT_TYPE, &type);
    return type;
}

// The byte of a media type in lower case; 0: it has ended.
static char byte_of(char byte)
{
    const bool ends = byte == ';' || byte == ' ' || byte == '\t';
    if (ends) {
        return '\0';
    }
    return (char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

static void note_type(struct sp_cli_transfer *transfer)
{
    struct sp_cli_response *response = transfer->response;
    const char *type = type_of(transfer->easy);
    size_t i = 0;
    for (; type != NULL && byte_of(type[i]) != '\0'; i++) {
        if (i + 1 == sizeof response->type) {
            break;
        }
        response->type[i] = byte_of(type[i]);
    }
    response->type[i] = '\0';
}

static void note_head(struct sp_cli_transfer *transfer)
{
    long status = 0;
    (void)sp_curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    transfer->response->status = (unsigned)status;
    note_type(transfer);
}

static snakepit_err take(struct sp_cli_transfer *transfer, struct sp_slice bytes)
{
    const struct sp_cli_request *request = transfer->request;
    struct sp_cli_response *response = transfer->response;
    if (response->status == 0) {
        note_head(transfer);
    }
    const char *type =
        request->piece_type != NULL ? request->piece_type : request->accept;
    if (request->piece != NULL && response->status == 200 &&
        strcmp(response->type, type) == 0) {
        return request->piece(request->user, bytes) ? SNAKEPIT_OK : SNAKEPIT_END;
    }
    if (bytes.size > ANSWER_MOST - response->body.size) {
        return SNAKEPIT_MALFORMED;
    }
    return sp_buf_append(&response->body, bytes.data, bytes.size);
}

static size_t on_bytes(char *data, size_t one, size_t count, void *user)
{
    struct sp_cli_transfer *transfer = user;
    const struct sp_slice bytes = {(const uint8_t *)data, one * count};
    transfer->err = take(transfer, bytes);
    return transfer->err == SNAKEPIT_OK ? bytes.size : CURL_WRITEFUNC_ERROR;
}

// ---- The request ------------------------------------------------------------------

static bool add_field(struct sp_cli_transfer *transfer, const char *line)
{
    struct curl_slist *longer = sp_curl.slist_append(transfer->fields, line);
    if (longer != NULL) {
        transfer->fields = longer;
    }
    return longer != NULL;
}

static bool add(struct sp_cli_transfer *transfer, const char *name, const char *value)
{
    char line[1024];
    sp_cli_format(line, sizeof line, "%s: %s", name, value);
    return value == NULL || add_field(transfer, line);
}

static bool add_fields(struct sp_cli_transfer *transfer)
{
    const struct sp_cli_request *request = transfer->request;
    bool done = add(transfer, "Accept", request->accept) &&
                add(transfer, "Content-Type", request->type);
    for (size_t i = 0; done && i < request->header_count; i++) {
        done = add(transfer, request->headers[i].name, request->headers[i].value);
    }
    const char *authorization = transfer->http->authorization;
    return done && (authorization[0] == '\0' || add_field(transfer, authorization));
}

#define SET(easy, option, value) \
    (void)sp_curl.easy_setopt(   \
        easy, CURLOPT_##option, value) // fails without memory alone

static void set_body(CURL *easy, const struct sp_cli_request *request)
{
    SET(easy, CUSTOMREQUEST, request->method);
    if (strcmp(request->method, "POST") == 0) {
        const bool any = request->type != NULL;
        SET(easy, POST, 1L);
        SET(easy, POSTFIELDS, any ? (const char *)request->body.data : "");
        SET(easy, POSTFIELDSIZE_LARGE, any ? (curl_off_t)request->body.size : 0);
    }
}

// An address is where the daemon is: a proxy that the environment names for the web
// does not know it.
static void set_way(CURL *easy, const struct sp_cli_http_options *options)
{
    SET(easy, PROXY, "");
    SET(easy, PROTOCOLS_STR, options->address->secure ? "https" : "http");
    SET(easy, CONNECTTIMEOUT_MS, CONNECT_MS);
    SET(easy, TCP_KEEPALIVE, 1L);
    if (options->address->abstract) {
        SET(easy, ABSTRACT_UNIX_SOCKET, options->address->socket);
    } else if (options->address->socket[0] != '\0') {
        SET(easy, UNIX_SOCKET_PATH, options->address->socket);
    }
    SET(easy, SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    if (options->ca != NULL) {
        SET(easy, CAINFO, options->ca);
        SET(easy, CAPATH, NULL);
    }
    if (options->cert != NULL) {
        SET(easy, SSLCERT, options->cert);
        SET(easy, SSLKEY, options->key != NULL ? options->key : options->cert);
    }
}

static snakepit_err prepare(struct sp_cli_transfer *transfer)
{
    char url[2 * SP_CLI_URL_SIZE + 1024];
    const struct sp_cli_http_options *options = &transfer->http->options;
    CURL *easy = sp_curl.easy_init();
    transfer->easy = easy;
    if (easy == NULL || !add_fields(transfer)) {
        return SNAKEPIT_NO_MEMORY;
    }
    sp_cli_format(
        url, sizeof url, "%s%s", options->address->base, transfer->request->path);
    set_way(easy, options);
    set_body(easy, transfer->request);
    SET(easy, PATH_AS_IS, 1L);
    SET(easy, NOSIGNAL, 1L);
    SET(easy, HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
    SET(easy, USERAGENT, "snakepit/" SNAKEPIT_VERSION);
    SET(easy, HTTPHEADER, transfer->fields);
    SET(easy, ERRORBUFFER, transfer->said);
    SET(easy, WRITEFUNCTION, on_bytes);
    SET(easy, WRITEDATA, transfer);
    SET(easy, PRIVATE, transfer);
    SET(easy, TIMEOUT_MS, (long)transfer->request->timeout_ms);
    const bool set = sp_curl.easy_setopt(easy, CURLOPT_URL, url) == CURLE_OK &&
                     sp_curl.multi_add_handle(transfer->http->multi, easy) == CURLM_OK;
    return set ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static void forget(struct sp_cli_transfer *transfer)
{
    if (transfer->easy != NULL) {
        (void)sp_curl.multi_remove_handle(transfer->http->multi, transfer->easy);
        sp_curl.easy_cleanup(transfer->easy);
    }
    sp_curl.slist_free_all(transfer->fields);
}

// ---- Waiting ----------------------------------------------------------------------

// Whether one has ended.
static bool note_ends(CURLM *multi)
{
    int left = 0;
    bool any = false;
    const CURLMsg *message;
    while ((message = sp_curl.multi_info_read(multi, &left)) != NULL) {
        char *of = NULL;
        (void)sp_curl.easy_getinfo(message->easy_handle, CURLINFO_PRIVATE, &of);
        struct sp_cli_transfer *transfer = (struct sp_cli_transfer *)(void *)of;
        transfer->done = true;
        transfer->code = message->data.result;
        any = true;
    }
    return any;
}

// One turn: what has come is read, or it is waited for, or for one of the descriptors.
static snakepit_err
turn(CURLM *multi, struct curl_waitfd *beside, unsigned count, int wait_ms)
{
    int running = 0;
    CURLMcode code = sp_curl.multi_perform(multi, &running);
    const bool news = note_ends(multi);
    if (code == CURLM_OK && !news) {
        code = sp_curl.multi_poll(multi, beside, count, wait_ms, NULL);
    }
    return code == CURLM_OK ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

static snakepit_err turn_until_signal(CURLM *multi, int fd, int wait_ms)
{
    struct curl_waitfd beside[2];
    unsigned count = 0;
    if (sp_cli_interrupt_fd() >= 0) {
        beside[count++] = (struct curl_waitfd){.fd = sp_cli_interrupt_fd(),
                                               .events = CURL_WAIT_POLLIN};
    }
    if (fd >= 0) {
        beside[count++] = (struct curl_waitfd){.fd = fd, .events = CURL_WAIT_POLLIN};
    }
    return turn(multi, beside, count, wait_ms);
}

static snakepit_err wait_for(struct sp_cli_transfer *transfer)
{
    snakepit_err err = SNAKEPIT_OK;
    while (err == SNAKEPIT_OK && !transfer->done && sp_cli_interrupted() == 0) {
        err = turn_until_signal(transfer->http->multi, -1, LOOK_MS);
    }
    return err == SNAKEPIT_OK && !transfer->done ? SNAKEPIT_CANCELLED : err;
}

// Tells the daemon that the call is to end, and gives it a moment to say that it has.
// The connection that closes afterwards would cancel it too, but says nothing.
static void undo(struct sp_cli_transfer *transfer)
{
    const struct sp_cli_request request = {
        .method = "DELETE", .path = transfer->request->undo, .timeout_ms = UNDO_MS};
    struct sp_cli_response response = {.status = 0};
    struct sp_cli_transfer end = {
        .http = transfer->http, .request = &request, .response = &response};
    snakepit_err err = prepare(&end);
    while (err == SNAKEPIT_OK && !end.done) {
        err = turn(transfer->http->multi, NULL, 0, UNDO_MS);
    }
    if (err == SNAKEPIT_OK && end.code == CURLE_OK) {
        note_head(&end);
        transfer->response->undone = response.status == 202;
    }
    forget(&end);
    sp_buf_fini(&response.body);
}

// ---- What went wrong --------------------------------------------------------------

static const char *said(const struct sp_cli_transfer *transfer)
{
    return transfer->said[0] != '\0' ? transfer->said
                                     : sp_curl.easy_strerror(transfer->code);
}

static snakepit_err explain_connect(const struct sp_cli_transfer *transfer,
                                    snakepit_message *why)
{
    char reason[128];
    long number = 0;
    const struct sp_cli_address *address = transfer->http->options.address;
    (void)sp_curl.easy_getinfo(transfer->easy, CURLINFO_OS_ERRNO, &number);
    if (number == EPROTOTYPE) {
        sp_cli_explain(why, SP_CLI_IS_LOCAL_DOOR, address->shown);
        return SNAKEPIT_UNSUPPORTED;
    }
    sp_cli_explain(why,
                   "nothing answers at %s: %s; start a daemon there with snakepit "
                   "serve, or name another address with --connect",
                   address->shown,
                   number != 0 ? strerror_r((int)number, reason, sizeof reason)
                               : said(transfer));
    return SNAKEPIT_UNREACHABLE;
}

static snakepit_err explain_tls(const struct sp_cli_transfer *transfer,
                                snakepit_message *why)
{
    const char *address = transfer->http->options.address->shown;
    if (strstr(said(transfer), "wrong version number") != NULL) {
        sp_cli_explain(
            why,
            "what answers at %s does not speak TLS; if it is the daemon, its "
            "address begins with http://",
            address);
        return SNAKEPIT_UNREACHABLE;
    }
    sp_cli_explain(why,
                   "TLS with %s failed: %s; --cacert FILE names the authority that its "
                   "certificate comes from, and the address must be a name that the "
                   "certificate is for",
                   address,
                   said(transfer));
    return SNAKEPIT_UNREACHABLE;
}

static snakepit_err explain_file(const struct sp_cli_transfer *transfer,
                                 snakepit_message *why)
{
    const struct sp_cli_http_options *options = &transfer->http->options;
    const char *text = said(transfer);
    const bool no_key = options->cert != NULL && options->key == NULL &&
                        strstr(text, "private key") != NULL;
    sp_cli_explain(why,
                   "a file of --cacert, --cert or --key cannot be used: %s%s",
                   text,
                   no_key ? "; if its key is in another file, add --key FILE" : "");
    return SNAKEPIT_INVALID_ARGUMENT;
}

// An alert that comes once the daemon is known is about the client.
static bool wants_certificate(const struct sp_cli_transfer *transfer)
{
    const char *text = said(transfer);
    return strstr(text, "alert") != NULL &&
           (strstr(text, "certificate") != NULL || strstr(text, "unknown ca") != NULL);
}

static snakepit_err explain_loss(const struct sp_cli_transfer *transfer,
                                 snakepit_message *why)
{
    const struct sp_cli_address *address = transfer->http->options.address;
    if (wants_certificate(transfer)) {
        sp_cli_explain(why,
                       "the daemon at %s does not take this client's certificate, or "
                       "wants one (%s); give it with --cert FILE --key FILE",
                       address->shown,
                       said(transfer));
        return SNAKEPIT_DENIED;
    }
    const bool silent = transfer->code == CURLE_GOT_NOTHING && !address->local;
    sp_cli_explain(
        why,
        "the daemon at %s was lost before its answer was whole: %s; what was "
        "asked for may have been done%s",
        address->shown,
        said(transfer),
        silent ? "; if it serves TLS, its address begins with https://" : "");
    return SNAKEPIT_DAEMON_LOST;
}

static snakepit_err explain_time(const struct sp_cli_transfer *transfer,
                                 snakepit_message *why)
{
    curl_off_t connected = 0;
    const char *address = transfer->http->options.address->shown;
    (void)sp_curl.easy_getinfo(transfer->easy, CURLINFO_CONNECT_TIME_T, &connected);
    if (connected == 0) {
        sp_cli_explain(why, "%s cannot be reached: no connection in time", address);
        return SNAKEPIT_UNREACHABLE;
    }
    sp_cli_explain(why,
                   "the daemon at %s has not answered within %u ms; it may be stuck",
                   address,
                   transfer->request->timeout_ms);
    return SNAKEPIT_DEADLINE_EXCEEDED;
}

static snakepit_err explain_taking(const struct sp_cli_transfer *transfer,
                                   snakepit_message *why)
{
    if (transfer->err == SNAKEPIT_MALFORMED) {
        sp_cli_explain(why,
                       "the answer of %s is larger than %zu MiB",
                       transfer->http->options.address->shown,
                       ANSWER_MOST >> 20);
    }
    return transfer->err;
}

static snakepit_err explain(const struct sp_cli_transfer *transfer,
                            snakepit_message *why)
{
    const char *address = transfer->http->options.address->shown;
    if (transfer->err != SNAKEPIT_OK) {
        return explain_taking(transfer, why);
    }
    switch (transfer->code) {
    case CURLE_OK:
        return SNAKEPIT_OK;
    case CURLE_OUT_OF_MEMORY:
        return SNAKEPIT_NO_MEMORY;
    case CURLE_COULDNT_RESOLVE_HOST:
        sp_cli_explain(why, "%s: its host is not known: %s", address, said(transfer));
        return SNAKEPIT_UNREACHABLE;
    case CURLE_COULDNT_CONNECT:
        return explain_connect(transfer, why);
    case CURLE_OPERATION_TIMEDOUT:
        return explain_time(transfer, why);
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CERTPROBLEM:
        return explain_file(transfer, why);
    case CURLE_SSL_CONNECT_ERROR:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_ISSUER_ERROR:
        return wants_certificate(transfer) ? explain_loss(transfer, why)
                                           : explain_tls(transfer, why);
    case CURLE_UNSUPPORTED_PROTOCOL:
    case CURLE_WEIRD_SERVER_REPLY:
        sp_cli_explain(why,
                       "what answers at %s does not speak HTTP; if it is a daemon that "
                       "serves TLS, its address begins with https://",
                       address);
        return SNAKEPIT_UNREACHABLE;
    default:
        return explain_loss(transfer, why);
    }
}

// ---- Asking -----------------------------------------------------------------------

static snakepit_err outcome(struct sp_cli_transfer *transfer, snakepit_message *why)
{
    if (transfer->response->status == 0) {
        note_head(transfer);
    }
    return explain(transfer, why);
}

snakepit_err sp_cli_http_ask(struct sp_cli_http *http,
                             const struct sp_cli_request *request,
                             struct sp_cli_response *response,
                             snakepit_message *why)
{
    struct sp_cli_transfer transfer = {
        .http = http, .request = request, .response = response};
    why->text[0] = '\0';
    snakepit_err err = prepare(&transfer);
    if (err == SNAKEPIT_OK) {
        err = wait_for(&transfer);
    }
    if (err == SNAKEPIT_CANCELLED && request->undo != NULL) {
        undo(&transfer);
    }
    if (err == SNAKEPIT_OK) {
        err = outcome(&transfer, why);
    }
    forget(&transfer);
    return err;
}

// ---- Several at once ----------------------------------------------------------------

snakepit_err sp_cli_http_begin(struct sp_cli_http *http,
                               const struct sp_cli_request *request,
                               struct sp_cli_response *response,
                               struct sp_cli_transfer **transfer)
{
    struct sp_cli_transfer *made = sp_alloc(sizeof *made);
    if (made == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    *made = (struct sp_cli_transfer){
        .http = http, .request = request, .response = response};
    snakepit_err err = prepare(made);
    if (err != SNAKEPIT_OK) {
        forget(made);
        sp_free(made);
        return err;
    }
    *transfer = made;
    return SNAKEPIT_OK;
}

snakepit_err sp_cli_http_turn(struct sp_cli_http *http, int fd, int wait_ms)
{
    return turn_until_signal(http->multi, fd, wait_ms);
}

bool sp_cli_http_has_begun(const struct sp_cli_transfer *transfer)
{
    long status = 0;
    (void)sp_curl.easy_getinfo(transfer->easy, CURLINFO_RESPONSE_CODE, &status);
    return status == 200;
}

bool sp_cli_http_is_done(const struct sp_cli_transfer *transfer)
{
    return transfer->done;
}

snakepit_err sp_cli_http_end(struct sp_cli_transfer *transfer, snakepit_message *why)
{
    why->text[0] = '\0';
    snakepit_err err = transfer->done ? outcome(transfer, why) : SNAKEPIT_CANCELLED;
    forget(transfer);
    sp_free(transfer);
    return err;
}
