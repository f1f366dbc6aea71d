// SPDX-License-Identifier: MIT
// Each entry begins with a byte whose highest bit is set: a kind, and how many units it
// is about. What follows has that bit clear, so that entries can be told apart.
#include "inspect/lines.h"

#include <stdbool.h>
#include <stddef.h>

#define BEGINS   0x80u
#define MORE     0x40u // of a number: another byte follows
#define BITS     6u
#define ONE_LINE 10u // kinds 10 to 12: a line that is that much minus 10 further on
#define NO_PLACE 13u // the same by a number, without columns
#define LONG     14u // and with all there is
#define NO_LINE  15u

// What is left of a table.
struct table {
    const uint8_t *at;
    const uint8_t *end;
};

static bool has_more(const struct table *table)
{
    return table->at < table->end && (*table->at & BEGINS) == 0;
}

// Six bits a byte, the lowest first, and a sign in the lowest bit. What does not fit
// into 32 bits is cut.
static int64_t signed_number(struct table *table)
{
    uint64_t number = 0;
    for (uint32_t shift = 0; has_more(table); shift += BITS) {
        uint8_t byte = *table->at++;
        if (shift < 32) {
            number |= (uint64_t)(byte & (MORE - 1)) << shift;
        }
        if ((byte & MORE) == 0) {
            break;
        }
    }
    number &= UINT32_MAX;
    return (number & 1) != 0 ? -(int64_t)(number >> 1) : (int64_t)(number >> 1);
}

static int64_t lines_further(struct table *table, uint32_t kind)
{
    if (kind >= ONE_LINE && kind < NO_PLACE) {
        return kind - ONE_LINE;
    }
    return kind == NO_PLACE || kind == LONG ? signed_number(table) : 0;
}

static void skip_rest(struct table *table)
{
    while (has_more(table)) {
        table->at++;
    }
}

uint32_t sp_lines_find(struct sp_slice bytes, int32_t first_line, uint64_t unit)
{
    struct table table = {bytes.data,
                          bytes.data == NULL ? NULL : bytes.data + bytes.size};
    int64_t line = first_line;
    uint64_t before = 0;
    while (table.at < table.end && (*table.at & BEGINS) != 0) {
        uint8_t head = *table.at++;
        uint32_t kind = head >> 3 & 15;
        line += lines_further(&table, kind);
        before += (head & 7u) + 1;
        if (unit < before) {
            bool told = kind != NO_LINE && line > 0 && line <= INT32_MAX;
            return told ? (uint32_t)line : 0;
        }
        skip_rest(&table);
    }
    return 0;
}
