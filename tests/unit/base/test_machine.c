// SPDX-License-Identifier: MIT
// How much of processors and memory there is, and how much memory is in use: of texts,
// of a folder of ordinary files, and of the machine itself.
#include "base/machine.h"

#include "../../support/folder.h"

#define MIB (UINT64_C(1) << 20)

static const char meminfo[] = "MemTotal:        1024000 kB\n"
                              "MemFree:           10000 kB\n"
                              "MemAvailable:     768000 kB\n";

static void the_nearest_limit_counts(void **state)
{
    (void)state;
    static const struct {
        struct sp_cgroup_bounds bounds;
        const char *meminfo;
        struct sp_machine machine;
    } rows[] = {
        {{0, SP_UNBOUNDED, 0, SP_UNBOUNDED}, meminfo, {400, 1000 * MIB, 25}},
        {{150, SP_UNBOUNDED, 0, SP_UNBOUNDED}, meminfo, {150, 1000 * MIB, 25}},
        {{900, SP_UNBOUNDED, 0, SP_UNBOUNDED}, meminfo, {400, 1000 * MIB, 25}},
        {{0, 100 * MIB, 80, 0}, meminfo, {400, 100 * MIB, 80}},
        {{0, 100 * MIB, 10, 0}, meminfo, {400, 100 * MIB, 25}},
        {{0, 9000 * MIB, 1, 0}, meminfo, {400, 1000 * MIB, 25}},
        {{0, SP_UNBOUNDED, 0, 0}, "", {400, 0, 0}},
        {{0, 100 * MIB, 7, 0}, "", {400, 100 * MIB, 7}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        struct sp_machine machine;
        sp_machine_judge(4, rows[i].meminfo, &rows[i].bounds, &machine);
        assert_int_equal(machine.cpu_percent, rows[i].machine.cpu_percent);
        assert_int_equal(machine.memory, rows[i].machine.memory);
        assert_int_equal(machine.memory_usage, rows[i].machine.memory_usage);
    }
}

// ---- Control groups ------------------------------------------------------------

// The shop has more room than its web service; what files have cached is no use.
static void the_group_that_is_nearest_to_its_limit_counts(void **state)
{
    (void)state;
    struct sp_cgroup_bounds bounds;
    make_file("cgroup.controllers", "memory\n");
    make_folder("shop");
    make_file("shop/memory.max", "2000000\n");
    make_file("shop/memory.current", "1000000\n");
    make_file("shop/memory.stat", "anon 5\ninactive_file 400000\nactive_file 9\n");
    make_folder("shop/web");
    make_file("shop/web/memory.max", "1000000\n");
    make_file("shop/web/memory.current", "650000\n");
    make_file("shop/web/memory.stat", "anon 5\ninactive_file 50000\n");
    sp_cgroup_bounds(root, "0::/shop/web\n", &bounds);
    assert_int_equal(bounds.memory, 1000000);
    assert_int_equal(bounds.memory_usage, 60);
    sp_cgroup_bounds(root, "0::/shop\n", &bounds);
    assert_int_equal(bounds.memory, 2000000);
    assert_int_equal(bounds.memory_usage, 30);
    sp_cgroup_bounds(root, "0::/gone\n", &bounds);
    assert_true(bounds.memory == SP_UNBOUNDED && bounds.memory_usage == 0);
}

static void version_one_is_read_as_well(void **state)
{
    (void)state;
    struct sp_cgroup_bounds bounds;
    make_folder("memory");
    make_file("memory/memory.limit_in_bytes", "1000000\n");
    make_file("memory/memory.usage_in_bytes", "900000\n");
    make_file("memory/memory.stat", "inactive_file 7\ntotal_inactive_file 100000\n");
    sp_cgroup_bounds(root, "4:memory:/\n", &bounds);
    assert_int_equal(bounds.memory, 1000000);
    assert_int_equal(bounds.memory_usage, 80);
}

static void what_makes_no_sense_is_not_in_use(void **state)
{
    (void)state;
    struct sp_cgroup_bounds bounds;
    make_file("cgroup.controllers", "memory\n");
    make_file("memory.max", "1000000\n");
    make_file("memory.current", "what\n");
    sp_cgroup_bounds(root, "0::/\n", &bounds);
    assert_int_equal(bounds.memory_usage, 0);
    make_file("memory.current", "100\n");
    make_file("memory.stat", "anon 0\ninactive_file 200\n");
    sp_cgroup_bounds(root, "0::/\n", &bounds);
    assert_int_equal(bounds.memory_usage, 0);
    make_file("memory.max", "0\n");
    sp_cgroup_bounds(root, "0::/\n", &bounds);
    assert_true(bounds.memory == SP_UNBOUNDED);
}

static void this_machine_has_some(void **state)
{
    (void)state;
    struct sp_machine machine;
    sp_machine_look(2, &machine);
    assert_in_range(machine.cpu_percent, 1, 200);
    assert_true(machine.memory > MIB);
    assert_in_range(machine.memory_usage, 0, 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_nearest_limit_counts),
        cmocka_unit_test_setup_teardown(
            the_group_that_is_nearest_to_its_limit_counts, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            version_one_is_read_as_well, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            what_makes_no_sense_is_not_in_use, make_root, remove_root),
        cmocka_unit_test(this_machine_has_some),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
