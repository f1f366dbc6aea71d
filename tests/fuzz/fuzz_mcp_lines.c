// SPDX-License-Identifier: MIT
// Standard input of `snakepit mcp`. However the bytes are split, the same messages
// come; each is within its bounds, and what is said of it in fields is none that could
// end a field.
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "fuzz.h"
#include "mcp/heading.h"
#include "mcp/lines.h"

#define MOST 512u

static void check_field(const char *value)
{
    for (const char *at = value; *at != '\0'; at++) {
        SP_CHECK(*at >= ' ' && *at <= '~');
    }
    SP_CHECK(strlen(value) < SP_MCP_FIELD_SIZE);
    SP_CHECK(value[0] != ' ' && (value[0] == '\0' || value[strlen(value) - 1] != ' '));
}

static void check_heading(struct sp_slice line)
{
    struct sp_mcp_heading heading = {.answered = false};
    SP_CHECK(sp_mcp_heading_read(line, &heading) == SNAKEPIT_OK);
    check_field(heading.version);
    check_field(heading.name_of_method);
    check_field(heading.name);
    SP_CHECK(heading.cancels.size == 0 || heading.method == SP_MCP_CANCELLED);
    sp_mcp_heading_fini(&heading);
}

// What came, one after the other.
static void on_line(void *user, struct sp_slice line, bool cut)
{
    SP_CHECK(cut ? line.size == 0 : line.size > 0 && line.size <= MOST);
    SP_CHECK(memchr(cut ? (const void *)"" : line.data, '\n', line.size) == NULL);
    SP_CHECK(sp_buf_append(user, cut ? "!" : "-", 1) == SNAKEPIT_OK);
    SP_CHECK(sp_buf_append(user, line.data, line.size) == SNAKEPIT_OK);
    SP_CHECK(sp_buf_append(user, "\n", 1) == SNAKEPIT_OK);
}

static void
read_split(const uint8_t *data, size_t size, size_t step, struct sp_buf *came)
{
    struct sp_mcp_lines lines = {.most = MOST, .put = on_line, .user = came};
    for (size_t at = 0; at < size; at += step) {
        const struct sp_slice part = {data + at, size - at < step ? size - at : step};
        SP_CHECK(sp_mcp_lines_feed(&lines, part) == SNAKEPIT_OK);
        SP_CHECK(lines.begun.size <= MOST);
    }
    sp_mcp_lines_end(&lines);
    sp_mcp_lines_fini(&lines);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const size_t steps[] = {1, 3, 64};
    struct sp_buf whole = {0};
    read_split(data, size, size > 0 ? size : 1, &whole);
    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        struct sp_buf parts = {0};
        read_split(data, size, steps[i], &parts);
        SP_CHECK(parts.size == whole.size &&
                 (whole.size == 0 || memcmp(parts.data, whole.data, whole.size) == 0));
        sp_buf_fini(&parts);
    }
    const uint8_t *at = whole.data;
    const uint8_t *end = whole.data == NULL ? NULL : whole.data + whole.size;
    while (at != end) {
        const uint8_t *stop = memchr(at, '\n', (size_t)(end - at));
        if (*at == '-') {
            check_heading((struct sp_slice){at + 1, (size_t)(stop - at) - 1});
        }
        at = stop + 1;
    }
    sp_buf_fini(&whole);
    return 0;
}
