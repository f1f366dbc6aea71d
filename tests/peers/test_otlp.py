# SPDX-License-Identifier: MIT
"""What the daemon sends, read by OpenTelemetry's own packages: the messages in Python,
and the library of the Collector; and its API for Python in a worker.
"""

from __future__ import annotations

import base64
import json
import pathlib
import subprocess
import time

import pytest
from conftest import PEERS, peer
from support.collector import Collector
from support.daemon import Daemon
from support.served import Client, config, end
from support.waiting import eventually

TRACE = "0af7651916cd43dd8448eb211c80319c"
SPAN = "b7ad6b7169203331"
SAMPLED = f"00-{TRACE}-{SPAN}-01"
NEARLY = 2_000_000  # ns by which clocks of two processes may differ

READ = """
import json, sys
from google.protobuf import json_format
from opentelemetry.proto.collector.{0}.v1 import {0}_service_pb2 as service
message = service.Export{1}ServiceRequest.FromString(sys.stdin.buffer.read())
print(json_format.MessageToJson(message))
"""


def read(signal: str, name: str, body: bytes):
    done = subprocess.run(
        [peer("python"), "-c", READ.format(signal, name)],
        input=body,
        capture_output=True,
        check=False,
        timeout=120,
    )
    if b"ModuleNotFoundError" in done.stderr:
        pytest.skip("opentelemetry-proto is not installed: see tools/peers")
    assert done.returncode == 0, done.stderr.decode()
    return json.loads(done.stdout)


def start(folder: pathlib.Path, adapter: str, url: str, **env: str) -> Client:
    env = {
        "OTEL_EXPORTER_OTLP_ENDPOINT": url,
        "OTEL_METRIC_EXPORT_INTERVAL": "200",
        **env,
    }
    client = Client(Daemon(config(folder, adapter=adapter), env=env))
    eventually(client.is_ready)
    return client


def attributes(of) -> dict:
    return {
        pair["key"]: next(iter(pair["value"].values())) for pair in of["attributes"]
    }


def spans_of(request) -> list[dict]:
    (resource,) = request["resourceSpans"]
    assert attributes(resource["resource"])["service.name"] == "snakepit"
    (scope,) = resource["scopeSpans"]
    assert scope["scope"]["name"] == "snakepit"
    return scope["spans"]


def test_the_messages_of_python_read_spans_with_their_parents_and_times(tmp_path):
    with Collector() as collector:
        client = start(tmp_path, "traced.Traced", collector.url)
        before = time.time_ns()
        asked = {"seconds": 0.05, "fails": True}
        assert (
            client.call("work", asked, traceparent=SAMPLED, tracestate="a=b")[0] >= 400
        )
        after = time.time_ns()
        client.daemon.stop()
        end([client.daemon])
    found = {}
    for posted in collector.of("/v1/traces"):
        for span in spans_of(read("trace", "Trace", posted.body)):
            found[span["name"]] = span
    call, run, work = found["text/work"], found["run"], found["work"]
    assert (call["kind"], call["traceState"]) == ("SPAN_KIND_SERVER", "a=b")
    assert attributes(call)["rpc.method"] == "work"
    assert call["status"] == {"code": "STATUS_CODE_ERROR", "message": "not today"}
    assert attributes(work)["error.type"] == "ValueError"
    times = [before - NEARLY]
    times += [int(span["startTimeUnixNano"]) for span in (call, run, work)]
    times += [int(span["endTimeUnixNano"]) for span in (work, run, call)]
    times += [after + NEARLY]
    assert all(a <= b + NEARLY for a, b in zip(times, times[1:])), times
    assert run["parentSpanId"] == call["spanId"]
    assert work["parentSpanId"] == run["spanId"]


