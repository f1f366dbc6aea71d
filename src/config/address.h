// SPDX-License-Identifier: MIT
// Where a daemon listens: "127.0.0.1:8470", "[::1]:8470", "localhost:8470",
// "unix:/run/snakepit/http.sock", "systemd:NAME". Text both ways, without a system
// call: an address is plain data.
#ifndef CONFIG_ADDRESS_H
#define CONFIG_ADDRESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <snakepit/payload.h>

enum sp_address_kind {
    SP_ADDRESS_TCP4 = 0,
    SP_ADDRESS_TCP6,
    SP_ADDRESS_UNIX,
    SP_ADDRESS_SYSTEMD, // a socket that systemd has opened
};

// Plain data. Copy it as you like.
struct sp_address {
    enum sp_address_kind kind;
    uint16_t port;    // of TCP; 0: any that is free
    uint8_t host[16]; // of TCP: 4 or 16 bytes, as in a packet
    // UNIX: the path, absolute if its folder was given. SYSTEMD: the FileDescriptorName
    // of the socket; "": all that systemd hands over.
    char name[256];
};

#define SP_ADDRESS_TEXT_MAX (sizeof "systemd:" + 256)

// Reads an address. Relative paths of sockets count from `directory`; NULL: they stay
// as they are. False: `why`, which may be NULL, says what was expected and what was
// found. `address` is written on success only.
bool sp_address_parse(const char *text,
                      const char *directory,
                      struct sp_address *address,
                      snakepit_message *why);

// Writes it so that sp_address_parse() reads it back; localhost as numbers.
void sp_address_format(const struct sp_address *address,
                       char text[SP_ADDRESS_TEXT_MAX]);

// True if none but this machine reaches it: loopback and Unix sockets. False for
// SYSTEMD, of which only the socket itself can say: see sp_address_of_socket().
bool sp_address_is_local(const struct sp_address *address);

// True if one socket cannot listen while the other does.
bool sp_address_clashes(const struct sp_address *a, const struct sp_address *b);

// What bind(2) takes; its length. 0: of SYSTEMD there is nothing to bind.
socklen_t sp_address_to_socket(const struct sp_address *address,
                               struct sockaddr_storage *to);
// From what getsockname(2) gave. False: of a family that there is no address for.
bool sp_address_of_socket(const struct sockaddr_storage *from,
                          socklen_t length,
                          struct sp_address *address);

#endif
