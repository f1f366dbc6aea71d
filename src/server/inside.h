// SPDX-License-Identifier: MIT
// What the server and its loops share.
#ifndef SERVER_INSIDE_H
#define SERVER_INSIDE_H

#include <pthread.h>
#include <stdatomic.h>

#include "server/offload.h"
#include "server/server.h"

// Constant but for what is atomic or guarded.
struct sp_server {
    struct sp_server_options options;
    struct sp_doors doors;
    struct sp_budget budget;
    struct sp_serve_loop *loops;
    size_t loop_count;
    struct sp_offload offload;
    atomic_size_t listening; // loops that watch the doors
    atomic_bool draining;
    atomic_bool stopping;
    atomic_uint asked;     // by sp_server_is_alive()
    _Atomic uint64_t told; // ns, when a shortage was logged
    pthread_mutex_t lock;
    pthread_cond_t all_gone;
    // Guarded by `lock`.
    size_t connections;
    bool closed; // the listeners are, by a drain
};

// Makes one that does not run yet. SYSTEM, NO_MEMORY, and what a queue can be refused
// for: what was made is ended by sp_serve_loop_end().
snakepit_err sp_serve_loop_init(struct sp_serve_loop *serve,
                                struct sp_server *server,
                                snakepit_message *why);
// SYSTEM.
snakepit_err sp_serve_loop_start(struct sp_serve_loop *serve, snakepit_message *why);
// Waits for the end of its thread, if it has one. `stopping` is set.
void sp_serve_loop_join(struct sp_serve_loop *serve);
// Once none of the threads is left.
void sp_serve_loop_end(struct sp_serve_loop *serve);

// Logs what is odd about them.
void sp_server_warn_of_certificates(const struct sp_server *server);

#endif
