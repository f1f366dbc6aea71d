// SPDX-License-Identifier: MIT
// A view of the model as rows of cells: what is shown, in which order. What a terminal
// must not be shown is not in them.
#ifndef CLI_TOP_TABLE_H
#define CLI_TOP_TABLE_H

#include "cli/top_gather.h"
#include "cli/top_model.h"

enum sp_top_kind {
    SP_TOP_TEXT,
    SP_TOP_STATE,   // of a pool or a worker; its colour says how well it is
    SP_TOP_OUTCOME, // of a call, likewise
    SP_TOP_HEALTH,  // a text, or a map whose "status" is one
    SP_TOP_ID,
    SP_TOP_COUNT,
    SP_TOP_SHARE, // "3/4"
    SP_TOP_RATE,  // of a second
    SP_TOP_BYTES,
    SP_TOP_SECONDS,
    SP_TOP_MICROS,   // microseconds
    SP_TOP_AGE,      // milliseconds, when the row came
    SP_TOP_SINCE,    // since that Unix time in milliseconds
    SP_TOP_RUNS,     // of executors: the tool of the call that has run for longest
    SP_TOP_RUNS_FOR, // and for how long it has
};

enum sp_top_mood { SP_TOP_PLAIN, SP_TOP_GOOD, SP_TOP_WARNS, SP_TOP_BAD, SP_TOP_FADED };

struct sp_top_column {
    enum sp_top_view view;
    const char *title;
    char letter;
    enum sp_top_kind kind;
    const char *key;
    const char *of;
    unsigned rank;
    unsigned most;
};

#define SP_TOP_COLUMNS_MAX 20u // of one view
#define SP_TOP_UNSORTED    SIZE_MAX

// The columns of a view; `count` is at most SP_TOP_COLUMNS_MAX.
const struct sp_top_column *sp_top_columns(enum sp_top_view view, size_t *count);
bool sp_top_is_number(enum sp_top_kind kind);

struct sp_top_cell {
    size_t at;     // where its text begins, see sp_top_cell_text()
    double number; // for sorting, where the column is a number
    enum sp_top_mood mood;
};

// What a row is about; what does not apply is 0 or "".
struct sp_top_about {
    char pool[SP_TOP_NAME];
    char tool[SP_TOP_NAME];
    uint64_t worker;
    uint64_t call;
    bool runs; // the call has not ended
};

struct sp_top_line {
    uint64_t key; // the same for the same thing, time after time
    struct sp_top_about about;
    struct sp_top_cell cells[SP_TOP_COLUMNS_MAX];
};

// Which rows, and in which order. Borrowed.
struct sp_top_choice {
    enum sp_top_view view;
    const char *pool;   // only what is of it; "": of all
    const char *tool;   // likewise
    uint64_t worker;    // likewise; 0
    const char *filter; // that a cell contains, whatever the case; ""
    size_t sort;        // the number of a column, or SP_TOP_UNSORTED
    bool falling;
    uint64_t now_ms; // the daemon's clock
};

// Owner: one thread. Zeroed it is empty.
struct sp_top_table {
    enum sp_top_view view;
    size_t count;
    struct sp_top_line *lines;
    uint32_t *order; // numbers of `lines`, as they are sorted
    size_t room;
    struct sp_buf texts; // of the cells, with a zero behind each
};

// Makes the table anew. NO_MEMORY: it is empty.
snakepit_err sp_top_table_make(struct sp_top_table *table,
                               const struct sp_top_model *model,
                               const struct sp_top_choice *choice);
// The line at that place.
const struct sp_top_line *sp_top_table_line(const struct sp_top_table *table,
                                            size_t at);
// Zero-terminated UTF-8.
const char *sp_top_cell_text(const struct sp_top_table *table,
                             const struct sp_top_cell *cell);
void sp_top_table_fini(struct sp_top_table *table);

#endif
