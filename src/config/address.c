// SPDX-License-Identifier: MIT
// Names of machines are not looked up: what one means is for the resolver to say, and
// may change, while the rule that a remote address needs TLS must hold for what is
// written here.
#include "config/address.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "config/problem.h"

#define PATH_BYTES_MAX (sizeof(((struct sockaddr_un *)NULL)->sun_path) - 1)

_Static_assert(sizeof(((struct sp_address *)NULL)->name) > PATH_BYTES_MAX,
               "a path that fits the kernel fits an address");

__attribute__((format(printf, 2, 3))) static bool
refuse(snakepit_message *why, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    if (why != NULL) {
        (void)vsnprintf(why->text, sizeof why->text, format, args);
    }
    va_end(args);
    return false;
}

static bool refuse_form(const char *text, snakepit_message *why)
{
    char shown[SP_QUOTED_MAX];
    return refuse(why,
                  "expected an address such as \"127.0.0.1:8470\", \"[::1]:8470\", "
                  "\"unix:/run/snakepit/http.sock\" or \"systemd:NAME\", got %s",
                  sp_quote(text, shown));
}

// As one copies it from what the daemon says.
static bool refuse_scheme(const char *text, snakepit_message *why)
{
    char shown[SP_QUOTED_MAX];
    return refuse(why,
                  "expected an address without \"http://\", such as "
                  "\"127.0.0.1:8470\", got %s",
                  sp_quote(text, shown));
}

// ---- Text to address ----------------------------------------------------------

static bool parse_port(const char *text, uint16_t *port, snakepit_message *why)
{
    size_t digits = strspn(text, "0123456789");
    uint32_t value = 0;
    for (size_t i = 0; i < digits && digits <= 5; i++) {
        value = value * 10 + (uint32_t)(text[i] - '0');
    }
    if (digits == 0 || digits > 5 || text[digits] != '\0' || value > UINT16_MAX) {
        char shown[SP_QUOTED_MAX];
        return refuse(why,
                      "expected a port from 0 to 65535 behind the last colon, got %s",
                      sp_quote(text, shown));
    }
    *port = (uint16_t)value;
    return true;
}

// An IPv4 address within IPv6 is that address.
static void unmap(struct sp_address *address)
{
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (memcmp(address->host, mapped, sizeof mapped) == 0) {
        uint8_t inner[4];
        memcpy(inner, address->host + sizeof mapped, sizeof inner);
        memset(address->host, 0, sizeof address->host);
        memcpy(address->host, inner, sizeof inner);
        address->kind = SP_ADDRESS_TCP4;
    }
}

// "[::1]:8470"
static bool
parse_tcp6(const char *text, struct sp_address *address, snakepit_message *why)
{
    char host[INET6_ADDRSTRLEN];
    size_t length = strcspn(text + 1, "]");
    if (text[length + 1] != ']' || text[length + 2] != ':' || length >= sizeof host) {
        return refuse_form(text, why);
    }
    memcpy(host, text + 1, length);
    host[length] = '\0';
    if (inet_pton(AF_INET6, host, address->host) != 1) {
        return refuse_form(text, why);
    }
    address->kind = SP_ADDRESS_TCP6;
    unmap(address);
    return parse_port(text + length + 3, &address->port, why);
}

static bool refuse_host(const char *text, size_t length, snakepit_message *why)
{
    char host[SP_QUOTED_MAX];
    char shown[SP_QUOTED_MAX];
    (void)snprintf(host, sizeof host, "%.*s", (int)length, text);
    if (strchr(host, ':') != NULL) {
        return refuse(why,
                      "expected an IPv6 address in brackets, such as \"[::1]:8470\", "
                      "got %s",
                      sp_quote(text, shown));
    }
    return refuse(why,
                  "expected an address in numbers or localhost before the colon, got "
                  "%s; names are not looked up",
                  sp_quote(host, shown));
}

