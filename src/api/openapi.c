// SPDX-License-Identifier: MIT
// Written as text from beginning to end, since nobody knows before how many paths there
// will be. What is not ours goes through the writer of JSON, or is percent-encoded.
#include "api/openapi.h"

#include <string.h>

#include <snakepit/snakepit.h>

#include "api/router.h"
#include "api/tool_table.h"
#include "http/percent.h"

static void text(struct sp_openapi *openapi, const char *part)
{
    if (openapi->err == SNAKEPIT_OK) {
        openapi->err = sp_buf_append(openapi->out, part, strlen(part));
    }
}

// ---- Rows -----------------------------------------------------------------------

#define REFUSAL(name) "\"default\":{\"$ref\":\"#/components/responses/" name "\"}"
#define PROBLEM       REFUSAL("Problem")
#define VALUE                                            \
    "\"content\":{\"application/json\":{\"schema\":{}}," \
    "\"application/msgpack\":{\"schema\":{}}}"
// Of one event: that of the whole body would say nothing.
#define EVENT_STREAM \
    "\"text/event-stream\":{\"schema\":{\"$ref\":\"#/components/schemas/Event\"}}"
#define EVENTS "," EVENT_STREAM
#define SSE    "\"content\":{" EVENT_STREAM "}"
#define OBJECT "\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\"}}}"
// Of JSON-RPC, one message or a batch.
#define MESSAGES "\"application/json\":{\"schema\":{\"type\":[\"object\",\"array\"]}}"
#define PLAIN    "\"content\":{\"text/plain\":{\"schema\":{\"type\":\"string\"}}}"

#define ANSWER(status, description, content) \
    "\"" status "\":{\"description\":\"" description "\"," content "}"
#define NO_BODY(status, description) \
    "\"" status "\":{\"description\":\"" description "\"}"
#define HEADER(name) "{\"$ref\":\"#/components/parameters/" name "\"}"
#define QUERY(name, required, schema)                                \
    "{\"name\":\"" name "\",\"in\":\"query\",\"required\":" required \
    ",\"schema\":" schema "}"
#define NAME    "{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}"
#define BOOLEAN "{\"type\":\"boolean\"}"
#define LIMIT_QUERY \
    QUERY("limit", "false", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":1000}")
#define POOL_QUERY QUERY("pool", "false", NAME)
#define CALL_HEADERS                                                                  \
    HEADER("Timeout")                                                                 \
    "," HEADER("Session") "," HEADER("Priority") "," HEADER("Idempotent") "," HEADER( \
        "CallId")

#define NOT_HERE      ANSWER("501", "There is none.", OBJECT)
#define MODEL_HEADERS HEADER("Timeout") "," HEADER("CallId")
#define READY                                 \
    ANSWER("200", "Its pool serves.", OBJECT) \
    "," ANSWER("503", "Its pool does not.", OBJECT)
#define INFER_HEADER                                                                \
    "{\"name\":\"Inference-Header-Content-Length\",\"in\":\"header\",\"schema\":"   \
    "{\"type\":\"integer\",\"minimum\":0},\"description\":\"How many bytes of the " \
    "body are JSON; else all.\"}"
#define INFER_CONTENT                                                       \
    "\"content\":{\"application/json\":{\"schema\":{\"type\":\"object\"}}," \
    "\"application/octet-stream\":{\"schema\":{}}}"
#define INFER_BODY "{\"required\":true," INFER_CONTENT "}"
#define INFERRED   ANSWER("200", "The outputs.", INFER_CONTENT)

// What the rows do not say themselves, as JSON: parameters beside those of the path,
// the body, and answers beside problems. "" for none.
struct more {
    const char *parameters;
    const char *body;
    const char *answers;
};

