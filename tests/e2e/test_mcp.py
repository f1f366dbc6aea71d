# SPDX-License-Identifier: MIT
"""MCP over HTTP, as bytes: what clients of each revision send, and what they get."""

from __future__ import annotations

import base64
import contextlib
import json
import pathlib
import signal
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from support.configs import default_python
from support.daemon import Connection
from support.served import Client, Events, config, end, poured, serve
from support.tokens import bearer, token, write
from support.waiting import eventually

LAST_HANDSHAKE = "2025-11-25"
STATELESS = "2026-07-28"
META = {
    "io.modelcontextprotocol/protocolVersion": STATELESS,
    "io.modelcontextprotocol/clientCapabilities": {},
}
BOTH = {"Accept": "application/json, text/event-stream"}


@pytest.fixture
def start(tmp_path: pathlib.Path):
    """Daemons of a test's own."""
    daemons: list[Any] = []

    def start_one(**options: Any) -> Client:
        daemons.append(serve(config(tmp_path, **options)))
        return Client(daemons[-1])

    yield start_one
    end(daemons)


@pytest.fixture(scope="module")
def client(tmp_path_factory) -> Iterator[Client]:
    daemon = serve(config(tmp_path_factory.mktemp("daemon"), adapter="models.Models"))
    yield Client(daemon)
    end([daemon])


def message(method: str, params: Any = None, number: Any = 1) -> dict[str, Any]:
    told = {"jsonrpc": "2.0", "id": number, "method": method}
    return told if params is None else {**told, "params": params}


def ask(client: Client, method: str, params: Any = None, **headers: str):
    """The status and the answer of a request of the handshake's era."""
    return client.ask("POST", "/mcp", message(method, params), **BOTH, **headers)


def ask_stateless(client: Client, method: str, params: Any = None, **headers: str):
    params = {"_meta": META, **(params or {})}
    fields = {"MCP-Protocol-Version": STATELESS, "Mcp-Method": method}
    if "name" in params:
        fields["Mcp-Name"] = params["name"]
    fields |= {key.replace("_", "-"): value for key, value in headers.items()}
    return client.ask("POST", "/mcp", message(method, params), **BOTH, **fields)


def call(client: Client, tool: str, arguments: Any = None, **headers: str):
    """The result of a call."""
    params = {"name": f"text.{tool}", "arguments": arguments or {}}
    status, answer = ask(client, "tools/call", params, **headers)
    assert (status, answer["jsonrpc"], answer["id"]) == (200, "2.0", 1)
    return answer["result"]


def refused(answer: tuple[int, Any]) -> tuple[int, int, str]:
    status, value = answer
    return status, value["error"]["code"], value["error"]["message"]


# ---- Handshake and discovery ---------------------------------------------------------


@pytest.mark.parametrize(
    ("asked", "agreed"),
    [
        ("2025-06-18", "2025-06-18"),
        ("2025-03-26", "2025-03-26"),
        (LAST_HANDSHAKE, LAST_HANDSHAKE),
        ("2024-11-05", LAST_HANDSHAKE),
        ("2999-01-01", LAST_HANDSHAKE),
    ],
)
def test_a_handshake_agrees_on_a_revision(client, asked, agreed):
    params = {
        "protocolVersion": asked,
        "capabilities": {},
        "clientInfo": {"name": "test", "version": "1"},
    }
    status, fields, answer = client.whole(
        "POST", "/mcp", message("initialize", params), **BOTH
    )
    result = answer["result"]
    assert (status, result["protocolVersion"]) == (200, agreed)
    assert result["capabilities"] == {"tools": {"listChanged": True}}
    assert result["serverInfo"]["name"] == "snakepit"
    assert len(fields["Mcp-Session-Id"]) == 32
    initialized = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    session = {"Mcp-Session-Id": fields["Mcp-Session-Id"]}
    assert client.ask("POST", "/mcp", initialized, **BOTH, **session) == (202, b"")
    status, answer = ask(client, "ping", **session, MCP_Protocol_Version=agreed)
    assert (status, answer["result"]) == (200, {})


def test_a_client_without_a_handshake_discovers_what_there_is(client):
    status, answer = ask_stateless(client, "server/discover")
    result = answer["result"]
    assert (status, result["resultType"]) == (200, "complete")
    assert result["supportedVersions"] == [
        STATELESS,
        LAST_HANDSHAKE,
        "2025-06-18",
        "2025-03-26",
    ]
    assert result["cacheScope"] == "private"
    info = result["_meta"]["io.modelcontextprotocol/serverInfo"]
    assert info["name"] == "snakepit"


