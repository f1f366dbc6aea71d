// SPDX-License-Identifier: MIT
// The table is short, so a path is compared with each pattern. A pattern is walked
// beside the path, which stays encoded until its parts are known: so a name may hold
// "%2F", and a verb is known by a ':' that is not encoded.
#include "api/router.h"

#include <stdio.h>
#include <string.h>

#include "http/percent.h"

#define SP_ROUTE(method, pattern, handler, scope, operation, summary) \
    {SP_METHOD_##method, pattern, SP_ACCESS_##scope, operation, summary},
const struct sp_route sp_routes[SP_ROUTES] = {
#include "api/routes.def"
};
#undef SP_ROUTE

struct found {
    struct sp_slice parts[SP_PARAMS_MAX]; // encoded
    size_t count;
};

static size_t to_slash(const uint8_t *text, size_t size)
{
    const uint8_t *slash = memchr(text, '/', size);
    return slash == NULL ? size : (size_t)(slash - text);
}

static bool ends_with(struct sp_slice text, struct sp_slice tail)
{
    return text.size >= tail.size &&
           memcmp(text.data + text.size - tail.size, tail.data, tail.size) == 0;
}

// One segment: "{name}", with or without a verb, or what must be there.
static bool
segment_fits(struct sp_slice pattern, struct sp_slice path, struct found *found)
{
    if (pattern.size == 0 || pattern.data[0] != '{') {
        return pattern.size == path.size && ends_with(path, pattern);
    }
    const uint8_t *end = memchr(pattern.data, '}', pattern.size);
    const size_t named = (size_t)(end - pattern.data) + 1;
    const struct sp_slice verb = {pattern.data + named, pattern.size - named};
    if (path.size == verb.size || !ends_with(path, verb)) {
        return false;
    }
    found->parts[found->count++] = (struct sp_slice){path.data, path.size - verb.size};
    return true;
}

static bool path_fits(const char *pattern, struct sp_slice path, struct found *found)
{
    struct sp_slice left = sp_slice_of_text(pattern);
    found->count = 0;
    for (;;) {
        const size_t wanted = to_slash(left.data, left.size);
        const size_t given = to_slash(path.data, path.size);
        if (!segment_fits((struct sp_slice){left.data, wanted},
                          (struct sp_slice){path.data, given},
                          found)) {
            return false;
        }
        if (wanted == left.size || given == path.size) {
            return wanted == left.size && given == path.size;
        }
        left = (struct sp_slice){left.data + wanted + 1, left.size - wanted - 1};
        path = (struct sp_slice){path.data + given + 1, path.size - given - 1};
    }
}

// The first row from `from` on that has the path; SP_ROUTES: none has. Rows of one path
// have one pattern: where a verb fits, the row without it is not meant.
static size_t next_fit(size_t from, struct sp_slice path, struct found *found)
{
    if (path.size == 0) {
        return SP_ROUTES;
    }
    while (from < SP_ROUTES && !path_fits(sp_routes[from].pattern, path, found)) {
        from++;
    }
    return from;
}

static bool is_same_path(size_t row, size_t other)
{
    return strcmp(sp_routes[row].pattern, sp_routes[other].pattern) == 0;
}

// The first row from `first` on that has its path and the method; SP_ROUTES: none has.
static size_t find_method(size_t first, enum sp_method method)
{
    size_t row = first;
    while (row < SP_ROUTES &&
           (sp_routes[row].method != method || !is_same_path(first, row))) {
        row++;
    }
    return row;
}

// The first row behind `row` that has another path. Where a path without parts has not
// the method, one with parts may: "DELETE /v1/calls/recent" names a call.
static size_t next_path(size_t row)
{
    size_t next = row;
    while (next < SP_ROUTES && is_same_path(row, next)) {
        next++;
    }
    return next;
}

static bool decode(const struct found *found, struct sp_params *params)
{
    for (size_t i = 0; i < found->count; i++) {
        if (!sp_percent_decode(found->parts[i], params->of[i], SP_PARAM_SIZE)) {
            return false;
        }
    }
    return true;
}

enum sp_match sp_route_find(enum sp_method method,
                            struct sp_slice path,
                            enum sp_route_id *route,
                            struct sp_params *params)
{
    struct found found;
    const size_t first = next_fit(0, path, &found);
    if (first == SP_ROUTES) {
        return SP_MATCH_NO_PATH;
    }
    method = method == SP_METHOD_HEAD ? SP_METHOD_GET : method;
    size_t row = find_method(first, method);
    if (row == SP_ROUTES && strchr(sp_routes[first].pattern, '{') == NULL) {
        row = find_method(next_fit(next_path(first), path, &found), method);
    }
    if (row >= SP_ROUTES) {
        return SP_MATCH_NO_METHOD;
    }
    *route = (enum sp_route_id)row;
    return decode(&found, params) ? SP_MATCH_FOUND : SP_MATCH_MALFORMED;
}

const char *sp_route_allowed(struct sp_slice path, char room[SP_ALLOW_SIZE])
{
    static const char *const names[] = {[SP_METHOD_GET] = "GET, HEAD, ",
                                        [SP_METHOD_POST] = "POST, ",
                                        [SP_METHOD_PUT] = "PUT, ",
                                        [SP_METHOD_DELETE] = "DELETE, "};
    struct found found;
    const size_t first = next_fit(0, path, &found);
    size_t size = 0;
    room[0] = '\0';
    for (size_t i = first; i < SP_ROUTES; i++) {
        if (is_same_path(first, i)) {
            size += (size_t)snprintf(
                room + size, SP_ALLOW_SIZE - size, "%s", names[sp_routes[i].method]);
        }
    }
    if (size > 0) {
        (void)snprintf(room + size, SP_ALLOW_SIZE - size, "OPTIONS");
    }
    return room;
}
