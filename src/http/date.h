// SPDX-License-Identifier: MIT
// The Date of answers (RFC 9110, section 5.6.7).
#ifndef HTTP_DATE_H
#define HTTP_DATE_H

#include <time.h>

#define SP_HTTP_DATE_SIZE 29u // bytes of "Sun, 06 Nov 1994 08:49:37 GMT"

// Writes `when`, of a year from 1970 to 9999, with a zero behind it.
void sp_http_date_write(char text[SP_HTTP_DATE_SIZE + 1], time_t when);

// Now; made anew once a second. For this thread, until it asks again.
const char *sp_http_date_now(void);

#endif
