// SPDX-License-Identifier: MIT
// Asks an interpreter what it is. The script imports nothing that a user installed: the
// package snakepit_bridge is looked for, not imported, as is NumPy.
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "config/program.h"
#include "interpreter/child.h"
#include "interpreter/interpreter.h"
#include "interpreter/reply.h"
#include "payload/writer.h"

#define PATIENCE (UINT64_C(30) * SP_NS_PER_S)

// Understood by every Python 3, so that an old one can say that it is old. It sees the
// packages that a worker would see. It imports next to nothing, for the first start of
// a pool waits for it: texts are written as the module `json` would, whose C part this
// uses, and NumPy's version is in the name of its metadata.
static const char script[] = SP_PYTHON_SAFE_PATH
    "import os, sys\n"
    "try:\n"
    "    from _json import encode_basestring_ascii as text\n"
    "except ImportError:\n"
    "    from json import dumps as text\n"
    "def bridge():\n"
    "    from importlib.machinery import PathFinder\n"
    "    package = PathFinder.find_spec('snakepit_bridge')\n"
    "    if package is None or package.submodule_search_locations is None:\n"
    "        return False\n"
    "    folders = list(package.submodule_search_locations)\n"
    "    return PathFinder.find_spec('snakepit_bridge._runtime', folders) is not None\n"
    "def soabi():\n"
    "    from importlib.machinery import EXTENSION_SUFFIXES\n"
    "    parts = EXTENSION_SUFFIXES[0].split('.') if EXTENSION_SUFFIXES else []\n"
    "    return parts[1] if len(parts) == 3 else ''\n"
    "def numpy():\n"
    "    for folder in sys.path:\n"
    "        try:\n"
    "            names = os.listdir(folder)\n"
    "        except OSError:\n"
    "            continue\n"
    "        for name in names:\n"
    "            kind = name.rpartition('.')[2]\n"
    "            if name.startswith('numpy-') and kind in ('dist-info', 'egg-info'):\n"
    "                return name[:-len(kind) - 1].split('-')[1]\n"
    "    return None\n"
    "def json(value):\n"
    "    if value is None or isinstance(value, bool):\n"
    "        return {None: 'null', True: 'true', False: 'false'}[value]\n"
    "    return text(value) if isinstance(value, str) else str(value)\n"
    "gil = getattr(sys, '_is_gil_enabled', None)\n"
    "answers = {\n"
    "    'implementation': sys.implementation.name,\n"
    "    'executable': os.path.abspath(sys.executable),\n"
    "    'prefix': sys.prefix,\n"
    "    'version': sys.version.split()[0],\n"
    "    'soabi': soabi(),\n"
    "    'numpy': numpy(),\n"
    "    'major': sys.version_info[0],\n"
    "    'minor': sys.version_info[1],\n"
    "    'free_threaded': 't' in getattr(sys, 'abiflags', ''),\n"
    "    'gil_enabled': bool(gil()) if gil else True,\n"
    "    'has_bridge': bridge(),\n"
    "    'is_environment': sys.prefix != sys.base_prefix,\n"
    "}\n"
    "pairs = [text(key) + ': ' + json(value) for key, value in answers.items()]\n"
    "with os.fdopen(3, 'w') as reply:\n"
    "    reply.write('{' + ', '.join(pairs) + '}')\n";

__attribute__((format(printf, 3, 4))) static snakepit_err
explain(snakepit_message *why, snakepit_err err, const char *format, ...)
{
    if (why != NULL) {
        va_list args;
        va_start(args, format);
        (void)vsnprintf(why->text, sizeof(why->text), format, args);
        va_end(args);
        // One line, whatever the path and the interpreter's last words have in them.
        sp_text_clean(why->text, strlen(why->text), SP_TEXT_LINE);
    }
    return err;
}

// ---- The reply ----------------------------------------------------------------

