// SPDX-License-Identifier: MIT
// The codec by itself, for tests that have another one: reads commands from stdin, a
// line each, and answers each with a line.
//
//   echo snakepit.v1.Tensor HEX    the message read and written: "ok HEX" or "no TEXT"
//   read HEX                       a google.protobuf.Value as MessagePack
//   write HEX                      MessagePack as a google.protobuf.Value
//   file PATH                      the descriptor of a file
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "grpc/messages.h"
#include "grpc/proto_value.h"
#include "payload/writer.h"
#include "protobuf/descriptor.h"
#include "protobuf/message.h"

static unsigned digit_of(char digit)
{
    return (unsigned)(digit <= '9' ? digit - '0' : digit - 'a' + 10);
}

// In place.
static struct sp_slice from_hex(char *text)
{
    const size_t size = strlen(text) / 2;
    uint8_t *bytes = (uint8_t *)text;
    for (size_t i = 0; i < size; i++) {
        bytes[i] = (uint8_t)(digit_of(text[2 * i]) << 4 | digit_of(text[2 * i + 1]));
    }
    return (struct sp_slice){bytes, size};
}

static void answer(snakepit_err err, const char *why, struct sp_slice bytes)
{
    if (err != SNAKEPIT_OK) {
        printf("no %s\n", why);
    } else {
        printf("ok ");
        for (size_t i = 0; i < bytes.size; i++) {
            printf("%02x", bytes.data[i]);
        }
        printf("\n");
    }
    (void)fflush(stdout);
}

static const struct sp_proto_type *type_of(const char *name)
{
    char full[256];
    for (const struct sp_proto_type *const *type = sp_file_v1.set->types; *type != NULL;
         type++) {
        (void)snprintf(
            full, sizeof full, "%s.%s", (*type)->file->package, (*type)->name);
        if (strcmp(full, name) == 0) {
            return *type;
        }
    }
    return NULL;
}

static void echo(const char *name, struct sp_slice bytes)
{
    snakepit_message why = {{0}};
    struct sp_scratch scratch = {0};
    struct sp_buf out = {0};
    const struct sp_proto_type *type = type_of(name);
    SP_CHECK(type != NULL);
    void *message = sp_alloc(type->size);
    SP_CHECK(message != NULL);
    snakepit_err err = sp_proto_decode(type, bytes, &scratch, message, &why);
    if (err == SNAKEPIT_OK) {
        err = sp_proto_encode_flat(type, message, &out);
    }
    answer(err, why.text, (struct sp_slice){out.data, out.size});
    sp_free(message);
    sp_scratch_fini(&scratch);
    sp_buf_fini(&out);
}

static void read_value(struct sp_slice bytes)
{
    snakepit_message why = {{0}};
    snakepit_writer *writer = snakepit_writer_new();
    SP_CHECK(writer != NULL);
    sp_proto_value_read(bytes, writer);
    snakepit_err err = snakepit_writer_explain(writer, &why);
    answer(err, why.text, (struct sp_slice){writer->buf.data, writer->buf.size});
    snakepit_writer_free(writer);
}

static void write_value(struct sp_slice bytes)
{
    snakepit_message why = {{0}};
    snakepit_reader reader;
    struct sp_buf out = {0};
    snakepit_reader_init(&reader, bytes.data, bytes.size);
    snakepit_err err = sp_proto_value_write(&reader, &out, &why);
    answer(err, why.text, (struct sp_slice){out.data, out.size});
    sp_buf_fini(&out);
}

static void describe(const char *path)
{
    struct sp_buf out = {0};
    snakepit_err err = SNAKEPIT_NOT_FOUND;
    for (size_t i = 0; sp_files[i] != NULL; i++) {
        if (strcmp(sp_files[i]->path, path) == 0) {
            err = sp_proto_describe(sp_files[i], &out);
        }
    }
    answer(err, "there is no such file", (struct sp_slice){out.data, out.size});
    sp_buf_fini(&out);
}

static void obey(char *line)
{
    char *first = strchr(line, ' ');
    SP_CHECK(first != NULL);
    *first++ = '\0';
    if (strcmp(line, "echo") == 0) {
        char *hex = strchr(first, ' ');
        SP_CHECK(hex != NULL);
        *hex++ = '\0';
        echo(first, from_hex(hex));
    } else if (strcmp(line, "read") == 0) {
        read_value(from_hex(first));
    } else if (strcmp(line, "write") == 0) {
        write_value(from_hex(first));
    } else {
        describe(first);
    }
}

int main(void)
{
    char *line = NULL;
    size_t room = 0;
    ssize_t size;
    while ((size = getline(&line, &room, stdin)) > 0) {
        line[size - 1] = '\0';
        obey(line);
    }
    free(line);
    return 0;
}
