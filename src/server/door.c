// SPDX-License-Identifier: MIT
// A Unix socket leaves a path behind when its process is killed. It is removed only if
// it is a socket, and if nobody listens there.
#include "server/door.h"

#include <errno.h>
#include <inttypes.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/system.h"

#define BACKLOG 4096 // the kernel cuts it to net.core.somaxconn

// A client that is gone without a word is noticed after two minutes.
#define KEEP_IDLE_S     60
#define KEEP_INTERVAL_S 20
#define KEEP_COUNT      3

// What is opened now.
struct opening {
    const struct sp_listeners *listeners;
    size_t at; // among the listeners
    struct sp_activation *activation;
    struct sp_doors *doors; // with room for all
    bool probes;            // see sp_doors_probe()
    snakepit_message *why;
};

// ---- What goes wrong --------------------------------------------------------------

static const struct sp_listener_config *now(const struct opening *opening)
{
    return &opening->listeners->items[opening->at];
}

static snakepit_err
refuse_as(snakepit_err err, const struct opening *opening, const char *what)
{
    (void)snprintf(opening->why->text,
                   sizeof opening->why->text,
                   "serve.listen[%zu]: %s %s",
                   opening->at,
                   now(opening)->address,
                   what);
    return err;
}

static snakepit_err refuse(const struct opening *opening, const char *what)
{
    return refuse_as(SNAKEPIT_INVALID_CONFIG, opening, what);
}

static bool is_other_file(const struct sp_address *address)
{
    struct stat found;
    return address->kind == SP_ADDRESS_UNIX && lstat(address->name, &found) == 0 &&
           !S_ISSOCK(found.st_mode);
}

static snakepit_err refuse_bind(const struct opening *opening)
{
    switch (errno) {
    case EADDRINUSE:
        return refuse_as(SNAKEPIT_SYSTEM,
                         opening,
                         is_other_file(&now(opening)->parsed)
                             ? "is a file that is not a socket; it is left alone"
                             : "is in use: another program listens there; stop that "
                               "program, or choose another address with --listen or "
                               "serve.listen");
    case EADDRNOTAVAIL:
        return refuse_as(SNAKEPIT_SYSTEM, opening, "is not an address of this machine");
    case EACCES:
    case EPERM:
        return refuse_as(SNAKEPIT_SYSTEM,
                         opening,
                         now(opening)->parsed.kind == SP_ADDRESS_UNIX
                             ? "cannot be made: this user may not write to its folder"
                             : "is not for this user: a port below 1024 needs "
                               "CAP_NET_BIND_SERVICE, or a socket of systemd");
    case ENOENT:
    case ENOTDIR:
        return refuse_as(SNAKEPIT_SYSTEM,
                         opening,
                         "cannot be made: its folder is not there; make it, or choose "
                         "another address with --listen or serve.listen");
    default:
        return sp_system_failed(
            opening->why, "bind", NULL, "to %s", now(opening)->address);
    }
}

static void write_address(const struct sp_address *address, char *room, size_t size)
{
    char text[SP_ADDRESS_TEXT_MAX];
    sp_address_format(address, text);
    (void)snprintf(room, size, "%.*s", (int)size - 1, text);
}

// ---- Making a socket --------------------------------------------------------------

static void set(int fd, int level, int option, int value)
{
    (void)setsockopt(fd, level, option, &value, sizeof value);
}

// Accepted sockets inherit them.
static void set_options(int fd)
{
    set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
    set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
    set(fd, IPPROTO_TCP, TCP_KEEPIDLE, KEEP_IDLE_S);
    set(fd, IPPROTO_TCP, TCP_KEEPINTVL, KEEP_INTERVAL_S);
    set(fd, IPPROTO_TCP, TCP_KEEPCNT, KEEP_COUNT);
}

static bool somebody_listens(const struct sockaddr_storage *to, socklen_t size)
{
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    bool refused = fd >= 0 &&
                   connect(fd, (const struct sockaddr *)(const void *)to, size) != 0 &&
                   errno == ECONNREFUSED;
    if (fd >= 0) {
        (void)close(fd);
    }
    return !refused;
}

static void
remove_stale(const char *path, const struct sockaddr_storage *to, socklen_t size)
{
    struct stat found;
    if (lstat(path, &found) == 0 && S_ISSOCK(found.st_mode) &&
        !somebody_listens(to, size)) {
        (void)unlink(path);
    }
}

