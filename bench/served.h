// SPDX-License-Identifier: MIT
// A daemon with the same pools as the product's, and a local door.
#ifndef BENCH_SERVED_H
#define BENCH_SERVED_H

#include "product.h"

struct served {
    pid_t pid;
    char folder[32];
    char address[64]; // "unix:..."
};

// Starts one, and waits until it serves.
void served_open(struct served *served, const struct product_options *options);
void served_close(struct served *served);

#endif
