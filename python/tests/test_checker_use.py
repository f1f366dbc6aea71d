# SPDX-License-Identifier: MIT
"""How `ThreadSafetyChecker` is used: modes, what it says, its report, decorators."""

from __future__ import annotations

import gc
import io
import sys
import threading
import warnings
from collections import deque
from collections.abc import Iterator
from typing import Callable

import pytest
from conftest import hammer
from snakepit_bridge import BaseAdapter, ThreadSafeAdapter, thread_safe_method, tool
from snakepit_bridge import thread_safety_checker as module
from snakepit_bridge.thread_safety_checker import (
    ThreadSafetyChecker,
    ThreadSafetyError,
    check_thread_safe,
    print_thread_safety_report,
    require_thread_safe_adapter,
    validate_adapter_thread_safety,
)
from watched import (
    Adapter,
    CallsAnUnmarkedHelper,
    Increments,
    UsesItsLock,
)

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


class Base(Adapter):
    """Safe as well: a class of another module says nothing of those in this one."""

    __thread_safe__ = True


# ---- Methods -------------------------------------------------------------------------


class Meets(Base):
    def __init__(self) -> None:
        super().__init__()
        self.meeting = threading.Barrier(3, timeout=30)

    def unmarked(self) -> None:
        self.meeting.wait()

    @thread_safe_method
    def marked(self) -> None:
        self.meeting.wait()


def test_an_unmarked_method_on_several_threads_at_once_is_warned_of_once() -> None:
    with ThreadSafetyChecker() as checker:
        adapter = Meets()
        hammer(3, 4, lambda _: adapter.unmarked())
    report = checker.get_report()
    assert report["concurrent_accesses"] == {"unmarked": 3}
    assert len(report["warnings"]) == report["warnings_issued"] == 1
    assert "Method 'unmarked' accessed by 3 different threads" in report["warnings"][0]
    assert "multiple threads" in report["warnings"][0]


def test_a_marked_method_on_several_threads_at_once_is_reported_only() -> None:
    with ThreadSafetyChecker() as checker:
        adapter = Meets()
        hammer(3, 4, lambda _: adapter.marked())
    report = checker.get_report()
    assert report["concurrent_accesses"] == {"marked": 3}
    assert report["warnings"] == []


def test_threads_one_after_the_other_are_not_concurrent() -> None:
    with ThreadSafetyChecker(strict_mode=True) as checker:
        adapter = CallsAnUnmarkedHelper()
        for _ in range(3):
            thread = threading.Thread(target=adapter.helper, args=(1,))
            thread.start()
            thread.join()
    report = checker.get_report()
    assert report["concurrent_accesses"] == {}
    assert report["total_threads_seen"] == 3
    assert report["total_methods_tracked"] == 1


def test_accesses_that_are_told_by_hand_overlap_while_their_blocks_do() -> None:
    checker = ThreadSafetyChecker(strict_mode=False)
    meeting = threading.Barrier(2, timeout=30)

    def use(_: int) -> None:
        with checker.check_method_access("predict"):
            meeting.wait()

    hammer(2, 1, use)
    assert checker.get_report()["concurrent_accesses"] == {"predict": 2}
    with checker.check_method_access("alone"):
        pass
    assert "alone" not in checker.get_report()["concurrent_accesses"]
    checker.close()


# ---- Modes ---------------------------------------------------------------------------


def test_strict_mode_raises_in_the_thread_that_did_it() -> None:
    with ThreadSafetyChecker(strict_mode=True) as checker:
        adapter = Increments()
        with pytest.raises(ThreadSafetyError, match="'counter'"):
            hammer(4, 25, lambda _: adapter.run())
    assert len(checker.get_report()["warnings"]) == 1


def test_a_checker_that_is_not_enabled_leaves_everything_as_it_is() -> None:
    before = dict(vars(BaseAdapter))
    checker = ThreadSafetyChecker(enabled=False)
    adapter = Increments()
    hammer(4, 5, lambda _: adapter.run())
    assert dict(vars(BaseAdapter)) == before
    report = checker.get_report()
    assert report["warnings"] == [] and report["enabled"] is False
    assert checker.check_library_safety() == []


@pytest.mark.parametrize(
    "end", [lambda checker: checker.close(), lambda checker: None], ids=["close", "gc"]
)
def test_nothing_is_left_when_the_last_checker_goes(
    end: Callable[[ThreadSafetyChecker], None],
) -> None:
    classes = (BaseAdapter, Increments, threading.Thread)
    before = [dict(vars(found)) for found in classes]
    checker = ThreadSafetyChecker()
    assert vars(Increments)["run"] is not before[1]["run"]
    Increments().run()
    end(checker)
    del checker
    gc.collect()
    assert [dict(vars(found)) for found in classes] == before


