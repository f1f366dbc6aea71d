# SPDX-License-Identifier: MIT
"""What the HTTP door answers, by Python's own client, against the real daemon."""

from __future__ import annotations

import base64
import contextlib
import http.client
import json
import os
import pathlib
import signal
import struct
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.daemon import Connection, Daemon
from support.served import CALL, Client, config, end, serve
from support.waiting import eventually


@pytest.fixture
def start(tmp_path: pathlib.Path):
    """Daemons of a test's own."""
    daemons: list[Daemon] = []

    def start_one(ready: bool = True, **options: Any) -> Client:
        path = config(tmp_path, **options)
        daemons.append(serve(path) if ready else Daemon(path))
        return Client(daemons[-1])

    yield start_one
    end(daemons)


# ---- Calls --------------------------------------------------------------------------


def test_a_call_is_answered_with_what_the_tool_returns(client):
    assert client.call("add", {"a": 40, "b": 2}) == (200, 42)
    assert client.call("nothing") == (200, None)
    assert client.call("data") == (
        200,
        {"$bytes": base64.b64encode(b"\x00\xff\x80").decode()},
    )
    body = {"é": [1, 2.5, None, True, "\n"], "deep": {"a": {"b": []}}}
    assert client.call("echo", body) == (200, body)


def test_the_default_pool_has_its_name(client):
    path = "/v1/pools/default/tools/add"
    assert client.ask("POST", path, {"a": 1}) == (200, 2)


def test_messagepack_goes_both_ways(client):
    packed = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
    assert client.call("add", b"\x81\xa1a\x29", **packed) == (200, b"\x2a")
    assert client.call("data", b"\x80", **packed) == (200, b"\xc4\x03\x00\xff\x80")
    only_sent = {"Content-Type": "application/msgpack"}
    assert client.call("add", b"\x81\xa1a\x29", **only_sent) == (200, 42)


def tensor_of(values: list[float]) -> bytes:
    """As MessagePack: a map of one pair."""
    data = struct.pack(f"<{len(values)}f", *values)
    return (
        b"\x81\xa7$tensor\x83\xa5dtype\xa7float32\xa5shape\x91"
        + bytes([len(values)])
        + b"\xa4data\xc4"
        + bytes([len(data)])
        + data
    )


def test_tensors_cross_as_bytes_and_as_base64(client):
    packed = {"Content-Type": "application/msgpack", "Accept": "application/msgpack"}
    body = b"\x81\xa5array" + tensor_of([1, 2.5])
    assert client.call("double", body, **packed) == (200, tensor_of([2, 5]))
    data = base64.b64encode(struct.pack("<2f", 1, 2)).decode()
    array = {"$tensor": {"dtype": "float32", "shape": [2], "data": data}}
    status, value = client.call("double", {"array": array})
    assert status == 200
    assert base64.b64decode(value["$tensor"]["data"]) == struct.pack("<2f", 2, 4)


def test_fields_of_the_request_reach_the_call(client):
    status, fields, value = client.whole(
        "POST", CALL + "session", Snakepit_Session="mine", Snakepit_Call_Id="my-call"
    )
    assert (status, value) == (200, "mine")
    assert fields["Snakepit-Call-Id"] == "my-call"
    status, fields, _ = client.whole("POST", CALL + "nothing", Snakepit_Priority="7")
    assert status == 200 and fields["Snakepit-Call-Id"].isdigit()
    assert client.call("nothing", Snakepit_Priority="8")[0] == 400
    named = {"Snakepit-Call-Id": "refused"}
    for accept in ("application/json", "text/event-stream"):
        path = "/v1/pools/none/tools/add"
        _, fields, _ = client.whole("POST", path, {}, Accept=accept, **named)
        assert fields["Snakepit-Call-Id"] == "refused"


