// SPDX-License-Identifier: MIT
// There are thousands of lines in a text, so they are put together without printf.
#include "telemetry/lines.h"

#include <string.h>

#include "base/hex.h"

static void put(struct sp_lines *lines, const char *text, size_t size)
{
    if (lines->err == SNAKEPIT_OK) {
        lines->err = sp_buf_append(lines->buf, text, size);
    }
}

static void put_text(struct sp_lines *lines, const char *text)
{
    put(lines, text, strlen(text));
}

void sp_lines_family(struct sp_lines *lines,
                     const char *name,
                     enum sp_metric_kind kind,
                     const char *help)
{
    static const char *const kinds[] = {"gauge", "counter", "histogram", "summary"};
    // Only OpenMetrics calls a family by another name than its samples.
    const char *total = kind == SP_COUNTER && !lines->open ? "_total" : "";
    const char *const parts[] = {"# HELP ",
                                 name,
                                 total,
                                 " ",
                                 help,
                                 "\n# TYPE ",
                                 name,
                                 total,
                                 " ",
                                 kinds[kind],
                                 "\n"};
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++) {
        put_text(lines, parts[i]);
    }
}

// ---- Names ----------------------------------------------------------------------

static snakepit_err append_quoted(struct sp_buf *buf, const char *text)
{
    snakepit_err err = sp_buf_append(buf, "\"", 1);
    while (*text != '\0' && err == SNAKEPIT_OK) {
        size_t plain = strcspn(text, "\n\"\\");
        const char *shown = text[plain] == '\n'   ? "\\n"
                            : text[plain] == '"'  ? "\\\""
                            : text[plain] == '\\' ? "\\\\"
                                                  : "";
        err = sp_buf_append(buf, text, plain);
        if (err == SNAKEPIT_OK) {
            err = sp_buf_append(buf, shown, strlen(shown));
        }
        text += plain + (text[plain] != '\0');
    }
    return err == SNAKEPIT_OK ? sp_buf_append(buf, "\"", 1) : err;
}

snakepit_err sp_lines_label(struct sp_buf *labels, const char *name, const char *value)
{
    snakepit_err err = SNAKEPIT_OK;
    if (labels->size > 0) {
        labels->data[labels->size - 1] = ','; // where the zero is
    }
    err = sp_buf_append(labels, name, strlen(name));
    if (err == SNAKEPIT_OK) {
        err = sp_buf_append(labels, "=", 1);
    }
    if (err == SNAKEPIT_OK) {
        err = append_quoted(labels, value);
    }
    return err == SNAKEPIT_OK ? sp_buf_append(labels, "", 1) : err;
}

static void put_label(struct sp_lines *lines, const struct sp_sample *sample)
{
    if (sample->label == NULL) {
        return;
    }
    put(lines, ",", sample->labels[0] != '\0');
    put_text(lines, sample->label);
    put(lines, "=", 1);
    if (lines->err == SNAKEPIT_OK) {
        lines->err = append_quoted(lines->buf, sample->value);
    }
}

// `family_suffix{labels,label="value"} `, before the number.
static void put_name(struct sp_lines *lines, const struct sp_sample *sample)
{
    put_text(lines, sample->family);
    put_text(lines, sample->suffix);
    if (sample->labels[0] != '\0' || sample->label != NULL) {
        put(lines, "{", 1);
        put_text(lines, sample->labels);
        put_label(lines, sample);
        put(lines, "}", 1);
    }
    put(lines, " ", 1);
}

// ---- Numbers --------------------------------------------------------------------

// At least `least` digits.
static void put_number(struct sp_lines *lines, uint64_t number, uint32_t least)
{
    char text[20];
    uint32_t at = sizeof text;
    while (number > 0 || sizeof text - at < least) {
        text[--at] = (char)('0' + number % 10);
        number /= 10;
    }
    put(lines, &text[at], sizeof text - at);
}

