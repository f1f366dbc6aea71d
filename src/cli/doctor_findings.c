// SPDX-License-Identifier: MIT
// The list of what was found.
#include "base/check.h"
#include "base/memory.h"
#include "cli/doctor.h"

#define FIRST_ROOM 16u

static const char *const codes[] = {
#define SP_DOCTOR_FINDING(id, code) code,
#include "cli/doctor.def"
#undef SP_DOCTOR_FINDING
};

const char *sp_doctor_code_name(enum sp_doctor_code code)
{
    SP_CHECK(code < SP_DOCTOR_CODES);
    return codes[code];
}

const char *sp_doctor_severity_name(enum sp_doctor_severity severity)
{
    static const char *const names[] = {"note", "warning", "error"};
    SP_CHECK(severity < SP_DOCTOR_SEVERITIES);
    return names[severity];
}

static bool grow(struct sp_doctor_findings *findings)
{
    size_t room = findings->room == 0 ? FIRST_ROOM : 2 * findings->room;
    void *items = sp_realloc(findings->items, room * sizeof *findings->items);
    if (items != NULL) {
        findings->items = items;
        findings->room = room;
    }
    return items != NULL;
}

struct sp_doctor_finding *sp_doctor_find(struct sp_doctor_findings *findings,
                                         enum sp_doctor_code code,
                                         enum sp_doctor_severity severity,
                                         const char *pool)
{
    if (findings->count == findings->room && !grow(findings)) {
        findings->is_cut = true;
        return &findings->scrap;
    }
    struct sp_doctor_finding *finding = &findings->items[findings->count++];
    finding->code = code;
    finding->severity = severity;
    finding->pool = pool;
    finding->what.text[0] = '\0';
    finding->remedy.text[0] = '\0';
    findings->counts[severity]++;
    return finding;
}

void sp_doctor_findings_fini(struct sp_doctor_findings *findings)
{
    sp_free(findings->items);
    *findings = (struct sp_doctor_findings){0};
}