def test_what_a_stateless_request_says_twice_must_agree(client):
    call = {"name": "text.add", "arguments": {"a": 1}}
    for wrong in (
        {"MCP_Protocol_Version": LAST_HANDSHAKE},
        {"Mcp_Method": "tools/list"},
        {"Mcp_Name": "text.other"},
    ):
        answer = ask_stateless(client, "tools/call", call, **wrong)
        assert refused(answer)[:2] == (400, -32020)
    encoded = "=?base64?" + base64.b64encode(b"text.add").decode() + "?="
    status, answer = ask_stateless(client, "tools/call", call, Mcp_Name=encoded)
    assert (status, answer["result"]["structuredContent"]) == (200, 2)


def test_a_revision_that_is_not_served_is_refused_with_those_that_are(client):
    meta = {**META, "io.modelcontextprotocol/protocolVersion": "2999-01-01"}
    answer = ask_stateless(
        client, "tools/list", {"_meta": meta}, MCP_Protocol_Version="2999-01-01"
    )
    assert refused(answer)[:2] == (400, -32022)
    data = answer[1]["error"]["data"]
    assert (data["requested"], data["supported"][0]) == ("2999-01-01", STATELESS)
    assert refused(ask(client, "ping", MCP_Protocol_Version="1"))[:2] == (400, -32022)
    missing = ask_stateless(client, "tools/list", {"_meta": {}})
    assert refused(missing)[:2] == (400, -32602)


def test_methods_of_another_era_are_not_there(client):
    assert refused(ask_stateless(client, "ping"))[:2] == (404, -32601)
    assert refused(ask_stateless(client, "initialize"))[:2] == (404, -32601)
    assert refused(ask(client, "server/discover"))[:2] == (200, -32601)
    assert refused(ask(client, "prompts/list"))[:2] == (200, -32601)


# ---- Messages ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"{", -32700),
        (b"[]", -32600),
        (b"7", -32600),
        (b'{"id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":null,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1.5,"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":{},"method":"ping"}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":7}', -32600),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":[]}', -32602),
        (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":1}}', -32602),
    ],
)
def test_what_is_no_message_is_an_error_of_the_protocol(client, body, code):
    fields = {"Content-Type": "application/json"}
    status, answer = client.ask("POST", "/mcp", body, **fields)
    assert answer["error"]["code"] == code
    assert status == (200 if code == -32602 else 400)


def test_a_batch_is_answered_as_one(client):
    fails = {"name": "text.fail", "arguments": {}}
    batch = [
        message("ping", number="a"),
        message("tools/list", number=2),
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        message("tools/call", {"name": "text.add", "arguments": {"a": 1}}, 3),
        message("tools/call", {**fails, "_meta": {"progressToken": 1}}, 4),
        message("nonsense", number=5),
        message("initialize", {}, 6),
        [message("ping", number=7)],
        7,
    ]
    for fields in ({}, {"MCP-Protocol-Version": "2025-03-26"}):
        status, answers = client.ask("POST", "/mcp", batch, **BOTH, **fields)
        assert status == 200
        told = {answer["id"]: answer for answer in answers if answer["id"] is not None}
        assert set(told) == {"a", 2, 3, 4, 5, 6}
        assert told["a"]["result"] == {}
        assert "text.add" in {tool["name"] for tool in told[2]["result"]["tools"]}
        assert told[3]["result"]["structuredContent"] == {"result": 2}
        assert told[4]["result"]["isError"] is True
        assert (told[5]["error"]["code"], told[6]["error"]["code"]) == (-32601, -32600)
        nobodys = [answer["error"]["code"] for answer in answers if not answer["id"]]
        assert nobodys == [-32600, -32600]
    quiet = [{"jsonrpc": "2.0", "method": "notifications/initialized"}] * 3
    assert client.ask("POST", "/mcp", quiet, **BOTH) == (202, b"")


@pytest.mark.parametrize("batch", [[], [message("ping")] * 101])
def test_a_batch_of_none_or_too_many_is_refused(client, batch):
    answer = client.ask("POST", "/mcp", batch, **BOTH)
    assert refused(answer) == (400, -32600, "a batch has 1 to 100 messages")


