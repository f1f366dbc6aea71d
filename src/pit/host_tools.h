// SPDX-License-Identifier: MIT
// What the program registers for tools to call: a name, in one session or in all, and a
// function.
#ifndef PIT_HOST_TOOLS_H
#define PIT_HOST_TOOLS_H

#include <pthread.h>
#include <stdbool.h>

#include <snakepit/snakepit.h>

#include "base/list.h"
#include "base/names.h"
#include "base/slice.h"

// Any thread.
struct sp_host_tools {
    pthread_mutex_t lock; // guards what follows
    pthread_cond_t ended; // some function has returned
    struct sp_names names;
    struct sp_link all; // in the order of their registration
};

struct sp_host_tool; // one entry

void sp_host_tools_init(struct sp_host_tools *tools, const struct sp_hash_key *key);
// No function runs any more.
void sp_host_tools_fini(struct sp_host_tools *tools);

// What is registered. `name` and `session` (empty: all sessions) are borrowed.
struct sp_host_tool_spec {
    struct sp_slice session;
    struct sp_slice name;
    const char *description; // "" for none
    snakepit_tool_fn *function;
    void *user;
};

// INVALID_ARGUMENT: the name is taken. NO_MEMORY.
snakepit_err sp_host_tools_add(struct sp_host_tools *tools,
                               const struct sp_host_tool_spec *spec);
// With `wait` it returns when the function runs nowhere any more. NOT_FOUND.
snakepit_err sp_host_tools_remove(struct sp_host_tools *tools,
                                  struct sp_slice session,
                                  struct sp_slice name,
                                  bool wait);
// Removes the tools of one session, without waiting.
void sp_host_tools_end_session(struct sp_host_tools *tools, struct sp_slice session);

// One use of a tool: the session's own or else that of all. NULL: there is none.
// `*spec` is valid until sp_host_tools_release().
struct sp_host_tool *sp_host_tools_use(struct sp_host_tools *tools,
                                       struct sp_slice session,
                                       struct sp_slice name,
                                       struct sp_host_tool_spec *spec);
void sp_host_tools_release(struct sp_host_tools *tools, struct sp_host_tool *tool);

// Writes a map of name to description of all that a session may call.
void sp_host_tools_list(struct sp_host_tools *tools,
                        struct sp_slice session,
                        snakepit_writer *result);
// Appends "; did you mean ..." to `why` where some name is like this one.
void sp_host_tools_hint(struct sp_host_tools *tools,
                        struct sp_slice session,
                        struct sp_slice name,
                        snakepit_message *why);

#endif
