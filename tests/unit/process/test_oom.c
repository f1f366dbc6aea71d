// SPDX-License-Identifier: MIT
// Groups that are only files, and one that is real, where the machine lets us make it.
#include "process/oom.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define PATH 640

static char mount[64];

static void write_file(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

static void make_folder(const char *below)
{
    char path[PATH];
    (void)snprintf(path, sizeof path, "%s%s", mount, below);
    assert_int_equal(mkdir(path, 0700), 0);
}

static void make_file(const char *below, const char *text)
{
    char path[PATH];
    (void)snprintf(path, sizeof path, "%s%s", mount, below);
    write_file(path, text);
}

static int make_mount(void **state)
{
    (void)state;
    strcpy(mount, "/tmp/snakepit-oom-XXXXXX");
    return mkdtemp(mount) == NULL;
}

static int remove_mount(void **state)
{
    (void)state;
    char command[PATH];
    (void)snprintf(command, sizeof command, "rm -r %s", mount);
    return system(command);
}

static void assert_found(const char *groups, const char *below)
{
    char file[SP_OOM_FILE_MAX];
    char expected[PATH] = "";
    if (below != NULL) {
        (void)snprintf(expected, sizeof expected, "%s%s", mount, below);
    }
    sp_oom_find_file(groups, mount, file);
    assert_string_equal(file, expected);
}

static void the_file_of_a_group_is_found_in_each_hierarchy(void **state)
{
    (void)state;
    static const char both[] = "9:name=systemd:/x\n4:cpu,memory:/job\n0::/\n";
    assert_found(both, NULL);
    make_folder("/memory");
    make_folder("/memory/job");
    make_file("/memory/job/memory.oom_control", "oom_kill 3\n");
    assert_found(both, "/memory/job/memory.oom_control");
    assert_found("5:memory:/job", "/memory/job/memory.oom_control");
    assert_found("5:nomemory:/job\n", NULL);
    assert_found("5:memory:/elsewhere\n", NULL);
    make_folder("/job");
    make_file("/job/memory.events", "oom 0\noom_kill 3\n");
    assert_found("0::/job\n", "/job/memory.events");
    make_file("/job/memory.events.local", "oom 0\noom_kill 3\n");
    assert_found("0::/job\n", "/job/memory.events.local");
    make_file("/memory.events", "oom_kill 0\n");
    assert_found("0::/\n", "/memory.events");
}

static void what_is_no_list_of_groups_names_no_file(void **state)
{
    (void)state;
    static char longest[2 * SP_OOM_FILE_MAX] = "0::/";
    memset(longest + 4, 'x', sizeof longest - 5);
    const char *const texts[] = {"", "\n\n", "0::", "memory", "/", ":", longest};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        assert_found(texts[i], NULL);
    }
}

static void each_kill_in_the_group_explains_one_death(void **state)
{
    (void)state;
    struct sp_oom_seen seen = {.group = 1000};
    (void)snprintf(seen.file, sizeof seen.file, "%s/memory.events", mount);
    write_file(seen.file, "oom 7\noom_kill 1000\noom_group_kill 9\n");
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_NO);
    write_file(seen.file, "oom_kill 1002\n");
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_YES);
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_YES);
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_NO);
}

static void each_kill_in_a_group_of_its_own_explains_a_death(void **state)
{
    (void)state;
    struct sp_oom_seen seen = {.machine = 5};
    char file[PATH];
    (void)snprintf(file, sizeof file, "%s/memory.events", mount);
    // A group whose controller counts nothing, and none at all.
    sp_oom_look_into(&seen, mount);
    sp_oom_look_into(&seen, "");
    assert_false(seen.alone);
    assert_int_equal(seen.machine, 5);
    write_file(file, "oom_kill 2\n");
    sp_oom_look_into(&seen, mount);
    assert_string_equal(seen.file, file);
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_NO);
    // All that was in it dies together, and is counted.
    write_file(file, "oom_kill 5\n");
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_YES);
    write_file(file, "oom_kill 2\n");
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_NO);
}

static uint64_t kills_on_this_machine(void)
{
    char line[256];
    unsigned long long count = 0;
    FILE *file = fopen("/proc/vmstat", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        (void)sscanf(line, "oom_kill %llu", &count);
    }
    if (file != NULL) {
        (void)fclose(file);
    }
    return count;
}

