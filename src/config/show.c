// SPDX-License-Identifier: MIT
#include "config/show.h"

#include <string.h>

#include "config/config.h"
#include "config/option.h"

#define HIDDEN "(given, and not shown)"

static snakepit_err add(struct sp_buf *text, const char *part)
{
    return sp_buf_append(text, part, strlen(part));
}

// One of "a|b|c".
static snakepit_err add_choice(struct sp_buf *text, const char *choices, uint32_t index)
{
    for (; index > 0 && *choices != '\0'; index--) {
        choices += strcspn(choices, "|");
        choices += *choices == '|' ? 1 : 0;
    }
    return sp_buf_append(text, choices, strcspn(choices, "|"));
}

static snakepit_err
add_choices(struct sp_buf *text, const struct sp_option *option, uint32_t bits)
{
    const char *between = "";
    snakepit_err err = add(text, "[");
    for (uint32_t i = 0; bits != 0 && err == SNAKEPIT_OK; i++, bits >>= 1) {
        if ((bits & 1) != 0) {
            err = add(text, between);
            between = ", ";
            err = err == SNAKEPIT_OK ? add_choice(text, option->choices, i) : err;
        }
    }
    return err == SNAKEPIT_OK ? add(text, "]") : err;
}

// Whether YAML takes it for a text as it is, also between brackets.
static bool is_plain(const char *value)
{
    static const char first[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                "0123456789/._";
    static const char signs[] = "-+=@%~^ ";
    const size_t size = strlen(value);
    if (size == 0 || strchr(first, value[0]) == NULL || value[size - 1] == ' ') {
        return false;
    }
    for (size_t i = 1; i < size; i++) {
        const bool colon =
            value[i] == ':' && value[i + 1] != ' ' && value[i + 1] != '\0';
        if (!colon && strchr(first, value[i]) == NULL &&
            strchr(signs, value[i]) == NULL) {
            return false;
        }
    }
    return true;
}

static snakepit_err add_scalar(struct sp_buf *text, const char *value)
{
    if (is_plain(value)) {
        return add(text, value);
    }
    snakepit_err err = add(text, "\"");
    for (const char *at = value; *at != '\0' && err == SNAKEPIT_OK; at++) {
        const unsigned byte = (unsigned char)*at;
        err = byte < ' ' || byte == 0x7f    ? sp_buf_printf(text, "\\x%02x", byte)
              : byte == '"' || byte == '\\' ? sp_buf_printf(text, "\\%c", *at)
                                            : sp_buf_append(text, at, 1);
    }
    return err == SNAKEPIT_OK ? add(text, "\"") : err;
}

static snakepit_err add_texts(struct sp_buf *text, const struct sp_texts *texts)
{
    snakepit_err err = add(text, "[");
    for (size_t i = 0; i < texts->count && err == SNAKEPIT_OK; i++) {
        err = add(text, i > 0 ? ", " : "");
        err = err == SNAKEPIT_OK ? add_scalar(text, texts->items[i]) : err;
    }
    return err == SNAKEPIT_OK ? add(text, "]") : err;
}

static snakepit_err
add_pairs(struct sp_buf *text, const struct sp_pairs *pairs, bool with_values)
{
    snakepit_err err = add(text, "{");
    for (size_t i = 0; i < pairs->count && err == SNAKEPIT_OK; i++) {
        const struct sp_pair *pair = &pairs->items[i];
        err = add(text, i > 0 ? ", " : "");
        err = err == SNAKEPIT_OK ? add_scalar(text, pair->name) : err;
        err = err == SNAKEPIT_OK ? add(text, ": ") : err;
        if (err == SNAKEPIT_OK) {
            err = with_values ? add_scalar(text, pair->value) : add(text, "…");
        }
    }
    return err == SNAKEPIT_OK ? add(text, "}") : err;
}

// The keys of a map that have a value.
static snakepit_err
add_group(struct sp_buf *text, enum sp_scope scope, const void *target)
{
    const char *between = "{";
    snakepit_err err = SNAKEPIT_OK;
    const struct sp_option *option;
    for (size_t i = 0; err == SNAKEPIT_OK && (option = sp_option_at(i)) != NULL; i++) {
        struct sp_buf value = {0};
        if (option->scope != scope) {
            continue;
        }
        err = sp_option_show(option, target, &value);
        if (err == SNAKEPIT_OK && value.size > 0) {
            err = sp_buf_printf(text, "%s%s: ", between, option->key);
            err =
                err == SNAKEPIT_OK ? sp_buf_append(text, value.data, value.size) : err;
            between = ", ";
        }
        sp_buf_fini(&value);
    }
    err = err == SNAKEPIT_OK && between[0] == '{' ? add(text, "{") : err;
    return err == SNAKEPIT_OK ? add(text, "}") : err;
}

// ---- Numbers --------------------------------------------------------------------

static snakepit_err add_number(struct sp_buf *text, enum sp_kind kind, uint32_t number)
{
    if (kind == SP_KIND_INTEGER_OR_AUTO && number == SP_AUTO) {
        return add(text, "auto");
    }
    if (kind == SP_KIND_INTEGER_OR_INFINITY && number == 0) {
        return add(text, "infinity");
    }
    if (kind == SP_KIND_FRACTION) {
        return sp_buf_printf(text, "%u.%02u", number / 100, number % 100);
    }
    return sp_buf_printf(text, kind == SP_KIND_MODE ? "%04o" : "%u", number);
}

static snakepit_err add_range(struct sp_buf *text, const struct sp_range *range)
{
    return range->min == range->max
               ? sp_buf_printf(text, "%u", range->min)
               : sp_buf_printf(text, "{min: %u, max: %u}", range->min, range->max);
}

static snakepit_err add_size(struct sp_buf *text, uint64_t bytes)
{
    char shown[32];
    sp_option_format_size(bytes, shown, sizeof shown);
    return add(text, shown);
}

static snakepit_err add_duration(struct sp_buf *text, uint64_t ms)
{
    char shown[32];
    if (ms == 0) {
        return add(text, "infinity");
    }
    sp_option_format_duration(ms, shown, sizeof shown);
    return add(text, shown);
}

// Whether a value, and be it its default, is not one that a file could say: "no limit",
// or a map that is off.
static bool is_zero(const void *field, size_t size)
{
    const uint8_t *bytes = field;
    return size == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, size - 1) == 0);
}

