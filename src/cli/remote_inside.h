// SPDX-License-Identifier: MIT
// What a request that is waited for and one that is not have in common.
#ifndef CLI_REMOTE_INSIDE_H
#define CLI_REMOTE_INSIDE_H

#include "cli/credentials.h"
#include "cli/http.h"
#include "cli/remote.h"

#define SP_CLI_JSON_TYPE   "application/json"
#define SP_CLI_EVENTS_TYPE "text/event-stream"
#define SP_CLI_LOOK_MS     30000u // that a daemon has for what it knows by itself

// Owner: the main thread.
struct sp_cli_remote {
    struct sp_cli_target target; // first
    struct sp_cli_address address;
    struct sp_cli_credentials credentials;
    struct sp_cli_http *http;
};

// The path of an order, with a zero behind it; sp_buf_fini() frees it. The result has
// the error: INVALID_ARGUMENT, NO_MEMORY.
void sp_cli_remote_path(const struct sp_cli_order *order,
                        struct sp_buf *path,
                        struct sp_cli_result *result);

// Makes a result of a whole answer; takes the body of a value.
void sp_cli_remote_read(struct sp_cli_remote *remote,
                        const struct sp_cli_request *request,
                        struct sp_cli_response *response,
                        struct sp_cli_result *result);

// The result says that the answer is not what this version sends.
void sp_cli_remote_refuse_answer(const struct sp_cli_remote *remote,
                                 struct sp_cli_result *result);

#endif
