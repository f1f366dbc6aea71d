// SPDX-License-Identifier: MIT
#include "cli/daemon_signals.h"

#include <signal.h>
#include <stdatomic.h>
#include <stddef.h>

static const int stops[] = {SIGTERM, SIGINT};

// Written by the handlers, on any thread. The loop is set before there are handlers.
static struct sp_loop *loop_to_wake;
static atomic_uint stop_count;
static atomic_int last_stop;
static atomic_bool reload_wanted;
static atomic_bool stop_wanted;

static void note_stop(int number)
{
    atomic_store(&last_stop, number);
    atomic_fetch_add(&stop_count, 1);
    sp_loop_wake(loop_to_wake);
}

static void note_reload(int number)
{
    (void)number;
    atomic_store(&reload_wanted, true);
    sp_loop_wake(loop_to_wake);
}

static void handle(int number, void (*handler)(int))
{
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    (void)sigaction(number, &action, NULL);
}

static bool is_ignored(int number)
{
    struct sigaction now;
    return sigaction(number, NULL, &now) == 0 && now.sa_handler == SIG_IGN;
}

void sp_daemon_signals_init(struct sp_loop *loop)
{
    loop_to_wake = loop;
    handle(SIGTERM, note_stop);
    if (!is_ignored(SIGINT)) {
        handle(SIGINT, note_stop);
    }
    // One that has outlived its terminal is to be reloaded as well.
    handle(SIGHUP, note_reload);
}

void sp_daemon_ask_to_stop(void)
{
    atomic_store(&stop_wanted, true);
    sp_loop_wake(loop_to_wake);
}

bool sp_daemon_is_to_stop(void)
{
    return atomic_load(&stop_wanted) || sp_daemon_stops() > 0;
}

unsigned sp_daemon_stops(void)
{
    return atomic_load(&stop_count);
}

const char *sp_daemon_stop_name(void)
{
    if (sp_daemon_stops() == 0) {
        return "a request";
    }
    return atomic_load(&last_stop) == SIGINT ? "SIGINT" : "SIGTERM";
}

bool sp_daemon_take_reload(void)
{
    return atomic_exchange(&reload_wanted, false);
}

void sp_daemon_signals_end(void)
{
    handle(SIGHUP, SIG_IGN);
    for (size_t i = 0; i < sizeof stops / sizeof stops[0]; i++) {
        if (!is_ignored(stops[i])) {
            handle(stops[i], SIG_DFL);
        }
    }
}
