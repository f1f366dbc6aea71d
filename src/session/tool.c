// SPDX-License-Identifier: MIT
// What comes from a worker is checked to the last byte before it is kept: others will
// read it.
#include "session/tool.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "payload/keys.h"
#include "payload/writer.h"

#define TTL_MOST_S 1e9 // longer ones never end

// One question on its way through an operation.
struct asking {
    struct sp_sessions *sessions;
    const struct sp_session_question *question;
    struct sp_session_place place;
    snakepit_writer *result;
    snakepit_message *why;
};

static snakepit_err
explain(const struct asking *asking, snakepit_err err, const char *text)
{
    (void)snprintf(asking->why->text,
                   sizeof asking->why->text,
                   "session_context.%.16s: %.900s",
                   asking->question->operation,
                   text);
    return err;
}

static snakepit_err explain_err(const struct asking *asking, snakepit_err err)
{
    char text[200];
    switch (err) {
    case SNAKEPIT_OK:
        return err;
    case SNAKEPIT_QUOTA_EXCEEDED:
        (void)snprintf(text,
                       sizeof text,
                       "the session's values would take more than session_quota (%llu "
                       "bytes); delete some or raise it",
                       (unsigned long long)asking->sessions->options.quota);
        return explain(asking, err, text);
    case SNAKEPIT_SATURATED:
        return explain(
            asking, err, "all of max_sessions sessions have calls under way");
    default:
        return explain(asking, err, snakepit_err_text(err));
    }
}

// ---- Arguments ----------------------------------------------------------------

