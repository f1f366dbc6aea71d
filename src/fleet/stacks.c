// SPDX-License-Identifier: MIT
// The stacks of a worker are read on the thread that asks for them. The worker may end
// meanwhile: its segments stay, for we hold a reference, and its number is its own as
// long as nobody has reaped it.
#include <sys/syscall.h>
#include <unistd.h>

#include "base/descriptor.h"
#include "base/pidfd.h"
#include "fleet/inside.h"

struct asked {
    struct sp_fleet *fleet;
    uint64_t worker;
    sp_worker_stack_fn *take;
    void *user;
};

static void take_stack(void *user, const struct sp_stack *stack)
{
    const struct asked *asked = user;
    char tool[SP_TOOL_NAME_MAX + 1] = "";
    if (stack->call != 0) {
        sp_pool_tool_of(asked->fleet->options.pool, asked->worker, stack->call, tool);
    }
    asked->take(asked->user, stack, tool);
}

// The port of a worker, with a reference for the caller; NULL: there is no such worker.
static struct sp_port *find(struct sp_fleet *fleet, uint64_t worker, pid_t *pid)
{
    struct sp_port *port = NULL;
    pthread_mutex_lock(&fleet->rows_lock);
    for (size_t i = 0; i < fleet->row_count && worker != 0; i++) {
        const struct sp_fleet_row *row = &fleet->rows[i];
        if (row->info.id == worker) {
            port = row->port;
            *pid = row->info.pid;
            sp_port_ref(port);
            break;
        }
    }
    pthread_mutex_unlock(&fleet->rows_lock);
    return port;
}

static snakepit_err read_stacks(struct asked *asked,
                                const struct sp_port *port,
                                pid_t pid,
                                snakepit_message *why)
{
    int pidfd = sp_descriptor_keep((int)syscall(SYS_pidfd_open, pid, 0));
    struct sp_stacks_source source = {
        .view = &port->view,
        .pid = pid,
        .in_proc = pidfd < 0 ? 0 : sp_pidfd_number_in_proc(pidfd),
    };
    snakepit_err err = SNAKEPIT_NOT_FOUND;
    if (sp_pid_is_ours(pid)) {
        err = sp_stacks_read(&source, take_stack, asked, why);
    }
    sp_descriptor_close(&pidfd);
    return err;
}

snakepit_err sp_fleet_stacks(struct sp_fleet *fleet,
                             uint64_t worker,
                             sp_worker_stack_fn *take,
                             void *user,
                             snakepit_message *why)
{
    struct asked asked = {fleet, worker, take, user};
    pid_t pid = 0;
    struct sp_port *port = find(fleet, worker, &pid);
    if (port == NULL) {
        return SNAKEPIT_NOT_FOUND;
    }
    snakepit_err err = read_stacks(&asked, port, pid, why);
    sp_port_unref(port);
    return err;
}
