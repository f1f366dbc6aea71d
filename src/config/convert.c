// SPDX-License-Identifier: MIT
// From the text of a scalar to a field, and what to say when the text is something
// else. Nothing here depends on the locale of the host.
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "config/config.h"
#include "config/option.h"

#define KIB UINT64_C(1024)

static const struct {
    const char *name;
    uint64_t bytes;
} sizes[] = {
    {"GiB", KIB *KIB *KIB}, {"MiB", KIB *KIB}, {"KiB", KIB}, {"B", 1}, {"", 1}};

// Decimal digits without needless zeros at `*text`, which moves behind them.
static bool parse_digits(const char **text, uint64_t *number)
{
    const char *at = *text;
    uint64_t value = 0;
    if (at[0] == '0' && at[1] >= '0' && at[1] <= '9') {
        return false;
    }
    for (; *at >= '0' && *at <= '9'; at++) {
        uint64_t digit = (uint64_t)(*at - '0');
        if (value > (UINT64_MAX - digit) / 10) {
            return false;
        }
        value = value * 10 + digit;
    }
    if (at == *text) {
        return false;
    }
    *text = at;
    *number = value;
    return true;
}

static bool in_range(const struct sp_option *option, uint64_t value)
{
    return value >= option->minimum && value <= option->maximum;
}

static bool
parse_integer(const struct sp_option *option, const char *text, uint32_t *number)
{
    uint64_t value = 0;
    if (option->kind == SP_KIND_INTEGER_OR_AUTO && strcmp(text, "auto") == 0) {
        *number = SP_AUTO;
        return true;
    }
    if (option->kind == SP_KIND_INTEGER_OR_INFINITY && strcmp(text, "infinity") == 0) {
        *number = 0;
        return true;
    }
    if (!parse_digits(&text, &value) || *text != '\0' || !in_range(option, value)) {
        return false;
    }
    *number = (uint32_t)value;
    return true;
}

// "8", or "2-16".
static bool
parse_range(const struct sp_option *option, const char *text, struct sp_range *range)
{
    uint64_t min = 0;
    if (!parse_digits(&text, &min)) {
        return false;
    }
    uint64_t max = min;
    if (*text == '-') {
        text++;
        if (!parse_digits(&text, &max)) {
            return false;
        }
    }
    if (*text != '\0' || min > max || !in_range(option, min) ||
        !in_range(option, max)) {
        return false;
    }
    *range = (struct sp_range){(uint32_t)min, (uint32_t)max};
    return true;
}

static bool
parse_size(const struct sp_option *option, const char *text, uint64_t *bytes)
{
    uint64_t value = 0;
    if (!parse_digits(&text, &value)) {
        return false;
    }
    text += strspn(text, " ");
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        if (strcmp(text, sizes[i].name) == 0 && value <= UINT64_MAX / sizes[i].bytes &&
            in_range(option, value * sizes[i].bytes)) {
            *bytes = value * sizes[i].bytes;
            return true;
        }
    }
    return false;
}

// "0.8" or "1", with two decimals at most, in percent.
static bool
parse_fraction(const struct sp_option *option, const char *text, uint32_t *percent)
{
    uint64_t value = 0;
    if (!parse_digits(&text, &value) || value > 1) {
        return false;
    }
    value *= 100;
    bool decimals = *text == '.';
    text += decimals;
    for (uint32_t worth = 10; decimals && *text >= '0' && *text <= '9' && worth > 0;
         worth /= 10) {
        value += (uint64_t)(*text++ - '0') * worth;
    }
    bool ends = *text == '\0' && (!decimals || text[-1] != '.');
    *percent = (uint32_t)value;
    return ends && in_range(option, value);
}

static const struct {
    const char *name;
    uint64_t ms;
} durations[] = {{"d", 86400000},
                 {"days", 86400000},
                 {"h", 3600000},
                 {"hours", 3600000},
                 {"m", 60000},
                 {"minutes", 60000},
                 {"s", 1000},
                 {"seconds", 1000},
                 {"", 1000},
                 {"ms", 1},
                 {"milliseconds", 1}};

#define DURATIONS (sizeof durations / sizeof durations[0])

static bool
parse_duration(const struct sp_option *option, const char *text, uint64_t *ms)
{
    uint64_t value = 0;
    if (strcmp(text, "infinity") == 0) {
        *ms = 0;
        return true;
    }
    if (!parse_digits(&text, &value)) {
        return false;
    }
    text += strspn(text, " ");
    for (size_t i = 0; i < DURATIONS; i++) {
        if (strcmp(text, durations[i].name) == 0 &&
            value <= UINT64_MAX / durations[i].ms &&
            in_range(option, value * durations[i].ms)) {
            *ms = value * durations[i].ms;
            return true;
        }
    }
    return false;
}

