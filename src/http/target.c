// SPDX-License-Identifier: MIT
// By RFC 9112, section 3.2, and RFC 3986. A query may have what browsers send there
// without encoding it; a path may not, since it decides which tool is called.
#include "http/target.h"

#include <string.h>
#include <strings.h>

#include "http/chars.h"

// What is left of `text` behind its first `bytes` bytes.
static struct sp_slice behind(struct sp_slice text, size_t bytes)
{
    return (struct sp_slice){text.data + bytes, text.size - bytes};
}

// Bytes of `text` before the first `byte`, or all.
static size_t until(struct sp_slice text, uint8_t byte)
{
    const uint8_t *found = text.size != 0 ? memchr(text.data, byte, text.size) : NULL;
    return found != NULL ? (size_t)(found - text.data) : text.size;
}

// Whether the '%' at `at` begins an encoded byte that is not zero.
static bool is_encoded(struct sp_slice text, size_t at)
{
    if (text.size - at < 3) {
        return false;
    }
    int high = sp_char_hex(text.data[at + 1]);
    int low = sp_char_hex(text.data[at + 2]);
    return high >= 0 && low >= 0 && high + low != 0;
}

static bool is_made_of(struct sp_slice text, enum sp_char kind)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!sp_char_is(text.data[i], kind) ||
            (text.data[i] == '%' && !is_encoded(text, i))) {
            return false;
        }
    }
    return true;
}

static bool read_path(struct sp_slice text, struct sp_target *target)
{
    size_t path = until(text, '?');
    target->path = (struct sp_slice){text.data, path};
    target->query = path < text.size ? behind(text, path + 1) : behind(text, path);
    return is_made_of(target->path, SP_CHAR_PATH) &&
           is_made_of(target->query, SP_CHAR_QUERY);
}

// Bytes of the scheme and its "://"; 0: it has none that is served here.
static size_t scheme_of(struct sp_slice text)
{
    static const char *const schemes[] = {"http://", "https://"};
    for (size_t i = 0; i < 2; i++) {
        size_t size = strlen(schemes[i]);
        if (text.size > size &&
            strncasecmp((const char *)text.data, schemes[i], size) == 0) {
            return size;
        }
    }
    return 0;
}

static bool read_absolute(struct sp_slice text, struct sp_target *target)
{
    static const uint8_t root[] = "/";
    struct sp_slice rest = behind(text, scheme_of(text));
    size_t path = until(rest, '/');
    size_t query = until(rest, '?');
    size_t size = path < query ? path : query;
    target->authority = (struct sp_slice){rest.data, size};
    if (size == 0 || !sp_target_host_is_valid(target->authority) ||
        !read_path(behind(rest, size), target)) {
        return false;
    }
    if (target->path.size == 0) {
        target->path = (struct sp_slice){root, 1};
    }
    return true;
}

bool sp_target_read(struct sp_slice text, struct sp_target *target)
{
    *target = (struct sp_target){.query = behind(text, text.size)};
    if (text.size == 1 && text.data[0] == '*') {
        target->path = text;
        return true;
    }
    if (text.size != 0 && text.data[0] == '/') {
        return read_path(text, target);
    }
    return scheme_of(text) != 0 && read_absolute(text, target);
}

// Hexadecimal digits, colons, and the dots of an IPv4 address at its end.
static bool is_ipv6(struct sp_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        uint8_t byte = text.data[i];
        if (sp_char_hex(byte) < 0 && byte != ':' && byte != '.') {
            return false;
        }
    }
    return text.size >= 2;
}

// Clients of gRPC write the path of a Unix socket so: "run%2Fsnakepit.sock".
static bool is_name(struct sp_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (text.data[i] == '%' ? !is_encoded(text, i)
                                : !sp_char_is(text.data[i], SP_CHAR_HOST)) {
            return false;
        }
    }
    return true;
}

bool sp_target_host_is_valid(struct sp_slice host)
{
    bool bracket = host.size != 0 && host.data[0] == '[';
    size_t name = until(host, bracket ? ']' : ':');
    struct sp_slice rest = behind(host, name);
    if (bracket) {
        if (rest.size == 0 || !is_ipv6((struct sp_slice){host.data + 1, name - 1})) {
            return false;
        }
        rest = behind(rest, 1);
    } else if (!is_name((struct sp_slice){host.data, name})) {
        return false;
    }
    return rest.size == 0 || (rest.data[0] == ':' && rest.size <= 6 && name != 0 &&
                              sp_chars_all(behind(rest, 1), SP_CHAR_DIGIT));
}
