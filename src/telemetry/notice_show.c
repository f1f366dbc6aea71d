// SPDX-License-Identifier: MIT
#include "telemetry/notice_show.h"

static snakepit_field show(const struct sp_notice_field *field,
                           union sp_notice_value value)
{
    snakepit_field shown = {.name = field->name, .unit = field->unit};
    switch (field->kind) {
    case SP_NOTICE_FIELD_WORD:
    case SP_NOTICE_FIELD_TEXT:
    case SP_NOTICE_FIELD_JSON:
        shown.kind = field->kind == SP_NOTICE_FIELD_JSON ? SNAKEPIT_FIELD_JSON
                                                         : SNAKEPIT_FIELD_TEXT;
        shown.as.text = value.text;
        break;
    case SP_NOTICE_FIELD_COUNT:
        shown.kind = SNAKEPIT_FIELD_UNSIGNED;
        shown.as.unsigned_integer = value.count;
        break;
    case SP_NOTICE_FIELD_NUMBER:
        shown.kind = SNAKEPIT_FIELD_INTEGER;
        shown.as.integer = value.number;
        break;
    case SP_NOTICE_FIELD_RATIO:
        shown.kind = SNAKEPIT_FIELD_REAL;
        shown.as.real = value.ratio;
        break;
    case SP_NOTICE_FIELD_YES_NO:
        shown.kind = SNAKEPIT_FIELD_BOOLEAN;
        shown.as.boolean = value.count != 0;
        break;
    }
    return shown;
}

void sp_notice_show(const struct sp_notice *notice,
                    snakepit_field fields[SP_NOTICE_FIELDS_MOST],
                    snakepit_notice *shown)
{
    const char *pool = sp_notice_text(notice, "pool");
    size_t count = 0;
    for (size_t i = 0; i < notice->kind->count; i++) {
        if (sp_notice_field_is_told(&notice->kind->fields[i], notice->values[i])) {
            fields[count++] = show(&notice->kind->fields[i], notice->values[i]);
        }
    }
    *shown = (snakepit_notice){.size = sizeof *shown,
                               .name = notice->kind->name,
                               .pool = pool != NULL ? pool : "",
                               .level = (snakepit_log_level)notice->level,
                               .time_ns = notice->time_ns,
                               .fields = fields,
                               .field_count = count};
}
