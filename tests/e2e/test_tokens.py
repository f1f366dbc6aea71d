# SPDX-License-Identifier: MIT
"""A listener that asks for tokens: who may have which row, in which pool."""

from __future__ import annotations

import contextlib
import json
import pathlib
import re
import signal
from collections.abc import Iterator

import pytest
from support.command import run
from support.configs import default_python
from support.places import ROOT
from support.raw_http import Raw
from support.served import SSE, Client, Events, end, serve
from support.tokens import bearer, secret, token, write
from support.waiting import eventually

SCOPES = ("call", "observe", "admin")
NOBODY = "nobody"

TOKENS = [
    *(token(scope, scope) for scope in SCOPES),
    *(token(f"{scope}-mine", scope, pools=["mine"]) for scope in SCOPES),
    token("all", *SCOPES),
    token("all-mine", *SCOPES, pools=["mine"]),
    token("other", *SCOPES, pools=["other", "gone"]),
    token("old", *SCOPES, expires="2020-01-01"),
    token("new", *SCOPES, expires="2999-01-01T00:00:00Z"),
]

# A request of each row of api/routes.def, by its operation.
REQUESTS = {
    "root": "/",
    "getAsset": "/assets/style.css",
    "livez": "/livez",
    "readyz": "/readyz",
    "metrics": "/metrics",
    "openapi": "/openapi.json",
    "problemType": "/problems/SATURATED",
    "call": "/v1/pools/{pool}/tools/add",
    "cancel": "/v1/calls/none",
    "listCalls": "/v1/calls",
    "listRecentCalls": "/v1/calls/recent",
    "mcp": "/mcp",
    "mcpNews": "/mcp",
    "drain": "/v1:drain",
    "reload": "/v1/pools:reload",
    "listPools": "/v1/pools",
    "recyclePool": "/v1/pools/{pool}:recycle",
    "retryPool": "/v1/pools/{pool}:retry",
    "resizePool": "/v1/pools/{pool}:resize?workers=1",
    "getPool": "/v1/pools/{pool}",
    "listTools": "/v1/pools/{pool}/tools",
    "inspectPool": "/v1/pools/{pool}/inspection",
    "getPoolConfig": "/v1/pools/{pool}/config",
    "getPoolStacks": "/v1/pools/{pool}/stacks",
    "recycleWorker": "/v1/workers/999999:recycle",
    "getWorkerStacks": "/v1/workers/999999/stacks",
    "getWorkerOutput": "/v1/workers/999999/output",
    "inferenceServer": "/v2",
    "inferenceLive": "/v2/health/live",
    "inferenceReady": "/v2/health/ready",
    "getModel": "/v2/models/{pool}.add",
    "getModelVersion": "/v2/models/{pool}.add/versions/1",
    "getModelReady": "/v2/models/{pool}.add/ready",
    "getModelVersionReady": "/v2/models/{pool}.add/versions/1/ready",
    "infer": "/v2/models/{pool}.add/infer",
    "inferVersion": "/v2/models/{pool}.add/versions/1/infer",
    "getModelsStatistics": "/v2/models/stats",
    "getModelConfig": "/v2/models/{pool}.add/config",
    "getModelVersionConfig": "/v2/models/{pool}.add/versions/1/config",
    "getModelStatistics": "/v2/models/{pool}.add/stats",
    "getModelVersionStatistics": "/v2/models/{pool}.add/versions/1/stats",
    "indexRepository": "/v2/repository/index",
    "loadModel": "/v2/repository/models/any/load",
    "unloadModel": "/v2/repository/models/any/unload",
    "watch": "/v1/watch?interval_ms=1",
    "followEvents": "/v1/events?last=x",
    "listSessions": "/v1/sessions",
    "getSession": "/v1/sessions/none",
    "endSession": "/v1/sessions/none",
    "getValue": "/v1/sessions/none/values/k",
    "putValue": "/v1/sessions/none/values/k",
    "deleteValue": "/v1/sessions/none/values/k",
}


def rows() -> dict[str, tuple[str, str]]:
    """The method and the scope of each operation."""
    text = (ROOT / "src/api/routes.def").read_text()
    found = re.findall(
        r'^SP_ROUTE\((\w+), "[^"]+", \w+, (\w+), "(\w+)"', text, re.MULTILINE
    )
    assert len(found) == len(re.findall(r"^SP_ROUTE\(", text, re.MULTILINE))
    return {operation: (method, scope.lower()) for method, scope, operation in found}


