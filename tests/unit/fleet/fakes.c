// SPDX-License-Identifier: MIT
// The linker finds these before it looks into the module's archive.
#include "fakes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"

struct fakes fakes;

void fakes_init(void)
{
    memset(&fakes, 0, sizeof fakes);
}

static void let_go_on(void)
{
    if (fakes.loop != NULL) {
        sp_loop_stop(fakes.loop);
    }
}

static struct fake_life *life_of(struct sp_worker *worker)
{
    return (struct fake_life *)((char *)worker - offsetof(struct fake_life, worker));
}

static snakepit_err refuse(snakepit_message *why)
{
    fakes.refusals--;
    (void)snprintf(why->text, sizeof why->text, "spawn: %s", strerror(fakes.refuses));
    errno = fakes.refuses;
    return SNAKEPIT_SYSTEM;
}

// ---- Workers ------------------------------------------------------------------

snakepit_err sp_worker_start(const struct sp_worker_options *options,
                             struct sp_worker **worker,
                             snakepit_message *why)
{
    let_go_on();
    if (fakes.refusals > 0) {
        return refuse(why);
    }
    struct fake_life *life = calloc(1, sizeof *life);
    struct sp_worker *made = &life->worker;
    made->options = *options;
    made->child.started_at = sp_clock_now();
    made->forked = options->template != NULL;
    made->child.born = !made->forked;
    made->child.process.pid = (pid_t)(1000 + options->id);
    made->info.thread_safe = true;
    (void)pthread_mutex_init(&made->lost_lock, NULL);
    (void)pthread_mutex_init(&made->child.flow.outputs[1].lock, NULL);
    if (sp_port_new(&options->shape, &made->port, why) != SNAKEPIT_OK) {
        abort();
    }
    fakes.lives[fakes.starts++] = life;
    *worker = made;
    return SNAKEPIT_OK;
}

void sp_worker_stop(struct sp_worker *worker)
{
    let_go_on();
    worker->state = sp_worker_next(worker->state, SP_WORKER_STOP);
    life_of(worker)->stops++;
}

void sp_worker_kill(struct sp_worker *worker, const char *why)
{
    let_go_on();
    life_of(worker)->kills++;
    life_of(worker)->why = why;
}

void sp_worker_kill_for_calls(struct sp_worker *worker, const char *why)
{
    sp_worker_kill(worker, why);
    life_of(worker)->blamed = true;
}

void sp_worker_kill_as(struct sp_worker *worker, enum sp_death death, const char *why)
{
    sp_worker_kill(worker, why);
    life_of(worker)->death = death;
}

void sp_worker_end(struct sp_worker *worker, const char *why)
{
    sp_worker_kill(worker, why);
}

bool sp_worker_cancel(struct sp_worker *worker, uint64_t call, uint32_t slot)
{
    (void)worker;
    (void)call;
    (void)slot;
    return true;
}

bool sp_worker_map(
    struct sp_worker *worker, uint32_t window, uint64_t serial, int fd, uint64_t size)
{
    (void)worker;
    (void)window;
    (void)serial;
    (void)fd;
    (void)size;
    return true;
}

bool sp_worker_unmap(struct sp_worker *worker, uint32_t window, uint64_t serial)
{
    (void)worker;
    (void)window;
    (void)serial;
    return true;
}

enum sp_fault sp_worker_fault(const struct sp_worker *worker)
{
    (void)worker;
    return SP_FAULT_NONE;
}

uint64_t sp_worker_memory(const struct sp_worker *worker)
{
    return ((const struct fake_life *)((const char *)worker -
                                       offsetof(struct fake_life, worker)))
        ->memory;
}

struct sp_worker_usage sp_worker_usage(const struct sp_worker *worker)
{
    return (struct sp_worker_usage){.memory = sp_worker_memory(worker), .threads = 3};
}

uint64_t sp_worker_share(const struct sp_worker *worker)
{
    return sp_worker_memory(worker);
}

