// SPDX-License-Identifier: MIT
// Calls whose arguments are JSON text. Their time begins before that is read.
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/thread.h"
#include "pit/pit.h"
#include "pit/refuse.h"

// Makes the request's arguments, to be freed, of JSON text, which may be NULL. On
// failure `why` says what it is.
static snakepit_err
read_arguments(struct sp_pit_request *request, const char *json, snakepit_message *why)
{
    snakepit_message wrong;
    request->begun = sp_clock_now();
    request->args = NULL;
    if (json == NULL) {
        return SNAKEPIT_OK;
    }
    snakepit_writer *args = snakepit_writer_new();
    snakepit_err err = args == NULL
                           ? SNAKEPIT_NO_MEMORY
                           : snakepit_writer_json(args, json, strlen(json), &wrong);
    if (err == SNAKEPIT_OK) {
        request->args = args;
        return err;
    }
    const char *text = args == NULL ? snakepit_err_text(err) : wrong.text;
    snakepit_writer_free(args);
    return sp_refuse(why, err, "the call's JSON arguments: %.960s", text);
}

static void free_arguments(struct sp_pit_request *request)
{
    snakepit_writer_free((snakepit_writer *)(uintptr_t)request->args);
}

snakepit_err snakepit_call_json(snakepit *pit,
                                const char *tool,
                                const char *json,
                                const snakepit_call_options *options,
                                snakepit_answer **answer)
{
    SP_UNCANCELLED;
    struct sp_pit_request request = {.tool = tool, .options = options};
    snakepit_message why;
    if (answer == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    snakepit_err err = read_arguments(&request, json, &why);
    if (err != SNAKEPIT_OK) {
        struct sp_call *call = sp_pit_refused(err, why.text);
        *answer = call == NULL ? NULL : sp_call_answer(call);
        return err;
    }
    err = sp_pit_call(pit, &request, answer);
    free_arguments(&request);
    return err;
}

// Where a submitted call's options want to be told why; NULL.
static snakepit_message *told(const snakepit_call_options *options)
{
    snakepit_call_options room;
    const char *wrong;
    options = sp_options_read(options, sizeof room, &room, &wrong);
    return options == NULL || wrong != NULL ? NULL : options->why;
}

// NOLINTNEXTLINE(readability-function-size): a callback and its user are one thing
snakepit_err snakepit_submit_json(snakepit *pit,
                                  const char *tool,
                                  const char *json,
                                  const snakepit_call_options *options,
                                  snakepit_done_fn *done,
                                  void *user,
                                  snakepit_call_id *call)
{
    SP_UNCANCELLED;
    struct sp_pit_request request = {.tool = tool,
                                     .options = options,
                                     .order = {.done = done, .user = user, .id = call}};
    snakepit_message why;
    snakepit_err err = read_arguments(&request, json, &why);
    if (err != SNAKEPIT_OK) {
        return sp_refuse(told(options), err, "%s", why.text);
    }
    err = sp_pit_submit(pit, &request);
    free_arguments(&request);
    return err;
}

snakepit_err snakepit_stream_open_json(snakepit *pit,
                                       const char *tool,
                                       const char *json,
                                       const snakepit_call_options *options,
                                       snakepit_stream **stream)
{
    SP_UNCANCELLED;
    struct sp_pit_request request = {.tool = tool, .options = options};
    snakepit_message why;
    if (stream == NULL) {
        return SNAKEPIT_INVALID_ARGUMENT;
    }
    snakepit_err err = read_arguments(&request, json, &why);
    if (err != SNAKEPIT_OK) {
        *stream = sp_pit_stream_refused(sp_pit_refused(err, why.text));
        return err;
    }
    err = sp_pit_stream_open(pit, &request, stream);
    free_arguments(&request);
    return err;
}
