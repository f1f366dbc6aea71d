// SPDX-License-Identifier: MIT
#include "cli/export_settings.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <snakepit/version.h>

#include "cli/text.h"

#define TIMEOUT_MS  10000u // as the specification has them
#define INTERVAL_MS 60000u
#define NUMBER_MOST 86400000u

// NULL also where it is empty, which counts as unset.
static const char *variable(const char *name)
{
    // NOLINTNEXTLINE(concurrency-mt-unsafe): one thread
    const char *value = getenv(name);
    return value == NULL || value[0] == '\0' ? NULL : value;
}

static bool is_text(const char *value, const char *text)
{
    return value != NULL && strcmp(value, text) == 0;
}

// ---- Lists --------------------------------------------------------------------

static int hex_of(char byte)
{
    if (byte >= '0' && byte <= '9') {
        return byte - '0';
    }
    const int letter = (byte | 0x20) - 'a';
    return letter >= 0 && letter < 6 ? letter + 10 : -1;
}

static struct sp_slice trim(struct sp_slice text)
{
    while (text.size > 0 && text.data[0] == ' ') {
        text = (struct sp_slice){text.data + 1, text.size - 1};
    }
    while (text.size > 0 && text.data[text.size - 1] == ' ') {
        text.size--;
    }
    return text;
}

// Whether "%41" stands there, and then what it stands for.
static bool read_escape(struct sp_slice text, size_t at, char *byte)
{
    if (text.data[at] != '%' || at + 2 >= text.size) {
        return false;
    }
    const int high = hex_of((char)text.data[at + 1]);
    const int low = hex_of((char)text.data[at + 2]);
    if (high < 0 || low < 0) {
        return false;
    }
    *byte = (char)(high * 16 + low);
    return true;
}

// The bytes of a part of a list, as far as there is room; without the blanks around it.
static size_t decode(struct sp_slice text, char *room, size_t size)
{
    size_t used = 0;
    text = trim(text);
    for (size_t i = 0; i < text.size && used < size; i++) {
        char byte = (char)text.data[i];
        i += read_escape(text, i, &byte) ? 2 : 0;
        room[used++] = byte;
    }
    return used;
}

bool sp_export_take_pair(const char **list,
                         char *room,
                         size_t size,
                         struct sp_slice *key,
                         struct sp_slice *value)
{
    while (*list != NULL && **list != '\0') {
        const char *end = strchrnul(*list, ',');
        const struct sp_slice item = {(const uint8_t *)*list, (size_t)(end - *list)};
        const uint8_t *equals = memchr(item.data, '=', item.size);
        *list = *end == ',' ? end + 1 : end;
        if (equals == NULL) {
            continue;
        }
        const size_t at = (size_t)(equals - item.data);
        key->size = decode((struct sp_slice){item.data, at}, room, size);
        value->size = decode((struct sp_slice){equals + 1, item.size - at - 1},
                             room + key->size,
                             size - key->size);
        key->data = (const uint8_t *)room;
        value->data = (const uint8_t *)room + key->size;
        if (key->size > 0) {
            return true;
        }
    }
    return false;
}

// ---- The teller ---------------------------------------------------------------

static void set(struct sp_export_settings *settings, const char *key, const char *value)
{
    sp_otlp_teller_set(
        &settings->teller, sp_slice_of_text(key), sp_slice_of_text(value));
}

static void read_teller(struct sp_export_settings *settings)
{
    struct sp_slice key;
    struct sp_slice value;
    size_t used = 0;
    const char *list = variable("OTEL_RESOURCE_ATTRIBUTES");
    const char *name = variable("OTEL_SERVICE_NAME");
    set(settings, "service.name", "snakepit");
    set(settings, "service.version", SNAKEPIT_VERSION);
    set(settings, "telemetry.sdk.name", "snakepit");
    set(settings, "telemetry.sdk.language", "c");
    while (sp_export_take_pair(
        &list, settings->texts + used, sizeof settings->texts - used, &key, &value)) {
        used += key.size + value.size;
        sp_otlp_teller_set(&settings->teller, key, value);
    }
    if (name != NULL) {
        set(settings, "service.name", name);
    }
    char *host = settings->texts + used;
    const size_t room = sizeof settings->texts - used;
    if (room > 64 && gethostname(host, room - 1) == 0) {
        set(settings, "host.name", host);
    }
}

// ---- Where to -----------------------------------------------------------------

