// SPDX-License-Identifier: MIT
// A tree of ordinary files stands for the kernel's.
#include "base/cgroup_tree.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include <cmocka.h>

#define SERVICE "system.slice/shop.service"

static char root[64];

static void put(const char *below, const char *text)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", root, below);
    int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, strlen(text)), strlen(text));
    assert_int_equal(close(fd), 0);
}

static void make_group(const char *below)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", root, below);
    assert_int_equal(mkdir(path, 0700), 0);
}

// What this process would have moved itself with.
static const char *in_host(void)
{
    static char text[SP_CGROUP_TEXT_MAX];
    char path[128];
    (void)snprintf(path, sizeof path, "%s/" SERVICE "/host", root);
    sp_cgroup_read(path, "cgroup.procs", text);
    return text;
}

static const char *self(void)
{
    static char text[32];
    (void)snprintf(text, sizeof text, "%d\n", (int)getpid());
    return text;
}

// A service that this process is in, alone, and the group below it.
static int make_service(void **state)
{
    (void)state;
    strcpy(root, "/tmp/snakepit-groups-XXXXXX");
    assert_non_null(mkdtemp(root));
    put("cgroup.controllers", "cpu memory\n");
    make_group("system.slice");
    make_group(SERVICE);
    put(SERVICE "/cgroup.procs", self());
    make_group(SERVICE "/host");
    put(SERVICE "/host/cgroup.procs", "");
    return 0;
}

static int remove_service(void **state)
{
    (void)state;
    char command[96];
    (void)snprintf(command, sizeof command, "rm -r %s", root);
    return system(command);
}

// As systemd does. What a user owns, other than root, was delegated to him. False:
// files take no such attribute here.
static bool delegate(const char *below)
{
    char path[128];
    (void)snprintf(path, sizeof path, "%s/%s", root, below);
    return geteuid() != 0 || setxattr(path, "user.delegate", "1", 1, 0) == 0;
}

static void a_process_alone_in_its_delegated_group_steps_aside(void **state)
{
    (void)state;
    if (geteuid() != 0 || !delegate(SERVICE)) {
        skip(); // else the parent is delegated as well
    }
    sp_cgroup_step_aside(root, "0::/" SERVICE "\n");
    assert_string_equal(in_host(), self());
}

static void a_group_that_nobody_delegated_is_left_alone(void **state)
{
    (void)state;
    if (geteuid() != 0) {
        skip();
    }
    sp_cgroup_step_aside(root, "0::/" SERVICE "\n");
    assert_string_equal(in_host(), "");
}

static void a_process_that_has_company_stays_with_it(void **state)
{
    (void)state;
    char text[64];
    (void)snprintf(text, sizeof text, "1\n%s", self());
    put(SERVICE "/cgroup.procs", text);
    (void)delegate(SERVICE);
    sp_cgroup_step_aside(root, "0::/" SERVICE "\n");
    assert_string_equal(in_host(), "");
}

static void a_process_below_a_delegated_group_is_where_it_should_be(void **state)
{
    (void)state;
    (void)delegate(SERVICE);
    put(SERVICE "/host/cgroup.procs", self());
    make_group(SERVICE "/host/host");
    sp_cgroup_step_aside(root, "0::/" SERVICE "/host\n");
    char path[SP_CGROUP_PATH_MAX];
    char text[SP_CGROUP_TEXT_MAX];
    (void)snprintf(path, sizeof path, "%s/" SERVICE "/host/host", root);
    sp_cgroup_read(path, "cgroup.procs", text);
    assert_string_equal(text, "");
}

static void a_process_at_the_root_or_in_no_group_stays(void **state)
{
    (void)state;
    put("cgroup.procs", self());
    make_group("host");
    put("host/cgroup.procs", "");
    const char *const texts[] = {"0::/\n", "4:memory:/x\n", "", "0::/gone\n"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sp_cgroup_step_aside(root, texts[i]);
    }
    char path[SP_CGROUP_PATH_MAX];
    char text[SP_CGROUP_TEXT_MAX];
    (void)snprintf(path, sizeof path, "%s/host", root);
    sp_cgroup_read(path, "cgroup.procs", text);
    assert_string_equal(text, "");
}

#define TREE_TEST(name) \
    cmocka_unit_test_setup_teardown(name, make_service, remove_service)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TREE_TEST(a_process_alone_in_its_delegated_group_steps_aside),
        TREE_TEST(a_group_that_nobody_delegated_is_left_alone),
        TREE_TEST(a_process_that_has_company_stays_with_it),
        TREE_TEST(a_process_below_a_delegated_group_is_where_it_should_be),
        TREE_TEST(a_process_at_the_root_or_in_no_group_stays),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
