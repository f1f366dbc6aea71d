# SPDX-License-Identifier: MIT
"""What the daemon sends, read by OpenTelemetry's own packages: the messages in Python,
and the Collector; and its API for Python in a worker.
"""

from __future__ import annotations

import base64
import json
import pathlib
import socket
import subprocess
import time

import pytest
from conftest import PEERS, peer
from support.collector import Collector
from support.daemon import Daemon
from support.missing import missing
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
        missing("opentelemetry-proto (see tools/peers)")
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


# ---- The Collector -------------------------------------------------------------------

PIPELINES = """
receivers: {{otlp: {{protocols: {{http: {{endpoint: "{address}"}}}}}}}}
processors: {{batch: {{timeout: 100ms}}}}
exporters: {{printer: {{}}}}
service:
  pipelines:
    traces: {{receivers: [otlp], processors: [batch], exporters: [printer]}}
    metrics: {{receivers: [otlp], processors: [batch], exporters: [printer]}}
"""


def free_address() -> str:
    """One that nobody listens at now."""
    with socket.create_server(("127.0.0.1", 0)) as one:
        return f"127.0.0.1:{one.getsockname()[1]}"


class RealCollector:
    """The OpenTelemetry Collector, and what has come through its pipelines."""

    def __init__(self, folder: pathlib.Path, address: str) -> None:
        self.output = folder / "collected"
        file = folder / "collector.yaml"
        file.write_text(PIPELINES.format(address=address))
        with open(self.output, "wb") as output, open(folder / "errors", "wb") as errors:
            self.popen = subprocess.Popen(
                [peer("otlp_collector"), "--config", f"file:{file}"],
                stdout=output,
                stderr=errors,
            )

    def __enter__(self) -> RealCollector:
        return self

    def __exit__(self, *_: object) -> None:
        self.popen.terminate()
        assert self.popen.wait(timeout=60) == 0

    def requests(self) -> list[dict]:
        assert self.popen.poll() is None, self.output.with_name("errors").read_text()
        lines = self.output.read_text().splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def spans(self) -> dict[str, dict]:
        """Each by its name."""
        found = {}
        for request in self.requests():
            for resource in request.get("resourceSpans", []):
                assert attributes(resource["resource"])["service.name"] == "snakepit"
                for scope in resource["scopeSpans"]:
                    assert scope["scope"]["name"] == "snakepit"
                    found.update({span["name"]: span for span in scope["spans"]})
        return found

    def metrics(self) -> dict[str, dict]:
        """The last ones, each by its name."""
        found = {}
        for request in self.requests():
            for resource in request.get("resourceMetrics", []):
                for scope in resource["scopeMetrics"]:
                    found.update({one["name"]: one for one in scope["metrics"]})
        return found


def ran(collector: RealCollector, tool: str) -> dict | None:
    """The summary of how long a tool has run, once there is one."""
    tools = collector.metrics().get("snakepit_tool_run_seconds", {"summary": {}})
    for point in tools["summary"].get("dataPoints", []):
        if attributes(point)["tool"] == tool:
            return point
    return None


def test_traces_and_figures_come_through_a_collector(tmp_path):
    peer("otlp_collector")
    address = free_address()
    # It comes when the first has been sent already, so that is sent once more.
    client = start(tmp_path, "traced.Traced", f"http://{address}")
    asked = {"seconds": 0.05, "fails": True}
    fields = {"traceparent": SAMPLED, "tracestate": "a=b"}
    assert client.call("work", asked, **fields)[0] >= 400
    with RealCollector(tmp_path, address) as collector:
        assert client.call("where", {}, traceparent=SAMPLED)[0] == 200
        names = {"text/work", "text/where", "run", "work"}
        eventually(lambda: names <= collector.spans().keys())
        where = eventually(lambda: ran(collector, "where"))
        spans, metrics = collector.spans(), collector.metrics()
        client.daemon.stop()
        end([client.daemon])
    call = spans["text/work"]
    assert (call["traceId"], call["parentSpanId"]) == (TRACE, SPAN)
    assert (call["kind"], call["traceState"]) == (2, "a=b")  # a server's
    assert call["status"] == {"code": 2, "message": "not today"}  # an error
    assert attributes(call)["rpc.method"] == "work"
    work = spans["work"]
    assert work["traceId"] == TRACE
    assert attributes(work)["error.type"] == "ValueError"
    assert int(where["count"]) == 1 and where["sum"] > 0
    calls = metrics["snakepit_tool_calls_total"]["sum"]
    assert calls["isMonotonic"] and calls["aggregationTemporality"] == 2
    assert "snakepit_pool_run_seconds" in metrics


def packages() -> str:
    peer("python")
    for folder in (PEERS / "check/lib").glob("python3*/site-packages"):
        if (folder / "opentelemetry/trace").exists():
            return str(folder)
    missing("opentelemetry-api (see tools/peers)")


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