static bool
bind_path(struct sp_door *door, const struct sockaddr_storage *to, socklen_t size)
{
    const char *path = door->config->parsed.name;
    struct stat made;
    remove_stale(path, to, size);
    // The path has these permissions at most from its first moment on.
    if (fchmod(door->fd, door->config->mode) != 0 ||
        bind(door->fd, (const struct sockaddr *)(const void *)to, size) != 0) {
        return false;
    }
    if (chmod(path, door->config->mode) != 0 || lstat(path, &made) != 0) {
        int reason = errno;
        (void)unlink(path);
        errno = reason;
        return false;
    }
    (void)snprintf(
        door->path, sizeof door->path, "%.*s", (int)sizeof door->path - 1, path);
    door->device = made.st_dev;
    door->inode = made.st_ino;
    return true;
}

static bool bind_to(struct sp_door *door)
{
    struct sockaddr_storage to;
    socklen_t size = sp_address_to_socket(&door->config->parsed, &to);
    if (to.ss_family == AF_UNIX) {
        return bind_path(door, &to, size);
    }
    set(door->fd, SOL_SOCKET, SO_REUSEADDR, 1);
    if (to.ss_family == AF_INET6) {
        set(door->fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
    }
    return bind(door->fd, (const struct sockaddr *)(const void *)&to, size) == 0;
}

// ---- One door ---------------------------------------------------------------------

static void close_door(struct sp_door *door)
{
    struct stat there;
    if (door->path[0] != '\0' && lstat(door->path, &there) == 0 &&
        there.st_dev == door->device && there.st_ino == door->inode) {
        (void)unlink(door->path);
    }
    door->path[0] = '\0';
    if (door->fd >= 0) {
        (void)close(door->fd);
        door->fd = -1;
    }
}

static bool is_unix(const struct sp_door *door)
{
    return strncmp(door->address, "unix:", 5) == 0;
}

// Lesson 33, for a socket that somebody else has made too.
static snakepit_err check_trust(const struct opening *opening,
                                const struct sp_door *door)
{
    const struct sp_listener_config *config = door->config;
    bool kept = config->tls.certificate != NULL &&
                (config->tls.client_ca != NULL || config->tokens != NULL);
    if (config->users.count > 0 && !is_unix(door)) {
        return refuse(opening,
                      "is not a Unix socket, which alone knows the users of its "
                      "clients; remove `users`, or have systemd listen on a path");
    }
    return door->local || kept
               ? SNAKEPIT_OK
               : refuse(opening,
                        "is a socket that other machines reach: it needs `tls`, and "
                        "`tokens` or `client_ca`");
}

static snakepit_err open_tls(const struct opening *opening, struct sp_door *door)
{
    const struct sp_tls_config *config = &door->config->tls;
    return config->certificate == NULL
               ? SNAKEPIT_OK
               : sp_tls_context_open(config, opening->at, &door->tls, opening->why);
}

// `key` is that of the listener, and what follows it.
static snakepit_err
refuse_key(const struct opening *opening, const char *key, const snakepit_message *why)
{
    (void)snprintf(opening->why->text,
                   sizeof opening->why->text,
                   "serve.listen[%zu].%s%.*s",
                   opening->at,
                   key,
                   (int)sizeof opening->why->text - 64,
                   why->text);
    return SNAKEPIT_INVALID_CONFIG;
}

static snakepit_err open_tokens(const struct opening *opening, struct sp_door *door)
{
    snakepit_message why = {{0}};
    const char *path = door->config->tokens;
    snakepit_err err =
        path != NULL ? sp_token_store_open(path, &door->tokens, &why) : SNAKEPIT_OK;
    return err == SNAKEPIT_INVALID_CONFIG ? refuse_key(opening, "tokens: ", &why) : err;
}

static snakepit_err find_users(const struct opening *opening, struct sp_door *door)
{
    snakepit_message why = {{0}};
    const struct sp_texts *names = &door->config->users;
    snakepit_err err =
        names->count > 0 ? sp_users_find(names, &door->users, &why) : SNAKEPIT_OK;
    return err == SNAKEPIT_INVALID_CONFIG ? refuse_key(opening, "users", &why) : err;
}

// What keeps clients out, but for the socket itself.
static snakepit_err open_locks(const struct opening *opening, struct sp_door *door)
{
    snakepit_err err = open_tls(opening, door);
    err = err == SNAKEPIT_OK ? open_tokens(opening, door) : err;
    return err == SNAKEPIT_OK ? find_users(opening, door) : err;
}

// What it has become: port 0 is a number now.
static snakepit_err finish(struct opening *opening, struct sp_door *door)
{
    struct sockaddr_storage bound;
    struct sp_address address;
    socklen_t size = sizeof bound;
    if (getsockname(door->fd, (struct sockaddr *)(void *)&bound, &size) != 0 ||
        !sp_address_of_socket(&bound, size, &address)) {
        return sp_system_failed(
            opening->why, "getsockname", NULL, "of %s", door->config->address);
    }
    write_address(&address, door->address, sizeof door->address);
    door->local = sp_address_is_local(&address);
    set_options(door->fd);
    snakepit_err err = check_trust(opening, door);
    return err == SNAKEPIT_OK ? open_locks(opening, door) : err;
}

static struct sp_door *next_door(struct opening *opening)
{
    struct sp_door *door = &opening->doors->items[opening->doors->count++];
    *door = (struct sp_door){.config = now(opening),
                             .packets = now(opening)->door == SP_LISTENER_LOCAL,
                             .fd = -1};
    return door;
}

static bool is_served_already(const struct opening *opening, int reason)
{
    return reason == EADDRINUSE && !is_other_file(&now(opening)->parsed);
}

static snakepit_err open_own(struct opening *opening)
{
    struct sockaddr_storage to;
    struct sp_door *door = next_door(opening);
    (void)sp_address_to_socket(&door->config->parsed, &to);
    const int kind = door->packets ? SOCK_SEQPACKET : SOCK_STREAM;
    door->fd = socket(to.ss_family, kind | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (door->fd < 0) {
        return sp_system_failed(
            opening->why, "socket", NULL, "for %s", door->config->address);
    }
    if (!bind_to(door) || listen(door->fd, BACKLOG) != 0) {
        const int reason = errno;
        door->in_use = opening->probes && is_served_already(opening, reason);
        errno = reason;
        return door->in_use ? SNAKEPIT_OK : refuse_bind(opening);
    }
    return finish(opening, door);
}

static bool is_meant(const struct sp_activated *item, const char *name)
{
    return !item->used && (name[0] == '\0' || strcmp(item->name, name) == 0);
}

static snakepit_err open_activated(struct opening *opening)
{
    struct sp_activation *activation = opening->activation;
    const char *name = now(opening)->parsed.name;
    snakepit_err err = SNAKEPIT_OK;
    bool found = false;
    size_t count = activation != NULL ? activation->count : 0;
    for (size_t i = 0; i < count && err == SNAKEPIT_OK; i++) {
        struct sp_activated *item = &activation->items[i];
        if (is_meant(item, name)) {
            struct sp_door *door = next_door(opening);
            found = true;
            item->used = true;
            door->fd = item->fd;
            err = finish(opening, door);
        }
    }
    bool may_come = activation != NULL && activation->expected;
    return found || may_come
               ? err
               : refuse(opening,
                        "names a socket that nobody has handed over; start it by its "
                        ".socket unit, whose FileDescriptorName= is that name");
}

// ---- All of them ------------------------------------------------------------------

static snakepit_err open_next(struct opening *opening)
{
    return now(opening)->parsed.kind == SP_ADDRESS_SYSTEMD ? open_activated(opening)
                                                           : open_own(opening);
}

static snakepit_err read_next(struct opening *opening)
{
    return open_locks(opening, next_door(opening));
}

static snakepit_err open_all(struct opening *opening,
                             snakepit_err (*open_one)(struct opening *opening))
{
    struct sp_doors *doors = opening->doors;
    const struct sp_activation *activation = opening->activation;
    const size_t count = opening->listeners->count;
    const size_t most = count + (activation != NULL ? activation->count : 0);
    snakepit_err err = SNAKEPIT_OK;
    *doors = (struct sp_doors){.items = sp_alloc_array(most, sizeof *doors->items)};
    if (doors->items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    for (; opening->at < count && err == SNAKEPIT_OK; opening->at++) {
        err = open_one(opening);
    }
    if (err != SNAKEPIT_OK) {
        sp_doors_free(doors);
    }
    return err;
}

snakepit_err sp_doors_open(const struct sp_listeners *listeners,
                           struct sp_activation *activation,
                           struct sp_doors *doors,
                           snakepit_message *why)
{
    struct opening opening = {
        .listeners = listeners, .activation = activation, .doors = doors, .why = why};
    return open_all(&opening, open_next);
}

snakepit_err sp_doors_probe(const struct sp_listeners *listeners,
                            struct sp_activation *activation,
                            struct sp_doors *doors,
                            snakepit_message *why)
{
    struct opening opening = {.listeners = listeners,
                              .activation = activation,
                              .doors = doors,
                              .why = why,
                              .probes = true};
    return open_all(&opening, open_next);
}

snakepit_err sp_doors_read_files(const struct sp_listeners *listeners,
                                 struct sp_doors *doors,
                                 snakepit_message *why)
{
    struct opening opening = {.listeners = listeners, .doors = doors, .why = why};
    return open_all(&opening, read_next);
}

// Without a path to bind to the kernel finds a name: five digits behind a zero.
static bool listen_inside(struct sp_door *door)
{
    struct sockaddr_un name = {.sun_family = AF_UNIX};
    socklen_t size = sizeof name.sun_family;
    door->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (door->fd < 0 || bind(door->fd, (const void *)&name, size) != 0 ||
        listen(door->fd, BACKLOG) != 0) {
        return false;
    }
    size = sizeof name;
    if (getsockname(door->fd, (void *)&name, &size) != 0) {
        return false;
    }
    const size_t before = offsetof(struct sockaddr_un, sun_path) + 1;
    (void)snprintf(door->address,
                   sizeof door->address,
                   "@%.*s",
                   size > before ? (int)(size - before) : 0,
                   name.sun_path + 1);
    return true;
}

snakepit_err sp_doors_inside(struct sp_doors *doors, snakepit_message *why)
{
    static char name[] = "inside";
    static const struct sp_listener_config config = {.address = name};
    *doors = (struct sp_doors){.items = sp_alloc_array(1, sizeof *doors->items)};
    if (doors->items == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    struct sp_door *door = &doors->items[doors->count++];
    *door =
        (struct sp_door){.config = &config, .fd = -1, .local = true, .inside = true};
    if (listen_inside(door)) {
        return SNAKEPIT_OK;
    }
    (void)sp_system_failed(why, "bind", NULL, "for this process alone");
    sp_doors_free(doors);
    return SNAKEPIT_SYSTEM;
}

void sp_doors_close(struct sp_doors *doors)
{
    for (size_t i = 0; i < doors->count; i++) {
        close_door(&doors->items[i]);
    }
}

void sp_doors_free(struct sp_doors *doors)
{
    sp_doors_close(doors);
    for (size_t i = 0; i < doors->count; i++) {
        sp_users_free(doors->items[i].users);
        sp_token_store_free(doors->items[i].tokens);
        sp_tls_context_free(doors->items[i].tls);
    }
    sp_free(doors->items);
    *doors = (struct sp_doors){0};
}

// ---- Clients ----------------------------------------------------------------------

// As they were when the client connected; the process may have gone since. Whom the
// kernel does not know is nobody.
static void name_unix(int fd, struct sp_peer *peer)
{
    struct ucred who;
    socklen_t size = sizeof who;
    const struct sp_users *users = peer->door->users;
    const bool known = getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &size) == 0;
    peer->pid = known ? (uint32_t)who.pid : 0;
    peer->uid = known ? who.uid : UINT32_MAX;
    peer->excluded = users != NULL && !sp_users_has(users, peer->uid);
    (void)snprintf(peer->address,
                   sizeof peer->address,
                   "unix uid=%" PRIu32 " pid=%" PRIu32,
                   peer->uid,
                   peer->pid);
}

static void name_peer(int fd,
                      const struct sockaddr_storage *from,
                      socklen_t size,
                      struct sp_peer *peer)
{
    struct sp_address address;
    if (from->ss_family == AF_UNIX) {
        name_unix(fd, peer);
    } else if (sp_address_of_socket(from, size, &address)) {
        write_address(&address, peer->address, sizeof peer->address);
    }
}

int sp_door_accept(const struct sp_door *door, struct sp_peer *peer)
{
    struct sockaddr_storage from = {.ss_family = AF_UNSPEC};
    socklen_t size = sizeof from;
    int fd = accept4(door->fd,
                     (struct sockaddr *)(void *)&from,
                     &size,
                     SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        return fd;
    }
    *peer = (struct sp_peer){.door = door};
    name_peer(fd, &from, size, peer);
    if (door->inside && peer->pid != (uint32_t)getpid()) {
        (void)close(fd);
        errno = ECONNABORTED;
        return -1;
    }
    return fd;
}
