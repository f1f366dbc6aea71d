// SPDX-License-Identifier: MIT
// Arguments are checked before anything is started, so that a slip costs no start of
// workers.
#include "cli/input.h"

#include "cli/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <snakepit/snakepit.h>

#include "base/check.h"
#include "payload/writer.h"

#define CHUNK 65536u

static snakepit_err explain(snakepit_message *why, snakepit_err err, const char *what)
{
    sp_cli_explain(why, "%s", what);
    return err;
}

static snakepit_err explain_system(snakepit_message *why, int error)
{
    char reason[128];
    sp_cli_explain(why,
                   "cannot read standard input: %s",
                   strerror_r(error, reason, sizeof(reason)));
    return SNAKEPIT_SYSTEM;
}

snakepit_err
sp_cli_read_all(int fd, size_t limit, struct sp_buf *text, snakepit_message *why)
{
    for (;;) {
        if (sp_buf_reserve(text, CHUNK) != SNAKEPIT_OK) {
            return explain(why, SNAKEPIT_NO_MEMORY, "not enough memory for the input");
        }
        ssize_t got = read(fd, text->data + text->size, CHUNK);
        if (got == 0) {
            return SNAKEPIT_OK;
        }
        if (got < 0 && errno != EINTR) {
            return explain_system(why, errno);
        }
        text->size += got > 0 ? (size_t)got : 0;
        if (text->size > limit) {
            sp_cli_explain(why, "the input is larger than %zu MiB", limit >> 20);
            return SNAKEPIT_INVALID_ARGUMENT;
        }
    }
}

// The one value in `args` must be a map.
static snakepit_err check_object(const snakepit_writer *args, snakepit_message *why)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_reader_init(&reader, args->buf.data, args->buf.size);
    snakepit_err err = snakepit_reader_next(&reader, &value);
    if (err == SNAKEPIT_OK && value.kind == SNAKEPIT_MAP) {
        return SNAKEPIT_OK;
    }
    return explain(why,
                   SNAKEPIT_INVALID_ARGUMENT,
                   "the arguments of a call are a JSON object, such as {\"a\": 1}");
}

static snakepit_err
read_json(struct sp_slice text, snakepit_writer *args, snakepit_message *why)
{
    why->text[0] = '\0';
    snakepit_err err =
        snakepit_writer_json(args, (const char *)text.data, text.size, why);
    if (err == SNAKEPIT_OK) {
        err = snakepit_writer_error(args);
    }
    if (err == SNAKEPIT_OK) {
        return check_object(args, why);
    }
    snakepit_message reason = *why;
    sp_cli_explain(why,
                   "the call's JSON arguments: %s",
                   reason.text[0] != '\0' ? reason.text : snakepit_err_text(err));
    return err;
}

snakepit_err sp_cli_read_arguments(const char *text,
                                   struct sp_cli_arguments *arguments,
                                   snakepit_message *why)
{
    *arguments = (struct sp_cli_arguments){.writer = snakepit_writer_new()};
    if (arguments->writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    arguments->json = sp_slice_of_text(text != NULL ? text : "{}");
    if (text != NULL && strcmp(text, "-") == 0) {
        struct sp_buf *input = &arguments->input;
        snakepit_err err = sp_cli_read_all(STDIN_FILENO, SP_CLI_INPUT_MAX, input, why);
        if (err != SNAKEPIT_OK) {
            return err;
        }
        arguments->json = (struct sp_slice){input->data, input->size};
    }
    return read_json(arguments->json, arguments->writer, why);
}

void sp_cli_arguments_fini(struct sp_cli_arguments *arguments)
{
    snakepit_writer_free(arguments->writer);
    sp_buf_fini(&arguments->input);
    *arguments = (struct sp_cli_arguments){.writer = NULL};
}
