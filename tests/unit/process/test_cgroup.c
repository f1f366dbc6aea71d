// SPDX-License-Identifier: MIT
// A tree of ordinary files stands for the kernel's; the last test has the kernel's own,
// where there is one.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "process/cgroup.h"

static const struct sp_cgroup_limits both = {.memory_max = 1 << 30, .cpu_max = 150};

static char root[] = "/tmp/snakepit-cgroup-XXXXXX";

static void in_root(const char *name, char path[PATH_MAX])
{
    (void)snprintf(path, PATH_MAX, "%s/%s", root, name);
}

static void make_file(const char *name, const char *text)
{
    char path[PATH_MAX];
    in_root(name, path);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_group(const char *name)
{
    char path[PATH_MAX];
    in_root(name, path);
    assert_int_equal(mkdir(path, 0755), 0);
}

static int make_root(void **state)
{
    (void)state;
    (void)strcpy(root + sizeof root - 7, "XXXXXX");
    assert_non_null(mkdtemp(root));
    make_file("cgroup.controllers", "cpu memory\n");
    return 0;
}

static int remove_root(void **state)
{
    (void)state;
    char command[PATH_MAX];
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

static void a_host_at_the_root_of_its_own_groups_may_limit(void **state)
{
    (void)state;
    char parent[SP_CGROUP_PATH_MAX];
    make_file("cgroup.subtree_control", "cpu io memory\n");
    assert_int_equal(sp_cgroup_find(root, "0::/\n", &both, parent, NULL), SNAKEPIT_OK);
    assert_string_equal(parent, root);
}

static void without_the_controller_the_key_is_refused_by_name(void **state)
{
    (void)state;
    char parent[SP_CGROUP_PATH_MAX];
    snakepit_message why;
    make_file("cgroup.subtree_control", "cpu hugetlbmemory\n");
    assert_int_equal(sp_cgroup_find(root, "0::/\n", &both, parent, &why),
                     SNAKEPIT_UNSUPPORTED);
    assert_non_null(strstr(why.text, "sandbox.memory_max: "));
    assert_non_null(strstr(why.text, "no controller memory; "));
    assert_non_null(strstr(why.text, "Delegate=memory cpu"));
}

static void a_group_that_nobody_delegated_is_left_alone(void **state)
{
    (void)state;
    char parent[SP_CGROUP_PATH_MAX];
    snakepit_message why;
    make_group("system.slice");
    make_group("system.slice/shop.service");
    make_file("system.slice/cgroup.subtree_control", "cpu memory\n");
    if (geteuid() != 0) {
        skip(); // what a user owns was delegated to him
    }
    assert_int_equal(
        sp_cgroup_find(
            root, "4:memory:/x\n0::/system.slice/shop.service\n", &both, parent, &why),
        SNAKEPIT_UNSUPPORTED);
    assert_non_null(strstr(why.text, "/system.slice/shop.service"));
}

static void a_machine_without_version_two_is_told_as_that(void **state)
{
    (void)state;
    char parent[SP_CGROUP_PATH_MAX];
    snakepit_message why;
    const char *const texts[] = {"", "4:memory:/x\n", "0::\n", "10::/x\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_int_equal(sp_cgroup_find(root, texts[i], &both, parent, &why),
                         SNAKEPIT_UNSUPPORTED);
        assert_non_null(strstr(why.text, "no control groups of version 2"));
    }
}

// How many groups there are below the root.
static int groups_of_ours(void)
{
    int count = 0;
    DIR *folder = opendir(root);
    assert_non_null(folder);
    for (const struct dirent *entry; (entry = readdir(folder)) != NULL;) {
        count += strncmp(entry->d_name, "snakepit-", 9) == 0;
    }
    assert_int_equal(closedir(folder), 0);
    return count;
}

static void a_group_that_cannot_be_limited_is_not_left_behind(void **state)
{
    (void)state;
    struct sp_cgroup group;
    snakepit_message why;
    // A folder of ordinary files lacks memory.max, and open() does not make it.
    assert_int_equal(sp_cgroup_enter(&group, root, getpid(), &both, &why),
                     SNAKEPIT_SYSTEM);
    assert_non_null(strstr(why.text, "memory.max: No such file"));
    assert_string_equal(group.path, "");
    assert_int_equal(groups_of_ours(), 0);
}

// The number of the group that is made next. It lacks cgroup.procs, and is gone again.
static unsigned long long next_number(void)
{
    static const struct sp_cgroup_limits none = {0};
    struct sp_cgroup group;
    snakepit_message why;
    char path[PATH_MAX];
    unsigned long long number = 0;
    assert_int_equal(sp_cgroup_enter(&group, root, getpid(), &none, &why),
                     SNAKEPIT_SYSTEM);
    (void)snprintf(path, sizeof path, "%s/snakepit-%d-", root, (int)getpid());
    assert_memory_equal(why.text, path, strlen(path));
    assert_int_equal(
        sscanf(why.text + strlen(path), "%llu/cgroup.procs: No such file", &number), 1);
    return number;
}

// Nor does it matter which pit of the process a worker or a template belongs to.
static void names_that_are_taken_are_passed_over(void **state)
{
    (void)state;
    unsigned long long first = next_number();
    for (unsigned long long i = 1; i <= 3; i++) {
        char name[64];
        (void)snprintf(name, sizeof name, "snakepit-%d-%llu", (int)getpid(), first + i);
        make_group(name);
    }
    assert_int_equal(next_number(), first + 4);
    assert_int_equal(next_number(), first + 5);
    assert_int_equal(groups_of_ours(), 3);
}

// The mount of version 2, if this process may make groups in it.
static const char *real_mount(void)
{
    static const char *const places[] = {SP_CGROUP_ROOT, SP_CGROUP_ROOT "/unified"};
    for (size_t i = 0; i < 2; i++) {
        char path[PATH_MAX];
        (void)snprintf(path, sizeof path, "%s/cgroup.procs", places[i]);
        if (access(path, W_OK) == 0) {
            (void)snprintf(path, sizeof path, "%s/cgroup.controllers", places[i]);
            return access(path, R_OK) == 0 ? places[i] : NULL;
        }
    }
    return NULL;
}

static void what_is_in_a_group_dies_with_it(void **state)
{
    (void)state;
    static const struct sp_cgroup_limits none = {0};
    struct sp_cgroup group;
    int ready[2];
    const char *mount = real_mount();
    if (mount == NULL) {
        skip();
    }
    assert_int_equal(pipe(ready), 0);
    pid_t child = fork();
    if (child == 0) {
        // A grandchild in a session of its own, where no signal to a group finds it.
        char byte = 0;
        if (read(ready[0], &byte, 1) == 1 && fork() == 0) {
            (void)setsid();
        }
        for (;;) {
            (void)pause();
        }
    }
    snakepit_message why;
    if (sp_cgroup_enter(&group, mount, child, &none, &why) != SNAKEPIT_OK) {
        (void)kill(child, SIGKILL);
        (void)waitpid(child, NULL, 0);
        skip(); // a read-only or foreign tree
    }
    char path[SP_CGROUP_PATH_MAX];
    (void)strcpy(path, group.path);
    assert_int_equal(write(ready[1], "x", 1), 1);
    sp_cgroup_kill(&group);
    assert_int_equal(waitpid(child, NULL, 0), child);
    sp_cgroup_remove(&group);
    assert_int_equal(access(path, F_OK), -1);
    (void)close(ready[0]);
    (void)close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            a_host_at_the_root_of_its_own_groups_may_limit, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            without_the_controller_the_key_is_refused_by_name, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            a_group_that_nobody_delegated_is_left_alone, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            a_machine_without_version_two_is_told_as_that, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            a_group_that_cannot_be_limited_is_not_left_behind, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            names_that_are_taken_are_passed_over, make_root, remove_root),
        cmocka_unit_test(what_is_in_a_group_dies_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
