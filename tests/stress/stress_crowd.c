// SPDX-License-Identifier: MIT
// A thousand programs connect to a daemon, call, and leave: some close their pit, some
// just end, some are killed wherever they are. Others go on calling meanwhile: each
// answer is right, and in the end the daemon has what it had before.
//
// SNAKEPIT_CROWD says how many come, SNAKEPIT_CROWD_RATE how many each second;
// SNAKEPIT_STRESS_SEED has the same ones come again.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <snakepit/snakepit.h>

#include "base/clock.h"
#include "support/census.h"
#include "support/chance.h"
#include "support/visits.h"

#define CROWD    1000u
#define FIRST    200u // who come before the first census, for what is kept for reuse
#define RATE     80u  // a second
#define AT_ONCE  24u
#define STEADY   2u
#define PACE_NS  SP_NS_PER_MS // from one call of a steady client to the next
#define QUIET_NS (2 * SP_NS_PER_S)
#define LATE_NS  (60 * SP_NS_PER_S)
#define LIFE_US  30000u              // at most, of one that is killed
#define GROWTH   (UINT64_C(2) << 20) // bytes that the daemon may have more
#define SAMPLES  200000u

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0 // memory that is freed can be used again at once
#endif

enum phase { ALONE, CROWDED, ALONE_AGAIN, OVER };

// What a steady client has measured. In memory that all processes share.
struct steady {
    uint32_t counts[OVER];
    uint32_t us[OVER][SAMPLES];
};

static struct shared {
    _Atomic int phase;
    struct steady steady[STEADY];
} *shared;

static char folder[] = "/tmp/snakepit-crowd-XXXXXX";
static char address[96];
static char log_path[96];
static pid_t served_by;

// ---- Who comes and goes -------------------------------------------------------------

// The kernel kills this process after so long, wherever it is then.
static void be_killed_after(uint64_t us)
{
    struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
    const struct itimerspec after = {.it_value = {.tv_nsec = (long)(us + 1) * 1000}};
    timer_t timer;
    visit_expect(timer_create(CLOCK_MONOTONIC, &event, &timer) == 0 &&
                     timer_settime(timer, 0, &after, NULL) == 0,
                 "no timer",
                 SNAKEPIT_SYSTEM);
}

// Half of them are killed, most of the others close their pit.
static void visit(void)
{
    const uint64_t way = below(8);
    const uint64_t calls = 1 + below(8);
    if (way < 4) {
        be_killed_after(below(LIFE_US));
    }
    snakepit *pit = visit_join(address);
    for (uint64_t i = 0; i < calls || way < 4; i++) {
        visit_anything(pit, 1 + below(UINT64_C(1) << 40), dice());
    }
    if (way != 4) {
        snakepit_close(pit, 0);
    }
}

// ---- Those who stay -----------------------------------------------------------------

static void sleep_ns(uint64_t ns)
{
    const struct timespec pause = {.tv_sec = (time_t)(ns / SP_NS_PER_S),
                                   .tv_nsec = (long)(ns % SP_NS_PER_S)};
    (void)nanosleep(&pause, NULL);
}

static void stay(uint32_t number)
{
    struct steady *steady = &shared->steady[number];
    snakepit *pit = visit_join(address);
    uint64_t nonce = (uint64_t)number << 32;
    int phase;
    while ((phase = atomic_load(&shared->phase)) != OVER) {
        const uint64_t begun = sp_clock_now();
        visit_add(pit, nonce++);
        if (steady->counts[phase] < SAMPLES) {
            steady->us[phase][steady->counts[phase]++] =
                (uint32_t)((sp_clock_now() - begun) / SP_NS_PER_US);
        }
        sleep_ns(PACE_NS);
    }
    snakepit_close(pit, 0);
}

static int compare(const void *left, const void *right)
{
    const uint32_t a = *(const uint32_t *)left;
    const uint32_t b = *(const uint32_t *)right;
    return (a > b) - (a < b);
}

// Of all steady clients, in microseconds.
static uint32_t quantile(enum phase phase, uint32_t of_1000)
{
    static uint32_t all[STEADY * SAMPLES];
    size_t count = 0;
    for (uint32_t i = 0; i < STEADY; i++) {
        const struct steady *steady = &shared->steady[i];
        memcpy(all + count, steady->us[phase], steady->counts[phase] * sizeof all[0]);
        count += steady->counts[phase];
    }
    assert_true(count > 0);
    qsort(all, count, sizeof all[0], compare);
    return all[count * of_1000 / 1000];
}

// ---- Processes ----------------------------------------------------------------------

typedef void child_fn(uint32_t number);

static pid_t start(child_fn *child, uint32_t number)
{
    const uint64_t seed = dice();
    (void)fflush(NULL);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        chance_seed = seed;
        child(number);
        _exit(0);
    }
    return pid;
}

// One that is not counted among those who come and go.
static pid_t start_apart(child_fn *child, uint32_t number)
{
    const pid_t pid = start(child, number);
    (void)setpgid(pid, pid); // as it does itself: whoever is first
    return pid;
}

static void visit_as(uint32_t number)
{
    (void)number;
    visit();
}

