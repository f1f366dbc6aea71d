// SPDX-License-Identifier: MIT
#include "inspect/memory.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"

#define BASE UINT64_C(0x10000)

// Two blocks from BASE on; counts how often it is read.
struct fake {
    uint8_t bytes[2 * SP_MEMORY_BLOCK];
    uint32_t reads;
    int refusal;
};

static struct fake fake;
static struct sp_memory *memory;

static int read_fake(void *user, uint64_t address, void *room, size_t size)
{
    struct fake *from = user;
    from->reads++;
    if (from->refusal != 0) {
        return from->refusal;
    }
    if (address < BASE || address - BASE > sizeof from->bytes - size) {
        return EFAULT;
    }
    memcpy(room, from->bytes + (address - BASE), size);
    return 0;
}

static int begin(void **state)
{
    (void)state;
    memset(&fake, 0, sizeof fake);
    for (size_t i = 0; i < sizeof fake.bytes; i++) {
        fake.bytes[i] = (uint8_t)(i * 7);
    }
    memory = malloc(sizeof *memory);
    if (memory != NULL) {
        sp_memory_init(memory, read_fake, &fake, UINT64_MAX);
    }
    return memory == NULL;
}

static int end(void **state)
{
    (void)state;
    free(memory);
    return 0;
}

static void a_copy_may_lie_across_two_blocks(void **state)
{
    uint8_t room[100];
    (void)state;
    assert_true(sp_memory_copy(memory, BASE + SP_MEMORY_BLOCK - 50, room, sizeof room));
    assert_memory_equal(room, fake.bytes + SP_MEMORY_BLOCK - 50, sizeof room);
    assert_int_equal(fake.reads, 2);
}

static void a_block_is_read_once_until_it_is_forgotten(void **state)
{
    uint64_t before;
    uint64_t after;
    (void)state;
    assert_true(sp_memory_pointer(memory, BASE, &before));
    fake.bytes[0]++;
    assert_true(sp_memory_pointer(memory, BASE, &after));
    assert_true(before == after);
    assert_int_equal(fake.reads, 1);
    sp_memory_forget(memory);
    assert_true(sp_memory_pointer(memory, BASE, &after));
    assert_true(before + 1 == after);
}

static void what_is_not_there_cannot_be_read(void **state)
{
    uint8_t room[16];
    uint64_t pointer = 5;
    (void)state;
    assert_false(sp_memory_pointer(memory, 8, &pointer));
    assert_true(pointer == 0);
    assert_int_equal(memory->failed, EFAULT);
    assert_false(
        sp_memory_copy(memory, BASE + sizeof fake.bytes - 8, room, sizeof room));
}

static void an_address_at_the_end_of_all_leads_nowhere(void **state)
{
    uint8_t room[64];
    (void)state;
    assert_false(sp_memory_copy(memory, UINT64_MAX, room, sizeof room));
    assert_false(sp_memory_copy(memory, UINT64_MAX - 32, room, sizeof room));
    assert_false(sp_memory_copy(memory, BASE, room, SIZE_MAX));
    assert_int_equal(fake.reads, 0);
}

static void a_block_that_was_refused_is_not_kept(void **state)
{
    uint64_t pointer;
    (void)state;
    fake.refusal = EPERM;
    assert_false(sp_memory_pointer(memory, BASE, &pointer));
    assert_int_equal(memory->failed, EPERM);
    fake.refusal = 0;
    assert_true(sp_memory_pointer(memory, BASE, &pointer));
}

static void nothing_is_read_once_the_time_is_up(void **state)
{
    uint64_t pointer;
    (void)state;
    sp_memory_init(memory, read_fake, &fake, sp_clock_now());
    assert_false(sp_memory_pointer(memory, BASE, &pointer));
    assert_int_equal(memory->failed, ETIME);
    assert_int_equal(fake.reads, 0);
}

static void a_child_is_read_while_it_waits(void **state)
{
    static char text[] = "before";
    int pipes[2];
    char room[sizeof text];
    (void)state;
    assert_int_equal(pipe(pipes), 0);
    strcpy(text, "shared");
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        (void)close(pipes[1]);
        char byte;
        _exit(read(pipes[0], &byte, 1) == 0 ? 0 : 1);
    }
    strcpy(text, "parent");
    int failed = sp_memory_of_process(&child, (uintptr_t)text, room, sizeof room);
    int nowhere = sp_memory_of_process(&child, 8, room, sizeof room);
    int status;
    (void)close(pipes[0]);
    (void)close(pipes[1]);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(nowhere, EFAULT);
    assert_int_equal(failed, 0);
    assert_string_equal(room, "shared");
    assert_int_equal(sp_memory_of_process(&child, (uintptr_t)text, room, sizeof room),
                     ESRCH);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_copy_may_lie_across_two_blocks, begin, end),
        cmocka_unit_test_setup_teardown(
            a_block_is_read_once_until_it_is_forgotten, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_there_cannot_be_read, begin, end),
        cmocka_unit_test_setup_teardown(
            an_address_at_the_end_of_all_leads_nowhere, begin, end),
        cmocka_unit_test_setup_teardown(
            a_block_that_was_refused_is_not_kept, begin, end),
        cmocka_unit_test_setup_teardown(
            nothing_is_read_once_the_time_is_up, begin, end),
        cmocka_unit_test(a_child_is_read_while_it_waits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
