# SPDX-License-Identifier: MIT
"""Modules that are imported when they are first used.

An import that a worker's start can do without makes every start longer. Such a module
is named at the top of a file, and used below, like any other::

    from . import late
    from .late import TYPE_CHECKING

    if TYPE_CHECKING:
        import inspect
    else:
        inspect = late.Module("inspect")

The one thing to know: the first use may be in a call, and a cancel is raised in the
thread that runs it. Inside of an import it could leave a half of something that cannot
be imported a second time. So the imports of a call run on a thread of their own.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # read as `typing`'s by name; the import of that takes long

if TYPE_CHECKING:
    from typing import Any, Callable


class Module:
    """Stands for a module, with the module's attributes as they are at first."""

    def __init__(self, name: str) -> None:
        """`name` with its packages."""
        self.__name__ = name

    def __getattr__(self, attribute: str) -> Any:
        """An attribute of the module, which this imports. Raises what that raises."""
        value = getattr(imported(self.__name__), attribute)
        setattr(self, attribute, value)  # and it is found without us from now on
        return value


def imported(name: str) -> Any:
    """The module of that name, imported where no cancel can strike."""
    from . import runtime

    if runtime.runs_call() and not _is_there(name):
        return imported_elsewhere(name)
    __import__(name)
    return sys.modules[name]


def _is_there(name: str) -> bool:
    """Whether it is imported, and not by another thread right now."""
    specification = getattr(sys.modules.get(name), "__spec__", None)
    return name in sys.modules and not getattr(specification, "_initializing", False)


def imported_elsewhere(name: str) -> Any:
    """The same, imported on a thread of its own, for which this waits."""
    import threading  # a worker has it; see `worker`

    from . import runtime

    found: list[Any] = []
    failures: list[BaseException] = []

    def look() -> None:
        runtime.shorten_timeslice()
        try:
            __import__(name)
            found.append(sys.modules[name])
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=look, name="snakepit-import", daemon=True)
    try:
        thread.start()
    except RuntimeError as error:
        from . import threads

        named = {"numpy": "NumPy"}.get(name, name)
        raise RuntimeError(
            f"the thread that imports {named} could not be started ({error}); "
            f"{threads.remedy()}"
        ) from error
    thread.join()
    for failure in failures:
        raise failure
    return found[0]


def contextmanager(function: Any) -> Any:
    """As `contextlib.contextmanager`, which is imported when a block is entered."""
    made: list[Any] = []

    def block(*args: Any, **kwargs: Any) -> Any:
        if not made:
            made.append(imported("contextlib").contextmanager(function))
        return made[0](*args, **kwargs)

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(block, name, getattr(function, name))
    block.__wrapped__ = function  # type: ignore[attr-defined]
    return block


# ---- What is to be done when somebody else imports a module --------------------------


def when_imported(name: str, do: Callable[[Any], object]) -> None:
    """Calls `do` with the module of that name: now, or as soon as it is imported."""
    if _is_there(name):
        do(sys.modules[name])
    else:
        sys.meta_path.insert(0, Watch(name, do))


class Watch:
    """A finder that finds one module, where the others do, once."""

    def __init__(self, name: str, do: Callable[[Any], object]) -> None:
        """Calls `do` with the module when that has run."""
        self.name = name
        self.do = do

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """As others find it."""
        if name != self.name or self not in sys.meta_path:
            return None
        sys.meta_path.remove(self)
        for finder in sys.meta_path:
            found = finder.find_spec(name, path, target)
            if found is not None:
                if hasattr(found.loader, "exec_module"):
                    found.loader = Loader(found.loader, self.do)  # type: ignore[assignment]
                return found
        return None


class Loader:
    """What the module is loaded with, and then looks as if it had not been there."""

    def __init__(self, real: Any, do: Callable[[Any], object]) -> None:
        """`real` does the work."""
        self.real = real
        self.do = do

    def create_module(self, spec: Any) -> Any:
        """As the real one."""
        return self.real.create_module(spec)

    def exec_module(self, module: Any) -> None:
        """As the real one."""
        module.__spec__.loader = module.__loader__ = self.real
        self.real.exec_module(module)
        self.do(module)
