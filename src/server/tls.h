// SPDX-License-Identifier: MIT
// One connection that speaks TLS 1.2 or 1.3, at a socket that does not block. Its
// functions behave like those of a socket.
//
// Owner: the loop thread of the connection.
#ifndef SERVER_TLS_H
#define SERVER_TLS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>
#include <sys/uio.h>

#include <snakepit/errors.h>

struct sp_tls;
struct sp_tls_context; // server/tls_context.h

// The longest subject of a client's certificate, as text, with its end. Who has a
// longer one is refused.
#define SP_TLS_SUBJECT_SIZE 256u

// What client and daemon have agreed to speak (ALPN).
enum sp_alpn {
    SP_ALPN_NONE = 0, // the client has offered nothing, or there is no TLS
    SP_ALPN_HTTP_1,
    SP_ALPN_HTTP_2,
};

enum sp_tls_step {
    SP_TLS_OPEN = 0, // it is done
    SP_TLS_WAITS,    // for the client
    SP_TLS_FAILED,   // the connection is to be closed
    SP_TLS_LEFT,     // the client has gone away before it was done
    SP_TLS_IS_HTTP,  // the client has sent a request as it is
};

// Keeps `context` and `fd`, which stays the caller's. NO_MEMORY.
snakepit_err sp_tls_new(struct sp_tls_context *context, int fd, struct sp_tls **tls);
// Says nothing to the client. NULL is fine.
void sp_tls_free(struct sp_tls *tls);

// Goes on with the handshake. Nothing else is called before it is open.
enum sp_tls_step sp_tls_shake_hands(struct sp_tls *tls);
// Why it has failed: a constant text.
const char *sp_tls_failure(const struct sp_tls *tls);
enum sp_alpn sp_tls_alpn(const struct sp_tls *tls);
// Whose certificate the client has shown, as RFC 2253 writes it: "CN=build,O=Example";
// NULL: it had to show none. Lives as long as `tls`.
const char *sp_tls_subject(const struct sp_tls *tls);

// As recv(2): -1 with EAGAIN if there is nothing now; EPROTO: what comes is not right.
// `buffered`: takes only what the socket has given already.
ssize_t sp_tls_receive(struct sp_tls *tls, void *room, size_t size, bool buffered);
// Something may be received that the socket will not tell of.
bool sp_tls_is_pending(const struct sp_tls *tls);
// As writev(2). After EAGAIN, and where less was taken, the next call begins with the
// bytes that are left, wherever they lie by then.
ssize_t sp_tls_send(struct sp_tls *tls, const struct iovec *parts, size_t count);
// Says that nothing more is sent. False: there is no room for that yet.
bool sp_tls_finish(struct sp_tls *tls);

// Either direction may have to wait for the other one. For which events (base/loop.h)
// the socket is to be watched where these are wanted; and which of these there are
// where those have happened.
unsigned sp_tls_to_watch(const struct sp_tls *tls, unsigned wanted);
unsigned sp_tls_to_tell(const struct sp_tls *tls, unsigned happened);

#endif
