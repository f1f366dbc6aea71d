// SPDX-License-Identifier: MIT
// An environment is one of files alone: nothing in it is run, so the interpreter here
// is an empty file.
#include "support.h"

#include <limits.h>
#include <unistd.h>

#include "interpreter/interpreter.h"

#define BRIDGE "lib/python3.13t/site-packages/snakepit_bridge"

static const char bridge[] = ".venv/" BRIDGE;
static const char worker[] = ".venv/" BRIDGE "/worker.py";
static const char extension[] = ".venv/" BRIDGE "/_runtime.cpython-313t-any.so";

struct venv {
    char root[64];
    char python[128];
};

static char *below(const struct venv *venv, const char *name)
{
    static char path[256];
    (void)snprintf(path, sizeof path, "%s/%s", venv->root, name);
    return path;
}

static void write_empty(const struct venv *venv, const char *name, mode_t mode)
{
    FILE *file = fopen(below(venv, name), "w");
    assert_non_null(file);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(below(venv, name), mode), 0);
}

static int make_venv(void **state)
{
    static const char *const folders[] = {".venv",
                                          ".venv/bin",
                                          ".venv/lib",
                                          ".venv/lib/python3.13t",
                                          ".venv/lib/python3.13t/site-packages",
                                          bridge};
    struct venv *venv = calloc(1, sizeof *venv);
    assert_non_null(venv);
    strcpy(venv->root, "/tmp/snakepit-venv-XXXXXX");
    assert_non_null(mkdtemp(venv->root));
    for (size_t i = 0; i < sizeof folders / sizeof folders[0]; i++) {
        assert_int_equal(mkdir(below(venv, folders[i]), 0700), 0);
    }
    write_empty(venv, "python3.13t", 0700);
    assert_int_equal(symlink("../../python3.13t", below(venv, ".venv/bin/python")), 0);
    write_empty(venv, ".venv/pyvenv.cfg", 0600);
    write_empty(venv, worker, 0600);
    write_empty(venv, extension, 0600);
    (void)snprintf(
        venv->python, sizeof venv->python, "%s/.venv/bin/python", venv->root);
    *state = venv;
    return 0;
}

static int remove_venv(void **state)
{
    struct venv *venv = *state;
    char command[128];
    (void)snprintf(command, sizeof command, "rm -r %s", venv->root);
    // NOLINTNEXTLINE(cert-env33-c): a folder that this test has made
    int rc = system(command);
    free(venv);
    return rc;
}

static bool is_equipped(const struct venv *venv)
{
    char *none[] = {NULL};
    return sp_interpreter_is_equipped(venv->python, none);
}

static void one_with_the_bridge_is_known_by_its_files(void **state)
{
    const struct venv *venv = *state;
    assert_true(is_equipped(venv));
}

static void one_without_any_of_them_is_not(void **state)
{
    static const char *const needed[] = {
        ".venv/pyvenv.cfg", worker, extension, ".venv/bin/python", "python3.13t"};
    const struct venv *venv = *state;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        char from[256];
        strcpy(from, below(venv, needed[i]));
        assert_int_equal(rename(from, below(venv, "away")), 0);
        assert_false(is_equipped(venv));
        assert_int_equal(rename(below(venv, "away"), from), 0);
        assert_true(is_equipped(venv));
    }
}

static void the_extension_of_another_python_does_not_count(void **state)
{
    static const char *const others[] = {"_runtime.cpython-313-any.so",
                                         "_runtime.cpython-312t-any.so",
                                         "_runtime.cpython-313t-any.py",
                                         "_runtime.so"};
    const struct venv *venv = *state;
    char from[256];
    strcpy(from, below(venv, extension));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char name[128];
        (void)snprintf(name, sizeof name, ".venv/" BRIDGE "/%s", others[i]);
        assert_int_equal(rename(from, below(venv, name)), 0);
        assert_false(is_equipped(venv));
        assert_int_equal(rename(below(venv, name), from), 0);
    }
}

