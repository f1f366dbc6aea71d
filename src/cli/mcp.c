// SPDX-License-Identifier: MIT
// snakepit mcp: a daemon of one client, which is on the other side of standard input
// and output: its socket sends away who is another process. Or it speaks for a daemon
// that is elsewhere.
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"
#include "base/system.h"
#include "base/thread.h"
#include "cli/daemon.h"
#include "cli/daemon_signals.h"
#include "cli/interrupt.h"
#include "cli/mcp_relay.h"
#include "cli/output.h"
#include "cli/remote_inside.h"
#include "cli/report.h"
#include "cli/target.h"
#include "cli/text.h"

#define MESSAGE_MOST ((size_t)100 << 20) // as `serve: max_message` is otherwise
#define GRACE_MS     30000u              // as `serve: shutdown_grace_ms` is

// ---- Of a daemon elsewhere ----------------------------------------------------------

static snakepit_err relay(struct sp_cli_http *http, int stop, snakepit_message *why)
{
    struct sp_cli_mcp_pipes pipes;
    snakepit_err err = sp_cli_mcp_pipes_open(stop, &pipes, why);
    if (err == SNAKEPIT_OK) {
        const struct sp_cli_mcp_options options = {
            .http = http, .pipes = &pipes, .most = MESSAGE_MOST, .grace_ms = GRACE_MS};
        err = sp_cli_mcp_relay(&options);
        sp_cli_mcp_pipes_close(&pipes);
    }
    return err;
}

static int speak_for_daemon(struct sp_cli *cli)
{
    snakepit_message why = {{0}};
    struct sp_cli_remote *remote = NULL;
    sp_cli_interrupts_init();
    snakepit_err err =
        sp_cli_remote_open(cli, sp_cli_remote_address(cli), &remote, &why);
    if (err != SNAKEPIT_OK) {
        return sp_cli_report(cli, err, why.text, false);
    }
    err = relay(remote->http, sp_cli_interrupt_fd(), &why);
    sp_cli_target_close(sp_cli_remote_target(remote));
    return err == SNAKEPIT_OK ? SP_CLI_EXIT_OK
                              : sp_cli_report(cli, err, why.text, false);
}

// ---- Of its own pools
// -----------------------------------------------------------------

// Owner: the main thread, but for what the relay's has while it runs.
struct own {
    struct sp_daemon daemon;
    struct sp_cli_address address;
    struct sp_cli_http *http;
    struct sp_cli_mcp_pipes pipes;
    int stop; // an eventfd
    pthread_t thread;
    snakepit_err err; // of the relay, once it has ended
};

static void *run(void *argument)
{
    struct own *own = argument;
    const struct sp_serve_config *serve = &own->daemon.config->serve;
    const struct sp_cli_mcp_options options = {.http = own->http,
                                               .pipes = &own->pipes,
                                               .most = serve->max_message,
                                               .grace_ms = serve->shutdown_grace_ms};
    own->err = sp_cli_mcp_relay(&options);
    sp_daemon_ask_to_stop();
    return NULL;
}

static snakepit_err open_http(struct own *own, snakepit_message *why)
{
    const struct sp_door *door = sp_server_door(own->daemon.server, 0);
    const struct sp_cli_http_options options = {.address = &own->address};
    own->address = (struct sp_cli_address){
        .shown = "this process", .base = "http://localhost", .abstract = true};
    sp_cli_format(
        own->address.socket, sizeof own->address.socket, "%s", door->address + 1);
    return sp_cli_http_open(&options, &own->http, why);
}

static snakepit_err speak(struct own *own, snakepit_message *why)
{
    const uint64_t one = 1;
    const int rc = sp_thread_start(&own->thread, run, own);
    if (rc != 0) {
        errno = rc;
        return sp_system_failed(why, "pthread_create", NULL, "for standard input");
    }
    sp_daemon_run(&own->daemon);
    SP_CHECK(write(own->stop, &one, sizeof one) == (ssize_t)sizeof one);
    SP_CHECK(pthread_join(own->thread, NULL) == 0);
    return own->err;
}

static snakepit_err open_own(struct own *own, const char *file, snakepit_message *why)
{
    own->daemon = (struct sp_daemon){.file = file, .inside = true, .notify.fd = -1};
    snakepit_err err = sp_config_read_file(file, &own->daemon.config, why);
    if (err == SNAKEPIT_OK) {
        own->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
        err = own->stop >= 0 ? sp_cli_mcp_pipes_open(own->stop, &own->pipes, why)
                             : sp_system_failed(why, "eventfd", NULL, "for the end");
    }
    return err;
}

static int speak_for_own(struct sp_cli *cli, const char *file)
{
    snakepit_message why = {{0}};
    struct own own = {.pipes = {.in = -1, .out = -1, .epoll = -1}, .stop = -1};
    snakepit_err err = open_own(&own, file, &why);
    if (err == SNAKEPIT_OK) {
        err = sp_daemon_open(&own.daemon, &why);
        err = err == SNAKEPIT_OK ? open_http(&own, &why) : err;
        err = err == SNAKEPIT_OK ? speak(&own, &why) : err;
        sp_cli_http_close(own.http); // before the drain, which waits for its clients
        sp_daemon_close(&own.daemon);
    }
    sp_cli_mcp_pipes_close(&own.pipes);
    if (own.stop >= 0) {
        (void)close(own.stop);
    }
    sp_config_free(own.daemon.config);
    return err == SNAKEPIT_OK ? SP_CLI_EXIT_OK
                              : sp_cli_report(cli, err, why.text, false);
}

int sp_cli_mcp(struct sp_cli *cli)
{
    int status = SP_CLI_EXIT_OK;
    const char *file = cli->args.texts[SP_CLI_MCP_CONFIG];
    if (!sp_cli_target_is_named(cli, SP_CLI_MCP_CONFIG, &status)) {
        return status;
    }
    return file != NULL ? speak_for_own(cli, file) : speak_for_daemon(cli);
}
