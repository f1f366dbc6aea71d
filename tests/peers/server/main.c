// SPDX-License-Identifier: MIT
// A daemon whose gRPC has the test services and nothing else, as connectconformance
// starts one: stdin has a ServerCompatRequest, stdout is told where it listens in a
// ServerCompatResponse, each behind its size in four bytes. An empty request is one
// without TLS. It serves until SIGTERM.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "api/api.h"
#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "http/http.h"
#include "peers/server/messages.h"
#include "peers/server/services.h"
#include "protobuf/message.h"
#include "server/server.h"

#define LARGEST  (1u << 20) // bytes of the request
#define GRACE_MS 5000u

// Everything that is opened. Owner: the main thread.
struct daemon {
    char folder[512]; // of certificates, below TMPDIR; "": there are none
    struct sp_config *config;
    snakepit *pit;
    struct sp_api *api;
    struct sp_server *server;
};

_Noreturn static void give_up(const char *what, const char *why)
{
    (void)fprintf(stderr, "%s: %s\n", what, why);
    exit(1); // NOLINT(concurrency-mt-unsafe): what threads there are do not exit
}

// ---- What is asked for ----------------------------------------------------------

static struct sp_slice read_request(struct sp_scratch *scratch)
{
    uint8_t size[4];
    if (fread(size, sizeof size, 1, stdin) != 1) {
        give_up("stdin", "there is no request");
    }
    const size_t bytes =
        (size_t)size[0] << 24 | (size_t)size[1] << 16 | (size_t)size[2] << 8 | size[3];
    uint8_t *data = bytes > LARGEST ? NULL : sp_scratch_take(scratch, bytes + 1);
    if (data == NULL || fread(data, 1, bytes, stdin) != bytes) {
        give_up("stdin", "the request is not whole, or too large");
    }
    return (struct sp_slice){data, bytes};
}

static void write_file(const char *folder, const char *name, struct sp_slice bytes)
{
    char path[600];
    (void)snprintf(path, sizeof path, "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(bytes.data, 1, bytes.size, file) != bytes.size ||
        fclose(file) != 0) {
        give_up(path, "cannot be written");
    }
}

// The part of the listener that says which certificates it has; they are written to
// files.
static void write_tls(struct daemon *daemon,
                      const struct sp_conf_server_request *request,
                      struct sp_buf *yaml)
{
    const char *folder = daemon->folder;
    if (!request->use_tls || request->server_creds == NULL) {
        return;
    }
    // NOLINTNEXTLINE(concurrency-mt-unsafe): there is one thread
    const char *where = getenv("TMPDIR");
    (void)snprintf(daemon->folder,
                   sizeof daemon->folder,
                   "%s/grpc-peer-XXXXXX",
                   where == NULL ? "/tmp" : where);
    if (mkdtemp(daemon->folder) == NULL) {
        give_up(folder, "cannot be made");
    }
    write_file(folder, "cert.pem", request->server_creds->cert);
    write_file(folder, "key.pem", request->server_creds->key);
    (void)sp_buf_printf(
        yaml, ", tls: {certificate: %s/cert.pem, key: %s/key.pem", folder, folder);
    if (request->client_tls_cert.size > 0) {
        write_file(folder, "ca.pem", request->client_tls_cert);
        (void)sp_buf_printf(yaml, ", client_ca: %s/ca.pem", folder);
    }
    (void)sp_buf_printf(yaml, "}");
}

static void remove_files(const struct daemon *daemon)
{
    static const char *const names[] = {"cert.pem", "key.pem", "ca.pem"};
    char path[600];
    if (daemon->folder[0] == '\0') {
        return;
    }
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        (void)snprintf(path, sizeof path, "%s/%s", daemon->folder, names[i]);
        (void)unlink(path);
    }
    (void)rmdir(daemon->folder);
}

// ---- Life -----------------------------------------------------------------------