@pytest.mark.parametrize("revision", ["2025-06-18", LAST_HANDSHAKE, STATELESS])
def test_other_revisions_have_no_batches(client, revision):
    fields = {**BOTH, "MCP-Protocol-Version": revision}
    answer = client.ask("POST", "/mcp", [message("ping")], **fields)
    assert refused(answer)[:2] == (400, -32600)
    assert "send each message by itself" in refused(answer)[2]


def test_a_batch_ends_with_its_client_and_by_its_numbers(client, tmp_path):
    session = {"Mcp-Session-Id": "c" * 32}
    paths = [tmp_path / name for name in ("one", "two")]
    batch = [
        message(
            "tools/call", {"name": "text.wait", "arguments": {"path": str(path)}}, at
        )
        for at, path in enumerate(paths)
    ]
    fields = {"Content-Type": "application/json", **session}
    connection = Connection(client.daemon.connect())
    connection.request("POST", "/mcp", json.dumps(batch), fields)
    eventually(paths[0].exists, "that the first one runs")
    note = {
        "jsonrpc": "2.0",
        "method": "notifications/cancelled",
        "params": {"requestId": 0},
    }
    assert client.ask("POST", "/mcp", [note], **BOTH, **session) == (202, b"")
    eventually(paths[1].exists, "that the second one runs")
    assert paths[0].read_text() == "ended"
    connection.close()
    eventually(lambda: paths[1].read_text() == "ended", "that it has ended")


def test_the_answers_of_a_batch_are_no_more_than_a_message(start):
    client = start(serve={"max_message": 300_000}, adapter="models.Models")
    call = {"name": "text.say", "arguments": {"text": "x" * 50_000}}
    batch = [message("tools/call", call, number) for number in range(5)]
    status, answers = client.ask("POST", "/mcp", batch, **BOTH)
    assert status == 200
    assert sorted(answer["id"] for answer in answers) == [0, 1, 2, 3, 4]
    assert 1 <= sum("result" in answer for answer in answers) <= 2
    left = [answer["error"]["message"] for answer in answers if "error" in answer]
    assert all("max_message" in text for text in left)


def test_a_number_or_a_text_comes_back_as_the_request_has_it(client):
    for number in (0, -7, 2**63, "", 'a\n"ü"'):
        status, answer = client.ask("POST", "/mcp", message("ping", None, number))
        assert (status, answer["id"]) == (200, number)


def test_other_bodies_and_pages_of_strangers_are_refused(client):
    packed = {"Content-Type": "application/msgpack"}
    assert client.ask("POST", "/mcp", b"\x80", **packed)[0] == 415
    assert ask(client, "ping", Origin="https://evil.example")[0] == 403
    assert client.ask("DELETE", "/mcp")[0] == 405
    assert client.ask("GET", "/mcp", Accept="application/json")[0] == 406


# ---- Tools ---------------------------------------------------------------------------


def tools(client: Client, **headers: str) -> dict[str, Any]:
    status, answer = ask(client, "tools/list", **headers)
    assert status == 200
    return {tool["name"]: tool for tool in answer["result"]["tools"]}


def test_tools_are_listed_with_their_schemas(client):
    listed = tools(client)
    assert listed["text.add"] == {
        "name": "text.add",
        "description": "The sum of two numbers.",
        "inputSchema": {
            "type": "object",
            "properties": {
                "a": {"type": "integer"},
                "b": {"type": "integer", "default": 1},
            },
            "required": ["a"],
            "additionalProperties": False,
        },
        "outputSchema": {
            "type": "object",
            "properties": {"result": {"type": "integer"}},
            "required": ["result"],
        },
        "annotations": {
            "readOnlyHint": True,
            "destructiveHint": False,
            "idempotentHint": True,
        },
    }
    assert listed["text.store"]["annotations"] == {
        "readOnlyHint": False,
        "destructiveHint": False,
        "idempotentHint": False,
    }
    assert listed["text.fail"]["annotations"]["destructiveHint"] is True
    assert "outputSchema" not in listed["text.picture"]
    _, answer = ask_stateless(client, "tools/list")
    stateless = {tool["name"]: tool for tool in answer["result"]["tools"]}
    assert stateless["text.add"]["outputSchema"] == {"type": "integer"}
    assert answer["result"]["ttlMs"] >= 0