static snakepit_err read_key(struct asking *asking)
{
    snakepit_reader at;
    snakepit_value value;
    if (snakepit_reader_find(&asking->question->arguments, "key", &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_TEXT || value.as.text.size == 0 ||
        value.as.text.size > SP_KEY_MAX) {
        return explain(
            asking, SNAKEPIT_INVALID_ARGUMENT, "a key is a text of 1 to 255 bytes");
    }
    asking->place.key =
        (struct sp_slice){(const uint8_t *)value.as.text.data, value.as.text.size};
    return SNAKEPIT_OK;
}

// Reads through one value of a message whose depth was checked. UNSERIALISABLE: there
// is something in it that means nothing outside of its message. INVALID_ARGUMENT: a
// list or a map is a key, which no tool could read.
static snakepit_err check_values(snakepit_reader *at, bool is_key)
{
    snakepit_value value;
    snakepit_err err = snakepit_reader_next(at, &value);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    if (value.kind == SNAKEPIT_TENSOR || value.kind == SNAKEPIT_EXTENSION) {
        return SNAKEPIT_UNSERIALISABLE;
    }
    if (value.kind != SNAKEPIT_ARRAY && value.kind != SNAKEPIT_MAP) {
        return SNAKEPIT_OK;
    }
    bool map = value.kind == SNAKEPIT_MAP;
    err = is_key ? SNAKEPIT_INVALID_ARGUMENT : SNAKEPIT_OK;
    uint64_t count = map ? 2 * (uint64_t)value.as.count : value.as.count;
    for (uint64_t i = 0; err == SNAKEPIT_OK && i < count; i++) {
        err = check_values(at, map && i % 2 == 0);
    }
    return err;
}

static snakepit_err check_plain(snakepit_reader *at)
{
    snakepit_reader end = *at;
    snakepit_err err = snakepit_reader_skip(&end); // MALFORMED: nested too deep
    return err == SNAKEPIT_OK ? check_values(at, false) : err;
}

static snakepit_err check_keys(const struct asking *asking, struct sp_slice value)
{
    snakepit_message wrong;
    snakepit_err err = sp_keys_check(value, &wrong);
    return err == SNAKEPIT_INVALID_ARGUMENT ? explain(asking, err, wrong.text)
                                            : explain_err(asking, err);
}

static snakepit_err read_value(struct asking *asking, struct sp_slice *data)
{
    snakepit_reader at;
    if (snakepit_reader_find(&asking->question->arguments, "value", &at) !=
        SNAKEPIT_OK) {
        return explain(asking, SNAKEPIT_INVALID_ARGUMENT, "there is no value");
    }
    const uint8_t *begin = at.at;
    snakepit_err err = check_plain(&at);
    if (err == SNAKEPIT_UNSERIALISABLE) {
        return explain(asking, err, "a value holds no arrays; put their bytes");
    }
    if (err == SNAKEPIT_INVALID_ARGUMENT) {
        return explain(
            asking, err, "a list or a map cannot be a key; put a list of pairs");
    }
    *data = (struct sp_slice){begin, (size_t)(at.at - begin)};
    return err == SNAKEPIT_OK ? check_keys(asking, *data) : explain_err(asking, err);
}

static bool seconds_of(const snakepit_value *value, double *seconds)
{
    if (value->kind == SNAKEPIT_INTEGER) {
        *seconds = (double)value->as.integer;
    } else if (value->kind == SNAKEPIT_REAL) {
        *seconds = value->as.real;
    } else {
        return false;
    }
    return *seconds > 0; // false for what is not a number, too
}

static snakepit_err read_ttl(struct asking *asking, uint64_t *ttl_ms)
{
    snakepit_reader at;
    snakepit_value value;
    double seconds = 0;
    *ttl_ms = 0;
    if (snakepit_reader_find(&asking->question->arguments, "ttl", &at) != SNAKEPIT_OK ||
        snakepit_reader_next(&at, &value) != SNAKEPIT_OK ||
        value.kind == SNAKEPIT_NIL) {
        return SNAKEPIT_OK;
    }
    if (!seconds_of(&value, &seconds)) {
        return explain(asking,
                       SNAKEPIT_INVALID_ARGUMENT,
                       "a ttl is a number of seconds above 0, or None");
    }
    *ttl_ms = seconds >= TTL_MOST_S ? 0 : (uint64_t)ceil(seconds * 1000);
    return SNAKEPIT_OK;
}

// ---- Operations ---------------------------------------------------------------

static snakepit_err get(struct asking *asking)
{
    struct sp_buf value = {0};
    snakepit_err err = read_key(asking);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = sp_sessions_get(asking->sessions, &asking->place, &value);
    if (err == SNAKEPIT_OK || err == SNAKEPIT_NOT_FOUND) {
        snakepit_writer_array(asking->result, err == SNAKEPIT_OK ? 1 : 0);
    }
    if (err == SNAKEPIT_OK) {
        sp_writer_value(asking->result, (struct sp_slice){value.data, value.size});
    }
    sp_buf_fini(&value);
    return explain_err(asking, err == SNAKEPIT_NOT_FOUND ? SNAKEPIT_OK : err);
}

static snakepit_err put(struct asking *asking)
{
    struct sp_slice value;
    uint64_t ttl_ms;
    snakepit_err err = read_key(asking);
    if (err == SNAKEPIT_OK) {
        err = read_value(asking, &value);
    }
    if (err == SNAKEPIT_OK) {
        err = read_ttl(asking, &ttl_ms);
    }
    if (err != SNAKEPIT_OK) {
        return err;
    }
    snakepit_writer_nil(asking->result);
    return explain_err(
        asking, sp_sessions_put(asking->sessions, &asking->place, value, ttl_ms));
}

static snakepit_err delete_key(struct asking *asking)
{
    snakepit_err err = read_key(asking);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    err = sp_sessions_delete(asking->sessions, &asking->place);
    snakepit_writer_bool(asking->result, err == SNAKEPIT_OK);
    return explain_err(asking, err == SNAKEPIT_NOT_FOUND ? SNAKEPIT_OK : err);
}

static snakepit_err list(struct asking *asking)
{
    snakepit_err err =
        sp_sessions_list(asking->sessions, asking->place.session, asking->result);
    if (err == SNAKEPIT_NOT_FOUND) {
        snakepit_writer_array(asking->result, 0);
        err = SNAKEPIT_OK;
    }
    return explain_err(asking, err);
}

snakepit_err sp_session_tool(struct sp_sessions *sessions,
                             const struct sp_session_question *question,
                             snakepit_writer *result,
                             snakepit_message *why)
{
    static const struct {
        const char *name;
        snakepit_err (*run)(struct asking *asking);
    } operations[] = {
        {"get", get}, {"put", put}, {"delete", delete_key}, {"list", list}};
    struct asking asking = {sessions, question, {question->session, {0}}, result, why};
    if (question->session.size == 0) {
        return explain(&asking,
                       SNAKEPIT_NOT_FOUND,
                       "this call belongs to no session; its caller has to name "
                       "one");
    }
    for (size_t i = 0; i < sizeof operations / sizeof operations[0]; i++) {
        if (strcmp(operations[i].name, question->operation) == 0) {
            snakepit_err err = operations[i].run(&asking);
            return err == SNAKEPIT_OK
                       ? explain_err(&asking, snakepit_writer_error(result))
                       : err;
        }
    }
    return explain(&asking, SNAKEPIT_UNKNOWN_TOOL, "there is no such operation");
}