def test_a_closed_checker_is_told_nothing_while_another_watches() -> None:
    adapter = Increments()
    with ThreadSafetyChecker() as other:
        with ThreadSafetyChecker() as closed:
            adapter.run()
        adapter.run()
        assert closed.get_report()["thread_utilization"] == {"MainThread": 1}
        assert other.get_report()["thread_utilization"] == {"MainThread": 2}


def test_a_checker_of_one_adapter_does_not_mind_the_others() -> None:
    mine, other = Increments(), Increments()
    checker = ThreadSafetyChecker(mine)
    hammer(2, 5, lambda _: other.run())
    assert checker.get_report()["warnings"] == []
    hammer(2, 5, lambda _: mine.run())
    assert len(checker.get_report()["warnings"]) == 1
    checker.close()


def test_an_adapter_that_is_no_subclass_of_ours_can_be_checked() -> None:
    class Plain:
        __thread_safe__ = True

        def __init__(self) -> None:
            self.counter = 0

        @tool
        def run(self) -> None:
            self.counter += 1

    adapter = Plain()
    with ThreadSafetyChecker(adapter) as checker:
        hammer(4, 10, lambda _: adapter.run())
    assert any("'counter'" in text for text in checker.get_report()["warnings"])
    assert "__setattr__" not in vars(Plain)


def test_results_are_what_they_are_without_a_checker() -> None:
    """No container is replaced by one that watches: identity and type stay."""
    rows: list[int] = []
    with ThreadSafetyChecker():
        adapter = Base()
        adapter.log = rows
        adapter.log.append(1)
        assert adapter.log is rows and type(adapter.log) is list
        assert type(adapter) is Base
        with pytest.raises(AttributeError, match="nothing_of_the_kind"):
            _ = adapter.nothing_of_the_kind  # type: ignore[attr-defined]
        del adapter.log
        assert not hasattr(adapter, "log")
    assert rows == [1]


def test_an_instance_for_each_call_never_races() -> None:
    with ThreadSafetyChecker(strict_mode=True) as checker:
        hammer(4, 10, lambda _: Increments().run())
    assert checker.get_report()["warnings"] == []


# ---- What it says of adapters and libraries ------------------------------------------


def test_an_undeclared_adapter_is_warned_of_once() -> None:
    class Undeclared(ThreadSafeAdapter):
        pass

    with ThreadSafetyChecker() as checker:
        first, second = Undeclared(), Undeclared()
    assert checker.get_report()["warnings_issued"] == 1
    assert "Undeclared does not declare" in checker.get_report()["warnings"][0]
    assert first is not second


