// SPDX-License-Identifier: MIT
// What is known of a tool is what a worker of its pool says, or what one has said of
// late.
#include "api/models.h"

#include <stdio.h>
#include <string.h>

#include "api/ask.h"
#include "api/call.h"
#include "api/gate.h"
#include "api/health.h"
#include "api/inside.h"
#include "api/reply.h"
#include "api/tables.h"
#include "api/tool_table.h"
#include "base/memory.h"
#include "http/problem.h"
#include "server/server.h"

// ---- Names ----------------------------------------------------------------------

size_t sp_api_model_pool(const struct sp_exchange *exchange, struct sp_slice name)
{
    size_t longest = 0;
    snakepit *pit = sp_api_of(exchange)->pit;
    const size_t count = snakepit_pool_count(pit);
    for (size_t i = 0; i < count; i++) {
        const char *pool = snakepit_pool_name(pit, i);
        const size_t size = pool == NULL ? 0 : strlen(pool);
        if (size > longest && size + 1 < name.size && name.data[size] == '.' &&
            memcmp(name.data, pool, size) == 0) {
            longest = size;
        }
    }
    if (longest == 0 &&
        name.size > 0) { // "default" may be one that is called otherwise
        const uint8_t *dot = memchr(name.data, '.', name.size);
        longest = dot == NULL ? 0 : (size_t)(dot - name.data);
    }
    return longest;
}

static void refuse_name(struct sp_exchange *exchange, struct sp_slice name)
{
    char sentence[SP_PARAM_SIZE + 96];
    (void)snprintf(sentence,
                   sizeof sentence,
                   "there is no model \"%.*s\": a model is named POOL.TOOL",
                   (int)(name.size < SP_PARAM_SIZE ? name.size : SP_PARAM_SIZE),
                   name.size == 0 ? "" : (const char *)name.data);
    sp_api_fail(exchange, SNAKEPIT_NOT_FOUND, sentence);
}

bool sp_api_find_model(struct sp_exchange *exchange,
                       struct sp_slice name,
                       struct sp_slice version,
                       struct sp_params *callee)
{
    const bool fits = name.size > 0 && name.size < SP_PARAM_SIZE &&
                      memchr(name.data, '\0', name.size) == NULL;
    const size_t pool = fits ? sp_api_model_pool(exchange, name) : 0;
    if (pool == 0 || pool + 1 == name.size) {
        refuse_name(exchange, name);
        return false;
    }
    memcpy(callee->of[0], name.data, pool);
    callee->of[0][pool] = '\0';
    memcpy(callee->of[1], name.data + pool + 1, name.size - pool - 1);
    callee->of[1][name.size - pool - 1] = '\0';
    if (!sp_api_admit_to_pool(exchange, SP_ACCESS_CALL, callee->of[0]) ||
        !sp_api_admit_to_tool(exchange, callee->of[0], callee->of[1])) {
        return false;
    }
    if (version.size > 0 && !sp_inference_is_text(version, SP_INFERENCE_VERSION)) {
        sp_api_fail(exchange,
                    SNAKEPIT_NOT_FOUND,
                    "a model has one version, \"" SP_INFERENCE_VERSION "\"");
        return false;
    }
    return true;
}

// ---- Failures -------------------------------------------------------------------

// Whether the bridge says that the arguments do not fit the tool, which its faults.py
// has looked at; a tool's own TypeError is not told so.
static bool is_misfit(const snakepit_fault *fault)
{
    return fault->err == SNAKEPIT_TOOL_FAILED &&
           strcmp(fault->type, "TypeError") == 0 &&
           strstr(fault->message, "; its signature is ") != NULL;
}

static snakepit_err add_no_model(struct sp_buf *text,
                                 const struct sp_exchange *exchange,
                                 struct sp_slice model)
{
    return sp_buf_printf(text,
                         "there is no model \"%.*s\": the pool has no such tool; GET "
                         "/v1/pools/%.*s/tools lists those it has",
                         (int)model.size,
                         (const char *)model.data,
                         (int)sp_api_model_pool(exchange, model),
                         (const char *)model.data);
}

static void refuse_model(struct sp_exchange *exchange, struct sp_slice model)
{
    struct sp_buf text = {0};
    if (add_no_model(&text, exchange, model) == SNAKEPIT_OK) {
        sp_api_fail(exchange, SNAKEPIT_NOT_FOUND, (const char *)text.data);
    } else {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
    }
    sp_buf_fini(&text);
}

void sp_api_fail_inference(struct sp_exchange *exchange,
                           struct sp_slice model,
                           const snakepit_answer *answer,
                           const char *call)
{
    struct sp_buf text = {0};
    snakepit_fault fault = *snakepit_answer_fault(answer);
    snakepit_err err = SNAKEPIT_OK;
    if (fault.err == SNAKEPIT_UNKNOWN_TOOL) {
        fault = sp_fault_of(SNAKEPIT_NOT_FOUND, "");
        err = add_no_model(&text, exchange, model);
    } else if (is_misfit(&fault)) {
        err = sp_buf_printf(&text,
                            "the inputs do not fit the model \"%.*s\": %s",
                            (int)model.size,
                            (const char *)model.data,
                            fault.message);
        fault = sp_fault_of(SNAKEPIT_INVALID_ARGUMENT, "");
    }
    if (err == SNAKEPIT_OK && text.size > 0) {
        fault.message = (const char *)text.data;
    }
    sp_api_fault(exchange, &fault, snakepit_answer_retry_after_ms(answer), call);
    sp_buf_fini(&text);
}