def configure(folder: pathlib.Path) -> pathlib.Path:
    """Two pools behind a listener with tokens, and one without."""
    pools = [
        {
            "name": name,
            "python": default_python("process"),
            "pool_size": 1,
            "adapter": "served.Served",
            "shared_memory_size": "64MiB",
        }
        for name in ("mine", "other")
    ]
    listen = [
        {"address": "127.0.0.1:0", "tokens": "tokens.yaml"},
        {"address": f"unix:{folder}/door.sock"},
    ]
    path = folder / "daemon.yaml"
    path.write_text(json.dumps({"pools": pools, "serve": {"listen": listen}}))
    return path


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    folder = tmp_path_factory.mktemp("daemon")
    write(folder / "tokens.yaml", TOKENS)
    daemon = serve(configure(folder))
    yield Client(daemon)
    end([daemon])


@pytest.fixture
def own(tmp_path: pathlib.Path):
    """A daemon whose tokens the test changes: the client, and their file."""
    path = tmp_path / "tokens.yaml"
    write(path, TOKENS)
    daemon = serve(configure(tmp_path))
    yield Client(daemon), path
    end([daemon])


@pytest.fixture
def asked(
    request: pytest.FixtureRequest, client: Client, operation: str
) -> Iterator[Client]:
    """Of a daemon of its own for what changes workers."""
    changes = operation in ("recyclePool", "retryPool", "drain")
    yield request.getfixturevalue("own")[0] if changes else client
    if operation == "drain":
        assert request.getfixturevalue("own")[0].daemon.wait() == 0


def ask(client: Client, operation: str, pool: str, fields: dict[str, str]):
    """The status, the fields and the sentence of a problem."""
    method, _ = rows()[operation]
    path = REQUESTS[operation].format(pool=pool)
    body = {} if operation in ("call", "putValue") else None
    status, headers, value = client.whole(method, path, body, **fields)
    detail = value.get("detail", "") if isinstance(value, dict) else ""
    if path.startswith("/v2") and status >= 400:
        detail = value["error"]
    return status, headers, detail


# ---- Rows ---------------------------------------------------------------------------


def test_each_row_is_asked_for_here():
    assert set(REQUESTS) == set(rows())


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_row_is_for_its_scope_alone(asked, operation):
    client = asked
    _, needed = rows()[operation]
    status, headers, detail = ask(client, operation, "mine", {})
    if needed == "open":
        assert status == 200
        return
    assert status == 401
    assert headers["WWW-Authenticate"] == 'Bearer realm="snakepit"'
    assert detail == "this listener asks for a token: Authorization: Bearer TOKEN"
    for scope in SCOPES:
        status, headers, detail = ask(client, operation, "mine", bearer(scope))
        if scope == needed:
            assert status not in (401, 403), detail
            continue
        assert status == 403
        assert detail == f"the token {scope} lacks the scope {needed}"
        assert headers["WWW-Authenticate"] == (
            f'Bearer realm="snakepit", error="insufficient_scope", scope="{needed}"'
        )


@pytest.mark.parametrize("operation", [k for k, v in REQUESTS.items() if "{pool}" in v])
def test_a_row_of_a_pool_is_for_tokens_of_that_pool(asked, operation):
    client = asked
    _, needed = rows()[operation]
    name = f"{needed}-mine"
    for pool in ("mine", "default"):
        status, _, detail = ask(client, operation, pool, bearer(name))
        assert status not in (401, 403), detail
    for pool in ("other", "gone", "nowhere", "mine2"):
        status, _, detail = ask(client, operation, pool, bearer(name))
        assert (status, detail) == (
            403,
            f"the token {name} is not for the pool {pool}",
        )
    assert ask(client, operation, "default", bearer("other"))[0] == 403


@pytest.mark.parametrize("operation", REQUESTS)
def test_a_listener_without_tokens_asks_for_none(asked, operation):
    client = asked
    method, _ = rows()[operation]
    path = REQUESTS[operation].format(pool="mine")
    url = client.daemon.urls(2)[1]
    fields = {"Content_Type": "application/json"}
    body = b"{}" if operation in ("call", "putValue") else None
    for shown in ({}, bearer(NOBODY))[: 1 if operation == "drain" else 2]:
        status, _ = client.daemon.request(path, method, body, url, **fields, **shown)
        assert status not in (401, 403)


# ---- What a token for some pools sees -----------------------------------------------