static snakepit_err
refuse(snakepit_message *why, const char *name, const char *value, const char *wanted)
{
    sp_cli_explain(
        why, "the environment variable %s is \"%.200s\"; %s", name, value, wanted);
    return SNAKEPIT_INVALID_CONFIG;
}

static bool is_url(const char *url)
{
    return strncmp(url, "http://", 7) == 0 || strncmp(url, "https://", 8) == 0;
}

// One signal has a variable of its own, or a path below the endpoint of all.
struct signal {
    const char *endpoint; // names of variables
    const char *exporter;
    const char *path;
};

static snakepit_err read_url(const struct signal *signal,
                             const char *endpoint,
                             char url[SP_EXPORT_URL_SIZE],
                             snakepit_message *why)
{
    const char *own = variable(signal->endpoint);
    const char *all = variable("OTEL_EXPORTER_OTLP_ENDPOINT");
    const char *base = own != NULL ? own : all != NULL ? all : endpoint;
    if (base == NULL || is_text(variable(signal->exporter), "none")) {
        return SNAKEPIT_OK;
    }
    const char *slash = base[strlen(base) - 1] == '/' ? "" : "/";
    const int size =
        own != NULL
            ? snprintf(url, SP_EXPORT_URL_SIZE, "%s", own)
            : snprintf(url, SP_EXPORT_URL_SIZE, "%s%s%s", base, slash, signal->path);
    if (size >= (int)SP_EXPORT_URL_SIZE || !is_url(base)) {
        url[0] = '\0';
        const char *name = own != NULL   ? signal->endpoint
                           : all != NULL ? "OTEL_EXPORTER_OTLP_ENDPOINT"
                                         : "(otlp_endpoint of the file)";
        return refuse(why, name, base, "give a URL such as http://localhost:4318");
    }
    return SNAKEPIT_OK;
}

static snakepit_err
read_number(const char *name, uint32_t other, uint32_t *number, snakepit_message *why)
{
    const char *value = variable(name);
    char *end;
    *number = other;
    if (value == NULL) {
        return SNAKEPIT_OK;
    }
    const unsigned long read = strtoul(value, &end, 10);
    if (*end != '\0' || read == 0 || read > NUMBER_MOST || value[0] == '-') {
        return refuse(why, name, value, "give milliseconds, 1 to 86400000");
    }
    *number = (uint32_t)read;
    return SNAKEPIT_OK;
}

static const char *headers_of(const char *name)
{
    const char *own = variable(name);
    return own != NULL ? own : variable("OTEL_EXPORTER_OTLP_HEADERS");
}

snakepit_err sp_export_settings_read(struct sp_export_settings *settings,
                                     const char *endpoint,
                                     snakepit_message *why)
{
    static const struct signal traces = {
        "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_TRACES_EXPORTER", "v1/traces"};
    static const struct signal metrics = {
        "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT", "OTEL_METRICS_EXPORTER", "v1/metrics"};
    const char *protocol = variable("OTEL_EXPORTER_OTLP_PROTOCOL");
    *settings = (struct sp_export_settings){0};
    if (is_text(variable("OTEL_SDK_DISABLED"), "true")) {
        return SNAKEPIT_OK;
    }
    snakepit_err err = read_url(&traces, endpoint, settings->traces, why);
    err =
        err == SNAKEPIT_OK ? read_url(&metrics, endpoint, settings->metrics, why) : err;
    if (err == SNAKEPIT_OK) {
        err = read_number(
            "OTEL_EXPORTER_OTLP_TIMEOUT", TIMEOUT_MS, &settings->timeout_ms, why);
    }
    if (err == SNAKEPIT_OK) {
        err = read_number(
            "OTEL_METRIC_EXPORT_INTERVAL", INTERVAL_MS, &settings->interval_ms, why);
    }
    const bool any = settings->traces[0] != '\0' || settings->metrics[0] != '\0';
    if (err == SNAKEPIT_OK && any && protocol != NULL &&
        strcmp(protocol, "http/protobuf") != 0) {
        err = refuse(why,
                     "OTEL_EXPORTER_OTLP_PROTOCOL",
                     protocol,
                     "only http/protobuf is there, and it is the default");
    }
    settings->traces_headers = headers_of("OTEL_EXPORTER_OTLP_TRACES_HEADERS");
    settings->metrics_headers = headers_of("OTEL_EXPORTER_OTLP_METRICS_HEADERS");
    read_teller(settings);
    return err;
}
