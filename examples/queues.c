// SPDX-License-Identifier: MIT
// 1,000 streams at once, read by one thread through two completion queues.
// cc queues.c $(pkg-config --cflags --libs snakepit) && ./a.out hybrid.yaml
#include <poll.h>
#include <snakepit/snakepit.h>
#include <stdio.h>

#define STREAMS 1000

struct loop {
    snakepit_queue *queue;
    struct pollfd polled;
    unsigned open, chunks, failed;
};

// Reads what there is. When there is more, this runs again.
static void read_stream(void *user, snakepit_stream *stream)
{
    struct loop *loop = user;
    snakepit_reader chunk;
    snakepit_err err;
    while ((err = snakepit_stream_try_next(stream, &chunk)) == SNAKEPIT_OK) {
        loop->chunks++;
    }
    if (err != SNAKEPIT_AGAIN) {
        loop->failed += err != SNAKEPIT_END;
        loop->open--;
        snakepit_stream_close(stream);
    }
}

static snakepit_err open_stream(snakepit *pit, struct loop *loop)
{
    snakepit_stream *stream;
    snakepit_call_options options = {.size = sizeof options,
                                     .queue = loop->queue,
                                     .ready = read_stream,
                                     .ready_user = loop};
    snakepit_err err =
        snakepit_stream_open_json(pit, "count_up", "{\"limit\": 5}", &options, &stream);
    if (err == SNAKEPIT_OK) {
        loop->open++;
    } else {
        fprintf(stderr, "queues: %s\n", snakepit_err_text(err));
        snakepit_stream_close(stream);
    }
    return err;
}

// Drained until there is nothing, a queue makes its descriptor readable for what comes.
static void run(struct loop loops[2])
{
    while (loops[0].open + loops[1].open > 0) {
        for (int i = 0; i < 2; i++) {
            while (snakepit_queue_drain(loops[i].queue, 0) > 0) {
            }
        }
        struct pollfd polled[] = {loops[0].polled, loops[1].polled};
        if (loops[0].open + loops[1].open > 0) {
            poll(polled, 2, -1);
        }
    }
}

int main(int argc, char **argv)
{
    struct loop loops[2] = {{0}, {0}};
    snakepit *pit = NULL;
    snakepit_message why = {0};
    if (argc != 2 || snakepit_open_file(argv[1], NULL, &pit, &why) != SNAKEPIT_OK) {
        fprintf(stderr, "queues: %s\n", argc == 2 ? why.text : "usage: queues CONFIG");
        return 1;
    }
    snakepit_err err = SNAKEPIT_OK;
    for (int i = 0; i < 2 && err == SNAKEPIT_OK; i++) {
        err = snakepit_queue_new(pit, &loops[i].queue, &why);
        loops[i].polled.events = POLLIN;
        (void)snakepit_queue_fd(loops[i].queue, &loops[i].polled.fd);
    }
    for (int i = 0; i < STREAMS && err == SNAKEPIT_OK; i++) {
        err = open_stream(pit, &loops[i % 2]);
    }
    if (err == SNAKEPIT_OK) {
        run(loops);
        printf("%u and %u chunks, %u failures\n",
               loops[0].chunks,
               loops[1].chunks,
               loops[0].failed + loops[1].failed);
    }
    snakepit_close(pit, 0);
    snakepit_queue_free(loops[0].queue);
    snakepit_queue_free(loops[1].queue);
    return err != SNAKEPIT_OK;
}
