// SPDX-License-Identifier: MIT
// Calls every function of the library on threads with stacks of 64 KiB, also from
// callbacks and tools of the host, and says how much of a stack each of them took.
//   small_stack CONFIG
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include <snakepit/snakepit.h>

#define STACK (64u << 10)
#define MARK  0xa5

static const char *config;
static snakepit *pit;
static snakepit_message why;
static _Atomic int failures;
static _Atomic int callbacks;
static double numbers[32];

static void fail(const char *what, snakepit_err err, const snakepit_answer *answer)
{
    (void)fprintf(stderr,
                  "%s: %s %s\n",
                  what,
                  snakepit_err_name(err),
                  answer == NULL ? why.text : snakepit_answer_fault(answer)->message);
    failures++;
}

static void expect(const char *what, snakepit_err err, snakepit_answer *answer)
{
    if (err != SNAKEPIT_OK) {
        fail(what, err, answer);
    }
    (void)snakepit_answer_json(answer);
    snakepit_answer_free(answer);
}

// ---- What the library calls ---------------------------------------------------

static void call_add(void);

static void
on_log(void *user, snakepit_log_level level, const char *event, const char *line)
{
    (void)user;
    (void)level;
    (void)event;
    (void)line;
}

static void
on_session_ended(void *user, const char *session, snakepit_session_end reason)
{
    (void)user;
    (void)session;
    (void)reason;
    callbacks++;
}

static void on_event(void *user, const snakepit_event *event)
{
    (void)user;
    (void)event;
}

static void on_done(void *user, snakepit_err err, snakepit_answer *answer)
{
    expect(user, err, answer);
    callbacks++;
    call_add();
}

static bool on_chunk(void *user, snakepit_reader *chunk)
{
    snakepit_value value;
    (void)user;
    return snakepit_reader_next(chunk, &value) == SNAKEPIT_OK;
}

// Calls back into the pool that asks.
static snakepit_err on_question(void *user,
                                const snakepit_tool_info *info,
                                const snakepit_reader *arguments,
                                snakepit_writer *result,
                                snakepit_message *reason)
{
    (void)user;
    (void)info;
    (void)arguments;
    (void)reason;
    call_add();
    snakepit_writer_int(result, 7);
    return SNAKEPIT_OK;
}

// ---- What is called -----------------------------------------------------------

static void do_nothing(void)
{
}

static void open_pit(void)
{
    const snakepit_open_options options = {.size = sizeof options,
                                           .log = on_log,
                                           .session_ended = on_session_ended,
                                           .event = on_event};
    snakepit_err err = snakepit_open_file(config, &options, &pit, &why);
    if (err != SNAKEPIT_OK) {
        fail("open", err, NULL);
        exit(1);
    }
}

static void refuse_configurations(void)
{
    static const char *const texts[] = {"pools: [{name: x, adapter: [}]",
                                        "pools: [{nmae: x}]",
                                        "pols: 1",
                                        ": :",
                                        "[[[["};
    snakepit *none = NULL;
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        (void)snakepit_open_memory(texts[i], strlen(texts[i]), NULL, &none, &why);
    }
    (void)snakepit_open_file("/nowhere", NULL, &none, &why);
}

static void await_ready(void)
{
    snakepit_err err = snakepit_await_ready(pit, NULL, 60000, &why);
    if (err != SNAKEPIT_OK) {
        fail("await_ready", err, NULL);
        exit(1);
    }
}

static void call_add(void)
{
    snakepit_answer *answer = NULL;
    snakepit_err err =
        snakepit_call_json(pit, "add", "{\"a\": 2, \"b\": 40}", NULL, &answer);
    expect("call_json", err, answer);
}

