// SPDX-License-Identifier: MIT
#include "telemetry/journal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/descriptor.h"

#define USUAL "/run/systemd/journal/socket"

int sp_journal_open(const char *path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    const char *wanted = path != NULL ? path : USUAL;
    if (strlen(wanted) >= sizeof address.sun_path) {
        errno = ENAMETOOLONG;
        return -1;
    }
    (void)snprintf(address.sun_path, sizeof address.sun_path, "%s", wanted);
    int fd = sp_descriptor_keep(socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0));
    if (fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof address) != 0) {
        sp_descriptor_close(&fd);
    }
    return fd;
}

void sp_journal_close(int *fd)
{
    sp_descriptor_close(fd);
}
