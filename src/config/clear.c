// SPDX-License-Identifier: MIT
// What the field of an option owns goes, of whatever kind it is.
#include "base/memory.h"
#include "config/config.h"
#include "config/option.h"

static void clear_pairs(struct sp_pairs *pairs)
{
    for (size_t i = 0; i < pairs->count; i++) {
        sp_free(pairs->items[i].name);
        sp_free(pairs->items[i].value);
    }
    sp_free(pairs->items);
    *pairs = (struct sp_pairs){0};
}

static void clear_texts(struct sp_texts *texts)
{
    for (size_t i = 0; i < texts->count; i++) {
        sp_free(texts->items[i]);
    }
    sp_free((void *)texts->items);
    *texts = (struct sp_texts){0};
}

static void clear_sandbox(struct sp_sandbox *sandbox)
{
    clear_texts(&sandbox->landlock);
    sp_free(sandbox->uid);
    *sandbox = (struct sp_sandbox){0};
}

static void clear_devices(struct sp_devices *devices)
{
    clear_texts(&devices->values);
    sp_free(devices->variable);
    *devices = (struct sp_devices){0};
}

static void clear_tls(struct sp_tls_config *tls)
{
    sp_free(tls->certificate);
    sp_free(tls->key);
    sp_free(tls->client_ca);
    *tls = (struct sp_tls_config){0};
}

static void clear_listeners(struct sp_listeners *listeners)
{
    for (size_t i = 0; i < listeners->count; i++) {
        sp_free(listeners->items[i].address);
        sp_free(listeners->items[i].tokens);
        clear_texts(&listeners->items[i].users);
        clear_tls(&listeners->items[i].tls);
    }
    sp_free(listeners->items);
    *listeners = (struct sp_listeners){0};
}

static void clear_serve(struct sp_serve_config *serve)
{
    clear_listeners(&serve->listen);
    clear_texts(&serve->origins);
    clear_texts(&serve->compatibility);
    *serve = (struct sp_serve_config){0};
}

void sp_option_clear(const struct sp_option *option, void *target)
{
    void *field = sp_option_field(option, target);
    switch (option->kind) {
    case SP_KIND_TEXTS:
        clear_texts(field);
        break;
    case SP_KIND_PAIRS:
    case SP_KIND_RESOURCES:
        clear_pairs(field);
        break;
    case SP_KIND_ADAPTER:
    case SP_KIND_PROGRAM:
    case SP_KIND_TEXT:
    case SP_KIND_PATH:
    case SP_KIND_JSON:
        sp_free(*(char **)field);
        *(char **)field = NULL;
        break;
    case SP_KIND_SANDBOX:
        clear_sandbox(field);
        break;
    case SP_KIND_DEVICES:
        clear_devices(field);
        break;
    case SP_KIND_RETRY:
        *(struct sp_retry_keys *)field = (struct sp_retry_keys){0};
        break;
    case SP_KIND_BREAKER:
        *(struct sp_breaker_keys *)field = (struct sp_breaker_keys){0};
        break;
    case SP_KIND_THRESHOLD:
        *(struct sp_threshold *)field = (struct sp_threshold){0};
        break;
    case SP_KIND_LISTENERS:
        clear_listeners(field);
        break;
    case SP_KIND_SERVE:
        clear_serve(field);
        break;
    case SP_KIND_TLS:
        clear_tls(field);
        break;
    case SP_KIND_CHOICES:
        *(uint32_t *)field = 0;
        break;
    default:
        break;
    }
}