static void write_all(snakepit_writer *args)
{
    const snakepit_tensor tensor = {.data = numbers,
                                    .dtype = SNAKEPIT_FLOAT64,
                                    .rank = 2,
                                    .shape = {2, 4},
                                    .strides = {64, 16}};
    static const char json[] = "{\"a\":[1.25e-300,\"\\u00e9\"]}";
    snakepit_writer_map(args, 1);
    snakepit_writer_str(args, "value");
    snakepit_writer_array(args, 6);
    snakepit_writer_bytes(args, "x", 1);
    snakepit_writer_tensor(args, &tensor);
    snakepit_writer_double(args, 0.1);
    snakepit_writer_uint(args, UINT64_MAX);
    (void)snakepit_writer_json(args, json, strlen(json), &why);
    snakepit_writer_nil(args);
    (void)snakepit_writer_explain(args, &why);
}

static void call_with_all(void)
{
    snakepit_answer *answer = NULL;
    snakepit_reader reader;
    snakepit_reader value;
    snakepit_writer *args = snakepit_writer_new();
    const snakepit_call_options options = {
        .size = sizeof options, .session_id = "s", .timeout_ms = 30000, .why = &why};
    write_all(args);
    snakepit_err err = snakepit_call(pit, "echo", args, &options, &answer);
    snakepit_answer_reader(answer, &reader);
    (void)snakepit_reader_find(&reader, "x", &value);
    (void)snakepit_reader_skip(&reader);
    expect("call", err, answer);
    snakepit_writer_free(args);
}

static void fail_calls(void)
{
    static const struct {
        const char *tool;
        const char *json;
    } rows[] = {{"nosuch", "{}"},
                {"add", "{\"a\":1}"},
                {"add", "[1,"},
                {"add", "[[[[{\"$bytes\":\"?\"}]]]]"},
                {"fail", "{\"message\":\"x\"}"},
                {NULL, NULL}};
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        snakepit_answer *answer = NULL;
        (void)snakepit_call_json(pit, rows[i].tool, rows[i].json, NULL, &answer);
        (void)snakepit_answer_fault(answer);
        snakepit_answer_free(answer);
    }
    const snakepit_call_options options = {.size = sizeof options, .pool = "nosuch"};
    snakepit_answer *answer = NULL;
    (void)snakepit_call(pit, "add", NULL, &options, &answer);
    snakepit_answer_free(answer);
}

static void ask_the_host(void)
{
    snakepit_answer *answer = NULL;
    snakepit_err err = snakepit_tool_register(pit, "question", on_question, NULL, NULL);
    expect("tool_register", err, NULL);
    err = snakepit_call_json(pit, "ask", "{\"name\":\"question\"}", NULL, &answer);
    expect("ask", err, answer);
    expect("tool_unregister", snakepit_tool_unregister(pit, "question", NULL), NULL);
}

static void submit_and_drain(void)
{
    int fd;
    static char name[] = "submit_json";
    static const char json[] = "{\"a\":1,\"b\":2}";
    snakepit_call_id call;
    callbacks = 0;
    expect("submit_json",
           snakepit_submit_json(pit, "add", json, NULL, on_done, name, &call),
           NULL);
    (void)snakepit_cancel(pit, 0);
    expect("completion_fd", snakepit_completion_fd(pit, &fd), NULL);
    while (callbacks == 0) {
        (void)snakepit_drain(pit, 1000);
    }
}

static void read_streams(void)
{
    snakepit_stream *stream = NULL;
    snakepit_answer *answer = NULL;
    snakepit_reader chunk;
    snakepit_writer *args = snakepit_writer_new();
    expect("stream_open_json",
           snakepit_stream_open_json(pit, "count", "{\"n\":300}", NULL, &stream),
           NULL);
    while (snakepit_stream_next(stream, &chunk) == SNAKEPIT_OK) {
        (void)snakepit_stream_json(stream);
    }
    (void)snakepit_stream_id(stream);
    (void)snakepit_answer_json(snakepit_stream_answer(stream));
    snakepit_stream_close(stream);
    (void)snakepit_writer_json(args, "{\"n\":3}", 7, NULL);
    snakepit_err err =
        snakepit_stream_each(pit, "count", args, NULL, on_chunk, NULL, &answer);
    expect("stream_each", err, answer);
    snakepit_writer_free(args);
}

