// SPDX-License-Identifier: MIT
// The pit of ../pit/fakes.h for tests that know the doors: its own header knows the
// inside of the library, where a reply is another thing than here.
#ifndef UNIT_API_FAKE_PIT_H
#define UNIT_API_FAKE_PIT_H

#include <snakepit/snakepit.h>

extern snakepit *pit;

int pit_prepare(void **state);
int pit_tidy(void **state);
void pit_open(const char *more);
void pit_open_ready(const char *more);

// How many calls the worker has begun, and how many of them it was asked to end.
unsigned fake_pit_begun(void);
unsigned fake_pit_cancels(void);
// After pit_prepare(): no worker gets ready.
void fake_pit_never_ready(void);

#endif
