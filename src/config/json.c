// SPDX-License-Identifier: MIT
// YAML to JSON, by the core schema of YAML 1.2: `yes` is a text, 010 is ten. What JSON
// cannot say is refused. Numbers are copied digit by digit, so no locale and no
// rounding gets at them.
#include <inttypes.h>
#include <string.h>

#include "config/yaml.h"

static snakepit_err append_text(struct sp_buf *json, const char *text)
{
    return sp_buf_append(json, text, strlen(text));
}

static snakepit_err append_string(struct sp_buf *json, const char *text)
{
    snakepit_err err = append_text(json, "\"");
    while (err == SNAKEPIT_OK && *text != '\0') {
        size_t plain = 0;
        while ((unsigned char)text[plain] >= 0x20 && text[plain] != '"' &&
               text[plain] != '\\') {
            plain++;
        }
        err = sp_buf_append(json, text, plain);
        text += plain;
        if (err == SNAKEPIT_OK && *text != '\0') {
            unsigned char byte = (unsigned char)*text++;
            err = byte < 0x20 ? sp_buf_printf(json, "\\u%04x", byte)
                              : sp_buf_printf(json, "\\%c", byte);
        }
    }
    return err == SNAKEPIT_OK ? append_text(json, "\"") : err;
}

static size_t count_digits(const char *text)
{
    return strspn(text, "0123456789");
}

// The parts of a decimal number as YAML writes it. Borrows the text.
struct decimal {
    bool negative;
    bool real; // has a point or an exponent
    struct sp_slice whole;
    struct sp_slice fraction;
    long exponent;
};

static const char *parse_exponent(const char *at, struct decimal *number)
{
    const char *digits = at + 1 + (at[1] == '-' || at[1] == '+');
    size_t count = count_digits(digits);
    long value = 0;
    for (size_t i = 0; i < count && value < 100000; i++) {
        value = value * 10 + (digits[i] - '0');
    }
    number->real = true;
    number->exponent = at[1] == '-' ? -value : value;
    return count != 0 ? digits + count : at;
}

static bool parse_decimal(const char *text, struct decimal *number)
{
    *number = (struct decimal){.negative = *text == '-'};
    const char *at = text + (*text == '-' || *text == '+');
    number->whole = (struct sp_slice){(const uint8_t *)at, count_digits(at)};
    at += number->whole.size;
    if (*at == '.') {
        at++;
        number->real = true;
        number->fraction = (struct sp_slice){(const uint8_t *)at, count_digits(at)};
        at += number->fraction.size;
    }
    if (number->whole.size + number->fraction.size == 0) {
        return false;
    }
    if (*at == 'e' || *at == 'E') {
        at = parse_exponent(at, number);
    }
    // JSON has no zeros in front.
    while (number->whole.size > 1 && number->whole.data[0] == '0') {
        number->whole.data++;
        number->whole.size--;
    }
    return *at == '\0';
}

