// SPDX-License-Identifier: MIT
#include "base/system.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>

static snakepit_message why;

static const char *told(int number, const char *call, const char *key)
{
    errno = number;
    assert_int_equal(sp_system_failed(&why, call, key, "of \"%s\"", "this"),
                     SNAKEPIT_SYSTEM);
    assert_int_equal(errno, number);
    return why.text;
}

static void assert_has(const char *text, const char *part)
{
    if (strstr(text, part) == NULL) {
        fail_msg("\"%s\" lacks \"%s\"", text, part);
    }
}

static void it_names_call_object_and_error(void **state)
{
    (void)state;
    assert_string_equal(told(EIO, "read", NULL),
                        "read of \"this\": Input/output error (EIO)");
    assert_has(told(99999, "read", NULL), "an unknown error (?)");
}

// Runs `tell` with a limit of that value.
static void with_limit(__rlimit_resource_t resource, rlim_t value, void (*tell)(void))
{
    struct rlimit before;
    assert_int_equal(getrlimit(resource, &before), 0);
    const struct rlimit now = {value, before.rlim_max};
    assert_int_equal(setrlimit(resource, &now), 0);
    tell();
    assert_int_equal(setrlimit(resource, &before), 0);
}

static void tell_of_files(void)
{
    assert_has(told(EMFILE, "eventfd", NULL), "ulimit -n");
    assert_has(why.text, "which is 321");
}

static void tell_of_size(void)
{
    assert_has(told(EFBIG, "ftruncate", "shared_memory_size"), "ulimit -f");
    assert_has(why.text, "which is 1000000000 bytes, or lower shared_memory_size");
}

static void tell_of_addresses(void)
{
    assert_has(told(ENOMEM, "mmap", "shared_memory_size"), "ulimit -v");
    assert_has(why.text, "which is 99000000000 bytes, or lower shared_memory_size");
}

static void the_limit_that_was_met_is_named_with_its_value(void **state)
{
    (void)state;
    with_limit(RLIMIT_NOFILE, 321, tell_of_files);
    with_limit(RLIMIT_FSIZE, 1000000000, tell_of_size);
    with_limit(RLIMIT_AS, 99000000000, tell_of_addresses);
}

static void each_lack_has_its_remedy(void **state)
{
    (void)state;
    assert_has(told(EAGAIN, "posix_spawn", NULL), "ulimit -u");
    assert_has(told(ENOSPC, "epoll_ctl", NULL), "fs.epoll.max_user_watches");
    assert_has(told(ENFILE, "pipe2", NULL), "fs.file-max");
    assert_has(told(EPERM, "pidfd_open", NULL), "seccomp");
    assert_has(told(ENOSYS, "memfd_create", NULL), "seccomp");
    errno = ENOENT;
    (void)sp_system_failed(&why, "open", NULL, "of /proc/self/fd/%d", 5);
    assert_has(why.text, "mount /proc");
}

static void nobody_has_to_be_told(void **state)
{
    (void)state;
    errno = EMFILE;
    assert_int_equal(sp_system_failed(NULL, "open", NULL, "of it"), SNAKEPIT_SYSTEM);
    assert_int_equal(errno, EMFILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_names_call_object_and_error),
        cmocka_unit_test(the_limit_that_was_met_is_named_with_its_value),
        cmocka_unit_test(each_lack_has_its_remedy),
        cmocka_unit_test(nobody_has_to_be_told),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