static const struct more more[SP_ROUTES] = {
    [SP_ROUTE_root] = {"",
                       "",
                       "\"200\":{\"description\":\"The dashboard, or the paths.\","
                       "\"content\":{\"text/html\":{\"schema\":{\"type\":\"string\"}},"
                       "\"text/plain\":{\"schema\":{\"type\":\"string\"}}}}"},
    [SP_ROUTE_asset] = {"",
                        "",
                        "\"200\":{\"description\":\"The file.\",\"content\":"
                        "{\"*/*\":{\"schema\":{\"type\":\"string\"}}}}"},
    [SP_ROUTE_livez] = {"", "", ANSWER("200", "It answers.", PLAIN)},
    [SP_ROUTE_readyz] = {QUERY("verbose", "false", "{\"type\":\"string\"}"),
                         "",
                         ANSWER("200", "Every pool serves.", PLAIN) "," ANSWER(
                             "503", "A pool does not, or the daemon drains.", PLAIN)},
    [SP_ROUTE_openapi] = {"", "", ANSWER("200", "This document.", OBJECT)},
    [SP_ROUTE_metrics] = {"", "", ANSWER("200", "The figures.", PLAIN)},
    [SP_ROUTE_problem_type] = {"", "", ANSWER("200", "A few lines.", PLAIN)},
    [SP_ROUTE_call] = {CALL_HEADERS,
                       "{\"content\":{\"application/json\":{\"schema\":{\"type\":"
                       "\"object\"}},\"application/msgpack\":{\"schema\":{}}}}",
                       "\"200\":{\"description\":\"What the tool returned, or its "
                       "chunks as events.\",\"content\":{\"application/json\":"
                       "{\"schema\":{}},\"application/msgpack\":{\"schema\":{}}" EVENTS
                       "}}"},
    [SP_ROUTE_cancel] = {"", "", NO_BODY("202", "It was asked to end.")},
    [SP_ROUTE_mcp] =
        {"",
         "{\"required\":true,\"content\":{" MESSAGES "}}",
         "\"200\":{\"description\":\"The answer of JSON-RPC, or events that end with "
         "it.\",\"content\":{" MESSAGES EVENTS
         "}}," NO_BODY("202", "It was a notification.")},
    [SP_ROUTE_mcp_news] = {"", "", ANSWER("200", "Notifications, as events.", SSE)},
    [SP_ROUTE_calls] = {POOL_QUERY "," LIMIT_QUERY "," QUERY(
                            "state",
                            "false",
                            "{\"enum\":[\"line\",\"worker\",\"running\","
                            "\"stopping\",\"waiting\"]}"),
                        "",
                        ANSWER("200", "Some calls.", VALUE)},
    [SP_ROUTE_recent_calls] = {POOL_QUERY
                               "," LIMIT_QUERY
                               "," QUERY("failed", "false", BOOLEAN) "," QUERY(
                                   "slow", "false", BOOLEAN),
                               "",
                               ANSWER("200", "Some calls.", VALUE)},
    [SP_ROUTE_drain] = {"", "", NO_BODY("202", "It has begun to drain.")},
    [SP_ROUTE_reload] = {"", "", NO_BODY("204", "The pools go on as it says.")},
    [SP_ROUTE_pools] = {"", "", ANSWER("200", "The pools.", VALUE)},
    [SP_ROUTE_recycle_pool] = {"", "", NO_BODY("202", "Its workers will be replaced.")},
    [SP_ROUTE_retry_pool] = {"", "", NO_BODY("202", "It is tried.")},
    [SP_ROUTE_resize_pool] =
        {QUERY("workers",
               "true",
               "{\"type\":\"integer\",\"minimum\":0,\"maximum\":4294967295}"),
         "",
         NO_BODY("202", "It grows or shrinks.")},
    [SP_ROUTE_pool] = {"", "", ANSWER("200", "The pool.", VALUE)},
    [SP_ROUTE_tools] = {HEADER("Timeout") "," HEADER("CallId"),
                        "",
                        ANSWER("200", "The tools.", VALUE)},
    [SP_ROUTE_pool_config] = {"", "", ANSWER("200", "Its configuration.", VALUE)},
    [SP_ROUTE_pool_stacks] = {"", "", ANSWER("200", "Its workers' stacks.", VALUE)},
    [SP_ROUTE_inspection] = {"", "", ANSWER("200", "Figures and verdicts.", VALUE)},
    [SP_ROUTE_worker_stacks] = {"", "", ANSWER("200", "Its stacks.", VALUE)},
    [SP_ROUTE_worker_output] = {"", "", ANSWER("200", "Its output.", VALUE)},
    [SP_ROUTE_recycle_worker] = {"", "", NO_BODY("202", "It will be replaced.")},
    [SP_ROUTE_inference] = {"", "", ANSWER("200", "The server.", OBJECT)},
    [SP_ROUTE_inference_live] = {"", "", ANSWER("200", "It answers.", OBJECT)},
    [SP_ROUTE_inference_ready] =
        {"",
         "",
         ANSWER("200", "Every pool serves.", OBJECT) "," ANSWER(
             "503", "A pool does not.", OBJECT)},
    [SP_ROUTE_model] = {MODEL_HEADERS, "", ANSWER("200", "The model.", OBJECT)},
    [SP_ROUTE_model_version] = {MODEL_HEADERS, "", ANSWER("200", "The model.", OBJECT)},
    [SP_ROUTE_model_ready] = {MODEL_HEADERS, "", READY},
    [SP_ROUTE_model_version_ready] = {MODEL_HEADERS, "", READY},
    [SP_ROUTE_infer] = {CALL_HEADERS "," INFER_HEADER, INFER_BODY, INFERRED},
    [SP_ROUTE_infer_version] = {CALL_HEADERS "," INFER_HEADER, INFER_BODY, INFERRED},
    [SP_ROUTE_models_stats] = {"", "", NOT_HERE},
    [SP_ROUTE_model_config] = {"", "", NOT_HERE},
    [SP_ROUTE_model_version_config] = {"", "", NOT_HERE},
    [SP_ROUTE_model_stats] = {"", "", NOT_HERE},
    [SP_ROUTE_model_version_stats] = {"", "", NOT_HERE},
    [SP_ROUTE_repository] = {"", "", NOT_HERE},
    [SP_ROUTE_load_model] = {"", "", NOT_HERE},
    [SP_ROUTE_unload_model] = {"", "", NOT_HERE},
    [SP_ROUTE_watch] = {QUERY("interval_ms",
                              "false",
                              "{\"type\":\"integer\",\"minimum\":100,"
                              "\"maximum\":10000}"),
                        "",
                        ANSWER("200", "The events.", SSE)},
    [SP_ROUTE_follow] = {POOL_QUERY "," QUERY("name", "false", NAME) "," QUERY(
                             "level",
                             "false",
                             "{\"enum\":[\"debug\",\"info\",\"warning\",\"error\"]"
                             "}") "," QUERY("last",
                                            "false",
                                            "{\"type\":\"integer\",\"minimum\":0,"
                                            "\"maximum\":1024}"),
                         "",
                         ANSWER("200", "The events.", SSE)},
    [SP_ROUTE_sessions] = {QUERY("after", "false", NAME) "," LIMIT_QUERY,
                           "",
                           ANSWER("200", "Some sessions.", VALUE)},
    [SP_ROUTE_session] = {"", "", ANSWER("200", "Its keys.", VALUE)},
    [SP_ROUTE_end_session] = {"", "", NO_BODY("204", "It has ended.")},
    [SP_ROUTE_get_value] = {"", "", ANSWER("200", "The value.", VALUE)},
    [SP_ROUTE_put_value] =
        {QUERY("ttl_ms",
               "false",
               "{\"type\":\"integer\",\"minimum\":1,\"maximum\":4294967295}"),
         "{\"required\":true," VALUE "}",
         NO_BODY("204", "It is kept.")},
    [SP_ROUTE_delete_value] = {"", "", NO_BODY("204", "It is gone.")},
};