// ---- Health ---------------------------------------------------------------------

bool sp_api_model_serves(const struct sp_exchange *exchange,
                         const struct sp_api_model_asked *asked)
{
    bool serving = false;
    return sp_api_pool_serves(
               sp_api_of(exchange)->pit, asked->callee.of[0], &serving) &&
           serving;
}

bool sp_api_server_is_ready(const struct sp_exchange *exchange)
{
    return !sp_serve_loop_draining(exchange->loop) &&
           sp_api_all_serve(sp_api_of(exchange)->pit);
}

// ---- Metadata -------------------------------------------------------------------

static const struct sp_tool *find_tool(const struct sp_tool_table *tools,
                                       const char *name)
{
    for (size_t i = 0; i < tools->count; i++) {
        const snakepit_span *its = &tools->tools[i].name;
        if (its->size == strlen(name) && memcmp(its->data, name, its->size) == 0) {
            return &tools->tools[i];
        }
    }
    return NULL;
}

static void tell_tool(struct sp_exchange *exchange,
                      const struct sp_api_model_asked *asked,
                      const struct sp_tool *tool)
{
    struct sp_scratch scratch = {.used = 0};
    struct sp_inference_model model = {.input_count = 0};
    snakepit_message why = {{0}};
    if (tool == NULL) {
        refuse_model(exchange, sp_slice_of_text(asked->name));
        return;
    }
    snakepit_err err = sp_inference_model_read(&tool->at, &scratch, &model, &why);
    if (err == SNAKEPIT_OK) {
        asked->tell(exchange, asked, &model);
    } else {
        sp_api_fail(
            exchange, err == SNAKEPIT_NO_MEMORY ? err : SNAKEPIT_NOT_FOUND, why.text);
    }
    sp_scratch_fini(&scratch);
}

static void tell(struct sp_exchange *exchange,
                 const struct sp_api_model_asked *asked,
                 snakepit_answer *answer)
{
    snakepit_reader table;
    struct sp_tool_table tools = {.count = 0};
    snakepit_answer_reader(answer, &table);
    if (sp_tool_table_read(&table, &tools) == SNAKEPIT_OK) {
        tell_tool(exchange, asked, find_tool(&tools, asked->callee.of[1]));
    } else {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
    }
    sp_tool_table_fini(&tools);
}

static void answer_table(struct sp_exchange *exchange,
                         snakepit_answer *answer,
                         unsigned as,
                         const char *call)
{
    const snakepit_fault *fault = snakepit_answer_fault(answer);
    (void)as;
    if (fault->err != SNAKEPIT_OK) {
        sp_api_fault(exchange, fault, snakepit_answer_retry_after_ms(answer), call);
    } else {
        tell(exchange, exchange->own, answer);
    }
}

// What a worker has said, if its pool has the same workers still. False: nothing.
static bool tell_kept(struct sp_exchange *exchange,
                      const struct sp_api_model_asked *asked)
{
    struct sp_api *api = sp_api_of(exchange);
    const char *pool = sp_grant_pool(api->pit, asked->callee.of[0]);
    struct sp_api_tables *kept = sp_api_tables_kept(api);
    bool told = false;
    for (size_t i = 0; kept != NULL && !told && i < kept->count; i++) {
        if (strcmp(kept->tables[i].pool, pool) == 0 && kept->tables[i].answer != NULL) {
            tell(exchange, asked, kept->tables[i].answer);
            told = true;
        }
    }
    sp_api_tables_unref(kept);
    return told;
}

void sp_api_ask_model(struct sp_exchange *exchange,
                      struct sp_slice name,
                      struct sp_slice version,
                      void (*tell_model)(struct sp_exchange *exchange,
                                         const struct sp_api_model_asked *asked,
                                         const struct sp_inference_model *model))
{
    struct sp_api_ask ask;
    struct sp_api_model_asked *asked = sp_alloc(sizeof *asked);
    if (asked == NULL) {
        sp_api_fail(exchange, SNAKEPIT_NO_MEMORY, NULL);
        return;
    }
    asked->tell = tell_model;
    if (sp_api_find_model(exchange, name, version, &asked->callee)) {
        memcpy(asked->name, name.data, name.size);
        if (!tell_kept(exchange, asked) &&
            sp_api_ask_about_pool(exchange, asked->callee.of[0], &ask)) {
            const struct sp_api_form form = {
                .answer = answer_table, .over = sp_free, .own = asked};
            exchange->own = asked;
            sp_api_submit_tools(exchange, &ask, form);
            return;
        }
    }
    sp_free(asked);
}
