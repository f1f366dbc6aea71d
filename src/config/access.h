// SPDX-License-Identifier: MIT
// What a client may do, in words that tokens and the rows of the doors share.
#ifndef CONFIG_ACCESS_H
#define CONFIG_ACCESS_H

// A bit each. A request needs one of them, a token has some.
enum sp_access {
    SP_ACCESS_OPEN = 0,    // needs no token
    SP_ACCESS_CALL = 1,    // calls tools, and uses sessions
    SP_ACCESS_OBSERVE = 2, // looks at pools and their tools
    SP_ACCESS_ADMIN = 4,   // changes pools and workers
};
#define SP_ACCESS_ALL 7U

#endif