def test_more_tools_than_a_page_come_by_cursor(start):
    client = start(adapter="models.Many")
    names: list[str] = []
    params: dict[str, Any] = {}
    pages = 0
    while True:
        _, answer = ask(client, "tools/list", params)
        names += [tool["name"] for tool in answer["result"]["tools"]]
        pages += 1
        if "nextCursor" not in answer["result"]:
            break
        params = {"cursor": answer["result"]["nextCursor"]}
    assert pages == 3
    assert sorted(names) == sorted(f"text.tool_{i}" for i in range(250))
    for wrong in ("x", "1000", 7, None):
        assert refused(ask(client, "tools/list", {"cursor": wrong}))[1] == -32602


def test_a_result_is_text_and_structure(client):
    assert call(client, "add", {"a": 40, "b": 2}) == {
        "content": [{"type": "text", "text": "42"}],
        "structuredContent": {"result": 42},
        "isError": False,
        "_meta": {},
    }
    told = call(client, "echo", {"é": [1, None], "s": "x"})
    assert json.loads(told["content"][0]["text"]) == {"é": [1, None], "s": "x"}
    assert told["structuredContent"] == {"result": {"é": [1, None], "s": "x"}}
    assert call(client, "say", {"text": 'a "b"\n'})["content"] == [
        {"type": "text", "text": 'a "b"\n'}
    ]
    params = {"name": "text.say", "arguments": {"text": "x"}}
    _, answer = ask_stateless(client, "tools/call", params)
    assert answer["result"]["structuredContent"] == "x"
    assert answer["result"]["resultType"] == "complete"


def test_pictures_sounds_and_bytes_are_content(client):
    (picture,) = call(client, "picture")["content"]
    assert (picture["type"], picture["mimeType"]) == ("image", "image/png")
    assert base64.b64decode(picture["data"]).startswith(b"\x89PNG")
    (blob,) = call(client, "data")["content"]
    assert blob["type"] == "resource"
    assert base64.b64decode(blob["resource"]["blob"]) == b"\x00\xff\x80"
    kinds = [block["type"] for block in call(client, "album")["content"]]
    assert kinds == ["text", "image", "audio", "text"]


def test_bytes_and_tensors_are_arguments_as_in_json(client):
    data = {"$bytes": base64.b64encode(b"abc").decode()}
    assert call(client, "length", {"data": data})["structuredContent"] == {"result": 3}
    array = {"dtype": "float32", "shape": [2], "data": "AACAPwAAAEA="}
    told = call(client, "total", {"before": 1, "array": {"$tensor": array}, "after": 2})
    assert told["structuredContent"] == {"result": 6.0}


def test_a_failure_is_for_the_model_to_read(client):
    failed = call(client, "fail", {"message": "not today"})
    assert failed["isError"] is True
    assert failed["content"] == [{"type": "text", "text": "ValueError: not today"}]
    assert call(client, "add", {"x": 1})["isError"] is True
    late = call(client, "nap", {"seconds": 30}, Snakepit_Timeout_Ms="50")
    assert late["content"][0]["text"].startswith("DEADLINE_EXCEEDED: ")
    unsayable = call(client, "alike")
    assert unsayable["isError"] is True
    assert 'two keys arrive as "1"' in unsayable["content"][0]["text"]


def test_what_was_asked_wrongly_is_an_error_of_the_protocol(client):
    for params in (
        None,
        {},
        {"name": 7},
        {"name": "add"},
        {"name": "text."},
        {"name": "text.nothing_like_it"},
        {"name": "nowhere.add"},
        {"name": "text.add\0", "arguments": {"a": 1}},
        {"name": "text.add", "arguments": [1]},
    ):
        assert refused(ask(client, "tools/call", params))[:2] == (200, -32602)
    for name in ("text.nosuch", "nowhere.add"):
        assert refused(ask(client, "tools/call", {"name": name}))[2] == (
            f'there is no tool "{name}"; tools/list names those there are'
        )
    params = {"name": "text.add", "arguments": {"a": 1}}
    answer = ask(client, "tools/call", params, Snakepit_Priority="9")
    assert refused(answer)[1] == -32602


def test_large_arguments_and_results_cross(client):
    text = "ü" * 2_000_000
    told = call(client, "say", {"text": text})
    assert told["content"][0]["text"] == text
    assert told["structuredContent"]["result"] == text
    broken = json.dumps(message("ping", {"x": text})).encode()[:-2]
    fields = {"Content-Type": "application/json"}
    status, answer = client.ask("POST", "/mcp", broken, **fields)
    assert (status, answer["error"]["code"]) == (400, -32700)


# ---- Progress and cancels ------------------------------------------------------------