@pytest.mark.parametrize("what", ["stacks", "output"])
def test_it_sees_this_of_its_workers_and_of_no_others(client, what):
    for pool, status in (("mine", 200), ("other", 404)):
        _, value = client.ask("GET", f"/v1/pools/{pool}", **bearer("all"))
        path = f"/v1/workers/{value['workers_now'][0]['id']}/{what}"
        assert client.ask("GET", path, **bearer("observe-mine"))[0] == status
        assert client.ask("GET", path, **bearer("observe"))[0] == 200


def test_it_sees_its_pools_and_no_others(client):
    def seen(name: str) -> list[str]:
        status, value = client.ask("GET", "/v1/pools", **bearer(name))
        assert status == 200
        return [pool["name"] for pool in value["pools"]]

    assert seen("all") == seen("observe") == ["mine", "other"]
    assert seen("all-mine") == seen("observe-mine") == ["mine"]
    assert seen("other") == ["other"]


def test_it_watches_its_pools_and_no_others(client):
    def seen(name: str) -> tuple[list[str], set[str]]:
        events = Events(client.open("GET", "/v1/watch", **bearer(name)))
        event, value = next(iter(events))
        events.close()
        assert event == "snapshot"
        pools = [pool["name"] for pool in value["pools"]]
        return pools, {worker["pool"] for worker in value["workers"]}

    assert seen("observe") == (["mine", "other"], {"mine", "other"})
    assert seen("observe-mine") == (["mine"], {"mine"})
    assert seen("other") == (["other"], {"other"})


def test_it_follows_events_of_its_pools_and_no_others(client):
    def seen(name: str) -> set[str | None]:
        path = "/v1/events?last=1024&name=worker.started"
        events = Events(client.open("GET", path, **bearer(name)))
        every = iter(events)
        pools = {next(every)[1]["pool"]}
        if name == "observe":
            pools.add(next(every)[1]["pool"])
        events.close()
        return pools

    assert seen("observe") == {"mine", "other"}
    assert seen("observe-mine") == {"mine"}
    assert seen("other") == {"other"}


def test_what_a_daemon_says_of_itself_is_for_tokens_of_all_pools(own):
    client, _ = own

    def first(name: str) -> str:
        path = "/v1/events?last=1024&name=serve."
        events = Events(client.open("GET", path, **bearer(name)))
        status, _ = client.ask("GET", "/v1/pools", authorization="Bearer nothing")
        assert status == 401
        client.ask("POST", "/v1/pools/mine:recycle", **bearer("all"))
        event = next(iter(events))[1]["event"]
        events.close()
        return event

    assert first("observe").startswith("serve.")
    # One for a single pool sees that somebody has it recycled, and nothing else.
    assert first("observe-mine") == "serve.recycle"


def test_a_token_that_is_revoked_watches_no_longer(own):
    client, path = own
    events = Events(client.open("GET", "/v1/watch", **bearer("observe")))
    every = iter(events)
    assert next(every)[0] == "snapshot"
    write(path, [row for row in TOKENS if row["name"] != "observe"])
    assert client.ask("POST", "/v1/pools:reload", **bearer("all"))[0] == 204
    assert all(event == "delta" for event, _ in every)  # to its end
    events.close()


def test_its_openapi_document_has_its_pools(client):
    def pools(name: str) -> set[str]:
        status, value = client.ask("GET", "/openapi.json", **bearer(name))
        assert status == 200
        paths = [path.split("/") for path in value["paths"] if "{" not in path]
        return {path[3] for path in paths if path[1:3] == ["v1", "pools"] and path[3:]}

    assert pools("all-mine") == {"mine"}
    assert pools("all") == {"mine", "other"}
    assert pools("all-mine") == {"mine"}  # though there is one of all now
    assert pools("other") == {"other"}


def test_it_recycles_its_workers_and_no_others(own):
    client, _ = own

    def worker(pool: str) -> int:
        value = client.ask("GET", f"/v1/pools/{pool}", **bearer("all"))[1]
        return value["workers_now"][0]["id"]

    path = f"/v1/workers/{worker('other')}:recycle"
    status, value = client.ask("POST", path, **bearer("all-mine"))
    assert (status, value["error"]["name"]) == (404, "NOT_FOUND")
    assert client.ask("POST", path, **bearer("all"))[0] == 202


def test_it_does_nothing_that_touches_all(client):
    for path in ("/v1/pools:reload", "/v1:drain"):
        status, value = client.ask("POST", path, **bearer("all-mine"))
        assert status == 403
        assert value["detail"] == (
            "the token all-mine is for some pools, and this touches all of them"
        )
    assert client.ask("POST", "/v1/pools:reload", **bearer("all"))[0] == 204


