// SPDX-License-Identifier: MIT
// Figures for people, short.
#ifndef CLI_TOP_FIGURES_H
#define CLI_TOP_FIGURES_H

#include <stdint.h>

#define SP_TOP_FIGURE 32u // bytes of room, with a zero behind it

// "0", "99999", "123k", "4.5M": at most 5 characters, below 10^14.
void sp_top_write_count(char room[SP_TOP_FIGURE], uint64_t count);
// "812", "64k", "1.5M", "12G": bytes, in powers of 1024.
void sp_top_write_bytes(char room[SP_TOP_FIGURE], uint64_t bytes);
// "0", "0.4", "812", "12k"
void sp_top_write_rate(char room[SP_TOP_FIGURE], double rate);
// "35us", "1.2ms", "3.4s", "2m10s", "3h12m", "4d2h"
void sp_top_write_span(char room[SP_TOP_FIGURE], uint64_t us);

#endif
