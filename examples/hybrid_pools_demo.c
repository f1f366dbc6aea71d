// SPDX-License-Identifier: MIT
// Two pools of one pit: text in processes of any Python, arrays in threads of a
// free-threaded one.
// cc hybrid_pools_demo.c $(pkg-config --cflags --libs snakepit) && ./a.out hybrid.yaml
#include <snakepit/snakepit.h>
#include <stdio.h>

static int count_words(snakepit *pit)
{
    const snakepit_call_options options = {.size = sizeof options, .pool = "text"};
    snakepit_answer *answer = NULL;
    snakepit_err err = snakepit_call_json(
        pit, "analyze", "{\"text\": \"a snake in a pit\"}", &options, &answer);
    if (err == SNAKEPIT_OK) {
        printf("text: %s\n", snakepit_answer_json(answer));
    } else {
        fprintf(stderr, "text: %s\n", snakepit_err_text(err));
    }
    snakepit_answer_free(answer);
    return err != SNAKEPIT_OK;
}

// The numbers 1 to 1,000 cross in shared memory: Python sees them where they are.
static int add_up(snakepit *pit)
{
    const snakepit_call_options options = {.size = sizeof options, .pool = "arrays"};
    snakepit_tensor tensor = {.dtype = SNAKEPIT_FLOAT32, .rank = 1, .shape = {1000}};
    void *data = NULL;
    snakepit_answer *answer = NULL;
    snakepit_writer *args = snakepit_writer_new();
    snakepit_err err = snakepit_tensor_new(pit, "arrays", &tensor, &data, NULL);
    if (err == SNAKEPIT_OK) {
        float *numbers = data;
        for (int i = 0; i < 1000; i++) {
            numbers[i] = (float)(i + 1);
        }
        snakepit_writer_map(args, 1);
        snakepit_writer_str(args, "array");
        snakepit_writer_tensor(args, &tensor);
        err = snakepit_call(pit, "stats", args, &options, &answer);
    }
    if (err == SNAKEPIT_OK) {
        printf("arrays: %s\n", snakepit_answer_json(answer));
    } else {
        fprintf(stderr, "arrays: %s\n", snakepit_err_text(err));
    }
    snakepit_answer_free(answer);
    snakepit_writer_free(args);
    snakepit_tensor_free(pit, &tensor);
    return err != SNAKEPIT_OK;
}

int main(int argc, char **argv)
{
    snakepit *pit = NULL;
    snakepit_message why = {0};
    if (argc != 2 || snakepit_open_file(argv[1], NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 60000, &why) != SNAKEPIT_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? why.text : "usage: hybrid_pools_demo FILE");
        snakepit_close(pit, 0);
        return 1;
    }
    int failed = count_words(pit) || add_up(pit);
    snakepit_close(pit, 1000);
    return failed;
}