static void without_a_group_a_kill_on_the_machine_is_only_possible(void **state)
{
    (void)state;
    struct sp_oom_seen seen = {.machine = kills_on_this_machine()};
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_NO);
    if (seen.machine == 0) {
        return; // nothing was ever killed here, or it is not told
    }
    seen.machine--;
    assert_int_equal(sp_oom_judge(&seen), SP_OOM_POSSIBLE);
}

static void the_machine_is_asked_where_no_group_counts(void **state)
{
    (void)state;
    struct sp_oom_seen seen;
    sp_oom_look(&seen);
    assert_int_equal(seen.machine, seen.file[0] == 0 ? kills_on_this_machine() : 0);
}

// ---- A real group -------------------------------------------------------------

#define LIMIT_MIB 32

static _Noreturn void eat(void)
{
    for (size_t i = 0; i < 16 * (size_t)LIMIT_MIB; i++) {
        void *block = mmap(NULL,
                           1 << 20,
                           PROT_READ | PROT_WRITE,
                           MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
                           -1,
                           0);
        if (block == MAP_FAILED) {
            break;
        }
    }
    _exit(1);
}

static _Noreturn void wait_for_signal(void)
{
    for (;;) {
        (void)pause();
    }
}

// What is said of a child that is killed by the kernel, or by us.
static enum sp_oom verdict(bool by_kernel)
{
    struct sp_oom_seen seen;
    sp_oom_look(&seen);
    pid_t pid = fork();
    if (pid == 0) {
        by_kernel ? eat() : wait_for_signal();
    }
    if (!by_kernel) {
        (void)kill(pid, SIGKILL);
    }
    int status = 0;
    (void)waitpid(pid, &status, 0);
    return WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL ? sp_oom_judge(&seen)
                                                              : SP_OOM_POSSIBLE;
}

// Writes into a file of the group; false: we may not.
static bool tell(const char *group, const char *name, const char *text)
{
    char path[PATH];
    (void)snprintf(path, sizeof path, "%s/%s", group, name);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    bool told = fd >= 0 && write(fd, text, strlen(text)) > 0;
    if (fd >= 0) {
        (void)close(fd);
    }
    return told;
}

// A group of little memory below our own; false: there can be none.
static bool make_group(char group[PATH])
{
    char bytes[32];
    struct sp_oom_seen seen;
    sp_oom_look(&seen);
    char *slash = strrchr(seen.file, '/');
    if (slash == NULL) {
        return false;
    }
    *slash = 0;
    (void)snprintf(group, PATH, "%s/snakepit-test-%d", seen.file, (int)getpid());
    (void)snprintf(bytes, sizeof bytes, "%d", LIMIT_MIB << 20);
    return mkdir(group, 0700) == 0 && (tell(group, "memory.limit_in_bytes", bytes) ||
                                       tell(group, "memory.max", bytes));
}

// Exit status: the verdicts of a kernel's kill and of ours, in that order.
static _Noreturn void live_in(const char *group)
{
    char pid[32];
    (void)snprintf(pid, sizeof pid, "%d", (int)getpid());
    if (!tell(group, "cgroup.procs", pid)) {
        _exit(99);
    }
    enum sp_oom kernel = verdict(true);
    _exit(10 * (int)kernel + (int)verdict(false));
}

static void a_real_kill_for_memory_is_told_from_one_of_ours(void **state)
{
    (void)state;
    char group[PATH];
    bool made = make_group(group);
    pid_t pid = made ? fork() : -1;
    if (pid == 0) {
        live_in(group);
    }
    int status = 0;
    if (pid > 0) {
        assert_int_equal(waitpid(pid, &status, 0), pid);
    }
    (void)rmdir(group);
    if (!made || WEXITSTATUS(status) == 99) {
        skip(); // needs the right to make a memory group
    }
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 10 * SP_OOM_YES + SP_OOM_NO);
}

#define test(name) cmocka_unit_test_setup_teardown(name, make_mount, remove_mount)

int main(void)
{
    const struct CMUnitTest tests[] = {
        test(the_file_of_a_group_is_found_in_each_hierarchy),
        test(what_is_no_list_of_groups_names_no_file),
        test(each_kill_in_the_group_explains_one_death),
        test(each_kill_in_a_group_of_its_own_explains_a_death),
        cmocka_unit_test(without_a_group_a_kill_on_the_machine_is_only_possible),
        cmocka_unit_test(the_machine_is_asked_where_no_group_counts),
        cmocka_unit_test(a_real_kill_for_memory_is_told_from_one_of_ours),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
