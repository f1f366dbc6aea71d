// SPDX-License-Identifier: MIT
// What a pool's interpreter is, of interpreters that the test plays.
#include "pit/detect.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/memory.h"
#include "interpreter/interpreter.h"

static struct {
    uint32_t asked;
    snakepit_err err;
    bool no_bridge;
    bool is_equipped; // as its files tell
} python;

// ---- In front of the module interpreter ---------------------------------------

snakepit_err sp_interpreter_probe(const char *asked,
                                  char *const *environment,
                                  struct sp_interpreter *interpreter,
                                  snakepit_message *why)
{
    (void)environment;
    python.asked++;
    if (python.err != SNAKEPIT_OK) {
        (void)snprintf(why->text, sizeof why->text, "it is a test");
        return python.err;
    }
    char found[256];
    (void)snprintf(found, sizeof found, "%s.real", asked);
    *interpreter = (struct sp_interpreter){.executable = sp_strdup(found),
                                           .has_bridge = !python.no_bridge};
    return SNAKEPIT_OK;
}

bool sp_interpreter_is_equipped(const char *asked, char *const *environment)
{
    (void)asked;
    assert_null(environment);
    return python.is_equipped;
}

void sp_interpreter_fini(struct sp_interpreter *interpreter)
{
    sp_free(interpreter->executable);
}

void sp_interpreter_explain_bridge(const struct sp_interpreter *interpreter,
                                   snakepit_message *why)
{
    (void)interpreter;
    (void)snprintf(why->text, sizeof why->text, "the bridge is missing");
}

snakepit_err sp_interpreter_pool_env(const struct sp_pool_config *pool,
                                     char ***environment)
{
    (void)pool;
    *environment = NULL;
    return SNAKEPIT_OK;
}

void sp_interpreter_free_env(char **environment)
{
    assert_null(environment);
}

// ---- The scene ----------------------------------------------------------------

static char path[64];
static struct sp_pool_config pool;
static struct sp_config config;
static char file[] = "snakepit.yaml";
static char name[] = "default";

static void point_at(const char *text)
{
    sp_free(pool.python);
    pool.python = sp_strdup(text);
}

static int prepare(void **state)
{
    (void)state;
    memset(&python, 0, sizeof python);
    (void)strcpy(path, "/tmp/snakepit-detect-XXXXXX");
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    (void)close(fd);
    pool = (struct sp_pool_config){.name = name};
    config = (struct sp_config){.file = file,
                                .pooling_enabled = true,
                                .python_version_detection = SP_DETECTION_AUTO,
                                .pools = &pool,
                                .count = 1};
    point_at(path);
    return 0;
}

static int tidy(void **state)
{
    (void)state;
    sp_free(pool.python);
    (void)unlink(path);
    return 0;
}

// Its `why`; "": it was OK.
static const char *detect(snakepit_err err)
{
    static snakepit_message why;
    why.text[0] = 0;
    assert_int_equal(sp_detect_interpreters(&config, &why), err);
    return why.text;
}

static void expect_real(void)
{
    char real[80];
    (void)snprintf(real, sizeof real, "%s.real", path);
    assert_string_equal(pool.python, real);
}

// ---- Tests --------------------------------------------------------------------

static void the_executable_behind_it_takes_its_place_and_is_remembered(void **state)
{
    (void)state;
    detect(SNAKEPIT_OK);
    expect_real();
    point_at(path);
    detect(SNAKEPIT_OK);
    expect_real();
    assert_int_equal(python.asked, 1);
}

static void one_that_was_replaced_is_asked_again(void **state)
{
    const struct timespec times[2] = {{1000, 0}, {1000, 0}};
    (void)state;
    detect(SNAKEPIT_OK);
    assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
    point_at(path);
    detect(SNAKEPIT_OK);
    assert_int_equal(python.asked, 2);
}

