// SPDX-License-Identifier: MIT
// Eisel and Lemire's way from decimal to binary: the digits times a power of five of
// 128 bits are the bits of the double, unless that is so near to the middle of two that
// more bits of the power could matter.
#include "payload/real.h"

#include <string.h>

#include "payload/powers.h"

#define FRACTION 52    // bits of a double's fraction
#define BIAS     1023  // of its exponent
#define INFINITE 0x7ff // its exponent
#define SPARE \
    (64 - FRACTION - 3) // bits of the product's high word that are below
                        // the fraction and the two bits that round it
#define LAST_POWER 308

// The bits of a double that is being made: of its fraction with the highest, which is
// not stored, and the exponent as it is stored.
static double assemble(uint64_t fraction, int exponent)
{
    uint64_t bits = (fraction & ~(UINT64_C(1) << FRACTION)) | (uint64_t)exponent
                                                                  << FRACTION;
    double value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

// The first 128 bits of digits * 5 ** power; false: they may be wrong in a bit that
// matters.
static bool multiply(uint64_t digits, int64_t power, uint64_t *product, uint64_t *below)
{
    const struct sp_power *five = &sp_powers[power - SP_POWER_FIRST];
    const uint64_t spare = (UINT64_C(1) << SPARE) - 1;
    *product = sp_multiply(digits, five->high, below);
    if ((*product & spare) == spare) {
        uint64_t unused;
        // The power rounded down, but where the digits divided by it are exact.
        uint64_t low = five->low - (power < -27 || power > 55);
        uint64_t more = sp_multiply(digits, low, &unused);
        *below += more;
        *product += *below < more;
    }
    // From -27 to 55 the power is exact, or what the digits divided by it are.
    return *below != UINT64_MAX || (power >= -27 && power <= 55);
}

// A fraction of two bits too many, of which the lower ones decide: to the nearest, in
// the middle to the even one.
static uint64_t round_off(uint64_t fraction)
{
    return (fraction + (fraction & 1)) >> 1;
}

static double make_small(uint64_t fraction, int exponent)
{
    if (1 - exponent >= 64) {
        return 0;
    }
    fraction = round_off(fraction >> (1 - exponent));
    // Rounded up it may be the first that is not small.
    return assemble(fraction, fraction >> FRACTION != 0);
}

bool sp_real_read(uint64_t digits, int64_t power, double *value)
{
    if (digits == 0 || power < SP_POWER_FIRST) {
        *value = 0;
        return true;
    }
    if (power > LAST_POWER) {
        *value = assemble(0, INFINITE);
        return true;
    }
    uint64_t product;
    uint64_t below;
    unsigned zeros = (unsigned)__builtin_clzll(digits);
    if (!multiply(digits << zeros, power, &product, &below)) {
        return false;
    }
    unsigned high = (unsigned)(product >> 63);
    unsigned shift = high + SPARE;
    uint64_t fraction = product >> shift;
    // 217706 / 2 ** 16 is the binary logarithm of ten, exact enough for these powers.
    int exponent = (int)((217706 * power) >> 16) + 63 + (int)high - (int)zeros + BIAS;
    if (exponent <= 0) {
        *value = make_small(fraction, exponent);
        return true;
    }
    // In the middle of two, which only these powers allow, down to the even one.
    if (below <= 1 && power >= -4 && power <= 23 && (fraction & 3) == 1 &&
        fraction << shift == product) {
        fraction &= ~UINT64_C(1);
    }
    fraction = round_off(fraction);
    if (fraction == UINT64_C(2) << FRACTION) {
        fraction >>= 1;
        exponent++;
    }
    *value =
        exponent >= INFINITE ? assemble(0, INFINITE) : assemble(fraction, exponent);
    return true;
}