static const char *method_of(enum sp_method method)
{
    switch (method) {
    case SP_METHOD_POST:
        return "post";
    case SP_METHOD_PUT:
        return "put";
    case SP_METHOD_DELETE:
        return "delete";
    default:
        return "get";
    }
}

static const char *scope_of(enum sp_access scope)
{
    static const char *const names[] = {[SP_ACCESS_OPEN] = "open",
                                        [SP_ACCESS_CALL] = "call",
                                        [SP_ACCESS_OBSERVE] = "observe",
                                        [SP_ACCESS_ADMIN] = "admin"};
    return names[scope];
}

// Those that the pattern names. Returns whether there are any.
static bool write_path_parameters(struct sp_openapi *openapi, const char *pattern)
{
    bool any = false;
    const char *brace;
    while ((brace = strchr(pattern, '{')) != NULL) {
        const char *end = strchr(brace, '}');
        text(openapi, any ? ",{\"name\":\"" : "{\"name\":\"");
        if (openapi->err == SNAKEPIT_OK) {
            openapi->err =
                sp_buf_append(openapi->out, brace + 1, (size_t)(end - brace) - 1);
        }
        text(openapi, "\",\"in\":\"path\",\"required\":true,\"schema\":");
        text(openapi,
             strncmp(brace, "{worker}", 8) == 0
                 ? "{\"type\":\"integer\",\"minimum\":1}}"
                 : "{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}}");
        pattern = end;
        any = true;
    }
    return any;
}

