// SPDX-License-Identifier: MIT
// The frames of one thread of Python in the memory of another process, innermost first.
// The thread runs on meanwhile. So the chain of frames is read first, which takes a few
// microseconds, and read again if the thread has moved; what the frames run is looked
// up afterwards, for code objects seldom go away.
#ifndef INSPECT_FRAMES_H
#define INSPECT_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "inspect/memory.h"
#include "inspect/objects.h"
#include "ipc/layout.h"

#define SP_FRAMES_MOST 100u // of a thread that are told

enum sp_frames_end {
    SP_FRAMES_WHOLE = 0, // to the outermost one
    SP_FRAMES_CUT,       // there are more than are told
    SP_FRAMES_LOST,      // it led to what is no frame, or cannot be read
};

// Owner: one thread. Large: for the heap.
struct sp_frames {
    bool moved; // the thread did not hold still: they may be of several moments
    enum sp_frames_end end;
    uint32_t count;
    struct sp_code_place places[SP_FRAMES_MOST];
};

// Reads the frames of the thread whose PyThreadState is at `state`. Always leaves
// something sound: at the worst, no frames and SP_FRAMES_LOST.
void sp_frames_read(struct sp_objects *objects,
                    uint64_t state,
                    struct sp_frames *frames);

#endif
