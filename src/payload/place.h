// SPDX-License-Identifier: MIT
// Where in a value something is wrong, for people.
#ifndef PAYLOAD_PLACE_H
#define PAYLOAD_PLACE_H

#include <stddef.h>

#include <snakepit/payload.h>

#include "base/slice.h"

// Writes where the next value of `writer` belongs: ".items[2].image", ".options{key 3}"
// for the third key of a map, "" for the root and for a value that is whole. Of more
// than eight steps the first are left out; long keys are cut. Cheap only for errors: it
// reads all that was written.
void sp_place_of_next(const snakepit_writer *writer, char *text, size_t size);
// The same for the value that follows `written`, the beginning of a message.
void sp_place_behind(struct sp_slice written, char *text, size_t size);

#endif
