// SPDX-License-Identifier: MIT
// Two threads send: the library's that hands spans on, and one for metrics. Each
// request is tried again while its time lasts, unless the collector says that this is
// of no use.
#include "cli/export.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/thread.h"
#include "cli/libcurl.h"
#include "otlp/otlp.h"
#include "telemetry/notice.h"
#include "telemetry/spans.h"

#define PAUSE_FIRST_MS 200u // between two attempts; each is twice as long as the last
#define PAUSE_MOST_MS  5000u
#define TELL_MS        60000u // between two lines of the log about the same
#define ANSWER_MOST    4096u  // bytes of an answer; a longer one is not read

// What a collector has not taken of what it has accepted.
struct refused {
    _Atomic uint64_t count;   // spans or points
    _Atomic uint64_t told_at; // when the log was told
};

struct sp_export {
    struct sp_export_settings settings; // constant
    const struct sp_log *log;           // constant
    snakepit *pit;                      // constant once metrics are sent
    uint64_t begun_ns;                  // since 1970; constant
    pthread_t thread;                   // of the metrics
    bool sends_metrics;
    pthread_mutex_t lock;
    pthread_cond_t news; // of `ends_at`; CLOCK_MONOTONIC
    _Atomic uint64_t
        ends_at; // CLOCK_MONOTONIC ns; 0: it goes on. Written with the lock
    _Atomic uint64_t told_at; // when the log was told of a failure
    _Atomic uint64_t dropped; // spans
    struct refused spans;
    struct refused points;
};

// One request.
struct request {
    const char *url;
    const char *headers;
    const struct sp_buf *body;
    uint64_t until; // CLOCK_MONOTONIC ns
    const char *failure;
    char room[128];
    struct sp_buf answer; // as much of it as is read
    struct sp_otlp_rejected rejected;
};

// ---- One request --------------------------------------------------------------

static struct timespec timespec_of(uint64_t ns)
{
    return (struct timespec){.tv_sec = (time_t)(ns / SP_NS_PER_S),
                             .tv_nsec = (long)(ns % SP_NS_PER_S)};
}

// Waits until then, or until the daemon ends.
static void sleep_until(struct sp_export *export, uint64_t until)
{
    const struct timespec at = timespec_of(until);
    int rc = 0;
    pthread_mutex_lock(&export->lock);
    while (rc == 0 && atomic_load(&export->ends_at) == 0) {
        rc = pthread_cond_timedwait(&export->news, &export->lock, &at);
    }
    pthread_mutex_unlock(&export->lock);
}

// Keeps one byte more than is read, which shows that there are more.
// NOLINTNEXTLINE(readability-non-const-parameter): as libcurl calls it
static size_t take_answer(char *data, size_t size, size_t count, void *user)
{
    struct sp_buf *answer = user;
    const size_t room = ANSWER_MOST + 1 - answer->size;
    (void)sp_buf_append(answer, data, size * count < room ? size * count : room);
    return size * count;
}

static void read_answer(struct request *request)
{
    const struct sp_slice answer = {request->answer.data, request->answer.size};
    if (answer.size <= ANSWER_MOST) {
        (void)sp_otlp_read_answer(answer, &request->rejected);
    }
}

static struct curl_slist *headers_of(const struct request *request)
{
    char room[2048];
    char line[sizeof room + 4];
    struct sp_slice key;
    struct sp_slice value;
    const char *list = request->headers;
    struct curl_slist *made =
        sp_curl.slist_append(NULL, "Content-Type: application/x-protobuf");
    while (made != NULL &&
           sp_export_take_pair(&list, room, sizeof room, &key, &value)) {
        (void)snprintf(line,
                       sizeof line,
                       "%.*s: %.*s",
                       (int)key.size,
                       (const char *)key.data,
                       (int)value.size,
                       (const char *)value.data);
        struct curl_slist *longer = sp_curl.slist_append(made, line);
        made = longer != NULL ? longer : made;
    }
    return made;
}

enum outcome { SENT, AGAIN, REFUSED };

static enum outcome outcome_of(struct request *request, CURLcode code, long status)
{
    if (code != CURLE_OK) {
        request->failure = sp_curl.easy_strerror(code);
        return AGAIN;
    }
    if (status >= 200 && status < 300) {
        read_answer(request);
        return SENT;
    }
    (void)snprintf(request->room, sizeof request->room, "HTTP status %ld", status);
    request->failure = request->room;
    return status == 429 || (status >= 502 && status <= 504) ? AGAIN : REFUSED;
}

