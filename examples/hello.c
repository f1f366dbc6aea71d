// SPDX-License-Identifier: MIT
// cc hello.c $(pkg-config --cflags --libs snakepit) && ./a.out sums.yaml
#include <snakepit/snakepit.h>
#include <stdio.h>

int main(int argc, char **argv)
{
    snakepit *pit = NULL;
    snakepit_message why = {0};
    if (argc != 2 || snakepit_open_file(argv[1], NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 30000, &why) != SNAKEPIT_OK) {
        fprintf(stderr, "hello: %s\n", argc == 2 ? why.text : "usage: hello CONFIG");
        snakepit_close(pit, 0);
        return 1;
    }
    snakepit_answer *answer = NULL;
    snakepit_err err =
        snakepit_call_json(pit, "add", "{\"a\": 2, \"b\": 40}", NULL, &answer);
    if (err == SNAKEPIT_OK) {
        printf("%s\n", snakepit_answer_json(answer));
    } else {
        fprintf(stderr, "hello: %s\n", snakepit_answer_fault(answer)->message);
    }
    snakepit_answer_free(answer);
    snakepit_close(pit, 1000);
    return err != SNAKEPIT_OK;
}
