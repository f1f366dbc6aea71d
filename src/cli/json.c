// SPDX-License-Identifier: MIT
// Values on their way to standard output.
#include "cli/json.h"

#include "base/text.h"
#include "cli/output.h"
#include "http/problem.h"

// As JSON escapes it: what is beyond 16 bits by two numbers.
static void print_escaped(struct sp_cli *cli, uint32_t code)
{
    if (code > 0xffff) {
        uint32_t rest = code - 0x10000;
        sp_cli_print(
            cli, "\\u%04x\\u%04x", 0xd800 + (rest >> 10), 0xdc00 + (rest & 0x3ff));
    } else {
        sp_cli_print(cli, "\\u%04x", code);
    }
}

void sp_cli_print_json_text(struct sp_cli *cli, const char *json, size_t size)
{
    const uint8_t *at = (const uint8_t *)json;
    const uint8_t *end = at + size;
    const uint8_t *begin = at; // of what was not written yet
    while (at < end) {
        size_t bytes = sp_text_character(at, (size_t)(end - at));
        uint32_t code = bytes > 0 ? sp_text_code(at, bytes) : 0xfffd;
        if (bytes > 0 && sp_text_may_be_shown(code)) {
            at += bytes;
            continue;
        }
        sp_cli_write(cli, begin, (size_t)(at - begin));
        print_escaped(cli, code);
        at += bytes > 0 ? bytes : 1;
        begin = at;
    }
    sp_cli_write(cli, begin, (size_t)(end - begin));
    sp_cli_print(cli, "\n");
}

snakepit_err sp_cli_print_json(struct sp_cli *cli, const snakepit_writer *writer)
{
    struct sp_buf text = {0};
    snakepit_err err = sp_writer_to_json(writer, &text);
    if (err == SNAKEPIT_OK) {
        sp_cli_print_json_text(cli, (const char *)text.data, text.size);
    }
    sp_buf_fini(&text);
    return err;
}

snakepit_err sp_cli_explain_json(const snakepit_reader *value, snakepit_message *why)
{
    return sp_fault_no_json(value, why).err;
}