// The digits as an integer of 64 bits with sign; false if it is larger.
static bool fits_integer(const struct decimal *number)
{
    uint64_t limit = (uint64_t)INT64_MAX + (number->negative ? 1 : 0);
    uint64_t value = 0;
    for (size_t i = 0; i < number->whole.size; i++) {
        uint64_t digit = (uint64_t)(number->whole.data[i] - '0');
        if (value > (limit - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    return true;
}

static snakepit_err append_real(struct sp_buf *json, const struct decimal *number)
{
    const char *whole =
        number->whole.size != 0 ? (const char *)number->whole.data : "0";
    const char *fraction =
        number->fraction.size != 0 ? (const char *)number->fraction.data : "0";
    size_t whole_size = number->whole.size != 0 ? number->whole.size : 1;
    size_t fraction_size = number->fraction.size != 0 ? number->fraction.size : 1;
    snakepit_err err = append_text(json, number->negative ? "-" : "");
    err = err != SNAKEPIT_OK ? err : sp_buf_append(json, whole, whole_size);
    err = err != SNAKEPIT_OK ? err : append_text(json, ".");
    err = err != SNAKEPIT_OK ? err : sp_buf_append(json, fraction, fraction_size);
    return err != SNAKEPIT_OK || number->exponent == 0
               ? err
               : sp_buf_printf(json, "e%ld", number->exponent);
}

static snakepit_err append_decimal(struct sp_buf *json,
                                   const struct decimal *number,
                                   const struct sp_place *place)
{
    if (number->real) {
        long magnitude = (long)number->whole.size + number->exponent;
        return magnitude > 308 ? sp_problem(place, "expected a number below 1e308")
                               : append_real(json, number);
    }
    if (!fits_integer(number)) {
        return sp_problem(place, "expected an integer of 64 bits with sign");
    }
    snakepit_err err = append_text(json, number->negative ? "-" : "");
    return err != SNAKEPIT_OK
               ? err
               : sp_buf_append(json, number->whole.data, number->whole.size);
}

// 0x1f and 0o17; false if it is neither or too large.
static bool parse_based(const char *text, int64_t *number)
{
    unsigned base = strncmp(text, "0x", 2) == 0   ? 16
                    : strncmp(text, "0o", 2) == 0 ? 8
                                                  : 0;
    int64_t value = 0;
    if (base == 0 || text[2] == '\0') {
        return false;
    }
    for (const char *at = text + 2; *at != '\0'; at++) {
        static const char digits[] = "0123456789abcdef0123456789ABCDEF";
        const char *found = strchr(digits, *at);
        unsigned digit = found != NULL ? (unsigned)(found - digits) % 16 : base;
        if (digit >= base || value > (INT64_MAX - (int64_t)digit) / (int64_t)base) {
            return false;
        }
        value = value * (int64_t)base + digit;
    }
    *number = value;
    return true;
}

static bool is_one_of(const char *text, const char *const names[3])
{
    return strcmp(text, names[0]) == 0 || strcmp(text, names[1]) == 0 ||
           strcmp(text, names[2]) == 0;
}

static bool is_not_finite(const char *text)
{
    static const char *const infinity[3] = {".inf", ".Inf", ".INF"};
    static const char *const not_a_number[3] = {".nan", ".NaN", ".NAN"};
    return is_one_of(text, not_a_number) ||
           is_one_of(text + (*text == '-' || *text == '+'), infinity);
}

static snakepit_err
append_plain(struct sp_buf *json, const char *text, const struct sp_place *place)
{
    static const char *const yes[3] = {"true", "True", "TRUE"};
    static const char *const no[3] = {"false", "False", "FALSE"};
    struct decimal number;
    int64_t integer = 0;
    if (is_one_of(text, yes) || is_one_of(text, no)) {
        return append_text(json, is_one_of(text, yes) ? "true" : "false");
    }
    if (is_not_finite(text)) {
        return sp_problem(
            place, "expected a finite number, got %s, which JSON cannot say", text);
    }
    if (parse_decimal(text, &number)) {
        return append_decimal(json, &number, place);
    }
    return parse_based(text, &integer) ? sp_buf_printf(json, "%" PRId64, integer)
                                       : append_string(json, text);
}

static snakepit_err append_scalar(struct sp_buf *json,
                                  const yaml_node_t *node,
                                  const struct sp_place *place)
{
    const char *text = NULL;
    if (sp_yaml_is_null(node)) {
        return append_text(json, "null");
    }
    snakepit_err err = sp_yaml_text(node, "a value", place, &text);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    return sp_yaml_is_quoted(node) ? append_string(json, text)
                                   : append_plain(json, text, place);
}

static snakepit_err append_list(struct sp_yaml *yaml,
                                const yaml_node_t *node,
                                const struct sp_place *place,
                                struct sp_buf *json,
                                unsigned depth)
{
    const yaml_node_item_t *first = node->data.sequence.items.start;
    snakepit_err err = append_text(json, "[");
    for (const yaml_node_item_t *item = first;
         err == SNAKEPIT_OK && item < node->data.sequence.items.top;
         item++) {
        const yaml_node_t *value = sp_yaml_node(yaml, *item);
        struct sp_place where =
            sp_place_item(place, (size_t)(item - first), sp_yaml_line(value));
        err = append_text(json, item == first ? "" : ",");
        err = err != SNAKEPIT_OK ? err
                                 : sp_yaml_to_json(yaml, value, &where, json, depth);
    }
    return err == SNAKEPIT_OK ? append_text(json, "]") : err;
}

static snakepit_err append_map(struct sp_yaml *yaml,
                               const yaml_node_t *node,
                               const struct sp_place *place,
                               struct sp_buf *json,
                               unsigned depth)
{
    const yaml_node_pair_t *first = node->data.mapping.pairs.start;
    snakepit_err err = sp_yaml_check_map(yaml, node, place);
    err = err != SNAKEPIT_OK ? err : append_text(json, "{");
    for (const yaml_node_pair_t *pair = first;
         err == SNAKEPIT_OK && pair < node->data.mapping.pairs.top;
         pair++) {
        const yaml_node_t *key = sp_yaml_node(yaml, pair->key);
        const char *name = (const char *)key->data.scalar.value;
        struct sp_place where = sp_place_key(place, name, sp_yaml_line(key));
        err = append_text(json, pair == first ? "" : ",");
        err = err != SNAKEPIT_OK ? err : append_string(json, name);
        err = err != SNAKEPIT_OK ? err : append_text(json, ":");
        err = err != SNAKEPIT_OK
                  ? err
                  : sp_yaml_to_json(
                        yaml, sp_yaml_node(yaml, pair->value), &where, json, depth);
    }
    return err == SNAKEPIT_OK ? append_text(json, "}") : err;
}

// The recursion ends: an alias may lead round in a circle, but not below
// SP_YAML_DEPTH_MAX.
snakepit_err sp_yaml_to_json(struct sp_yaml *yaml,
                             const yaml_node_t *node,
                             const struct sp_place *place,
                             struct sp_buf *json,
                             unsigned depth)
{
    // Aliases can make a short file say very much.
    if (json->size > SP_YAML_JSON_MAX) {
        return sp_problem(place, "longer than %u bytes as JSON", SP_YAML_JSON_MAX);
    }
    if (node->type == YAML_SCALAR_NODE) {
        return append_scalar(json, node, place);
    }
    if (depth == SP_YAML_DEPTH_MAX) {
        return sp_problem(
            place, "expected at most %u maps and lists within each other", depth);
    }
    snakepit_err err = sp_yaml_check_count(node, place);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    return node->type == YAML_SEQUENCE_NODE
               ? append_list(yaml, node, place, json, depth + 1)
               : append_map(yaml, node, place, json, depth + 1);
}