void sp_option_format_duration(uint64_t ms, char *text, size_t room)
{
    size_t i = 0;
    while (ms % durations[i].ms != 0) {
        i++;
    }
    (void)snprintf(
        text, room, "%" PRIu64 "%s", ms / durations[i].ms, durations[i].name);
}

void sp_option_format_size(uint64_t bytes, char *text, size_t room)
{
    size_t i = 0;
    while (sizes[i].bytes > 1 && (bytes == 0 || bytes % sizes[i].bytes != 0)) {
        i++;
    }
    const char *name = sizes[i].bytes > 1 ? sizes[i].name : "";
    (void)snprintf(text, room, "%" PRIu64 "%s", bytes / sizes[i].bytes, name);
}

// "0660", as chmod(1) has it.
static bool parse_mode(const struct sp_option *option, const char *text, uint32_t *mode)
{
    size_t digits = strspn(text, "01234567");
    uint32_t value = 0;
    for (size_t i = 0; i < digits && digits <= 4; i++) {
        value = value * 8 + (uint32_t)(text[i] - '0');
    }
    *mode = value;
    return digits > 0 && digits <= 4 && text[digits] == '\0' && in_range(option, value);
}

static bool
parse_choice(const struct sp_option *option, const char *text, uint32_t *number)
{
    size_t length = strlen(text);
    uint32_t index = 0;
    for (const char *at = option->choices; length != 0; at += strcspn(at, "|") + 1) {
        if (strcspn(at, "|") == length && memcmp(at, text, length) == 0) {
            *number = index;
            return true;
        }
        if (at[strcspn(at, "|")] == '\0') {
            break;
        }
        index++;
    }
    return false;
}

bool sp_option_add_choice(const struct sp_option *option,
                          const char *text,
                          uint32_t *bits)
{
    uint32_t index;
    if (!parse_choice(option, text, &index)) {
        return false;
    }
    *bits |= UINT32_C(1) << index;
    return true;
}

static bool is_letter(char byte)
{
    // Python allows letters of every script; their UTF-8 bytes are 0x80 and above.
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           byte == '_' || (unsigned char)byte >= 0x80;
}

static const char *skip_identifier(const char *at)
{
    if (!is_letter(*at)) {
        return NULL;
    }
    while (is_letter(*at) || (*at >= '0' && *at <= '9')) {
        at++;
    }
    return at;
}

// module(.module)*[.Class], or with one colon before the class.
static bool is_import_path(const char *text)
{
    const char *at = skip_identifier(text);
    while (at != NULL && *at == '.') {
        at = skip_identifier(at + 1);
    }
    if (at != NULL && *at == ':') {
        at = skip_identifier(at + 1);
    }
    size_t length = strlen(text);
    bool is_file = length > 3 && strcmp(text + length - 3, ".py") == 0;
    return at != NULL && *at == '\0' && !is_file;
}

// `process` or `thread` of a|b|c, as "a", "b" or "c".
static void describe_choices(const char *choices, char *text, size_t room)
{
    size_t used = 0;
    const char *before = "";
    for (const char *at = choices; used < room;) {
        size_t length = strcspn(at, "|");
        used += (size_t)snprintf(
            text + used, room - used, "%s\"%.*s\"", before, (int)length, at);
        if (at[length] == '\0') {
            return;
        }
        at += length + 1;
        before = strchr(at, '|') != NULL ? ", " : " or ";
    }
}

static void describe_duration(const struct sp_option *option, char *text, size_t room)
{
    char low[32];
    char high[32];
    sp_option_format_duration(option->minimum, low, sizeof low);
    sp_option_format_duration(option->maximum, high, sizeof high);
    (void)snprintf(text,
                   room,
                   "\"infinity\", seconds, or a time such as \"1h\", from %s to %s",
                   low,
                   high);
}