static bool is_off(const struct sp_option *option, const void *field)
{
    switch (option->kind) {
    case SP_KIND_SANDBOX:
        return is_zero(field, sizeof(struct sp_sandbox));
    case SP_KIND_RETRY:
        return is_zero(field, sizeof(struct sp_retry_keys));
    case SP_KIND_BREAKER:
        return is_zero(field, sizeof(struct sp_breaker_keys));
    case SP_KIND_DEVICES:
        return is_zero(field, sizeof(struct sp_devices));
    default:
        return false;
    }
}

static bool is_unset(const struct sp_option *option, const void *field)
{
    const struct sp_texts *texts = field;
    switch (option->kind) {
    case SP_KIND_INTEGER:
        return option->fixed == NULL && option->minimum > 0 &&
               is_zero(field, sizeof(uint32_t));
    case SP_KIND_SIZE:
        return option->fixed == NULL && option->minimum > 0 &&
               is_zero(field, sizeof(uint64_t));
    case SP_KIND_TEXTS:
        return option->fixed == NULL && texts->items == NULL;
    default:
        return false;
    }
}

// ---- Any of them ----------------------------------------------------------------

static bool is_secret(const struct sp_option *option)
{
    return strcmp(option->key, "adapter_config") == 0 ||
           strcmp(option->key, "adapter_args") == 0;
}

static const void *field_of(const struct sp_option *option, const void *target)
{
    return (const char *)target + option->offset;
}

static uint32_t number_in(const void *field)
{
    uint32_t number;
    memcpy(&number, field, sizeof number); // of an enum as well
    return number;
}

