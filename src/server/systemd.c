// SPDX-License-Identifier: MIT
// Both protocols are a few variables and datagrams, and documented as stable: a library
// for them would be one more to depend on (docs/decisions/0050).
#include "server/systemd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"

#define FIRST    3 // SD_LISTEN_FDS_START
#define MOST     1024u
#define LINE_MAX 160u
#define US_A_MS  1000u

static const char *const variables[] = {"LISTEN_PID",
                                        "LISTEN_FDS",
                                        "LISTEN_FDNAMES",
                                        "LISTEN_PIDFDID",
                                        "NOTIFY_SOCKET",
                                        "WATCHDOG_USEC",
                                        "WATCHDOG_PID"};

#define ACTIVATION_VARIABLES 4u

static void clear(const char *const *names, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        (void)unsetenv(names[i]); // NOLINT(concurrency-mt-unsafe): one thread
    }
}

static const char *value_of(const char *variable)
{
    return getenv(variable); // NOLINT(concurrency-mt-unsafe): one thread
}

// The number in a variable; 0: it is not there, or is none.
static uint64_t number_in(const char *variable)
{
    const char *text = value_of(variable);
    size_t digits = text != NULL ? strspn(text, "0123456789") : 0;
    // Nineteen digits always fit.
    bool is_number = digits > 0 && digits < 20 && text[digits] == '\0';
    return is_number ? strtoull(text, NULL, 10) : 0;
}

// ---- Sockets ----------------------------------------------------------------------

static bool listens(int fd, snakepit_message *why)
{
    int type = 0;
    int accepts = 0;
    socklen_t size = sizeof type;
    bool is_stream =
        getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &size) == 0 && type == SOCK_STREAM;
    size = sizeof accepts;
    bool good = is_stream &&
                getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &accepts, &size) == 0 &&
                accepts != 0;
    if (!good) {
        (void)snprintf(
            why->text,
            sizeof why->text,
            "LISTEN_FDS hands over descriptor %d, which is not a stream socket that "
            "listens; use ListenStream= and Accept=no in the .socket unit",
            fd);
    }
    return good;
}

// The next of the names with colons between; "unknown" as systemd has it for those that
// it has no name for.
static const char *next_name(const char *names, char *name)
{
    size_t length = strcspn(names, ":");
    size_t kept = length < SP_ACTIVATED_NAME ? length : SP_ACTIVATED_NAME - 1;
    (void)snprintf(name,
                   SP_ACTIVATED_NAME,
                   "%.*s",
                   length > 0 ? (int)kept : 7,
                   length > 0 ? names : "unknown");
    return names[length] == ':' ? names + length + 1 : names + length;
}

static snakepit_err take_all(struct sp_activation *activation, snakepit_message *why)
{
    const char *names = value_of("LISTEN_FDNAMES");
    names = names != NULL ? names : "";
    snakepit_err err = SNAKEPIT_OK;
    for (size_t i = 0; i < activation->count; i++) {
        struct sp_activated *item = &activation->items[i];
        item->fd = FIRST + (int)i;
        names = next_name(names, item->name);
        if (err == SNAKEPIT_OK && !listens(item->fd, why)) {
            err = SNAKEPIT_INVALID_CONFIG;
        }
        if (err == SNAKEPIT_OK) {
            (void)fcntl(item->fd, F_SETFD, FD_CLOEXEC);
            (void)fcntl(item->fd, F_SETFL, fcntl(item->fd, F_GETFL) | O_NONBLOCK);
        }
    }
    return err;
}

snakepit_err sp_activation_take(struct sp_activation *activation, snakepit_message *why)
{
    bool ours = number_in("LISTEN_PID") == (uint64_t)getpid();
    uint64_t count = ours ? number_in("LISTEN_FDS") : 0;
    snakepit_err err = SNAKEPIT_OK;
    *activation = (struct sp_activation){0};
    if (count > MOST) {
        (void)snprintf(why->text,
                       sizeof why->text,
                       "LISTEN_FDS hands over more than %u sockets",
                       MOST);
        err = SNAKEPIT_INVALID_CONFIG;
    } else if (count > 0) {
        activation->items = sp_alloc_array(count, sizeof *activation->items);
        err = activation->items != NULL ? SNAKEPIT_OK : SNAKEPIT_NO_MEMORY;
    }
    if (activation->items != NULL) {
        activation->count = count;
        err = take_all(activation, why);
    }
    clear(variables, ACTIVATION_VARIABLES);
    return err;
}

