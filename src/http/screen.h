// SPDX-License-Identifier: MIT
// Which requests a browser was made to send by a page that is none of ours. Such a page
// reaches what listens on loopback: by its own name, once that leads there (DNS
// rebinding), or by the daemon's, and then the browser says whose page it is.
#ifndef HTTP_SCREEN_H
#define HTTP_SCREEN_H

#include <stdbool.h>

#include "base/slice.h"
#include "config/config.h"

// Whether `origin`, as a browser sends it, is one of `origins` of the configuration
// ("https://app.example.com"), letter by letter.
bool sp_origin_is_named(struct sp_slice origin, const struct sp_texts *origins);
// Whether it is that of the very host that was asked: a page of ours.
bool sp_origin_is_own(struct sp_slice origin, bool secure, struct sp_slice host);

// Whether a request to a loopback listener is meant for it: its `host` is an address of
// loopback, "localhost", what the listener is bound to ("127.0.0.1:8470"), or the host
// of an origin. Ports do not matter. One that says no host does not come from a
// browser.
bool sp_host_is_ours(struct sp_slice host,
                     const char *bound,
                     const struct sp_texts *origins);

#endif
