// SPDX-License-Identifier: MIT
#include "services/methods.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "grpc/messages.h"

static const struct sp_grpc_method *find(const char *package,
                                         const struct sp_proto_rpc *rpc)
{
    char path[128];
    (void)snprintf(path, sizeof path, "/%s.%s/%s", package, rpc->service, rpc->name);
    return sp_grpc_method_find(sp_slice_of_text(path));
}

static void assert_has(const struct sp_proto_file *file, const struct sp_proto_rpc *rpc)
{
    const struct sp_grpc_method *method = find(file->package, rpc);
    if (method == NULL) {
        fail_msg("%s.%s/%s has no row", file->package, rpc->service, rpc->name);
        return;
    }
    assert_int_equal(method->kind,
                     rpc->client_streams   ? SP_GRPC_DUPLEX
                     : rpc->server_streams ? SP_GRPC_STREAM
                                           : SP_GRPC_UNARY);
}

// What reflection shows can be called, and the other way round.
static void rows_and_descriptors_say_the_same(void **state)
{
    size_t methods = 0;
    size_t shown = 0;
    (void)state;
    while (sp_grpc_method_at(methods) != NULL) {
        methods++;
    }
    for (size_t i = 0; sp_files[i] != NULL; i++) {
        const struct sp_proto_file *file = sp_files[i];
        const struct sp_proto_rpc *rpc = file->set->rpcs;
        for (; rpc->name != NULL; rpc++) {
            if (rpc->file == file || rpc->file == file->twin) {
                assert_has(file, rpc);
                shown++;
            }
        }
    }
    assert_int_equal(methods, shown);
}

static void what_needs_no_token_takes_small_messages_only(void **state)
{
    const struct sp_grpc_method *method;
    size_t open = 0;
    (void)state;
    for (size_t i = 0; (method = sp_grpc_method_at(i)) != NULL; i++) {
        const bool is_open = method->access == SP_ACCESS_OPEN;
        assert_int_equal(method->most_bytes, is_open ? SP_GRPC_OPEN_MOST : 0);
        open += is_open;
    }
    assert_int_equal(open, 4);
}

static void each_method_is_of_a_service_that_is_listed(void **state)
{
    const struct sp_grpc_method *method;
    (void)state;
    for (size_t i = 0; (method = sp_grpc_method_at(i)) != NULL; i++) {
        const char *service;
        bool listed = false;
        for (size_t j = 0; (service = sp_grpc_service_at(j)) != NULL; j++) {
            const size_t size = strlen(service);
            listed = listed || (method->path.size > 1 + size &&
                                memcmp(method->path.data + 1, service, size) == 0 &&
                                method->path.data[1 + size] == '/');
        }
        assert_true(listed);
    }
}

static void what_is_not_there_is_not_found(void **state)
{
    static const char *const paths[] = {"",
                                        "/",
                                        "snakepit.v1.Snakepit/Call",
                                        "/snakepit.v1.Snakepit/call",
                                        "/snakepit.v1.Snakepit/Call/",
                                        "/snakepit.v1.Snakepit"};
    (void)state;
    for (size_t i = 0; i < sizeof paths / sizeof paths[0]; i++) {
        assert_null(sp_grpc_method_find(sp_slice_of_text(paths[i])));
    }
}

static void the_page_has_each_row(void **state)
{
    static const char *const kinds[] = {[SP_GRPC_UNARY] = "",
                                        [SP_GRPC_STREAM] = " (stream)",
                                        [SP_GRPC_DUPLEX] = " (both ways)"};
    static const char *const scopes[] = {[SP_ACCESS_OPEN] = "open",
                                         [SP_ACCESS_CALL] = "call",
                                         [SP_ACCESS_OBSERVE] = "observe",
                                         [SP_ACCESS_ADMIN] = "admin"};
    static char page[1 << 16];
    char line[512];
    const struct sp_grpc_method *method;
    FILE *file = fopen(SP_DOCS "/grpc.md", "r");
    (void)state;
    assert_non_null(file);
    assert_true(fread(page, 1, sizeof page - 1, file) > 0);
    (void)fclose(file);
    for (size_t i = 0; (method = sp_grpc_method_at(i)) != NULL; i++) {
        (void)snprintf(line,
                       sizeof line,
                       "\n| `%s`%s | %s | %s |\n",
                       (const char *)method->path.data + 1,
                       kinds[method->kind],
                       scopes[method->access],
                       method->summary);
        if (strstr(page, line) == NULL) {
            fail_msg("docs/grpc.md lacks%s", line);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_and_descriptors_say_the_same),
        cmocka_unit_test(what_needs_no_token_takes_small_messages_only),
        cmocka_unit_test(each_method_is_of_a_service_that_is_listed),
        cmocka_unit_test(what_is_not_there_is_not_found),
        cmocka_unit_test(the_page_has_each_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