def test_an_unsafe_library_is_warned_of_where_an_adapter_imports_it(
    write_module: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_module("matplotlib", "")
    write_module(
        "plots",
        """
        import matplotlib
        from snakepit_bridge import ThreadSafeAdapter
        class Plots(ThreadSafeAdapter):
            __thread_safe__ = True
        """,
    )
    import plots  # type: ignore[import-not-found]

    with ThreadSafetyChecker(strict_mode=True) as checker:
        plots.Plots(), plots.Plots()
        assert "matplotlib" in checker.check_library_safety()
    found = [text for text in checker.get_report()["warnings"] if "matplotlib" in text]
    assert len(found) == 1
    assert "Unsafe library 'matplotlib' detected" in found[0]
    assert "Thread-unsafe library detected: matplotlib" in found[0]


def test_an_unsafe_library_is_warned_of_where_a_tool_imports_it(
    write_module: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "matplotlib", raising=False)
    write_module("matplotlib", "")
    write_module(
        "late_plots",
        """
        from snakepit_bridge import ThreadSafeAdapter
        class Plots(ThreadSafeAdapter):
            __thread_safe__ = True
            def count(self):
                return 1
            def plot(self):
                import matplotlib
        """,
    )
    import late_plots  # type: ignore[import-not-found]

    with ThreadSafetyChecker(strict_mode=True) as checker:
        plots = late_plots.Plots()
        plots.count()
        assert checker.get_report()["warnings"] == []
        for _ in range(3):
            plots.plot()
            (found,) = checker.get_report()["warnings"]
            assert "Unsafe library 'matplotlib' detected" in found
    # Of what was there before nobody says that this adapter uses it.
    with ThreadSafetyChecker() as checker:
        late_plots.Plots().plot()
    assert checker.get_report()["warnings"] == []


# ---- The report ----------------------------------------------------------------------


def test_the_report_has_the_keys_of_the_guides() -> None:
    with ThreadSafetyChecker() as checker:
        pass
    assert set(checker.get_report()) == {
        "warnings",
        "warnings_issued",
        "concurrent_accesses",
        "total_methods_tracked",
        "total_threads_seen",
        "thread_utilization",
        "recommendations",
        "enabled",
        "strict_mode",
        "total_runtime",
    }
    assert checker.get_report()["recommendations"] == [
        "✅ No thread safety issues detected."
    ]
    runtime = checker.get_report()["total_runtime"]
    assert checker.get_report()["total_runtime"] == runtime


@pytest.mark.parametrize("encoding", ["utf-8", "ascii"])
def test_the_report_prints_on_any_terminal(encoding: str) -> None:
    with ThreadSafetyChecker() as checker:
        adapter = Increments()
        hammer(4, 25, lambda _: adapter.run())
    raw = io.BytesIO()
    with io.TextIOWrapper(raw, encoding=encoding) as file:
        print_thread_safety_report(checker, file)
        file.flush()
        text = raw.getvalue().decode(encoding)
    assert "Thread Safety Analysis Report" in text
    assert "Warnings Issued: 1" in text
    assert "'counter'" in text


# ---- The checker of the process, and decorators --------------------------------------


@pytest.fixture
def global_checker() -> Iterator[ThreadSafetyChecker]:
    yield module.enable_thread_safety_checks()
    module.disable_thread_safety_checks()


def test_a_decorated_function_is_seen_by_the_checker_of_the_process(
    global_checker: ThreadSafetyChecker,
) -> None:
    meeting = threading.Barrier(2, timeout=30)

    @check_thread_safe
    def work() -> None:
        meeting.wait()

    hammer(2, 1, lambda _: work())
    assert module.get_global_checker() is global_checker
    assert global_checker.get_report()["concurrent_accesses"] == {"work": 2}


def test_a_decorated_function_is_seen_by_nobody_once_checks_are_off() -> None:
    checker = module.enable_thread_safety_checks()
    meeting = threading.Barrier(2, timeout=30)

    @check_thread_safe
    def work() -> None:
        meeting.wait()

    module.disable_thread_safety_checks()
    hammer(2, 1, lambda _: work())
    assert module.get_global_checker() is checker and not checker.enabled
    report = checker.get_report()
    assert report["enabled"] is False
    assert report["concurrent_accesses"] == {} and report["warnings"] == []


def test_a_closed_checker_counts_no_accesses() -> None:
    with ThreadSafetyChecker() as checker:
        pass
    with checker.check_method_access("late"):
        assert checker.get_report()["total_methods_tracked"] == 0
    assert checker.get_report()["enabled"] is True


def test_the_report_of_the_process_is_printed_without_an_argument(
    global_checker: ThreadSafetyChecker, capsys: pytest.CaptureFixture[str]
) -> None:
    with global_checker.check_method_access("work"):
        pass
    print_thread_safety_report()
    assert "Methods Tracked: 1" in capsys.readouterr().out


@pytest.mark.parametrize(
    "given, said",
    [
        (None, "enabled is None; it is True, False or an adapter's instance"),
        (0, "enabled is 0; it is"),
        ("yes", "enabled is 'yes'; it is"),
        (Increments, r"the class Increments; give an instance, .*\(Increments\(\)\)"),
    ],
)
def test_what_is_neither_a_bool_nor_an_adapter_is_refused(
    given: object, said: str
) -> None:
    with pytest.raises(TypeError, match=said):
        ThreadSafetyChecker(given)


def test_validation_without_source_text_says_so() -> None:
    found = validate_adapter_thread_safety(type("Made", (), {"__thread_safe__": True}))
    assert found["valid"] is False and found["pitfalls"] == []
    assert "the source of Made is not there" in found["unread"]


def test_a_class_can_insist_on_a_declaration() -> None:
    @require_thread_safe_adapter
    class Undeclared(ThreadSafeAdapter):
        pass

    @require_thread_safe_adapter
    class Declared(ThreadSafeAdapter):
        __thread_safe__ = True

        @require_thread_safe_adapter
        def run(self) -> int:
            return 1

    with pytest.raises(RuntimeError, match="does not declare"):
        Undeclared()
    assert Declared().run() == 1


def test_validation_says_what_is_known_without_a_run() -> None:
    found = validate_adapter_thread_safety(UsesItsLock())
    assert found["declared"] is True and found["adapter"] == "UsesItsLock"
    assert found["valid"] is (not found["pitfalls"])
    assert validate_adapter_thread_safety(Increments)["valid"] is False


def test_the_older_path_has_the_same_checker() -> None:
    from snakepit_bridge.thread_safety import checker

    assert checker.ThreadSafetyChecker is ThreadSafetyChecker
    assert all(hasattr(module, name) for name in module.__all__)
    assert set(checker.__all__) <= set(module.__all__)


def test_a_deque_and_a_growing_dict_can_be_searched_while_they_change() -> None:
    """Looking for locks reads what other threads write."""

    class Busy(Base):
        def __init__(self) -> None:
            super().__init__()
            self.items: deque[int] = deque(maxlen=50)

        @thread_safe_method
        def run(self) -> None:
            self.items.extend([1])

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with ThreadSafetyChecker() as checker:
            adapter = Busy()
            hammer(8, 200, lambda _: adapter.run())
    assert len(checker.get_report()["warnings"]) == 1
