# SPDX-License-Identifier: MIT
"""What classes find of their pool's settings, and what they never see."""

from __future__ import annotations

import dataclasses
import threading
import warnings
from collections import OrderedDict
from typing import Any

import pytest
from snakepit_bridge import (
    BaseAdapter,
    ThreadSafeAdapter,
    configuration,
    given,
    life,
    resources,
    thread_safe_method,
)
from snakepit_bridge.configuration import Configuration

SETTINGS = '{"model": "large", "sizes": [1, 2]}'
LARGE = {"model": "large", "sizes": [1, 2]}


@pytest.fixture(autouse=True)
def settings() -> None:
    configuration.use(Configuration(adapter_config=SETTINGS))


def built(adapter_class: type) -> Any:
    """As a worker builds it."""
    given.offer(adapter_class, "config")
    given.offer(adapter_class, "resources")
    made = life.construct(adapter_class)
    given.check_seen(made)
    return made


# ---- Who finds them ------------------------------------------------------------------


def test_any_class_finds_them_in_its_constructor_and_keeps_them() -> None:
    class Plain:
        config: dict[str, Any]
        resources: Any

        def __init__(self) -> None:
            assert vars(self) == {}
            self.seen = dict(self.config), dict(self.resources)

    made = built(Plain)
    assert made.seen == (LARGE, {})
    made.config["model"] = "changed"
    assert made.config["model"] == "changed"
    assert built(Plain).config == LARGE
    made.config = {"an": "other"}
    assert made.config == {"an": "other"}


def test_a_class_that_never_asks_has_no_such_attribute() -> None:
    class Unaware:
        def __init__(self) -> None:
            self.mine = 1

    made = built(Unaware)
    assert vars(made) == {"mine": 1}
    assert not hasattr(Unaware, "config")


def test_a_class_with_slots_finds_them_too() -> None:
    class Slotted:
        __slots__ = ("seen",)
        config: dict[str, Any]

        def __init__(self) -> None:
            self.seen = self.config["model"]

    made = built(Slotted)
    assert made.seen == "large"
    made.config["model"] = "changed"
    assert made.config["model"] == "changed"


@dataclasses.dataclass(frozen=True)
class Frozen:
    size: int = 3

    def model(self) -> Any:
        return self.config["model"]  # type: ignore[attr-defined]


def test_a_frozen_class_finds_them_too() -> None:
    assert built(Frozen).model() == "large"


class Bag:
    """Keeps its attributes in a dict of its own, which its constructor makes."""

    def __init__(self) -> None:
        object.__setattr__(self, "data", {"hits": 0})

    def __getattr__(self, name: str) -> Any:
        return self.data[name]

    def __setattr__(self, name: str, value: Any) -> None:
        self.data[name] = value

    @thread_safe_method
    def hit(self) -> Any:
        self.hits += 1
        return self.hits


def test_a_class_that_answers_for_all_names_is_left_alone() -> None:
    made = built(Bag)
    assert made.hit() == 1
    with pytest.raises(KeyError, match="config"):
        _ = made.config
    made.config = 5
    assert made.config == 5
    life.initialize(made)
    life.clean_up(made)


@pytest.mark.parametrize("base", [BaseAdapter, ThreadSafeAdapter])
def test_the_same_class_with_a_base_of_ours_is_never_met_half_made(base: Any) -> None:
    class Both(Bag, base):  # type: ignore[misc]
        pass

    made = built(Both)
    assert made.hit() == 1
    assert made.config == LARGE
    assert set(made.data) == {"hits"}
    assert made.handle_request({"command": "hit", "args": {}}) == 2


class Eager:
    """Has an answer for every name."""

    def __init__(self) -> None:
        self.asked: list[str] = []

    def __getattr__(self, name: str) -> Any:
        self.asked.append(name)
        return self

    @thread_safe_method
    def plain(self) -> int:
        return 1

    @thread_safe_method
    async def later(self) -> int:
        return 2

    @thread_safe_method
    def some(self) -> Any:
        yield 3


def test_counting_asks_nothing_of_what_is_not_counted() -> None:
    made = built(Eager)
    assert made.plain() == 1
    assert list(made.some()) == [3]
    with pytest.raises(StopIteration, match="2"):
        made.later().send(None)
    assert made.asked == []


class Forgets(ThreadSafeAdapter):
    """Its constructor makes all attributes anew, as pydantic's does."""

    def __init__(self) -> None:
        object.__setattr__(self, "__dict__", {"size": 3})

    @thread_safe_method
    def grow(self) -> int:
        with self.acquire_lock(), self._lock:
            self.size += 1
        self.set_thread_local("size", self.size)
        return self.size


def test_what_a_constructor_throws_away_is_made_again() -> None:
    made = built(Forgets)
    assert made.grow() == 4
    assert made.get_thread_local("size") == 4
    assert made.get_stats_dict()["total_requests"] == 1
    assert made.config == LARGE


