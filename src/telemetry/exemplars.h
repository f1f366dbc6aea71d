// SPDX-License-Identifier: MIT
// Calls that were traced, as examples of how long something takes: the last one of each
// size. Not thread-safe: they lie under a lock that is held anyway.
#ifndef TELEMETRY_EXEMPLARS_H
#define TELEMETRY_EXEMPLARS_H

#include <stdint.h>
#include <string.h>

// Below 131 us, 16.8 ms, 2.1 s, and all above.
#define SP_EXEMPLARS       4u
#define SP_EXEMPLARS_FIRST 17u // the power of two, in ns, that the first one is below
#define SP_EXEMPLARS_STEP  7u  // and how many more the next one is

struct sp_exemplar {
    uint8_t trace[16];
    uint64_t ns;    // it took so long
    uint64_t at_ms; // Unix time; 0: there is none
};

struct sp_exemplars {
    struct sp_exemplar of[SP_EXEMPLARS];
};

static inline void sp_exemplars_note(struct sp_exemplars *exemplars,
                                     const uint8_t trace[16],
                                     uint64_t ns,
                                     uint64_t at_ms)
{
    uint32_t place = 0;
    while (place + 1 < SP_EXEMPLARS &&
           ns >> (SP_EXEMPLARS_FIRST + SP_EXEMPLARS_STEP * place) != 0) {
        place++;
    }
    struct sp_exemplar *one = &exemplars->of[place];
    memcpy(one->trace, trace, sizeof one->trace);
    one->ns = ns;
    one->at_ms = at_ms;
}

#endif