def test_the_messages_of_python_read_the_figures(tmp_path):
    with Collector() as collector:
        client = start(tmp_path, "traced.Traced", collector.url)
        assert client.call("where")[0] == 200
        text = client.ask("GET", "/metrics")[1].decode()
        sent = len(collector.of("/v1/metrics"))
        eventually(lambda: len(collector.of("/v1/metrics")) > sent + 1)
        client.daemon.stop()
        end([client.daemon])
    request = read("metrics", "Metrics", collector.of("/v1/metrics")[-1].body)
    (scope,) = request["resourceMetrics"][0]["scopeMetrics"]
    metrics = {metric["name"]: metric for metric in scope["metrics"]}
    calls = metrics["snakepit_tool_calls_total"]["sum"]
    assert calls["isMonotonic"]
    assert calls["aggregationTemporality"] == "AGGREGATION_TEMPORALITY_CUMULATIVE"
    assert 1.0 in [point["asDouble"] for point in calls["dataPoints"]]
    for line in text.splitlines():
        if line.startswith("# TYPE ") and "snakepit_pool" in line:
            assert line.split()[2] in metrics, line
    runs = metrics["snakepit_pool_run_seconds"]["histogram"]["dataPoints"]
    (run,) = [point for point in runs if attributes(point)["pool"] == "text"]
    counts = [int(count) for count in run["bucketCounts"]]
    assert sum(counts) == int(run["count"]) == 1
    assert len(counts) == len(run["explicitBounds"]) + 1
    assert run["sum"] > 0
    tools = metrics["snakepit_tool_run_seconds"]["summary"]["dataPoints"]
    (where,) = [point for point in tools if attributes(point)["tool"] == "where"]
    assert (int(where["count"]), where["sum"]) == (1, pytest.approx(run["sum"]))


def test_the_collectors_library_reads_them(tmp_path):
    told = subprocess.Popen([peer("otlp_collector")], stdout=subprocess.PIPE, text=True)
    try:
        url = told.stdout.readline().strip()
        client = start(tmp_path, "traced.Traced", url)
        assert client.call("where", {}, traceparent=SAMPLED)[0] == 200
        client.daemon.stop()
        end([client.daemon])
    finally:
        told.kill()
    requests = [json.loads(line) for line in told.communicate()[0].splitlines()]
    spans = {
        span["name"]: span
        for request in requests
        if "resourceSpans" in request
        for span in spans_of(request)
    }
    assert spans["text/where"]["parentSpanId"] == SPAN
    assert spans["run"]["traceId"] == TRACE
    metrics = [request for request in requests if "resourceMetrics" in request]
    assert "snakepit_pool_run_seconds" in json.dumps(metrics)


def packages() -> str:
    peer("python")
    for folder in (PEERS / "check/lib").glob("python3*/site-packages"):
        if (folder / "opentelemetry/trace").exists():
            return str(folder)
    pytest.skip("opentelemetry-api is not installed: see tools/peers")


def test_the_span_of_the_call_is_the_active_one_of_opentelemetry(tmp_path):
    where = packages()
    with Collector() as collector:
        client = start(
            tmp_path,
            "traced_by_opentelemetry.Traced",
            collector.url,
            OPENTELEMETRY_PACKAGES=where,
        )
        try:
            for tool in ("where", "where_awaited"):
                fields = {"traceparent": SAMPLED, "tracestate": "a=b"}
                span, state, ours = client.call(tool, {}, **fields)[1]
                assert span == ours and span.startswith(f"00-{TRACE}-")
                assert SPAN not in span  # it is that of the run
                assert state == "a=b"
            unsampled = SAMPLED[:-1] + "0"
            assert client.call("where", {}, traceparent=unsampled)[1][0] == unsampled
            around, within, ours, theirs, below, after = client.call(
                "spans", {}, traceparent=SAMPLED
            )[1]
            assert around == after != within == ours
            assert theirs == f"00-{TRACE}-1234567812345678-01"
            assert below not in (within, theirs) and TRACE in below
            client.daemon.stop()
        finally:
            end([client.daemon])
    spans = {
        span["name"]: span
        for posted in collector.of("/v1/traces")
        for span in spans_of(read("trace", "Trace", posted.body))
    }
    assert json_hex(spans["below"]["parentSpanId"]) == "1234567812345678"


def json_hex(text: str) -> str:
    """The digits of bytes that JSON of protobuf has in base64."""
    return base64.b64decode(text).hex()
