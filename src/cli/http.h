// SPDX-License-Identifier: MIT
// Requests to a daemon by libcurl: one that is waited for, which a signal ends, or
// several beside each other.
#ifndef CLI_HTTP_H
#define CLI_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/payload.h>

#include "base/slice.h"
#include "cli/address.h"

#define SP_CLI_HEADERS 8u // of a request

// Owner: the main thread.
struct sp_cli_http;

// What is kept is borrowed until sp_cli_http_close(). Each but `address` may be NULL.
struct sp_cli_http_options {
    const struct sp_cli_address *address;
    const char *token; // of whoever asks
    const char *ca;    // file of the authorities that a certificate may come from
    const char *cert;  // file of the certificate of whoever asks
    const char *key;   // file of its key
};

struct sp_cli_header {
    const char *name;
    const char *value;
};

// All of it is borrowed.
struct sp_cli_request {
    const char *method; // "GET", "POST", "DELETE"
    const char *path;   // encoded, from the '/' on
    const char *accept; // media types, or NULL
    const char *type;   // of the body; NULL: there is none
    struct sp_slice body;
    struct sp_cli_header headers[SP_CLI_HEADERS];
    size_t header_count;
    uint32_t timeout_ms; // until the answer is whole; 0: it may take any time
    const char *undo;    // path that is deleted where a signal comes first; or NULL
    // Takes the bytes of an answer with status 200 and type `piece_type` (NULL: the
    // only one of `accept`) as they come. False: it wants no more. NULL: they are kept.
    bool (*piece)(void *user, struct sp_slice bytes);
    const char *piece_type;
    void *user;
};

// Zeroed at the beginning. sp_buf_fini() frees `body`.
struct sp_cli_response {
    unsigned status;
    char type[96]; // Content-Type without its parameters, in lower case; "": none
    struct sp_buf body;
    bool undone; // a signal came, and the daemon has said that `undo` was done
};

// Sends nothing. NO_MEMORY, SYSTEM: `why` explains it.
snakepit_err sp_cli_http_open(const struct sp_cli_http_options *options,
                              struct sp_cli_http **http,
                              snakepit_message *why);
void sp_cli_http_close(struct sp_cli_http *http);

// Asks, and waits for the whole answer, whatever its status is. UNREACHABLE: there was
// no connection, or none that is to be trusted, or what answers does not speak HTTP.
// DENIED: TLS wants another certificate. DAEMON_LOST: the connection broke off.
// DEADLINE_EXCEEDED. CANCELLED: a signal has come. END: `piece` wants no more.
// MALFORMED: the answer is larger than a GiB. NO_MEMORY. `why` says it in one sentence.
snakepit_err sp_cli_http_ask(struct sp_cli_http *http,
                             const struct sp_cli_request *request,
                             struct sp_cli_response *response,
                             snakepit_message *why);

// ---- Several at once ----------------------------------------------------------

// One request that is under way.
struct sp_cli_transfer;

// Begins to ask; the request and the response are borrowed until sp_cli_http_end().
// NO_MEMORY.
snakepit_err sp_cli_http_begin(struct sp_cli_http *http,
                               const struct sp_cli_request *request,
                               struct sp_cli_response *response,
                               struct sp_cli_transfer **transfer);
// Moves all that are under way on, then waits until something comes, `fd` is readable
// (-1: there is none), a signal was noted, or `wait_ms` are over. NO_MEMORY.
snakepit_err sp_cli_http_turn(struct sp_cli_http *http, int fd, int wait_ms);
// Whether the head of an answer with status 200 has come.
bool sp_cli_http_has_begun(const struct sp_cli_transfer *transfer);
// Whether its outcome is known.
bool sp_cli_http_is_done(const struct sp_cli_transfer *transfer);
// Says what it came to, as sp_cli_http_ask() does, and frees it. CANCELLED: it was not
// done, and is given up.
snakepit_err sp_cli_http_end(struct sp_cli_transfer *transfer, snakepit_message *why);

#endif