static void describe_range(const struct sp_option *option, char *text, size_t room)
{
    if (option->kind == SP_KIND_FRACTION) {
        (void)snprintf(text,
                       room,
                       "a number from %" PRIu64 ".%02" PRIu64 " to %" PRIu64
                       ".%02" PRIu64 " with at most two decimals",
                       option->minimum / 100,
                       option->minimum % 100,
                       option->maximum / 100,
                       option->maximum % 100);
        return;
    }
    if (option->kind == SP_KIND_SIZE) {
        char low[32];
        char high[32];
        sp_option_format_size(option->minimum, low, sizeof(low));
        sp_option_format_size(option->maximum, high, sizeof(high));
        (void)snprintf(
            text, room, "bytes or a size such as \"512MiB\", from %s to %s", low, high);
        return;
    }
    (void)snprintf(text,
                   room,
                   "%san integer from %" PRIu64 " to %" PRIu64 "%s",
                   option->kind == SP_KIND_INTEGER_OR_AUTO       ? "\"auto\" or "
                   : option->kind == SP_KIND_INTEGER_OR_INFINITY ? "\"infinity\" or "
                                                                 : "",
                   option->minimum,
                   option->maximum,
                   option->kind == SP_KIND_RANGE ? ", or {min: ..., max: ...}" : "");
}

static void describe(const struct sp_option *option, char *text, size_t room)
{
    static const char *const words[] = {
        [SP_KIND_BOOLEAN] = "true or false",
        [SP_KIND_ADAPTER] =
            "a Python import path such as \"my_app.adapters.Text\", not a file",
        [SP_KIND_PROGRAM] = "a command or the path of an interpreter",
        [SP_KIND_TEXT] = "a text",
        [SP_KIND_PATH] = "the path of a file",
        [SP_KIND_MODE] = "permissions in octal digits, from \"0\" to \"0777\"",
        [SP_KIND_TEXTS] = "a list of texts",
        [SP_KIND_PAIRS] = "a map of names to texts",
        [SP_KIND_RESOURCES] = "a map of paths to types",
        [SP_KIND_JSON] = "a map",
        [SP_KIND_SANDBOX] = "\"off\", \"strict\" or a map",
        [SP_KIND_RETRY] = "\"off\" or a map",
        [SP_KIND_DEVICES] = "\"off\" or a map",
        [SP_KIND_BREAKER] = "\"off\" or a map",
        [SP_KIND_THRESHOLD] = "a map",
        [SP_KIND_LISTENERS] = "a list of addresses or maps",
        [SP_KIND_SERVE] = "a map",
        [SP_KIND_TLS] = "a map",
    };
    if (option->choices != NULL) {
        describe_choices(option->choices, text, room);
        size_t used = strlen(text);
        if (option->kind == SP_KIND_CHOICES) {
            (void)snprintf(text + used, room - used, ", in a list");
        }
    } else if (option->kind == SP_KIND_INTEGER ||
               option->kind == SP_KIND_INTEGER_OR_AUTO ||
               option->kind == SP_KIND_INTEGER_OR_INFINITY ||
               option->kind == SP_KIND_FRACTION || option->kind == SP_KIND_RANGE ||
               option->kind == SP_KIND_SIZE) {
        describe_range(option, text, room);
    } else if (option->kind == SP_KIND_DURATION) {
        describe_duration(option, text, room);
    } else {
        (void)snprintf(text, room, "%s", words[option->kind]);
    }
}

snakepit_err sp_option_expected(const struct sp_option *option,
                                const char *got,
                                const struct sp_place *place)
{
    char expected[160];
    describe(option, expected, sizeof(expected));
    return sp_problem(place, "expected %s, got %s", expected, got);
}

static bool parse_boolean(const char *text, bool *value)
{
    bool yes = strcmp(text, "true") == 0;
    if (!yes && strcmp(text, "false") != 0) {
        return false;
    }
    *value = yes;
    return true;
}

// Parses what is not text. `field` is written on success only.
static bool parse(const struct sp_option *option, void *field, const char *text)
{
    // The enums have no negative values, so they are stored as unsigned ints.
    _Static_assert(sizeof(enum sp_profile) == sizeof(uint32_t), "enums are 32 bits");
    uint32_t number = 0;
    bool right = false;
    switch (option->kind) {
    case SP_KIND_BOOLEAN:
        return parse_boolean(text, field);
    case SP_KIND_RANGE:
        return parse_range(option, text, field);
    case SP_KIND_SIZE:
        return parse_size(option, text, field);
    case SP_KIND_DURATION:
        return parse_duration(option, text, field);
    case SP_KIND_CHOICE:
        right = parse_choice(option, text, &number);
        break;
    case SP_KIND_FRACTION:
        right = parse_fraction(option, text, &number);
        break;
    case SP_KIND_MODE:
        right = parse_mode(option, text, &number);
        break;
    default:
        right = parse_integer(option, text, &number);
        break;
    }
    if (right) {
        memcpy(field, &number, sizeof(number));
    }
    return right;
}

