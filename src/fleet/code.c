// SPDX-License-Identifier: MIT
// Whether the code of a pool's workers has changed on disk since they were started.
// Which files it came from is what the first worker that is ready says of itself. A
// file's time of change (ctime) counts, which nobody sets back. It may be a tick of the
// kernel early, and so may seem to be before a start that it follows; but no
// interpreter gets to its adapter as fast as that, so that start has seen the change.
#include <string.h>
#include <sys/stat.h>

#include "fleet/inside.h"

void sp_code_begin(struct sp_fleet *fleet)
{
    struct sp_code *code = &fleet->code;
    pthread_mutex_lock(&fleet->rows_lock);
    code->known = false;
    code->fails = false;
    code->files.size = 0;
    (void)clock_gettime(CLOCK_REALTIME, &code->since);
    pthread_mutex_unlock(&fleet->rows_lock);
}

// Without memory the files stay unknown; the next worker may tell.
void sp_code_take(struct sp_fleet *fleet, const struct sp_worker *worker)
{
    struct sp_code *code = &fleet->code;
    const struct sp_buf *files = &worker->sources;
    if (code->known || files->size == 0) {
        return;
    }
    pthread_mutex_lock(&fleet->rows_lock);
    code->known = sp_buf_append(&code->files, files->data, files->size) == SNAKEPIT_OK;
    pthread_mutex_unlock(&fleet->rows_lock);
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

// One that is gone has changed.
static bool has_changed(const char *path, const struct timespec *since)
{
    struct stat file;
    return stat(path, &file) != 0 || is_later(&file.st_ctim, since);
}

// Each path ends with a zero.
static bool any_has_changed(const struct sp_buf *files, const struct timespec *since)
{
    for (size_t at = 0; at < files->size;) {
        const char *path = (const char *)files->data + at;
        if (has_changed(path, since)) {
            return true;
        }
        at += strlen(path) + 1;
    }
    return false;
}

// What has failed may be mended, and nothing else would have it tried again.
static bool is_down(struct sp_pool *pool)
{
    struct sp_pool_view view;
    sp_pool_look(pool, &view, NULL);
    return view.state == SP_POOL_FAILED || view.state == SP_POOL_DOWN;
}

bool sp_fleet_has_new_code(struct sp_fleet *fleet)
{
    const struct sp_code *code = &fleet->code;
    struct sp_buf files = {0};
    pthread_mutex_lock(&fleet->rows_lock);
    struct timespec since = code->since;
    bool fails = code->fails;
    snakepit_err err = sp_buf_append(&files, code->files.data, code->files.size);
    pthread_mutex_unlock(&fleet->rows_lock);
    // To replace them once too often does no harm.
    bool changed = fails || is_down(fleet->options.pool) || err != SNAKEPIT_OK ||
                   any_has_changed(&files, &since);
    sp_buf_fini(&files);
    return changed;
}