static void an_interpreter_whose_name_tells_no_version_is_asked(void **state)
{
    static const char *const others[] = {
        "python3", "pypy3.13t", "python3.8", "python3.13td", "python3.13t.1"};
    const struct venv *venv = *state;
    char from[256];
    strcpy(from, below(venv, "python3.13t"));
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++) {
        char target[64];
        (void)snprintf(target, sizeof target, "../../%s", others[i]);
        assert_int_equal(unlink(venv->python), 0);
        assert_int_equal(rename(from, below(venv, others[i])), 0);
        assert_int_equal(symlink(target, venv->python), 0);
        assert_false(is_equipped(venv));
        assert_int_equal(rename(below(venv, others[i]), from), 0);
    }
}

static void one_that_may_not_be_executed_is_asked(void **state)
{
    const struct venv *venv = *state;
    assert_int_equal(chmod(below(venv, "python3.13t"), 0600), 0);
    assert_false(is_equipped(venv));
}

static void paths_that_python_would_write_otherwise_are_asked(void **state)
{
    static const char *const ways[] = {
        "//bin/python", "/./bin/python", "/bin/../bin/python", "/lib/python", "/bin/"};
    const struct venv *venv = *state;
    char *none[] = {NULL};
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        char python[256];
        (void)snprintf(python, sizeof python, "%s%s", below(venv, ".venv"), ways[i]);
        assert_false(sp_interpreter_is_equipped(python, none));
    }
    assert_false(sp_interpreter_is_equipped("/bin/python", none));
    assert_false(sp_interpreter_is_equipped("python", none));
}

static void an_environment_that_moves_packages_is_asked(void **state)
{
    const struct venv *venv = *state;
    char other[] = "PYTHONPATH=/tmp";
    char home[] = "PYTHONHOME=/usr";
    char library[] = "PYTHONPLATLIBDIR=lib64";
    char *moved[] = {other, home, NULL};
    assert_false(sp_interpreter_is_equipped(venv->python, moved));
    moved[1] = library;
    assert_false(sp_interpreter_is_equipped(venv->python, moved));
    moved[1] = NULL;
    assert_true(sp_interpreter_is_equipped(venv->python, moved));
}

// What the files of a real one tell is what it says itself.
static void check_real(const char *python)
{
    struct sp_interpreter interpreter;
    char *none[] = {NULL};
    assert_int_equal(sp_interpreter_probe(python, NULL, &interpreter, NULL),
                     SNAKEPIT_OK);
    assert_true(interpreter.has_bridge);
    assert_true(interpreter.is_environment);
    assert_string_equal(interpreter.executable, python);
    assert_true(sp_interpreter_is_equipped(python, none));
    sp_interpreter_fini(&interpreter);
}

static void real_environments_say_the_same(void **state)
{
    (void)state;
#ifdef SP_PYTHON_SYSTEM
    check_real(SP_PYTHON_SYSTEM);
#endif
#ifdef SP_PYTHON_FT
    check_real(SP_PYTHON_FT);
#endif
#if !defined SP_PYTHON_SYSTEM && !defined SP_PYTHON_FT
    (void)check_real;
    skip();
#endif
}

#define IN_VENV(test) cmocka_unit_test_setup_teardown(test, make_venv, remove_venv)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_VENV(one_with_the_bridge_is_known_by_its_files),
        IN_VENV(one_without_any_of_them_is_not),
        IN_VENV(the_extension_of_another_python_does_not_count),
        IN_VENV(an_interpreter_whose_name_tells_no_version_is_asked),
        IN_VENV(one_that_may_not_be_executed_is_asked),
        IN_VENV(paths_that_python_would_write_otherwise_are_asked),
        IN_VENV(an_environment_that_moves_packages_is_asked),
        cmocka_unit_test(real_environments_say_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
