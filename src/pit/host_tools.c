// SPDX-License-Identifier: MIT
// A table by session and name. An entry lives until it is removed and its function has
// returned everywhere.
#include "pit/host_tools.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/memory.h"
#include "base/suggest.h"
#include "ipc/layout.h"
#include "payload/writer.h"

#define COMPARED 64u // names that a hint looks at

// Guarded by tools->lock, but for what is constant.
struct sp_host_tool {
    struct sp_name key;  // the session, a zero, the name; in tools->names until removed
    struct sp_link link; // in tools->all until removed
    snakepit_tool_fn *function; // constant
    void *user;                 // constant
    char *description;          // constant
    uint32_t session_size;      // constant
    uint32_t running;
    bool removed;
    bool awaited; // whoever removes it frees it
    char text[];  // the key, and a zero behind it
};

void sp_host_tools_init(struct sp_host_tools *tools, const struct sp_hash_key *key)
{
    SP_CHECK(pthread_mutex_init(&tools->lock, NULL) == 0);
    SP_CHECK(pthread_cond_init(&tools->ended, NULL) == 0);
    sp_names_init(&tools->names, key);
    sp_list_init(&tools->all);
}

static void free_tool(struct sp_host_tool *tool)
{
    sp_free(tool->description);
    sp_free(tool);
}

void sp_host_tools_fini(struct sp_host_tools *tools)
{
    struct sp_link *link;
    while ((link = sp_list_take(&tools->all)) != NULL) {
        free_tool(SP_ENTRY(link, struct sp_host_tool, link));
    }
    sp_names_fini(&tools->names);
    pthread_cond_destroy(&tools->ended);
    pthread_mutex_destroy(&tools->lock);
}

// ---- The table ----------------------------------------------------------------

#define KEY_MAX (SP_SESSION_MAX + 1 + SP_TOOL_NAME_MAX)

static uint32_t
write_key(char key[KEY_MAX], struct sp_slice session, struct sp_slice name)
{
    memcpy(key, session.data, session.size);
    key[session.size] = 0;
    memcpy(key + session.size + 1, name.data, name.size);
    return (uint32_t)(session.size + 1 + name.size);
}

static struct sp_host_tool *
find(struct sp_host_tools *tools, struct sp_slice session, struct sp_slice name)
{
    char key[KEY_MAX];
    uint32_t size = write_key(key, session, name);
    struct sp_name *found = sp_names_find(&tools->names, key, size);
    return found == NULL ? NULL : SP_ENTRY(found, struct sp_host_tool, key);
}

static const char *name_of(const struct sp_host_tool *tool)
{
    return tool->text + tool->session_size + 1;
}

static struct sp_host_tool *new_tool(const struct sp_host_tool_spec *spec)
{
    struct sp_host_tool *tool = sp_alloc(sizeof *tool + KEY_MAX + 1);
    char *description = sp_strdup(spec->description);
    if (tool == NULL || description == NULL) {
        sp_free(description);
        sp_free(tool);
        return NULL;
    }
    tool->key.size = write_key(tool->text, spec->session, spec->name);
    tool->key.text = tool->text;
    tool->text[tool->key.size] = 0;
    tool->session_size = (uint32_t)spec->session.size;
    tool->description = description;
    tool->function = spec->function;
    tool->user = spec->user;
    return tool;
}

snakepit_err sp_host_tools_add(struct sp_host_tools *tools,
                               const struct sp_host_tool_spec *spec)
{
    struct sp_host_tool *tool = new_tool(spec);
    if (tool == NULL) {
        return SNAKEPIT_NO_MEMORY;
    }
    pthread_mutex_lock(&tools->lock);
    snakepit_err err = SNAKEPIT_INVALID_ARGUMENT;
    if (find(tools, spec->session, spec->name) == NULL) {
        err = sp_names_add(&tools->names, &tool->key);
    }
    if (err == SNAKEPIT_OK) {
        sp_list_append(&tools->all, &tool->link);
    }
    pthread_mutex_unlock(&tools->lock);
    if (err != SNAKEPIT_OK) {
        free_tool(tool);
    }
    return err;
}

static void remove_tool(struct sp_host_tools *tools, struct sp_host_tool *tool)
{
    sp_names_remove(&tools->names, &tool->key);
    sp_list_remove(&tool->link);
    tool->removed = true;
    if (tool->running == 0) {
        free_tool(tool);
    }
}

