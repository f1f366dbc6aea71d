// SPDX-License-Identifier: MIT
// What `serve:` says, in the file and in variables.
#include "support.h"

#include <stdio.h>
#include <unistd.h>

// "<the current folder>/NAME"
static const char *here(const char *name)
{
    static char path[4096];
    assert_non_null(getcwd(path, sizeof path - 64));
    size_t length = strlen(path);
    (void)snprintf(path + length, sizeof path - length, "/%s", name);
    return path;
}

static void without_it_there_are_its_defaults(void **state)
{
    (void)state;
    struct sp_config *config = read_good("pool_size: 1");
    const struct sp_serve_config *serve = &config->serve;
    assert_false(serve->given);
    assert_int_equal(serve->listen.count, 1);
    assert_string_equal(serve->listen.items[0].address, "127.0.0.1:8470");
    assert_int_equal(serve->listen.items[0].parsed.kind, SP_ADDRESS_TCP4);
    assert_int_equal(serve->listen.items[0].parsed.port, 8470);
    assert_null(serve->listen.items[0].tls.certificate);
    assert_null(serve->listen.items[0].tokens);
    assert_int_equal(serve->loops, SP_AUTO);
    assert_int_equal(serve->max_connections, 10000);
    assert_int_equal(serve->max_message, 100 << 20);
    assert_int_equal(serve->max_memory, 1 << 30);
    assert_int_equal(serve->body_min_rate, 500);
    assert_int_equal(serve->max_values, 10000000);
    assert_int_equal(serve->max_header_size, 16384);
    assert_int_equal(serve->header_timeout_ms, 10000);
    assert_int_equal(serve->body_timeout_ms, 30000);
    assert_int_equal(serve->write_timeout_ms, 30000);
    assert_int_equal(serve->idle_timeout_ms, 75000);
    assert_int_equal(serve->shutdown_grace_ms, 30000);
    assert_true(serve->tracebacks);
    assert_int_equal(serve->origins.count, 0);
    sp_config_free(config);
}

static void an_empty_map_is_given(void **state)
{
    (void)state;
    struct sp_config *config = read_good("serve: {}\npools: [{name: a}]");
    assert_true(config->serve.given);
    assert_int_equal(config->serve.listen.count, 1);
    sp_config_free(config);
}

static void every_key_is_read(void **state)
{
    (void)state;
    struct sp_config *config = read_good(
        "serve:\n"
        "  listen:\n"
        "    - 127.0.0.1:9000\n"
        "    - {address: \"unix:http.sock\", mode: \"0660\", users: [1000, www-data]}\n"
        "    - {address: 'unix:/run/plain.sock'}\n"
        "    - {address: 'systemd:http', tokens: /etc/tokens.yaml}\n"
        "    - address: 0.0.0.0:8471\n"
        "      tls: {certificate: c.pem, key: /etc/k.pem, client_ca: ca.pem}\n"
        "      tokens: tokens.yaml\n"
        "  loops: 4\n"
        "  max_connections: 7\n"
        "  max_message: 2MiB\n"
        "  max_header_size: 1KiB\n"
        "  header_timeout_ms: 1\n"
        "  body_timeout_ms: 2\n"
        "  write_timeout_ms: 3\n"
        "  idle_timeout_ms: 4\n"
        "  shutdown_grace_ms: 0\n"
        "  tracebacks: false\n"
        "  origins: [\"https://app.example.com\", \"http://localhost:3000\"]\n"
        "pool_size: 1\n");
    const struct sp_serve_config *serve = &config->serve;
    const struct sp_listener_config *items = serve->listen.items;
    assert_int_equal(serve->listen.count, 5);
    assert_string_equal(items[0].address, "127.0.0.1:9000");
    assert_int_equal(items[1].mode, 0660);
    assert_string_equal(items[1].parsed.name, here("http.sock"));
    assert_int_equal(items[1].users.count, 2);
    assert_string_equal(items[1].users.items[0], "1000");
    assert_string_equal(items[1].users.items[1], "www-data");
    assert_int_equal(items[2].mode, 0600);
    assert_null(items[2].users.items);
    assert_string_equal(items[3].parsed.name, "http");
    assert_string_equal(items[3].tokens, "/etc/tokens.yaml");
    assert_string_equal(items[4].tls.certificate, here("c.pem"));
    assert_string_equal(items[4].tls.key, "/etc/k.pem");
    assert_string_equal(items[4].tls.client_ca, here("ca.pem"));
    assert_string_equal(items[4].tokens, here("tokens.yaml"));
    assert_int_equal(serve->loops, 4);
    assert_int_equal(serve->max_connections, 7);
    assert_int_equal(serve->max_message, 2 << 20);
    assert_int_equal(serve->max_header_size, 1024);
    assert_int_equal(serve->header_timeout_ms, 1);
    assert_int_equal(serve->body_timeout_ms, 2);
    assert_int_equal(serve->write_timeout_ms, 3);
    assert_int_equal(serve->idle_timeout_ms, 4);
    assert_int_equal(serve->shutdown_grace_ms, 0);
    assert_false(serve->tracebacks);
    assert_int_equal(serve->origins.count, 2);
    assert_string_equal(serve->origins.items[1], "http://localhost:3000");
    sp_config_free(config);
}