def test_many_clients_at_once(client):
    results: dict[int, Any] = {}

    def ask(i: int) -> None:
        results[i] = [client.call("add", {"a": i, "b": k}) for k in range(5)]

    threads = [threading.Thread(target=ask, args=(i,)) for i in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == {i: [(200, i + k) for k in range(5)] for i in range(32)}


def test_one_connection_asks_again_and_again(client):
    connection = Connection(client.daemon.connect())
    with contextlib.closing(connection):
        for i in range(50):
            connection.request(
                "POST",
                CALL + "add",
                json.dumps({"a": i}),
                {"Content-Type": "application/json"},
            )
            answer = connection.getresponse()
            assert (answer.status, json.loads(answer.read())) == (200, i + 1)


# ---- Faults -------------------------------------------------------------------------


def test_each_fault_has_its_status_and_its_document(client):
    def problem(*words: Any, **fields: str) -> tuple[int, str, str]:
        status, headers, value = client.whole(*words, **fields)
        assert headers["Content-Type"] == "application/problem+json"
        assert value["status"] == status
        assert value["type"] == f"/problems/{value['error']['name']}"
        return status, value["error"]["name"], value["detail"]

    assert problem("POST", CALL + "fail", {"message": "why"}) == (
        500,
        "TOOL_FAILED",
        "ValueError: why",
    )
    assert problem("POST", CALL + "no_such")[:2] == (404, "UNKNOWN_TOOL")
    assert problem("POST", "/v1/pools/none/tools/add")[:2] == (404, "UNKNOWN_POOL")
    assert problem("POST", CALL + "alike")[:2] == (500, "UNSERIALISABLE")
    assert problem("POST", CALL + "add", [1])[:2] == (400, "INVALID_ARGUMENT")
    malformed = {"Content_Type": "application/json"}
    assert problem("POST", CALL + "add", b"{", **malformed)[:2] == (400, "MALFORMED")
    assert problem("GET", "/v1/sessions/none")[:2] == (404, "NOT_FOUND")
    _, value = client.ask("GET", "/problems/UNKNOWN_TOOL")
    assert value.startswith(b"UNKNOWN_TOOL (10)")


def test_a_traceback_is_in_the_document(client):
    _, value = client.call("fail", {"message": "why"})
    assert "Traceback" in value["error"]["traceback"]
    assert value["error"]["type"] == "ValueError"
    assert value["error"]["retryable"] is False


def test_a_traceback_can_be_kept_back(start):
    client = start(serve={"tracebacks": False})
    status, value = client.call("fail")
    assert (status, value["error"]["traceback"]) == (500, "")
    assert value["detail"] == "ValueError: no"


def test_a_call_that_takes_too_long_says_so(client, tmp_path):
    path = tmp_path / "begun"
    status, value = client.call("wait", {"path": str(path)}, Snakepit_Timeout_Ms="50")
    assert (status, value["error"]["name"]) == (504, "DEADLINE_EXCEEDED")


def test_a_worker_that_dies_is_told(start):
    client = start()
    status, value = client.call("die")
    assert (status, value["error"]["name"]) == (503, "WORKER_DIED")
    assert "3" in value["error"]["cause"]
    eventually(client.is_ready, "that there is another worker")
    assert client.call("add", {"a": 1}) == (200, 2)


def test_a_worker_that_is_killed_in_a_call_is_told(start, tmp_path):
    client = start()
    _, pid = client.call("pid")
    path = tmp_path / "begun"
    answers = []
    thread = threading.Thread(
        target=lambda: answers.append(client.call("wait", {"path": str(path)}))
    )
    thread.start()
    eventually(path.exists, "that the tool runs")
    os.kill(pid, signal.SIGKILL)
    thread.join()
    assert [(s, v["error"]["name"]) for s, v in answers] == [(503, "WORKER_DIED")]
    assert "SIGKILL" in answers[0][1]["error"]["cause"]


def test_an_open_breaker_says_when_to_come_back(start):
    client = start(
        breaker={
            "failures": 1,
            "window_ms": 60000,
            "open_ms": 50000,
            "on": ["TOOL_FAILED"],
        }
    )
    assert client.call("fail")[0] == 500
    status, fields, value = client.whole("POST", CALL + "fail")
    assert (status, value["error"]["name"]) == (503, "BREAKER_OPEN")
    assert 1 < int(fields["Retry-After"]) <= 50


def test_each_call_has_one_right_answer_while_workers_die(start):
    client = start(pool_size=2, max_queue=1000)
    wrong: list = []
    died: list = []

    def ask(first: int) -> None:
        connection = Connection(client.daemon.connect())
        with contextlib.closing(connection):
            for i in range(first, first + 100):
                tool = "die" if i % 97 == 0 else "add"
                connection.request(
                    "POST",
                    CALL + tool,
                    json.dumps({"a": i} if tool == "add" else {}),
                    {"Content-Type": "application/json"},
                )
                answer = connection.getresponse()
                value = json.loads(answer.read())
                if answer.status == 503:
                    died.append(value["error"]["name"])
                elif (answer.status, tool, value) != (200, "add", i + 1):
                    wrong.append((tool, i, answer.status, value))

    threads = [threading.Thread(target=ask, args=(1000 * i,)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(died) >= 3
    assert set(died) <= {"WORKER_DIED", "WORKER_LOST", "POOL_DOWN"}


# ---- Cancels ------------------------------------------------------------------------


def ask_and_wait(client: Client, path: pathlib.Path, **fields: str) -> tuple[int, Any]:
    """A call that waits; 0 for one whose connection has ended without an answer."""
    try:
        return client.call("wait", {"path": str(path)}, **fields)
    except (OSError, http.client.HTTPException):
        return 0, None


def begin(client: Client, path: pathlib.Path, **fields: str) -> tuple[Any, list]:
    """A call that waits, in a thread; what it comes to."""
    answers: list = []
    thread = threading.Thread(
        target=lambda: answers.append(ask_and_wait(client, path, **fields))
    )
    thread.start()
    eventually(path.exists, "that the tool runs")
    return thread, answers


def test_a_call_is_cancelled_by_the_name_that_its_client_gave_it(client, tmp_path):
    path = tmp_path / "begun"
    thread, answers = begin(client, path, Snakepit_Call_Id="slow")
    status, value = client.call("nothing", Snakepit_Call_Id="slow")
    assert (status, value["error"]["name"]) == (409, "BUSY")
    assert client.ask("DELETE", "/v1/calls/slow")[0] == 202
    thread.join()
    assert [(s, v["error"]["name"]) for s, v in answers] == [(499, "CANCELLED")]
    eventually(lambda: path.read_text() == "ended", "that the tool ended")
    assert client.ask("DELETE", "/v1/calls/slow")[0] == 404
    assert client.ask("DELETE", "/v1/calls/123456")[0] == 404


def test_a_client_that_goes_away_cancels_its_call(client, tmp_path):
    path = tmp_path / "begun"
    connection = Connection(client.daemon.connect())
    connection.request(
        "POST",
        CALL + "wait",
        json.dumps({"path": str(path)}),
        {"Content-Type": "application/json"},
    )
    eventually(path.exists, "that the tool runs")
    connection.close()
    eventually(lambda: path.read_text() == "ended", "that the tool ended")
    assert client.call("add", {"a": 1}) == (200, 2)


# ---- Sessions -----------------------------------------------------------------------


def test_sessions_are_listed_in_pages(client):
    names = [f"page/{i}" for i in range(5)]
    for name in names:
        path = f"/v1/sessions/{name.replace('/', '%2F')}/values/k"
        assert client.ask("PUT", path, 1)[0] == 204
    found, after = [], ""
    while True:
        status, page = client.ask("GET", f"/v1/sessions?limit=2{after}")
        assert status == 200 and len(page["sessions"]) <= 2
        found += [row for row in page["sessions"] if row["session"] in names]
        if page["next"] is None:
            break
        assert page["next"] == page["sessions"][-1]["session"]
        after = f"&after={page['next'].replace('/', '%2F')}"
    assert [row["session"] for row in found] == names
    assert {row["values"] for row in found} == {1}
    assert {row["bytes"] for row in found} == {130}
    for query, status in (
        ("after=gone", 404),
        ("after=", 400),
        ("after=%0", 400),
        ("limit=0", 400),
        ("limit=1001", 400),
    ):
        assert client.ask("GET", f"/v1/sessions?{query}")[0] == status, query


def test_sessions_keep_values_for_tools(client):
    place = "/v1/sessions/user%2F1"
    assert client.ask("PUT", f"{place}/values/k", {"n": [1]})[0] == 204
    assert client.ask("GET", f"{place}/values/k") == (200, {"n": [1]})
    assert client.ask("GET", place) == (200, {"session": "user/1", "keys": ["k"]})
    fields = {"Snakepit_Session": "user/1"}
    assert client.call("kept", {"key": "k"}, **fields) == (200, {"n": [1]})
    assert client.ask("DELETE", f"{place}/values/k")[0] == 204
    assert client.ask("GET", f"{place}/values/k")[0] == 404
    assert client.ask("DELETE", place)[0] == 204
    assert client.ask("DELETE", place)[0] == 404


def test_a_value_can_have_a_time_to_live(client):
    place = "/v1/sessions/brief/values/k"
    assert client.ask("PUT", f"{place}?ttl_ms=1", 1)[0] == 204
    eventually(lambda: client.ask("GET", place)[0] == 404, "that it is gone")
    assert client.ask("PUT", f"{place}?ttl_ms=x", 1)[0] == 400


# ---- Pools --------------------------------------------------------------------------


def test_pools_and_workers_are_listed(client):
    status, value = client.ask("GET", "/v1/pools")
    assert status == 200
    assert [pool["name"] for pool in value["pools"]] == ["text"]
    status, pool = client.ask("GET", "/v1/pools/text")
    assert (status, pool["state"], pool["workers_ready"]) == (200, "ready", 1)
    assert [worker["state"] for worker in pool["workers_now"]] == ["READY"]
    (worker,) = pool["workers_now"]
    assert worker["health"]["status"] == "unknown"
    assert worker["rss_bytes"] > 1 << 20
    assert worker["python"].startswith("3.")
    (executor,) = worker["executors"]
    assert (executor["state"], executor["call"], executor["tool"]) == ("idle", 0, "")
    answer = client.open("HEAD", "/v1/pools/text")
    assert (answer.status, answer.read()) == (200, b"")
    answer.connection.close()


def test_tools_are_listed_with_their_schemas(client):
    status, table = client.ask("GET", "/v1/pools/text/tools")
    assert status == 200
    tools = {tool["name"]: tool for tool in table["tools"]}
    assert tools["add"]["parameters"]["properties"]["a"] == {"type": "integer"}
    assert tools["count"]["streams"] is True


def test_workers_are_replaced(start):
    client = start()
    _, first = client.call("pid")
    _, pool = client.ask("GET", "/v1/pools/text")
    worker = pool["workers_now"][0]["id"]
    assert client.ask("POST", f"/v1/workers/{worker}:recycle")[0] == 202
    eventually(lambda: client.call("pid")[1] != first, "that there is another worker")
    _, second = client.call("pid")
    assert client.ask("POST", "/v1/pools/text:recycle")[0] == 202
    eventually(lambda: client.call("pid")[1] != second, "that there is another worker")
    assert client.ask("POST", f"/v1/workers/{worker}:recycle")[0] == 404
    assert client.ask("POST", "/v1/pools/none:recycle")[0] == 404


def test_the_configuration_is_read_again(start, tmp_path):
    client = start(pool_size={"min": 1, "max": 2})
    assert client.ask("POST", "/v1/pools/text:resize?workers=2")[0] == 202
    assert client.ask("POST", "/v1/pools/text:resize?workers=9")[0] == 400
    config(tmp_path, name="other")
    assert client.ask("POST", "/v1/pools:reload")[0] == 204
    assert "by=http" in client.daemon.logged("serve.reloaded")
    eventually(
        lambda: client.ask("POST", "/v1/pools/other/tools/add", {"a": 1}) == (200, 2),
        "that the new pool serves",
    )
    assert client.call("add", {"a": 1})[1]["error"]["name"] == "POOL_REMOVED"
    (tmp_path / "daemon.yaml").write_text("pools: 7\n")
    status, value = client.ask("POST", "/v1/pools:reload")
    assert (status, value["error"]["name"]) == (400, "INVALID_CONFIG")
    assert "daemon.yaml" in value["detail"]
    told = client.daemon.logged("serve.reload_failed")
    assert "by=http" in told and "daemon.yaml" in told


# ---- Probes -------------------------------------------------------------------------


def test_it_is_ready_when_its_pools_serve(start):
    client = start(ready=False)
    client.daemon.urls()
    assert client.ask("GET", "/livez") == (200, b"ok\n")
    eventually(client.is_ready, "that it is ready")
    status, text = client.ask("GET", "/readyz?verbose")
    assert (status, text) == (200, b"[+] text: ready, 1 of 1 workers\nready\n")


def test_a_pool_that_cannot_start_keeps_it_from_being_ready(start):
    client = start(ready=False, adapter="served.Nobody")
    client.daemon.urls()
    eventually(
        lambda: b"failed" in client.ask("GET", "/readyz?verbose")[1], "that it failed"
    )
    assert client.ask("GET", "/readyz") == (503, b"not ready\n")
    status, value = client.call("add", {"a": 1})
    assert (status, value["error"]["name"]) == (503, "POOL_FAILED")


# ---- The daemon's end ---------------------------------------------------------------


def test_what_has_begun_is_answered_before_it_ends(start, tmp_path):
    client = start()
    path = tmp_path / "begun"
    thread, answers = begin(client, path, Snakepit_Call_Id="last")
    other = Connection(client.daemon.connect())
    other.request("GET", "/livez")
    assert other.getresponse().read() == b"ok\n"
    client.daemon.signal(signal.SIGTERM)
    client.daemon.logged("serve.stopping")
    assert not answers
    (tmp_path / "begun.enough").touch()
    thread.join()
    assert answers == [(200, "enough")]
    assert client.daemon.wait() == 0
    other.close()


def test_what_does_not_end_is_cut_off(start, tmp_path):
    client = start(serve={"shutdown_grace_ms": 0}, pool_size=2)
    thread, answers = begin(client, tmp_path / "begun")
    events = client.events("pour", {"path": str(tmp_path / "poured")})
    assert next(iter(events))[0] == "message"
    assert client.daemon.stop() == 0
    thread.join()
    assert len(answers) == 1 and answers[0][0] == 503
    *others, (name, told) = events
    assert {name for name, _ in others} <= {"message"}
    assert name == "error" and "SHUTTING_DOWN" in str(told)
    events.close()


# ---- The interface ------------------------------------------------------------------


def references(value: Any) -> Iterator[str]:
    """Every $ref below a value."""
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_the_openapi_document_has_every_path_and_tool(client):
    status, document = client.ask("GET", "/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")
    add = document["paths"][CALL + "add"]["post"]
    schema = add["requestBody"]["content"]["application/json"]["schema"]
    assert schema["properties"]["a"] == {"type": "integer"}
    assert schema["required"] == ["a"]
    answer = add["responses"]["200"]["content"]["application/json"]["schema"]
    assert answer == {"type": "integer"}
    operations = [
        operation for path in document["paths"].values() for operation in path.values()
    ]
    names = [operation["operationId"] for operation in operations]
    assert len(set(names)) == len(names)
    for reference in references(document):
        found = document
        for key in reference.removeprefix("#/").split("/"):
            found = found[key]
    assert client.ask("GET", "/openapi.json") == (200, document)


def test_a_path_that_is_not_there_is_a_problem(client):
    status, fields, value = client.whole("GET", "/nothing")
    assert (status, value["type"]) == (404, "about:blank")
    status, fields, value = client.whole("PUT", "/livez")
    assert (status, fields["Allow"]) == (405, "GET, HEAD, OPTIONS")
    assert client.ask("OPTIONS", CALL + "add")[0] == 204
    assert client.ask("GET", "/")[1].startswith(b"Snakepit ")
    assert client.call("add", Accept="text/html")[0] == 406
    assert client.call("add", b"a=1", Content_Type="text/plain")[0] == 415


def test_pages_of_others_are_kept_out(start):
    app = "https://app.example.com"
    client = start(serve={"origins": [app]})
    assert client.ask("GET", "/livez", Origin="https://evil.example")[0] == 403
    assert client.ask("GET", "/livez", Host="evil.example")[0] == 421
    status, fields, _ = client.whole("POST", CALL + "add", {"a": 1}, Origin=app)
    assert (status, fields["Access-Control-Allow-Origin"]) == (200, app)
    status, fields, _ = client.whole("OPTIONS", CALL + "add", Origin=app)
    assert status == 204
    assert "Content-Type" in fields["Access-Control-Allow-Headers"]


# ---- Metrics ------------------------------------------------------------------------


def test_prometheus_reads_the_figures(client):
    client.call("add", {"a": 1, "b": 2})
    status, fields, body = client.whole("GET", "/metrics")
    assert status == 200
    assert fields["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
    lines = body.decode().splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line[0] != "#")
    assert int(values['snakepit_pool_calls_total{pool="text"}']) >= 1
    assert values['snakepit_pool_state{pool="text",state="ready"}'] == "1"
    assert int(values["snakepit_connections"]) >= 1
    ran = 'snakepit_pool_run_seconds_%s{pool="text"%s}'
    assert int(values[ran % ("count", "")]) >= 1
    assert float(values[ran % ("sum", "")]) > 0
    assert values[ran % ("bucket", ',le="+Inf"')] == values[ran % ("count", "")]