// The scope stands where OpenAPI 3.1 has the roles that a client needs.
static void write_security(struct sp_openapi *openapi, enum sp_access access)
{
    if (openapi->tokens == SP_OPENAPI_NO_TOKENS) {
        return;
    }
    if (access == SP_ACCESS_OPEN) {
        text(openapi, ",\"security\":[]");
        return;
    }
    text(openapi, ",\"security\":[{\"token\":[\"");
    text(openapi, scope_of(access));
    text(openapi, openapi->tokens == SP_OPENAPI_SOME_TOKENS ? "\"]},{}]" : "\"]}]");
}

// How a request of that path is refused: each protocol has a form of its own.
static const char *refusal_of(const char *pattern)
{
    if (strncmp(pattern, "/v2", 3) == 0) {
        return REFUSAL("InferenceError");
    }
    return strcmp(pattern, "/mcp") == 0 ? REFUSAL("McpError") : PROBLEM;
}

static void write_operation(struct sp_openapi *openapi, size_t row)
{
    const struct sp_route *route = &sp_routes[row];
    text(openapi, "\"");
    text(openapi, method_of(route->method));
    text(openapi, "\":{\"operationId\":\"");
    text(openapi, route->operation);
    text(openapi, "\",\"summary\":\"");
    text(openapi, route->summary);
    text(openapi, "\",\"tags\":[\"");
    text(openapi, scope_of(route->access));
    text(openapi, "\"]");
    write_security(openapi, route->access);
    text(openapi, ",\"parameters\":[");
    const bool any = write_path_parameters(openapi, route->pattern);
    text(openapi, any && more[row].parameters[0] != '\0' ? "," : "");
    text(openapi, more[row].parameters);
    text(openapi, more[row].body[0] != '\0' ? "],\"requestBody\":" : "]");
    text(openapi, more[row].body);
    text(openapi, ",\"responses\":{");
    text(openapi, more[row].answers);
    text(openapi, ",");
    text(openapi, refusal_of(route->pattern));
    text(openapi, "}}");
}

static bool is_first_of_its_path(size_t row)
{
    for (size_t i = 0; i < row; i++) {
        if (strcmp(sp_routes[i].pattern, sp_routes[row].pattern) == 0) {
            return false;
        }
    }
    return true;
}

static void write_path(struct sp_openapi *openapi, size_t row)
{
    text(openapi, row == 0 ? "\"" : ",\"");
    text(openapi, sp_routes[row].pattern);
    text(openapi, "\":{");
    for (size_t i = row; i < SP_ROUTES; i++) {
        if (strcmp(sp_routes[i].pattern, sp_routes[row].pattern) == 0) {
            text(openapi, i == row ? "" : ",");
            write_operation(openapi, i);
        }
    }
    text(openapi, "}");
}

void sp_openapi_begin(struct sp_openapi *openapi,
                      struct sp_buf *out,
                      enum sp_openapi_tokens tokens)
{
    *openapi = (struct sp_openapi){.out = out, .tokens = tokens};
    text(openapi,
         "{\"openapi\":\"3.1.0\",\"info\":{\"title\":\"Snakepit\",\"version\":"
         "\"" SNAKEPIT_VERSION "\",\"description\":\"Pools of Python workers. Each tag "
         "is a scope, or a pool whose tools it holds.\"},"
         "\"jsonSchemaDialect\":\"https://json-schema.org/draft/2020-12/schema\","
         "\"paths\":{");
    for (size_t i = 0; i < SP_ROUTES; i++) {
        if (is_first_of_its_path(i)) {
            write_path(openapi, i);
        }
    }
}

// ---- Tools ----------------------------------------------------------------------

