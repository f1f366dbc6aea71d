// SPDX-License-Identifier: MIT
#include "base/utc.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/check.h"

#define LAST INT64_C(253402300799) // the last second of 9999

int64_t sp_utc_now(void)
{
    struct timespec now;
    (void)clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

// The text has a digit where the form has a 0, and else the same.
static bool has_form(const char *text, const char *form)
{
    for (; *form != '\0'; text++, form++) {
        if (*form == '0' ? *text < '0' || *text > '9' : *text != *form) {
            return false;
        }
    }
    return *text == '\0';
}

static int number(const char *text, size_t digits)
{
    int value = 0;
    for (size_t i = 0; i < digits; i++) {
        value = value * 10 + (text[i] - '0');
    }
    return value;
}

bool sp_utc_read(const char *text, int64_t *seconds)
{
    char again[SP_UTC_SIZE];
    const bool day = has_form(text, "0000-00-00");
    if ((!day && !has_form(text, "0000-00-00T00:00:00Z")) ||
        strncmp(text, "1970", 4) < 0) {
        return false;
    }
    struct tm parts = {.tm_year = number(text, 4) - 1900,
                       .tm_mon = number(text + 5, 2) - 1,
                       .tm_mday = number(text + 8, 2),
                       .tm_hour = day ? 0 : number(text + 11, 2),
                       .tm_min = day ? 0 : number(text + 14, 2),
                       .tm_sec = day ? 0 : number(text + 17, 2)};
    const int64_t found = timegm(&parts);
    // The 30th of February has become the 2nd of March.
    sp_utc_write(found, again);
    if (strncmp(again, text, strlen(text)) != 0) {
        return false;
    }
    *seconds = found;
    return true;
}

void sp_utc_write(int64_t seconds, char text[SP_UTC_SIZE])
{
    struct tm parts;
    const time_t when = (time_t)(seconds < 0 ? 0 : seconds > LAST ? LAST : seconds);
    SP_CHECK(gmtime_r(&when, &parts) != NULL);
    SP_CHECK(strftime(text, SP_UTC_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts) > 0);
}
