# SPDX-License-Identifier: MIT
"""Locks that may wait for each other, found in the source text of one class."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from .source import Method, Sources

Finding = tuple[Method, int, str]  # where, on which line, what


@dataclass(frozen=True)
class _Order:
    """One lock is taken while another is held."""

    method: Method
    line: int
    gates: frozenset[str]  # what else is held then


# ---- A lock that is held already -----------------------------------------------------


def nested_locks(sources: Sources) -> Iterator[Finding]:
    """Where a method takes a lock that it, or the caller, holds."""
    for method in sources.methods.values():
        for call in method.calls:
            for lock in call.held:
                if lock in _taken_by(sources, call.name):
                    text = f"self.{call.name}() takes {lock}, which is held here; "
                    yield method, call.line, text + _wait(sources, lock)
        for event in method.locks:
            if event.name in event.held:
                text = f"takes {event.name}, which is held here; "
                yield method, event.line, text + _wait(sources, event.name)


def _wait(sources: Sources, lock: str) -> str:
    if sources.lock_kinds.get(lock) in ("Lock", "Semaphore"):
        return "it is not reentrant, so the thread waits for itself"
    return (
        "it works only as long as the lock is reentrant; "
        "call a private method that takes none"
    )


def _taken_by(sources: Sources, name: str, seen: set[str] | None = None) -> set[str]:
    """The locks that a method takes, and those that it calls."""
    seen = set() if seen is None else seen
    method = sources.methods.get(name)
    if method is None or name in seen:
        return set()
    seen.add(name)
    taken = {event.name for event in method.locks}
    for call in method.calls:
        taken |= _taken_by(sources, call.name, seen)
    return taken


# ---- Two locks in two orders ---------------------------------------------------------


def crossed_locks(sources: Sources, entered: list[Method]) -> Iterator[Finding]:
    """Two locks that one method takes in one order and another in the other, themselves
    or through what they call; not if a third lock lets in one at a time.

    `entered`: the methods that a thread may enter with no lock held.
    """
    orders = _orders(sources, entered)
    for (outer, inner), ways in orders.items():
        for way in ways if outer < inner else ():
            others = orders.get((inner, outer), [])
            other = next((it for it in others if not way.gates & it.gates), None)
            if other is not None:
                text = (
                    f"takes {inner} while it holds {outer}; {other.method.name} "
                    f"(line {other.line}) takes them in the other order"
                )
                yield way.method, way.line, text


def _orders(
    sources: Sources, entered: list[Method]
) -> dict[tuple[str, str], list[_Order]]:
    around = _held_around(sources, entered)
    found: dict[tuple[str, str], list[_Order]] = {}
    for method in sources.methods.values():
        taken = [(event, {event.name}) for event in method.locks]
        taken += [(call, _taken_by(sources, call.name)) for call in method.calls]
        for event, inners in taken:
            if (method.owner, event.line) in sources.meant:
                continue
            held = around[method.name].union(event.held)
            for outer in event.held:  # of those around it the caller is told
                order = _Order(method, event.line, held - {outer})
                for inner in inners - held:
                    found.setdefault((outer, inner), []).append(order)
    return found


def _held_around(sources: Sources, entered: list[Method]) -> dict[str, frozenset[str]]:
    """By method, the locks that are held whenever it is called."""
    everything = frozenset(
        event.name for method in sources.methods.values() for event in method.locks
    )
    around = {
        method.name: frozenset() if method in entered else everything
        for method in sources.methods.values()
    }
    is_settled = False
    while not is_settled:
        is_settled = True
        for method in sources.methods.values():
            for call in method.calls:
                if call.name in around:
                    held = around[call.name] & around[method.name].union(call.held)
                    is_settled = is_settled and held == around[call.name]
                    around[call.name] = held
    return around