static snakepit_err open_daemon(struct daemon *daemon,
                                const struct sp_conf_server_request *request,
                                snakepit_message *why)
{
    struct sp_buf yaml = {0};
    (void)sp_buf_printf(
        &yaml,
        "pooling_enabled: false\nserve: {loops: 2, listen: [{address: '127.0.0.1:0'");
    write_tls(daemon, request, &yaml);
    (void)sp_buf_printf(&yaml, "}]");
    if (request->message_receive_limit > 0) {
        (void)sp_buf_printf(&yaml, ", max_message: %u", request->message_receive_limit);
    }
    (void)sp_buf_printf(&yaml, "}\n");
    const char *text = (const char *)yaml.data;
    snakepit_err err = sp_config_read_memory(text, yaml.size, &daemon->config, why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_open_memory(text, yaml.size, NULL, &daemon->pit, why);
    }
    sp_buf_fini(&yaml);
    return err;
}

static void no_line(void *user, const struct sp_notice *notice)
{
    (void)user;
    (void)notice;
}

static snakepit_err serve(struct daemon *daemon, snakepit_message *why)
{
    static const struct sp_log log = {.write = no_line, .level = SP_LOG_ERROR};
    const struct sp_api_options api = {.pit = daemon->pit, .log = &log};
    daemon->api = sp_api_new(&api);
    if (daemon->api == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    const struct sp_server_options options = {.pit = daemon->pit,
                                              .config = &daemon->config->serve,
                                              .log = &log,
                                              .protocol = &sp_http,
                                              .handle = peers_handle,
                                              .streams = peers_stream,
                                              .user = daemon->api};
    return sp_server_open(&options, &daemon->server, why);
}

static void tell_where(const struct daemon *daemon, struct sp_slice certificate)
{
    struct sp_buf out = {0};
    const char *address = sp_server_door(daemon->server, 0)->address;
    const char *port = strrchr(address, ':');
    const struct sp_conf_server_response response = {
        .host = sp_slice_of_text("127.0.0.1"),
        .port = (uint32_t)strtoul(port + 1, NULL, 10),
        .pem_cert = certificate};
    SP_CHECK(sp_buf_append(&out, "\0\0\0\0", 4) == SNAKEPIT_OK);
    SP_CHECK(sp_proto_encode_flat(&sp_type_conf_server_response, &response, &out) ==
             SNAKEPIT_OK);
    const size_t bytes = out.size - 4;
    out.data[1] = (uint8_t)(bytes >> 16);
    out.data[2] = (uint8_t)(bytes >> 8);
    out.data[3] = (uint8_t)bytes;
    if (fwrite(out.data, 1, out.size, stdout) != out.size || fflush(stdout) != 0) {
        give_up("stdout", "cannot be written");
    }
    sp_buf_fini(&out);
}

static void close_daemon(struct daemon *daemon)
{
    sp_server_drain(daemon->server);
    (void)sp_server_await_drained(daemon->server, GRACE_MS);
    sp_server_close(daemon->server);
    sp_api_free(daemon->api);
    snakepit_close(daemon->pit, 0);
    sp_server_free(daemon->server);
    sp_config_free(daemon->config);
    remove_files(daemon);
}

int main(void)
{
    struct daemon daemon = {.folder = ""};
    struct sp_scratch scratch = {.used = 0};
    struct sp_conf_server_request request = {.which = 0};
    snakepit_message why = {{0}};
    sigset_t stop;
    int signal = 0;
    // Before there are other threads, which inherit it.
    (void)sigemptyset(&stop);
    (void)sigaddset(&stop, SIGTERM);
    (void)sigaddset(&stop, SIGINT);
    SP_CHECK(pthread_sigmask(SIG_BLOCK, &stop, NULL) == 0);
    const struct sp_slice bytes = read_request(&scratch);
    snakepit_err err =
        sp_proto_decode(&sp_type_conf_server_request, bytes, &scratch, &request, &why);
    err = err == SNAKEPIT_OK ? open_daemon(&daemon, &request, &why) : err;
    err = err == SNAKEPIT_OK ? serve(&daemon, &why) : err;
    if (err != SNAKEPIT_OK) {
        remove_files(&daemon);
        give_up(snakepit_err_name(err), why.text);
    }
    const bool secure = daemon.folder[0] != '\0';
    tell_where(&daemon,
               secure ? request.server_creds->cert : (struct sp_slice){NULL, 0});
    SP_CHECK(sigwait(&stop, &signal) == 0);
    close_daemon(&daemon);
    sp_scratch_fini(&scratch);
    return 0;
}
