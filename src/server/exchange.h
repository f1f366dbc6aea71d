// SPDX-License-Identifier: MIT
// One request and its answer, whatever protocol they cross in. The protocol makes it
// and hands it to a handler when the request is whole; the handler answers it once, now
// or later, at once or piece by piece.
//
// Owner: the loop thread of its connection. Everything here runs there.
#ifndef SERVER_EXCHANGE_H
#define SERVER_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <snakepit/errors.h>
#include <snakepit/fault.h>

#include "base/slice.h"

struct sp_door;
struct sp_exchange;
struct sp_grant;
struct sp_peer;
struct sp_serve_loop;
struct sp_unfinished;

enum sp_method {
    SP_METHOD_GET = 0,
    SP_METHOD_HEAD,
    SP_METHOD_POST,
    SP_METHOD_PUT,
    SP_METHOD_DELETE,
    SP_METHOD_OPTIONS,
    SP_METHOD_OTHER, // one that nothing here answers
};

// A header field. Names are in lower case; values have no blanks around them.
struct sp_field {
    struct sp_slice name;
    struct sp_slice value;
};

// What was asked. All of it is borrowed from the protocol until the exchange ends.
struct sp_request {
    enum sp_method method;
    bool secure;           // it came over TLS
    uint8_t version;       // of HTTP: 1 or 2
    bool streaming;        // the body is still to come: the listener is told
    bool grpc;             // the API has found that it is
    struct sp_slice path;  // as it was sent, still percent-encoded, without the query
    struct sp_slice query; // behind the '?', or empty
    struct sp_slice host;  // the authority
    const struct sp_field *fields;
    size_t field_count;
    struct sp_slice body; // whole, without any framing; empty while it is `streaming`
    struct sp_buf *body_buf; // that holds nothing but the body; NULL: it is elsewhere
};

// More fields than this are refused.
#define SP_FIELDS_MOST 100u

// Why a request is not served. A status of 0: it is fine.
struct sp_refusal {
    unsigned status; // 400, 413, 414, 417, 431, 501, 505
    const char *why; // for the client; constant
};

// The beginning of an answer. Borrows all of it until the function returns.
struct sp_reply {
    unsigned status;               // 200
    const char *type;              // Content-Type; NULL: there is no body
    const struct sp_field *fields; // more header fields
    size_t field_count;
};

// What a protocol does for its exchanges.
struct sp_exchange_ops {
    void (*reply)(struct sp_exchange *exchange,
                  const struct sp_reply *reply,
                  struct sp_slice body);
    void (*begin)(struct sp_exchange *exchange, const struct sp_reply *reply);
    snakepit_err (*send)(struct sp_exchange *exchange, struct sp_slice bytes);
    void (*end)(struct sp_exchange *exchange,
                const struct sp_field *trailers,
                size_t count);
    void (*fail)(struct sp_exchange *exchange);
    // NULL: as `end`.
    void (*expire)(struct sp_exchange *exchange,
                   const struct sp_field *trailers,
                   size_t count);
    size_t (*room)(const struct sp_exchange *exchange);
    // Of protocols that have bodies which stream; else NULL.
    void (*taken)(struct sp_exchange *exchange, size_t bytes);
};

// What a handler is told. An exchange that nobody waits for has none.
struct sp_exchange_listener {
    // The client has gone away or given the request up. The exchange is no more when
    // this returns: nothing of it may be used any longer.
    void (*gone)(void *user);
    // There is room again, after sp_exchange_room() was 0. NULL: it does not care.
    void (*writable)(void *user);
    // Of a request that is `streaming`; else NULL. More of the body has come, borrowed
    // until this returns. The client may send as much again once the handler calls
    // sp_exchange_taken().
    void (*received)(void *user, struct sp_slice bytes);
    // The body is whole.
    void (*complete)(void *user);
};

struct sp_exchange {
    const struct sp_exchange_ops *ops;
    struct sp_serve_loop *loop;
    const struct sp_peer *peer;
    struct sp_request request;
    const struct sp_exchange_listener *listener; // set by a handler that answers later
    void *user;                                  // of the listener
    // What the client may do: set by the handler, once it has asked sp_grant_of(), for
    // what it calls before it returns.
    const struct sp_grant *grant;
    struct sp_unfinished *unfinished; // of a protocol that counts it; else NULL
    // Of a door that tells faults in its own way: answers the exchange, and so ends it,
    // instead of a problem document. NULL: as HTTP does.
    void (*tell_fault)(struct sp_exchange *exchange, const snakepit_fault *fault);
    void *own; // of that door; it outlives the exchange
};

#define SP_PEER_ADDRESS_SIZE 64u

