// SPDX-License-Identifier: MIT
// Points in time for people: RFC 3339, in UTC, to the second.
#ifndef BASE_UTC_H
#define BASE_UTC_H

#include <stdbool.h>
#include <stdint.h>

#define SP_UTC_SIZE 24u // of a text, with its zero

// Seconds since 1970.
int64_t sp_utc_now(void);

// Reads "2026-11-30T10:00:00Z", or "2026-11-30", which is the beginning of that day.
// Years from 1970 to 9999. False: it is neither, or there is no such time.
bool sp_utc_read(const char *text, int64_t *seconds);
// Writes the first of these forms. A time outside of those years becomes the nearest
// within.
void sp_utc_write(int64_t seconds, char text[SP_UTC_SIZE]);

#endif
