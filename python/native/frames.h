// SPDX-License-Identifier: MIT
// Tells the host where this Python keeps its stacks, so that it can read them in our
// memory whatever we do. This is the one place that knows it: the extension is compiled
// for the version of Python that it runs in.
#ifndef NATIVE_FRAMES_H
#define NATIVE_FRAMES_H

#include "ipc/layout.h"

// Fills in the map, or says that this version's frames are not known. Attached to the
// interpreter, on the thread that joins the host.
void sp_frames_describe(struct sp_python_map *map);

// The calling thread, which is attached to the interpreter, is the stamp's executor;
// and is so no longer.
void sp_frames_note_thread(struct sp_stamp *stamp);
void sp_frames_forget_thread(struct sp_stamp *stamp);

#endif
