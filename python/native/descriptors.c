// SPDX-License-Identifier: MIT
// A descriptor that was closed may have been given to a file of the tool's since, which
// is then not to be read from; so it is compared by what it stands for.
#include "descriptors.h"

#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "state.h"

static struct stat channel;
static struct stat doorbell;

void sp_descriptors_note(const struct sp_runtime *runtime)
{
    (void)fstat(runtime->channel, &channel);
    (void)fstat(runtime->doorbell, &doorbell);
}

static bool is_still(int descriptor, const struct stat *known)
{
    struct stat now;
    return fstat(descriptor, &now) == 0 && now.st_dev == known->st_dev &&
           now.st_ino == known->st_ino;
}

bool sp_descriptors_are_ours(const struct sp_runtime *runtime)
{
    return is_still(runtime->channel, &channel) &&
           is_still(runtime->doorbell, &doorbell);
}

static void tell(struct sp_runtime *runtime, enum sp_fault fault, const char *what)
{
    atomic_store_explicit(&runtime->view.header->fault, fault, memory_order_release);
    // Where this one was closed as well, the host still says it.
    (void)dprintf(STDERR_FILENO, "snakepit: the adapter has %s\n", what);
}

void sp_descriptors_tell(struct sp_runtime *runtime)
{
    tell(runtime,
         SP_FAULT_DESCRIPTORS,
         "closed descriptors of its worker; it may close only those that it has "
         "opened");
}

void sp_descriptors_tell_shutdown(struct sp_runtime *runtime)
{
    tell(runtime,
         SP_FAULT_CHANNEL,
         "shut down the connection of its worker to the host; it may shut down only "
         "sockets that it has opened");
}
