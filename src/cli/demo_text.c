// SPDX-License-Identifier: MIT
// Real text through the process pool: the licences that every Debian machine carries.
// Its words are counted in C as well.
#include "cli/demo.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/stat.h>

#include "base/clock.h"
#include "cli/input.h"
#include "cli/output.h"
#include "cli/words.h"

#define LICENCES  "/usr/share/common-licenses"
#define TEXT_MAX  (UINT32_C(8) << 20) // bytes, of all files together
#define TOP_WORDS 6

struct corpus {
    struct sp_buf text;
    unsigned files;
};

// Appends a file, unless it is a link, too large, or not plain ASCII, which is what C
// counts.
static void append_file(struct corpus *corpus, const char *path)
{
    snakepit_message why;
    struct stat status;
    size_t start = corpus->text.size;
    int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0) {
        return;
    }
    bool kept = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                sp_cli_read_all(fd, TEXT_MAX, &corpus->text, &why) == SNAKEPIT_OK;
    for (size_t i = start; kept && i < corpus->text.size; i++) {
        kept = corpus->text.data[i] != 0 && corpus->text.data[i] < 0x80;
    }
    if (!kept) {
        corpus->text.size = start;
    }
    corpus->files += kept;
    close(fd);
}

static void append_folder(struct corpus *corpus, const char *folder)
{
    struct dirent **entries = NULL;
    int count = scandir(folder, &entries, NULL, alphasort);
    for (int i = 0; i < count; i++) {
        char path[512];
        int length = snprintf(path, sizeof(path), "%s/%s", folder, entries[i]->d_name);
        if (length < (int)sizeof(path) && entries[i]->d_name[0] != '.') {
            append_file(corpus, path);
        }
        free(entries[i]);
    }
    free((void *)entries);
}

// A file beside the configuration, or in the folder above it.
static void append_neighbour(struct corpus *corpus, const char *file, const char *name)
{
    const char *slash = strrchr(file, '/');
    int folder = slash != NULL ? (int)(slash - file) + 1 : 0;
    static const char *const ways[] = {"", "../"};
    for (size_t i = 0; i < 2 && corpus->files == 0; i++) {
        char path[4096];
        int length =
            snprintf(path, sizeof(path), "%.*s%s%s", folder, file, ways[i], name);
        if (length < (int)sizeof(path)) {
            append_file(corpus, path);
        }
    }
}

static bool counts_agree(const snakepit_answer *answer,
                         const struct sp_cli_words *words)
{
    return sp_demo_number(answer, "words") == (double)words->words &&
           sp_demo_number(answer, "distinct") == (double)words->distinct &&
           sp_demo_number(answer, "letters") == (double)words->letters;
}

// Reads the next [word, count] of `common`.
static bool next_common(snakepit_reader *reader, snakepit_value *word, uint64_t *count)
{
    snakepit_value value;
    if (snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY || value.as.count != 2 ||
        snakepit_reader_next(reader, word) != SNAKEPIT_OK ||
        word->kind != SNAKEPIT_TEXT ||
        snakepit_reader_next(reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_INTEGER) {
        return false;
    }
    *count = (uint64_t)value.as.integer;
    return true;
}

// Prints the most frequent words; true when the first of them is as frequent as C
// found.
static bool
list_common(const snakepit_answer *answer, uint64_t most, char *room, size_t size)
{
    snakepit_reader reader;
    snakepit_value value;
    snakepit_answer_reader(answer, &reader);
    if (snakepit_reader_find(&reader, "common", &reader) != SNAKEPIT_OK ||
        snakepit_reader_next(&reader, &value) != SNAKEPIT_OK ||
        value.kind != SNAKEPIT_ARRAY) {
        return false;
    }
    uint64_t first = 0;
    uint64_t count = 0;
    size_t at = 0;
    for (uint32_t i = 0; i < value.as.count && at < size; i++) {
        snakepit_value word;
        char number[SP_DEMO_FORMAT_MAX];
        if (!next_common(&reader, &word, &count)) {
            return false;
        }
        first = i == 0 ? count : first;
        int shown = word.as.text.size < 12 ? (int)word.as.text.size : 12;
        int length = snprintf(room + at,
                              size - at,
                              "%s%.*s %s",
                              i > 0 ? ", " : "",
                              shown,
                              word.as.text.data,
                              sp_demo_count(count, number));
        at += (size_t)length;
    }
    return first == most;
}

static void show(struct sp_demo *demo,
                 const struct corpus *corpus,
                 const snakepit_answer *answer,
                 const struct sp_cli_words *words,
                 uint64_t took)
{
    char counts[3][SP_DEMO_FORMAT_MAX];
    char duration[SP_DEMO_FORMAT_MAX];
    char common[80] = "";
    sp_cli_print(demo->cli,
                 "text    %u files of %s, %s KiB, in one call, %s\n",
                 corpus->files,
                 corpus->files > 1 ? LICENCES : "text",
                 sp_demo_count(corpus->text.size >> 10, counts[0]),
                 sp_demo_duration(took, duration));
    sp_demo_row(demo,
                counts_agree(answer, words),
                "        %s words, %s of them different, %s letters",
                sp_demo_count((uint64_t)sp_demo_number(answer, "words"), counts[0]),
                sp_demo_count((uint64_t)sp_demo_number(answer, "distinct"), counts[1]),
                sp_demo_count((uint64_t)sp_demo_number(answer, "letters"), counts[2]));
    bool right = list_common(answer, words->most, common, sizeof(common));
    sp_demo_row(demo, right, "        most often: %s", common);
}

static void analyze(struct sp_demo *demo,
                    const struct corpus *corpus,
                    const struct sp_cli_words *words,
                    snakepit_writer *args)
{
    snakepit_writer_map(args, 2);
    snakepit_writer_str(args, "text");
    snakepit_writer_strn(args, (const char *)corpus->text.data, corpus->text.size);
    snakepit_writer_str(args, "limit");
    snakepit_writer_int(args, TOP_WORDS);
    snakepit_answer *answer = NULL;
    uint64_t start = sp_clock_now();
    snakepit_err err = sp_demo_call(demo, "text", "analyze", args, &answer);
    uint64_t took = sp_clock_now() - start;
    if (err == SNAKEPIT_OK) {
        show(demo, corpus, answer, words, took);
    } else {
        sp_demo_failed(demo, "text    analyze", err, answer);
    }
    snakepit_answer_free(answer);
}

void sp_demo_text(struct sp_demo *demo)
{
    struct corpus corpus = {0};
    struct sp_cli_words words = {0};
    append_folder(&corpus, LICENCES);
    append_neighbour(&corpus, demo->file, "LICENSE");
    if (corpus.files == 0) {
        append_file(&corpus, demo->file);
    }
    snakepit_writer *args = snakepit_writer_new();
    struct sp_slice text = {corpus.text.data, corpus.text.size};
    if (args == NULL || sp_cli_count_words(text, &words) != SNAKEPIT_OK) {
        sp_demo_failed(demo, "text    analyze", SNAKEPIT_NO_MEMORY, NULL);
    } else {
        analyze(demo, &corpus, &words, args);
    }
    snakepit_writer_free(args);
    sp_buf_fini(&corpus.text);
}