// Who is at the other end. Constant while the connection lives.
struct sp_peer {
    char address[SP_PEER_ADDRESS_SIZE]; // for the log: "127.0.0.1:51210", "unix
                                        // uid=1000 pid=4711"
    const struct sp_door *door;         // which listener it came through
    uint32_t pid;                       // of a Unix socket; else 0
    uint32_t uid;
    bool excluded; // is none of the `users` of the listener: it gets nothing
    // The subject of the certificate that the client had to show (`client_ca`), such as
    // "CN=build,O=Example"; NULL: none.
    const char *certificate;
};

// ---- Handlers -------------------------------------------------------------------

// Answers with `body`, which is borrowed until this returns, and which a protocol
// leaves out of the answer to HEAD. Ends the exchange: it must not be used any longer.
// Where memory runs out the connection is closed instead.
static inline void sp_exchange_reply(struct sp_exchange *exchange,
                                     const struct sp_reply *reply,
                                     struct sp_slice body)
{
    exchange->ops->reply(exchange, reply, body);
}

// Begins an answer whose body comes piece by piece.
static inline void sp_exchange_begin(struct sp_exchange *exchange,
                                     const struct sp_reply *reply)
{
    exchange->ops->begin(exchange, reply);
}

// Sends a piece of the body; copies it. More than there is room for is taken as well,
// but a handler asks for the room before it makes the next piece. NO_MEMORY: the piece
// was not taken; fail the exchange.
static inline snakepit_err sp_exchange_send(struct sp_exchange *exchange,
                                            struct sp_slice bytes)
{
    return exchange->ops->send(exchange, bytes);
}

// Ends the body and the exchange.
static inline void sp_exchange_end(struct sp_exchange *exchange)
{
    exchange->ops->end(exchange, NULL, 0);
}

// The same with fields that follow the body, borrowed until this returns. HTTP/1.1
// leaves them out.
static inline void sp_exchange_end_with(struct sp_exchange *exchange,
                                        const struct sp_field *trailers,
                                        size_t count)
{
    exchange->ops->end(exchange, trailers, count);
}

// The same for a client that waits no longer, since its time is up: what cannot be sent
// now never is, and the client sees that the body is not whole.
static inline void sp_exchange_expire(struct sp_exchange *exchange,
                                      const struct sp_field *trailers,
                                      size_t count)
{
    if (exchange->ops->expire != NULL) {
        exchange->ops->expire(exchange, trailers, count);
    } else {
        exchange->ops->end(exchange, trailers, count);
    }
}

// Of a request that is `streaming`: the handler is done with so many bytes of its body,
// and the client may send as many more.
static inline void sp_exchange_taken(struct sp_exchange *exchange, size_t bytes)
{
    exchange->ops->taken(exchange, bytes);
}

// Ends the exchange so that the client sees that its body is not whole.
static inline void sp_exchange_fail(struct sp_exchange *exchange)
{
    exchange->ops->fail(exchange);
}

// Takes the body, which lives on in `body` when the exchange has ended. False: it is
// the protocol's alone.
static inline bool sp_exchange_take_body(struct sp_exchange *exchange,
                                         struct sp_buf *body)
{
    struct sp_buf *buf = exchange->request.body_buf;
    if (buf == NULL) {
        return false;
    }
    *body = *buf;
    *buf = (struct sp_buf){0};
    exchange->request.body_buf = NULL;
    return true;
}

// Bytes that the client can be sent now before they pile up here. 0: wait for
// `writable`.
static inline size_t sp_exchange_room(const struct sp_exchange *exchange)
{
    return exchange->ops->room(exchange);
}

// ---- Calls that nobody waits for ----------------------------------------------------

// A call that was cancelled goes on until its tool has heard of it. Where a client has
// many requests on one connection these count as well, or it could begin and give up
// call after call.

// Within `gone`: the call counts until sp_unfinished_end().
struct sp_unfinished *sp_unfinished_begin(struct sp_exchange *exchange);
// It has ended. The thread of the loop, or any once that has ended. NULL is fine.
void sp_unfinished_end(struct sp_unfinished *unfinished);

// Those of one connection. NULL: no memory.
struct sp_unfinished *sp_unfinished_new(void);
// Of its owner, who does not ask any longer. NULL is fine.
void sp_unfinished_free(struct sp_unfinished *unfinished);
size_t sp_unfinished_count(const struct sp_unfinished *unfinished);

// ---- Protocols ------------------------------------------------------------------

// What a request's method is called in upper case, as it is sent.
enum sp_method sp_method_of(struct sp_slice name);

// ---- Requests -------------------------------------------------------------------

// The value of the header field `name` (in lower case); NULL data: it is not there. Of
// several the first.
struct sp_slice sp_request_field(const struct sp_request *request, const char *name);
// The same where there is one of it; of several none.
struct sp_slice sp_request_only_field(const struct sp_request *request,
                                      const char *name);

#endif
