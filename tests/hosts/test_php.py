# SPDX-License-Identifier: MIT
"""examples/hosts/php, run by PHP."""

from __future__ import annotations

import json
import os
import pathlib
import signal
import subprocess
from collections.abc import Iterator

import pytest
from conftest import HOSTS, Door, Place, needs, say
from support.missing import missing
from support.waiting import eventually

# Does what each line of its input says, and says what came of it.
PROGRAM = """<?php
require $argv[1];
pcntl_async_signals(true);
pcntl_signal(SIGUSR1, fn () => throw new Exception('a signal came'));
$snakepit = new Snakepit($argv[2]);
while (($line = fgets(STDIN)) !== false) {
    try {
        $calls = json_decode($line, true);
        $said = count($calls) === 1
            ? [$snakepit->call(...$calls[0])]
            : array_map(
                fn ($one) => $one instanceof SnakepitError ? $one->name : $one,
                $snakepit->all($calls));
    } catch (SnakepitError $error) {
        $said = ['name' => $error->name, 'message' => $error->getMessage(),
                 'traceback' => $error->traceback, 'retryable' => $error->retryable];
    } catch (Exception $error) {
        $said = ['exception' => $error->getMessage()];
    }
    echo json_encode($said), "\\n";
}
"""


class Program:
    """PHP, with a connection of its own."""

    def __init__(self, place: Place, address: str) -> None:
        php = needs("php")
        modules = say(php, "-m").split()
        if not {"FFI", "pcntl"} <= set(modules):
            missing("PHP's FFI")
        script = place.folder / "program.php"
        script.write_text(PROGRAM)
        settings = ("-d", "ffi.enable=1", "-d", "display_errors=stderr")
        self.popen = subprocess.Popen(
            [php, *settings, script, HOSTS / "php/snakepit.php", address],
            env=place.env,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def send(self, *calls: list) -> None:
        self.popen.stdin.write(json.dumps(calls) + "\n")
        self.popen.stdin.flush()

    def receive(self):
        line = self.popen.stdout.readline()
        assert line, "PHP has ended"
        return json.loads(line)

    def ask(self, *calls: list):
        self.send(*calls)
        return self.receive()

    def end(self) -> int:
        self.popen.stdin.close()
        self.popen.stdout.close()
        return self.popen.wait(60)


@pytest.fixture
def php(place: Place, door: Door) -> Iterator[Program]:
    made = Program(place, door.address)
    yield made
    assert made.end() == 0


def test_a_call_returns_what_its_tool_did(php: Program) -> None:
    assert php.ask(["text", "add", {"a": 2, "b": 40}]) == [42]
    value = {"a": [1, {"b": "größer"}], "c": 0.5, "d": 1.0, "e": None}
    assert php.ask(["text", "echo", value]) == [value]


def test_many_calls_run_side_by_side(php: Program, note: pathlib.Path) -> None:
    calls = [["text", "add", {"a": i, "b": 0}] for i in range(1000)]
    assert php.ask(*calls) == list(range(1000))


def test_a_fault_is_an_exception(php: Program) -> None:
    said = php.ask(["text", "fail", {"message": "such a day"}])
    assert said["name"] == "TOOL_FAILED"
    assert said["message"] == "TOOL_FAILED: ValueError: such a day"
    assert "in fail" in said["traceback"]
    assert php.ask(["text", "ecko", {}])["name"] == "UNKNOWN_TOOL"
    assert php.ask(["texts", "add", {}])["name"] == "UNKNOWN_POOL"
    one, other = php.ask(["text", "add", {"a": 1}], ["text", "fail", {}])
    assert (one, other) == (2, "TOOL_FAILED")


def test_a_call_has_a_deadline(php: Program, note: pathlib.Path) -> None:
    said = php.ask(["text", "wait", {"path": str(note)}, 500])
    assert said["name"] == "DEADLINE_EXCEEDED"


def test_an_exception_of_a_signal_cancels_the_call(
    php: Program, note: pathlib.Path
) -> None:
    php.send(["text", "wait", {"path": str(note)}])
    eventually(note.exists, "its tool has begun")
    os.kill(php.popen.pid, signal.SIGUSR1)
    assert php.receive() == {"exception": "a signal came"}
    eventually(lambda: note.read_text() == "ended", "its tool was stopped")
    assert php.ask(["text", "add", {"a": 1}]) == [2]


def test_it_goes_on_with_the_next_daemon(
    php: Program, door: Door, note: pathlib.Path
) -> None:
    php.send(["text", "wait", {"path": str(note)}])
    eventually(note.exists, "its tool has begun")
    door.kill()
    try:
        assert php.receive()["name"] == "DAEMON_LOST"
    finally:
        door.start()
    assert php.ask(["text", "add", {"a": 1}]) == [2]
