// SPDX-License-Identifier: MIT
// Schubfach, Raffaello Giulietti's way from binary to decimal: the numbers that round
// to a double are an interval, and among the multiples of the largest power of ten
// that is not longer than it there are at most few inside. Three products with a power
// of ten of 126 bits tell which.
#include "payload/real.h"

#include <string.h>

#include "payload/digits.h"
#include "payload/powers.h"

#define FRACTION 52      // bits of a double's fraction
#define LOWEST   (-1074) // the exponent of the smallest double's only bit
#define DIGITS   17      // that are always enough
#define TENTH    UINT64_C(10000000000000000) // has so many

// digits * 10 ** power
struct decimal {
    uint64_t digits;
    int power;
};

// ---- The shortest digits ------------------------------------------------------

// floor(log10(2 ** e)), or of 3/4 of that.
static inline int log10_of(int e, bool three_quarters)
{
    return (e * 1262611 - (three_quarters ? 524031 : 0)) >> 22;
}

// floor(log2(10 ** e))
static inline int log2_of(int e)
{
    return (e * 1741647) >> 19;
}

// The high word of power * factor, made odd where bits are lost.
static inline uint64_t round_to_odd(const struct sp_power *power, uint64_t factor)
{
    uint64_t low;
    uint64_t unused;
    uint64_t carry = sp_multiply(power->low, factor, &unused);
    uint64_t high = sp_multiply(power->high, factor, &low);
    low += carry;
    high += low < carry;
    return high | (low > 1);
}

// Four times a double and the ends of its interval, in units of the power of ten.
struct interval {
    uint64_t low;
    uint64_t middle;
    uint64_t high;
};

// Of two neighbours, `value` and `value + step`, the one that is inside. False: none
// is, or both are.
static inline bool
choose(const struct interval *within, uint64_t value, uint64_t step, uint64_t *chosen)
{
    bool below = within->low <= 4 * value;
    bool above = 4 * (value + step) <= within->high;
    *chosen = value + step * above;
    return below != above;
}

// `yes` or `no`, without the jump that compilers like: nobody can foresee which.
static inline uint64_t pick(bool condition, uint64_t yes, uint64_t no)
{
    return no ^ ((yes ^ no) & (0 - (uint64_t)condition));
}

static inline uint64_t digits_of(const struct interval *within)
{
    uint64_t digits = within->middle / 4;
    uint64_t half = 4 * digits + 2;
    uint64_t ones;
    uint64_t tens;
    bool is_one = choose(within, digits, 1, &ones);
    bool is_ten = choose(within, digits / 10 * 10, 10, &tens) & (digits >= 10);
    uint64_t nearest = digits + ((within->middle + (digits & 1)) > half);
    return pick(is_ten, tens, pick(is_one, ones, nearest));
}

// `fraction` * 2 ** exponent. `close`: the neighbour below is only half as far. The
// last digits may be zeros.
static inline __attribute__((always_inline)) struct decimal
shortest(uint64_t fraction, int exponent, bool close)
{
    int power = log10_of(exponent, close);
    const struct sp_power *ten = &sp_powers[-power - SP_POWER_FIRST];
    int shift = exponent + log2_of(-power) + 1;
    uint64_t odd = fraction & 1; // an even one is also what the ends round to
    uint64_t four = fraction << 2;
    struct interval within = {
        .low = round_to_odd(ten, (four - 2 + close) << shift) + odd,
        .middle = round_to_odd(ten, four << shift),
        .high = round_to_odd(ten, (four + 2) << shift) - odd,
    };
    // Known before the digits are, which are one more at most.
    uint64_t ten_or_one = 1 + 9 * (uint64_t)(within.middle / 4 < TENTH);
    return (struct decimal){digits_of(&within) * ten_or_one, power - (ten_or_one != 1)};
}

// Powers of two, and what is too small to be normal.
static __attribute__((noinline)) struct decimal seldom(uint64_t fraction, int exponent)
{
    if (exponent == 0) {
        return shortest(fraction, LOWEST, false);
    }
    return shortest(UINT64_C(1) << FRACTION, exponent - 1 + LOWEST, exponent > 1);
}