static void write_encoded(struct sp_openapi *openapi, const char *name)
{
    if (openapi->err == SNAKEPIT_OK) {
        openapi->err = sp_percent_encode(openapi->out, name);
    }
}

// A member of that kind as JSON; where there is none, or it has no JSON, `instead`.
static void write_member(struct sp_openapi *openapi,
                         const snakepit_reader *tool,
                         const char *key,
                         snakepit_kind kind,
                         const char *instead)
{
    if (openapi->err == SNAKEPIT_OK) {
        openapi->err = sp_tool_write_member(tool, key, kind, instead, openapi->out);
    }
}

// Whether a call without arguments cannot be right.
static bool needs_arguments(const snakepit_reader *tool)
{
    snakepit_reader found;
    snakepit_value value;
    return sp_tool_member(tool, "parameters", SNAKEPIT_MAP, &found) &&
           sp_tool_member(&found, "required", SNAKEPIT_ARRAY, &found) &&
           snakepit_reader_next(&found, &value) == SNAKEPIT_OK && value.as.count > 0;
}

static void write_schemas(struct sp_openapi *openapi,
                          const snakepit_reader *tool,
                          const char *key,
                          const char *instead)
{
    text(openapi, "\"content\":{\"application/json\":{\"schema\":");
    write_member(openapi, tool, key, SNAKEPIT_MAP, instead);
    text(openapi, "},\"application/msgpack\":{\"schema\":{}}");
}

static void
write_tool(struct sp_openapi *openapi, const char *pool, const snakepit_reader *tool)
{
    char name[SP_TOOL_NAME_MOST + 1];
    if (!sp_tool_name(tool, name)) {
        return;
    }
    text(openapi, ",\"/v1/pools/");
    write_encoded(openapi, pool);
    text(openapi, "/tools/");
    write_encoded(openapi, name);
    text(openapi, "\":{\"post\":{\"operationId\":\"call.");
    write_encoded(openapi, pool);
    text(openapi, ".");
    write_encoded(openapi, name);
    text(openapi, "\",\"summary\":");
    write_member(openapi, tool, "name", SNAKEPIT_TEXT, "\"\"");
    text(openapi, ",\"description\":");
    write_member(openapi, tool, "description", SNAKEPIT_TEXT, "\"\"");
    text(openapi, ",\"tags\":[\"");
    write_encoded(openapi, pool);
    text(openapi, "\"]");
    write_security(openapi, SP_ACCESS_CALL);
    text(openapi, ",\"parameters\":[" CALL_HEADERS "],\"requestBody\":{");
    text(openapi, needs_arguments(tool) ? "\"required\":true," : "");
    write_schemas(openapi, tool, "parameters", "{\"type\":\"object\"}");
    text(openapi, "}},\"responses\":{\"200\":{\"description\":\"What it returned.\",");
    write_schemas(openapi, tool, "result", "{}");
    text(openapi, sp_tool_flag(tool, "streams") ? EVENTS "}}," : "}},");
    text(openapi, PROBLEM "}}}");
}

void sp_openapi_add_pool(struct sp_openapi *openapi,
                         const char *pool,
                         const snakepit_reader *table)
{
    struct sp_tool_table tools;
    if (openapi->err != SNAKEPIT_OK) {
        return;
    }
    openapi->err = sp_tool_table_read(table, &tools);
    if (openapi->err != SNAKEPIT_OK) {
        return;
    }
    for (size_t i = 0; i < tools.count; i++) {
        write_tool(openapi, pool, &tools.tools[i].at);
    }
    sp_tool_table_fini(&tools);
}

// ---- Components -----------------------------------------------------------------

#define HEADER_PARAMETER(id, name, schema, description)                      \
    "\"" id "\":{\"name\":\"" name "\",\"in\":\"header\",\"schema\":" schema \
    ",\"description\":\"" description "\"}"

#define RESPONSE(id, content) \
    "\"" id "\":{\"description\":\"It failed.\",\"content\":{" content "}}"
#define CONTENT(type, schema) \
    "\"" type "\":{\"schema\":{\"$ref\":\"#/components/schemas/" schema "\"}}"
#define PROBLEM_CONTENT CONTENT("application/problem+json", "Problem")
#define JSON(schema)    CONTENT("application/json", schema)

