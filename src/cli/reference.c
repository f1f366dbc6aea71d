// SPDX-License-Identifier: MIT
// docs/configuration.md and docs/snakepit.schema.json, written from the table of
// options, so that they cannot say anything else than what is checked.
// tools/gen_config_docs.c writes the files.
#include "cli/reference.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "config/config.h"
#include "config/option.h"

// A row of the table as it stands there: a section or the option of that key.
struct entry {
    enum sp_scope scope;
    const char *title;
    const char *key;
};

#define SP_OPTION(row_scope, row_key, ...) {SP_SCOPE_##row_scope, NULL, #row_key},
#define SP_SECTION(row_scope, title)       {SP_SCOPE_##row_scope, title, NULL},
#define SP_LATER(row_scope, row_key)
static const struct entry entries[] = {
#include "config/options.def"
};
#undef SP_OPTION
#undef SP_SECTION
#undef SP_LATER

#define ENTRIES (sizeof(entries) / sizeof(entries[0]))

// Text being written; the first error sticks.
struct page {
    struct sp_buf *text;
    snakepit_err err;
};

__attribute__((format(printf, 2, 3))) static void
say(struct page *page, const char *format, ...)
{
    char line[2048];
    va_list args;
    va_start(args, format);
    (void)vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    if (page->err == SNAKEPIT_OK) {
        page->err = sp_buf_append(page->text, line, strlen(line));
    }
}

// ---- Markdown -----------------------------------------------------------------

static const char introduction[] =
    "<!-- Written by tools/gen_config_docs.c from src/config/options.def: change that. "
    "-->\n"
    "# Configuration\n"
    "\n"
    "A configuration is one YAML file (at most 256 KiB). It either lists pools, each "
    "with a name of\n"
    "its own:\n"
    "\n"
    "```yaml\n"
    "default_profile: process\n"
    "pools:\n"
    "  - name: text\n"
    "    pool_size: 2\n"
    "    adapter: text_adapter\n"
    "  - name: arrays\n"
    "    worker_profile: thread\n"
    "    pool_size: 1\n"
    "    threads_per_worker: 4\n"
    "    adapter: array_adapter.ArrayAdapter\n"
    "    adapter_env: {OMP_NUM_THREADS: 2}\n"
    "```\n"
    "\n"
    "or it has the keys of one pool at the top; that pool is called `default`:\n"
    "\n"
    "```yaml\n"
    "pool_size: 8\n"
    "adapter: my_app.adapters.Text\n"
    "```\n"
    "\n"
    "Calls that name no pool go to the one named `default`, else to the first of the "
    "list. A name\n"
    "is 1 to 64 letters, digits, `_`, `-` or `.`; there are at most 256 pools.\n"
    "\n"
    "Relative paths of interpreters count from the folder of the file, and so do "
    "adapter modules\n"
    "that are not installed: Python's own modules come first, then the folder of the "
    "file, then what\n"
    "is installed. The current folder of the host is not searched. Text follows YAML "
    "1.2: `true` and `false` are the "
    "booleans, and\n"
    "`off`, `yes` and `010` have no second meaning. A value that is given is kept: "
    "`0`, `false`,\n"
    "`[]` and `\"\"` never stand for a default. Each mistake is one sentence with "
    "file, line\n"
    "and key, as `snakepit check FILE` prints it:\n"
    "\n"
    "    pit.yaml:7: pools[1].pool_sise: unknown key; did you mean \"pool_size\"?\n"
    "\n"
    "`serve`, in both forms at the top, says where a daemon opens the pools to other "
    "programs, and\n"
    "how it knows those on other machines:\n"
    "\n"
    "```yaml\n"
    "pool_size: 8\n"
    "serve:\n"
    "  listen:\n"
    "    - \"127.0.0.1:8470\"\n"
    "    - {address: \"unix:/run/snakepit/http.sock\", mode: \"0660\"}\n"
    "    - address: \"0.0.0.0:8471\"\n"
    "      tls: {certificate: cert.pem, key: key.pem}\n"
    "      tokens: tokens.yaml\n"
    "  max_message: 16MiB\n"
    "```\n"
    "\n"
    "An editor checks and completes the file as you type when its first line "
    "is\n"
    "`# yaml-language-server: $schema=PATH/snakepit.schema.json`; that file is next to "
    "this one.\n"
    "\n"
    "## Environment variables\n"
    "\n"
    "`SNAKEPIT_<KEY>` replaces a key at the top, or of every pool to whose profile the "
    "key means\n"
    "something; `SNAKEPIT_POOL_<NAME>_<KEY>` replaces it for one pool and wins. Names "
    "are in\n"
    "capitals, with `_` for every character that is not a letter or a digit: "
    "`SNAKEPIT_POOL_SIZE=4`,\n"
    "`SNAKEPIT_POOL_TEXT_POOL_SIZE=2`. Values are written as in the file but without "
    "quotes;\n"
    "lists and maps are YAML (`SNAKEPIT_ADAPTER_ARGS='[\"--verbose\"]'`), replace the "
    "whole, and\n"
    "are empty when the variable is, except that an empty `sandbox`, `retry`, "
    "`breaker`, `devices`, `switch_threshold` or `serve` is an error.\n"
    "`SNAKEPIT_SERVE_<KEY>` replaces one key of `serve`: `SNAKEPIT_SERVE_LOOPS=4`,\n"
    "`SNAKEPIT_SERVE_LISTEN=127.0.0.1:9000,unix:/run/pit.sock`. Relative paths in a "
    "variable\n"
    "count from the current folder. A "
    "misspelt "
    "variable\n"
    "is an error if its key or its pool is a letter or two away from a real one; one "
    "that names\n"
    "quite another pool is left alone: it may\n"
    "be meant for another configuration. `SNAKEPIT_PYTHON` and `SNAKEPIT_PYTHON_FT` "
    "are different: they "
    "name the\n"
    "default interpreter, of pools without `python`.\n"
    "\n"
    "## Reload\n"
    "\n"
    "A program may have an open pit go on as the file says now\n"
    "(docs/c-api.md, \"Another configuration\"). The last column says what a key\n"
    "does then, if its value has changed. `at once`: it holds for calls and decisions\n"
    "from then on. `new workers`: the workers are replaced, `recycle_at_once` at a\n"
    "time, and no call notices; a default that has changed counts as well, and so do\n"
    "the code of the adapter and the folder of the file. `refused`: nothing changes,\n"
    "and the error names the key; a pool under another name may have another value.\n";

