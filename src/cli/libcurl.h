// SPDX-License-Identifier: MIT
// libcurl, which the first command that asks a daemon loads: with all that it needs
// itself it takes longer to load than most commands take to run.
//
// Owner: the main thread.
#ifndef CLI_LIBCURL_H
#define CLI_LIBCURL_H

#include <stdbool.h>

#define CURL_DISABLE_TYPECHECK // which is about calls by name
#include <curl/curl.h>
#include <snakepit/payload.h>

#define SP_CURL_FUNCTIONS(X) \
    X(global_init)           \
    X(global_cleanup)        \
    X(easy_init)             \
    X(easy_cleanup)          \
    X(easy_setopt)           \
    X(easy_perform)          \
    X(easy_getinfo)          \
    X(easy_strerror)         \
    X(multi_init)            \
    X(multi_cleanup)         \
    X(multi_add_handle)      \
    X(multi_remove_handle)   \
    X(multi_info_read)       \
    X(multi_perform)         \
    X(multi_poll)            \
    X(slist_append)          \
    X(slist_free_all)

#define SP_CURL_FIELD(name) __typeof__(curl_##name) *(name);
struct sp_curl {
    SP_CURL_FUNCTIONS(SP_CURL_FIELD)
};
#undef SP_CURL_FIELD

// Its functions, once sp_curl_load() has been true.
extern struct sp_curl sp_curl;

// Loads it, the first time. False: `why` says what is missing.
bool sp_curl_load(snakepit_message *why);

#endif
