// SPDX-License-Identifier: MIT
// One pass over the words; what each option takes stands in cli/commands.def.
#include "cli/options.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "base/suggest.h"
#include "cli/text.h"

#define NAME_MAX_BYTES 64u

// The state of one parse.
struct parse {
    enum sp_cli_command_id command;
    char *const *words;
    size_t count;
    size_t at; // the next word
    struct sp_cli_args *args;
    snakepit_message *why;
};

__attribute__((format(printf, 2, 3))) static snakepit_err
refuse(const struct parse *parse, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)vsnprintf(parse->why->text, sizeof(parse->why->text), format, args);
    va_end(args);
    return SNAKEPIT_INVALID_ARGUMENT;
}

// The option of that name; SP_CLI_OPTIONS if the command has none.
static enum sp_cli_option_id find(enum sp_cli_command_id command, const char *name)
{
    int id = 0;
    for (; id < SP_CLI_OPTIONS; id++) {
        const struct sp_cli_option *option =
            sp_cli_option_at((enum sp_cli_option_id)id);
        if (sp_cli_option_is_of(option, command) && strcmp(option->name, name) == 0) {
            break;
        }
    }
    return (enum sp_cli_option_id)id;
}

static const char *nearest(enum sp_cli_command_id command, const char *name)
{
    const char *names[SP_CLI_OPTIONS];
    for (int id = 0; id < SP_CLI_OPTIONS; id++) {
        const struct sp_cli_option *option =
            sp_cli_option_at((enum sp_cli_option_id)id);
        names[id] = sp_cli_option_is_of(option, command) ? option->name : NULL;
    }
    return sp_suggest(name, names, SP_CLI_OPTIONS);
}

static snakepit_err refuse_unknown(const struct parse *parse, const char *word)
{
    const char *like = nearest(parse->command, word + strspn(word, "-"));
    const char *command = sp_cli_command_at(parse->command)->name;
    if (like == NULL) {
        return refuse(parse, "%s has no option %s", command, word);
    }
    return refuse(
        parse, "%s has no option %s; did you mean --%s?", command, word, like);
}

static snakepit_err
take_number(const struct parse *parse, enum sp_cli_option_id id, const char *text)
{
    const struct sp_cli_option *option = sp_cli_option_at(id);
    size_t digits = strspn(text, "0123456789");
    // Nineteen digits always fit.
    bool is_number = digits > 0 && digits < 20 && text[digits] == '\0';
    uint64_t number = is_number ? strtoull(text, NULL, 10) : 0;
    if (!is_number || number < option->minimum || number > option->maximum) {
        return refuse(parse,
                      "--%s takes a whole number from %llu to %llu, not \"%s\"",
                      option->name,
                      (unsigned long long)option->minimum,
                      (unsigned long long)option->maximum,
                      text);
    }
    parse->args->texts[id] = text;
    parse->args->numbers[id] = number;
    return SNAKEPIT_OK;
}

static snakepit_err
take_value(struct parse *parse, enum sp_cli_option_id id, const char *attached)
{
    const struct sp_cli_option *option = sp_cli_option_at(id);
    const char *value = attached;
    if (value == NULL && parse->at < parse->count) {
        value = parse->words[parse->at++];
    }
    // A forgotten value is commoner than a value that looks like an option.
    bool swallowed = attached == NULL && value != NULL && strncmp(value, "--", 2) == 0;
    if (value == NULL || swallowed || value[0] == '\0') {
        return refuse(parse,
                      "--%s needs a value: --%s %s",
                      option->name,
                      option->name,
                      option->value);
    }
    if (option->kind == SP_CLI_NUMBER) {
        return take_number(parse, id, value);
    }
    parse->args->texts[id] = value;
    return SNAKEPIT_OK;
}

// `word` begins with "--".
static snakepit_err take_long(struct parse *parse, const char *word)
{
    char name[NAME_MAX_BYTES];
    size_t length = strcspn(word + 2, "=");
    const char *attached = word[2 + length] == '=' ? word + 2 + length + 1 : NULL;
    if (length >= sizeof(name)) {
        return refuse_unknown(parse, word);
    }
    memcpy(name, word + 2, length);
    name[length] = '\0';
    enum sp_cli_option_id id = find(parse->command, name);
    if (id == SP_CLI_OPTIONS) {
        char shown[NAME_MAX_BYTES + 2];
        sp_cli_format(shown, sizeof(shown), "--%s", name);
        return refuse_unknown(parse, shown);
    }
    if (sp_cli_option_at(id)->kind != SP_CLI_FLAG) {
        return take_value(parse, id, attached);
    }
    if (attached != NULL) {
        return refuse(parse, "--%s takes no value", name);
    }
    parse->args->texts[id] = "";
    return SNAKEPIT_OK;
}

static snakepit_err take_word(struct parse *parse, const char *word)
{
    const struct sp_cli_command *command = sp_cli_command_at(parse->command);
    struct sp_cli_args *args = parse->args;
    if (args->count == command->most ||
        args->count == sizeof(args->words) / sizeof(args->words[0])) {
        return refuse(parse, "%s takes no argument \"%s\"", command->name, word);
    }
    args->words[args->count++] = word;
    return SNAKEPIT_OK;
}

static snakepit_err take(struct parse *parse, bool *only_words)
{
    const char *word = parse->words[parse->at++];
    if (*only_words || word[0] != '-' || word[1] == '\0') {
        return take_word(parse, word);
    }
    if (strcmp(word, "--") == 0) {
        *only_words = true;
        return SNAKEPIT_OK;
    }
    if (strcmp(word, "-h") == 0) {
        return take_long(parse, "--help");
    }
    return word[1] == '-' ? take_long(parse, word) : refuse_unknown(parse, word);
}

snakepit_err sp_cli_parse(enum sp_cli_command_id command,
                          char *const *words,
                          size_t count,
                          struct sp_cli_args *args,
                          snakepit_message *why)
{
    struct parse parse = {command, words, count, 0, args, why};
    bool only_words = false;
    *args = (struct sp_cli_args){0};
    while (parse.at < count) {
        snakepit_err err = take(&parse, &only_words);
        if (err != SNAKEPIT_OK) {
            return err;
        }
    }
    const struct sp_cli_command *row = sp_cli_command_at(command);
    if (args->count < row->least && args->texts[SP_CLI_ANY_HELP] == NULL) {
        return refuse(&parse, "%s needs %s", row->name, row->arguments);
    }
    return SNAKEPIT_OK;
}