static void a_mode_is_octal_however_it_is_written(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint32_t mode;
    } modes[] = {{"\"0660\"", 0660}, {"0660", 0660}, {"'660'", 0660}, {"0", 0}};
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        char yaml[128];
        (void)snprintf(yaml,
                       sizeof yaml,
                       "serve: {listen: [{address: 'unix:/x', mode: %s}]}",
                       modes[i].text);
        struct sp_config *config = read_good(yaml);
        assert_int_equal(config->serve.listen.items[0].mode, modes[i].mode);
        sp_config_free(config);
    }
}

// A file's own folder is where its paths count from.
static void paths_count_from_the_folder_of_the_file(void **state)
{
    (void)state;
    char folder[] = "/tmp/snakepit-serve-XXXXXX";
    assert_non_null(mkdtemp(folder));
    char path[64];
    char expected[64];
    (void)snprintf(path, sizeof path, "%s/pit.yaml", folder);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    (void)fputs("serve: {listen: [{address: 'unix:a.sock', tokens: t.yaml}]}", file);
    assert_int_equal(fclose(file), 0);
    struct sp_config *config = NULL;
    assert_int_equal(sp_config_read_file(path, &config, NULL), SNAKEPIT_OK);
    const struct sp_listener_config *listener = &config->serve.listen.items[0];
    (void)snprintf(expected, sizeof expected, "%s/a.sock", folder);
    assert_string_equal(listener->parsed.name, expected);
    (void)snprintf(expected, sizeof expected, "%s/t.yaml", folder);
    assert_string_equal(listener->tokens, expected);
    sp_config_free(config);
    (void)unlink(path);
    (void)rmdir(folder);
}

// ---- Variables ----------------------------------------------------------------

static void variables_replace_its_keys(void **state)
{
    (void)state;
    setenv("SNAKEPIT_SERVE_LOOPS", "4", 1);
    setenv("SNAKEPIT_SERVE_MAX_MESSAGE", "1GiB", 1);
    setenv("SNAKEPIT_SERVE_TRACEBACKS", "false", 1);
    setenv("SNAKEPIT_SERVE_ORIGINS", "['https://a.example']", 1);
    struct sp_config *config = read_good("serve: {loops: 2, max_connections: 3}");
    assert_int_equal(config->serve.loops, 4);
    assert_int_equal(config->serve.max_connections, 3);
    assert_int_equal(config->serve.max_message, 1 << 30);
    assert_false(config->serve.tracebacks);
    assert_int_equal(config->serve.origins.count, 1);
    sp_config_free(config);
    config = read_good("pool_size: 1");
    assert_true(config->serve.given);
    sp_config_free(config);
}

