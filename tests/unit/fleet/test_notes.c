// SPDX-License-Identifier: MIT
// What is said, word by word.
#include "fleet/inside.h"

#include "scene.h"

#include <string.h>

#define DO(name) SP_FLEET_DO_##name

static void each_line_of_the_log(void **state)
{
    (void)state;
    static const struct {
        struct sp_fleet_action action;
        const char *line;
    } rows[] = {
        // The first line of a text, in quotes.
        {{.kind = DO(NOTE_FAILURE), .number = 2, .reason = "it \"broke\"\nin a.py"},
         "worker.start_failed pool=one failures=2 limit=3 because=\"it "
         "\\\"broke\\\"\""},
        {{.kind = DO(NOTE_FALLBACK), .number = 8, .reason = "why"},
         "pool.fallback pool=one to=process workers=8 because=\"why\""},
        {{.kind = DO(NOTE_GIL)},
         "pool.gil pool=one because=\"threads take turns under the GIL, which the "
         "pool's on_unsupported allows\""},
        {{.kind = DO(NOTE_UNUSED), .reason = "why"},
         "template.unused pool=one because=\"why\" workers=exec"},
        {{.kind = DO(NOTE_LOST), .reason = "why"},
         "template.lost pool=one because=\"why\""},
        {{.kind = DO(NOTE_PUT_OFF), .number = 5000, .reason = "why"},
         "template.put_off pool=one because=\"why\" again_ms=5000"},
    };
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        scene.line_count = 0;
        sp_fleet_note(&scene.fleet, &rows[i].action);
        assert_int_equal(scene.line_count, 1);
        assert_string_equal(scene.lines[0], rows[i].line);
    }
}

static void each_verdict_on_a_pool(void **state)
{
    (void)state;
    static const struct {
        struct sp_fleet_action action;
        const char *text;
        bool logged; // a pool that is down is only told to those who call it
    } rows[] = {
        {{.kind = DO(FAIL), .reason = "memory is exhausted"},
         "memory is exhausted",
         true},
        {{.kind = DO(FAIL), .what = "no worker could be started", .reason = "why"},
         "pool one: no worker could be started: why",
         true},
        {{.kind = DO(SET_STATE), .what = "its workers die", .reason = "why"},
         "pool one: its workers die: why",
         false},
        {{.kind = DO(REFUSE), .what = "python", .reason = "why"},
         "pit.yaml: pool one: python: python cannot run the thread profile: why "
         "(on_unsupported: refuse)",
         true},
        {{.kind = DO(REFUSE), .what = "adapter", .reason = "why"},
         "pit.yaml: pool one: adapter: a.A cannot run the thread profile: why "
         "(on_unsupported: refuse)",
         true},
    };
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        char text[SP_REASON_MAX];
        scene.line_count = 0;
        sp_fleet_write_verdict(&scene.fleet, &rows[i].action, text, sizeof text);
        assert_string_equal(text, rows[i].text);
        assert_int_equal(scene_was_logged("pool.failed pool=one because=\""),
                         rows[i].logged);
    }
}

static void a_program_is_a_stranger_when_its_user_or_group_changes(void **state)
{
    (void)state;
    char text[512];
    assert_int_equal(scene_init_fleet(), SNAKEPIT_OK);
    struct sp_user *user = &scene.fleet.user;
    *user = sp_user_now();
    assert_null(sp_fleet_write_stranger(&scene.fleet, text, sizeof text));
    // Real, effective or saved: each decides whom it may signal.
    for (int i = 0; i < 3; i++) {
        *user = sp_user_now();
        user->users[i]++;
        assert_non_null(sp_fleet_write_stranger(&scene.fleet, text, sizeof text));
        *user = sp_user_now();
        user->groups[i]++;
        assert_non_null(sp_fleet_write_stranger(&scene.fleet, text, sizeof text));
    }
    assert_non_null(strstr(text, "pool one: the program has changed its user from "));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(each_line_of_the_log),
        SCENE_TEST(each_verdict_on_a_pool),
        SCENE_TEST(a_program_is_a_stranger_when_its_user_or_group_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
