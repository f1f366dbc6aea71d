// SPDX-License-Identifier: MIT
// Whether code has changed, by files that the test changes.
#include "fleet/inside.h"

#include "scene.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/test_code.XXXXXX";
static char file[64];

static void write_file(void)
{
    FILE *stream = fopen(file, "w");
    assert_non_null(stream);
    assert_int_equal(fclose(stream), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) == NULL ? -1 : 0;
}

static int remove_folder(void **state)
{
    (void)state;
    return rmdir(folder);
}

// The first worker is ready, and says that its code came from that file.
static void begin(void)
{
    (void)snprintf(file, sizeof file, "%s/adapter.py", folder);
    write_file();
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    sp_fleet_start(&scene.fleet);
    scene.fleet.code.since.tv_sec++; // the file was written in the same moment
    struct sp_buf *told = &fakes.lives[0]->worker.sources;
    assert_int_equal(sp_buf_append(told, file, strlen(file) + 1), SNAKEPIT_OK);
    fake_is_ready(0);
    fake_is_ready(1);
    sp_buf_fini(told);
}

static void end(void)
{
    (void)unlink(file);
    scene_end();
}

static void code_changes_with_its_file(void **state)
{
    (void)state;
    begin();
    assert_false(sp_fleet_has_new_code(&scene.fleet));
    scene.fleet.code.since.tv_sec -= 2; // as if it had been written now
    assert_true(sp_fleet_has_new_code(&scene.fleet));
    end();
}

static void a_file_that_is_gone_has_changed(void **state)
{
    (void)state;
    begin();
    assert_int_equal(unlink(file), 0);
    assert_true(sp_fleet_has_new_code(&scene.fleet));
    end();
}

static void workers_of_another_spec_begin_anew(void **state)
{
    (void)state;
    struct sp_fleet_spec *spec;
    begin();
    scene.fleet.code.since.tv_sec -= 60;
    const struct sp_spec_terms terms = scene.fleet.spec->terms;
    assert_int_equal(sp_spec_new(&terms, &spec), SNAKEPIT_OK);
    assert_int_equal(sp_fleet_respec(&scene.fleet, spec, true, SP_RECYCLE_BY_RELOAD),
                     SNAKEPIT_OK);
    assert_false(scene.fleet.code.known);
    assert_false(sp_fleet_has_new_code(&scene.fleet));
    end();
}

static void starts_that_fail_may_be_mended(void **state)
{
    (void)state;
    scene.pool_config.restart_limit = 1;
    scene_begin();
    assert_false(sp_fleet_has_new_code(&scene.fleet));
    fakes.lives[0]->worker.adapter_failed = true;
    fake_dies(0);
    assert_true(sp_fleet_has_new_code(&scene.fleet));
    scene_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(code_changes_with_its_file),
        SCENE_TEST(a_file_that_is_gone_has_changed),
        SCENE_TEST(workers_of_another_spec_begin_anew),
        SCENE_TEST(starts_that_fail_may_be_mended),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
