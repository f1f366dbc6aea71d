// SPDX-License-Identifier: MIT
// A module of Node, which has a libuv of its own and exports it: call(config) answers
// with JSON and leaves the pit open, as a program does that simply ends.
#include <string.h>

#include <node_api.h>

#include <snakepit/snakepit.h>

static napi_value text_of(napi_env env, const char *text)
{
    napi_value value = NULL;
    (void)napi_create_string_utf8(
        env, text == NULL ? "" : text, NAPI_AUTO_LENGTH, &value);
    return value;
}

static napi_value call(napi_env env, napi_callback_info info)
{
    char config[4096] = "";
    size_t count = 1;
    napi_value argument;
    snakepit *pit = NULL;
    snakepit_answer *answer = NULL;
    snakepit_message why = {""};
    (void)napi_get_cb_info(env, info, &count, &argument, NULL, NULL);
    (void)napi_get_value_string_utf8(env, argument, config, sizeof config, NULL);
    if (snakepit_open_file(config, NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 60000, &why) != SNAKEPIT_OK) {
        return text_of(env, why.text);
    }
    (void)snakepit_call_json(pit, "add", "{\"a\": 2, \"b\": 40}", NULL, &answer);
    napi_value value = text_of(env, snakepit_answer_json(answer));
    snakepit_answer_free(answer);
    return value;
}

static napi_value begin(napi_env env, napi_value exports)
{
    napi_value function = NULL;
    (void)napi_create_function(env, "call", NAPI_AUTO_LENGTH, call, NULL, &function);
    (void)napi_set_named_property(env, exports, "call", function);
    return exports;
}

NAPI_MODULE(snakepit_host, begin)
