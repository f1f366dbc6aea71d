// SPDX-License-Identifier: MIT
// Doubles from decimal digits and back, exactly, whatever the locale.
#ifndef PAYLOAD_REAL_H
#define PAYLOAD_REAL_H

#include <stdbool.h>
#include <stdint.h>

// The double nearest to digits * 10 ** power, of two the one that is even; infinity
// where it is over the largest. False: it cannot tell, which is very rare.
bool sp_real_read(uint64_t digits, int64_t power, double *value);

// Bytes that sp_real_write() may write to; the text is shorter.
#define SP_REAL_ROOM 48

// Writes a finite double in the fewest digits that bring it back, of these the ones
// nearest to it, and returns the end. It has a point or an exponent: 1.0, 1e+22,
// 2.5e-10. The exponent is there when it is below -4, or over 14 and not below the
// count of digits.
char *sp_real_write(double value, char *out);

#endif