// "127.0.0.1:8470", "localhost:8470"
static bool
parse_tcp4(const char *text, struct sp_address *address, snakepit_message *why)
{
    char host[INET_ADDRSTRLEN] = "";
    const char *colon = strrchr(text, ':');
    if (colon == NULL || colon == text) {
        return refuse_form(text, why);
    }
    size_t length = (size_t)(colon - text);
    if (length < sizeof host) {
        memcpy(host, text, length);
        host[length] = '\0';
    }
    const char *numbers = strcmp(host, "localhost") == 0 ? "127.0.0.1" : host;
    if (inet_pton(AF_INET, numbers, address->host) != 1) {
        return refuse_host(text, length, why);
    }
    address->kind = SP_ADDRESS_TCP4;
    return parse_port(colon + 1, &address->port, why);
}

// `path` stands behind "unix:".
static bool parse_unix(const char *path,
                       const char *directory,
                       struct sp_address *address,
                       snakepit_message *why)
{
    if (path[0] == '\0' || path[0] == '@') {
        return refuse(why,
                      "expected the path of a socket behind \"unix:\", got %s",
                      path[0] == '@' ? "an abstract name, which anyone may connect to"
                                     : "nothing");
    }
    bool joined = path[0] != '/' && directory != NULL;
    const char *slash = !joined || strcmp(directory, "/") == 0 ? "" : "/";
    size_t length =
        strlen(path) + (joined ? strlen(directory) + strlen(slash) : (size_t)0);
    if (length > PATH_BYTES_MAX) {
        return refuse(why,
                      "expected the path of a socket to have at most %zu bytes, which "
                      "is the limit of the kernel; %s%s has %zu",
                      PATH_BYTES_MAX,
                      joined ? "with its folder " : "",
                      joined ? "it" : "this one",
                      length);
    }
    address->kind = SP_ADDRESS_UNIX;
    (void)snprintf(address->name,
                   sizeof address->name,
                   "%s%s%s",
                   joined ? directory : "",
                   joined ? slash : "",
                   path);
    return true;
}

// `name` stands behind "systemd:"; the characters are those that systemd allows.
static bool
parse_systemd(const char *name, struct sp_address *address, snakepit_message *why)
{
    size_t length = 0;
    while (name[length] > ' ' && name[length] < 0x7f && name[length] != ':') {
        length++;
    }
    if (name[length] != '\0' || length >= sizeof address->name) {
        char shown[SP_QUOTED_MAX];
        return refuse(why,
                      "expected a FileDescriptorName behind \"systemd:\", up to 255 "
                      "characters without spaces and colons, got %s",
                      sp_quote(name, shown));
    }
    address->kind = SP_ADDRESS_SYSTEMD;
    memcpy(address->name, name, length + 1);
    return true;
}

// What stands behind `prefix`; NULL: the text begins with something else.
static const char *behind(const char *text, const char *prefix)
{
    size_t length = strlen(prefix);
    return strncmp(text, prefix, length) == 0 ? text + length : NULL;
}

bool sp_address_parse(const char *text,
                      const char *directory,
                      struct sp_address *address,
                      snakepit_message *why)
{
    struct sp_address found = {0};
    const char *path = behind(text, "unix:");
    const char *name = behind(text, "systemd:");
    bool is_url = behind(text, "http://") != NULL || behind(text, "https://") != NULL;
    bool right = is_url           ? refuse_scheme(text, why)
                 : path != NULL   ? parse_unix(path, directory, &found, why)
                 : name != NULL   ? parse_systemd(name, &found, why)
                 : text[0] == '[' ? parse_tcp6(text, &found, why)
                                  : parse_tcp4(text, &found, why);
    if (right) {
        *address = found;
    }
    return right;
}

// ---- Address to text ----------------------------------------------------------

void sp_address_format(const struct sp_address *address, char text[SP_ADDRESS_TEXT_MAX])
{
    char host[INET6_ADDRSTRLEN] = "";
    switch (address->kind) {
    case SP_ADDRESS_UNIX:
        (void)snprintf(text, SP_ADDRESS_TEXT_MAX, "unix:%s", address->name);
        break;
    case SP_ADDRESS_SYSTEMD:
        (void)snprintf(text, SP_ADDRESS_TEXT_MAX, "systemd:%s", address->name);
        break;
    case SP_ADDRESS_TCP6:
        (void)inet_ntop(AF_INET6, address->host, host, sizeof host);
        (void)snprintf(text, SP_ADDRESS_TEXT_MAX, "[%s]:%u", host, address->port);
        break;
    default:
        (void)inet_ntop(AF_INET, address->host, host, sizeof host);
        (void)snprintf(text, SP_ADDRESS_TEXT_MAX, "%s:%u", host, address->port);
        break;
    }
}