def test_its_sessions_are_its_own(client):
    path = "/v1/sessions/s1/values/k"
    assert client.ask("PUT", path, "of all", **bearer("call"))[0] == 204
    assert client.ask("GET", path, **bearer("call-mine"))[0] == 404
    assert client.ask("PUT", path, "mine", **bearer("call-mine"))[0] == 204
    assert client.ask("GET", path, **bearer("call-mine")) == (200, "mine")
    assert client.ask("GET", path, **bearer("all-mine"))[0] == 404
    assert client.ask("GET", path, **bearer("other"))[0] == 404
    assert client.ask("GET", path, **bearer("all")) == (200, "of all")
    # A tool finds what was put, and the daemon's owner sees whose it is.
    named = {"Snakepit_Session": "s1"}
    tools = "/v1/pools/mine/tools/"
    kept = client.ask(
        "POST", tools + "kept", {"key": "k"}, **named, **bearer("call-mine")
    )
    assert kept == (200, "mine")
    assert client.ask("POST", tools + "session", **named, **bearer("call-mine")) == (
        200,
        "call-mine:s1",
    )
    theirs = "/v1/sessions/call-mine:s1/values/k"
    assert client.ask("GET", theirs, **bearer("all")) == (200, "mine")
    for session, name in (("s1", "call-mine"), ("s1", "call")):
        gone = client.ask("DELETE", f"/v1/sessions/{session}", **bearer(name))
        assert gone[0] == 204


def test_a_session_whose_name_becomes_too_long_is_refused(client):
    path = "/v1/sessions/" + "s" * 250
    assert client.ask("GET", path, **bearer("call-mine"))[0] == 400
    assert client.ask("GET", path, **bearer("call"))[0] == 404


@contextlib.contextmanager
def running(client: Client, folder: pathlib.Path, name: str, **fields: str):
    """A stream of that token, which has begun: what it is called."""
    poured = folder / f"{name}.poured"
    body = {"path": str(poured), "size": 1}
    answer = client.open(
        "POST", "/v1/pools/mine/tools/pour", body, **SSE, **bearer(name), **fields
    )
    with contextlib.closing(answer.connection):
        assert answer.status == 200
        yield answer.headers["Snakepit-Call-Id"]
        # Cancelled or left, it ends.
    eventually(lambda: poured.read_text() == "closed", "that the stream ends")


@pytest.mark.parametrize("named", [False, True])
def test_a_call_is_cancelled_by_who_made_it(client, tmp_path, named):
    fields = {"Snakepit_Call_Id": "my-call"} if named else {}
    with running(client, tmp_path, "all-mine", **fields) as call:
        assert call == "my-call" or not named
        path = f"/v1/calls/{call}"
        for name in ("call-mine", "call", "other"):
            assert client.ask("DELETE", path, **bearer(name))[0] == 404
        assert client.ask("DELETE", path, **bearer("all-mine"))[0] == 202


def test_who_administers_all_cancels_any_call(client, tmp_path):
    with running(client, tmp_path, "call-mine") as call:
        assert client.ask("DELETE", f"/v1/calls/{call}", **bearer("all"))[0] == 202


def test_who_administers_a_pool_cancels_any_call_of_it(client, tmp_path):
    with running(client, tmp_path, "call-mine") as call:
        path = f"/v1/calls/{call}"
        for name in ("other", "call"):
            assert client.ask("DELETE", path, **bearer(name))[0] == 404
        assert client.ask("DELETE", path, **bearer("all-mine"))[0] == 202


def test_calls_are_listed_by_who_may_see_them(client, tmp_path):
    named = {"Snakepit_Session": "s1"}

    def seen(path: str, name: str):
        status, value = client.ask("GET", path, **bearer(name))
        assert status == 200
        return value["calls"]

    with running(client, tmp_path, "call-mine", **named) as call:
        for name in ("observe", "observe-mine"):
            (row,) = seen("/v1/calls", name)
            assert str(row["call"]) == call
            assert (row["pool"], row["tool"], row["session"]) == ("mine", "pour", None)
            assert (row["state"], row["executor"]) == ("running", 0)
        assert seen("/v1/calls", "other") == []
        assert seen("/v1/calls", "all")[0]["session"] == "call-mine:s1"
        assert client.ask("GET", "/v1/calls?pool=other", **bearer("all-mine"))[0] == 403
        assert client.ask("DELETE", f"/v1/calls/{call}", **bearer("all"))[0] == 202
    ended = [row for row in seen("/v1/calls/recent", "all") if row["call"] == int(call)]
    assert [row["outcome"] for row in ended] == ["CANCELLED"]
    assert all(row["pool"] == "other" for row in seen("/v1/calls/recent", "other"))


