# SPDX-License-Identifier: MIT
"""Takes from a worker what its pool's key `sandbox` takes, before user code runs.

Nothing of it can be undone, and what the worker starts or forks inherits it. The user
comes first, because only root may change it; then files; then system calls.
"""

from __future__ import annotations

import errno
import os
import sys
from typing import Any

from . import runtime, search_path
from .configuration import Configuration
from .texts import shown

WRITABLE_MARK = ":rw"

# What every Python program reads, beside Python itself.
READABLE = (
    "/bin",
    "/etc",
    "/lib",
    "/lib32",
    "/lib64",
    "/libx32",
    "/proc",
    "/sbin",
    "/sys/devices/system",
    "/usr",
    "/dev/random",
    "/dev/urandom",
)
WRITABLE = ("/dev/full", "/dev/null", "/dev/zero")

# The kernel's numbers of users and groups have 32 bits, and the last means "as it is".
LAST_ID = 2**32 - 2


class SandboxError(RuntimeError):
    """The kernel or the machine cannot do what `sandbox` asks for."""


def apply(settings: Configuration) -> None:
    """Takes all that the pool wants taken. Main thread, before there is another.

    Raises SandboxError, which names the key and the remedy.
    """
    wanted = settings.sandbox
    check_threads()
    if "uid" in wanted:
        become(wanted["uid"])
    if wanted.get("no_new_privs"):
        runtime.native.no_new_privs()
    if "landlock" in wanted:
        restrict_files(settings, wanted["landlock"])
    if wanted.get("seccomp") == "default":
        restrict_calls()


def check_threads() -> None:
    """Refuses a process that has a second thread: the kernel would leave it its rights.

    Such a thread comes from `sitecustomize`, a `.pth` file or a preloaded library.
    """
    count = runtime.native.threads()
    if count > 1:
        raise SandboxError(
            f"sandbox: something has started {count - 1} more thread(s) before the "
            "worker could give its rights up, which would keep theirs; look into "
            "sitecustomize.py, .pth files and LD_PRELOAD"
        )


# ---- The user ------------------------------------------------------------------------


def become(text: str) -> None:
    """Changes the user of this process, with his groups, for good."""
    uid, gid, groups = identity(text)
    try:
        runtime.native.become(uid, gid, groups)
    except OSError as error:
        raise SandboxError(
            f"sandbox.uid: the worker may not become {shown(text)} "
            f"({error.strerror}); run the host as root, or leave the key out"
        ) from None
    check_python(text)


def check_python(user: str) -> None:
    """Refuses an interpreter that the user of this process cannot read: its modules
    would be missing, one by one.
    """
    package = os.path.dirname(os.path.abspath(__file__))
    for folder in (*search_path.own(), package):
        barrier = search_path.barrier(folder)
        if barrier:
            raise SandboxError(
                f"sandbox.uid: user {shown(user)} cannot read {shown(folder)}, which "
                f"the interpreter {shown(sys.executable)} needs, for {shown(barrier)} "
                "keeps them out; let them read and pass it (chmod o+rx), or name by "
                "`python:` an interpreter that they can read"
            )


def identity(text: str) -> tuple[int, int, list[int]]:
    """User, group and supplementary groups of `USER` or `USER:GROUP`."""
    import grp
    import pwd

    user, _, group = text.partition(":")
    entry = find(user, pwd.getpwnam, pwd.getpwuid, "user")
    uid = entry.pw_uid if entry else int(user)
    gid = entry.pw_gid if entry else uid
    if group:
        named = find(group, grp.getgrnam, grp.getgrgid, "group")
        gid = named.gr_gid if named else int(group)
    groups = os.getgrouplist(entry.pw_name, gid) if entry and not group else [gid]
    return uid, gid, groups


def find(word: str, by_name: Any, by_number: Any, kind: str) -> Any:
    """The entry of a name or number; None for a number that has none."""
    if word.isdecimal():
        if int(word) > LAST_ID:
            raise SandboxError(
                f"sandbox.uid: {word} is not a {kind}: their numbers end at {LAST_ID}"
            )
        try:
            return by_number(int(word))
        except KeyError:
            return None
    try:
        return by_name(word)
    except KeyError:
        raise SandboxError(
            f"sandbox.uid: this machine has no {kind} {word!r}; name one that it has, "
            "or use a number"
        ) from None


# ---- Files ---------------------------------------------------------------------------


def restrict_files(settings: Configuration, listed: list[str]) -> None:
    """Leaves this process the files that Python needs and those that are listed."""
    readable, writable = own_paths(settings)
    for item in listed:
        name = item[: -len(WRITABLE_MARK)] if item.endswith(WRITABLE_MARK) else item
        path = os.path.join(settings.paths[0] if settings.paths else "", name)
        if not os.path.exists(path):
            raise SandboxError(f"sandbox.landlock: {shown(path)} does not exist")
        (writable if item.endswith(WRITABLE_MARK) else readable).add(path)
    try:
        runtime.native.restrict_files(encoded(readable), encoded(writable))
    except OSError as error:
        if error.errno in (errno.ENOSYS, errno.EOPNOTSUPP):
            remedy = "it needs Linux 5.13 and `landlock` in the boot parameter `lsm=`"
        else:
            remedy = "leave the key out if that cannot be mended"
        raise SandboxError(
            f"sandbox.landlock: files cannot be restricted ({reason_of(error)}); "
            f"{remedy}"
        ) from None


def own_paths(settings: Configuration) -> tuple[set[str], set[str]]:
    """What Python, the bridge and the adapter read, and what anybody may write."""
    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    resources = [path for path, _ in settings.preload_resources]
    libraries = os.environ.get("LD_LIBRARY_PATH", "").split(":")
    wanted = [
        *READABLE,
        sys.prefix,
        sys.exec_prefix,
        sys.base_prefix,
        sys.base_exec_prefix,
        os.path.dirname(os.path.realpath(sys.executable)),
        package,
        *filter(None, sys.path),
        *filter(None, libraries),
        *settings.paths,
        *resources,
    ]
    return set(filter(is_there, wanted)), set(filter(is_there, WRITABLE))


def is_there(path: str) -> bool:
    """Whether this user can see the path at all; what he cannot see he cannot read.

    The root folder would be everything: it is where a daemon happens to be, and whoever
    means it lists it.
    """
    return os.path.exists(path) and os.path.realpath(path) != "/"


def encoded(paths: set[str]) -> list[bytes]:
    """As the kernel takes them."""
    return [os.fsencode(path) for path in sorted(paths)]


# ---- System calls --------------------------------------------------------------------


def restrict_calls() -> None:
    """Has the kernel refuse the system calls that change the machine."""
    try:
        runtime.native.restrict_calls()
    except OSError as error:
        raise SandboxError(
            f"sandbox.seccomp: system calls cannot be restricted ({reason_of(error)}); "
            "the kernel needs CONFIG_SECCOMP_FILTER, or leave the key out"
        ) from None


def reason_of(error: OSError) -> str:
    """What the kernel said, with the path if there is one."""
    where = f"{shown(os.fsdecode(error.filename))}: " if error.filename else ""
    return f"{where}{error.strerror}"
