# SPDX-License-Identifier: MIT
"""What the daemon sends to a collector, and what becomes of it where that fails."""

from __future__ import annotations

import pathlib
import time

import pytest
from support.collector import Collector, spans_of
from support.daemon import Daemon
from support.served import Client, config
from support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
SAMPLED = f"00-{TRACE}-b7ad6b7169203331-01"


@pytest.fixture
def collector():
    with Collector() as made:
        yield made


@pytest.fixture
def start(tmp_path: pathlib.Path):
    """Daemons of a test's own, with variables."""
    daemons: list[Daemon] = []

    def start_one(*, top: str = "", **env: str) -> Client:
        path = config(tmp_path, adapter="traced.Traced")
        if top:
            path.write_text(path.read_text().replace("{", "{" + top + ", ", 1))
        daemons.append(Daemon(path, env=env))
        client = Client(daemons[-1])
        eventually(client.is_ready)
        return client

    yield start_one
    for daemon in daemons:
        daemon.end()


def names(posted):
    return {span[5][0].decode() for one in posted for span in spans_of(one.body)}


def test_spans_and_metrics_go_where_the_variable_says(start, collector):
    client = start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url,
        OTEL_EXPORTER_OTLP_HEADERS="x-key=a%20b, x-other=c",
        OTEL_SERVICE_NAME="of-the-test",
        OTEL_RESOURCE_ATTRIBUTES="team=snakes",
        OTEL_METRIC_EXPORT_INTERVAL="100",
    )
    assert client.call("where", {}, traceparent=SAMPLED)[0] == 200
    eventually(lambda: "text/where" in names(collector.of("/v1/traces")))
    posted = collector.of("/v1/traces")[0]
    assert posted.fields["content-type"] == "application/x-protobuf"
    assert (posted.fields["x-key"], posted.fields["x-other"]) == ("a b", "c")
    assert b"of-the-test" in posted.body and b"snakes" in posted.body
    metrics = eventually(lambda: collector.of("/v1/metrics"))
    for name in (
        b"snakepit_tool_calls_total",
        b"snakepit_pool_handover_seconds",
        b"snakepit_pool_first_chunk_seconds",
        b"snakepit_pool_worker_age_seconds",
        b"snakepit_session_ends_total",
    ):
        assert name in metrics[-1].body
    assert b"of-the-test" in metrics[-1].body


def test_a_call_that_is_traced_is_an_example_in_openmetrics(start, collector):
    client = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    openmetrics = {"Accept": "application/openmetrics-text; version=1.0.0"}

    def told() -> list[str]:
        text = client.ask("GET", "/metrics", **openmetrics)[1].decode()
        return [line for line in text.splitlines() if "trace_id" in line]

    assert client.call("where", {}, traceparent=SAMPLED[:-1] + "0")[0] == 200
    assert told() == []
    before = time.time()
    assert client.call("where", {}, traceparent=SAMPLED)[0] == 200
    [line] = told()
    sample, example = line.split(" # ")
    assert sample.startswith("snakepit_pool_run_seconds_bucket{")
    labels, seconds, at = example.split(" ")
    assert labels == f'{{trace_id="{TRACE}"}}'
    assert 0 < float(seconds) <= float(sample.split('le="')[1].split('"')[0])
    assert before - 0.01 <= float(at) <= time.time() + 0.01
    assert b"trace_id" not in client.ask("GET", "/metrics")[1]


def test_each_signal_may_have_an_address_of_its_own(start, collector):
    client = start(
        top=f'"otlp_endpoint": "{collector.url}/base/"',
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=f"{collector.url}/spans",
        OTEL_METRIC_EXPORT_INTERVAL="100",
    )
    client.call("where", {}, traceparent=SAMPLED)
    assert eventually(lambda: collector.of("/spans"))
    assert eventually(lambda: collector.of("/base/v1/metrics"))


