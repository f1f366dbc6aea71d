# SPDX-License-Identifier: MIT
"""The key `sandbox`: what a worker may do, and what it may not any more."""

from __future__ import annotations

import ctypes
import os
import pathlib
import resource
import signal
import subprocess

import pytest
from support import Refused, default_python, eventually, pool
from support.places import ADAPTERS

LANDLOCK_CREATE_RULESET = 444
libc = ctypes.CDLL(None, use_errno=True)
LANDLOCK = libc.syscall(LANDLOCK_CREATE_RULESET, None, 0, 1)

needs_landlock = pytest.mark.skipif(LANDLOCK < 1, reason="this kernel has no Landlock")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root changes users")


def confined(kind: str, **keys: object) -> dict:
    return pool(kind, adapter="confined.Confined", **keys)


@pytest.fixture
def secret(tmp_path):
    """A file that the workers have no business with, outside of their own folders."""
    path = tmp_path / "secret"
    path.write_text("x")
    return path


def test_without_a_sandbox_nothing_is_taken(open_pit, kind, secret):
    pit = open_pit(confined(kind))
    assert pit.call("read", {"path": str(secret)}) == "OK"
    assert pit.call("status", {"key": "NoNewPrivs"}) == "0"
    assert pit.call("status", {"key": "Seccomp"}) == open_status("Seccomp")


def open_status(key: str) -> str:
    with open("/proc/self/status") as lines:
        return dict(line.split(":\t", 1) for line in lines)[key].strip()


@needs_landlock
def test_strict_takes_files_calls_and_rights(open_pit, kind, secret):
    pit = open_pit(confined(kind, sandbox="strict"))
    assert pit.call("status", {"key": "NoNewPrivs"}) == "1"
    assert pit.call("status", {"key": "Seccomp"}) == "2"
    assert pit.call("read", {"path": str(secret)}) == "EACCES"
    assert pit.call("write", {"path": str(secret)}) == "EACCES"
    assert pit.call("child", {"path": str(secret)}) == "EACCES"
    assert pit.call("read", {"path": os.__file__}) == "OK"
    assert pit.call("read", {"path": str(ADAPTERS / "confined.py")}) == "OK"
    assert pit.call("write", {"path": "/dev/null"}) == "OK"
    assert pit.call("mount") == "EPERM"
    assert pit.call("unshare") == "EPERM"
    assert pit.call("ptrace", {"pid": os.getpid()}) == "EPERM"
    assert pit.call("limit", {"pid": os.getpid()}) == "EPERM"
    assert pit.call("limit", {"pid": 0}) == "OK"
    assert pit.call("thread") == "OK"
    if LANDLOCK >= 6:
        assert pit.call("signal", {"pid": os.getpid()}) == "EPERM"


