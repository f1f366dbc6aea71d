// SPDX-License-Identifier: MIT
#include "ipc/segment.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#define SIZE 65536u

static struct sp_segment segment;

static int create(void **state)
{
    (void)state;
    assert_int_equal(sp_segment_create(&segment, "test", SIZE, true, NULL),
                     SNAKEPIT_OK);
    return 0;
}

static int drop(void **state)
{
    (void)state;
    sp_segment_fini(&segment);
    sp_segment_fini(&segment); // closed already, which is fine
    return 0;
}

static void nobody_can_change_its_size_or_its_seals(void **state)
{
    (void)state;
    assert_int_equal(ftruncate(segment.fd, SIZE / 2), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(ftruncate(segment.fd, SIZE * 2), -1);
    assert_int_equal(errno, EPERM);
    assert_int_equal(fcntl(segment.fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
    assert_int_equal(errno, EPERM);
}

static void a_read_only_descriptor_cannot_be_mapped_for_writing(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(sp_segment_read_only_fd(&segment, &fd, NULL), SNAKEPIT_OK);
    assert_ptr_equal(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0),
                     MAP_FAILED);
    assert_int_equal(errno, EACCES);
    uint8_t *read_only = mmap(NULL, SIZE, PROT_READ, MAP_SHARED, fd, 0);
    assert_ptr_not_equal(read_only, MAP_FAILED);
    assert_int_equal(mprotect(read_only, SIZE, PROT_READ | PROT_WRITE), -1);
    assert_int_equal(errno, EACCES);
    assert_int_equal(write(fd, "x", 1), -1);
    segment.base[100] = 42;
    assert_int_equal(read_only[100], 42);
    (void)munmap(read_only, SIZE);
    (void)close(fd);
}

static void what_was_attached_is_the_same_memory(void **state)
{
    (void)state;
    struct sp_segment other;
    assert_int_equal(sp_segment_attach(&other, segment.fd, SIZE, true, NULL),
                     SNAKEPIT_OK);
    other.base[SIZE - 1] = 7;
    assert_int_equal(segment.base[SIZE - 1], 7);
    assert_int_equal(other.fd, -1);
    sp_segment_fini(&other);
}

static void a_mapping_outlives_its_descriptor(void **state)
{
    (void)state;
    sp_segment_close_fd(&segment);
    sp_segment_close_fd(&segment);
    assert_int_equal(segment.fd, -1);
    segment.base[0] = 1;
}

static void only_sealed_memory_that_is_large_enough_is_attached(void **state)
{
    (void)state;
    struct sp_segment other;
    int unsealed = memfd_create("unsealed", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    assert_true(unsealed >= 0);
    assert_int_equal(ftruncate(unsealed, SIZE), 0);
    assert_int_equal(sp_segment_attach(&other, unsealed, SIZE, true, NULL),
                     SNAKEPIT_PROTOCOL);
    assert_int_equal(sp_segment_attach(&other, segment.fd, SIZE + 1, true, NULL),
                     SNAKEPIT_PROTOCOL);
    assert_int_equal(sp_segment_attach(&other, segment.fd, 0, true, NULL),
                     SNAKEPIT_PROTOCOL);
    assert_int_equal(sp_segment_attach(&other, segment.fd, UINT64_MAX, true, NULL),
                     SNAKEPIT_PROTOCOL);
    int ends[2];
    assert_int_equal(pipe(ends), 0);
    assert_int_equal(sp_segment_attach(&other, ends[0], 1, false, NULL),
                     SNAKEPIT_SYSTEM);
    assert_int_equal(sp_segment_attach(&other, -1, 1, false, NULL), SNAKEPIT_SYSTEM);
    assert_null(other.base);
    (void)close(ends[0]);
    (void)close(ends[1]);
    (void)close(unsealed);
}

static void without_descriptors_there_is_no_segment(void **state)
{
    (void)state;
    struct rlimit before;
    struct sp_segment other;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
    const struct rlimit none = {0, before.rlim_max};
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    snakepit_err err = sp_segment_create(&other, "test", SIZE, true, NULL);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
    assert_int_equal(err, SNAKEPIT_SYSTEM);
    assert_int_equal(other.fd, -1);
    assert_null(other.base);
}

static void descriptors_are_closed_on_exec(void **state)
{
    (void)state;
    int fd = -1;
    assert_int_equal(sp_segment_read_only_fd(&segment, &fd, NULL), SNAKEPIT_OK);
    assert_int_equal(fcntl(segment.fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    assert_int_equal(fcntl(fd, F_GETFD) & FD_CLOEXEC, FD_CLOEXEC);
    (void)close(fd);
}

#define test(name) cmocka_unit_test_setup_teardown(name, create, drop)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(nobody_can_change_its_size_or_its_seals),
        test(a_read_only_descriptor_cannot_be_mapped_for_writing),
        test(what_was_attached_is_the_same_memory),
        test(a_mapping_outlives_its_descriptor),
        test(only_sealed_memory_that_is_large_enough_is_attached),
        test(without_descriptors_there_is_no_segment),
        test(descriptors_are_closed_on_exec),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