static bool is_text(const snakepit_reader *reply, const char *key, const char *text)
{
    snakepit_value value;
    return sp_reply_find(reply, key, SNAKEPIT_TEXT, &value) &&
           value.as.text.size == strlen(text) &&
           memcmp(value.as.text.data, text, value.as.text.size) == 0;
}

// NOT_FOUND: there is no such text. NO_MEMORY.
static snakepit_err
copy_text(const snakepit_reader *reply, const char *key, char **field)
{
    snakepit_value value;
    if (!sp_reply_find(reply, key, SNAKEPIT_TEXT, &value)) {
        return SNAKEPIT_NOT_FOUND;
    }
    *field = sp_alloc(value.as.text.size + 1);
    if (*field == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    memcpy(*field, value.as.text.data, value.as.text.size);
    return SNAKEPIT_OK;
}

// NOT_FOUND: something that every Python says is not there. NO_MEMORY.
static snakepit_err copy_texts(const snakepit_reader *reply,
                               struct sp_interpreter *interpreter)
{
    const struct {
        const char *key;
        char **field;
        bool needed;
    } texts[] = {
        {"executable", &interpreter->executable, true},
        {"prefix", &interpreter->prefix, true},
        {"version", &interpreter->version, true},
        {"soabi", &interpreter->soabi, true},
        {"numpy", &interpreter->numpy, false},
    };
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        snakepit_err err = copy_text(reply, texts[i].key, texts[i].field);
        if (err == SNAKEPIT_NO_MEMORY || (err != SNAKEPIT_OK && texts[i].needed)) {
            return err;
        }
    }
    return SNAKEPIT_OK;
}

static snakepit_err
copy_number(const snakepit_reader *reply, const char *key, int *field)
{
    snakepit_value value;
    if (!sp_reply_find(reply, key, SNAKEPIT_INTEGER, &value) || value.as.integer < 0 ||
        value.as.integer > INT_MAX) {
        return SNAKEPIT_NOT_FOUND;
    }
    *field = (int)value.as.integer;
    return SNAKEPIT_OK;
}

static snakepit_err read_reply(const snakepit_reader *reply,
                               struct sp_interpreter *interpreter,
                               snakepit_message *why)
{
    char *implementation = NULL;
    snakepit_err err = copy_text(reply, "implementation", &implementation);
    err = err != SNAKEPIT_OK ? err : copy_texts(reply, interpreter);
    err = err != SNAKEPIT_OK ? err : copy_number(reply, "major", &interpreter->major);
    err = err != SNAKEPIT_OK ? err : copy_number(reply, "minor", &interpreter->minor);
    interpreter->free_threaded = sp_reply_is_true(reply, "free_threaded");
    interpreter->gil_enabled = sp_reply_is_true(reply, "gil_enabled");
    interpreter->has_bridge = sp_reply_is_true(reply, "has_bridge");
    interpreter->is_environment = sp_reply_is_true(reply, "is_environment");
    bool old = interpreter->major != 3 || interpreter->minor < 9;
    if (err == SNAKEPIT_NOT_FOUND) {
        err = explain(why,
                      SNAKEPIT_UNSUPPORTED,
                      "%s is not a Python interpreter",
                      interpreter->path);
    } else if (err == SNAKEPIT_OK &&
               (old || !is_text(reply, "implementation", "cpython"))) {
        err = explain(why,
                      SNAKEPIT_UNSUPPORTED,
                      "%s is %s %s; Snakepit needs CPython 3.9 or later",
                      interpreter->path,
                      implementation,
                      interpreter->version);
    }
    sp_free(implementation);
    return err;
}

// ---- The run ------------------------------------------------------------------