def progress(client: Client, tool: str, arguments: Any, **headers: str):
    """The messages of an answer of events."""
    params = {
        "name": f"text.{tool}",
        "arguments": arguments,
        "_meta": {"progressToken": "mine"},
    }
    answer = client.open(
        "POST", "/mcp", message("tools/call", params), **BOTH, **headers
    )
    assert answer.headers["Content-Type"] == "text/event-stream"
    events = Events(answer)
    with contextlib.closing(events):
        return [value for _, value in events]


def test_items_of_a_stream_are_progress_and_in_the_end_the_result(client):
    *notes, last = progress(client, "count", {"n": 3})
    assert [note["params"] for note in notes] == [
        {"progressToken": "mine", "progress": i + 1, "message": str(i)}
        for i in range(3)
    ]
    assert {note["method"] for note in notes} == {"notifications/progress"}
    without = call(client, "count", {"n": 3})
    assert last["result"] == without
    assert without["structuredContent"] == {"result": [0, 1, 2]}
    *notes, last = progress(client, "count", {"n": 3, "fail_at": 1})
    assert (len(notes), last["result"]["isError"]) == (1, True)
    *_, last = progress(client, "pictures", {"n": 2})
    assert [one["type"] for one in last["result"]["content"]] == ["image", "image"]


def test_a_tool_that_does_not_stream_has_no_progress(client):
    params = {"name": "text.add", "arguments": {"a": 1}, "_meta": {"progressToken": 1}}
    _, answer = ask(client, "tools/call", params)
    assert answer["result"]["structuredContent"] == {"result": 2}
    params = {
        "name": "text.count",
        "_meta": {"progressToken": 1},
        "arguments": {"n": 1},
    }
    json_only = {"Accept": "application/json"}
    _, answer = client.ask("POST", "/mcp", message("tools/call", params), **json_only)
    assert answer["result"]["structuredContent"] == {"result": [0]}


def test_a_request_is_cancelled_by_its_own_client(client, tmp_path):
    answers = []
    path = str(tmp_path / "waits")
    session = {"Mcp-Session-Id": "a" * 32}

    def wait() -> None:
        answers.append(call(client, "wait", {"path": path}, **session))

    def cancel(**headers: str) -> None:
        note = {
            "jsonrpc": "2.0",
            "method": "notifications/cancelled",
            "params": {"requestId": 1},
        }
        assert client.ask("POST", "/mcp", note, **BOTH, **headers) == (202, b"")

    thread = threading.Thread(target=wait)
    thread.start()
    eventually(lambda: pathlib.Path(path).exists(), "that the tool runs")
    cancel()
    cancel(**{"Mcp-Session-Id": "b" * 32})
    assert thread.is_alive()
    cancel(**session)
    thread.join()
    assert answers[0]["isError"] is True
    assert answers[0]["content"][0]["text"].startswith("CANCELLED")
    eventually(lambda: pathlib.Path(path).read_text() == "ended", "that it has ended")


def test_a_client_that_goes_cancels_its_stream(client, tmp_path):
    path = tmp_path / "poured"
    params = {
        "name": "text.pour",
        "arguments": {"path": str(path)},
        "_meta": {"progressToken": 1},
    }
    answer = client.open("POST", "/mcp", message("tools/call", params), **BOTH)
    eventually(lambda: poured(path) > 2, "that it pours")
    Events(answer).close()
    eventually(lambda: path.read_text() == "closed", "that it is closed")


# ---- Changes -------------------------------------------------------------------------


def test_a_reload_that_changes_tools_is_told(start, tmp_path):
    client = start(adapter="models.Models")
    assert "text.add" in tools(client)
    old = Events(client.open("GET", "/mcp", Accept="text/event-stream"))
    params = {"_meta": META, "notifications": {"toolsListChanged": True}}
    method = "subscriptions/listen"
    fields = {**BOTH, "MCP-Protocol-Version": STATELESS, "Mcp-Method": method}
    new = Events(client.open("POST", "/mcp", message(method, params, "s"), **fields))
    events = iter(new)
    _, first = next(events)
    its = {"io.modelcontextprotocol/subscriptionId": "s"}
    assert first == {
        "jsonrpc": "2.0",
        "method": "notifications/subscriptions/acknowledged",
        "params": {"_meta": its, "notifications": {"toolsListChanged": True}},
    }
    config(tmp_path, adapter="models.Fewer")
    client.daemon.popen.send_signal(signal.SIGHUP)
    _, told = next(iter(old))
    changed = "notifications/tools/list_changed"
    assert told == {"jsonrpc": "2.0", "method": changed}
    _, told = next(events)
    assert (told["method"], told["params"]) == (changed, {"_meta": its})
    eventually(lambda: set(tools(client)) == {"text.add"}, "that it has fewer tools")
    # A daemon that drains ends what listens, and says so where that is answered.
    client.daemon.popen.send_signal(signal.SIGTERM)
    *_, (_, last) = events
    assert (last["id"], last["result"]["resultType"]) == ("s", "complete")
    assert client.daemon.popen.wait(60) == 0
    for events in (old, new):
        events.close()


