#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write the tables of docs/events.md from src/telemetry/events.def.

usage: gen_event_docs.py [--check] [ROOT]; with --check it writes nothing, and fails if
the tables are not what it would write or if a row is an event that nobody tells.
"""

import pathlib
import re
import sys

BEGIN = "<!-- from src/telemetry/events.def -->\n"
END = "<!-- end -->\n"
ROW = re.compile(
    r'SP_EVENT\((\w+), "([\w.]+)", (\w+),\s*"([^"]*)",\s*((?:[A-Z_]+\(\w+\)\s*)+)\)'
)
SECTION = re.compile(r"^// ---- ([\w ]+) -+$", re.MULTILINE)
FIELD = re.compile(r"([A-Z_]+)\((\w+)\)")
KINDS = {
    "WORD": "",
    "TEXT": "",
    "JSON": "JSON",
    "COUNT": "number",
    "NUMBER": "number",
    "MS": "ms",
    "US": "us",
    "BYTES": "bytes",
    "PERCENT": "percent",
    "RATIO": "share of 1",
    "YES_NO": "yes or no",
}


def show_field(kind, name):
    """A field as the table has it: texts, which most are, without their kind."""
    unit = KINDS[kind]
    return f"`{name}` ({unit})" if unit else f"`{name}`"


def tables(definitions):
    """The rows as Markdown, a table for each section."""
    parts = SECTION.split(definitions)
    lines = []
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        lines += [f"## {title}", ""]
        lines += [
            "| event | level | what it says | fields |",
            "| --- | --- | --- | --- |",
        ]
        for _, name, level, text, fields in ROW.findall(body):
            shown = ", ".join(show_field(*field) for field in FIELD.findall(fields))
            lines.append(f"| `{name}` | {level.lower()} | {text} | {shown} |")
        lines.append("")
    return "\n".join(lines)


def untold(root, definitions):
    """Ids of rows that no file of src tells."""
    rows = ROW.findall(definitions)
    assert len(rows) == definitions.count("\nSP_EVENT("), "a row has another form"
    source = "\n".join(path.read_text() for path in sorted((root / "src").rglob("*.c")))
    told = set(re.findall(r"\bsp_log\(\s*[^;]*?,\s*(\w+),", source))
    told |= set(re.findall(r"\bsp_log_at\(\s*[^;]*?,\s*(\w+),\s*\.", source))
    told |= set(re.findall(r"\bSP_NOTICE_(\w+)", source))
    wrong = [name for _, name, *_ in rows if name.replace(".", "_") not in told]
    wrong += [name for id_, name, *_ in rows if id_ != name.replace(".", "_")]
    return wrong


def main():
    """Write or check the page. Gives the exit code."""
    words = sys.argv[1:]
    check = "--check" in words
    roots = [word for word in words if word != "--check"]
    root = pathlib.Path(roots[0] if roots else ".").resolve()
    page = root / "docs/events.md"
    text = page.read_text()
    definitions = (root / "src/telemetry/events.def").read_text()
    before, rest = text.split(BEGIN)
    after = rest.split(END, 1)[1]
    wanted = before + BEGIN + "\n" + tables(definitions) + END + after
    missing = untold(root, definitions)
    for name in missing:
        print(f"src/telemetry/events.def: nobody tells {name}, or its id is another")
    if missing:
        return 1
    if text == wanted:
        print("events: ok")
        return 0
    if check:
        print(f"{page}: the tables of events are old; run tools/gen_event_docs.py")
        return 1
    page.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