static void a_variable_replaces_the_whole_and_its_keys_come_after(void **state)
{
    (void)state;
    setenv("SNAKEPIT_SERVE", "{loops: 8, max_connections: 9}", 1);
    setenv("SNAKEPIT_SERVE_LOOPS", "5", 1);
    struct sp_config *config = read_good("serve: {max_header_size: 2KiB}");
    assert_int_equal(config->serve.loops, 5);
    assert_int_equal(config->serve.max_connections, 9);
    assert_int_equal(config->serve.max_header_size, 16384);
    sp_config_free(config);
}

static void addresses_need_no_yaml_in_a_variable(void **state)
{
    (void)state;
    setenv("SNAKEPIT_SERVE_LISTEN", "[::1]:9000, unix:it's , 127.0.0.1:0", 1);
    struct sp_config *config = read_good("serve: {listen: ['systemd:']}");
    const struct sp_listeners *listen = &config->serve.listen;
    assert_int_equal(listen->count, 3);
    assert_string_equal(listen->items[0].address, "[::1]:9000");
    assert_string_equal(listen->items[1].address, "unix:it's");
    assert_string_equal(listen->items[1].parsed.name, here("it's"));
    assert_string_equal(listen->items[2].address, "127.0.0.1:0");
    sp_config_free(config);
    setenv("SNAKEPIT_SERVE_LISTEN", "[{address: 'unix:/a,b', mode: '0666'}]", 1);
    config = read_good("{}");
    assert_int_equal(config->serve.listen.count, 1);
    assert_string_equal(config->serve.listen.items[0].parsed.name, "/a,b");
    assert_int_equal(config->serve.listen.items[0].mode, 0666);
    sp_config_free(config);
}

// A variable, its value, and the sentence that it earns.
static const struct {
    const char *name;
    const char *value;
    const char *sentence;
} mistakes[] = {
    {"SNAKEPIT_SERVE_COMPATIBILITY",
     "[bridge, bridges]",
     "<memory>: serve.compatibility[1]: expected \"bridge\", got \"bridges\" (from the "
     "environment variable SNAKEPIT_SERVE_COMPATIBILITY)"},
    {"SNAKEPIT_SERVE_ORIGINS",
     "[\"https://a.example/\"]",
     "<memory>: serve.origins[0]: expected an origin such as "
     "\"https://app.example.com\", got \"https://a.example/\" (from the environment "
     "variable SNAKEPIT_SERVE_ORIGINS)"},
    {"SNAKEPIT_SERVE_LOOPS",
     "65",
     "<memory>: serve.loops: expected \"auto\" or an integer from 1 to 64, got 65 "
     "(from "
     "the environment variable SNAKEPIT_SERVE_LOOPS)"},
    {"SNAKEPIT_SERVE_LISTEN",
     "",
     "<memory>: serve.listen: expected a list of 1 to 64 addresses, got 0 (from the "
     "environment variable SNAKEPIT_SERVE_LISTEN)"},
    {"SNAKEPIT_SERVE_LISTEN",
     "127.0.0.1:1,unix:",
     "<memory>: serve.listen[1]: expected the path of a socket behind \"unix:\", got "
     "nothing (from the environment variable SNAKEPIT_SERVE_LISTEN)"},
    {"SNAKEPIT_SERVE_LISTEN",
     "0.0.0.0:8470",
     "<memory>: serve.listen[0]: other machines reach \"0.0.0.0:8470\", so it "
     "needs `tls`, and `tokens` or `client_ca`; without them listen on 127.0.0.1, "
     "[::1] or unix:PATH (from the environment "
     "variable SNAKEPIT_SERVE_LISTEN)"},
    {"SNAKEPIT_SERVE",
     "",
     "<memory>: serve: expected a map, got an empty text (from the environment "
     "variable "
     "SNAKEPIT_SERVE)"},
    {"SNAKEPIT_SERVE_LOPS",
     "4",
     "<memory>: SNAKEPIT_SERVE_LOPS: unknown variable; did you mean "
     "\"SNAKEPIT_SERVE_LOOPS\"?"},
    {"SNAKEPIT_SERVER_LISTEN",
     "4",
     "<memory>: SNAKEPIT_SERVER_LISTEN: unknown variable; did you mean "
     "\"SNAKEPIT_SERVE_LISTEN\"?"},
    {"SNAKEPIT_SERV_LISTN",
     "4",
     "<memory>: SNAKEPIT_SERV_LISTN: unknown variable; did you mean "
     "\"SNAKEPIT_SERVE_LISTEN\"?"},
    {"SNAKEPIT_POOL_DEFAULT_SERVE_LOOPS",
     "4",
     "<memory>: SNAKEPIT_POOL_DEFAULT_SERVE_LOOPS: unknown variable; did you mean "
     "\"SNAKEPIT_SERVE_LOOPS\"?"},
    {"SNAKEPIT_SERVE_COMPATIBILITY",
     "bridge",
     "<memory>: serve.compatibility: expected a list of texts, got \"bridge\" (from "
     "the "
     "environment variable SNAKEPIT_SERVE_COMPATIBILITY)"},
};

