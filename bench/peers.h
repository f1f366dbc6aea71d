// SPDX-License-Identifier: MIT
// The process that measures multiprocessing.Pipe, ProcessPoolExecutor(1), orjson and
// msgspec: bench/peers.py.
#ifndef BENCH_PEERS_H
#define BENCH_PEERS_H

#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>

// Owner: the main thread.
struct peers {
    pid_t pid;
    FILE *commands;
    FILE *answers;
    char version[32]; // of its Python: "3.11", "3.13t"
};

// Starts it and waits until both of its sides have answered a call.
void peers_open(struct peers *peers, const char *python, const char *script);
void peers_close(struct peers *peers);

struct peers_request {
    const char *side; // "pipe", "processpool", "orjson" or "msgspec"
    const char *what; // a case of peers.py
    double seconds;
};

// Measures, and fills at most `room` figures.
void peers_measure(struct peers *peers,
                   const struct peers_request *request,
                   double *figures,
                   size_t room);

#endif
