// SPDX-License-Identifier: MIT
// What a pit tells and does for those who are connected to it: the public functions
// that are not calls, by name. pit/ask.h is the other end.
#ifndef PIT_TELL_H
#define PIT_TELL_H

#include <snakepit/snakepit.h>

#include "base/slice.h"

// Answers `question`, which is [what, {arguments}] of a client that nothing is
// believed. Writes [err, message, value] to `answer`, an empty writer. May take as long
// as the public function of that name; blocks for none of them longer than a tenth of a
// second. Any thread.
void sp_pit_tell(snakepit *pit, struct sp_slice question, snakepit_writer *answer);

#endif
