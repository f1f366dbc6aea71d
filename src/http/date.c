// SPDX-License-Identifier: MIT
// Not strftime(3): the names of days and months are those of English, whatever the
// language of the machine.
#include "http/date.h"

#include <string.h>

#include "base/check.h"

static char *put_two(char *at, int number)
{
    *at++ = (char)('0' + number / 10 % 10);
    *at++ = (char)('0' + number % 10);
    return at;
}

static char *put_text(char *at, const char *text, size_t size)
{
    memcpy(at, text, size);
    return at + size;
}

void sp_http_date_write(char text[SP_HTTP_DATE_SIZE + 1], time_t when)
{
    static const char days[] = "SunMonTueWedThuFriSat";
    static const char months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    struct tm parts;
    SP_CHECK(gmtime_r(&when, &parts) != NULL);
    int year = parts.tm_year + 1900;
    char *at = put_text(text, days + (size_t)parts.tm_wday * 3, 3);
    at = put_two(put_text(at, ", ", 2), parts.tm_mday);
    at = put_text(put_text(at, " ", 1), months + (size_t)parts.tm_mon * 3, 3);
    at = put_two(put_two(put_text(at, " ", 1), year / 100), year);
    at = put_two(put_text(at, " ", 1), parts.tm_hour);
    at = put_two(put_text(at, ":", 1), parts.tm_min);
    at = put_two(put_text(at, ":", 1), parts.tm_sec);
    at = put_text(at, " GMT", 4);
    *at = '\0';
}

const char *sp_http_date_now(void)
{
    static _Thread_local time_t made_for = -1;
    static _Thread_local char text[SP_HTTP_DATE_SIZE + 1];
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME_COARSE, &now);
    if (now.tv_sec != made_for) {
        made_for = now.tv_sec;
        sp_http_date_write(text, now.tv_sec);
    }
    return text;
}
