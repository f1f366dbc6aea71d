// SPDX-License-Identifier: MIT
// A token is never an option: everybody on the machine can read what a process was
// started with.
#include "cli/credentials.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/text.h"

#define TOKEN_MOST ((size_t)900)

static snakepit_err refuse(snakepit_message *why, const char *what)
{
    sp_cli_explain(why, "%s", what);
    return SNAKEPIT_INVALID_ARGUMENT;
}

// What a field of HTTP takes without being read as something else.
static snakepit_err
check_token(const char *text, size_t size, const char *from, snakepit_message *why)
{
    for (size_t i = 0; i < size; i++) {
        if (text[i] <= ' ' || text[i] > '~') {
            sp_cli_explain(why, "%s holds more than a token, which is one word", from);
            return SNAKEPIT_INVALID_ARGUMENT;
        }
    }
    if (size == 0 || size > TOKEN_MOST) {
        sp_cli_explain(why, "%s holds no token of 1 to %zu bytes", from, TOKEN_MOST);
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    return SNAKEPIT_OK;
}

static snakepit_err keep_token(const char *text,
                               const char *from,
                               struct sp_cli_credentials *credentials,
                               snakepit_message *why)
{
    const size_t begin = strspn(text, " \t\r\n");
    size_t end = strlen(text);
    while (end > begin && strchr(" \t\r\n", text[end - 1]) != NULL) {
        end--;
    }
    const size_t size = end - begin;
    snakepit_err err = check_token(text + begin, size, from, why);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    credentials->token = sp_alloc(size + 1);
    if (credentials->token == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    memcpy(credentials->token, text + begin, size);
    credentials->token[size] = '\0';
    return SNAKEPIT_OK;
}

static void warn_of_readers(struct sp_cli *cli, int fd, const char *file)
{
    struct stat about;
    if (fstat(fd, &about) == 0 && S_ISREG(about.st_mode) &&
        (about.st_mode & (S_IRGRP | S_IROTH)) != 0) {
        sp_cli_complain(
            cli, "others may read the token in %s; chmod 600 %s", file, file);
    }
}

static snakepit_err read_token_file(struct sp_cli *cli,
                                    const char *file,
                                    struct sp_cli_credentials *credentials,
                                    snakepit_message *why)
{
    char reason[128];
    struct sp_buf text = {0};
    int fd = open(file, O_RDONLY | O_CLOEXEC);
    if (fd < 0) {
        sp_cli_explain(why,
                       "the file %s of --token-file cannot be read: %s",
                       file,
                       strerror_r(errno, reason, sizeof reason));
        return SNAKEPIT_SYSTEM;
    }
    warn_of_readers(cli, fd, file);
    snakepit_err err = sp_cli_read_all(fd, 2 * TOKEN_MOST, &text, why);
    err = err == SNAKEPIT_OK ? sp_buf_append(&text, "", 1) : err;
    if (err == SNAKEPIT_OK) {
        err = keep_token((const char *)text.data, file, credentials, why);
    } else if (err == SNAKEPIT_INVALID_ARGUMENT) {
        sp_cli_explain(why, "%s holds more than a token", file);
    }
    if (text.data != NULL) {
        explicit_bzero(text.data, text.size);
    }
    sp_buf_fini(&text);
    (void)close(fd);
    return err;
}

static snakepit_err read_token(struct sp_cli *cli,
                               struct sp_cli_credentials *credentials,
                               snakepit_message *why)
{
    const char *file = cli->args.texts[SP_CLI_CLIENT_TOKEN_FILE];
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    const char *variable = getenv("SNAKEPIT_TOKEN");
    if (file != NULL) {
        return read_token_file(cli, file, credentials, why);
    }
    return variable != NULL && variable[0] != '\0'
               ? keep_token(variable, "$SNAKEPIT_TOKEN", credentials, why)
               : SNAKEPIT_OK;
}

snakepit_err sp_cli_credentials_read(struct sp_cli *cli,
                                     const struct sp_cli_address *address,
                                     struct sp_cli_credentials *credentials,
                                     snakepit_message *why)
{
    credentials->ca = cli->args.texts[SP_CLI_CLIENT_CACERT];
    credentials->cert = cli->args.texts[SP_CLI_CLIENT_CERT];
    credentials->key = cli->args.texts[SP_CLI_CLIENT_KEY];
    if (credentials->key != NULL && credentials->cert == NULL) {
        return refuse(why, "--key FILE belongs to --cert FILE, which is not there");
    }
    if (!address->secure && (credentials->ca != NULL || credentials->cert != NULL)) {
        return refuse(why,
                      "--cacert and --cert are for TLS, and the address does not begin "
                      "with https://");
    }
    snakepit_err err = read_token(cli, credentials, why);
    if (err == SNAKEPIT_OK && credentials->token != NULL && !address->secure &&
        !address->local) {
        return refuse(why,
                      "without TLS others could read the token on its way to another "
                      "machine; connect to https://");
    }
    return err;
}

void sp_cli_credentials_fini(struct sp_cli_credentials *credentials)
{
    if (credentials->token != NULL) {
        explicit_bzero(credentials->token, strlen(credentials->token));
    }
    sp_free(credentials->token);
    *credentials = (struct sp_cli_credentials){.token = NULL};
}
