# SPDX-License-Identifier: MIT
"""What answers a worker's calls, handed to the extension.

Most of it is the same for all instances of a class. A template hands that over before
its workers are forked (`Foresight`), so that a worker has only its instance to add.
"""

from __future__ import annotations

import functools

from . import (
    arrays,
    calling,
    errors,
    faults,
    given,
    health,
    late,
    life,
    lookup,
    resolution,
    runtime,
    streaming,
    tools,
    traces,
)
from .declaration import marks_made
from .late import TYPE_CHECKING
from .stream import StreamChunk

if TYPE_CHECKING:
    from typing import Any, Callable

    from . import batches, schemas
    from .batches import Terms
    from .configuration import Configuration
    from .resolution import Answers, Foreseen
else:
    batches = late.Module("snakepit_bridge.batches")
    schemas = late.Module("snakepit_bridge.schemas")


def all_of(
    adapter_class: type, answers: Answers, adapter: Any, settings: Configuration
) -> None:
    """Hands over what answers for an instance; None: each call has one of its own."""
    for name, function in answers.functions.items():
        _register(name, function, answers.batched.get(name))
    runtime.native.set_fallback(answers.fallback)
    of_class(adapter_class, lambda: answers, lambda: adapter, settings)


def of_class(
    adapter_class: type,
    answers: Callable[[], Answers],
    adapter: Callable[[], Any],
    settings: Configuration,
) -> None:
    """Hands over what the instance has no part in until it is called."""
    native = runtime.native

    def describe() -> Any:
        return schemas.describe(adapter_class, answers())

    def explain(error: TypeError, name: str, arguments: Any) -> None:
        faults.explain(answers().signatures, error, name, arguments)

    native.register(tools.TABLE_TOOL, describe)
    if health.is_checked(adapter_class):
        native.register(health.HEALTH_TOOL, health.checker(adapter_class, adapter))
    native.set_formatter(faults.answer)
    native.set_refusal(errors.refusal)
    native.set_hinter(functools.partial(tools.unmarked_hint, adapter_class))
    native.set_explainer(explain)
    native.set_finisher(calling.finished)
    native.set_tracer(traces.API, traces.begin)
    native.set_streams(streaming.driven, StreamChunk)
    native.set_on_unserialisable(settings.on_unserialisable)
    native.set_tensors(settings.tensors, arrays.maker(settings.tensors))


def _register(name: str, function: Callable[..., Any], terms: Terms | None) -> None:
    if terms is None:
        runtime.native.register(name, function)
    else:
        batched = batches.Batched(function)
        runtime.native.register(name, batched, terms.max_batch, terms.batch_wait_us)


class Foresight:
    """What a template has handed over for the instances that its workers will build."""

    def __init__(self, foreseen: Foreseen, settings: Configuration) -> None:
        """Hands it over. Plain methods become those of the instance in the extension,
        and the others in `take_up`.
        """
        self.foreseen = foreseen
        self.adapter: Any = None
        self.names = foreseen.attributes | given.NAMES
        self.begin = lookup.of_class(foreseen.kind, "initialize", None)
        self.others = []
        for name, marked, way in foreseen.tools:
            if calling.is_as_it_is(way) and name not in foreseen.batched:
                runtime.native.foresee(name, marked.found)
            else:
                self.others.append(name)
        of_class(foreseen.kind, self.answers, lambda: self.adapter, settings)

    def answers(self) -> Answers:
        """As `resolution.of_instance` has them."""
        return resolution.as_foreseen(self.foreseen, self.adapter)

    def holds_for(self, adapter: Any) -> bool:
        """Whether it does for an instance that was built just now."""
        found = self.foreseen
        if found.marks == marks_made() and runtime.native.is_as_foreseen(
            adapter, found.kind, found.version, self.names
        ):
            return True  # most are, and the extension alone has looked
        given.check_seen(adapter)
        return resolution.is_foreseen(found, adapter)

    def take_up(self, adapter: Any) -> None:
        """Hands over what is the instance's own."""
        self.adapter = adapter
        runtime.native.bind(adapter)
        if self.others or self.foreseen.has_fallback:
            answers = self.answers()
            for name in self.others:
                _register(name, answers.functions[name], answers.batched.get(name))
            runtime.native.set_fallback(answers.fallback)

    def initialize(self) -> None:
        """As `life.initialize`, which looks at more."""
        if self.begin is not None or "initialize" in lookup.own(self.adapter):
            life.initialize(self.adapter)
