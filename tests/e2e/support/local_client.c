// SPDX-License-Identifier: MIT
// A program that has no pools of its own: it calls those of the daemon at argv[1].
#include <stdio.h>
#include <stdlib.h>

#include <snakepit/snakepit.h>

static void demand(snakepit_err err, const char *what)
{
    if (err != SNAKEPIT_OK) {
        (void)fprintf(stderr, "%s: %s\n", what, snakepit_err_name(err));
        exit(1);
    }
}

static void count(void *user, snakepit_err err, snakepit_answer *answer)
{
    demand(err, "a submitted call");
    ++*(unsigned *)user;
    snakepit_answer_free(answer);
}

static void submit_many(snakepit *pit)
{
    unsigned ended = 0;
    snakepit_queue *queue;
    demand(snakepit_queue_new(pit, &queue, NULL), "a queue");
    const snakepit_call_options options = {.size = sizeof options, .queue = queue};
    for (int i = 0; i < 1000; i++) {
        demand(snakepit_submit_json(
                   pit, "add", "{\"a\": 1}", &options, count, &ended, NULL),
               "submit");
    }
    while (ended < 1000) {
        (void)snakepit_queue_drain(queue, 1000);
    }
    demand(snakepit_queue_free(queue), "the queue's end");
    (void)printf("submitted %u\n", ended);
}

static bool count_chunk(void *user, snakepit_reader *chunk)
{
    (void)chunk;
    ++*(unsigned *)user;
    return true;
}

static void read_stream(snakepit *pit)
{
    unsigned chunks = 0;
    snakepit_answer *answer;
    snakepit_writer *args = snakepit_writer_new();
    snakepit_writer_map(args, 1);
    snakepit_writer_str(args, "n");
    snakepit_writer_int(args, 10);
    demand(
        snakepit_stream_each(pit, "count", args, NULL, count_chunk, &chunks, &answer),
        "a stream");
    snakepit_answer_free(answer);
    snakepit_writer_free(args);
    (void)printf("chunks %u\n", chunks);
}

int main(int count_of_words, char **words)
{
    snakepit *pit;
    snakepit_answer *answer;
    snakepit_message why;
    if (count_of_words < 2 ||
        snakepit_connect(words[1], NULL, &pit, &why) != SNAKEPIT_OK) {
        (void)fprintf(stderr, "%s\n", why.text);
        return 1;
    }
    demand(snakepit_call_json(pit, "add", "{\"a\": 1, \"b\": 2}", NULL, &answer),
           "add");
    (void)printf("%s\n", snakepit_answer_json(answer));
    snakepit_answer_free(answer);
    submit_many(pit);
    read_stream(pit);
    snakepit_close(pit, 1000);
    (void)printf("closed\n");
    return 0;
}
