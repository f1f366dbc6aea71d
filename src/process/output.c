// SPDX-License-Identifier: MIT
#include "process/output.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/text.h"

#define READ_MOST (1u << 20)
#define TURN_NS   (5 * SP_NS_PER_MS)

void sp_output_init(struct sp_output *output,
                    int fd,
                    enum sp_log_level least,
                    sp_output_line_fn *line,
                    void *user)
{
    SP_CHECK(pthread_mutex_init(&output->lock, NULL) == 0);
    output->fd = fd;
    output->line = line;
    output->user = user;
    output->least = least;
    output->level = SP_LOG_INFO;
    sp_bucket_init(
        &output->lines, SP_LINES_AT_ONCE, SP_LINES_A_SECOND, sp_clock_coarse());
    output->dropped = 0;
    output->partial_size = 0;
    output->cut = false;
    output->tail_size = 0;
    output->tail[0] = 0;
}

void sp_output_fini(struct sp_output *output)
{
    output->fd = -1;
    pthread_mutex_destroy(&output->lock);
}

static void keep_in_tail(struct sp_output *output, const char *text, size_t size)
{
    if (output->tail_size + size + 1 > SP_TAIL_MAX) {
        // Drop whole lines from the front until it fits; a line is shorter than the
        // tail.
        size_t excess = output->tail_size + size + 1 - SP_TAIL_MAX;
        const char *cut =
            memchr(output->tail + excess, '\n', output->tail_size - excess);
        size_t from =
            cut == NULL ? output->tail_size : (size_t)(cut - output->tail) + 1;
        output->tail_size -= from;
        memmove(output->tail, output->tail + from, output->tail_size);
    }
    memcpy(output->tail + output->tail_size, text, size);
    output->tail_size += size;
    output->tail[output->tail_size++] = '\n';
    output->tail[output->tail_size] = 0;
}

static bool is_mark(char first, char second)
{
    return first == SP_LEVEL_MARK && second >= '0' + SP_LOG_DEBUG &&
           second <= '0' + SP_LOG_ERROR;
}

static const enum sp_log_level levels[] = {
    SP_LOG_DEBUG, SP_LOG_INFO, SP_LOG_WARNING, SP_LOG_ERROR};

// Takes the mark off a line. Its text, without a zero behind it yet.
static char *text_of_line(struct sp_output *output, size_t *size)
{
    size_t mark = 0;
    if (output->partial_size >= 2 && is_mark(output->partial[0], output->partial[1])) {
        output->level = levels[(output->partial[1] - '0') & 3];
        mark = 2;
    }
    *size = output->partial_size - mark;
    return output->partial + mark;
}

// A line that is cut keeps its level for the rest of it.
static void end_line(struct sp_output *output)
{
    size_t size;
    char *text = text_of_line(output, &size);
    text[size] = 0;
    // As a whole, since a character may come in two reads.
    sp_text_clean(text, size, SP_TEXT_BLOCK);
    keep_in_tail(output, text, size);
    if (output->level < output->least) {
        // Nobody wants it.
    } else if (sp_bucket_take(&output->lines, 1, sp_clock_coarse())) {
        output->line(output->user, output->level, text);
    } else {
        output->dropped++;
    }
    output->partial_size = 0;
    if (!output->cut) {
        output->level = SP_LOG_INFO;
    }
}

// The last byte of the line so far and this one may begin another line.
static void begin_at_mark(struct sp_output *output, char byte)
{
    size_t last = output->partial_size - 1;
    if (output->partial_size < 2 || !is_mark(output->partial[last], byte)) {
        return;
    }
    output->partial_size = last;
    end_line(output);
    output->partial[0] = SP_LEVEL_MARK;
    output->partial_size = 1;
}

static void take_byte(struct sp_output *output, char byte)
{
    // The end of a line that has just been told in full adds nothing.
    bool told = output->cut && output->partial_size == 0;
    output->cut = false;
    begin_at_mark(output, byte);
    if (byte != '\n') {
        output->partial[output->partial_size++] = byte;
        output->cut = output->partial_size == SP_LINE_MAX;
    } else if (told) {
        output->level = SP_LOG_INFO;
    }
    if (output->cut || (byte == '\n' && !told)) {
        end_line(output);
    }
}

static void take(struct sp_output *output, const char *bytes, size_t size)
{
    for (size_t i = 0; i < size; i++) {
        take_byte(output, bytes[i]);
    }
}

static void end_pipe(struct sp_output *output)
{
    if (output->partial_size > 0) {
        end_line(output);
    }
}

// In small pieces: each of its bytes may be a line.
static bool read_until(struct sp_output *output, uint64_t end)
{
    char room[2048];
    bool open = true;
    pthread_mutex_lock(&output->lock);
    for (size_t total = 0;
         output->fd >= 0 && total < READ_MOST && sp_clock_now() < end;) {
        // It does not block: the pipe is non-blocking.
        // NOLINTNEXTLINE(clang-analyzer-unix.BlockInCriticalSection)
        ssize_t got = read(output->fd, room, sizeof room);
        if (got > 0) {
            take(output, room, (size_t)got);
            total += (size_t)got;
        } else if (got < 0 && errno == EINTR) {
            continue;
        } else {
            open = got < 0 && errno == EAGAIN;
            break;
        }
    }
    if (!open) {
        end_pipe(output);
    }
    pthread_mutex_unlock(&output->lock);
    return open;
}

bool sp_output_read(struct sp_output *output)
{
    return read_until(output, sp_clock_now() + TURN_NS);
}

void sp_output_drain(struct sp_output *output)
{
    (void)read_until(output, SP_NEVER);
}

uint64_t sp_output_dropped(struct sp_output *output)
{
    pthread_mutex_lock(&output->lock);
    uint64_t dropped = output->dropped;
    pthread_mutex_unlock(&output->lock);
    return dropped;
}

void sp_output_tail(struct sp_output *output, char *room, size_t size)
{
    pthread_mutex_lock(&output->lock);
    size_t kept = output->tail_size < size ? output->tail_size : size - 1;
    memcpy(room, output->tail + output->tail_size - kept, kept);
    room[kept] = 0;
    pthread_mutex_unlock(&output->lock);
}
