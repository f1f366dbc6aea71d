// SPDX-License-Identifier: MIT
// Programs of a test: shell scripts in a folder of their own.
#ifndef UNIT_INTERPRETER_SUPPORT_H
#define UNIT_INTERPRETER_SUPPORT_H

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAMS_MAX 8

// Owner: the test.
struct programs {
    char folder[64];
    char paths[PROGRAMS_MAX][128];
    size_t count;
};

static inline int make_folder(void **state)
{
    struct programs *programs = calloc(1, sizeof(*programs));
    assert_non_null(programs);
    strcpy(programs->folder, "/tmp/snakepit-programs-XXXXXX");
    assert_non_null(mkdtemp(programs->folder));
    *state = programs;
    return 0;
}

static inline int remove_folder(void **state)
{
    struct programs *programs = *state;
    for (size_t i = 0; i < programs->count; i++) {
        unlink(programs->paths[i]);
    }
    int err = rmdir(programs->folder);
    free(programs);
    return err;
}

// Writes an executable `name` with the text `script`, and returns its path.
static inline const char *
make_program(void **state, const char *name, const char *script)
{
    struct programs *programs = *state;
    assert_true(programs->count < PROGRAMS_MAX);
    char *path = programs->paths[programs->count++];
    char folder[sizeof(programs->folder)];
    memcpy(folder, programs->folder, sizeof(folder));
    snprintf(path, sizeof(programs->paths[0]), "%s/%s", folder, name);
    FILE *file = fopen(path, "w");
    assert_non_null(file);
    assert_true(fputs(script, file) >= 0);
    assert_int_equal(fclose(file), 0);
    assert_int_equal(chmod(path, 0700), 0);
    return path;
}

// A program that answers like a Python of this version; `rest` are more pairs of the
// reply.
static inline const char *
make_python(void **state, const char *name, const char *version, const char *rest)
{
    static const char *const facts[][2] = {{"\"implementation\"", "\"cpython\""},
                                           {"\"executable\"", "\"$0\""},
                                           {"\"prefix\"", "\"/usr\""},
                                           {"\"numpy\"", "null"},
                                           {"\"free_threaded\"", "false"},
                                           {"\"gil_enabled\"", "true"},
                                           {"\"has_bridge\"", "false"}};
    char more[512] = "";
    char script[1024];
    for (size_t i = 0; i < sizeof(facts) / sizeof(facts[0]); i++) {
        if (strstr(rest, facts[i][0]) == NULL) {
            size_t used = strlen(more);
            snprintf(more + used,
                     sizeof(more) - used,
                     ",\n%s: %s",
                     facts[i][0],
                     facts[i][1]);
        }
    }
    snprintf(script,
             sizeof(script),
             "#!/bin/sh\n"
             "echo chatter; echo more >&2\n"
             "/bin/cat >&3 <<END\n"
             "{\"version\": \"%s\", "
             "\"soabi\": \"x\", \"major\": %d, \"minor\": %d%s%s}\n"
             "END\n",
             version,
             atoi(version),
             atoi(strchr(version, '.') + 1),
             rest,
             more);
    return make_program(state, name, script);
}

#endif
