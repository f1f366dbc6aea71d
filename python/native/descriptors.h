// SPDX-License-Identifier: MIT
// The descriptors by which a worker hears its host. A tool that closes all there are,
// as daemons do, takes them away.
#ifndef NATIVE_DESCRIPTORS_H
#define NATIVE_DESCRIPTORS_H

#include <stdbool.h>

struct sp_runtime;

// Remembers which they are. Once, before user code runs.
void sp_descriptors_note(const struct sp_runtime *runtime);
// Whether they are open, and still the same. Any thread.
bool sp_descriptors_are_ours(const struct sp_runtime *runtime);
// Leaves word for the host that they are not.
void sp_descriptors_tell(struct sp_runtime *runtime);
// Leaves word that the channel has ended, though the host has not ended it.
void sp_descriptors_tell_shutdown(struct sp_runtime *runtime);

#endif
