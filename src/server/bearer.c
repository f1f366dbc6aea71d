// SPDX-License-Identifier: MIT
#include "server/bearer.h"

#include <string.h>
#include <strings.h>

#include "server/token.h"

#define SCHEME      "bearer"
#define SCHEME_SIZE (sizeof SCHEME - 1)

static bool is_authorization(const struct sp_field *field)
{
    static const char name[] = "authorization";
    return field->name.size == sizeof name - 1 &&
           memcmp(field->name.data, name, sizeof name - 1) == 0;
}

// The "token68" of RFC 9110.
static bool may_stand_in_token(uint8_t byte)
{
    const uint8_t lower = byte | 0x20;
    return (byte >= '0' && byte <= '9') || (lower >= 'a' && lower <= 'z') ||
           (byte != '\0' && strchr("-._~+/=", byte) != NULL);
}

static bool is_token(struct sp_slice text)
{
    for (size_t i = 0; i < text.size; i++) {
        if (!may_stand_in_token(text.data[i])) {
            return false;
        }
    }
    return text.size > 0 && text.size <= SP_TOKEN_TEXT_MAX;
}

static enum sp_bearer read_value(struct sp_slice value, struct sp_slice *token)
{
    size_t at = SCHEME_SIZE;
    if (value.size < SCHEME_SIZE ||
        strncasecmp((const char *)value.data, SCHEME, SCHEME_SIZE) != 0 ||
        (value.size > SCHEME_SIZE && value.data[SCHEME_SIZE] != ' ')) {
        return SP_BEARER_OTHER;
    }
    while (at < value.size && value.data[at] == ' ') {
        at++;
    }
    const struct sp_slice text = {value.data + at, value.size - at};
    if (!is_token(text)) {
        return SP_BEARER_INVALID;
    }
    *token = text;
    return SP_BEARER_FOUND;
}

enum sp_bearer sp_bearer_of(const struct sp_request *request, struct sp_slice *token)
{
    const struct sp_field *found = NULL;
    size_t count = 0;
    for (size_t i = 0; i < request->field_count; i++) {
        if (is_authorization(&request->fields[i])) {
            found = &request->fields[i];
            count++;
        }
    }
    if (count != 1) {
        return count == 0 ? SP_BEARER_NONE : SP_BEARER_TWO;
    }
    return read_value(found->value, token);
}

const char *sp_bearer_text(enum sp_bearer found)
{
    static const char *const texts[] = {
        [SP_BEARER_FOUND] = "",
        [SP_BEARER_NONE] =
            "this listener asks for a token: Authorization: Bearer TOKEN",
        [SP_BEARER_TWO] = "there is more than one Authorization",
        [SP_BEARER_OTHER] = "Authorization is of another scheme than Bearer",
        [SP_BEARER_INVALID] =
            ("what stands behind Bearer is not a token: it is empty, longer than 512 "
             "bytes, or has bytes that no token has"),
    };
    return texts[found];
}