static void stay_as(uint32_t number)
{
    (void)setpgid(0, 0);
    stay(number);
}

static void await(pid_t pid)
{
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

// Takes one of the crowd that has ended. False: none has, or, with `wait`, none is
// left.
static bool take_one(uint32_t *killed, bool wait)
{
    siginfo_t info = {0};
    int status = 0;
    const int flags = WEXITED | WNOWAIT | (wait ? 0 : WNOHANG);
    if (waitid(P_PGID, (id_t)getpgrp(), &info, flags) != 0 || info.si_pid == 0) {
        return false;
    }
    assert_int_equal(waitpid(info.si_pid, &status, 0), info.si_pid);
    if (WIFSIGNALED(status)) {
        assert_int_equal(WTERMSIG(status), SIGKILL);
        ++*killed;
    } else {
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    return true;
}

// So many come, at their pace, and have all gone.
static uint32_t crowd(uint32_t count)
{
    const uint64_t pause = SP_NS_PER_S / census_variable("SNAKEPIT_CROWD_RATE", RATE);
    uint64_t next = sp_clock_now();
    uint32_t there = 0;
    uint32_t killed = 0;
    for (uint32_t i = 0; i < count; i++) {
        while (there > 0 && take_one(&killed, there == AT_ONCE)) {
            there--;
        }
        const uint64_t now = sp_clock_now();
        sleep_ns(now < next ? next - now : 0);
        next = (now < next ? next : now) + pause;
        (void)start(visit_as, i);
        there++;
    }
    for (; there > 0; there--) {
        assert_true(take_one(&killed, true));
    }
    return killed;
}

// ---- The daemon ---------------------------------------------------------------------

// What it has. Plain data.
struct held {
    uint32_t descriptors;
    uint32_t memory; // mappings of memfds
    uint32_t mappings;
    uint32_t threads;
    uint64_t own; // bytes of memory: not those of files, which come and go
};

static FILE *open_to_read(const char *path)
{
    FILE *file = fopen(path, "re");
    if (file == NULL) {
        fail_msg("%s cannot be read", path);
        abort();
    }
    return file;
}

static uint32_t count_lines(const char *path, const char *with)
{
    char line[1024];
    uint32_t count = 0;
    FILE *file = open_to_read(path);
    while (fgets(line, sizeof line, file) != NULL) {
        count += strstr(line, with) != NULL ? 1 : 0;
    }
    (void)fclose(file);
    return count;
}

static uint64_t number_after(const char *path, const char *name)
{
    char line[256];
    uint64_t number = 0;
    FILE *file = open_to_read(path);
    while (fgets(line, sizeof line, file) != NULL) {
        if (strncmp(line, name, strlen(name)) == 0) {
            number = strtoull(line + strlen(name), NULL, 10);
        }
    }
    (void)fclose(file);
    return number;
}

static struct held look_at_daemon(void)
{
    char maps[64];
    char status[64];
    (void)snprintf(maps, sizeof maps, "/proc/%d/maps", (int)served_by);
    (void)snprintf(status, sizeof status, "/proc/%d/status", (int)served_by);
    return (struct held){
        .descriptors = census_descriptors_of(served_by),
        .memory = count_lines(maps, "/memfd:"),
        .mappings = count_lines(maps, ""),
        .threads = (uint32_t)number_after(status, "Threads:"),
        .own = (number_after(status, "RssAnon:") + number_after(status, "RssShmem:")) *
               1024};
}

static void print_held(const char *when, const struct held *held)
{
    (void)printf("crowd: %s: %u descriptors, %u mappings (%u of memfds), %u threads, "
                 "%llu KiB\n",
                 when,
                 held->descriptors,
                 held->mappings,
                 held->memory,
                 held->threads,
                 (unsigned long long)(held->own / 1024));
}

static void serve(uint32_t number)
{
    char config[96];
    (void)number;
    (void)setpgid(0, 0);
    (void)snprintf(config, sizeof config, "%s/crowd.yaml", folder);
    const int log = open(log_path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    if (log >= 0 && dup2(log, STDERR_FILENO) >= 0) {
        (void)execl(SP_COMMAND, "snakepit", "serve", config, (char *)NULL);
    }
    _exit(127);
}

static void write_config(void)
{
    char path[96];
    const char *python = getenv("SNAKEPIT_PYTHON_SYSTEM");
    (void)snprintf(path, sizeof path, "%s/crowd.yaml", folder);
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    (void)fprintf(file,
                  "python_version_detection: 'off'\n"
                  "serve: {listen: [{address: \"%s\", door: local}], loops: 2}\n"
                  "pools: [{name: default, pool_size: 2, python: \"%s\"}]\n",
                  address,
                  python != NULL && python[0] != '\0' ? python : SP_PYTHON_SYSTEM);
    assert_int_equal(fclose(file), 0);
}

static void await_daemon(uint32_t number)
{
    const uint64_t late = sp_clock_now() + LATE_NS;
    const snakepit_connect_options options = {.size = sizeof options};
    snakepit_message why = {{0}};
    snakepit *pit = NULL;
    snakepit_err err;
    (void)number;
    while ((err = snakepit_connect(address, &options, &pit, &why)) != SNAKEPIT_OK) {
        visit_expect(sp_clock_now() < late, why.text, err);
        sleep_ns(SP_NS_PER_MS);
    }
    err = snakepit_await_ready(pit, NULL, VISIT_TIMEOUT_MS, &why);
    visit_expect(err == SNAKEPIT_OK, why.text, err);
    snakepit_close(pit, 0);
}

static void is_idle(uint32_t number)
{
    snakepit_pool_stats stats = {.size = sizeof stats};
    const uint64_t late = sp_clock_now() + LATE_NS;
    snakepit *pit = visit_join(address);
    (void)number;
    do {
        snakepit_err err = snakepit_pool_get_stats(pit, NULL, &stats);
        visit_expect(
            err == SNAKEPIT_OK && sp_clock_now() < late, "calls are left", err);
    } while (stats.running + stats.waiting > 0);
    visit_expect(
        stats.worker_deaths == 0 && stats.violations == 0, "a death", SNAKEPIT_OK);
    snakepit_close(pit, 0);
}

static void open_all(void)
{
    assert_non_null(mkdtemp(folder));
    (void)snprintf(address, sizeof address, "unix:%s/door.sock", folder);
    (void)snprintf(log_path, sizeof log_path, "%s/log", folder);
    shared = mmap(NULL,
                  sizeof *shared,
                  PROT_READ | PROT_WRITE,
                  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE,
                  -1,
                  0);
    assert_true(shared != MAP_FAILED);
    write_config();
    served_by = start_apart(serve, 0);
    await(start_apart(await_daemon, 0));
}

static void close_all(void)
{
    char path[96];
    assert_int_equal(kill(served_by, SIGTERM), 0);
    await(served_by);
    assert_int_equal(unlink(log_path), 0);
    (void)snprintf(path, sizeof path, "%s/crowd.yaml", folder);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(rmdir(folder), 0);
    (void)munmap(shared, sizeof *shared);
}

// ---- The test -----------------------------------------------------------------------

// Once it has let go of all that it had for those who have gone. How long that took.
static uint64_t await_held(const struct held *before, struct held *now)
{
    const uint64_t begun = sp_clock_now();
    do {
        *now = look_at_daemon();
    } while ((now->descriptors > before->descriptors || now->memory > before->memory) &&
             sp_clock_now() - begun < LATE_NS);
    return sp_clock_now() - begun;
}

static void be_in(enum phase phase)
{
    atomic_store(&shared->phase, (int)phase);
}

static void print_times(void)
{
    static const char *const names[] = {"alone", "in the crowd", "alone again"};
    for (int phase = ALONE; phase < OVER; phase++) {
        (void)printf("crowd: a call of those who stay, %s: p50 %u us, p99 %u us\n",
                     names[phase],
                     quantile((enum phase)phase, 500),
                     quantile((enum phase)phase, 990));
    }
}

static void those_who_come_and_go_leave_nothing(void **state)
{
    pid_t steady[STEADY];
    struct held after;
    (void)state;
    chance_seed = census_variable("SNAKEPIT_STRESS_SEED", (uint32_t)getpid());
    (void)printf("crowd: seed %llu\n", (unsigned long long)chance_seed);
    open_all();
    const struct held empty = look_at_daemon();
    for (uint32_t i = 0; i < STEADY; i++) {
        steady[i] = start_apart(stay_as, i);
    }
    sleep_ns(QUIET_NS);
    const struct held quiet = look_at_daemon();
    be_in(CROWDED);
    (void)crowd(FIRST);
    struct held before;
    (void)await_held(&quiet, &before);
    const uint32_t count = census_variable("SNAKEPIT_CROWD", CROWD);
    const uint64_t begun = sp_clock_now();
    const uint32_t killed = crowd(count);
    const uint64_t took = sp_clock_now() - begun;
    const uint64_t waited = await_held(&before, &after);
    be_in(ALONE_AGAIN);
    sleep_ns(QUIET_NS);
    be_in(OVER);
    for (uint32_t i = 0; i < STEADY; i++) {
        await(steady[i]);
    }
    (void)printf("crowd: %u came in %.1f s, %u of them were killed; all was freed "
                 "%llu us after the last\n",
                 count,
                 (double)took / SP_NS_PER_S,
                 killed,
                 (unsigned long long)(waited / SP_NS_PER_US));
    print_held("before", &before);
    print_held("after", &after);
    print_times();
    assert_true(killed > count / 4);
    assert_int_equal(after.descriptors, before.descriptors);
    assert_int_equal(after.memory, before.memory);
    assert_int_equal(after.threads, before.threads);
    assert_true(SANITIZED || after.own < before.own + GROWTH);
    await(start_apart(is_idle, 0));
    (void)await_held(&empty, &after);
    print_held("with nobody", &after);
    assert_int_equal(after.descriptors, empty.descriptors);
    assert_int_equal(after.memory, empty.memory);
    close_all();
    assert_int_equal(census_take().children, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(those_who_come_and_go_leave_nothing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