def test_names_of_calls_are_in_nobodys_way(client, tmp_path):
    fields = {"Snakepit_Call_Id": "the-same"}
    path = "/v1/pools/mine/tools/add"
    with running(client, tmp_path, "call-mine", **fields):
        again = client.ask("POST", path, {"a": 1}, **fields, **bearer("call-mine"))
        assert again[0] == 409
        # The worker is busy: this one waits in vain, under a name that it may have.
        fields["Snakepit_Timeout_Ms"] = "50"
        other = client.ask("POST", path, {"a": 1}, **fields, **bearer("call"))
        assert other[0] == 504


def test_what_is_ready_is_told_to_all_and_which_pools_to_few(client):
    lines = client.ask("GET", "/readyz?verbose", **bearer("all"))[1]
    assert b"mine: " in lines and b"other: " in lines
    assert client.ask("GET", "/readyz?verbose") == (200, b"ready\n")
    lines = client.ask("GET", "/readyz?verbose", **bearer("all-mine"))[1]
    assert b"mine: " in lines and b"other: " not in lines
    for name in ("call", NOBODY):
        answer = client.ask("GET", "/readyz?verbose", **bearer(name))
        assert answer == (200, b"ready\n")


# ---- What is not a token ------------------------------------------------------------

REFUSED = [
    ("Bearer " + secret(NOBODY), "this listener does not know the token"),
    ("Bearer " + secret("old"), "the token has expired"),
    ("Bearer sp_" + "0" * 72, "the token is not whole: it was cut, or mistyped"),
    ("Bearer", "what stands behind Bearer is not a token"),
    ("Bearer " + "a" * 8000, "what stands behind Bearer is not a token"),
    ("Bearer a,b", "what stands behind Bearer is not a token"),
    ("Basic dXNlcjpwdw==", "Authorization is of another scheme than Bearer"),
    (secret("all"), "Authorization is of another scheme than Bearer"),
]


@pytest.mark.parametrize(("value", "detail"), REFUSED)
def test_what_is_not_a_good_token_is_refused(client, value, detail):
    status, headers, document = client.whole("GET", "/v1/pools", Authorization=value)
    assert status == 401
    assert headers["WWW-Authenticate"] == (
        'Bearer realm="snakepit", error="invalid_token"'
    )
    assert headers["Content-Type"] == "application/problem+json"
    assert document["detail"].startswith(detail)


def test_a_token_that_expires_later_is_good(client):
    assert client.ask("GET", "/v1/pools", **bearer("new"))[0] == 200


def test_two_tokens_are_none(client):
    line = f"Authorization: Bearer {secret('all')}\r\n"
    with Raw(client.daemon.connect()) as raw:
        request = f"GET /v1/pools HTTP/1.1\r\nHost: localhost\r\n{line}%s\r\n"
        assert raw.ask(request % "").status == 200
        answer = raw.ask(request % line)
        assert answer.status == 401
        assert "more than one Authorization" in answer.body.decode()
        # The connection goes on.
        assert raw.ask(request % "").status == 200


def test_a_body_is_not_read_without_a_token(client):
    head = "POST /v1/pools/mine/tools/add HTTP/1.1\r\nHost: localhost\r\n"
    long = "Content-Type: application/json\r\nContent-Length: 1000000\r\n"
    expects = "Expect: 100-continue\r\n"
    for more in ("", expects):
        with Raw(client.daemon.connect()) as raw:
            answer = raw.ask(head + long + more + "\r\n")
            assert answer.status == 401
            assert answer.fields["connection"] == "close"
    with Raw(client.daemon.connect()) as raw:
        shown = f"Authorization: Bearer {secret('call')}\r\n"
        raw.send(head + long + expects + shown + "\r\n")
        assert raw.file.readline().startswith(b"HTTP/1.1 100 ")
    for path in ("/livez", "/nothing", "/v1/pools:none"):
        with Raw(client.daemon.connect()) as raw:
            line = f"PUT {path} HTTP/1.1\r\nHost: localhost\r\n"
            assert raw.ask(line + long + "\r\n").status in (404, 405)


