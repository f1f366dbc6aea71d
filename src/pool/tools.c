// SPDX-License-Identifier: MIT
// A row is found by a hash with a key that strangers cannot know, but first in a small
// table by what a few bytes of its name say, which is enough for the tools that are
// called all the time.
#include "pool/tools.h"

#include <string.h>

#include "base/list.h"
#include "base/memory.h"
#include "base/text.h"
#include "ipc/layout.h"
#include "telemetry/figures.h"

void sp_tools_init(struct sp_tools *tools, const struct sp_hash_key *key)
{
    sp_names_init(&tools->names, key);
    tools->other.name.text = SP_OTHER_TOOLS;
    tools->other.name.size = (uint32_t)strlen(SP_OTHER_TOOLS);
    for (uint32_t i = 0; i < SP_TOOLS_CLOSE; i++) {
        tools->close[i] = &tools->other;
    }
}

void sp_tools_fini(struct sp_tools *tools)
{
    for (uint32_t i = 0; i < tools->count; i++) {
        sp_free(tools->all[i]);
    }
    sp_names_fini(&tools->names);
}

struct sp_tool *sp_tools_look_up(struct sp_tools *tools, struct sp_slice name)
{
    const char *text = (const char *)name.data;
    struct sp_name *found = sp_names_find(&tools->names, text, (uint32_t)name.size);
    if (found == NULL) {
        return &tools->other;
    }
    struct sp_tool *tool = SP_ENTRY(found, struct sp_tool, name);
    tools->close[sp_name_guess(text, name.size)] = tool;
    return tool;
}

// One that others can be shown, and is not taken.
static bool may_have_row(const struct sp_tools *tools, struct sp_slice name)
{
    char clean[SP_TOOL_NAME_MAX];
    memcpy(clean, name.data, name.size);
    sp_text_clean(clean, name.size, SP_TEXT_LINE);
    bool is_other = name.size == tools->other.name.size &&
                    memcmp(name.data, tools->other.name.text, name.size) == 0;
    return memcmp(clean, name.data, name.size) == 0 && !is_other;
}

struct sp_tool *sp_tools_meet(struct sp_tools *tools, struct sp_slice name)
{
    struct sp_tool *tool = sp_tools_look_up(tools, name);
    if (tool != &tools->other || tools->count == SP_TOOLS_MOST ||
        !may_have_row(tools, name)) {
        return tool;
    }
    struct sp_tool *made = sp_alloc(sizeof *made + name.size);
    if (made == NULL) {
        return tool;
    }
    memcpy(made + 1, name.data, name.size);
    made->name.text = (const char *)(made + 1);
    made->name.size = (uint32_t)name.size;
    if (sp_names_add(&tools->names, &made->name) != SNAKEPIT_OK) {
        sp_free(made);
        return tool;
    }
    tools->all[tools->count++] = made;
    return made;
}
