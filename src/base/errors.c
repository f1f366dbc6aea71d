// SPDX-License-Identifier: MIT
// Names and texts of errors, and the version, from the tables of the public headers.
// Numbers may have gaps, so they are looked up rather than used as an index.
#include <snakepit/snakepit.h>

struct row {
    const char *name;
    const char *text;
    snakepit_err err;
    bool retryable;
};

#define ERROR_ROW(name, number, grpc, http, retryable, text) \
    {#name, text, SNAKEPIT_##name, retryable},
static const struct row rows[] = {SNAKEPIT_ERRORS(ERROR_ROW)};
#undef ERROR_ROW

static const struct row *row_of(snakepit_err err)
{
    static const struct row unknown = {"UNKNOWN", "", SNAKEPIT_OK, false};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].err == err) {
            return &rows[i];
        }
    }
    return &unknown;
}

const char *snakepit_err_name(snakepit_err err)
{
    return row_of(err)->name;
}

const char *snakepit_err_text(snakepit_err err)
{
    return row_of(err)->text;
}

bool snakepit_err_retryable(snakepit_err err)
{
    return row_of(err)->retryable;
}

const char *snakepit_version(void)
{
    return SNAKEPIT_VERSION;
}
