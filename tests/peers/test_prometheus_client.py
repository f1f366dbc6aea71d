# SPDX-License-Identifier: MIT
"""Prometheus' own package for Python reads the figures, as text and as OpenMetrics."""

from __future__ import annotations

import json
import pathlib
import subprocess

import pytest
from conftest import peer
from support.collector import Collector
from support.daemon import Daemon
from support.missing import missing
from support.served import Client, config
from support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
OPENMETRICS = {"Accept": "application/openmetrics-text; version=1.0.0"}

READ = """
import json, sys
from prometheus_client.{0}parser import text_string_to_metric_families as read
rows = []
for family in read(sys.stdin.read()):
    for sample in family.samples:
        one = sample.exemplar
        example = one and [one.labels, one.value, float(one.timestamp)]
        rows.append([family.type, sample.name, sample.labels, sample.value, example])
print(json.dumps(rows))
"""


def read(text: bytes, which: str):
    """All samples: kind of the family, name, labels, value, example."""
    done = subprocess.run(
        [peer("python"), "-c", READ.format(which)],
        input=text,
        capture_output=True,
        check=False,
        timeout=120,
    )
    if b"ModuleNotFoundError" in done.stderr:
        missing("prometheus-client (see tools/peers)")
    assert done.returncode == 0, done.stderr.decode()[-2000:]
    return json.loads(done.stdout)


@pytest.fixture
def client(tmp_path: pathlib.Path):
    """A daemon that traces, and whose pool has run, failed, and streamed."""
    with Collector() as collector:
        env = {"OTEL_EXPORTER_OTLP_ENDPOINT": collector.url}
        daemon = Daemon(config(tmp_path), env=env)
        client = Client(daemon)
        try:
            eventually(client.is_ready)
            assert client.call("fail")[0] == 500
            events = client.events("count", {"n": 3})
            assert len(list(events)) == 4
            events.close()
            trace = f"00-{TRACE}-b7ad6b7169203331-01"
            assert client.call("add", {"a": 1}, traceparent=trace)[0] == 200
            yield client
        finally:
            daemon.end()


def test_it_reads_each_sample_and_the_examples_of_openmetrics(client):
    text = client.ask("GET", "/metrics", **OPENMETRICS)[1]
    rows = read(text, "openmetrics.")
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    assert len(rows) == len(lines)
    examples = [row for row in rows if row[4]]
    for kind, name, labels, count, (_, seconds, _) in examples:
        assert (kind, name) == ("histogram", "snakepit_pool_run_seconds_bucket")
        assert 0 < seconds <= float(labels["le"])
        assert count >= 1
    assert {"trace_id": TRACE} in [example[0] for *_, example in examples]
    values = {(name, labels.get("pool")): value for _, name, labels, value, _ in rows}
    assert values["snakepit_pool_chunks_total", "text"] == 3
    assert values["snakepit_pool_first_chunk_seconds_count", "text"] == 1
    assert values["snakepit_pool_handover_seconds_count", "text"] == 3


def test_it_reads_the_same_as_text(client):
    text = client.ask("GET", "/metrics")[1]
    rows = read(text, "")
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    assert len(rows) == len(lines)
    assert not [row for row in rows if row[4]]
