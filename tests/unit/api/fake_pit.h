// SPDX-License-Identifier: MIT
// The pit of ../pit/fakes.h for tests that know the doors: its own header knows the
// inside of the library, where a reply is another thing than here.
#ifndef UNIT_API_FAKE_PIT_H
#define UNIT_API_FAKE_PIT_H

#include <snakepit/snakepit.h>

extern snakepit *pit;

int pit_prepare(void **state);
int pit_tidy(void **state);
void pit_open_ready(const char *more);

// How many calls the worker was asked to end.
unsigned fake_pit_cancels(void);

#endif
