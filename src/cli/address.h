// SPDX-License-Identifier: MIT
// Where a daemon is, as --connect and $SNAKEPIT_CONNECT say it.
#ifndef CLI_ADDRESS_H
#define CLI_ADDRESS_H

#include <stdbool.h>

#include <snakepit/payload.h>

#define SP_CLI_URL_SIZE    1024u
#define SP_CLI_SOCKET_SIZE 108u // of a Unix socket's path, with its zero

// Of an address, "unix:/run/local.sock".
#define SP_CLI_IS_LOCAL_DOOR                                                       \
    "%s is a local door, by which programs use pools; this command asks by HTTP: " \
    "name another address of the daemon, that of an item of `serve: listen` "      \
    "without `door: local`"

struct sp_cli_address {
    char shown[SP_CLI_URL_SIZE]; // for people: "http://127.0.0.1:8470", "unix:/run/x"
    char base[SP_CLI_URL_SIZE];  // before the path of a request, without a '/' at
                                 // its end: "http://127.0.0.1:8470"
    char socket[SP_CLI_SOCKET_SIZE]; // the path of a Unix socket; "": there is none
    bool abstract;                   // that is no path, but a name that is in no folder
    bool secure;                     // by TLS
    bool local;                      // loopback or a Unix socket
};

// Reads "http://host:port", "https://host:port", either with a path that comes before
// all others, or "unix:/path". INVALID_ARGUMENT: `why` says what is wrong with it and
// what an address looks like.
snakepit_err sp_cli_address_read(const char *text,
                                 struct sp_cli_address *address,
                                 snakepit_message *why);

#endif