static const char *applies_note(const struct sp_option *option)
{
    switch (option->applies) {
    case SP_APPLIES_PROCESS:
        return " Process profile only.";
    case SP_APPLIES_THREAD:
        return " Thread profile only.";
    default:
        return "";
    }
}

static const char *reload_note(const struct sp_option *option)
{
    static const char *const notes[] = {
        [SP_RELOAD_NOW] = "at once",
        [SP_RELOAD_SIZE] = "at once",
        [SP_RELOAD_WORKERS] = "new workers",
        [SP_RELOAD_POOLS] = "pools come or go",
        [SP_RELOAD_NEVER] = "refused",
    };
    return notes[option->reload];
}

static void say_choices(struct page *page, const char *choices)
{
    const char *before = "";
    for (const char *at = choices; *at != '\0';) {
        size_t length = strcspn(at, "|");
        say(page, "%s`%.*s`", before, (int)length, at);
        at += length + (at[length] == '|');
        before = ", ";
    }
}

// Of the kinds that are written as a list or a map.
static void say_values_of_collection(struct page *page, const struct sp_option *option)
{
    switch (option->kind) {
    case SP_KIND_TEXTS:
        say(page, "a list of texts");
        break;
    case SP_KIND_PAIRS:
    case SP_KIND_RESOURCES:
        say(page, "a map or a list");
        break;
    case SP_KIND_CHOICES:
        say(page, "a list of ");
        say_choices(page, option->choices);
        break;
    case SP_KIND_LISTENERS:
        say(page, "a list of addresses or maps");
        break;
    case SP_KIND_SANDBOX:
        say(page, "`off`, `strict` or a map");
        break;
    case SP_KIND_RETRY:
    case SP_KIND_BREAKER:
    case SP_KIND_DEVICES:
        say(page, "`off` or a map");
        break;
    default:
        say(page, "a map");
        break;
    }
}

