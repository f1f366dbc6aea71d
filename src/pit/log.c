// SPDX-License-Identifier: MIT
#include "pit/log.h"

#include <stdlib.h>

#include "base/callback.h"
#include "base/clock.h"
#include "base/system.h"
#include "base/thread.h"
#include "pit/pit.h"
#include "pit/refuse.h"
#include "telemetry/notice_show.h"
#include "telemetry/notice_write.h"

// ---- Handing on ---------------------------------------------------------------

static void hand_on_line(const struct sp_pit_outlets *to,
                         const struct sp_notice *notice)
{
    char line[SP_LOG_LINE_MAX];
    (void)sp_notice_line(notice, line, sizeof line);
    SP_CALLBACK("the callback `log`");
    to->line(
        to->line_user, (snakepit_log_level)notice->level, notice->kind->name, line);
    SP_CALLBACK_RETURNED;
}

void sp_pit_hand_on_notice(const struct sp_pit_outlets *to,
                           const struct sp_notice *notice)
{
    snakepit_field fields[SP_NOTICE_FIELDS_MOST];
    snakepit_notice shown;
    sp_notice_show(notice, fields, &shown);
    SP_CALLBACK("the callback `notice`");
    to->notice(to->notice_user, &shown);
    SP_CALLBACK_RETURNED;
}

static void hand_on(void *user, const struct sp_notice *notice)
{
    const struct sp_pit_outlets *to = user;
    if (to->line != NULL && notice->level >= to->line_level) {
        hand_on_line(to, notice);
    }
    if (to->notice != NULL && notice->level >= to->notice_level) {
        if (to->news != NULL) {
            sp_log_writer_put(to->news, notice);
        } else {
            sp_pit_hand_on_notice(to, notice);
        }
    }
    if (to->ear.hear != NULL && notice->level >= to->ear.level) {
        to->ear.hear(to->ear.user, notice);
    }
}

// ---- Opening ------------------------------------------------------------------

static void set_outlets(struct sp_pit_outlets *to, const snakepit_open_options *options)
{
    to->notice_level = SP_LOG_OFF;
    if (options == NULL) {
        return;
    }
    if (options->log != NULL) {
        to->line = options->log;
        to->line_user = options->log_user;
        to->line_level = (enum sp_log_level)options->log_level;
    }
    if (options->notice != NULL) {
        to->notice = options->notice;
        to->notice_user = options->notice_user;
        to->notice_level = (enum sp_log_level)options->notice_level;
    }
}

// The level that the variable asks for, or WARNING; `*wrong`: it names none.
static enum sp_log_level level_of_variable(const char *wanted, bool *wrong)
{
    int level = wanted == NULL ? SP_LOG_WARNING : sp_log_level_of(wanted);
    *wrong = level < 0;
    return *wrong ? SP_LOG_WARNING : (enum sp_log_level)level;
}

static enum sp_log_level lower(enum sp_log_level one, enum sp_log_level other)
{
    return one < other ? one : other;
}

// Adapters may say much, which is not sent for the sake of an ear that is not for it.
static void set_levels(struct sp_log *log, const struct sp_pit_outlets *to)
{
    enum sp_log_level ear = to->ear.hear != NULL ? to->ear.level : SP_LOG_OFF;
    log->adapters = lower(to->line_level, to->notice_level);
    log->adapters = lower(log->adapters, to->ear.adapters ? ear : SP_LOG_OFF);
    log->level = lower(log->adapters, ear);
}

static enum sp_log_format log_format(const snakepit *pit)
{
    return sp_pit_is_connected(pit) ? SP_LOG_TEXT : pit->config->log_format;
}

static snakepit_err open_writer(snakepit *pit, snakepit_message *why)
{
    struct sp_pit_outlets *to = &pit->outlets;
    const bool by_program = to->line != NULL || to->line_level >= SP_LOG_OFF;
    const bool handed_on =
        to->line != NULL || to->notice != NULL || to->ear.hear != NULL;
    const struct sp_log_target target = {.format = by_program ? SP_LOG_NOWHERE
                                                              : log_format(pit),
                                         .level = to->line_level,
                                         .take = handed_on ? hand_on : NULL,
                                         .user = to};
    snakepit_err err = sp_log_writer_open(&target, &pit->log_writer);
    if (err == SNAKEPIT_SYSTEM) {
        (void)sp_system_failed(
            why, "pthread_create", NULL, "of the thread that writes the log");
    }
    pit->log.write = sp_log_writer_put;
    pit->log.user = pit->log_writer;
    return err;
}

snakepit_err sp_pit_open_log(snakepit *pit,
                             const snakepit_open_options *options,
                             snakepit_message *why)
{
    const char *wanted =
        getenv("SNAKEPIT_LOG"); // NOLINT(concurrency-mt-unsafe): read-only
    bool wrong;
    pit->outlets.line_level = level_of_variable(wanted, &wrong);
    set_outlets(&pit->outlets, options);
    set_levels(&pit->log, &pit->outlets);
    if (pit->log.level >= SP_LOG_OFF) {
        return SNAKEPIT_OK; // nothing is ever told
    }
    snakepit_err err = open_writer(pit, why);
    if (err == SNAKEPIT_OK && wrong && pit->outlets.line == NULL) {
        sp_log(&pit->log,
               pit_unknown_log_level,
               .value = wanted,
               .expected = "debug|info|warning|error|off");
    }
    return err;
}

// ---- Waiting ------------------------------------------------------------------

snakepit_err snakepit_flush_log(snakepit *pit, uint32_t timeout_ms)
{
    SP_UNCANCELLED;
    snakepit_err err = sp_refuse_no_pit(pit, NULL);
    if (err != SNAKEPIT_OK) {
        return err;
    }
    const uint64_t ns = timeout_ms * SP_NS_PER_MS;
    struct sp_log_writer *const writers[] = {pit->log_writer, pit->outlets.news};
    bool flushed = true;
    for (size_t i = 0; i < 2; i++) {
        flushed =
            flushed && (writers[i] == NULL || sp_log_writer_flush(writers[i], ns));
    }
    return flushed ? SNAKEPIT_OK : SNAKEPIT_DEADLINE_EXCEEDED;
}
