// SPDX-License-Identifier: MIT
#include "base/file.h"

// cmocka.h needs these first.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char path[64];

static int make_file(void **state)
{
    (void)state;
    (void)snprintf(path, sizeof path, "/tmp/snakepit-unit-file-XXXXXX");
    int fd = mkstemp(path);
    FILE *file = fd < 0 ? NULL : fdopen(fd, "w");
    if (file == NULL) {
        return -1;
    }
    (void)fprintf(file, "Name:\tx\nGroups:\t");
    for (int group = 0; group < 65536; group++) {
        (void)fprintf(file, "%d ", 4000000 + group);
    }
    (void)fprintf(file, "\n\nVmRSS:\t 12 kB\nlast");
    return fclose(file);
}

static int remove_file(void **state)
{
    (void)state;
    return unlink(path);
}

static void what_fits_is_read(void **state)
{
    (void)state;
    char room[12];
    assert_int_equal(sp_file_read(path, room, sizeof room), 11);
    assert_string_equal(room, "Name:\tx\nGro");
    assert_int_equal(sp_file_read("/no/such/file", room, sizeof room), 0);
    assert_string_equal(room, "");
}

static void a_long_line_leaves_room_for_those_behind_it(void **state)
{
    (void)state;
    static const char text[] = "Name:\tx\nGroups:\t4000\n\nVmRSS:\t 12 k\nlast";
    char room[64];
    assert_int_equal(sp_file_read_cut(path, 12, room, sizeof room), sizeof text - 1);
    assert_string_equal(room, text);
    assert_int_equal(sp_file_read_cut(path, 12, room, 10), 9);
    assert_string_equal(room, "Name:\tx\nG");
    assert_int_equal(sp_file_read_cut("/no/such/file", 12, room, sizeof room), 0);
    assert_string_equal(room, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fits_is_read),
        cmocka_unit_test(a_long_line_leaves_room_for_those_behind_it),
    };
    return cmocka_run_group_tests(tests, make_file, remove_file);
}
