// SPDX-License-Identifier: MIT
// Has a cache line travel before it is needed. Any address will do.
#ifndef BASE_PREFETCH_H
#define BASE_PREFETCH_H

// To be written soon, by this core alone.
static inline void sp_prefetch_for_write(const void *place)
{
#if defined(__x86_64__)
    // The builtin fetches it to be read, so that it would travel twice.
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)place));
#else
    __builtin_prefetch(place, 1);
#endif
}

#endif
