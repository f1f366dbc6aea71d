// SPDX-License-Identifier: MIT
#include "http/screen.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

static bool is_same(struct sp_slice one, struct sp_slice other)
{
    return one.size == other.size &&
           strncasecmp((const char *)one.data, (const char *)other.data, one.size) == 0;
}

bool sp_origin_is_named(struct sp_slice origin, const struct sp_texts *origins)
{
    for (size_t i = 0; i < origins->count; i++) {
        const struct sp_slice named = sp_slice_of_text(origins->items[i]);
        if (origin.size == named.size &&
            memcmp(origin.data, named.data, named.size) == 0) {
            return true;
        }
    }
    return false;
}

bool sp_origin_is_own(struct sp_slice origin, bool secure, struct sp_slice host)
{
    const struct sp_slice scheme = sp_slice_of_text(secure ? "https://" : "http://");
    if (host.size == 0 || origin.size < scheme.size) {
        return false;
    }
    return is_same((struct sp_slice){origin.data, scheme.size}, scheme) &&
           is_same(
               (struct sp_slice){origin.data + scheme.size, origin.size - scheme.size},
               host);
}

// "[::1]:8470", "127.0.0.1:8470" and "localhost" without port and brackets.
static struct sp_slice without_port(struct sp_slice host)
{
    if (host.size > 0 && host.data[0] == '[') {
        const uint8_t *end = memchr(host.data, ']', host.size);
        return end == NULL
                   ? host
                   : (struct sp_slice){host.data + 1, (size_t)(end - host.data) - 1};
    }
    const uint8_t *colon = host.size == 0 ? NULL : memchr(host.data, ':', host.size);
    return colon == NULL ? host
                         : (struct sp_slice){host.data, (size_t)(colon - host.data)};
}

static bool ends_in_localhost(struct sp_slice name)
{
    static const char tail[] = ".localhost";
    const size_t size = sizeof tail - 1;
    return name.size > size &&
           strncasecmp((const char *)name.data + name.size - size, tail, size) == 0;
}

static bool is_loopback(struct sp_slice name)
{
    char text[INET6_ADDRSTRLEN];
    struct in_addr four;
    struct in6_addr six;
    if (is_same(name, sp_slice_of_text("localhost")) || ends_in_localhost(name)) {
        return true;
    }
    if (name.size >= sizeof text) {
        return false;
    }
    memcpy(text, name.data, name.size);
    text[name.size] = '\0';
    if (inet_pton(AF_INET, text, &four) == 1) {
        return ntohl(four.s_addr) >> 24 == IN_LOOPBACKNET;
    }
    return inet_pton(AF_INET6, text, &six) == 1 && IN6_IS_ADDR_LOOPBACK(&six);
}

// The host of "https://app.example.com:8443".
static struct sp_slice host_of_origin(const char *origin)
{
    const char *host = strstr(origin, "://");
    return without_port(sp_slice_of_text(host == NULL ? origin : host + 3));
}

bool sp_host_is_ours(struct sp_slice host,
                     const char *bound,
                     const struct sp_texts *origins)
{
    const struct sp_slice name = without_port(host);
    if (host.size == 0 || is_loopback(name) ||
        is_same(name, without_port(sp_slice_of_text(bound)))) {
        return true;
    }
    for (size_t i = 0; i < origins->count; i++) {
        if (is_same(name, host_of_origin(origins->items[i]))) {
            return true;
        }
    }
    return false;
}
