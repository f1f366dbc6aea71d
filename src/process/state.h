// SPDX-License-Identifier: MIT
// The lives of a worker and of a template, each as a table: which event leads from
// which state to which.
#ifndef PROCESS_STATE_H
#define PROCESS_STATE_H

enum sp_worker_state {
    SP_WORKER_STARTING, // the process is there; it has not answered a call
    SP_WORKER_READY,    // takes calls
    SP_WORKER_DRAINING, // takes no more; some still run
    SP_WORKER_STOPPING, // was told to leave
    SP_WORKER_DEAD,     // has left; only its memory may still be read
};

enum sp_worker_event {
    SP_WORKER_ANSWERED, // the first call went through
    SP_WORKER_DRAIN,    // it is to be replaced
    SP_WORKER_STOP,     // it is to leave
    SP_WORKER_EXITED,   // its exit was observed
};

#define SP_WORKER_STATES 5
#define SP_WORKER_EVENTS 4

// "STARTING" and so on.
const char *sp_worker_state_name(enum sp_worker_state state);

// Where `event` leads from `state`: `state` itself where it means nothing there.
enum sp_worker_state sp_worker_next(enum sp_worker_state state,
                                    enum sp_worker_event event);

enum sp_template_state {
    SP_TEMPLATE_STARTING, // imports the adapter
    SP_TEMPLATE_READY,    // forks
    SP_TEMPLATE_STOPPING, // was told to leave, or killed
    SP_TEMPLATE_DEAD,     // has left, or was given up
};

enum sp_template_event {
    SP_TEMPLATE_IMPORTED, // it says that it can fork
    SP_TEMPLATE_STOP,     // it is to leave
    SP_TEMPLATE_EXITED,   // its exit was observed
};

#define SP_TEMPLATE_STATES 4
#define SP_TEMPLATE_EVENTS 3

const char *sp_template_state_name(enum sp_template_state state);
enum sp_template_state sp_template_next(enum sp_template_state state,
                                        enum sp_template_event event);

#endif