static void say_values(struct page *page, const struct sp_option *option)
{
    char low[32];
    char high[32];
    switch (option->kind) {
    case SP_KIND_BOOLEAN:
        say(page, "`true`, `false`");
        break;
    case SP_KIND_INTEGER_OR_AUTO:
        say(page, "`auto`, %" PRIu64 " to %" PRIu64, option->minimum, option->maximum);
        break;
    case SP_KIND_INTEGER_OR_INFINITY:
        say(page,
            "`infinity`, %" PRIu64 " to %" PRIu64,
            option->minimum,
            option->maximum);
        break;
    case SP_KIND_INTEGER:
    case SP_KIND_RANGE:
        say(page, "%" PRIu64 " to %" PRIu64, option->minimum, option->maximum);
        break;
    case SP_KIND_SIZE:
        sp_option_format_size(option->minimum, low, sizeof(low));
        sp_option_format_size(option->maximum, high, sizeof(high));
        say(page, "%s to %s", low, high);
        break;
    case SP_KIND_DURATION:
        sp_option_format_duration(option->minimum, low, sizeof(low));
        sp_option_format_duration(option->maximum, high, sizeof(high));
        say(page, "`infinity`, %s to %s", low, high);
        break;
    case SP_KIND_FRACTION:
        say(page,
            "%" PRIu64 ".%02" PRIu64 " to %" PRIu64 ".%02" PRIu64,
            option->minimum / 100,
            option->minimum % 100,
            option->maximum / 100,
            option->maximum % 100);
        break;
    case SP_KIND_CHOICE:
        say_choices(page, option->choices);
        break;
    case SP_KIND_PATH:
        say(page, "a path");
        break;
    case SP_KIND_MODE:
        say(page, "octal, `0` to `0777`");
        break;
    default:
        if (sp_option_is_collection(option)) {
            say_values_of_collection(page, option);
        } else {
            say(page, "a text");
        }
        break;
    }
    if (option->unit != NULL && option->kind != SP_KIND_SIZE) {
        say(page, " %s", option->unit);
    }
}

// In a table a bar ends the cell, even within code.
static void say_cell(struct page *page, const char *text)
{
    for (; *text != '\0'; text++) {
        say(page, "%s%c", *text == '|' ? "\\" : "", *text);
    }
}

static void say_row(struct page *page, const struct sp_option *option)
{
    say(page, "| `%s` | ", option->key);
    say_values(page, option);
    if (option->fixed != NULL) {
        say(page, " | `%s` | ", option->fixed);
    } else {
        say(page, " | %s | ", option->computed);
    }
    say_cell(page, option->help);
    say(page, "%s | %s |\n", applies_note(option), reload_note(option));
}

snakepit_err sp_cli_reference(struct sp_buf *text)
{
    struct page page = {.text = text};
    page.err = sp_buf_append(text, introduction, strlen(introduction));
    for (size_t i = 0; i < ENTRIES; i++) {
        if (entries[i].title != NULL) {
            say(&page, "\n## %s\n\n", entries[i].title);
            say(&page,
                "| key | values | default | meaning | reload |\n"
                "| --- | --- | --- | --- | --- |\n");
        } else {
            say_row(&page, sp_option_find(entries[i].scope, entries[i].key));
        }
    }
    return page.err;
}

// ---- JSON Schema --------------------------------------------------------------

static void say_json_text(struct page *page, const char *text)
{
    say(page, "\"");
    for (; *text != '\0'; text++) {
        say(page, "%s%c", *text == '"' || *text == '\\' ? "\\" : "", *text);
    }
    say(page, "\"");
}

static void say_enum(struct page *page, const char *choices)
{
    const char *before = "";
    say(page, "\"enum\": [");
    for (const char *at = choices; *at != '\0';) {
        size_t length = strcspn(at, "|");
        say(page, "%s\"%.*s\"", before, (int)length, at);
        at += length + (at[length] == '|');
        before = ", ";
    }
    say(page, "]");
}

static void say_range(struct page *page, const struct sp_option *option)
{
    say(page,
        "\"type\": \"integer\", \"minimum\": %" PRIu64 ", \"maximum\": %" PRIu64,
        option->minimum,
        option->maximum);
}

// A number, or a map of two.
static void say_number_or_range(struct page *page, const struct sp_option *option)
{
    say(page, "\"anyOf\": [{");
    say_range(page, option);
    say(page, "}, {\"type\": \"object\", \"required\": [\"min\", \"max\"], ");
    say(page, "\"additionalProperties\": false, \"properties\": {\"min\": {");
    say_range(page, option);
    say(page, "}, \"max\": {");
    say_range(page, option);
    say(page, "}}}]");
}