static snakepit_err
add_text(struct sp_buf *text, const struct sp_option *option, const void *field)
{
    const char *const *value = (const char *const *)field;
    const bool none = *value == NULL || (*value)[0] == '\0';
    if (!none && is_secret(option)) {
        return add(text, strcmp(*value, "{}") == 0 ? "{}" : HIDDEN);
    }
    return none ? SNAKEPIT_OK : add_scalar(text, *value);
}

static snakepit_err
add_list(struct sp_buf *text, const struct sp_option *option, const void *field)
{
    switch (option->kind) {
    case SP_KIND_TEXTS: {
        const struct sp_texts *texts = field;
        return texts->count > 0 && is_secret(option) ? add(text, HIDDEN)
                                                     : add_texts(text, texts);
    }
    case SP_KIND_CHOICES:
        return add_choices(text, option, number_in(field));
    default:
        return add_pairs(text, field, option->kind == SP_KIND_RESOURCES);
    }
}

snakepit_err
sp_option_show(const struct sp_option *option, const void *target, struct sp_buf *text)
{
    enum sp_scope scope;
    const void *field = field_of(option, target);
    if (is_unset(option, field)) {
        return SNAKEPIT_OK;
    }
    if (sp_option_is_group(option, &scope)) {
        return is_off(option, field) ? add(text, "off") : add_group(text, scope, field);
    }
    switch (option->kind) {
    case SP_KIND_BOOLEAN:
        return add(text, *(const bool *)field ? "true" : "false");
    case SP_KIND_RANGE:
        return add_range(text, field);
    case SP_KIND_SIZE:
        return add_size(text, *(const uint64_t *)field);
    case SP_KIND_DURATION:
        return add_duration(text, *(const uint64_t *)field);
    case SP_KIND_CHOICE:
        return add_choice(text, option->choices, number_in(field));
    case SP_KIND_ADAPTER:
    case SP_KIND_PROGRAM:
    case SP_KIND_TEXT:
    case SP_KIND_PATH:
    case SP_KIND_JSON:
        return add_text(text, option, field);
    case SP_KIND_TEXTS:
    case SP_KIND_PAIRS:
    case SP_KIND_RESOURCES:
    case SP_KIND_CHOICES:
        return add_list(text, option, field);
    case SP_KIND_LISTENERS:
        return add(text, HIDDEN); // of no pool
    default:
        return add_number(text, option->kind, number_in(field));
    }
}

// ---- All of a pool ----------------------------------------------------------------

static const char *const origins[] = {[SP_ORIGIN_NOBODY] = "default",
                                      [SP_ORIGIN_FILE] = "file",
                                      [SP_ORIGIN_ARGUMENT] = "adapter_args",
                                      [SP_ORIGIN_VARIABLE] = "environment"};

uint32_t sp_config_settings(void)
{
    uint32_t count = 0;
    const struct sp_option *option;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        count += option->scope == SP_SCOPE_POOL ? 1 : 0;
    }
    return count;
}

static snakepit_err tell(const struct sp_pool_config *pool,
                         const struct sp_option *option,
                         sp_setting_fn *each,
                         void *user)
{
    struct sp_buf value = {0};
    const size_t row = sp_option_index(option);
    snakepit_err err = sp_option_show(option, pool, &value);
    if (err == SNAKEPIT_OK) {
        const bool filed = pool->origins[row] == SP_ORIGIN_FILE;
        each(user,
             &(const struct sp_setting){.key = option->key,
                                        .value = {value.data, value.size},
                                        .origin = origins[pool->origins[row]],
                                        .line = filed ? pool->lines[row] : 0});
    }
    sp_buf_fini(&value);
    return err;
}

snakepit_err
sp_config_show(const struct sp_pool_config *pool, sp_setting_fn *each, void *user)
{
    const struct sp_option *option;
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; err == SNAKEPIT_OK && (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == SP_SCOPE_POOL) {
            err = tell(pool, option, each, user);
        }
    }
    return err;
}
