// SPDX-License-Identifier: MIT
// docs/errors.md beside what the daemon answers with.
#include "grpc/status.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "http/problem.h"

#define CODE(name) [SP_GRPC_##name] = #name
static const char *const codes[] = {CODE(OK),
                                    CODE(CANCELLED),
                                    CODE(UNKNOWN),
                                    CODE(INVALID_ARGUMENT),
                                    CODE(DEADLINE_EXCEEDED),
                                    CODE(NOT_FOUND),
                                    CODE(ALREADY_EXISTS),
                                    CODE(PERMISSION_DENIED),
                                    CODE(RESOURCE_EXHAUSTED),
                                    CODE(FAILED_PRECONDITION),
                                    CODE(ABORTED),
                                    CODE(OUT_OF_RANGE),
                                    CODE(UNIMPLEMENTED),
                                    CODE(INTERNAL),
                                    CODE(UNAVAILABLE),
                                    CODE(DATA_LOSS),
                                    CODE(UNAUTHENTICATED)};

#define ERROR_ROW(name, number, grpc, http, retryable, text) SNAKEPIT_##name,
static const snakepit_err errors[] = {SNAKEPIT_ERRORS(ERROR_ROW)};
#define ERRORS (sizeof errors / sizeof errors[0])

static const char *page(void)
{
    static char text[1 << 16];
    FILE *file = fopen(SP_DOCS "/errors.md", "r");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = '\0';
    assert_int_equal(fclose(file), 0);
    return text;
}

static void the_page_has_each_error_as_it_is_answered(void **state)
{
    (void)state;
    for (size_t i = 0; i < ERRORS; i++) {
        char line[256];
        (void)snprintf(line,
                       sizeof line,
                       "\n| `%s` | %d | %u | %s | %s | %s |\n",
                       snakepit_err_name(errors[i]),
                       (int)errors[i],
                       sp_http_status(errors[i]),
                       codes[sp_grpc_code_of(errors[i])],
                       snakepit_err_retryable(errors[i]) ? "yes" : "no",
                       snakepit_err_text(errors[i]));
        if (strstr(page(), line) == NULL) {
            fail_msg("docs/errors.md lacks%s", line);
        }
    }
}

static void the_page_has_no_other_error(void **state)
{
    size_t rows = 0;
    (void)state;
    for (const char *at = page(); (at = strstr(at, "\n| `")) != NULL; at++) {
        rows++;
    }
    assert_int_equal(rows, ERRORS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_page_has_each_error_as_it_is_answered),
        cmocka_unit_test(the_page_has_no_other_error),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