static snakepit_err explain_silence(const struct sp_child_result *result,
                                    const char *path,
                                    snakepit_message *why)
{
    int status = result->status;
    char how[64] = "said nothing that could be understood";
    if (status != -1 && WIFSIGNALED(status)) {
        (void)snprintf(how, sizeof(how), "was killed by signal %d", WTERMSIG(status));
    } else if (status != -1 && WEXITSTATUS(status) != 0) {
        (void)snprintf(
            how, sizeof(how), "ended with exit status %d", WEXITSTATUS(status));
    }
    return explain(why,
                   SNAKEPIT_UNSUPPORTED,
                   "%s is not a working Python: it %s%s%s",
                   path,
                   how,
                   result->last_words[0] != '\0' ? ", last words: " : "",
                   result->last_words);
}

static snakepit_err understand(const struct sp_child_result *result,
                               struct sp_interpreter *interpreter,
                               snakepit_message *why)
{
    snakepit_reader reply;
    snakepit_writer *writer = snakepit_writer_new();
    if (writer == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    const char *text =
        result->reply.data == NULL ? "" : (const char *)result->reply.data;
    snakepit_err err = snakepit_writer_json(writer, text, result->reply.size, NULL);
    if (err == SNAKEPIT_OK) {
        snakepit_reader_init(&reply, writer->buf.data, writer->buf.size);
        err = read_reply(&reply, interpreter, why);
    } else if (err == SNAKEPIT_MALFORMED) {
        err = explain_silence(result, interpreter->path, why);
    }
    snakepit_writer_free(writer);
    return err;
}

static snakepit_err
ask(struct sp_interpreter *interpreter, char *const *environment, snakepit_message *why)
{
    char command[] = "-c";
    char text[sizeof(script)];
    memcpy(text, script, sizeof(script));
    char *argv[] = {interpreter->path, command, text, NULL};
    struct sp_child_result result;
    snakepit_message reason = {0};
    char **own = NULL;
    if (environment == NULL && sp_interpreter_host_env(&own) != SNAKEPIT_OK) {
        return SNAKEPIT_NO_MEMORY;
    }
    snakepit_err err = sp_child_run(argv,
                                    own != NULL ? own : environment,
                                    sp_clock_now() + PATIENCE,
                                    &result,
                                    &reason);
    sp_interpreter_free_env(own);
    if (err == SNAKEPIT_OK) {
        err = understand(&result, interpreter, why);
    } else if (err == SNAKEPIT_DEADLINE_EXCEEDED) {
        explain(why,
                err,
                "%s did not say within 30 s which Python it is",
                interpreter->path);
    } else if (err == SNAKEPIT_SYSTEM) {
        explain(why, err, "%s cannot be run: %s", interpreter->path, reason.text);
    }
    sp_child_result_fini(&result);
    return err;
}

snakepit_err sp_interpreter_probe(const char *python,
                                  char *const *environment,
                                  struct sp_interpreter *interpreter,
                                  snakepit_message *why)
{
    struct sp_interpreter made = {0};
    snakepit_err err = sp_program_find(python, NULL, &made.path);
    if (err == SNAKEPIT_NOT_FOUND) {
        return explain(why, err, "%s was not found or may not be executed", python);
    }
    err = err != SNAKEPIT_OK ? err : ask(&made, environment, why);
    if (err == SNAKEPIT_NO_MEMORY) {
        explain(why, err, "memory is exhausted");
    }
    if (err != SNAKEPIT_OK) {
        sp_interpreter_fini(&made);
        return err;
    }
    *interpreter = made;
    return SNAKEPIT_OK;
}

void sp_interpreter_fini(struct sp_interpreter *interpreter)
{
    sp_free(interpreter->path);
    sp_free(interpreter->executable);
    sp_free(interpreter->prefix);
    sp_free(interpreter->version);
    sp_free(interpreter->soabi);
    sp_free(interpreter->numpy);
    *interpreter = (struct sp_interpreter){0};
}

bool sp_interpreter_runs_threads(const struct sp_interpreter *interpreter)
{
    return interpreter->free_threaded && !interpreter->gil_enabled;
}
