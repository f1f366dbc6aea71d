// SPDX-License-Identifier: MIT
// Callbacks that do not return, in C++14, which has no way to refuse them.
//   leaves CONFIG tool|done|each|log|session HOW
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <pthread.h>
#include <stdexcept>
#include <unistd.h>

#include <snakepit/snakepit.h>

static const char *how;

static void leave()
{
    if (std::strcmp(how, "throw") == 0) {
        throw std::runtime_error("thrown");
    }
    pthread_exit(nullptr);
}

static snakepit_err tool(void *,
                         const snakepit_tool_info *,
                         const snakepit_reader *,
                         snakepit_writer *,
                         snakepit_message *)
{
    leave();
    return SNAKEPIT_OK;
}

static void done(void *, snakepit_err, snakepit_answer *answer)
{
    snakepit_answer_free(answer);
    leave();
}

static bool each(void *, snakepit_reader *)
{
    leave();
    return true;
}

static void session_ended(void *, const char *, snakepit_session_end)
{
    leave();
}

static void run(snakepit *pit, const char *what)
{
    snakepit_answer *answer = nullptr;
    if (std::strcmp(what, "tool") == 0) {
        snakepit_tool_register(pit, "leaves", tool, nullptr, nullptr);
        snakepit_call_json(pit, "ask", "{\"name\": \"leaves\"}", nullptr, &answer);
    } else if (std::strcmp(what, "done") == 0) {
        snakepit_drain(pit, 0);
        snakepit_submit_json(
            pit, "add", "{\"a\": 1, \"b\": 2}", nullptr, done, nullptr, nullptr);
        snakepit_drain(pit, 60000);
    } else if (std::strcmp(what, "each") == 0) {
        snakepit_writer *args = snakepit_writer_new();
        snakepit_writer_json(args, "{\"n\": 3}", 8, nullptr);
        snakepit_stream_each(pit, "count", args, nullptr, each, nullptr, &answer);
    } else {
        snakepit_writer *value = snakepit_writer_new();
        snakepit_writer_nil(value);
        snakepit_session_put(pit, "s", "k", value, nullptr);
        snakepit_session_close(pit, "s");
    }
}

int main(int count, char **words)
{
    snakepit *pit = nullptr;
    snakepit_message why = {};
    snakepit_open_options options = {};
    if (count < 4) {
        return 2;
    }
    how = words[3];
    options.size = sizeof options;
    options.session_ended = session_ended;
    if (snakepit_open_file(words[1], &options, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, nullptr, 60000, &why) != SNAKEPIT_OK) {
        std::fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    try {
        run(pit, words[2]);
    } catch (const std::exception &error) {
        std::puts("caught");
        std::fflush(stdout);
    }
    std::puts("went on");
    std::fflush(stdout);
    _exit(0);
}
