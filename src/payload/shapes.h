// SPDX-License-Identifier: MIT
// What a tool is called with, by types and shapes and never by values: "data:
// float32[3,4], n: int, name: str[5]". The worker says the same of a tool that has
// raised, of the objects that it has made (python/native/fault.c).
#ifndef PAYLOAD_SHAPES_H
#define PAYLOAD_SHAPES_H

#include <snakepit/payload.h>

// Writes that of the map that comes next, cut to `size` bytes with its zero, and fit
// for a log. Empty: there is none, or nothing in it. It takes some microseconds at
// most: what is behind very many values is only counted, and a text that is longer than
// that is told by its bytes.
void sp_shapes_write(snakepit_reader arguments, char *text, size_t size);

#endif