static void say_type_of_collection(struct page *page, const struct sp_option *option)
{
    static const char value[] = "{\"type\": [\"string\", \"number\", \"boolean\"]}";
    switch (option->kind) {
    case SP_KIND_TEXTS:
        say(page, "\"type\": \"array\", \"items\": %s", value);
        break;
    case SP_KIND_PAIRS:
    case SP_KIND_RESOURCES:
        say(page,
            "\"anyOf\": [{\"type\": \"object\", \"additionalProperties\": %s}, "
            "{\"type\": "
            "\"array\"}]",
            value);
        break;
    case SP_KIND_CHOICES:
        say(page, "\"type\": \"array\", \"items\": {");
        say_enum(page, option->choices);
        say(page, "}");
        break;
    case SP_KIND_SANDBOX:
        say(page, "\"anyOf\": [{\"enum\": [\"off\", \"strict\"]}, ");
        say(page, "{\"$ref\": \"#/definitions/sandbox\"}]");
        break;
    case SP_KIND_RETRY:
    case SP_KIND_BREAKER:
    case SP_KIND_DEVICES:
        say(page, "\"anyOf\": [{\"const\": \"off\"}, ");
        say(page, "{\"$ref\": \"#/definitions/%s\"}]", option->key);
        break;
    case SP_KIND_LISTENERS:
        say(page, "\"type\": \"array\", \"minItems\": 1, \"maxItems\": 64, ");
        say(page, "\"items\": {\"anyOf\": [{\"type\": \"string\", \"minLength\": 1}, ");
        say(page, "{\"$ref\": \"#/definitions/listener\"}]}");
        break;
    case SP_KIND_THRESHOLD:
    case SP_KIND_SERVE:
    case SP_KIND_TLS:
        say(page, "\"$ref\": \"#/definitions/%s\"", option->key);
        break;
    default:
        say(page, "\"type\": \"object\"");
        break;
    }
}

static void say_type(struct page *page, const struct sp_option *option)
{
    switch (option->kind) {
    case SP_KIND_BOOLEAN:
        say(page, "\"type\": \"boolean\"");
        break;
    case SP_KIND_INTEGER:
        say_range(page, option);
        break;
    case SP_KIND_RANGE:
        say_number_or_range(page, option);
        break;
    case SP_KIND_FRACTION:
        say(page, "\"type\": \"number\", \"minimum\": 0.01, \"maximum\": 1");
        break;
    case SP_KIND_INTEGER_OR_AUTO:
        say(page, "\"anyOf\": [{\"const\": \"auto\"}, {");
        say_range(page, option);
        say(page, "}]");
        break;
    case SP_KIND_INTEGER_OR_INFINITY:
        say(page, "\"anyOf\": [{\"const\": \"infinity\"}, {");
        say_range(page, option);
        say(page, "}]");
        break;
    case SP_KIND_SIZE:
        say(page, "\"anyOf\": [{");
        say_range(page, option);
        say(page, "}, {\"type\": \"string\", \"pattern\": \"^[0-9]+ *([KMG]i)?B?$\"}]");
        break;
    case SP_KIND_DURATION:
        say(page, "\"anyOf\": [{\"type\": \"integer\", \"minimum\": 1}, ");
        say(page,
            "{\"type\": \"string\", \"pattern\": \"^(infinity|[0-9]+ *[a-z]*)$\"}, ");
        say(page, "{\"type\": \"array\", \"minItems\": 2, \"maxItems\": 2}]");
        break;
    case SP_KIND_CHOICE:
        say_enum(page, option->choices);
        break;
    case SP_KIND_MODE:
        say(page, "\"type\": \"string\", \"pattern\": \"^0?[0-7]{1,3}$\"");
        break;
    default:
        if (sp_option_is_collection(option)) {
            say_type_of_collection(page, option);
        } else {
            say(page, "\"type\": \"string\", \"minLength\": 1");
        }
        break;
    }
}

// Of a list of words, "[ONE, OTHER]".
static void say_json_words(struct page *page, const char *words)
{
    const char *before = "";
    say(page, "[");
    for (const char *at = words; *at != '\0';) {
        size_t length = strcspn(at, "[], ");
        if (length > 0) {
            say(page, "%s\"%.*s\"", before, (int)length, at);
            before = ", ";
        }
        at += length > 0 ? length : 1;
    }
    say(page, "]");
}

