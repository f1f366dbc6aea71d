// SPDX-License-Identifier: MIT
// Where a command finds pools: its own, opened from a configuration, or those of a
// daemon. A command asks and prints, and does not know which of them it has.
#ifndef CLI_TARGET_H
#define CLI_TARGET_H

#include <stdbool.h>
#include <stdint.h>

#include <snakepit/snakepit.h>

#include "base/slice.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/problem.h"

// What a question came to. Zeroed at the beginning; owner: the main thread.
struct sp_cli_result {
    snakepit_err err;
    struct sp_slice json;        // OK: the value that was asked for
    const snakepit_fault *fault; // that an answer has; NULL: `why` says all there is
    snakepit_message why;
    const char *note; // CANCELLED by a signal: what is to be said beside that, or ""

    snakepit_answer *answer; // what of the above is borrowed from
    snakepit_stream *stream;
    struct sp_cli_problem problem;
    struct sp_buf text;
};

// A call of a tool. Borrowed.
struct sp_cli_ask {
    const char *pool;
    const char *tool;
    const struct sp_cli_arguments *arguments;
    uint32_t timeout_ms; // 0: call_timeout_ms
    uint32_t priority;
    const char *session; // NULL: none
    // Makes a stream of it, whose chunks come as JSON text; false: nobody reads on.
    // Then the result has no value.
    bool (*chunk)(void *user, struct sp_slice json);
    void *user;
};

struct sp_cli_target;

struct sp_cli_target_ops {
    void (*call)(struct sp_cli_target *target,
                 const struct sp_cli_ask *ask,
                 struct sp_cli_result *result);
    // The table of a pool's tools; see snakepit_pool_tools().
    void (*tools)(struct sp_cli_target *target,
                  const char *pool,
                  struct sp_cli_result *result);
    // {"pools": [...]}, and one of them with its workers; see api/pools.h.
    void (*pools)(struct sp_cli_target *target, struct sp_cli_result *result);
    void (*pool)(struct sp_cli_target *target,
                 const char *pool,
                 struct sp_cli_result *result);
    // How a pool does; see api/inspection.h.
    void (*inspect)(struct sp_cli_target *target,
                    const char *pool,
                    struct sp_cli_result *result);
    // Waits for what is under way.
    void (*close)(struct sp_cli_target *target);
};

struct sp_cli_target {
    const struct sp_cli_target_ops *ops;
};

// Whether the command line, or the variable, names where pools are to be found. False:
// it has complained, and `*status` is the exit code.
bool sp_cli_target_is_named(struct sp_cli *cli,
                            enum sp_cli_option_id config,
                            int *status);

// Opens what the command line names: the file of option `config`, or the daemon of
// --connect or $SNAKEPIT_CONNECT; a file that is named wins over the variable. False:
// it cannot be, and that was told; `*status` is the exit code.
bool sp_cli_target_open(struct sp_cli *cli,
                        enum sp_cli_option_id config,
                        bool as_json,
                        struct sp_cli_target **target,
                        int *status);
void sp_cli_target_close(struct sp_cli_target *target);

// Tells of a result that is not OK, and gives the exit code; of one that is, gives 0.
int sp_cli_result_report(struct sp_cli *cli,
                         const struct sp_cli_result *result,
                         bool as_json);
// The same with the error's name in front, whatever there is beside it.
int sp_cli_result_report_named(struct sp_cli *cli,
                               const struct sp_cli_result *result,
                               bool as_json);
// Prints a value, which is a map: as one line with `as_json`, else by `print`. Or tells
// why there is none. Gives the exit code.
int sp_cli_result_show(struct sp_cli *cli,
                       const struct sp_cli_result *result,
                       bool as_json,
                       void (*print)(struct sp_cli *cli, const snakepit_reader *map));
// Before its target is closed.
void sp_cli_result_fini(struct sp_cli_result *result);

#endif