static void a_wrong_variable_is_named(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof mistakes / sizeof mistakes[0]; i++) {
        set_environment(NULL);
        setenv(mistakes[i].name, mistakes[i].value, 1);
        assert_refused("{}", mistakes[i].sentence);
    }
}

static void variables_of_others_are_nobodys_business(void **state)
{
    (void)state;
    setenv("SNAKEPIT_SERVE_STATIC", "x", 1);
    // Kubernetes sets these in the containers beside a service named "snakepit".
    setenv("SNAKEPIT_SERVICE_HOST", "10.0.0.1", 1);
    setenv("SNAKEPIT_SERVICE_PORT", "8470", 1);
    setenv("SNAKEPIT_PORT", "tcp://10.0.0.1:8470", 1);
    setenv("SNAKEPIT_PORT_8470_TCP_ADDR", "10.0.0.1", 1);
    setenv("SNAKEPIT_TEST_LOOPS", "x", 1);
    sp_config_free(read_good("{}"));
}

static void the_command_line_replaces_the_addresses(void **state)
{
    (void)state;
    snakepit_message why = {0};
    struct sp_config *config = read_good("serve: {listen: ['systemd:'], loops: 3}");
    assert_int_equal(sp_config_listen(config, "[::1]:0,unix:x", &why), SNAKEPIT_OK);
    assert_int_equal(config->serve.listen.count, 2);
    assert_string_equal(config->serve.listen.items[1].parsed.name, here("x"));
    assert_int_equal(config->serve.loops, 3);
    assert_int_equal(sp_config_listen(config, "127.0.0.1:1,0.0.0.0:2", &why),
                     SNAKEPIT_INVALID_CONFIG);
    assert_string_equal(
        why.text,
        "--listen: [1]: other machines reach \"0.0.0.0:2\", so it needs `tls`, and "
        "`tokens` or `client_ca`; without them listen on 127.0.0.1, [::1] or "
        "unix:PATH");
    sp_config_free(config);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(without_it_there_are_its_defaults, set_environment),
        cmocka_unit_test_setup(an_empty_map_is_given, set_environment),
        cmocka_unit_test_setup(every_key_is_read, set_environment),
        cmocka_unit_test_setup(a_mode_is_octal_however_it_is_written, set_environment),
        cmocka_unit_test_setup(paths_count_from_the_folder_of_the_file,
                               set_environment),
        cmocka_unit_test_setup(variables_replace_its_keys, set_environment),
        cmocka_unit_test_setup(a_variable_replaces_the_whole_and_its_keys_come_after,
                               set_environment),
        cmocka_unit_test_setup(addresses_need_no_yaml_in_a_variable, set_environment),
        cmocka_unit_test_setup(a_wrong_variable_is_named, set_environment),
        cmocka_unit_test_setup(the_command_line_replaces_the_addresses,
                               set_environment),
        cmocka_unit_test_setup(variables_of_others_are_nobodys_business,
                               set_environment),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