static inline struct decimal decimal_of(uint64_t bits)
{
    uint64_t fraction = bits & ((UINT64_C(1) << FRACTION) - 1);
    int exponent = (int)(bits >> FRACTION) & 0x7ff;
    if (__builtin_expect(exponent == 0 || fraction == 0, 0)) {
        return seldom(fraction, exponent);
    }
    return shortest(fraction | UINT64_C(1) << FRACTION, exponent - 1 + LOWEST, false);
}

// ---- The text -----------------------------------------------------------------

// The digits of a real, as payload/digits.h has them: 1, 8 and 8, of which the last
// ones may be zeros.
struct text {
    char first;
    uint64_t upper;
    uint64_t lower;
    int count;    // without zeros at the end
    int exponent; // of the first
};

static inline struct text text_of(struct decimal decimal)
{
    uint64_t digits = decimal.digits;
    int power = decimal.power;
    if (__builtin_expect(digits >= 10 * TENTH, 0)) {
        digits /= 10;
        power++;
    }
    while (__builtin_expect(digits < TENTH, 0)) {
        digits *= 10;
        power--;
    }
    uint64_t upper = digits / 100000000;
    uint64_t first = upper / 100000000;
    const uint64_t eights[2] = {upper % 100000000, digits % 100000000};
    uint64_t both[2];
    sp_digits_of_two(eights, both);
    struct text text = {
        .first = (char)('0' + first),
        .upper = both[0],
        .lower = both[1],
        .exponent = DIGITS - 1 + power,
    };
    int zeros = text.lower != 0   ? __builtin_clzll(text.lower) / 8
                : text.upper != 0 ? 8 + __builtin_clzll(text.upper) / 8
                                  : 16;
    text.count = DIGITS - zeros;
    return text;
}

static inline void put_digits(const struct text *text, char *out)
{
    *out = text->first;
    sp_digits_store(out + 1, text->upper);
    sp_digits_store(out + 9, text->lower);
}

// 2.5e-10
static char *write_exponent(const struct text *text, char *out)
{
    unsigned exponent =
        (unsigned)(text->exponent < 0 ? -text->exponent : text->exponent);
    put_digits(text, out + 1);
    out[0] = text->first;
    out[1] = '.';
    out += text->count > 1 ? text->count + 1 : 1;
    *out++ = 'e';
    *out++ = text->exponent < 0 ? '-' : '+';
    if (exponent >= 100) {
        *out++ = (char)('0' + exponent / 100);
    }
    *out++ = (char)('0' + exponent / 10 % 10);
    *out++ = (char)('0' + exponent % 10);
    return out;
}

// 0.025
static inline char *write_below_one(const struct text *text, char *out)
{
    memset(out, '0', 5);
    out[1] = '.';
    out += 1 - text->exponent;
    put_digits(text, out);
    return out + text->count;
}

// 25.0, 2.5
static inline char *write_fixed(const struct text *text, char *out)
{
    int before = text->exponent + 1;
    put_digits(text, out);
    out += before;
    if (text->count <= before) {
        out[0] = '.';
        out[1] = '0';
        return out + 2;
    }
    // Those behind the point, of 16 that are behind the first.
    __extension__ unsigned __int128 digits = text->lower + SP_DIGIT_ZEROS;
    digits = (digits << 64 | (text->upper + SP_DIGIT_ZEROS)) >> (8 * (before - 1));
    *out = '.';
    memcpy(out + 1, &digits, sizeof digits);
    return out + 1 + text->count - before;
}

static char *put_zero(char *out)
{
    out[0] = '0';
    out[1] = '.';
    out[2] = '0';
    return out + 3;
}

char *sp_real_write(double value, char *out)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof bits);
    *out = '-';
    out += bits >> 63;
    bits &= UINT64_MAX >> 1;
    if (bits == 0) {
        return put_zero(out);
    }
    struct text text = text_of(decimal_of(bits));
    int most = text.count > 15 ? text.count : 15;
    if (text.exponent < -4 || text.exponent >= most) {
        return write_exponent(&text, out);
    }
    return text.exponent < 0 ? write_below_one(&text, out) : write_fixed(&text, out);
}
