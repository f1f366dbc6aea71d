// SPDX-License-Identifier: MIT
// Calls of one tool that are run as one: which ones, and what becomes of those that are
// given up in the middle.
#ifndef NATIVE_BATCH_H
#define NATIVE_BATCH_H

#include "state.h"

// With the number of a slot that was just taken from the ring: takes more calls of the
// same tool behind it, as many as the tool takes at once and within its time, into
// `taken`. None of them is begun by that, so the host can still take each of them back.
// False: the call is to be run alone, and nothing else was taken.
bool sp_batch_gather(struct sp_executor *executor, uint32_t slot);

// It has ended: its items are nobody's any more.
void sp_batch_close(struct sp_batch *batch);

// When the last of its answers is due.
uint64_t sp_batch_deadline(const struct sp_batch *batch);
// Whether what the executor runs now is a batch, and not a call in the middle of it.
bool sp_batch_runs(const struct sp_executor *executor);
// Whose name the batch that runs asks its host in: the first call that is still wanted,
// or the first.
const struct sp_batch_item *sp_batch_speaker(const struct sp_executor *executor);

// The host wants a call to be stopped: the number of the call that an executor runs it
// as. 0: others of its batch are still wanted. Any thread.
uint64_t sp_batch_struck(const struct sp_runtime *runtime,
                         const struct sp_cancel *cancel);

#endif
