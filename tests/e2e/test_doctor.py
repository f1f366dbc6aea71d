# SPDX-License-Identifier: MIT
"""`snakepit doctor` on this machine: real interpreters, imports and limits."""

from __future__ import annotations

import json
import os
import pathlib
import re
import resource
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from support import default_python
from support.command import (
    HYBRID,
    SNAKEPIT,
    environment,
    is_gone,
    run,
    run_without_proc,
    until,
)
from support.configs import pool
from support.extensions import takes_the_gil
from support.groups import Group, is_version_one
from support.pit import Pit

MIB = 1 << 20
LIMITS = {
    resource.RLIMIT_NOFILE: 64,
    resource.RLIMIT_FSIZE: 16 * MIB,
    resource.RLIMIT_AS: 1024 * MIB,
}
CLASS = """
from snakepit_bridge import BaseAdapter, tool

class Adapter(BaseAdapter):
    {declares}
    @tool
    def ping(self):
        return 1
"""
SAFE = CLASS.format(declares="__thread_safe__ = True")
UNDECLARED = CLASS.format(declares="")
MODULES = {
    "broken.py": "import not_installed_anywhere\n",
    "never_done.py": "import time\ntime.sleep(600)\n",
    "boxed.py": f"open(__file__ + '.ran', 'w').close()\n{SAFE}",
    "shares.py": f"import pandas, numpy\n{UNDECLARED}",
    "counts.py": f"import numpy\n{SAFE}",
    "falls.py": SAFE,
    # Beside an adapter, so that they are found before those that are installed.
    "pandas.py": "__version__ = '2.0'\n",
    "numpy.py": "__version__ = '1.26.4'\n",
}


def lower_limits() -> None:
    """In a child that is about to become the command."""
    for limit, value in LIMITS.items():
        resource.setrlimit(limit, (value, resource.getrlimit(limit)[1]))


def doctor(*words: object, **options: Any) -> subprocess.CompletedProcess[str]:
    """Runs it where there are few interpreters to be asked."""
    found = {"PATH": "/usr/bin:/bin", "SNAKEPIT_CACHE": "/nowhere"}
    env = environment(**found, **options.pop("variables", {}))
    return run("doctor", *words, env=env, **options)


def report(*words: object, **options: Any) -> tuple[int, dict[str, Any]]:
    """The exit code and what --json says."""
    result = doctor(*words, "--json", **options)
    assert result.stderr == ""
    return result.returncode, json.loads(result.stdout)


def codes(found: dict[str, Any], pool_name: str | None) -> dict[str, str]:
    """The findings of a pool, with their severity."""
    return {
        each["code"]: each["severity"]
        for each in found["findings"]
        if each["pool"] == pool_name
    }


def wrongs(found: dict[str, Any], pool_name: str) -> dict[str, str]:
    """The same without notes, which depend on the interpreter."""
    return {
        code: severity
        for code, severity in codes(found, pool_name).items()
        if severity != "note"
    }


def write(folder: pathlib.Path, *pools: dict[str, Any]) -> pathlib.Path:
    path = folder / "pools.yaml"
    path.write_text(json.dumps({"pools": list(pools)}))
    return path


# ---- The machine ---------------------------------------------------------------------


def test_without_a_file_the_machine_is_described():
    status, found = report()
    assert status == 0 and found["ok"] is True and found["errors"] == 0
    assert (found["file"], found["pools"]) == (None, [])
    machine = found["machine"]
    assert machine["kernel"] == os.uname().release
    assert machine["cores"] == len(os.sched_getaffinity(0))
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert machine["limits"]["open_files"] == {"soft": soft, "hard": hard, "needed": 0}
    assert machine["features"]["memfd"] is True
    by_name = {each["found_as"]: each for each in found["interpreters"]}
    assert by_name["SNAKEPIT_PYTHON"]["recommended_profile"] == "process"
    assert all(each["remedy"] for each in found["findings"])


def test_a_variable_that_leads_nowhere_is_an_error():
    status, found = report(variables={"SNAKEPIT_PYTHON": "/nowhere/python"})
    assert status == 1 and found["ok"] is False
    assert codes(found, None)["python.variable"] == "error"


# ---- A configuration -----------------------------------------------------------------


def test_the_example_has_no_error():
    default_python("thread")  # skips where there is none
    status, found = report(HYBRID)
    assert status == 0
    text, arrays = found["pools"]
    assert (text["runs_as"], text["adapter"]["outcome"]) == ("process", "ok")
    assert (arrays["runs_as"], arrays["adapter"]["thread_safe"]) == ("thread", True)
    assert arrays["adapter"]["imports_us"]["numpy"] > 1000
    assert arrays["adapter"]["import_us"] >= arrays["adapter"]["imports_us"]["numpy"]
    assert [each["title"] for each in arrays["adapter"]["libraries"]] == ["NumPy"]
    assert text["thread_variables"]["OMP_NUM_THREADS"] == 1


