// SPDX-License-Identifier: MIT
// A program that exports functions of libraries, as Node exports libuv. None of them
// may be taken for the library's own.
#include <stdio.h>
#include <stdlib.h>

#include <snakepit/snakepit.h>

#define STRANGE(name)                                                        \
    void name(void);                                                         \
    void name(void)                                                          \
    {                                                                        \
        (void)fprintf(stderr, "the program's own " #name "() was called\n"); \
        abort();                                                             \
    }

STRANGE(yaml_parser_initialize)
STRANGE(yaml_parser_delete)
STRANGE(yaml_parser_load)
STRANGE(yaml_parser_parse)
STRANGE(yaml_parser_set_input_string)
STRANGE(yaml_parser_set_encoding)
STRANGE(yaml_document_get_node)
STRANGE(yaml_document_get_root_node)
STRANGE(yaml_document_delete)
STRANGE(yaml_event_delete)
STRANGE(json_loadb)
STRANGE(json_decref)
STRANGE(json_object_get)
STRANGE(uv_loop_init)
STRANGE(uv_loop_close)
STRANGE(uv_run)
STRANGE(uv_async_init)
STRANGE(uv_async_send)
STRANGE(uv_timer_init)
STRANGE(uv_timer_start)
STRANGE(uv_poll_init)
STRANGE(uv_poll_start)
STRANGE(uv_close)
// What a program may well call its own things.
STRANGE(sp_alloc)
STRANGE(sp_log)
STRANGE(sp_pool_call)

int main(int count, char **words)
{
    snakepit *pit = NULL;
    snakepit_answer *answer = NULL;
    snakepit_message why = {""};
    if (count < 2 || snakepit_open_file(words[1], NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 60000, &why) != SNAKEPIT_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    (void)snakepit_call_json(pit, "add", "{\"a\": 2, \"b\": 40}", NULL, &answer);
    (void)puts(snakepit_answer_json(answer));
    snakepit_answer_free(answer);
    snakepit_close(pit, 1000);
    return 0;
}
