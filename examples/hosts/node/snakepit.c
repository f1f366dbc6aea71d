// SPDX-License-Identifier: MIT
// An addon of Node that calls tools of a Snakepit daemon. Its completion queue's
// descriptor is one more of Node's event loop, so no thread waits for a call:
//
//     cc -shared -fPIC -I/usr/include/node snakepit.c -o snakepit.node $FLAGS
//
// where FLAGS is what `pkg-config --cflags --libs snakepit` says. main.mjs shows its
// use.
#include <stdlib.h>

#include <node_api.h>
#include <uv.h>

#include <snakepit/snakepit.h>

// Owner: Node's thread. One a process; a worker thread of Node would need its own.
static struct {
    napi_env env;
    napi_async_context async;
    snakepit *pit;
    snakepit_queue *queue;
    uv_poll_t poll;
    unsigned calls; // under way: while there are none, the loop may end
} host;

static napi_value text_of(const char *text)
{
    napi_value value = NULL;
    (void)napi_create_string_utf8(host.env, text, NAPI_AUTO_LENGTH, &value);
    return value;
}

static napi_value error_of(snakepit_err err, const char *message)
{
    napi_value error = NULL;
    (void)napi_create_error(
        host.env,
        text_of(snakepit_err_name(err)),
        text_of(message[0] == '\0' ? snakepit_err_text(err) : message),
        &error);
    return error;
}

static void begin_call(void)
{
    if (host.calls++ == 0) {
        uv_ref((uv_handle_t *)&host.poll);
    }
}

static void end_call(void)
{
    if (--host.calls == 0) {
        uv_unref((uv_handle_t *)&host.poll);
    }
}

// Runs inside snakepit_queue_drain(), so on Node's thread, in the scopes of
// on_readable().
static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    napi_deferred promise = user;
    const char *json = snakepit_answer_json(answer);
    if (err == SNAKEPIT_OK && json != NULL) {
        (void)napi_resolve_deferred(host.env, promise, text_of(json));
    } else {
        err = err == SNAKEPIT_OK ? SNAKEPIT_UNSERIALISABLE : err;
        const char *message = snakepit_answer_fault(answer)->message;
        (void)napi_reject_deferred(host.env, promise, error_of(err, message));
    }
    snakepit_answer_free(answer);
    end_call();
}

// The descriptor becomes readable again only after a drain that has found nothing. What
// waits for the promises runs when the callback's scope is closed.
static void on_readable(uv_poll_t *poll, int status, int events)
{
    napi_handle_scope handles;
    napi_callback_scope callback;
    napi_value resource;
    (void)poll, (void)status, (void)events;
    (void)napi_open_handle_scope(host.env, &handles);
    (void)napi_create_object(host.env, &resource);
    (void)napi_open_callback_scope(host.env, resource, host.async, &callback);
    while (snakepit_queue_drain(host.queue, 0) > 0) {
    }
    (void)napi_close_callback_scope(host.env, callback);
    (void)napi_close_handle_scope(host.env, handles);
}

// Before Node ends, so that no call is left to report to it.
static void on_exit_of_node(void *data)
{
    (void)data;
    (void)uv_poll_stop(&host.poll);
    uv_close((uv_handle_t *)&host.poll, NULL);
    napi_handle_scope handles;
    (void)napi_open_handle_scope(host.env, &handles);
    snakepit_close(host.pit, 0);
    (void)napi_close_handle_scope(host.env, handles);
    (void)snakepit_queue_free(host.queue);
}

// The text of an argument, to be freed. NULL: it is none.
static char *argument(napi_value value)
{
    size_t size = 0;
    char *text = NULL;
    if (napi_get_value_string_utf8(host.env, value, NULL, 0, &size) == napi_ok &&
        (text = malloc(size + 1)) != NULL) {
        (void)napi_get_value_string_utf8(host.env, value, text, size + 1, &size);
    }
    return text;
}

