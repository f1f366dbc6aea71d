#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write packaging/grafana/snakepit.json from src/telemetry/metrics.def and doors.def.

usage: gen_grafana_board.py [--check] [ROOT]; with --check it writes nothing and fails
if the board is not what it would write.
"""

import json
import pathlib
import re
import sys
from dataclasses import dataclass, field

METRIC = re.compile(r'SP_(?:DOOR_|SESSION_)?METRIC\((\w+), (\w+), "(.*)"\)')
FIELD = "(?:SAMPLE|SECONDS|MILLISECONDS|FIGURE)"
SAMPLE = re.compile(rf'SP_(?:DOOR_|SESSION_)?{FIELD}\((?:NULL|"(\w+)"),')
TIMES = re.compile(r'SP_(?:TRACED_)?TIMES\((\w+), .*?, "(.*)"\)')
WRITTEN = re.compile(r'SP_(?:DOOR_)?WRITTEN\((\w+), (\w+), "(.*?)", \w+, "(.*)"\)')

# What the name of a metric begins with, and the row of the board that it is shown in.
SECTIONS = {
    "snakepit_tool_": "Tools",
    "snakepit_pool_worker": "Workers",
    "snakepit_pool_": "Pools",
    "snakepit_session": "Sessions",
    "snakepit_door_": "Doors",
}
ORDER = ["Pools", "Tools", "Workers", "Sessions", "Doors"]
SOURCE = {"type": "prometheus", "uid": "${source}"}
WIDTH, HEIGHT, ACROSS = 8, 8, 3


@dataclass
class Family:
    """A metric, as its rows have it."""

    name: str
    kind: str
    help: str
    labels: list[str] = field(default_factory=list)

    @property
    def of(self):
        """What it is a figure of, as its label has it; of all pools, none."""
        if self.name.startswith("snakepit_session"):
            return None
        return "door" if self.name.startswith("snakepit_door_") else "pool"


def families(text):
    """All families of a .def file, in their order."""
    found = []
    for line in text.splitlines():
        if row := METRIC.match(line):
            found.append(Family(*row.groups()))
        elif row := TIMES.match(line):
            found.append(Family(row[1], "HISTOGRAM", row[2]))
        elif row := WRITTEN.match(line):
            found.append(Family(row[1], row[2], row[4], row[3].split(", ")))
        elif (row := SAMPLE.match(line)) and row[1] and not found[-1].labels:
            found[-1].labels = [row[1]]
    return found


def queries(family):
    """What a panel draws: expressions, and what their lines are called."""
    of, name = family.of, family.name
    which = f'{{{of}=~"$pool"}}' if of == "pool" else ""
    labels = [of, *family.labels] if of else family.labels
    by = ", ".join(labels)
    legend = " ".join(f"{{{{{label}}}}}" for label in labels) or title(family)

    def rate(suffix, by):
        return f"sum by ({by}) (rate({name}{suffix}{which}[$__rate_interval]))"

    if family.kind == "COUNTER":
        return [(rate("_total", by), legend)]
    if family.kind == "SUMMARY":
        return [(f"{rate('_sum', by)} / {rate('_count', by)}", legend)]
    if family.kind == "HISTOGRAM":
        inside = rate("_bucket", f"{by}, le")
        return [
            (f"histogram_quantile({share}, {inside})", f"{legend} p{share * 100:g}")
            for share in (0.5, 0.99)
        ]
    return [(f"sum by ({by}) ({name}{which})", legend)]


def unit(family):
    """In what Grafana writes its values."""
    if family.name.endswith("_bytes"):
        return "Bps" if family.kind == "COUNTER" else "bytes"
    if family.name.endswith("_seconds"):
        return "s"
    return "ops" if family.kind == "COUNTER" else "short"


def title(family):
    """The name in words."""
    words = family.name.removeprefix("snakepit_").split("_")
    return " ".join(words).capitalize()


def panel(family, number, x, y):
    """One drawing."""
    targets = [
        {
            "datasource": SOURCE,
            "expr": expression,
            "legendFormat": legend,
            "refId": chr(ord("A") + i),
        }
        for i, (expression, legend) in enumerate(queries(family))
    ]
    return {
        "id": number,
        "type": "timeseries",
        "title": title(family),
        "description": family.help,
        "datasource": SOURCE,
        "fieldConfig": {"defaults": {"unit": unit(family)}, "overrides": []},
        "gridPos": {"h": HEIGHT, "w": WIDTH, "x": x, "y": y},
        "targets": targets,
    }


def section_of(family):
    """The row of the board that it belongs to."""
    return next(row for start, row in SECTIONS.items() if family.name.startswith(start))


def panels(found):
    """All drawings, below the names of their rows."""
    made, y = [], 0
    for section in ORDER:
        place = {"h": 1, "w": WIDTH * ACROSS, "x": 0, "y": y}
        made.append(
            {
                "id": len(made) + 1,
                "type": "row",
                "title": section,
                "collapsed": False,
                "gridPos": place,
                "panels": [],
            }
        )
        y += 1
        own = [family for family in found if section_of(family) == section]
        for i, family in enumerate(own):
            x = i % ACROSS * WIDTH
            made.append(panel(family, len(made) + 1, x, y + i // ACROSS * HEIGHT))
        y += (len(own) + ACROSS - 1) // ACROSS * HEIGHT
    return made


def board(found):
    """The whole board."""
    source = {"name": "source", "label": "Source", "type": "datasource"}
    pool = {
        "name": "pool",
        "label": "Pool",
        "type": "query",
        "datasource": SOURCE,
        "query": "label_values(snakepit_pool_state, pool)",
        "refresh": 2,
        "multi": True,
        "includeAll": True,
        "allValue": ".*",
    }
    return {
        "title": "Snakepit",
        "uid": "snakepit",
        "tags": ["snakepit"],
        "schemaVersion": 39,
        "editable": True,
        "time": {"from": "now-1h", "to": "now"},
        "refresh": "10s",
        "templating": {"list": [{**source, "query": "prometheus"}, pool]},
        "panels": panels(found),
    }


def main():
    """Write or check the board. Gives the exit code."""
    words = sys.argv[1:]
    check = "--check" in words
    roots = [word for word in words if word != "--check"]
    root = pathlib.Path(roots[0] if roots else ".").resolve()
    rows = [root / f"src/telemetry/{name}.def" for name in ("metrics", "doors")]
    found = [family for path in rows for family in families(path.read_text())]
    wanted = json.dumps(board(found), indent=1) + "\n"
    page = root / "packaging/grafana/snakepit.json"
    if page.exists() and page.read_text() == wanted:
        print("board: ok")
        return 0
    if check:
        print(f"{page}: the board is old; run tools/gen_grafana_board.py")
        return 1
    page.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
