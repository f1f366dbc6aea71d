// SPDX-License-Identifier: MIT
#include "otlp/common.h"

#include <string.h>

#include <snakepit/version.h>

void sp_otlp_teller_set(struct sp_otlp_teller *teller,
                        struct sp_slice key,
                        struct sp_slice value)
{
    size_t at = 0;
    while (at < teller->count &&
           (teller->attributes[at].key.size != key.size ||
            memcmp(teller->attributes[at].key.data, key.data, key.size) != 0)) {
        at++;
    }
    if (at == SP_OTLP_RESOURCE_MOST) {
        return;
    }
    teller->count += at == teller->count ? 1 : 0;
    teller->attributes[at].key = key;
    teller->attributes[at].value = value;
}

struct sp_otlp_scope sp_otlp_scope_of_ours(void)
{
    return (struct sp_otlp_scope){.name = sp_slice_of_text("snakepit"),
                                  .version = sp_slice_of_text(SNAKEPIT_VERSION)};
}

struct sp_otlp_resource *sp_otlp_resource_of(const struct sp_otlp_teller *teller,
                                             struct sp_scratch *scratch)
{
    struct sp_otlp_resource *made = sp_scratch_take(scratch, sizeof *made);
    struct sp_otlp_pair *pairs =
        sp_scratch_take(scratch, (teller->count + 1) * sizeof *pairs);
    struct sp_otlp_value *values =
        sp_scratch_take(scratch, (teller->count + 1) * sizeof *values);
    if (made == NULL || pairs == NULL || values == NULL) {
        return NULL;
    }
    for (size_t i = 0; i < teller->count; i++) {
        values[i].which = 1;
        values[i].string_value = teller->attributes[i].value;
        pairs[i].key = teller->attributes[i].key;
        pairs[i].value = &values[i];
    }
    made->attributes.items = pairs;
    made->attributes.count = teller->count;
    return made;
}
