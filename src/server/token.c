// SPDX-License-Identifier: MIT
#include "server/token.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include <openssl/sha.h>

#define RANDOM_BYTES ((size_t)32)
#define PREFIX_SIZE  (sizeof SP_TOKEN_PREFIX - 1)
#define SUMMED       (PREFIX_SIZE + 2 * RANDOM_BYTES) // bytes before the sum
#define SUM_SIZE     8u

// As in zip and Ethernet.
static uint32_t crc32_of(const char *text, size_t size)
{
    uint32_t sum = UINT32_MAX;
    for (size_t i = 0; i < size; i++) {
        sum ^= (uint8_t)text[i];
        for (int bit = 0; bit < 8; bit++) {
            sum = sum >> 1 ^ ((sum & 1) != 0 ? UINT32_C(0xedb88320) : 0);
        }
    }
    return ~sum;
}

snakepit_err sp_token_make(char text[SP_TOKEN_TEXT_SIZE])
{
    uint8_t random[RANDOM_BYTES];
    if (getrandom(random, sizeof random, 0) != (ssize_t)sizeof random) {
        return SNAKEPIT_SYSTEM;
    }
    (void)memcpy(text, SP_TOKEN_PREFIX, PREFIX_SIZE);
    for (size_t i = 0; i < RANDOM_BYTES; i++) {
        (void)snprintf(text + PREFIX_SIZE + 2 * i, 3, "%02x", random[i]);
    }
    (void)snprintf(text + SUMMED, SUM_SIZE + 1, "%08x", crc32_of(text, SUMMED));
    return SNAKEPIT_OK;
}

bool sp_token_is_damaged(struct sp_slice text)
{
    char sum[SUM_SIZE + 1];
    if (text.size < PREFIX_SIZE ||
        memcmp(text.data, SP_TOKEN_PREFIX, PREFIX_SIZE) != 0) {
        return false;
    }
    if (text.size != SUMMED + SUM_SIZE) {
        return true;
    }
    (void)snprintf(sum, sizeof sum, "%08x", crc32_of((const char *)text.data, SUMMED));
    return memcmp(text.data + SUMMED, sum, SUM_SIZE) != 0;
}

bool sp_token_hash(struct sp_slice text, uint8_t hash[SP_TOKEN_HASH_BYTES])
{
    return SHA256(text.data, text.size, hash) != NULL;
}