static void put_decimal(struct sp_lines *lines, uint64_t number, uint32_t digits)
{
    uint64_t unit = 1;
    for (uint32_t i = 0; i < digits; i++) {
        unit *= 10;
    }
    put_number(lines, number / unit, 1);
    put(lines, ".", 1);
    put_number(lines, number % unit, digits);
}

void sp_lines_count(struct sp_lines *lines,
                    const struct sp_sample *sample,
                    uint64_t count)
{
    put_name(lines, sample);
    put_number(lines, count, 1);
    put(lines, "\n", 1);
}

void sp_lines_decimal(struct sp_lines *lines,
                      const struct sp_sample *sample,
                      uint64_t number,
                      uint32_t digits)
{
    put_name(lines, sample);
    put_decimal(lines, number, digits);
    put(lines, "\n", 1);
}

// ---- Histograms -----------------------------------------------------------------

// Of each power of two, in seconds.
static const char *limit_of(uint32_t power)
{
    static const char *const limits[] = {
        "1.024e-06",    "2.048e-06",    "4.096e-06",    "8.192e-06",   "1.6384e-05",
        "3.2768e-05",   "6.5536e-05",   "0.000131072",  "0.000262144", "0.000524288",
        "0.001048576",  "0.002097152",  "0.004194304",  "0.008388608", "0.016777216",
        "0.033554432",  "0.067108864",  "0.134217728",  "0.268435456", "0.536870912",
        "1.073741824",  "2.147483648",  "4.294967296",  "8.589934592", "17.179869184",
        "34.359738368", "68.719476736", "137.438953472"};
    _Static_assert(sizeof limits / sizeof limits[0] ==
                       SP_LIMITS_LAST - SP_LIMITS_FIRST + 1,
                   "one for each power");
    return limits[power - SP_LIMITS_FIRST];
}

// How many took so long, and one of them: `# {trace_id="..."} seconds, and when`.
static void put_class(struct sp_lines *lines,
                      const struct sp_sample *sample,
                      uint64_t count,
                      const struct sp_exemplar *one)
{
    uint8_t trace[2 * sizeof one->trace];
    put_name(lines, sample);
    put_number(lines, count, 1);
    if (lines->open && one != NULL) {
        sp_hex_write(one->trace, sizeof one->trace, trace);
        put_text(lines, " # {trace_id=\"");
        put(lines, (const char *)trace, sizeof trace);
        put_text(lines, "\"} ");
        put_decimal(lines, one->ns, 9);
        put(lines, " ", 1);
        put_decimal(lines, one->at_ms, 3);
    }
    put(lines, "\n", 1);
}

// One that took as long as the class below a limit says; NULL: there is none.
static const struct sp_exemplar *
find_traced(const struct sp_exemplars *traced, uint64_t least, uint64_t limit)
{
    for (uint32_t i = 0; traced != NULL && i < SP_EXEMPLARS; i++) {
        const struct sp_exemplar *one = &traced->of[i];
        if (one->at_ms != 0 && one->ns >= least && one->ns < limit) {
            return one;
        }
    }
    return NULL;
}

// Its classes are many more than anybody asks for.
void sp_lines_times(struct sp_lines *lines,
                    const struct sp_sample *sample,
                    const struct sp_limits *limits,
                    const struct sp_histogram *times,
                    const struct sp_exemplars *traced)
{
    const uint64_t count = sp_histogram_count(times);
    uint64_t least = 0;
    struct sp_sample part = *sample;
    part.suffix = "_bucket";
    part.label = "le";
    for (uint32_t i = limits->first; i <= limits->last; i += limits->step) {
        const uint64_t limit = UINT64_C(1) << i;
        part.value = limit_of(i);
        put_class(lines,
                  &part,
                  sp_histogram_below(times, i),
                  find_traced(traced, least, limit));
        least = limit;
    }
    part.value = "+Inf";
    put_class(lines, &part, count, find_traced(traced, least, UINT64_MAX));
    part.suffix = "_count";
    part.label = NULL;
    sp_lines_count(lines, &part, count);
    part.suffix = "_sum";
    sp_lines_decimal(lines, &part, times->sum_ns, 9);
}