snakepit_err sp_host_tools_remove(struct sp_host_tools *tools,
                                  struct sp_slice session,
                                  struct sp_slice name,
                                  bool wait)
{
    pthread_mutex_lock(&tools->lock);
    struct sp_host_tool *tool = find(tools, session, name);
    if (tool != NULL && wait && tool->running > 0) {
        tool->awaited = true;
        remove_tool(tools, tool);
        while (tool->running > 0) {
            (void)pthread_cond_wait(&tools->ended, &tools->lock);
        }
        free_tool(tool);
    } else if (tool != NULL) {
        remove_tool(tools, tool);
    }
    pthread_mutex_unlock(&tools->lock);
    return tool == NULL ? SNAKEPIT_NOT_FOUND : SNAKEPIT_OK;
}

static bool belongs(const struct sp_host_tool *tool, struct sp_slice session)
{
    return tool->session_size == session.size &&
           memcmp(tool->text, session.data, session.size) == 0;
}

void sp_host_tools_end_session(struct sp_host_tools *tools, struct sp_slice session)
{
    struct sp_link *next;
    pthread_mutex_lock(&tools->lock);
    for (struct sp_link *link = tools->all.next; link != &tools->all; link = next) {
        next = link->next;
        struct sp_host_tool *tool = SP_ENTRY(link, struct sp_host_tool, link);
        if (belongs(tool, session)) {
            remove_tool(tools, tool);
        }
    }
    pthread_mutex_unlock(&tools->lock);
}

// ---- Use ----------------------------------------------------------------------

static const struct sp_slice all_sessions = {(const uint8_t *)"", 0};

struct sp_host_tool *sp_host_tools_use(struct sp_host_tools *tools,
                                       struct sp_slice session,
                                       struct sp_slice name,
                                       struct sp_host_tool_spec *spec)
{
    pthread_mutex_lock(&tools->lock);
    struct sp_host_tool *tool = find(tools, session, name);
    if (tool == NULL) {
        tool = find(tools, all_sessions, name);
    }
    if (tool != NULL) {
        tool->running++;
        *spec = (struct sp_host_tool_spec){
            .name = sp_slice_of_text(name_of(tool)),
            .description = tool->description,
            .function = tool->function,
            .user = tool->user,
        };
    }
    pthread_mutex_unlock(&tools->lock);
    return tool;
}

void sp_host_tools_release(struct sp_host_tools *tools, struct sp_host_tool *tool)
{
    pthread_mutex_lock(&tools->lock);
    SP_CHECK(tool->running > 0);
    tool->running--;
    if (tool->awaited) {
        (void)pthread_cond_broadcast(&tools->ended);
    } else if (tool->removed && tool->running == 0) {
        free_tool(tool);
    }
    pthread_mutex_unlock(&tools->lock);
}

// ---- What there is ------------------------------------------------------------

// Whether a session's call of that name gets this tool and not the session's own.
static bool
is_seen(struct sp_host_tools *tools, struct sp_host_tool *tool, struct sp_slice session)
{
    if (belongs(tool, session)) {
        return true;
    }
    return tool->session_size == 0 &&
           find(tools, session, sp_slice_of_text(name_of(tool))) == NULL;
}

void sp_host_tools_list(struct sp_host_tools *tools,
                        struct sp_slice session,
                        snakepit_writer *result)
{
    uint32_t count = 0;
    struct sp_link *link;
    pthread_mutex_lock(&tools->lock);
    for (link = tools->all.next; link != &tools->all; link = link->next) {
        struct sp_host_tool *tool = SP_ENTRY(link, struct sp_host_tool, link);
        count += is_seen(tools, tool, session) ? 1 : 0;
    }
    snakepit_writer_map(result, count);
    for (link = tools->all.next; link != &tools->all; link = link->next) {
        struct sp_host_tool *tool = SP_ENTRY(link, struct sp_host_tool, link);
        if (is_seen(tools, tool, session)) {
            snakepit_writer_str(result, name_of(tool));
            snakepit_writer_str(result, tool->description);
        }
    }
    pthread_mutex_unlock(&tools->lock);
}

void sp_host_tools_hint(struct sp_host_tools *tools,
                        struct sp_slice session,
                        struct sp_slice name,
                        snakepit_message *why)
{
    char word[SP_TOOL_NAME_MAX + 1];
    const char *names[COMPARED];
    size_t count = 0;
    memcpy(word, name.data, name.size);
    word[name.size] = 0;
    pthread_mutex_lock(&tools->lock);
    for (struct sp_link *link = tools->all.next;
         link != &tools->all && count < COMPARED;
         link = link->next) {
        struct sp_host_tool *tool = SP_ENTRY(link, struct sp_host_tool, link);
        if (is_seen(tools, tool, session)) {
            names[count++] = name_of(tool);
        }
    }
    const char *meant = sp_suggest(word, names, count);
    size_t used = strlen(why->text);
    if (meant != NULL) {
        (void)snprintf(
            why->text + used, sizeof why->text - used, "; did you mean \"%s\"?", meant);
    }
    pthread_mutex_unlock(&tools->lock);
}