// connect(address)
static napi_value connect_to(napi_env env, napi_callback_info info)
{
    const snakepit_connect_options options = {.size = sizeof options,
                                              .reconnect = true};
    snakepit_message why = {""};
    napi_value value = NULL;
    size_t count = 1;
    uv_loop_t *loop;
    int fd = -1;
    (void)napi_get_cb_info(env, info, &count, &value, NULL, NULL);
    char *address = argument(value);
    snakepit_err err = host.pit != NULL || address == NULL
                           ? SNAKEPIT_INVALID_ARGUMENT
                           : snakepit_connect(address, &options, &host.pit, &why);
    free(address);
    if (err == SNAKEPIT_OK) {
        err = snakepit_queue_new(host.pit, &host.queue, &why);
    }
    if (err == SNAKEPIT_OK) {
        err = snakepit_queue_fd(host.queue, &fd);
    }
    if (err != SNAKEPIT_OK) {
        (void)napi_throw(env, error_of(err, why.text));
        return NULL;
    }
    (void)napi_get_uv_event_loop(env, &loop);
    (void)uv_poll_init(loop, &host.poll, fd);
    (void)uv_poll_start(&host.poll, UV_READABLE, on_readable);
    uv_unref((uv_handle_t *)&host.poll);
    (void)napi_add_env_cleanup_hook(env, on_exit_of_node, NULL);
    while (snakepit_queue_drain(host.queue, 0) > 0) { // from now on it rings
    }
    return NULL;
}

// call(pool, tool, json, timeoutMs): {id, promise}, whose promise is of JSON.
static napi_value call(napi_env env, napi_callback_info info)
{
    napi_value values[4] = {NULL};
    napi_value result;
    napi_value promise;
    napi_value number;
    napi_deferred deferred;
    size_t count = 4;
    snakepit_call_id id = 0;
    snakepit_message why = {""};
    (void)napi_get_cb_info(env, info, &count, values, NULL, NULL);
    char *words[3] = {argument(values[0]), argument(values[1]), argument(values[2])};
    snakepit_call_options options = {
        .size = sizeof options, .pool = words[0], .queue = host.queue, .why = &why};
    (void)napi_get_value_uint32(env, values[3], &options.timeout_ms);
    (void)napi_create_object(env, &result);
    (void)napi_create_promise(env, &deferred, &promise);
    snakepit_err err = snakepit_submit_json(
        host.pit, words[1], words[2], &options, on_done, deferred, &id);
    if (err == SNAKEPIT_OK) {
        begin_call();
    } else {
        (void)napi_reject_deferred(env, deferred, error_of(err, why.text));
    }
    for (int i = 0; i < 3; i++) {
        free(words[i]);
    }
    (void)napi_create_bigint_uint64(env, id, &number);
    (void)napi_set_named_property(env, result, "id", number);
    (void)napi_set_named_property(env, result, "promise", promise);
    return result;
}

// cancel(id)
static napi_value cancel(napi_env env, napi_callback_info info)
{
    napi_value value = NULL;
    size_t count = 1;
    uint64_t id = 0;
    bool whole;
    (void)napi_get_cb_info(env, info, &count, &value, NULL, NULL);
    (void)napi_get_value_bigint_uint64(env, value, &id, &whole);
    (void)snakepit_cancel(host.pit, id);
    return NULL;
}

static napi_value begin(napi_env env, napi_value exports)
{
    const struct {
        const char *name;
        napi_callback function;
    } functions[] = {{"connect", connect_to}, {"call", call}, {"cancel", cancel}};
    host.env = env;
    (void)napi_async_init(env, NULL, text_of("snakepit"), &host.async);
    for (size_t i = 0; i < sizeof functions / sizeof functions[0]; i++) {
        napi_value function;
        (void)napi_create_function(env,
                                   functions[i].name,
                                   NAPI_AUTO_LENGTH,
                                   functions[i].function,
                                   NULL,
                                   &function);
        (void)napi_set_named_property(env, exports, functions[i].name, function);
    }
    return exports;
}

NAPI_MODULE(snakepit, begin)
