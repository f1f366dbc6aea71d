// SPDX-License-Identifier: MIT
// An address is checked before anything is sent there: a slip is told as one, and not
// as a name that cannot be resolved.
#include "cli/address.h"

#include <string.h>
#include <strings.h>

#include "cli/text.h"

#define LOOKS "an address is http://HOST:PORT, https://HOST:PORT or unix:/PATH"

static snakepit_err refuse(snakepit_message *why, const char *text, const char *what)
{
    sp_cli_explain(why, "\"%.200s\" %s; " LOOKS, text, what);
    return SNAKEPIT_INVALID_ARGUMENT;
}

static snakepit_err
read_socket(const char *text, struct sp_cli_address *address, snakepit_message *why)
{
    const char *path = text + strlen("unix:");
    if (path[0] != '/') {
        return refuse(why, text, "has a relative path; give an absolute one");
    }
    if (strlen(path) >= sizeof address->socket) {
        return refuse(why, text, "is longer than the 107 bytes of a socket's path");
    }
    sp_cli_format(address->socket, sizeof address->socket, "%s", path);
    sp_cli_format(address->base, sizeof address->base, "http://localhost");
    address->local = true;
    return SNAKEPIT_OK;
}

// Without its port, and without the brackets of IPv6.
static bool is_loopback(const char *host, size_t size)
{
    static const char *const names[] = {"localhost", "[::1]"};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        if (strlen(names[i]) == size && strncasecmp(host, names[i], size) == 0) {
            return true;
        }
    }
    // Four numbers: a name may begin with "127." as well.
    return size > 4 && strncmp(host, "127.", 4) == 0 &&
           strspn(host, "0123456789.") >= size;
}

static bool is_printable(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text <= ' ' || *text > '~') {
            return false;
        }
    }
    return true;
}

// Where the host ends: at its port, or with the text.
static size_t host_size(const char *host, size_t size)
{
    const char *bracket = memchr(host, ']', size);
    const size_t from = bracket == NULL ? 0 : (size_t)(bracket - host);
    const char *colon = memchr(host + from, ':', size - from);
    return colon == NULL ? size : (size_t)(colon - host);
}

static bool is_port(const char *text, size_t size)
{
    return size > 0 && size <= 5 && strspn(text, "0123456789") >= size;
}

static snakepit_err read_url(const char *text,
                             const char *rest,
                             struct sp_cli_address *address,
                             snakepit_message *why)
{
    const size_t authority = strcspn(rest, "/");
    const size_t host = host_size(rest, authority);
    if (!is_printable(text) || strpbrk(text, "\"<>\\^`{|}") != NULL) {
        return refuse(why, text, "has a character that no address has");
    }
    if (memchr(rest, '@', authority) != NULL) {
        return refuse(why, text, "has a name or a password, which no daemon asks for");
    }
    if (strpbrk(text, "?#") != NULL) {
        return refuse(why, text, "has a query, which belongs to a request");
    }
    if (host == 0 || (rest[0] == '[') != (rest[host - 1] == ']')) {
        return refuse(why, text, "names no host");
    }
    if (host < authority && !is_port(rest + host + 1, authority - host - 1)) {
        return refuse(why, text, "has a port that is not a number");
    }
    sp_cli_format(address->base, sizeof address->base, "%s", text);
    for (size_t size = strlen(address->base); address->base[size - 1] == '/'; size--) {
        address->base[size - 1] = '\0';
    }
    address->local = is_loopback(rest, host);
    return SNAKEPIT_OK;
}

snakepit_err sp_cli_address_read(const char *text,
                                 struct sp_cli_address *address,
                                 snakepit_message *why)
{
    struct sp_cli_address read = {.secure = false};
    snakepit_err err;
    if (strlen(text) >= sizeof read.shown) {
        return refuse(why, text, "is too long");
    }
    if (strncmp(text, "unix:", 5) == 0) {
        err = read_socket(text, &read, why);
    } else if (strncasecmp(text, "http://", 7) == 0) {
        err = read_url(text, text + 7, &read, why);
    } else if (strncasecmp(text, "https://", 8) == 0) {
        read.secure = true;
        err = read_url(text, text + 8, &read, why);
    } else {
        err = refuse(why, text, "does not say how to reach it");
    }
    if (err == SNAKEPIT_OK) {
        sp_cli_format(read.shown,
                      sizeof read.shown,
                      "%s",
                      read.socket[0] != '\0' ? text : read.base);
        *address = read;
    }
    return err;
}
