// SPDX-License-Identifier: MIT
// The adaptive rule. A spin that ends in time moves the budget towards twice the wait
// it saw; a short sleep (the traffic is dense) grows it; long ones halve it until it is
// zero, so that an idle pair uses no processor at all.
#include "ipc/patience.h"

#include "base/clock.h"

#define LEAST_US 2u  // a budget below this is not worth a turn
#define HIT_US   8u  // the least while spins end in time: one hiccup is not a sleep
#define FIRST_US 10u // the budget after the first short sleep
#define MOST_US  50u // no spin is longer

void sp_patience_hit(struct sp_patience *patience, uint64_t waited)
{
    uint64_t us = sp_clock_ticks_per_us();
    uint64_t goal = 2 * waited;
    goal = goal < HIT_US * us ? HIT_US * us : goal;
    goal = goal > MOST_US * us ? MOST_US * us : goal;
    patience->budget = (7 * patience->budget + goal) / 8;
    // Being apart pays: moves may come sooner again.
    patience->pause -= patience->pause / 256;
}

void sp_patience_miss(struct sp_patience *patience, uint64_t slept)
{
    uint64_t us = sp_clock_ticks_per_us();
    if (slept < SP_SHORT_US * us) {
        uint64_t grown = patience->budget == 0 ? FIRST_US * us : 2 * patience->budget;
        patience->budget = grown > MOST_US * us ? MOST_US * us : grown;
    } else {
        patience->budget /= 2;
        if (patience->budget < LEAST_US * us) {
            patience->budget = 0;
        }
    }
}

// While waits take the same time again and again. Each look takes the line away from
// the side that is about to write it, which then has to get it back first: so the best
// first look comes when the line has just been written. How long that had been there
// nobody knows, so the time is felt for: back a little after each first look that finds
// it, more after many of them, and on four times as far after one that comes too early.
#define QUIET_US  2u   // no longer
#define STEADY    8u   // the deviation is at most such a part
#define BACK      256u // parts of the time; half as many each time
#define BACK_RUN  8u   // that so many looks in a row were not too early,
#define BACK_MOST 4u   // up to so many times
#define ON        64u

uint64_t sp_patience_quiet(const struct sp_patience *patience)
{
    uint64_t usual = patience->usual;
    bool steady = patience->deviation < usual / STEADY &&
                  usual < QUIET_US * sp_clock_ticks_per_us();
    return steady ? usual : 0;
}

void sp_patience_note(struct sp_patience *patience, uint64_t waited, bool at_once)
{
    uint64_t usual = patience->usual;
    uint64_t distance = waited > usual ? waited - usual : usual - waited;
    patience->at_once = at_once ? patience->at_once + 1 : 0;
    if (at_once) {
        uint32_t runs = patience->at_once / BACK_RUN;
        patience->usual -= usual / (BACK >> (runs < BACK_MOST ? runs : BACK_MOST));
        distance = 0;
    } else if (distance < usual / STEADY) {
        patience->usual += usual / ON;
    } else {
        patience->usual = (7 * usual + waited) / 8;
    }
    patience->deviation = (7 * patience->deviation + distance) / 8;
}