static enum outcome try_once(struct request *request)
{
    const uint64_t now = sp_clock_now();
    const uint64_t left = request->until > now ? request->until - now : 0;
    long status = 0;
    request->failure = "its time is up";
    CURL *easy = left < SP_NS_PER_MS ? NULL : sp_curl.easy_init();
    struct curl_slist *headers = easy == NULL ? NULL : headers_of(request);
    if (headers == NULL) {
        sp_curl.easy_cleanup(easy);
        return REFUSED;
    }
#define SET(option, value) (void)sp_curl.easy_setopt(easy, CURLOPT_##option, value)
    SET(URL, request->url);
    SET(NOSIGNAL, 1L);
    SET(PROTOCOLS_STR, "http,https");
    SET(TIMEOUT_MS, (long)(left / SP_NS_PER_MS));
    SET(POSTFIELDSIZE_LARGE, (curl_off_t)request->body->size);
    SET(POSTFIELDS, (const char *)request->body->data);
    SET(HTTPHEADER, headers);
    request->answer.size = 0;
    SET(WRITEFUNCTION, take_answer);
    SET(WRITEDATA, &request->answer);
    SET(USERAGENT, "snakepit");
#undef SET
    const CURLcode code = sp_curl.easy_perform(easy);
    (void)sp_curl.easy_getinfo(easy, CURLINFO_RESPONSE_CODE, &status);
    sp_curl.slist_free_all(headers);
    sp_curl.easy_cleanup(easy);
    return outcome_of(request, code, status);
}

// Whether it is time to tell it again; it counts as told then.
static bool may_tell(_Atomic uint64_t *told_at)
{
    const uint64_t now = sp_clock_now();
    uint64_t told = atomic_load(told_at);
    return (told == 0 || now - told > TELL_MS * SP_NS_PER_MS) &&
           atomic_compare_exchange_strong(told_at, &told, now);
}

static void tell_rejected(struct sp_export *export,
                          const struct request *request,
                          struct refused *refused)
{
    const struct sp_otlp_rejected *rejected = &request->rejected;
    if (rejected->count == 0 && rejected->because[0] == '\0') {
        return;
    }
    atomic_fetch_add(&refused->count, rejected->count);
    if (may_tell(&refused->told_at)) {
        sp_log(export->log,
               otlp_rejected,
               .url = request->url,
               .rejected = atomic_load(&refused->count),
               .because = rejected->because);
    }
}

static void tell_failure(struct sp_export *export, const struct request *request)
{
    if (may_tell(&export->told_at)) {
        sp_log(export->log,
               otlp_failed,
               .url = request->url,
               .because = request->failure,
               .dropped = atomic_load(&export->dropped));
    }
}

// Where one kind of figures goes.
struct signal {
    const char *url;
    const char *headers;
    struct refused *refused;
};

static bool send_body(struct sp_export *export,
                      const struct signal *signal,
                      const struct sp_buf *body)
{
    const uint64_t ends_at = atomic_load(&export->ends_at);
    uint64_t until = sp_clock_now() + export->settings.timeout_ms * SP_NS_PER_MS;
    until = ends_at != 0 && ends_at < until ? ends_at : until;
    struct request request = {
        .url = signal->url, .headers = signal->headers, .body = body, .until = until};
    uint64_t pause = PAUSE_FIRST_MS;
    enum outcome outcome = try_once(&request);
    while (outcome == AGAIN && atomic_load(&export->ends_at) == 0 &&
           sp_clock_now() + pause * SP_NS_PER_MS < until) {
        sleep_until(export, sp_clock_now() + pause * SP_NS_PER_MS);
        pause = 2 * pause < PAUSE_MOST_MS ? 2 * pause : PAUSE_MOST_MS;
        outcome = try_once(&request);
    }
    if (outcome != SENT) {
        tell_failure(export, &request);
    }
    tell_rejected(export, &request, signal->refused);
    sp_buf_fini(&request.answer);
    return outcome == SENT;
}

// ---- Spans --------------------------------------------------------------------

bool sp_export_wants_spans(const struct sp_export *export)
{
    return export != NULL && export->settings.traces[0] != '\0';
}