static void use_sessions(void)
{
    snakepit_answer *answer = NULL;
    snakepit_writer *value = snakepit_writer_new();
    snakepit_writer_int(value, 7);
    expect("session_put", snakepit_session_put(pit, "s", "k", value, NULL), NULL);
    snakepit_writer_free(value);
    snakepit_err err = snakepit_session_get(pit, "s", "k", &answer);
    expect("session_get", err, answer);
    err = snakepit_session_list(pit, "s", &answer);
    expect("session_list", err, answer);
    expect("session_delete", snakepit_session_delete(pit, "s", "k"), NULL);
    expect("session_close", snakepit_session_close(pit, "s"), NULL);
}

static void look_around(void)
{
    void *data;
    size_t bytes;
    size_t count;
    snakepit_pool_stats stats = {.size = sizeof stats};
    snakepit_worker_info info = {.size = sizeof info};
    snakepit_tensor tensor = {.dtype = SNAKEPIT_INT8, .rank = 1, .shape = {100}};
    expect("tensor_bytes", snakepit_tensor_bytes(&tensor, &bytes), NULL);
    expect("tensor_new", snakepit_tensor_new(pit, NULL, &tensor, &data, NULL), NULL);
    snakepit_tensor_free(pit, &tensor);
    expect("get_stats", snakepit_pool_get_stats(pit, NULL, &stats), NULL);
    expect("workers", snakepit_pool_workers(pit, NULL, &info, 1, &count), NULL);
    (void)snakepit_pool_name(pit, snakepit_pool_count(pit) - 1);
}

static void close_pit(void)
{
    snakepit_close(pit, 2000);
}

// ---- Threads ------------------------------------------------------------------

static void *run(void *what)
{
    void (*function)(void);
    memcpy(&function, &what, sizeof function);
    function();
    return NULL;
}

// Bytes of a stack of STACK bytes that the function has touched, the thread's own
// included.
static size_t measure(void (*function)(void))
{
    pthread_attr_t attributes;
    pthread_t thread;
    void *what;
    memcpy(&what, &function, sizeof what);
    uint8_t *stack = mmap(NULL,
                          STACK,
                          PROT_READ | PROT_WRITE,
                          MAP_PRIVATE | MAP_ANONYMOUS | MAP_STACK,
                          -1,
                          0);
    memset(stack, MARK, STACK);
    (void)pthread_attr_init(&attributes);
    if (pthread_attr_setstack(&attributes, stack, STACK) != 0 ||
        pthread_create(&thread, &attributes, run, what) != 0) {
        (void)fprintf(stderr, "no thread with a stack of %u bytes\n", STACK);
        exit(1);
    }
    (void)pthread_join(thread, NULL);
    size_t free = 0;
    while (free < STACK && stack[free] == MARK) {
        free++;
    }
    (void)munmap(stack, STACK);
    return STACK - free;
}

int main(int count, char **words)
{
    static const struct {
        const char *name;
        void (*function)(void);
    } rows[] = {
        {"open_pit", open_pit},
        {"refuse_configurations", refuse_configurations},
        {"await_ready", await_ready},
        {"call_add", call_add},
        {"call_with_all", call_with_all},
        {"fail_calls", fail_calls},
        {"ask_the_host", ask_the_host},
        {"submit_and_drain", submit_and_drain},
        {"read_streams", read_streams},
        {"use_sessions", use_sessions},
        {"look_around", look_around},
        {"close_pit", close_pit},
    };
    if (count < 2) {
        return 2;
    }
    config = words[1];
    size_t base = measure(do_nothing);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        (void)printf("%s %zu\n", rows[i].name, measure(rows[i].function) - base);
        (void)fflush(stdout);
    }
    return failures != 0;
}
