// SPDX-License-Identifier: MIT
// A system that refuses. A program that links this has system calls of its own in front
// of those that its process makes: each that gets a resource can be made to fail, so
// that descriptors, memory, threads and processes run out wherever one likes.
#ifndef SUPPORT_REFUSALS_H
#define SUPPORT_REFUSALS_H

#include <stdbool.h>

#define REFUSE_FOREVER (1L << 60)

// The n-th call from now on fails (1: the next), and `count` in all; 0: none does.
void refuse_from(long n, long count);
// Whether one has failed since then, and which was the first: "eventfd"; or NULL.
const char *refused_first(void);
// Calls since then.
long refusals_seen(void);

#endif