void sp_export_spans(void *user,
                     const snakepit_trace_span *const *spans,
                     size_t count,
                     uint64_t dropped)
{
    struct sp_export *export = user;
    const struct sp_export_settings *settings = &export->settings;
    const struct signal signal = {
        settings->traces, settings->traces_headers, &export->spans};
    struct sp_buf body = {0};
    snakepit_err err = sp_otlp_write_spans(&settings->teller, spans, count, &body);
    const bool sent = err == SNAKEPIT_OK && send_body(export, &signal, &body);
    atomic_fetch_add(&export->dropped, dropped + (sent ? 0 : count));
    sp_buf_fini(&body);
}

// ---- Metrics ------------------------------------------------------------------

static void send_metrics(struct sp_export *export)
{
    const struct sp_export_settings *settings = &export->settings;
    const struct sp_otlp_times times = {export->begun_ns, sp_spans_now()};
    struct sp_buf body = {0};
    char *text;
    size_t size;
    snakepit_err err = snakepit_metrics(export->pit, NULL, &text, &size);
    if (err != SNAKEPIT_OK) {
        return;
    }
    const struct sp_slice figures = {(const uint8_t *)text, size};
    err = sp_otlp_write_metrics(&settings->teller, figures, times, &body);
    snakepit_metrics_free(text);
    if (err == SNAKEPIT_OK) {
        const struct signal signal = {
            settings->metrics, settings->metrics_headers, &export->points};
        (void)send_body(export, &signal, &body);
    }
    sp_buf_fini(&body);
}

static void *run(void *argument)
{
    struct sp_export *export = argument;
    uint64_t next = sp_clock_now();
    while (atomic_load(&export->ends_at) == 0) {
        next += export->settings.interval_ms * SP_NS_PER_MS;
        sleep_until(export, next);
        send_metrics(export);
    }
    return NULL;
}

snakepit_err sp_export_begin_metrics(struct sp_export *export, snakepit *pit)
{
    if (export == NULL || export->settings.metrics[0] == '\0') {
        return SNAKEPIT_OK;
    }
    export->pit = pit;
    export->sends_metrics = sp_thread_start(&export->thread, run, export) == 0;
    return export->sends_metrics ? SNAKEPIT_OK : SNAKEPIT_SYSTEM;
}

// ---- Its life -----------------------------------------------------------------

static void init_lock(struct sp_export *export)
{
    pthread_condattr_t monotonic;
    SP_CHECK(pthread_mutex_init(&export->lock, NULL) == 0);
    SP_CHECK(pthread_condattr_init(&monotonic) == 0);
    SP_CHECK(pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC) == 0);
    SP_CHECK(pthread_cond_init(&export->news, &monotonic) == 0);
    pthread_condattr_destroy(&monotonic);
}

snakepit_err sp_export_new(const char *endpoint,
                           const struct sp_log *log,
                           struct sp_export **made,
                           snakepit_message *why)
{
    struct sp_export *export = sp_alloc(sizeof *export);
    *made = NULL;
    if (export == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = sp_export_settings_read(&export->settings, endpoint, why);
    const bool any =
        export->settings.traces[0] != '\0' || export->settings.metrics[0] != '\0';
    if (err == SNAKEPIT_OK && any) {
        err = sp_curl_load(why) && sp_curl.global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK
                  ? SNAKEPIT_OK
                  : SNAKEPIT_SYSTEM;
    }
    if (err != SNAKEPIT_OK || !any) {
        sp_free(export);
        return err;
    }
    init_lock(export);
    export->log = log;
    export->begun_ns = sp_spans_now();
    *made = export;
    sp_log(log,
           otlp_begun,
           .traces = export->settings.traces,
           .metrics = export->settings.metrics);
    return SNAKEPIT_OK;
}

void sp_export_end(struct sp_export *export)
{
    if (export == NULL) {
        return;
    }
    pthread_mutex_lock(&export->lock);
    atomic_store(&export->ends_at, sp_clock_now() + SP_EXPORT_CLOSE_MS * SP_NS_PER_MS);
    pthread_mutex_unlock(&export->lock);
    pthread_cond_broadcast(&export->news);
    if (export->sends_metrics) {
        SP_CHECK(pthread_join(export->thread, NULL) == 0);
    }
}

void sp_export_free(struct sp_export *export)
{
    if (export == NULL) {
        return;
    }
    pthread_cond_destroy(&export->news);
    pthread_mutex_destroy(&export->lock);
    sp_curl.global_cleanup();
    sp_free(export);
}
