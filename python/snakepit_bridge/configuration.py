# SPDX-License-Identifier: MIT
"""What the host tells a worker about the pool it belongs to."""

from __future__ import annotations

from . import late
from .late import TYPE_CHECKING

if TYPE_CHECKING:
    import json
    from collections.abc import Mapping
    from dataclasses import dataclass, field
    from typing import Any
else:
    from .records import dataclass, field

    json = late.Module("json")


@dataclass(frozen=True)
class Configuration:
    """One worker's place in its pool. The defaults stand for an adapter used without a
    host.
    """

    adapter: str = ""
    adapter_args: list[str] = field(default_factory=list)
    adapter_config: str = ""  # the text of a JSON object, or nothing
    profile: str = "process"  # or "thread"
    executors: int = 1  # threads that run calls
    executor_stack_size: int = 0  # bytes of a thread that runs tools; 0: as others
    heartbeat_interval_ms: int = 2000
    stop_grace_ms: int = 2000  # from SIGTERM to SIGKILL
    oom_score_adj: int = 0  # at least; see memory_pressure
    paths: list[str] = field(default_factory=list)  # of the adapter; see search_path
    pool: str = ""
    worker: int = 0
    preload_resources: list[tuple[str, str]] = field(default_factory=list)
    undeclared_adapter: str = "warn"  # or "refuse"
    thread_safety_checks: bool = False
    on_unserialisable: str = "error"  # or "marker", "marker_with_repr"
    sandbox: dict[str, Any] = field(default_factory=dict)  # empty: nothing is taken
    tensors: str = "view"  # or "copy", "numpy", "numpy_copy"
    sources: bool = False  # it tells which files its code came from
    environment: dict[str, str] = field(default_factory=dict)  # this worker's alone

    @classmethod
    def from_message(cls, message: Mapping[str, Any]) -> Configuration:
        """Takes what this version knows of the host's message."""
        known = cls.__annotations__
        if message.keys() == known.keys():
            made = object.__new__(cls)  # what the constructor would do, at once
            made.__dict__.update(message)
            return made
        return cls(**{key: value for key, value in message.items() if key in known})

    def take(self, message: Mapping[str, Any]) -> None:
        """Takes what one worker is told beside what its template was: all of it, or
        what differs.
        """
        known = self.__annotations__
        self.__dict__.update({key: message[key] for key in message if key in known})

    def settings(self) -> dict[str, Any]:
        """A new dict of the pool's `adapter_config`.

        Raises ValueError if the text is not that of a JSON object.
        """
        settings = json.loads(self.adapter_config) if self.adapter_config else {}
        if not isinstance(settings, dict):
            raise ValueError(f"adapter_config is no JSON object: {self.adapter_config}")
        return settings


_current = Configuration()


def current() -> Configuration:
    """The configuration of this process."""
    return _current


def use(configuration: Configuration) -> None:
    """Makes `configuration` that of this process. For the worker, before it builds the
    adapter.
    """
    global _current
    _current = configuration