# ---- Tokens --------------------------------------------------------------------------


def test_a_token_gets_the_tools_of_its_pools(tmp_path):
    pools = [
        {
            "name": name,
            "python": default_python("process"),
            "pool_size": 1,
            "adapter": "models.Fewer",
        }
        for name in ("mine", "mine.too", "other")
    ]
    write(
        tmp_path / "tokens.yaml",
        [
            token("caller", "call", pools=["mine", "mine.too"]),
            token("narrow", "call", pools=["mine"]),
            token("watcher", "observe"),
        ],
    )
    listen = [{"address": "127.0.0.1:0", "tokens": "tokens.yaml"}]
    path = tmp_path / "daemon.yaml"
    path.write_text(json.dumps({"pools": pools, "serve": {"listen": listen}}))
    daemon = serve(path)
    client = Client(daemon)
    try:
        mine = bearer("caller")
        assert set(tools(client, **mine)) == {"mine.add", "mine.too.add"}
        for name in ("mine.add", "mine.too.add"):
            params = {"name": name, "arguments": {"a": 1}}
            _, answer = ask(client, "tools/call", params, **mine)
            assert answer["result"]["structuredContent"] == {"result": 2}
        # What a token is not for is refused alike, whether it is there or not.
        for name in ("other.add", "nowhere.add"):
            params = {"name": name, "arguments": {"a": 1}}
            assert ask(client, "tools/call", params, **mine)[0] == 403
        narrow = bearer("narrow")
        assert set(tools(client, **narrow)) == {"mine.add"}
        for name in ("mine.too.add", "mine.nothing.add"):
            status, answer = ask(client, "tools/call", {"name": name}, **narrow)
            assert (status, answer["error"]["code"]) == (200, -32602)
        assert ask(client, "ping", **bearer("watcher"))[0] == 403
        assert ask(client, "ping")[0] == 401
    finally:
        end([daemon])


def test_a_token_for_some_tools_calls_these_alone(tmp_path):
    write(
        tmp_path / "tokens.yaml",
        [
            token("one", "call", tools=["text.add"]),
            token("some", "call", "observe", tools=["text.pic*", "other.add"]),
        ],
    )
    listen = [{"address": "127.0.0.1:0", "tokens": "tokens.yaml"}]
    daemon = serve(config(tmp_path, {"listen": listen}, adapter="models.Models"))
    client = Client(daemon)
    one, some = bearer("one"), bearer("some")
    params = {"name": "text.add", "arguments": {"a": 1}}
    try:
        assert set(tools(client, **one)) == {"text.add"}
        assert set(tools(client, **some)) == {"text.picture", "text.pictures"}
        _, answer = ask(client, "tools/call", params, **one)
        assert answer["result"]["structuredContent"] == {"result": 2}
        # What it is not for is as if it were not there.
        told = ask(client, "tools/call", params, **some)
        assert refused(told)[:2] == (200, -32602)
        assert "there is no tool" in refused(told)[2]
        # By every other way it is refused as well, streams and "default" included.
        sse = {"Accept": "text/event-stream"}
        assert client.call("add", {"a": 1}, **one) == (200, 2)
        assert client.call("picture", {}, **some)[0] == 200
        for fields in ({}, sse):
            status, problem = client.call("add", {"a": 1}, **some, **fields)
            assert status == 403
            assert problem["detail"] == "the token some is not for the tool text.add"
        path = "/v1/pools/default/tools/add"
        assert client.ask("POST", path, {"a": 1}, **some)[0] == 403
        assert client.ask("POST", path, {"a": 1}, **one) == (200, 2)
        large = {"text": "x" * 5_000_000}
        assert client.call("say", large, **one)[0] == 403
    finally:
        end([daemon])
