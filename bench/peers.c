// SPDX-License-Identifier: MIT
// Talks to peers.py by lines: a command each, an answer each. The end of its input ends
// it.
#include "peers.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define LINE 512

static void read_answer(struct peers *peers, char line[LINE])
{
    if (fgets(line, LINE, peers->answers) == NULL) {
        bench_fatal("peers.py ended before its answer");
    }
    line[strcspn(line, "\n")] = 0;
}

static void exec_peers(const char *python,
                       const char *script,
                       const int input[2],
                       const int output[2])
{
    dup2(input[0], STDIN_FILENO);
    dup2(output[1], STDOUT_FILENO);
    execl(python, python, script, (char *)NULL);
    _exit(127);
}

void peers_open(struct peers *peers, const char *python, const char *script)
{
    int input[2];
    int output[2];
    if (pipe2(input, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
        bench_fatal("no pipe to peers.py: %s", strerror(errno));
    }
    peers->pid = fork();
    if (peers->pid < 0) {
        bench_fatal("no process for peers.py: %s", strerror(errno));
    }
    if (peers->pid == 0) {
        exec_peers(python, script, input, output);
    }
    close(input[0]);
    close(output[1]);
    peers->commands = fdopen(input[1], "w");
    peers->answers = fdopen(output[0], "r");
    if (peers->commands == NULL || peers->answers == NULL) {
        bench_fatal("no stream to peers.py: %s", strerror(errno));
    }
    char line[LINE];
    read_answer(peers, line);
    if (sscanf(line, "ready %31s", peers->version) != 1) {
        bench_fatal("peers.py did not start: %s", line);
    }
}

void peers_close(struct peers *peers)
{
    fclose(peers->commands);
    fclose(peers->answers);
    waitpid(peers->pid, NULL, 0);
}

void peers_measure(struct peers *peers,
                   const struct peers_request *request,
                   double *figures,
                   size_t room)
{
    char line[LINE];
    fprintf(peers->commands,
            "%s %s %.3f\n",
            request->side,
            request->what,
            request->seconds);
    fflush(peers->commands);
    read_answer(peers, line);
    if (strncmp(line, "ok ", 3) != 0) {
        bench_fatal("%s of %s: %s", request->what, request->side, line);
    }
    char *at = line + 3;
    for (size_t i = 0; i < room; i++) {
        char *end;
        double figure = strtod(at, &end);
        if (end == at) {
            return;
        }
        figures[i] = figure;
        at = end;
    }
}