def test_a_page_of_a_browser_asks_first_without_a_token(client):
    status, _, _ = client.whole("OPTIONS", "/v1/pools", Origin="https://a.example")
    assert status in (204, 403)


def test_what_is_refused_is_logged_without_the_token(client):
    for _ in range(3):
        client.ask("GET", "/v1/pools", Authorization="Bearer hunter2hunter2")
    client.ask("POST", "/v1/pools:reload", **bearer("observe"))
    line = client.daemon.logged("serve.unauthorized")
    assert f" listen={client.daemon.urls()[0].removeprefix('http://')} " in line
    assert "client=127.0.0.1:" in line
    said = client.daemon.said()
    assert "hunter2" not in said
    for item in TOKENS:
        assert secret(item["name"]) not in said


def test_pools_that_are_not_there_are_told(client, tmp_path):
    line = client.daemon.logged("serve.token_pool")
    said = "the token other is for the pool gone, which the configuration has not"
    assert said in line and "tokens.yaml" in line
    assert len(client.daemon.lines("serve.token_pool")) == 1
    path = configure(tmp_path)
    tokens = [token(f"t{i}", "call", pools=["gone"]) for i in range(10)]
    write(tmp_path / "tokens.yaml", tokens)
    done = run("serve", "--check", path)
    assert done.returncode == 0
    warnings = done.stderr.splitlines()
    assert len(warnings) == 9
    where = f"warning: {tmp_path}/tokens.yaml: "
    assert warnings[0] == where + said.replace("other", "t0")
    assert warnings[8].startswith(f"{where}2 more tokens are for pools")


def test_the_document_says_which_scope_an_operation_needs(client):
    status, document = client.ask("GET", "/openapi.json", **bearer("observe"))
    assert status == 200
    scheme = document["components"]["securitySchemes"]["token"]
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    asked = {
        operation["operationId"]: operation["security"]
        for path in document["paths"].values()
        for operation in path.values()
    }
    for operation, (_, scope) in rows().items():
        # The other listener asks for none.
        wanted = [] if scope == "open" else [{"token": [scope]}, {}]
        assert asked[operation] == wanted, operation
    assert asked["call.mine.add"] == [{"token": ["call"]}, {}]


# ---- What changes -------------------------------------------------------------------


def test_a_token_ends_when_the_file_has_it_no_more(own, tmp_path):
    client, path = own
    with running(client, tmp_path, "call") as call:
        write(path, [item for item in TOKENS if item["name"] != "call"])

        def refused() -> bool:
            return client.ask("GET", "/v1/sessions/x", **bearer("call"))[0] == 401

        eventually(refused, "that the token ends")
        # What had begun goes on; it can be cancelled by who may do all.
        assert client.ask("DELETE", f"/v1/calls/{call}", **bearer("all"))[0] == 202
    assert "tokens=10" in client.daemon.logged("serve.tokens")


@pytest.mark.parametrize("by", ["SIGHUP", "http"])
def test_a_reload_reads_the_tokens_as_well(own, by):
    client, path = own
    write(path, [token("all", *SCOPES), token("added", "observe")])
    if by == "http":
        # Which waits for it.
        assert client.ask("POST", "/v1/pools:reload", **bearer("all"))[0] == 204
    else:
        client.daemon.signal(signal.SIGHUP)
        client.daemon.logged("serve.reloaded")
    assert client.ask("GET", "/v1/pools", **bearer("added"))[0] == 200
    assert client.ask("GET", "/v1/pools", **bearer("observe"))[0] == 401


def test_a_file_that_is_not_right_changes_nothing(own):
    client, path = own
    write(path, "tokens: [{name: a}]")
    line = client.daemon.logged("serve.tokens_kept")
    assert " listen=127.0.0.1:" in line
    assert 'tokens[0]: lacks the key \\"hash\\"' in line
    assert 'then="the previous tokens stay in force"' in line
    assert client.ask("GET", "/v1/pools", **bearer("observe"))[0] == 200
    status, value = client.ask("POST", "/v1/pools:reload", **bearer("all"))
    assert (status, value["error"]["name"]) == (400, "INVALID_CONFIG")
    path.unlink()
    client.daemon.signal(signal.SIGHUP)
    client.daemon.logged("serve.reload_failed")
    assert client.ask("GET", "/v1/pools", **bearer("observe"))[0] == 200
    # Once it is right again it holds.
    write(path, [token("other", "observe")])
    eventually(
        lambda: client.ask("GET", "/v1/pools", **bearer("observe"))[0] == 401,
        "that the file is read",
    )
