// SPDX-License-Identifier: MIT
// Which row of api/routes.def a request is for.
#ifndef API_ROUTER_H
#define API_ROUTER_H

#include "config/access.h"
#include "server/exchange.h"

#define SP_PARAMS_MAX 2u   // in one path
#define SP_PARAM_SIZE 256u // bytes of one, with a zero behind it

#define SP_ROUTE(method, pattern, handler, scope, operation, summary) \
    SP_ROUTE_##handler,
enum sp_route_id {
#include "api/routes.def"
    SP_ROUTES,
};
#undef SP_ROUTE

struct sp_route {
    enum sp_method method;
    const char *pattern;
    enum sp_access access;
    const char *operation;
    const char *summary;
};

extern const struct sp_route sp_routes[SP_ROUTES];

// What the path says, decoded, in the order of the pattern.
struct sp_params {
    char of[SP_PARAMS_MAX][SP_PARAM_SIZE];
};

enum sp_match {
    SP_MATCH_FOUND = 0,
    SP_MATCH_NO_PATH,   // nothing has this path
    SP_MATCH_NO_METHOD, // something has, but not with this method
    SP_MATCH_MALFORMED, // a part of it is badly encoded or too long
};

// `route` and `params` are set where it was found. HEAD is taken for GET.
enum sp_match sp_route_find(enum sp_method method,
                            struct sp_slice path,
                            enum sp_route_id *route,
                            struct sp_params *params);

#define SP_ALLOW_SIZE 64u
// What methods a path has, for `Allow`: "GET, HEAD, OPTIONS"; "" if it is not there.
// Returns `room`.
const char *sp_route_allowed(struct sp_slice path, char room[SP_ALLOW_SIZE]);

#endif