void sp_activation_close(struct sp_activation *activation)
{
    for (size_t i = 0; i < activation->count; i++) {
        if (!activation->items[i].used) {
            (void)close(activation->items[i].fd);
        }
    }
    sp_free(activation->items);
    *activation = (struct sp_activation){0};
}

// ---- Notices ----------------------------------------------------------------------

// A path, or with '@' in front an abstract name. 0: neither.
static uint32_t read_address(const char *text, struct sockaddr_un *to)
{
    size_t length = text != NULL ? strlen(text) : 0;
    *to = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (length < 2 || length >= sizeof to->sun_path ||
        (text[0] != '/' && text[0] != '@')) {
        return 0;
    }
    memcpy(to->sun_path, text, length);
    bool abstract = text[0] == '@';
    to->sun_path[0] = abstract ? '\0' : '/';
    return (uint32_t)(offsetof(struct sockaddr_un, sun_path) + length +
                      (abstract ? 0U : 1U));
}

static uint32_t read_watchdog(void)
{
    uint64_t of = number_in("WATCHDOG_PID");
    uint64_t ms = number_in("WATCHDOG_USEC") / US_A_MS;
    bool ours = value_of("WATCHDOG_PID") == NULL || of == (uint64_t)getpid();
    return !ours ? 0 : ms > UINT32_MAX ? UINT32_MAX : (uint32_t)ms;
}

void sp_notify_open(struct sp_notify *notify)
{
    const struct timeval a_second = {.tv_sec = 1};
    struct sockaddr_un address;
    *notify = (struct sp_notify){.fd = -1};
    notify->address_size = read_address(value_of("NOTIFY_SOCKET"), &address);
    if (notify->address_size > 0) {
        memcpy(notify->address, &address, notify->address_size);
        notify->watchdog_ms = read_watchdog();
        notify->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
        (void)setsockopt(
            notify->fd, SOL_SOCKET, SO_SNDTIMEO, &a_second, sizeof a_second);
    }
    clear(variables + ACTIVATION_VARIABLES,
          sizeof variables / sizeof variables[0] - ACTIVATION_VARIABLES);
}

void sp_notify_close(struct sp_notify *notify)
{
    if (notify->fd >= 0) {
        (void)close(notify->fd);
        notify->fd = -1;
    }
}

void sp_notify_send(const struct sp_notify *notify, const char *lines)
{
    struct sockaddr_un address;
    memcpy(&address, notify->address, sizeof address);
    while (notify->fd >= 0 &&
           sendto(notify->fd,
                  lines,
                  strlen(lines),
                  MSG_NOSIGNAL,
                  (const struct sockaddr *)(const void *)&address,
                  notify->address_size) < 0 &&
           errno == EINTR) {
    }
}

void sp_notify_reloading(const struct sp_notify *notify)
{
    char lines[LINE_MAX];
    (void)snprintf(lines,
                   sizeof lines,
                   "RELOADING=1\nMONOTONIC_USEC=%llu\nSTATUS=reloading",
                   (unsigned long long)(sp_clock_now() / SP_NS_PER_US));
    sp_notify_send(notify, lines);
}

void sp_notify_stopping(const struct sp_notify *notify, uint32_t within_ms)
{
    char lines[LINE_MAX];
    (void)snprintf(lines,
                   sizeof lines,
                   "STOPPING=1\nEXTEND_TIMEOUT_USEC=%llu\nSTATUS=stopping",
                   (unsigned long long)within_ms * US_A_MS);
    sp_notify_send(notify, lines);
}
