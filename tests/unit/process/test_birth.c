// SPDX-License-Identifier: MIT
// How a worker comes to its process: at once, or when a template answers; and what
// becomes of it where it does not.
#include "process/birth.h"

#include "scene.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

#include "base/memory.h"

// ---- A template ---------------------------------------------------------------

static struct {
    struct sp_fork *fork; // that it was asked for
    bool refuses;
} template;

// In front of the one in the archive.
snakepit_err sp_template_fork(struct sp_template *asked,
                              const struct sp_spawn_options *worker,
                              struct sp_process *process,
                              struct sp_fork *fork)
{
    assert_non_null(asked);
    if (template.refuses) {
        return SNAKEPIT_UNSUPPORTED;
    }
    template.fork = fork;
    return sp_spawn_fork(worker, -1, 1, process);
}

static void ask_template(void)
{
    template.fork = NULL;
    template.refuses = false;
    scene.options.template = (struct sp_template *)(void *)&template;
}

static void answer(pid_t pid)
{
    struct sp_fork *fork = template.fork;
    fork->done(fork->user, pid);
}

// ---- At once ------------------------------------------------------------------

static void an_execed_one_is_born_at_once(void **state)
{
    (void)state;
    scene_start();
    assert_true(scene.worker->child.born);
    assert_false(scene.worker->forked);
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_CONFIG);
    scene_expect(""); // it had it at once
}

static void one_that_cannot_be_spawned_is_nothing(void **state)
{
    snakepit_message why;
    (void)state;
    machine.spawn_refuses = EMFILE;
    assert_int_equal(sp_worker_start(&scene.options, &scene.worker, &why),
                     SNAKEPIT_SYSTEM);
    assert_string_equal(why.text, "spawn is refused");
    assert_null(scene.worker);
    scene_run(10);
    scene_expect("");
}

static void one_whose_exit_cannot_be_watched_is_nothing(void **state)
{
    snakepit_message why;
    (void)state;
    machine.watch_refuses = ENOSPC;
    assert_int_equal(sp_worker_start(&scene.options, &scene.worker, &why),
                     SNAKEPIT_SYSTEM);
    assert_non_null(strstr(why.text, "epoll_ctl"));
    assert_null(scene.worker);
    assert_string_equal(fake_signals(&machine.processes[0]), "KILL");
}

static void one_whose_channel_cannot_be_watched_wants(void **state)
{
    (void)state;
    machine.watch_refuses = ENOSPC;
    machine.watches_left = 3; // its exit, stdout and stderr
    scene_start();
    machine.watch_refuses = 0;
    assert_true(scene.worker->wants);
    scene_expect_killed("the system refused what its start needs");
}

static void a_start_survives_every_failed_allocation(void **state)
{
    snakepit_message why;
    snakepit_err err = SNAKEPIT_NO_MEMORY;
    (void)state;
    for (long n = 1; err != SNAKEPIT_OK; n++) {
        sp_memory_fail_at(n);
        err = sp_worker_start(&scene.options, &scene.worker, &why);
        bool failed = sp_memory_has_failed();
        sp_memory_fail_at(0);
        assert_int_equal(err, failed ? SNAKEPIT_NO_MEMORY : SNAKEPIT_OK);
        assert_int_equal(machine.count, failed ? 0 : 1);
    }
    scene.fake = &machine.processes[0];
}

static void a_group_that_cannot_be_made_is_the_adapters_failure(void **state)
{
    (void)state;
    // Where groups can be made at all, there is nobody to be put into one.
    scene.options.limits = (struct sp_cgroup_limits){.memory_max = 1 << 30};
    scene_start();
    assert_true(scene.worker->adapter_failed);
    scene_expect_killed("it could not be put into its control group");
}

// ---- When the template answers ------------------------------------------------

static void a_forked_one_is_born_when_its_template_says_so(void **state)
{
    (void)state;
    ask_template();
    scene_start();
    assert_true(scene.worker->forked);
    assert_false(scene.worker->child.born);
    assert_int_equal(fake_hears(scene.fake), 0);
    answer(scene.fake->pid);
    scene_expect("born;");
    assert_int_equal(fake_hears(scene.fake), SP_MESSAGE_CONFIG);
    scene_become_ready();
}

static void a_template_that_does_not_fork_is_done_without(void **state)
{
    (void)state;
    ask_template();
    template.refuses = true;
    scene_start();
    assert_false(scene.worker->forked);
    assert_true(scene.worker->child.born);
}

static void a_fork_that_fails_is_an_exit_without_a_loss(void **state)
{
    (void)state;
    ask_template();
    scene_start();
    answer(0);
    scene_expect("exited;gone;");
    assert_int_equal(scene.worker->state, SP_WORKER_DEAD);
    assert_string_equal(scene.worker->failure, "the template could not fork it");
}

static void a_fork_that_is_not_there_is_one_that_failed(void **state)
{
    (void)state;
    ask_template();
    scene_start();
    answer(1);
    scene_expect("exited;gone;");
    assert_string_equal(scene.worker->failure, "there is no process 1");
}

static void what_was_killed_before_its_birth_dies_with_it(void **state)
{
    (void)state;
    ask_template();
    scene_start();
    sp_worker_kill(scene.worker, "it is a test");
    assert_int_equal(scene.fake->signal_count, 0);
    answer(scene.fake->pid);
    assert_string_equal(fake_signals(scene.fake), "KILL");
    scene_expect_killed("it is a test");
}

static void what_was_stopped_before_its_birth_leaves_with_it(void **state)
{
    (void)state;
    ask_template();
    scene_start();
    sp_worker_stop(scene.worker);
    assert_int_equal(scene.fake->signal_count, 0);
    answer(scene.fake->pid);
    assert_string_equal(fake_signals(scene.fake), "TERM+");
    scene_run(2 * SCENE_GRACE_MS + 5);
    scene_expect_killed("it did not leave after SIGTERM");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        SCENE_TEST(an_execed_one_is_born_at_once),
        SCENE_TEST(one_that_cannot_be_spawned_is_nothing),
        SCENE_TEST(one_whose_exit_cannot_be_watched_is_nothing),
        SCENE_TEST(one_whose_channel_cannot_be_watched_wants),
        SCENE_TEST(a_start_survives_every_failed_allocation),
        SCENE_TEST(a_group_that_cannot_be_made_is_the_adapters_failure),
        SCENE_TEST(a_forked_one_is_born_when_its_template_says_so),
        SCENE_TEST(a_template_that_does_not_fork_is_done_without),
        SCENE_TEST(a_fork_that_fails_is_an_exit_without_a_loss),
        SCENE_TEST(a_fork_that_is_not_there_is_one_that_failed),
        SCENE_TEST(what_was_killed_before_its_birth_dies_with_it),
        SCENE_TEST(what_was_stopped_before_its_birth_leaves_with_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
