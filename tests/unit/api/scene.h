// SPDX-License-Identifier: MIT
// A daemon of the test's own and one request at a time, and what it is answered.
#ifndef UNIT_API_SCENE_H
#define UNIT_API_SCENE_H

#include "fake_exchange.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "fake_pit.h"

#define SCENE static __attribute__((unused))

static struct fake_daemon server;
static struct fake_exchange fake;

SCENE int open_daemon(void **state)
{
    (void)pit_prepare(state);
    pit_open_ready("");
    fake_daemon_open(&server, pit, NULL);
    return 0;
}

SCENE int close_daemon(void **state)
{
    fake_free(&fake);
    fake = (struct fake_exchange){.room = 0};
    fake_daemon_close(&server);
    return pit_tidy(state);
}

#define test(name) cmocka_unit_test_setup_teardown(name, open_daemon, close_daemon)

SCENE void ask(const char *line, const char *body)
{
    fake_request(&fake, &server, line, body);
    fake_handle(&fake, &server);
}

SCENE void assert_answer(unsigned status, const char *body)
{
    if (fake.status != status || strcmp(fake_body(&fake), body) != 0) {
        fail_msg("%u %s", fake.status, fake_body(&fake));
    }
}

SCENE void assert_holds(unsigned status, const char *part)
{
    if (fake.status != status || strstr(fake_body(&fake), part) == NULL) {
        fail_msg("%u %s", fake.status, fake_body(&fake));
    }
}

SCENE void assert_field(const char *line)
{
    if (strstr(fake.fields, line) == NULL) {
        fail_msg("%s is not among\n%s", line, fake.fields);
    }
}

#endif