// ---- What an address means ----------------------------------------------------

bool sp_address_is_local(const struct sp_address *address)
{
    static const uint8_t loopback6[16] = {[15] = 1};
    switch (address->kind) {
    case SP_ADDRESS_TCP4:
        return address->host[0] == 127;
    case SP_ADDRESS_TCP6:
        return memcmp(address->host, loopback6, sizeof loopback6) == 0;
    case SP_ADDRESS_UNIX:
        return true;
    default:
        return false;
    }
}

bool sp_address_clashes(const struct sp_address *a, const struct sp_address *b)
{
    if (a->kind != b->kind) {
        return false;
    }
    switch (a->kind) {
    case SP_ADDRESS_UNIX:
        return strcmp(a->name, b->name) == 0;
    case SP_ADDRESS_SYSTEMD: // without a name it is all of them
        return strcmp(a->name, b->name) == 0 || a->name[0] == '\0' ||
               b->name[0] == '\0';
    default:
        return a->port != 0 && a->port == b->port &&
               memcmp(a->host, b->host, sizeof a->host) == 0;
    }
}

// ---- Sockets ------------------------------------------------------------------

static socklen_t to_unix(const struct sp_address *address, struct sockaddr_storage *to)
{
    struct sockaddr_un path = {.sun_family = AF_UNIX};
    memcpy(path.sun_path, address->name, strlen(address->name) + 1);
    memcpy(to, &path, sizeof path);
    return sizeof path;
}

socklen_t sp_address_to_socket(const struct sp_address *address,
                               struct sockaddr_storage *to)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons(address->port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6,
                               .sin6_port = htons(address->port)};
    memset(to, 0, sizeof *to);
    switch (address->kind) {
    case SP_ADDRESS_TCP4:
        memcpy(&four.sin_addr, address->host, sizeof four.sin_addr);
        memcpy(to, &four, sizeof four);
        return sizeof four;
    case SP_ADDRESS_TCP6:
        memcpy(&six.sin6_addr, address->host, sizeof six.sin6_addr);
        memcpy(to, &six, sizeof six);
        return sizeof six;
    case SP_ADDRESS_UNIX:
        return to_unix(address, to);
    default:
        return 0;
    }
}

// A socket without a path has none here either, and one with an abstract name too.
static void of_unix(const struct sockaddr_storage *from,
                    socklen_t length,
                    struct sp_address *address)
{
    size_t skip = offsetof(struct sockaddr_un, sun_path);
    size_t bytes = length > skip ? length - skip : 0;
    bytes = bytes < PATH_BYTES_MAX ? bytes : PATH_BYTES_MAX;
    address->kind = SP_ADDRESS_UNIX;
    memcpy(address->name, (const char *)from + skip, bytes);
}

bool sp_address_of_socket(const struct sockaddr_storage *from,
                          socklen_t length,
                          struct sp_address *address)
{
    struct sp_address found = {0};
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    if (from->ss_family == AF_INET && length >= sizeof four) {
        memcpy(&four, from, sizeof four);
        found.port = ntohs(four.sin_port);
        memcpy(found.host, &four.sin_addr, sizeof four.sin_addr);
    } else if (from->ss_family == AF_INET6 && length >= sizeof six) {
        memcpy(&six, from, sizeof six);
        found.kind = SP_ADDRESS_TCP6;
        found.port = ntohs(six.sin6_port);
        memcpy(found.host, &six.sin6_addr, sizeof six.sin6_addr);
        unmap(&found);
    } else if (from->ss_family == AF_UNIX) {
        of_unix(from, length, &found);
    } else {
        return false;
    }
    *address = found;
    return true;
}
