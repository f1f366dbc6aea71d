// SPDX-License-Identifier: MIT
// What a daemon tells in the tests of `snakepit top`.
#ifndef TESTS_TOP_SCENE_H
#define TESTS_TOP_SCENE_H

#include "cli/top_model.h"

#define TOP_NOW UINT64_C(1700000000000)

static const char top_snapshot[] =
    "{\"time_ms\":1700000000000,\"uptime_ms\":3723000,\"version\":\"0.6.0\",\"pools\":["
    "{\"name\":\"text\",\"profile\":\"process\",\"state\":\"ready\",\"reason\":\"\","
    "\"workers\":2,\"workers_ready\":2,\"workers_outdated\":0,\"capacity\":2,"
    "\"running\":"
    "1,\"waiting\":3,\"calls\":1234,\"failures\":5,\"worker_deaths\":1,"
    "\"line_seconds\":{\"p50\":0.00002,\"p99\":0.004},\"run_seconds\":{\"p50\":0.0012,"
    "\"p99\":null},\"calls_per_second\":812.4,\"failures_per_second\":0},"
    "{\"name\":\"numbers\",\"profile\":\"thread\",\"state\":\"degraded\",\"reason\":"
    "\"worker 4 does not start: no model\",\"workers\":2,\"workers_ready\":1,"
    "\"workers_outdated\":1,\"capacity\":8,\"running\":0,\"waiting\":0,\"calls\":"
    "123456,"
    "\"failures\":0,\"worker_deaths\":0,\"calls_per_second\":7,"
    "\"failures_per_second\":0.5}],"
    "\"workers\":["
    "{\"pool\":\"text\",\"id\":1,\"pid\":4711,\"state\":\"READY\",\"load\":1,"
    "\"capacity\":"
    "1,\"health\":\"healthy\",\"age_ms\":65000,\"calls\":700,\"rss_bytes\":52428800,"
    "\"pss_bytes\":10485760,\"threads\":4,\"device\":null,\"stuck\":false,\"isolated\":"
    "false,\"executors\":[{\"executor\":0,\"tool\":\"slow\\u001b[31m\",\"call\":4096,"
    "\"since_ms\":1699999998800,\"state\":\"running\"}]},"
    "{\"pool\":\"text\",\"id\":2,\"pid\":4712,\"state\":\"READY\",\"load\":0,"
    "\"capacity\":"
    "1,\"health\":{\"status\":\"unhealthy\"},\"age_ms\":5000,\"calls\":534,\"rss_"
    "bytes\":"
    "41943040,\"threads\":4,\"stuck\":true,\"executors\":[{\"executor\":0,\"tool\":"
    "\"\","
    "\"call\":0,\"since_ms\":0,\"state\":\"idle\"}]},"
    "{\"pool\":\"numbers\",\"id\":3,\"pid\":4713,\"state\":\"DRAINING\",\"load\":2,"
    "\"capacity\":8,\"age_ms\":90000000,\"calls\":0,\"executors\":["
    "{\"executor\":0,\"tool\":\"sum\",\"call\":5000,\"since_ms\":1699999999900,"
    "\"state\":"
    "\"running\"},{\"executor\":1,\"tool\":\"order\",\"call\":5001,\"since_ms\":"
    "1699999990000,\"state\":\"asking\"}]}],"
    "\"calls\":["
    "{\"call\":10,\"pool\":\"text\",\"tool\":\"order\",\"worker\":1,\"executor\":0,"
    "\"session\":\"s1\",\"started_ms\":1699999997000.25,\"waited_us\":35,\"ran_us\":"
    "1500,"
    "\"outcome\":\"OK\",\"error\":\"\"},"
    "{\"call\":11,\"pool\":\"text\",\"tool\":\"order\",\"worker\":2,\"executor\":0,"
    "\"started_ms\":1699999999000,\"waited_us\":4000,\"ran_us\":2500000,\"outcome\":"
    "\"TOOL_FAILED\",\"error\":\"ValueError: no such order\"}],"
    "\"deaths\":[{\"pool\":\"text\",\"worker\":9,\"pid\":4700,\"time_ms\":"
    "1699999988000,"
    "\"cause\":\"signal 9\",\"after_ms\":1000}]}";

static inline void
top_take(struct sp_top_model *model, const char *name, const char *json)
{
    assert_int_equal(sp_top_model_take(model, name, sp_slice_of_text(json)),
                     SNAKEPIT_OK);
}

#endif