#define TEXT    "{\"type\":\"string\"}"
#define INTEGER "{\"type\":\"integer\"}"
#define PROBLEM_SCHEMA                                                             \
    "\"Problem\":{\"type\":\"object\",\"properties\":{\"type\":" TEXT              \
    ",\"title\":" TEXT ",\"status\":" INTEGER ",\"detail\":" TEXT                  \
    ",\"error\":{\"type\":\"object\",\"properties\":{\"name\":" TEXT               \
    ",\"number\":" INTEGER ",\"retryable\":" BOOLEAN                               \
    "},\"required\":[\"name\",\"number\",\"retryable\"]}},\"required\":[\"type\"," \
    "\"title\",\"status\",\"detail\"]}"
#define INFERENCE_ERROR_SCHEMA                                                \
    "\"InferenceError\":{\"type\":\"object\",\"properties\":{\"error\":" TEXT \
    "},\"required\":[\"error\"]}"
#define MCP_ERROR_SCHEMA                                                            \
    "\"McpError\":{\"type\":\"object\",\"properties\":{\"jsonrpc\":{\"const\":\"2." \
    "0\"},"                                                                         \
    "\"error\":{\"type\":\"object\",\"properties\":{\"code\":" INTEGER              \
    ",\"message\":" TEXT                                                            \
    "},\"required\":[\"code\",\"message\"]}},\"required\":[\"jsonrpc\",\"error\"]}"
#define EVENT_SCHEMA                                                              \
    "\"Event\":{\"type\":\"object\",\"properties\":{\"event\":" TEXT              \
    ",\"data\":{\"type\":\"string\",\"contentMediaType\":\"application/json\"}}," \
    "\"required\":[\"data\"]}"

snakepit_err sp_openapi_end(struct sp_openapi *openapi)
{
    text(
        openapi,
        "},\"components\":{\"parameters\":{" HEADER_PARAMETER("Timeout", "Snakepit-Timeout-Ms", "{\"type\":\"integer\",\"minimum\":1,\"maximum\":86400000}", "How long the call may take; else the pool's call_timeout_ms.") "," HEADER_PARAMETER(
            "Session",
            "Snakepit-Session",
            "{\"type\":\"string\",\"minLength\":1,\"maxLength\":255}",
            "The session that the call belongs to.") "," HEADER_PARAMETER("Priority",
                                                                          "Snakepit-"
                                                                          "Priority",
                                                                          "{\"type\":"
                                                                          "\"integer\","
                                                                          "\"minimum\":"
                                                                          "0,"
                                                                          "\"maximum\":"
                                                                          "7}",
                                                                          "How urgent "
                                                                          "the call is "
                                                                          "while it "
                                                                          "waits in "
                                                                          "line.") "," HEADER_PARAMETER("Idempotent",
                                                                                                        "Snakepit-Idempotent",
                                                                                                        "{\"type\":\"boolean\"}",
                                                                                                        "Whether running the call twice does no more than running it once.") "," HEADER_PARAMETER("CallId",
                                                                                                                                                                                                  "Snakepit-Call-Id",
                                                                                                                                                                                                  "{\"type\":\"string\",\"pattern\":\"^(?=.*[^0-9])[A-Za-z0-9._-]{1,64}$\"}",
                                                                                                                                                                                                  "A name by which the call can be cancelled."));
    text(openapi, "},\"responses\":{");
    text(openapi, RESPONSE("Problem", PROBLEM_CONTENT) ",");
    text(openapi, RESPONSE("InferenceError", JSON("InferenceError")) ",");
    text(openapi, RESPONSE("McpError", JSON("McpError") "," PROBLEM_CONTENT));
    text(openapi, "},\"schemas\":{" PROBLEM_SCHEMA "," INFERENCE_ERROR_SCHEMA ",");
    text(openapi, MCP_ERROR_SCHEMA "," EVENT_SCHEMA "}");
    text(openapi,
         openapi->tokens == SP_OPENAPI_NO_TOKENS
             ? "}}"
             : ",\"securitySchemes\":{\"token\":{\"type\":\"http\",\"scheme\":"
               "\"bearer\","
               "\"description\":\"A token that `snakepit token new` has made, with the "
               "scope that the operation names.\"}}}}");
    return openapi->err;
}