static bool is_text(const struct sp_option *option)
{
    return option->kind == SP_KIND_ADAPTER || option->kind == SP_KIND_PROGRAM ||
           option->kind == SP_KIND_TEXT || option->kind == SP_KIND_PATH;
}

// Gives the text, or the path that it is from where paths count from.
static snakepit_err copy_text(const struct sp_option *option,
                              const char *text,
                              const struct sp_place *place,
                              char **copy)
{
    struct sp_buf path = {0};
    if (option->kind != SP_KIND_PATH || text[0] == '/' || place->directory == NULL) {
        *copy = sp_strdup(text);
        return *copy != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    }
    bool root = strcmp(place->directory, "/") == 0;
    snakepit_err err =
        sp_buf_printf(&path, "%s/%s", root ? "" : place->directory, text);
    *copy = (char *)path.data;
    return err;
}

static snakepit_err set_text(const struct sp_option *option,
                             char **field,
                             const char *text,
                             const struct sp_place *place)
{
    bool fits =
        option->kind == SP_KIND_ADAPTER ? is_import_path(text) : text[0] != '\0';
    if (!fits) {
        char quoted[SP_QUOTED_MAX];
        return sp_option_expected(option, sp_quote(text, quoted), place);
    }
    char *copy = NULL;
    snakepit_err err = copy_text(option, text, place, &copy);
    if (err == SNAKEPIT_OK) {
        sp_free(*field);
        *field = copy;
    }
    return err;
}

snakepit_err sp_option_set(const struct sp_option *option,
                           void *target,
                           const char *text,
                           bool quoted,
                           const struct sp_place *place)
{
    SP_CHECK(!sp_option_is_collection(option));
    void *field = sp_option_field(option, target);
    if (is_text(option)) {
        return set_text(option, (char **)field, text, place);
    }
    bool takes_quotes = option->kind == SP_KIND_CHOICE ||
                        option->kind == SP_KIND_SIZE || option->kind == SP_KIND_MODE ||
                        option->kind == SP_KIND_DURATION || strcmp(text, "auto") == 0 ||
                        strcmp(text, "infinity") == 0;
    if ((quoted && !takes_quotes) || !parse(option, field, text)) {
        char got[SP_QUOTED_MAX + 32];
        char shown[SP_QUOTED_MAX];
        bool in_quotes = quoted && !takes_quotes;
        (void)snprintf(got,
                       sizeof(got),
                       "%s%s",
                       sp_quote(text, shown),
                       in_quotes ? " in quotes, which is a text" : "");
        return sp_option_expected(option, got, place);
    }
    return SNAKEPIT_OK;
}

// The words of "[ONE, OTHER]".
static void set_default_choices(const struct sp_option *option, uint32_t *bits)
{
    char word[64];
    *bits = 0;
    for (const char *at = option->fixed; *at != '\0';) {
        size_t length = strcspn(at, "[], ");
        (void)snprintf(word, sizeof word, "%.*s", (int)length, at);
        (void)sp_option_add_choice(option, word, bits);
        at += length > 0 ? length : 1;
    }
}

snakepit_err sp_option_set_default(const struct sp_option *option,
                                   void *target,
                                   const struct sp_place *place)
{
    SP_CHECK(option->fixed != NULL);
    if (!sp_option_is_collection(option)) {
        return sp_option_set(option, target, option->fixed, false, place);
    }
    if (option->kind == SP_KIND_CHOICES) {
        set_default_choices(option, sp_option_field(option, target));
        return SNAKEPIT_OK;
    }
    // The fields of other lists and maps are zeroed, which is empty; JSON alone has a
    // text for it.
    if (option->kind != SP_KIND_JSON) {
        return SNAKEPIT_OK;
    }
    char **json = (char **)sp_option_field(option, target);
    *json = sp_strdup(option->fixed);
    return *json != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
}

// "module.Class" and "module:Class" are the same.
static bool same_adapter(const char *a, const char *b)
{
    for (; *a != '\0' && *b != '\0'; a++, b++) {
        char left = (char)(*a == ':' ? '.' : *a);
        char right = (char)(*b == ':' ? '.' : *b);
        if (left != right) {
            return false;
        }
    }
    return *a == *b;
}

bool sp_option_same(const struct sp_option *option, void *a, void *b)
{
    void *left = sp_option_field(option, a);
    void *right = sp_option_field(option, b);
    if (option->kind == SP_KIND_ADAPTER) {
        return same_adapter(*(char **)left, *(char **)right);
    }
    SP_CHECK(option->kind == SP_KIND_INTEGER || option->kind == SP_KIND_CHOICE);
    return memcmp(left, right, sizeof(uint32_t)) == 0;
}