class Looking:
    """Notes who looks at an attribute that is not there."""

    looks: list[str]

    def __init__(self) -> None:
        self.looks = []

    def __getattr__(self, name: str) -> Any:
        self.looks.append(name)
        raise KeyError(name)

    @property
    def initialize_me(self) -> Any:
        raise AssertionError("a property ran")


def test_life_asks_no_instance_for_what_its_class_does_not_have() -> None:
    made = built(Looking)
    life.initialize(made)
    life.clean_up(made)
    assert made.looks == []


def test_a_life_that_an_instance_has_for_itself_is_lived() -> None:
    class Own:
        def __init__(self) -> None:
            self.lived: list[str] = []
            self.initialize = lambda: self.lived.append("initialize")

        def cleanup(self) -> None:
            self.lived.append("cleanup")

    made = built(Own)
    life.initialize(made)
    life.clean_up(made)
    assert made.lived == ["initialize", "cleanup"]


# ---- Classes with a config of their own ----------------------------------------------


@pytest.mark.parametrize("base", [object, BaseAdapter])
@pytest.mark.parametrize("kind", [dict, OrderedDict])
def test_a_dict_of_the_class_is_what_the_pool_says_less_of(
    base: type, kind: Any
) -> None:
    defaults = kind(model="tiny", batch=8)
    adapter_class = type("Own", (base,), {"config": defaults})
    made = built(adapter_class)
    assert made.config == {**LARGE, "batch": 8}
    assert type(made.config) is kind
    assert adapter_class.config == made.config  # type: ignore[attr-defined]
    assert defaults == {"model": "tiny", "batch": 8}


@pytest.mark.parametrize("base", [object, BaseAdapter])
def test_without_settings_the_class_is_what_it_was(base: type) -> None:
    configuration.use(Configuration())
    defaults = {"model": "tiny"}
    assert built(type("Own", (base,), {"config": defaults})).config is defaults
    assert built(type("Own", (base,), {"config": None})).config is None


@pytest.mark.parametrize("base", [object, BaseAdapter])
def test_none_is_no_default(base: type) -> None:
    assert built(type("Own", (base,), {"config": None})).config == LARGE


@pytest.mark.parametrize("own", ["mine", lambda self: 1, property(lambda self: 1)])
def test_what_hides_the_settings_is_told(own: Any) -> None:
    with pytest.warns(RuntimeWarning) as caught:
        built(type("Own", (), {"config": own}))
    (warning,) = caught
    assert str(warning.message) == (
        "the pool's adapter_config does not reach Own: its class has a config of its "
        f"own ({type(own).__name__})"
    )


@dataclasses.dataclass
class Assigning:
    config: dict[str, Any] = dataclasses.field(default_factory=dict)


class Remembering(BaseAdapter):
    def __init__(self, config: dict[str, Any] | None = None) -> None:
        self.config = config or {"model": "tiny"}


class Answering:
    def __init__(self) -> None:
        self.config = {"model": "tiny"}

    def __getattr__(self, name: str) -> Any:
        raise AssertionError(f"it was asked for {name}")


@pytest.mark.parametrize("adapter_class", [Assigning, Remembering, Answering])
def test_a_constructor_that_hides_the_settings_is_told(
    adapter_class: type, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vars(BaseAdapter)["config"], "was_read", False)
    with pytest.warns(RuntimeWarning, match="assigns self.config and has not read it"):
        built(adapter_class)


def test_a_config_that_is_made_of_the_settings_is_no_fault() -> None:
    class Merging(BaseAdapter):
        def __init__(self) -> None:
            self.config = {"batch": 8, **self.config}

    class Wrapping(BaseAdapter):
        @property
        def config(self) -> Any:  # type: ignore[override]
            return {"wrapped": super().config}

    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert built(Merging).config == {"batch": 8, **LARGE}
        assert built(Wrapping).config == {"wrapped": LARGE}


def test_resources_come_over_those_of_the_class(monkeypatch: Any) -> None:
    monkeypatch.setattr(resources, "_loaded", {"words": [1]})
    assert built(type("Own", (), {"resources": {"mine": 2}})).resources == {
        "mine": 2,
        "words": [1],
    }


# ---- Threads -------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["config", "_snakepit_lock", "_snakepit_tracker"])
def test_all_threads_find_the_same(name: str) -> None:
    many = ", ".join(f'"k{number}": {number}' for number in range(2000))
    configuration.use(Configuration(adapter_config=f"{{{many}}}"))
    for _ in range(10):
        adapter = ThreadSafeAdapter()
        vars(adapter).clear()
        together = threading.Barrier(4)
        found: list[Any] = []

        def look(adapter: Any, together: Any, found: list[Any]) -> None:
            together.wait()
            found.append(getattr(adapter, name))

        given_to_all = (adapter, together, found)
        threads = [threading.Thread(target=look, args=given_to_all) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len({id(one) for one in found}) == 1
