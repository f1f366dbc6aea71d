// SPDX-License-Identifier: MIT
// Figures from their text to the messages of OTLP, and back.
#include "otlp/otlp.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "otlp/messages.h"
#include "protobuf/message.h"

static struct sp_buf bytes;
static struct sp_scratch scratch;
static struct sp_otlp_all_metrics all;

static int begin(void **state)
{
    (void)state;
    bytes = (struct sp_buf){0};
    scratch = (struct sp_scratch){0};
    memset(&all, 0, sizeof all);
    return 0;
}

static int end(void **state)
{
    (void)state;
    sp_buf_fini(&bytes);
    sp_scratch_fini(&scratch);
    return 0;
}

static snakepit_err write(const char *text)
{
    const struct sp_otlp_teller teller = {0};
    const struct sp_otlp_times times = {11, 22};
    return sp_otlp_write_metrics(&teller, sp_slice_of_text(text), times, &bytes);
}

// The metrics of the text.
static const struct sp_otlp_scope_metrics *read_back(const char *text)
{
    snakepit_message why;
    assert_int_equal(write(text), SNAKEPIT_OK);
    const struct sp_slice written = {bytes.data, bytes.size};
    assert_int_equal(
        sp_proto_decode(&sp_type_otlp_all_metrics, written, &scratch, &all, &why),
        SNAKEPIT_OK);
    return &all.resource_metrics.items[0].scope_metrics.items[0];
}

static void assert_text(struct sp_slice slice, const char *text)
{
    assert_int_equal(slice.size, strlen(text));
    assert_memory_equal(slice.data, text, slice.size);
}

static void counters_and_gauges_keep_their_labels(void **state)
{
    (void)state;
    const struct sp_otlp_scope_metrics *metrics =
        read_back("# HELP a_total How many.\n# TYPE a_total counter\n"
                  "a_total{pool=\"x\",tool=\"q\\\"\\\\\\n,\"} 3\na_total 4.5\n"
                  "# HELP b_seconds Now.\n# TYPE b_seconds gauge\nb_seconds -1\n");
    assert_int_equal(metrics->metrics.count, 2);
    const struct sp_otlp_metric *counter = &metrics->metrics.items[0];
    assert_text(counter->name, "a_total");
    assert_text(counter->description, "How many.");
    assert_true(counter->sum->is_monotonic);
    assert_int_equal(counter->sum->data_points.count, 2);
    const struct sp_otlp_number *first = &counter->sum->data_points.items[0];
    assert_int_equal(first->attributes.count, 2);
    assert_text(first->attributes.items[1].key, "tool");
    assert_text(first->attributes.items[1].value->string_value, "q\"\\\n,");
    assert_true(first->as_double == 3.0);
    assert_int_equal(first->start_time_unix_nano, 11);
    assert_int_equal(first->time_unix_nano, 22);
    const struct sp_otlp_metric *gauge = &metrics->metrics.items[1];
    assert_text(gauge->unit, "s");
    assert_true(gauge->gauge->data_points.items[0].as_double == -1.0);
}

static void the_classes_of_a_histogram_are_told_each_alone(void **state)
{
    (void)state;
    const struct sp_otlp_scope_metrics *metrics = read_back(
        "# TYPE h histogram\n"
        "h_bucket{p=\"a\",le=\"0.5\"} 2\nh_bucket{p=\"a\",le=\"1\"} 5\n"
        "h_bucket{p=\"a\",le=\"+Inf\"} 6\nh_count{p=\"a\"} 6\nh_sum{p=\"a\"} 4.25\n"
        "h_bucket{p=\"b\",le=\"0.5\"} 0\nh_bucket{p=\"b\",le=\"+Inf\"} 1\n"
        "h_sum{p=\"b\"} 9\nh_count{p=\"b\"} 1\n");
    const struct sp_otlp_histogram *histogram = metrics->metrics.items[0].histogram;
    assert_int_equal(histogram->aggregation_temporality, 2);
    assert_int_equal(histogram->data_points.count, 2);
    const struct sp_otlp_buckets *a = &histogram->data_points.items[0];
    const struct sp_otlp_buckets *b = &histogram->data_points.items[1];
    assert_int_equal(a->bucket_counts.count, 3);
    assert_int_equal(a->bucket_counts.items[0], 2);
    assert_int_equal(a->bucket_counts.items[1], 3);
    assert_int_equal(a->bucket_counts.items[2], 1);
    assert_int_equal(a->explicit_bounds.count, 2);
    assert_true(a->explicit_bounds.items[1] == 1.0);
    assert_int_equal(a->count, 6);
    assert_true(a->has_sum && a->sum == 4.25);
    assert_int_equal(a->attributes.count, 1);
    assert_text(b->attributes.items[0].value->string_value, "b");
    assert_int_equal(b->count, 1);
    assert_true(b->sum == 9.0);
}

static void a_summary_has_its_quantiles_or_none(void **state)
{
    (void)state;
    const struct sp_otlp_scope_metrics *metrics =
        read_back("# TYPE s summary\n"
                  "s{p=\"a\",quantile=\"0.5\"} 1\ns{p=\"a\",quantile=\"0.99\"} 2\n"
                  "s_sum{p=\"a\"} 3\ns_count{p=\"a\"} 4\n"
                  "s_sum{p=\"b\"} 5\ns_count{p=\"b\"} 6\n");
    const struct sp_otlp_summary *summary = metrics->metrics.items[0].summary;
    assert_int_equal(summary->data_points.count, 2);
    const struct sp_otlp_summary_point *a = &summary->data_points.items[0];
    const struct sp_otlp_summary_point *b = &summary->data_points.items[1];
    assert_int_equal(a->quantile_values.count, 2);
    assert_true(a->quantile_values.items[1].quantile == 0.99);
    assert_true(a->quantile_values.items[1].value == 2.0);
    assert_int_equal(a->attributes.count, 1);
    assert_int_equal(a->count, 4);
    assert_int_equal(b->quantile_values.count, 0);
    assert_true(b->sum == 5.0);
    assert_int_equal(b->count, 6);
}

static void what_is_no_such_text_is_refused(void **state)
{
    (void)state;
    static const char *const wrong[] = {
        "a 1\n",
        "# TYPE a counter\na\n",
        "# TYPE a counter\na{b=\"c\" 1\n",
        "# TYPE a counter\na one\n",
    };
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        assert_int_equal(write(wrong[i]), SNAKEPIT_MALFORMED);
    }
    assert_int_equal(write(""), SNAKEPIT_OK);
    assert_int_equal(write("# TYPE a counter\na{b} 1\na{b=} 1\na{=\"\"} 1"),
                     SNAKEPIT_OK);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(counters_and_gauges_keep_their_labels),
        TEST(the_classes_of_a_histogram_are_told_each_alone),
        TEST(a_summary_has_its_quantiles_or_none),
        TEST(what_is_no_such_text_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
