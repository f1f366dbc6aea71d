# SPDX-License-Identifier: MIT
from __future__ import annotations

import asyncio
import types
from typing import Any, Callable

import pytest
from snakepit_bridge import runtime
from snakepit_bridge.session import SessionContext

Question = tuple[str, dict[str, Any]]


class Host:
    """The host's side of a question, as src/session/tool.h describes it."""

    def __init__(self) -> None:
        self.values: dict[str, Any] = {}
        self.questions: list[Question] = []

    def runs_call(self) -> bool:
        return True

    def ask(self, name: str, arguments: dict[str, Any]) -> Any:
        self.questions.append((name, dict(arguments)))
        key = arguments.get("key", "")
        answers: dict[str, Callable[[], Any]] = {
            "snakepit.session.get": lambda: (
                [self.values[key]] if key in self.values else []
            ),
            "snakepit.session.put": lambda: self.values.update(
                {key: arguments["value"]}
            ),
            "snakepit.session.delete": lambda: self.values.pop(key, ...) is not ...,
            "snakepit.session.list": lambda: list(self.values),
        }
        return answers[name]()


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    """A host, and a call of it that runs."""
    made = Host()
    monkeypatch.setattr(runtime, "native", made)
    call = types.SimpleNamespace(tool="work", session_id="s", traceparent="")
    monkeypatch.setattr(runtime, "current_call", lambda: call)
    monkeypatch.setattr(runtime, "is_attached", lambda: True)
    monkeypatch.setattr(runtime, "is_standalone", lambda: False)
    return made


def test_values_are_the_hosts(host: Host) -> None:
    session = SessionContext("s")
    assert session.get("k") is None
    assert session.get("k", 7) == 7
    session.put("k", {"rows": [1, None]})
    session.put("nothing", None)
    assert session.get("k") == {"rows": [1, None]}
    assert session.get("nothing", "default") is None
    assert session.list() == ["k", "nothing"]
    assert session.delete("k") is True
    assert session.delete("k") is False
    assert session.list() == ["nothing"]


def test_a_time_to_live_is_only_named_when_there_is_one(host: Host) -> None:
    session = SessionContext("s")
    session.put("k", 1)
    session.put("k", 1, ttl=0.5)
    session.put("k", 1, ttl=0)  # for the host to refuse
    assert host.questions == [
        ("snakepit.session.put", {"key": "k", "value": 1}),
        ("snakepit.session.put", {"key": "k", "value": 1, "ttl": 0.5}),
        ("snakepit.session.put", {"key": "k", "value": 1, "ttl": 0}),
    ]


USES: list[Callable[[SessionContext], object]] = [
    lambda session: session.get("k"),
    lambda session: session.put("k", 1),
    lambda session: session.delete("k"),
    lambda session: session.list(),
]


@pytest.mark.parametrize("use", USES)
def test_a_call_without_a_session_has_no_values(
    host: Host, use: Callable[[SessionContext], object]
) -> None:
    with pytest.raises(LookupError, match="no session"):
        use(SessionContext())
    assert not host.questions


@pytest.mark.parametrize("use", USES)
def test_outside_of_a_call_a_worker_has_no_values(
    host: Host, monkeypatch: pytest.MonkeyPatch, use: Callable[[SessionContext], object]
) -> None:
    monkeypatch.setattr(runtime, "current_call", lambda: None)
    with pytest.raises(RuntimeError, match="runs for no call of a host"):
        use(SessionContext("s"))


@pytest.mark.parametrize("use", USES)
def test_a_context_that_was_kept_has_no_values_of_another_session(
    host: Host, use: Callable[[SessionContext], object]
) -> None:
    with pytest.raises(RuntimeError, match=r"of session 'a', .* of 's'; take current_"):
        use(SessionContext("a"))
    assert not host.questions


def test_nor_does_it_call_the_hosts_tools_for_another_session(host: Host) -> None:
    with pytest.raises(RuntimeError, match=r"call_host_tool: this context is of"):
        SessionContext("a").call_host_tool("t")
    with pytest.raises(RuntimeError, match=r"host_tools: this context is of"):
        _ = SessionContext("a").host_tools
    with pytest.raises(RuntimeError, match=r"call_host_tool_async: this context is"):
        asyncio.run(SessionContext("a").call_host_tool_async("t"))
    assert not host.questions
