// SPDX-License-Identifier: MIT
#include "api/asset.h"

#include <string.h>
#include <strings.h>

#include "api/inside.h"
#include "api/reply.h"

#define FIELDS_MOST 8u

// A page that is served here runs nothing and asks nobody but what comes from here, and
// is shown in nobody's frame.
#define POLICY \
    "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const struct sp_asset *sp_asset_find(const char *name)
{
    for (size_t i = 0; i < sp_assets_count; i++) {
        if (strcmp(sp_assets[i].name, name) == 0) {
            return &sp_assets[i];
        }
    }
    return NULL;
}

// ---- What the client says of it -----------------------------------------------------

// What stands before the next ','; takes both from `rest`, and blanks around it.
static struct sp_slice take(struct sp_slice *rest)
{
    const uint8_t *end = memchr(rest->data, ',', rest->size);
    struct sp_slice part = {rest->data,
                            end == NULL ? rest->size : (size_t)(end - rest->data)};
    const size_t step = part.size + (end == NULL ? 0 : 1);
    *rest = (struct sp_slice){rest->data + step, rest->size - step};
    while (part.size > 0 && (part.data[0] == ' ' || part.data[0] == '\t')) {
        part = (struct sp_slice){part.data + 1, part.size - 1};
    }
    while (part.size > 0 &&
           (part.data[part.size - 1] == ' ' || part.data[part.size - 1] == '\t')) {
        part.size--;
    }
    return part;
}

static bool begins_with(struct sp_slice text, const char *start)
{
    const size_t size = strlen(start);
    return text.size >= size && strncasecmp((const char *)text.data, start, size) == 0;
}

static bool is_text(struct sp_slice text, const char *other)
{
    return text.size == strlen(other) && begins_with(text, other);
}

// "gzip;q=0" and "gzip; q=0.000" refuse it.
static bool is_refused(struct sp_slice coding)
{
    const uint8_t *at = memchr(coding.data, '=', coding.size);
    if (at == NULL) {
        return false;
    }
    for (const uint8_t *end = coding.data + coding.size; ++at < end;) {
        if (*at >= '1' && *at <= '9') {
            return false;
        }
    }
    return true;
}

static bool takes_gzip(const struct sp_request *request)
{
    struct sp_slice list = sp_request_field(request, "accept-encoding");
    while (list.size > 0) {
        const struct sp_slice coding = take(&list);
        const uint8_t *end = memchr(coding.data, ';', coding.size);
        struct sp_slice name = {
            coding.data, end == NULL ? coding.size : (size_t)(end - coding.data)};
        if (is_text(take(&name), "gzip")) {
            return !is_refused(coding);
        }
    }
    return false;
}

static bool has_it(const struct sp_request *request, const char *tag)
{
    struct sp_slice list = sp_request_field(request, "if-none-match");
    while (list.size > 0) {
        struct sp_slice one = take(&list);
        if (begins_with(one, "W/")) {
            one = (struct sp_slice){one.data + 2, one.size - 2};
        }
        if (is_text(one, tag + strlen("W/")) || is_text(one, "*")) {
            return true;
        }
    }
    return false;
}

// ---- Answering ----------------------------------------------------------------------

void sp_api_reply_asset(struct sp_exchange *exchange, const struct sp_asset *asset)
{
    const bool packed = takes_gzip(&exchange->request);
    const bool known = has_it(&exchange->request, asset->tag);
    // The last one is of a body alone.
    const char *const said[FIELDS_MOST][2] = {
        {"etag", asset->tag},
        {"cache-control", "no-cache"},
        {"vary", "Accept, Accept-Encoding"},
        {"content-security-policy", POLICY},
        {"x-content-type-options", "nosniff"},
        {"referrer-policy", "no-referrer"},
        {"cross-origin-opener-policy", "same-origin"},
        {"content-encoding", "gzip"}};
    struct sp_field fields[FIELDS_MOST];
    for (size_t i = 0; i < FIELDS_MOST; i++) {
        fields[i] = (struct sp_field){sp_slice_of_text(said[i][0]),
                                      sp_slice_of_text(said[i][1])};
    }
    const struct sp_reply reply = {.status = known ? 304 : 200,
                                   .type = known ? NULL : asset->type,
                                   .fields = fields,
                                   .field_count = packed && !known ? FIELDS_MOST
                                                                   : FIELDS_MOST - 1};
    const struct sp_slice body = packed ? asset->packed : asset->plain;
    sp_exchange_reply(exchange, &reply, known ? (struct sp_slice){NULL, 0} : body);
}

void sp_api_asset(struct sp_exchange *exchange, const struct sp_params *params)
{
    const struct sp_asset *asset = sp_asset_find(params->of[0]);
    if (asset == NULL) {
        sp_api_refuse(exchange, 404, "the dashboard has no file of that name");
    } else {
        sp_api_reply_asset(exchange, asset);
    }
}
