// SPDX-License-Identifier: MIT
// Any bytes as what a client sends to a listener with TLS. It never gets as far as to
// be served, what is wrong has a reason, and however the bytes are split the end is the
// same. Which of several reasons is found first may differ.
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>

#include "base/check.h"
#include "fuzz.h"
#include "server/tls.h"
#include "server/tls_context.h"
#include "support/certificates.h"

#define MOST 2048u

static struct sp_tls_context *open_context(void)
{
    char folder[] = "/tmp/snakepit-fuzz-XXXXXX";
    char certificate[64];
    char key[64];
    struct sp_tls_context *context = NULL;
    snakepit_message why;
    SP_CHECK(mkdtemp(folder) != NULL);
    (void)snprintf(certificate, sizeof certificate, "%s/c", folder);
    (void)snprintf(key, sizeof key, "%s/k", folder);
    struct identity own = make_identity("localhost", NULL, -1, 30);
    write_certificate(certificate, &own);
    write_key(key, &own, NULL);
    forget_identity(&own);
    const struct sp_tls_config config = {.certificate = certificate, .key = key};
    SP_CHECK(sp_tls_context_open(&config, 0, &context, &why) == SNAKEPIT_OK);
    SP_CHECK(unlink(certificate) == 0 && unlink(key) == 0 && rmdir(folder) == 0);
    return context;
}

// The daemon's answers are not to fill the socket.
static void drink(int client)
{
    char room[4096];
    while (recv(client, room, sizeof room, MSG_DONTWAIT) > 0) {
    }
}

static enum sp_tls_step
say(struct sp_tls_context *context, const uint8_t *bytes, size_t size, size_t step)
{
    int ends[2];
    struct sp_tls *tls = NULL;
    enum sp_tls_step now = SP_TLS_WAITS;
    SP_CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) == 0);
    SP_CHECK(sp_tls_new(context, ends[1], &tls) == SNAKEPIT_OK);
    for (size_t at = 0; at < size && now == SP_TLS_WAITS; at += step) {
        size_t piece = size - at < step ? size - at : step;
        SP_CHECK(send(ends[0], bytes + at, piece, MSG_NOSIGNAL) == (ssize_t)piece);
        now = sp_tls_shake_hands(tls);
        drink(ends[0]);
    }
    if (now == SP_TLS_WAITS) {
        SP_CHECK(shutdown(ends[0], SHUT_WR) == 0);
        now = sp_tls_shake_hands(tls);
    }
    SP_CHECK(now != SP_TLS_OPEN && now != SP_TLS_WAITS);
    SP_CHECK(sp_tls_failure(tls) != NULL && ERR_peek_error() == 0);
    SP_CHECK(sp_tls_finish(tls));
    sp_tls_free(tls);
    (void)close(ends[0]);
    (void)close(ends[1]);
    return now;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct sp_tls_context *context;
    if (size < 2 || size > MOST) {
        return 0;
    }
    if (context == NULL) {
        context = open_context();
    }
    const enum sp_tls_step whole = say(context, data + 1, size - 1, size - 1);
    const enum sp_tls_step parts = say(context, data + 1, size - 1, data[0] % 64 + 1);
    SP_CHECK(whole == parts);
    return 0;
}
