// SPDX-License-Identifier: MIT
#include "served.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define LOOK_NS  SP_NS_PER_MS
#define START_NS (60 * SP_NS_PER_S)

static void write_file(const char *path, const struct product_options *options)
{
    char yaml[PRODUCT_YAML];
    const size_t size = product_write_pools(yaml, options);
    FILE *file = fopen(path, "we");
    if (file == NULL || fwrite(yaml, 1, size, file) != size) {
        bench_fatal("%s cannot be written: %s", path, strerror(errno));
    }
    (void)fprintf(file,
                  "serve:\n"
                  "  listen: [{address: \"unix:local.sock\", door: local}]\n");
    if (fclose(file) != 0) {
        bench_fatal("%s cannot be written: %s", path, strerror(errno));
    }
}

static _Noreturn void serve(const char *path)
{
    const int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    (void)prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (null >= 0 && dup2(null, STDOUT_FILENO) >= 0 && dup2(null, STDERR_FILENO) >= 0) {
        (void)execl(BENCH_COMMAND, "snakepit", "serve", path, (char *)NULL);
    }
    _exit(127);
}

// Its socket is there once it serves.
static void await_socket(const struct served *served)
{
    struct stat found;
    const char *path = served->address + strlen("unix:");
    const uint64_t late = sp_clock_now() + START_NS;
    while (stat(path, &found) != 0) {
        if (sp_clock_now() > late || waitpid(served->pid, NULL, WNOHANG) != 0) {
            bench_fatal("the daemon does not serve: " BENCH_COMMAND);
        }
        bench_sleep(LOOK_NS);
    }
}

static void path_in(char path[64], const struct served *served, const char *name)
{
    (void)snprintf(path, 64, "%s/%s", served->folder, name);
}

void served_open(struct served *served, const struct product_options *options)
{
    char path[64];
    (void)snprintf(served->folder, sizeof served->folder, "/tmp/snakepit-bench-XXXXXX");
    if (mkdtemp(served->folder) == NULL) {
        bench_fatal("no folder for a daemon: %s", strerror(errno));
    }
    path_in(path, served, "daemon.yaml");
    (void)snprintf(
        served->address, sizeof served->address, "unix:%s/local.sock", served->folder);
    write_file(path, options);
    (void)fflush(NULL);
    served->pid = fork();
    if (served->pid == 0) {
        serve(path);
    }
    if (served->pid < 0) {
        bench_fatal("no process for a daemon: %s", strerror(errno));
    }
    await_socket(served);
}

void served_close(struct served *served)
{
    char path[64];
    (void)kill(served->pid, SIGTERM);
    (void)waitpid(served->pid, NULL, 0);
    path_in(path, served, "daemon.yaml");
    (void)unlink(path);
    path_in(path, served, "local.sock");
    (void)unlink(path);
    (void)rmdir(served->folder);
}
