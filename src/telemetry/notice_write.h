// SPDX-License-Identifier: MIT
// Events as text: a line of the log, a line of JSON, a datagram of journald.
#ifndef TELEMETRY_NOTICE_WRITE_H
#define TELEMETRY_NOTICE_WRITE_H

#include "telemetry/notice.h"

// Bytes of a time, with a zero: "2026-11-30T10:00:00.123456Z".
#define SP_NOTICE_TIME_SIZE 32u

void sp_notice_time(uint64_t time_ns, char room[SP_NOTICE_TIME_SIZE]);

// Writes "worker.exit pool=text worker=7 signal=9", cut to fit, with a zero; returns
// its bytes.
size_t sp_notice_line(const struct sp_notice *notice, char *room, size_t size);

// Writes one object: "time" (RFC 3339, in UTC), "level" ("warning"), "event", then the
// fields, numbers as numbers. Where it does not fit its texts are cut; `size` is at
// least 4096. With a zero; returns its bytes.
size_t sp_notice_json(const struct sp_notice *notice, char *room, size_t size);

// Writes journald's own protocol: MESSAGE (the line), PRIORITY, SYSLOG_IDENTIFIER,
// SNAKEPIT_EVENT, and each field as SNAKEPIT_POOL and so on. Fields that do not fit are
// left out; `size` is at least 8192. Returns its bytes.
size_t sp_notice_journal(const struct sp_notice *notice, char *room, size_t size);

#endif
