// SPDX-License-Identifier: MIT
// The bridge does the work (examination.py); its reply is read here, with bounds.
#include "interpreter/examine.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/text.h"
#include "interpreter/child.h"
#include "interpreter/reply.h"
#include "payload/writer.h"

static const char script[] = SP_PYTHON_BRIDGE("examination", "command");

// ---- The reply ----------------------------------------------------------------

static void read_library(const snakepit_reader *reply, struct sp_examined_library *into)
{
    sp_reply_copy(reply, "title", into->title, sizeof into->title);
    sp_reply_copy(reply, "version", into->version, sizeof into->version);
    sp_reply_copy(reply, "minimum", into->minimum, sizeof into->minimum);
    sp_reply_copy(reply, "reason", into->reason, sizeof into->reason);
    sp_reply_copy(reply, "pattern", into->pattern, sizeof into->pattern);
    into->thread_safe = sp_reply_is_true(reply, "thread_safe");
    into->too_old = sp_reply_is_true(reply, "too_old");
    into->has_threads = sp_reply_is_true(reply, "threads");
}

// The items of an array; `items` then stands before the first one. At most `most`.
static size_t begin_array(const snakepit_reader *reply,
                          const char *key,
                          size_t most,
                          snakepit_reader *items)
{
    snakepit_value value;
    if (snakepit_reader_find(reply, key, items) != SNAKEPIT_OK ||
        snakepit_reader_next(items, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return 0;
    }
    return value.as.count < most ? value.as.count : most;
}

static void read_libraries(const snakepit_reader *reply, struct sp_examination *into)
{
    snakepit_reader items;
    into->library_count =
        begin_array(reply, "libraries", SP_EXAMINED_LIBRARIES, &items);
    for (size_t i = 0; i < into->library_count; i++) {
        read_library(&items, &into->libraries[i]);
        (void)snakepit_reader_skip(&items);
    }
}

// A pair of a package and its microseconds.
static bool read_import(snakepit_reader *items, struct sp_examined_import *into)
{
    snakepit_value value;
    if (snakepit_reader_next(items, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count != 2 ||
        snakepit_reader_next(items, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT) {
        return false;
    }
    size_t size = value.as.text.size < sizeof into->package ? value.as.text.size
                                                            : sizeof into->package - 1;
    (void)snprintf(
        into->package, sizeof into->package, "%.*s", (int)size, value.as.text.data);
    sp_text_clean(into->package, strlen(into->package), SP_TEXT_LINE);
    if (snakepit_reader_next(items, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_INTEGER || value.as.integer < 0) {
        return false;
    }
    into->us = (uint64_t)value.as.integer;
    return true;
}

static void read_imports(const snakepit_reader *reply, struct sp_examination *into)
{
    snakepit_reader items;
    size_t count = begin_array(reply, "imports", SP_EXAMINED_IMPORTS, &items);
    size_t read = 0;
    while (read < count && read_import(&items, &into->imports[read])) {
        read++;
    }
    into->import_count = read;
}

static void read_reply(const snakepit_reader *reply, struct sp_examination *into)
{
    snakepit_value value;
    sp_reply_copy(reply, "problem", into->why.text, sizeof into->why.text);
    into->outcome = into->why.text[0] == '\0' ? SP_EXAMINED_OK : SP_EXAMINED_FAILED;
    into->import_us = sp_reply_number(reply, "import_us");
    into->gil_enabled = sp_reply_is_true(reply, "gil_enabled");
    sp_reply_copy(
        reply, "gil_enabled_by", into->gil_enabled_by, sizeof into->gil_enabled_by);
    into->declares = sp_reply_find(reply, "declared", SNAKEPIT_BOOLEAN, &value);
    into->thread_safe = into->declares && value.as.boolean;
    read_libraries(reply, into);
    read_imports(reply, into);
}

// False: it is no reply.
static bool understand(const struct sp_child_result *result,
                       struct sp_examination *examination)
{
    snakepit_writer *writer = snakepit_writer_new();
    const char *text = (const char *)result->reply.data;
    bool understood =
        writer != NULL && result->reply.size > 0 &&
        snakepit_writer_json(writer, text, result->reply.size, NULL) == SNAKEPIT_OK;
    if (understood) {
        snakepit_reader reply;
        snakepit_reader problem;
        snakepit_reader_init(&reply, writer->buf.data, writer->buf.size);
        understood = snakepit_reader_find(&reply, "problem", &problem) == SNAKEPIT_OK;
        if (understood) {
            read_reply(&reply, examination);
        }
    }
    snakepit_writer_free(writer);
    return understood;
}

// ---- The run ------------------------------------------------------------------

// What ended it before it could say anything.
static void explain_silence(const struct sp_child_result *result,
                            struct sp_examination *examination)
{
    char how[64] = "ended without a word";
    int status = result->status;
    if (status != -1 && WIFSIGNALED(status)) {
        (void)snprintf(how, sizeof how, "was killed by signal %d", WTERMSIG(status));
    } else if (status != -1) {
        (void)snprintf(
            how, sizeof how, "ended with exit status %d", WEXITSTATUS(status));
    }
    (void)snprintf(examination->why.text,
                   sizeof examination->why.text,
                   "the interpreter %s while it imported the adapter%s%s",
                   how,
                   result->last_words[0] != '\0' ? ", last words: " : "",
                   result->last_words);
    sp_text_clean(examination->why.text, strlen(examination->why.text), SP_TEXT_LINE);
}

void sp_interpreter_examine(const struct sp_interpreter *interpreter,
                            const struct sp_examine_options *options,
                            struct sp_examination *examination)
{
    char command[] = "-c";
    char text[sizeof(script)];
    memcpy(text, script, sizeof(script));
    char seconds[16];
    (void)snprintf(seconds, sizeof seconds, "%u", options->timeout_ms / 1000 + 2);
    char *argv[] = {interpreter->executable,
                    command,
                    text,
                    options->pool->adapter,
                    options->folder,
                    seconds,
                    NULL};
    struct sp_child_result result;
    *examination = (struct sp_examination){.outcome = SP_EXAMINED_FAILED};
    snakepit_err err = sp_child_run(argv,
                                    options->environment,
                                    sp_clock_now() + options->timeout_ms * SP_NS_PER_MS,
                                    &result,
                                    &examination->why);
    // A process that the import has left behind may hold the reply open.
    if (understand(&result, examination)) {
        sp_child_result_fini(&result);
        return;
    }
    if (err == SNAKEPIT_DEADLINE_EXCEEDED) {
        examination->outcome = SP_EXAMINED_LATE;
    } else if (err == SNAKEPIT_OK) {
        explain_silence(&result, examination);
    } else if (examination->why.text[0] == '\0') {
        (void)snprintf(
            examination->why.text, sizeof examination->why.text, "memory is exhausted");
    }
    sp_child_result_fini(&result);
}