static void another_environment_is_another_question(void **state)
{
    char key[] = "PYTHONPATH";
    char value[] = "/a";
    struct sp_pair pair = {key, value};
    (void)state;
    detect(SNAKEPIT_OK);
    point_at(path);
    pool.adapter_env = (struct sp_pairs){&pair, 1};
    detect(SNAKEPIT_OK);
    assert_int_equal(python.asked, 2);
    point_at(path);
    detect(SNAKEPIT_OK);
    assert_int_equal(python.asked, 2);
}

static void one_without_the_bridge_is_refused_and_asked_again(void **state)
{
    (void)state;
    python.no_bridge = true;
    assert_string_equal(detect(SNAKEPIT_INVALID_CONFIG),
                        "snakepit.yaml: pool default: python: the bridge is missing");
    assert_string_equal(pool.python, path);
    python.no_bridge = false;
    detect(SNAKEPIT_OK);
    assert_int_equal(python.asked, 2);
}

static void what_is_wrong_with_it_is_the_configurations_fault(void **state)
{
    static const struct {
        snakepit_err err;
        snakepit_err wanted;
    } rows[] = {
        {SNAKEPIT_NOT_FOUND, SNAKEPIT_INVALID_CONFIG},
        {SNAKEPIT_UNSUPPORTED, SNAKEPIT_INVALID_CONFIG},
        {SNAKEPIT_DEADLINE_EXCEEDED, SNAKEPIT_INVALID_CONFIG},
        {SNAKEPIT_SYSTEM, SNAKEPIT_SYSTEM},
        {SNAKEPIT_NO_MEMORY, SNAKEPIT_NO_MEMORY},
    };
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        python.err = rows[i].err;
        assert_string_equal(detect(rows[i].wanted),
                            "snakepit.yaml: pool default: python: it is a test");
    }
}

static void one_whose_files_tell_is_not_asked_and_keeps_its_place(void **state)
{
    (void)state;
    python.is_equipped = true;
    (void)detect(SNAKEPIT_OK);
    assert_int_equal(python.asked, 0);
    assert_string_equal(pool.python, path);
}

static void one_that_is_not_there_is_not_asked(void **state)
{
    (void)state;
    assert_int_equal(unlink(path), 0);
    assert_non_null(
        strstr(detect(SNAKEPIT_INVALID_CONFIG), "it is not there any more"));
    assert_int_equal(python.asked, 0);
}

static void nobody_is_asked_where_nobody_wants_to_know(void **state)
{
    (void)state;
    config.python_version_detection = SP_DETECTION_OFF;
    detect(SNAKEPIT_OK);
    config.python_version_detection = SP_DETECTION_AUTO;
    config.pooling_enabled = false;
    detect(SNAKEPIT_OK);
    assert_int_equal(python.asked, 0);
    assert_string_equal(pool.python, path);
}

static void the_first_that_is_wrong_is_told(void **state)
{
    struct sp_pool_config pools[2] = {{.name = name}, {.name = name}};
    (void)state;
    pools[0].python = sp_strdup(path);
    pools[1].python = sp_strdup("/nowhere/python");
    config.pools = pools;
    config.count = 2;
    assert_non_null(strstr(detect(SNAKEPIT_INVALID_CONFIG), "not there"));
    sp_free(pools[0].python);
    sp_free(pools[1].python);
}

#define test(name) cmocka_unit_test_setup_teardown(name, prepare, tidy)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_executable_behind_it_takes_its_place_and_is_remembered),
        test(one_that_was_replaced_is_asked_again),
        test(another_environment_is_another_question),
        test(one_without_the_bridge_is_refused_and_asked_again),
        test(what_is_wrong_with_it_is_the_configurations_fault),
        test(one_whose_files_tell_is_not_asked_and_keeps_its_place),
        test(one_that_is_not_there_is_not_asked),
        test(nobody_is_asked_where_nobody_wants_to_know),
        test(the_first_that_is_wrong_is_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