@needs_landlock
def test_listed_paths_are_readable_and_marked_ones_writable(
    open_pit, profile, tmp_path
):
    for name in ("in", "out", "other"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("x")
    paths = [str(tmp_path / "in"), f"{tmp_path / 'out'}:rw"]
    pit = open_pit(confined(profile, sandbox={"landlock": paths}))
    attempts = {
        name: [
            pit.call(way, {"path": str(tmp_path / name / "file")})
            for way in ("read", "write")
        ]
        for name in ("in", "out", "other")
    }
    assert attempts == {
        "in": ["OK", "EACCES"],
        "out": ["OK", "OK"],
        "other": ["EACCES", "EACCES"],
    }


@needs_landlock
@needs_root
def test_a_folder_to_write_to_is_none_for_devices(open_pit, profile, tmp_path):
    pit = open_pit(confined(profile, sandbox={"landlock": [f"{tmp_path}:rw"]}))
    assert pit.call("write", {"path": str(tmp_path / "file")}) == "OK"
    assert pit.call("device", {"path": str(tmp_path / "null")}) == "EACCES"


# What of root's capabilities changes the machine: SYS_ADMIN, SYS_PTRACE, SYS_RAWIO,
# SYS_MODULE, SYS_BOOT, SYS_TIME, MKNOD, SYSLOG, PERFMON.
MACHINE = sum(1 << number for number in (21, 19, 17, 16, 22, 25, 27, 34, 38))


@needs_root
def test_a_filter_of_calls_takes_what_root_may_do_to_the_machine(open_pit, kind):
    pit = open_pit(confined(kind, sandbox={"seccomp": "default"}))
    for tool in ("status", "status_of_child"):
        assert int(pit.call(tool, {"key": "CapEff"}), 16) & MACHINE == 0


@needs_landlock
def test_a_configuration_in_the_root_folder_does_not_open_every_file(
    open_pit, kind, secret, monkeypatch
):
    monkeypatch.chdir("/")
    pit = open_pit(confined(kind, sandbox="strict"))
    assert pit.call("read", {"path": str(secret)}) == "EACCES"


@pytest.mark.errors_logged("pool.failed")
def test_a_thread_that_was_there_first_is_refused(open_pit, profile, tmp_path):
    """The kernel would leave it the rights that the others lose."""
    (tmp_path / "sitecustomize.py").write_text(
        "import threading, time\n"
        "threading.Thread(target=time.sleep, args=(60,), daemon=True).start()\n"
    )
    pit = open_pit(
        confined(
            profile,
            sandbox={"no_new_privs": True},
            adapter_env={"PYTHONPATH": f"{tmp_path}:{ADAPTERS}"},
        ),
        ready=False,
    )
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    assert "sandbox: something has started 1 more thread" in str(refused.value)


def test_seccomp_alone_leaves_files_alone(open_pit, kind, secret):
    pit = open_pit(confined(kind, sandbox={"seccomp": "default"}))
    assert pit.call("read", {"path": str(secret)}) == "OK"
    assert pit.call("mount") == "EPERM"
    assert pit.call("thread") == "OK"


@needs_landlock
def test_a_replacement_is_in_the_same_sandbox(open_pit, profile, secret):
    pit = open_pit(confined(profile, sandbox="strict", pool_size=1))
    before = pit.workers()[0]
    os.kill(before.pid, signal.SIGKILL)
    eventually(lambda: [row.id for row in pit.workers() if row.id != before.id])
    assert pit.call("read", {"path": str(secret)}) == "EACCES"


def can_be_used_by_others(python: str) -> bool:
    """Whether another user may read this interpreter, the bridge and the adapters."""
    script = "import snakepit_bridge._runtime, confined"
    try:
        done = subprocess.run(
            [python, "-c", script],
            user=65534,
            group=65533,
            cwd="/",
            capture_output=True,
        )
    except PermissionError:
        return False
    return done.returncode == 0


@needs_root
def test_workers_run_as_the_user_that_is_named(open_pit, kind):
    if not can_be_used_by_others(default_python(kind)):
        pytest.skip("the interpreter or the checkout is its owner's alone")
    sandbox = {"uid": "65534:65533", "seccomp": "default"}
    pit = open_pit(confined(kind, sandbox=sandbox))
    assert pit.call("user") == [65534, 65533, 65533]
    pit.close()
    assert not pit.logged("worker.killed")


@pytest.mark.errors_logged("pool.failed")
@needs_root
@pytest.mark.parametrize("template", ["auto", "off"])
def test_an_interpreter_that_the_user_cannot_read_is_named(
    open_pit, tmp_path, template
):
    """Else its modules are missing one by one, and seem to want installing."""
    home = tmp_path / "home"
    library = home / "lib" / os.path.basename(os.path.dirname(os.__file__))
    library.parent.mkdir(parents=True)
    library.symlink_to(os.path.dirname(os.__file__))
    home.chmod(0o700)
    tmp_path.chmod(0o755)
    places = [os.environ["PYTHONPATH"], os.path.dirname(snakepit_bridge_folder())]
    pit = open_pit(
        confined(
            "process",
            template=template,
            sandbox={"uid": "65534:65533"},
            adapter_env={"PYTHONHOME": str(home), "PYTHONPATH": ":".join(places)},
        ),
        ready=False,
    )
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    said = f"sandbox.uid: user 65534:65533 cannot read {library}"
    assert (refused.value.err, said in str(refused.value)) == ("POOL_FAILED", True)
    assert " keeps them out; let them read and pass it (chmod o+rx)" in str(
        refused.value
    )
    assert "pip install" not in str(refused.value)


@pytest.mark.errors_logged("pool.failed")
@needs_root
@pytest.mark.parametrize("template", ["auto", "off"])
def test_a_worker_that_may_have_one_thread_only_names_the_limit(open_pit, template):
    """Root may have any number, so the host is not concerned."""
    if not can_be_used_by_others(default_python("process")):
        pytest.skip("the interpreter or the checkout is its owner's alone")
    before = resource.getrlimit(resource.RLIMIT_NPROC)
    resource.setrlimit(resource.RLIMIT_NPROC, (1, before[1]))
    try:
        pit = open_pit(
            confined(
                "process",
                template=template,
                sandbox={"uid": "65534:65533"},
                restart_backoff_max_ms=50,
            ),
            ready=False,
        )
        with pytest.raises(Refused) as refused:
            pit.await_ready()
    finally:
        resource.setrlimit(resource.RLIMIT_NPROC, before)
    assert (
        "pthread_create of the thread that hears the host: Resource temporarily "
        "unavailable (EAGAIN); raise the limit of processes and threads (ulimit -u, "
        "LimitNPROC=, TasksMax=), which is 1"
    ) in str(refused.value)


def snakepit_bridge_folder() -> str:
    """Of the ordinary interpreter, which runs these tests."""
    import importlib.util

    found = importlib.util.find_spec("snakepit_bridge")
    assert found is not None and found.origin is not None
    return os.path.dirname(found.origin)


@pytest.mark.errors_logged("pool.failed")
@needs_landlock
def test_a_path_that_does_not_exist_fails_the_pool_by_name(open_pit, kind):
    pit = open_pit(
        confined(kind, sandbox={"landlock": ["/srv/nowhere/at-all"]}), ready=False
    )
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    assert refused.value.err == "POOL_FAILED"
    assert "sandbox.landlock: /srv/nowhere/at-all does not exist" in str(refused.value)


@pytest.mark.errors_logged("pool.failed")
@needs_landlock
def test_a_path_of_two_lines_is_shown_whole(open_pit):
    """The reason that is told first is a line."""
    sandbox = {"landlock": ["/srv/no\nsuch place"]}
    pit = open_pit(confined("process", sandbox=sandbox), ready=False)
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    said = "sandbox.landlock: '/srv/no\\nsuch place' does not exist"
    assert said in str(refused.value)


@pytest.mark.errors_logged("pool.failed")
def test_a_user_that_does_not_exist_fails_the_pool_by_name(open_pit, kind):
    pit = open_pit(confined(kind, sandbox={"uid": "nobody-of-that-name"}), ready=False)
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    assert refused.value.err == "POOL_FAILED"
    assert "sandbox.uid: this machine has no user 'nobody-of-that-name'" in str(
        refused.value
    )


@pytest.mark.errors_logged("pool.failed")
@pytest.mark.parametrize(
    ("uid", "wrong"),
    [
        ("4294967296", "4294967296 is not a user"),  # 0, if only 32 bits are looked at
        ("4294967295", "4294967295 is not a user"),  # leaves the user as it is
        ("65534:4294967296", "4294967296 is not a group"),
        ("9" * 30, f"{'9' * 30} is not a user"),
    ],
)
def test_a_number_that_is_no_user_fails_the_pool_by_name(open_pit, uid, wrong):
    pit = open_pit(confined("process", sandbox={"uid": uid}), ready=False)
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    assert refused.value.err == "POOL_FAILED"
    assert f"sandbox.uid: {wrong}" in str(refused.value)


# ---- Control groups of version 2 ----------------------------------------------------

LIMITS = {
    "memory_max": ("1GiB", "memory.max", "1073741824"),
    "cpu_max": (50, "cpu.max", "50000 100000"),
}


@pytest.mark.parametrize("key", LIMITS)
def test_limits_hold_or_are_refused_with_a_remedy(open_pit, kind, key):
    """Few machines delegate a control group to a test: mostly this is the refusal."""
    value, file, text = LIMITS[key]
    try:
        pit = open_pit(confined(kind, sandbox={key: value}))
    except Refused as refused:
        assert refused.err == "UNSUPPORTED"
        assert f'pool "default": sandbox.{key}: ' in str(refused)
        assert "Delegate=memory cpu" in str(refused)
        return
    assert pit.call("own_group", {"file": file}) == text


NOT_SAID = "died; the kernel has not said how"


@pytest.fixture
def open_limited(open_pit):
    """Opens a pit whose pools limit what their workers use, where that can be."""

    def open_one(*pools: dict, **options: object):
        try:
            return open_pit(*pools, **options)
        except Refused as refused:
            if refused.err != "UNSUPPORTED":
                raise
            pytest.skip("no control group is delegated to this; tools/try-vm has one")

    return open_one


def groups_left() -> list[str]:
    """What this process has made beside its own group."""
    with open("/proc/self/cgroup") as lines:
        own = next(line[3:].strip() for line in lines if line.startswith("0::"))
    parent = pathlib.Path("/sys/fs/cgroup" + os.path.dirname(own))
    return [path.name for path in parent.glob(f"snakepit-{os.getpid()}-*")]


@pytest.mark.parametrize("template", ["auto", "off"])
def test_a_worker_that_needs_more_than_its_memory_is_told_as_that(
    open_limited, template
):
    """The kernel kills it, and only it."""
    sandbox = {"memory_max": "256MiB"}
    pit = open_limited(confined("process", sandbox=sandbox, template=template))
    said: list[str] = []
    while len(said) < 3 and (not said or said[-1] == NOT_SAID):
        said.append(pit.fails("fill", {"mib": 1024}).cause)
    assert said[-1] == "killed by the kernel: out of memory"
    assert pit.call("fill", {"mib": 1}) == 1 << 20
    assert len(groups_left()) == (2 if template == "auto" else 1)
    pit.close()
    assert groups_left() == []


def test_a_kill_by_somebody_is_no_want_of_memory(open_limited):
    pit = open_limited(pool("process", sandbox={"memory_max": "1GiB"}))
    assert pit.fails("die").cause in ("killed by signal 9 (SIGKILL)", NOT_SAID)


def test_each_pool_has_a_group_for_its_template(open_limited):
    """Also where another pit of the process is open."""
    sandbox = {"memory_max": "1GiB", "cpu_max": 200}
    pools = [confined("process", name=name, sandbox=sandbox) for name in "ab"]
    pits = [open_limited(*pools), open_limited(*pools)]
    for pit in pits:
        for name in "ab":
            text = pit.call("own_group", {"file": "memory.max"}, pool=name)
            assert text == str(1 << 30)
    assert len(groups_left()) == 8
    for pit in pits:
        pit.close()
    assert groups_left() == []