static void say_default(struct page *page, const struct sp_option *option)
{
    enum sp_scope scope;
    const char *text = option->fixed;
    bool bare =
        option->kind == SP_KIND_BOOLEAN || option->kind == SP_KIND_INTEGER ||
        option->kind == SP_KIND_FRACTION ||
        (sp_option_is_collection(option) && !sp_option_is_group(option, &scope));
    if (text == NULL) {
        return;
    }
    say(page, ", \"default\": ");
    if (option->kind == SP_KIND_CHOICES) {
        say_json_words(page, text);
    } else if (bare) {
        say(page, "%s", text);
    } else {
        say_json_text(page, text);
    }
}

static void say_property(struct page *page, const struct sp_option *option)
{
    say(page, "      \"%s\": {", option->key);
    say_type(page, option);
    say_default(page, option);
    say(page, ", \"description\": ");
    char help[1024];
    (void)snprintf(help, sizeof(help), "%s%s", option->help, applies_note(option));
    say_json_text(page, help);
    say(page, "}");
}

// All options of one scope, each behind `before`; returns what the next one must stand
// behind.
static const char *
say_properties(struct page *page, enum sp_scope scope, const char *before)
{
    const struct sp_option *option = NULL;
    for (size_t i = 0; (option = sp_option_at(i)) != NULL; i++) {
        if (option->scope == scope) {
            say(page, "%s", before);
            say_property(page, option);
            before = ",\n";
        }
    }
    return before;
}

static void say_form(struct page *page, const char *name)
{
    say(page,
        "    \"%s\": {\"type\": \"object\", \"additionalProperties\": false, "
        "\"properties\": {\n",
        name);
}

// The maps within a file, besides pools.
static const struct {
    const char *name;
    enum sp_scope scope;
    const char *required; // as JSON
} groups[] = {
    {"sandbox", SP_SCOPE_SANDBOX, "[]"},
    {"retry", SP_SCOPE_RETRY, "[]"},
    {"breaker", SP_SCOPE_BREAKER, "[]"},
    {"devices", SP_SCOPE_DEVICES, "[]"},
    {"switch_threshold", SP_SCOPE_THRESHOLD, "[]"},
    {"serve", SP_SCOPE_SERVE, "[]"},
    {"listener", SP_SCOPE_LISTENER, "[\"address\"]"},
    {"tls", SP_SCOPE_TLS, "[\"certificate\", \"key\"]"},
};

snakepit_err sp_cli_json_schema(struct sp_buf *text)
{
    struct page page = {.text = text};
    say(&page, "{\n  \"$schema\": \"http://json-schema.org/draft-07/schema#\",\n");
    say(&page, "  \"title\": \"Snakepit configuration\",\n");
    say(&page, "  \"$comment\": \"Written by tools/gen_config_docs.c\",\n");
    say(&page, "  \"type\": \"object\",\n  \"if\": {\"required\": [\"pools\"]},\n");
    say(&page, "  \"then\": {\"$ref\": \"#/definitions/several\"},\n");
    say(&page,
        "  \"else\": {\"$ref\": \"#/definitions/single\"},\n  \"definitions\": {\n");
    say_form(&page, "several");
    say_properties(&page, SP_SCOPE_TOP, "");
    say(&page,
        ",\n      \"pools\": {\"type\": \"array\", \"maxItems\": 256, \"items\": ");
    say(&page, "{\"$ref\": \"#/definitions/pool\"}}\n    }},\n");
    say_form(&page, "single");
    say_properties(&page, SP_SCOPE_POOL, say_properties(&page, SP_SCOPE_TOP, ""));
    say(&page,
        "\n    }},\n    \"pool\": {\"required\": [\"name\"], \"type\": \"object\", ");
    say(&page, "\"additionalProperties\": false, \"properties\": {\n      \"name\": ");
    say(&page, "{\"type\": \"string\", \"pattern\": \"^[A-Za-z0-9_.-]{1,64}$\", ");
    say(&page, "\"description\": \"What the pool is called by.\"}");
    say_properties(&page, SP_SCOPE_POOL, ",\n");
    say(&page, "\n    }},\n");
    for (size_t i = 0; i < sizeof groups / sizeof groups[0]; i++) {
        say_form(&page, groups[i].name);
        say_properties(&page, groups[i].scope, "");
        say(&page,
            "\n    }, \"required\": %s%s",
            groups[i].required,
            i + 1 < sizeof groups / sizeof groups[0] ? "},\n" : "");
    }
    say(&page, "}\n  }\n}\n");
    return page.err;
}