def test_the_report_for_people_is_aligned_and_says_each_finding_with_its_remedy():
    default_python("thread")  # skips where there is none
    result = doctor(HYBRID)
    assert (result.returncode, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0].startswith("snakepit ") and "Linux" in lines[0]
    for title in ("interpreters", "libraries", "limits", "kernel", "findings"):
        assert title in lines
    assert re.search(
        r"^  arrays +thread +1 x 4 threads .*numpy \d+", result.stdout, re.M
    )
    rows = lines[lines.index("limits") + 1 :][:6]
    column = rows[0].index("hard")
    assert all(row[column - 2 : column] == "  " != row[column] for row in rows)
    assert all(line == line.rstrip() for line in lines)
    findings = lines[lines.index("findings") + 1 : -2]
    assert all("-> " in line for line in findings[1::2])
    assert "errors" in lines[-1]


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What is found of six pools with something wrong each."""
    folder = tmp_path_factory.mktemp("spoilt")
    for name, text in MODULES.items():
        (folder / name).write_text(text)
    thread = {"worker_profile": "thread", "pool_size": 1, "threads_per_worker": 2}
    free, system = default_python("thread"), default_python("process")
    path = write(
        folder,
        {"name": "broken", "adapter": "broken", "pool_size": 1},
        {
            "name": "hangs",
            "adapter": "never_done",
            "pool_size": 1,
            "start_timeout_ms": 1000,
        },
        {"name": "boxed", "adapter": "boxed", "pool_size": 1, "sandbox": "strict"},
        {"name": "shares", "adapter": "shares", "python": free, **thread},
        {
            "name": "counts",
            "adapter": "counts",
            "pool_size": 1,
            "adapter_env": {"OMP_NUM_THREADS": "4096"},
        },
        {"name": "falls", "adapter": "falls", "python": system, **thread},
    )
    status, found = report(path)
    found["status"], found["folder"], found["path"] = status, folder, path
    return found


def test_each_pool_is_told_what_is_wrong_with_it(spoilt: dict[str, Any]) -> None:
    assert spoilt["status"] == 1 and spoilt["ok"] is False
    assert wrongs(spoilt, "broken") == {"adapter.failed": "error"}
    assert wrongs(spoilt, "hangs") == {"adapter.late": "error"}
    assert wrongs(spoilt, "shares") == {
        "adapter.undeclared": "warning",
        "library.unsafe": "warning",
        "library.old": "warning",
    }
    assert wrongs(spoilt, "counts") == {"cores.library_threads": "warning"}
    assert wrongs(spoilt, "falls") == {"pool.falls_back": "warning"}
    (broken,) = [
        each for each in spoilt["findings"] if each["code"] == "adapter.failed"
    ]
    assert "No module named 'not_installed_anywhere'" in broken["message"]
    assert (spoilt["errors"], spoilt["warnings"] >= 5) == (2, True)


def test_an_adapter_that_is_to_run_in_a_sandbox_is_not_imported(
    spoilt: dict[str, Any],
) -> None:
    assert codes(spoilt, "boxed")["adapter.not_imported"] == "note"
    assert not (spoilt["folder"] / "boxed.py.ran").exists()


def test_a_pool_that_falls_back_is_shown_as_what_it_becomes(
    spoilt: dict[str, Any],
) -> None:
    by_name = {each["name"]: each for each in spoilt["pools"]}
    falls = by_name["falls"]
    assert (falls["runs_as"], falls["workers"]) == ("process", 2)
    assert falls["thread_variables"]["OMP_NUM_THREADS"] == 1
    assert by_name["counts"]["thread_variables"]["OMP_NUM_THREADS"] == 4096


def test_an_extension_that_switches_the_gil_on_is_named(tmp_path: pathlib.Path) -> None:
    python = default_python("thread")
    takes_the_gil(tmp_path)
    (tmp_path / "takes.py").write_text(f"import takes_the_gil\n{SAFE}")
    path = write(
        tmp_path,
        {
            "name": "takes",
            "adapter": "takes",
            "python": python,
            "worker_profile": "thread",
            "pool_size": 1,
            "on_unsupported": "refuse",
        },
    )
    status, found = report(path)
    assert status == 1
    (gil,) = [each for each in found["findings"] if each["code"] == "adapter.gil"]
    assert gil["severity"] == "error" and "takes_the_gil" in gil["message"]
    assert found["pools"][0]["adapter"]["gil_enabled"] is True


def test_warnings_fail_only_where_they_are_to(tmp_path: pathlib.Path) -> None:
    (tmp_path / "falls.py").write_text(SAFE)
    path = write(
        tmp_path,
        {
            "name": "falls",
            "adapter": "falls",
            "python": default_python("process"),
            "worker_profile": "thread",
            "pool_size": 1,
            "threads_per_worker": 1,
        },
    )
    assert doctor(path).returncode == 0
    assert doctor(path, "--strict").returncode == 1


def test_an_invalid_configuration_ends_as_that_of_check_does(
    tmp_path: pathlib.Path,
) -> None:
    path = tmp_path / "c.yaml"
    path.write_text("pools:\n  - name: a\n    pool_sise: 2\n")
    result, checked = doctor(path), run("check", path)
    assert (result.returncode, result.stderr) == (3, checked.stderr)
    error = json.loads(doctor(path, "--json").stdout)["error"]
    assert error["name"] == "INVALID_CONFIG"


# ---- Limits --------------------------------------------------------------------------


def test_limits_that_the_pools_exceed_are_errors(tmp_path: pathlib.Path) -> None:
    path = write(tmp_path, pool(pool_size=20))
    status, found = report(path, preexec_fn=lower_limits)
    assert status == 1
    for name in ("open_files", "file_size", "address_space"):
        assert codes(found, None)[f"limit.{name}"] == "error"
        (told,) = [
            each for each in found["findings"] if each["code"] == f"limit.{name}"
        ]
        assert "ulimit" in told["remedy"] and " at least " in told["remedy"]


@pytest.fixture
def small_groups() -> Iterator[list[Group]]:
    """One core, and 60 processes and threads."""
    made: list[Group] = []
    try:
        if is_version_one("cpu"):
            made.append(Group("cpu", {"cpu.cfs_quota_us": "100000"}))
            made.append(Group("pids", {"pids.max": "60"}))
        else:
            made.append(Group("cpu", {"cpu.max": "100000", "pids.max": "60"}))
        yield made
    except OSError as error:
        pytest.skip(f"needs control groups that limit: {error}")
    finally:
        for group in made:
            group.remove()


def test_what_a_control_group_allows_is_compared_with_what_pools_need(
    tmp_path: pathlib.Path, small_groups: list[Group]
) -> None:
    def join() -> None:
        for group in small_groups:
            group.join()

    path = write(tmp_path, pool(pool_size=20))
    status, found = report(path, preexec_fn=join)
    assert status == 1
    group = found["machine"]["cgroup"]
    assert group["cpu_percent"] == 100 and 40 <= group["tasks_left"] < 60
    assert codes(found, None)["limit.cgroup_tasks"] == "error"
    if found["machine"]["cores"] > 1:
        assert codes(found, None)["quota.exceeded"] == "warning"
    _, found = report(preexec_fn=join)
    if found["machine"]["cores"] > 1:
        assert codes(found, None)["quota.below_cores"] == "warning"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may unmount /proc")
def test_a_machine_without_proc_is_told_so() -> None:
    done = run_without_proc("doctor", env=environment(SNAKEPIT_CACHE="/nowhere"))
    assert done.returncode == 1
    assert "/proc is not mounted" in done.stdout


@pytest.mark.quiet
def test_the_descriptors_that_it_counts_are_those_that_a_pit_has(
    open_pit: Callable[..., Pit], tmp_path: pathlib.Path
) -> None:
    many = pool(pool_size=12)
    _, found = report(write(tmp_path, many))
    needed = found["machine"]["limits"]["open_files"]["needed"]
    before = len(os.listdir("/proc/self/fd"))
    open_pit(many)
    grown = len(os.listdir("/proc/self/fd")) - before
    assert needed - 20 <= grown <= needed


def test_an_import_that_hangs_ends_although_nobody_waits_for_it(
    tmp_path: pathlib.Path,
) -> None:
    begun = tmp_path / "begun"
    (tmp_path / "never_done.py").write_text(
        "import os, pathlib, time\n"
        f"part = pathlib.Path({str(begun)!r} + '.part')\n"
        "part.write_text(str(os.getpid()))\n"
        f"part.rename({str(begun)!r})\n"
        "time.sleep(600)\n"
    )
    path = write(
        tmp_path, {"name": "a", "adapter": "never_done", "start_timeout_ms": 1000}
    )
    command = subprocess.Popen(
        [SNAKEPIT, "doctor", path],
        env=environment(),
        stdout=subprocess.DEVNULL,
    )
    until(begun.exists, 60)
    command.kill()
    command.wait()
    until(lambda: is_gone(int(begun.read_text())), 60)
