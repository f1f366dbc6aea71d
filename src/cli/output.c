// SPDX-License-Identifier: MIT
// stdio forgets why a write failed by the time one asks, so each write is looked at.
#include "cli/output.h"

#include "cli/text.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snakepit/payload.h>

#include "base/text.h"

void sp_cli_streams_init(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF) {
            // The lowest free descriptor is this one. It is opened the wrong way round,
            // so that whoever reads or writes here gets the EBADF of a closed one.
            int opened = open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY);
            (void)opened; // without /dev/null nothing here would help
        }
    }
    (void)signal(SIGPIPE, SIG_IGN); // cannot fail with these
}

static void note(struct sp_cli *cli, bool failed)
{
    if (failed && cli->lost == 0) {
        cli->lost = errno != 0 ? errno : EIO;
    }
}

// What is printed may come from a worker or its interpreter.
__attribute__((format(printf, 2, 0))) static int
print_clean(FILE *file, const char *format, va_list args)
{
    char *text;
    int length = vasprintf(&text, format, args);
    if (length < 0) {
        return -1;
    }
    sp_text_clean(text, (size_t)length, SP_TEXT_BLOCK);
    int rc = fputs(text, file);
    free(text);
    return rc;
}

void sp_cli_print(struct sp_cli *cli, const char *format, ...)
{
    if (cli->lost != 0) {
        return;
    }
    va_list args;
    va_start(args, format);
    note(cli, print_clean(cli->out, format, args) < 0);
    va_end(args);
}

void sp_cli_write(struct sp_cli *cli, const void *data, size_t bytes)
{
    if (cli->lost == 0) {
        note(cli, fwrite(data, 1, bytes, cli->out) != bytes);
    }
}

void sp_cli_flush(struct sp_cli *cli)
{
    if (cli->lost == 0) {
        note(cli, fflush(cli->out) != 0);
    }
}

void sp_cli_print_error(struct sp_cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    // There is nowhere left to report that standard error is gone.
    (void)print_clean(cli->err, format, args);
    va_end(args);
}

void sp_cli_complain(struct sp_cli *cli, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    sp_cli_print_error(cli, "snakepit: ");
    (void)print_clean(cli->err, format, args);
    sp_cli_print_error(cli, "\n");
    va_end(args);
}

int sp_cli_complain_usage(struct sp_cli *cli, const char *command, const char *what)
{
    sp_cli_complain(cli,
                    "%s (see snakepit %s%s--help)",
                    what,
                    command != NULL ? command : "",
                    command != NULL ? " " : "");
    return SP_CLI_EXIT_USAGE;
}

int sp_cli_complain_unknown(struct sp_cli *cli, const char *name)
{
    const char *like = sp_cli_command_nearest(name);
    snakepit_message what;
    if (like != NULL) {
        sp_cli_explain(
            &what, "there is no command \"%s\"; did you mean \"%s\"?", name, like);
    } else {
        sp_cli_explain(&what, "there is no command \"%s\"", name);
    }
    return sp_cli_complain_usage(cli, NULL, what.text);
}

int sp_cli_output_end(struct sp_cli *cli, int status)
{
    sp_cli_flush(cli);
    if (cli->lost == 0 || cli->lost == EPIPE) {
        return status;
    }
    char reason[128];
    sp_cli_complain(cli,
                    "cannot write to standard output: %s",
                    strerror_r(cli->lost, reason, sizeof(reason)));
    return status == SP_CLI_EXIT_OK ? SP_CLI_EXIT_SYSTEM : status;
}
