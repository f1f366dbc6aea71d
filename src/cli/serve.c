// SPDX-License-Identifier: MIT
// snakepit serve: the daemon. What the service manager hands over is taken first, while
// there is one thread.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "cli/daemon.h"
#include "cli/output.h"
#include "cli/pit.h"
#include "cli/report.h"
#include "cli/text.h"
#include "config/config.h"
#include "telemetry/notice.h"

#define VARIABLE "SNAKEPIT_SERVE_LISTEN"

// The variable that says the same is what every reading of the file looks at.
static void set_listen(const char *addresses)
{
    if (addresses != NULL) {
        // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
        (void)setenv(VARIABLE, addresses, 1);
    }
}

// What is wrong with the option is not to be said of a variable that nobody has set.
static int report(struct sp_cli *cli, snakepit_err err, const snakepit_message *why)
{
    static const char said[] = "the environment variable " VARIABLE;
    snakepit_message told = *why;
    const char *at = strstr(why->text, said);
    if (at != NULL && cli->args.texts[SP_CLI_SERVE_LISTEN] != NULL) {
        sp_cli_explain(&told,
                       "%.*s--listen%s",
                       (int)(at - why->text),
                       why->text,
                       at + sizeof said - 1);
    }
    return sp_cli_report(cli, err, told.text, false);
}

static const char *scheme_of(const struct sp_door *door)
{
    if (strncmp(door->address, "unix:", 5) == 0) {
        return "";
    }
    return door->tls != NULL ? "https://" : "http://";
}

// ---- Check ------------------------------------------------------------------------

static void say_unchecked(struct sp_cli *cli, const struct sp_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        if (listeners->items[i].parsed.kind == SP_ADDRESS_SYSTEMD) {
            sp_cli_print(cli,
                         "%s: checked when systemd hands it over\n",
                         listeners->items[i].address);
        }
    }
}

static void warn(void *user, const char *warning)
{
    sp_cli_print_error(user, "warning: %s\n", warning);
}

// Certificates and tokens, also of sockets of systemd.
static snakepit_err
check_files(struct sp_cli *cli, struct sp_daemon *daemon, snakepit_message *why)
{
    struct sp_doors doors;
    snakepit_err err = sp_doors_read_files(&daemon->config->serve.listen, &doors, why);
    for (size_t i = 0; err == SNAKEPIT_OK && i < doors.count; i++) {
        const struct sp_door *door = &doors.items[i];
        if (door->tls != NULL) {
            sp_tls_context_warn(door->tls, warn, cli);
        }
        if (door->tokens != NULL) {
            sp_token_store_warn(door->tokens, daemon->config, warn, cli);
        }
    }
    if (err == SNAKEPIT_OK) {
        sp_doors_free(&doors);
    }
    return err;
}

// An address in use is what one finds while the daemon serves.
static void say_doors(struct sp_cli *cli, const struct sp_doors *doors)
{
    const char *before = "; can serve ";
    for (size_t i = 0; i < doors->count; i++) {
        const struct sp_door *door = &doors->items[i];
        if (door->in_use) {
            sp_cli_print_error(cli,
                               "note: %s is in use: another program listens there, or "
                               "this daemon serves already\n",
                               door->config->address);
        } else {
            sp_cli_print(cli, "%s%s%s", before, scheme_of(door), door->address);
            before = ", ";
        }
    }
    sp_cli_print(cli, "\n");
}

static int check(struct sp_cli *cli, struct sp_daemon *daemon, snakepit_message *why)
{
    struct sp_doors doors;
    // From a shell, where systemd hands nothing over, its sockets are not checked.
    daemon->activation.expected = daemon->activation.count == 0;
    snakepit_err err = check_files(cli, daemon, why);
    if (err == SNAKEPIT_OK) {
        err = sp_doors_probe(
            &daemon->config->serve.listen, &daemon->activation, &doors, why);
    }
    if (err != SNAKEPIT_OK) {
        return report(cli, err, why);
    }
    size_t pools = daemon->config->pooling_enabled ? daemon->config->count : 0;
    sp_cli_print(
        cli, "%s: valid, %zu pool%s", daemon->file, pools, pools == 1 ? "" : "s");
    say_doors(cli, &doors);
    if (daemon->activation.expected) {
        say_unchecked(cli, &daemon->config->serve.listen);
    }
    sp_doors_free(&doors);
    return SP_CLI_EXIT_OK;
}

// ---- Serve ------------------------------------------------------------------------

// A line for people, unless programs read the log.
static void say_where(struct sp_cli *cli, const struct sp_daemon *daemon)
{
    char address[sizeof((struct sp_door *)0)->address + sizeof "https://"];
    for (size_t i = 0; i < sp_server_door_count(daemon->server); i++) {
        const struct sp_door *door = sp_server_door(daemon->server, i);
        (void)snprintf(address, sizeof address, "%s%s", scheme_of(door), door->address);
        if (daemon->config->log_format == SP_LOG_TEXT) {
            sp_cli_print_error(cli, "serving %s\n", address);
        } else {
            sp_log(&daemon->log, serve_listening, .address = address);
        }
    }
}

static int serve(struct sp_cli *cli, struct sp_daemon *daemon, snakepit_message *why)
{
    snakepit_err err = sp_daemon_open(daemon, why);
    if (err == SNAKEPIT_OK) {
        say_where(cli, daemon);
        sp_daemon_run(daemon);
    }
    sp_daemon_close(daemon);
    return err == SNAKEPIT_OK ? SP_CLI_EXIT_OK : report(cli, err, why);
}

int sp_cli_serve(struct sp_cli *cli)
{
    snakepit_message why = {0};
    struct sp_daemon daemon = {.file = cli->args.words[0]};
    set_listen(cli->args.texts[SP_CLI_SERVE_LISTEN]);
    sp_notify_open(&daemon.notify);
    snakepit_err err = sp_activation_take(&daemon.activation, &why);
    if (err == SNAKEPIT_OK) {
        err = sp_config_read_file(daemon.file, &daemon.config, &why);
    }
    int status;
    if (err != SNAKEPIT_OK) {
        status = report(cli, err, &why);
    } else if (cli->args.texts[SP_CLI_SERVE_CHECK] != NULL) {
        status = check(cli, &daemon, &why);
    } else {
        status = serve(cli, &daemon, &why);
    }
    sp_activation_close(&daemon.activation);
    sp_notify_close(&daemon.notify);
    sp_config_free(daemon.config);
    return status;
}