def test_what_a_collector_cannot_take_now_is_sent_again(start, collector):
    collector.statuses = [503, 429]
    client = start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_METRICS_EXPORTER="none"
    )
    client.call("where", {}, traceparent=SAMPLED)
    eventually(
        lambda: len(collector.posted) >= 3 and "text/where" in names(collector.posted)
    )
    first, second, third, *_ = collector.posted
    assert first.body == second.body == third.body
    assert client.daemon.lines("otlp.failed") == []


def test_what_it_refuses_is_dropped_and_told_once(start, collector):
    collector.statuses = [400] * 100
    client = start(
        OTEL_EXPORTER_OTLP_ENDPOINT=collector.url, OTEL_METRICS_EXPORTER="none"
    )
    client.call("where", {}, traceparent=SAMPLED)
    line = client.daemon.logged("otlp.failed")
    assert "HTTP status 400" in line
    sent = len(collector.posted)
    client.call("where", {}, traceparent=SAMPLED)
    eventually(lambda: len(collector.posted) > sent)
    assert len(client.daemon.lines("otlp.failed")) == 1
    assert client.call("where")[0] == 200


def partial(count: int, because: bytes) -> bytes:
    """The answer of a collector that has taken some."""
    said = bytes([8, count, 0x12, len(because)]) + because
    return bytes([0x0A, len(said)]) + said


def test_what_it_takes_in_part_is_counted_and_told_once(start, collector):
    collector.answer = partial(1, b"too\nold")
    client = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    for number in range(1, 4):
        assert client.call("where", {}, traceparent=SAMPLED)[0] == 200
        eventually(lambda: len(collector.of("/v1/traces")) >= number)  # noqa: B023
    told = client.daemon.logged("otlp.rejected")
    assert f"url={collector.url}/v1/traces" in told
    assert told.endswith('rejected=1 because="too old"')
    client.daemon.stop()
    told = [one for one in client.daemon.lines("otlp.rejected") if "/traces " in one]
    assert len(told) == 1
    assert not client.daemon.lines("otlp.failed")


def test_an_answer_that_is_none_is_passed_over(start, collector):
    collector.answer = partial(1, b"x") * 2000
    client = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    assert client.call("where", {}, traceparent=SAMPLED)[0] == 200
    eventually(lambda: collector.of("/v1/traces"))
    client.daemon.stop()
    assert not client.daemon.lines("otlp.rejected")
    assert not client.daemon.lines("otlp.failed")


def test_a_daemon_that_ends_sends_what_it_has(start, collector):
    client = start(OTEL_EXPORTER_OTLP_ENDPOINT=collector.url)
    client.call("where", {}, traceparent=SAMPLED)
    assert client.daemon.stop() == 0
    assert "text/where" in names(collector.of("/v1/traces"))
    assert len(collector.of("/v1/metrics")) == 1


def test_a_collector_that_is_not_there_holds_nothing_up(start):
    with Collector() as gone:
        url = gone.url
    client = start(OTEL_EXPORTER_OTLP_ENDPOINT=url)
    assert client.call("where", {}, traceparent=SAMPLED)[0] == 200
    began = time.monotonic()
    assert client.daemon.stop() == 0
    assert time.monotonic() - began < 60
    assert "otlp.failed" in client.daemon.said()


def test_nothing_is_sent_where_nobody_says_so(start):
    client = start()
    assert client.call("where")[1] == ["", "", ""]
    unsampled = SAMPLED[:-1] + "0"
    assert client.call("where", {}, traceparent=unsampled)[1][0] == unsampled
    assert client.daemon.lines("otlp.begun") == []


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "localhost:4318"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon"),
        ("OTEL_METRIC_EXPORT_INTERVAL", "0"),
    ],
)
def test_a_variable_that_is_wrong_is_told_before_it_serves(tmp_path, variable, value):
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://127.0.0.1:1", variable: value}
    daemon = Daemon(config(tmp_path, adapter="traced.Traced"), env=env)
    try:
        assert daemon.wait() != 0
        assert variable in daemon.said() and value in daemon.said()
    finally:
        daemon.end()