uint64_t sp_worker_cpu(const struct sp_worker *worker)
{
    return ((const struct fake_life *)((const char *)worker -
                                       offsetof(struct fake_life, worker)))
        ->cpu_ns;
}

void sp_machine_look(uint32_t cores, struct sp_machine *machine)
{
    *machine = fakes.machine;
    machine->cpu_percent = cores * 100;
}

void sp_worker_where(const struct sp_worker *worker, char *room, size_t size)
{
    (void)worker;
    (void)snprintf(room, size, "%s", fakes.where == NULL ? "" : fakes.where);
}

bool sp_worker_was_told(const struct sp_worker *worker)
{
    const struct fake_life *life =
        (const struct fake_life *)((const char *)worker -
                                   offsetof(struct fake_life, worker));
    return life->told;
}

enum sp_death sp_worker_death(struct sp_worker *worker)
{
    (void)worker;
    return SP_DEATH_SIGNAL;
}

void sp_worker_free(struct sp_worker *worker)
{
    struct fake_life *life = life_of(worker);
    for (uint32_t i = 0; i < fakes.starts; i++) {
        fakes.lives[i] = fakes.lives[i] == life ? NULL : fakes.lives[i];
    }
    sp_port_unref(worker->port);
    (void)pthread_mutex_destroy(&worker->child.flow.outputs[1].lock);
    (void)pthread_mutex_destroy(&worker->lost_lock);
    free(life);
}

// ---- What they do -------------------------------------------------------------

void fake_is_born(uint32_t number)
{
    struct sp_worker *worker = &fakes.lives[number]->worker;
    worker->child.born = true;
    worker->options.hooks.born(worker->options.hooks.user, worker);
}

void fake_is_ready(uint32_t number)
{
    struct sp_worker *worker = &fakes.lives[number]->worker;
    worker->state = sp_worker_next(worker->state, SP_WORKER_ANSWERED);
    worker->options.hooks.ready(worker->options.hooks.user, worker);
}

void fake_exits(uint32_t number)
{
    struct sp_worker *worker = &fakes.lives[number]->worker;
    const struct sp_worker_loss loss = {.cause = "exit code 1", .last_output = ""};
    (void)pthread_mutex_lock(&worker->lost_lock);
    worker->lost = true;
    worker->options.hooks.lost(worker->options.hooks.user, worker, &loss);
    (void)pthread_mutex_unlock(&worker->lost_lock);
    worker->state = SP_WORKER_DEAD;
    worker->options.hooks.exited(worker->options.hooks.user, worker);
}

void fake_is_gone(uint32_t number)
{
    struct sp_worker *worker = &fakes.lives[number]->worker;
    worker->options.hooks.gone(worker->options.hooks.user, worker);
}

void fake_dies(uint32_t number)
{
    fake_exits(number);
    fake_is_gone(number);
}

// ---- The template -------------------------------------------------------------

snakepit_err sp_template_start(const struct sp_template_options *options,
                               struct sp_template **template,
                               snakepit_message *why)
{
    if (fakes.refusals > 0) {
        return refuse(why);
    }
    fakes.template = calloc(1, sizeof *fakes.template);
    fakes.template->options = *options;
    fakes.template_starts++;
    *template = fakes.template;
    return SNAKEPIT_OK;
}

void sp_template_stop(struct sp_template *template)
{
    (void)template;
    fakes.template_stops++;
}

void sp_template_free(struct sp_template *template)
{
    free(template);
}

void fake_template_is_ready(void)
{
    const struct sp_template_hooks *hooks = &fakes.template->options.hooks;
    hooks->ready(hooks->user, fakes.template);
}

void fake_template_is_gone(void)
{
    struct sp_template *template = fakes.template;
    const struct sp_template_hooks hooks = template->options.hooks;
    fakes.template = NULL;
    hooks.gone(hooks.user, template);
}
