// SPDX-License-Identifier: MIT
// Heavy calls on threads: products of matrices that lie in shared memory, submitted all
// at once and awaited together.
// cc hpc_pool_demo.c $(pkg-config --cflags --libs snakepit) && ./a.out hpc.yaml
#include <snakepit/snakepit.h>
#include <stdio.h>

#define SIDE  256
#define CALLS 16

struct outcome {
    int ended;
    int right;
};

// Each element of the product of two matrices full of ones is their side.
static void take(void *user, snakepit_err err, snakepit_answer *answer)
{
    struct outcome *outcome = user;
    snakepit_reader reader;
    snakepit_value value;
    outcome->ended++;
    if (err == SNAKEPIT_OK) {
        snakepit_answer_reader(answer, &reader);
        if (snakepit_reader_next(&reader, &value) == SNAKEPIT_OK &&
            value.kind == SNAKEPIT_TENSOR) {
            const float *product = value.as.tensor.data;
            outcome->right += product[0] == SIDE && product[SIDE * SIDE - 1] == SIDE;
        }
    } else {
        fprintf(stderr, "%s\n", snakepit_err_text(err));
    }
    snakepit_answer_free(answer);
}

static int multiply(snakepit *pit, const snakepit_tensor *ones)
{
    struct outcome outcome = {0, 0};
    snakepit_writer *args = snakepit_writer_new();
    snakepit_writer_map(args, 2);
    snakepit_writer_str(args, "a");
    snakepit_writer_tensor(args, ones);
    snakepit_writer_str(args, "b");
    snakepit_writer_tensor(args, ones);
    int submitted = 0;
    while (submitted < CALLS &&
           snakepit_submit(pit, "matmul", args, NULL, take, &outcome, NULL) ==
               SNAKEPIT_OK) {
        submitted++;
    }
    while (outcome.ended < submitted) {
        (void)snakepit_drain(pit, 1000);
    }
    snakepit_writer_free(args);
    printf("%d products of %d x %d matrices, %d of them right\n",
           outcome.ended,
           SIDE,
           SIDE,
           outcome.right);
    return outcome.right != CALLS;
}

int main(int argc, char **argv)
{
    snakepit *pit = NULL;
    snakepit_message why = {0};
    void *data = NULL;
    snakepit_tensor ones = {
        .dtype = SNAKEPIT_FLOAT32, .rank = 2, .shape = {SIDE, SIDE}};
    if (argc != 2 || snakepit_open_file(argv[1], NULL, &pit, &why) != SNAKEPIT_OK ||
        snakepit_await_ready(pit, NULL, 60000, &why) != SNAKEPIT_OK ||
        snakepit_tensor_new(pit, NULL, &ones, &data, &why) != SNAKEPIT_OK) {
        fprintf(stderr, "%s\n", argc == 2 ? why.text : "usage: hpc_pool_demo FILE");
        snakepit_close(pit, 0);
        return 1;
    }
    float *numbers = data;
    for (int i = 0; i < SIDE * SIDE; i++) {
        numbers[i] = 1;
    }
    int failed = multiply(pit, &ones);
    snakepit_tensor_free(pit, &ones);
    snakepit_close(pit, 1000);
    return failed;
}
