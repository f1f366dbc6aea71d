// SPDX-License-Identifier: MIT
// Folders of ordinary files stand for the kernel's; the last test has the kernel's own.
#include "cli/doctor.h"

#include <sys/resource.h>
#include <unistd.h>

#include "../../support/folder.h"

static void each_group_above_counts(void **state)
{
    (void)state;
    struct sp_doctor_group group;
    make_file("cgroup.controllers", "cpu memory pids\n");
    make_folder("shop.slice");
    make_file("shop.slice/cpu.max", "150000 100000\n");
    make_file("shop.slice/memory.max", "1048576\n");
    make_file("shop.slice/pids.max", "max\n");
    make_folder("shop.slice/web.service");
    make_file("shop.slice/web.service/cpu.max", "max 100000\n");
    make_file("shop.slice/web.service/memory.max", "2097152\n");
    make_file("shop.slice/web.service/pids.max", "100\n");
    make_file("shop.slice/web.service/pids.current", "30\n");
    sp_doctor_look_at_groups(root, "0::/shop.slice/web.service\n", &group);
    assert_true(group.is_v2);
    assert_int_equal(group.cpu_percent, 150);
    assert_int_equal(group.memory, 1048576);
    assert_int_equal(group.tasks, 70);
}

static void a_container_sees_its_own_group_as_the_root(void **state)
{
    (void)state;
    struct sp_doctor_group group;
    make_file("cgroup.controllers", "cpu memory\n");
    make_file("cgroup.subtree_control", "memory\n");
    make_file("cpu.max", "5000 20000\n");
    sp_doctor_look_at_groups(root, "0::/\n", &group);
    assert_int_equal(group.cpu_percent, 25);
    assert_int_equal(group.memory, SP_DOCTOR_UNLIMITED);
    assert_true(group.may_limit_memory);
    assert_true(group.may_limit_cpu); // it can be switched on in a root
}

static void version_one_is_read_as_well(void **state)
{
    (void)state;
    struct sp_doctor_group group;
    make_folder("cpu,cpuacct");
    make_folder("cpu,cpuacct/shop");
    make_file("cpu,cpuacct/cpu.cfs_quota_us", "-1\n");
    make_file("cpu,cpuacct/shop/cpu.cfs_quota_us", "250000\n");
    make_file("cpu,cpuacct/shop/cpu.cfs_period_us", "100000\n");
    make_folder("memory");
    make_file("memory/memory.limit_in_bytes", "9223372036854771712\n");
    sp_doctor_look_at_groups(
        root, "4:memory:/gone\n2:cpu,cpuacct:/shop\n1:name=systemd:/\n", &group);
    assert_false(group.is_v2);
    assert_int_equal(group.cpu_percent, 250);
    assert_int_equal(group.memory, SP_DOCTOR_UNLIMITED);
    assert_int_equal(group.tasks, SP_DOCTOR_UNLIMITED);
}

static void what_makes_no_sense_limits_nothing(void **state)
{
    (void)state;
    struct sp_doctor_group group;
    static const char *const texts[] = {
        "", "\n", "0::\n", "0:\n", "7\n", "3:cpu\n", "3::/x\n", ":::::\n", "0::/x"};
    make_file("cpu.max", "what\n");
    make_file("memory.max", "-5\n");
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        sp_doctor_look_at_groups(root, texts[i], &group);
        assert_int_equal(group.cpu_percent, 0);
        assert_int_equal(group.memory, SP_DOCTOR_UNLIMITED);
    }
}

static void a_group_that_has_processes_cannot_be_divided(void **state)
{
    (void)state;
    struct sp_doctor_group group;
    if (geteuid() == 0) {
        skip(); // what a user owns was delegated to him, but not what root owns
    }
    make_file("cgroup.controllers", "");
    make_folder("mine");
    make_file("mine/cgroup.controllers", "cpu memory\n");
    make_file("mine/cgroup.subtree_control", "cpu\n");
    sp_doctor_look_at_groups(root, "0::/mine\n", &group);
    assert_true(group.may_limit_cpu);
    assert_false(group.may_limit_memory);
}

static void nodes_count_where_they_have_a_core_of_ours(void **state)
{
    (void)state;
    assert_int_equal(sp_doctor_count_nodes(root), 1);
    make_folder("node0");
    make_folder("node1");
    make_folder("node2");
    make_folder("nodes");
    make_file("node0/cpulist", "0-511\n");
    make_file("node1/cpulist", "1000,0-1023\n");
    make_file("node2/cpulist", "\n");
    assert_int_equal(sp_doctor_count_nodes(root), 2);
    assert_int_equal(sp_doctor_count_nodes("/no/such/folder"), 1);
}

static void devices_are_counted_and_not_what_controls_them(void **state)
{
    (void)state;
    make_file("nvidia0", "");
    make_file("nvidia12", "");
    make_file("nvidia", "");
    make_file("nvidiactl", "");
    make_file("nvidia-uvm", "");
    make_file("null", "");
    assert_int_equal(sp_doctor_count_devices(root, "/no/such/folder"), 2);
    assert_int_equal(sp_doctor_count_devices("/no/such/folder", "/none"), 0);
    assert_false(sp_doctor_has_uncounted_devices(root));
    assert_false(sp_doctor_has_uncounted_devices("/no/such/folder"));
}

// The files are made when the first program wants a device.
static void devices_count_before_they_have_files(void **state)
{
    (void)state;
    char found[64];
    make_file("nvidia0", "");
    make_folder("gpus");
    (void)snprintf(found, sizeof found, "%s/gpus", root);
    assert_int_equal(sp_doctor_count_devices(root, found), 1);
    make_folder("gpus/0000:01:00.0");
    make_folder("gpus/0000:02:00.0");
    assert_int_equal(sp_doctor_count_devices(root, found), 2);
}

static void machines_whose_devices_have_no_number_are_known(void **state)
{
    static const char *const names[] = {"dxg", "nvhost-ctrl-gpu", "nvgpu"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        char path[64];
        make_file(names[i], "");
        assert_true(sp_doctor_has_uncounted_devices(root));
        assert_int_equal(sp_doctor_count_devices(root, "/no/such/folder"), 0);
        (void)snprintf(path, sizeof path, "%s/%s", root, names[i]);
        assert_int_equal(unlink(path), 0);
    }
    (void)state;
}

static void this_machine_is_seen_as_it_is(void **state)
{
    (void)state;
    struct sp_doctor_machine machine;
    struct rlimit files;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &files), 0);
    sp_doctor_look(&machine, true);
    assert_true(machine.cores >= 1 && machine.nodes >= 1);
    assert_true(machine.kernel[0] >= '1' && machine.kernel[0] <= '9');
    assert_int_equal(machine.limits[SP_DOCTOR_FILES].soft, files.rlim_cur);
    assert_true(machine.features[SP_KERNEL_MEMFD]);
    assert_true(machine.features[SP_KERNEL_PIDFD]);
    assert_true(machine.has_proc);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(
            each_group_above_counts, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            a_container_sees_its_own_group_as_the_root, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            version_one_is_read_as_well, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            what_makes_no_sense_limits_nothing, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            a_group_that_has_processes_cannot_be_divided, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            nodes_count_where_they_have_a_core_of_ours, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            devices_are_counted_and_not_what_controls_them, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            devices_count_before_they_have_files, make_root, remove_root),
        cmocka_unit_test_setup_teardown(
            machines_whose_devices_have_no_number_are_known, make_root, remove_root),
        cmocka_unit_test(this_machine_is_seen_as_it_is),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
