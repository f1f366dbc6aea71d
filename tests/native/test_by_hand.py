# SPDX-License-Identifier: MIT
"""The extension where no host has started the process, or the host is gone: it says so,
and refuses what it is given wrongly.
"""

import subprocess
import sys
import textwrap

import pytest
from snakepit_bridge import _runtime

HOSTED = {
    "register": ("tool", print),
    "set_fallback": (None,),
    "set_formatter": (None,),
    "set_on_cancel": (None,),
    "set_refusal": (None,),
    "set_hinter": (None,),
    "set_explainer": (None,),
    "set_finisher": (None,),
    "set_streams": (None, int),
    "set_context": (None, None),
    "greet": (),
    "ready": ({},),
    "failed": ("ValueError", "text", "traceback"),
    "unforkable": ("reason",),
    "run": (0,),
    "emit": ({},),
    "gil_returned": (),
    "lost_descriptors": (),
    "stop_at": (15, KeyboardInterrupt),
    "leave_requests": (),
    "interrupt": (),
}


@pytest.mark.parametrize("name", HOSTED)
def test_what_speaks_to_the_host_needs_one(name):
    with pytest.raises(RuntimeError, match=r"attach\(\) comes first"):
        getattr(_runtime, name)(*HOSTED[name])


WRONG = [
    ("ask", (), TypeError, "a name and a dict"),
    ("ask", ("name", 5), TypeError, "a name and a dict"),
    ("ask", ("name", {}), RuntimeError, "runs no call of the host"),
    ("failed", (1, 2, 3), TypeError, "must be str"),
    ("set_on_unserialisable", ("nothing",), ValueError, "not 'nothing'"),
    ("set_tensors", (5, None), TypeError, "must be str"),
    ("set_tensors", ("nothing", None), ValueError, "not nothing"),
    ("empty", (), TypeError, "shape"),
    ("empty", ((2, 3),), RuntimeError, "in a Snakepit worker only"),
    ("address", (5,), TypeError, "bytes-like"),
    ("set_reopened", (["a"],), TypeError, "int"),
    ("restrict_files", ((), ()), TypeError, "must be list"),
    ("restrict_files", ([b"/missing"], []), FileNotFoundError, "/missing"),
    ("restrict_files", ([b"/"], ["/"]), TypeError, "bytes"),
    ("become", (0, 0, ()), TypeError, "must be list"),
    ("become", (0, 0, ["a"]), TypeError, "int"),
    ("become", (0, 0, [0] * 257), ValueError, "257 groups, at most 256"),
]


@pytest.mark.parametrize(("name", "given", "error", "said"), WRONG)
def test_what_is_given_wrongly_is_refused(name, given, error, said):
    with pytest.raises(error, match=said):
        getattr(_runtime, name)(*given)


def test_a_process_can_be_looked_at_without_a_host():
    assert _runtime.threads() >= 1
    assert _runtime.can_fork() is True
    assert _runtime.runs_call() is False
    assert _runtime.address(b"text") > 0
    assert _runtime.set_reopened([]) is None


START = """
import ctypes, os, socket
from snakepit_bridge import _runtime

C = ctypes.CDLL(None, use_errno=True)
os.closerange(3, 20)
def at_three(descriptor):
    if descriptor != 3:
        os.dup2(descriptor, 3)
        os.close(descriptor)
def sockets():
    ends = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return [end.detach() for end in ends]
"""


def run(program):
    """What a process of its own says, whose first free descriptor is 3."""
    return subprocess.run(
        [sys.executable, "-c", START + textwrap.dedent(program)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


# As the kernel counts, for a program that may have come without them.
NO_RIGHTS = "assert C.capset(b'\\x22\\x05\\x08\\x20' + bytes(4), bytes(24)) == 0"

ENDS = {
    "nothing is inherited": ("_runtime.attach()", "there is no control segment"),
    "an empty file": (
        "at_three(os.memfd_create('a'))\n_runtime.attach()",
        "there is no control segment; a worker is started by its host, not by hand",
    ),
    "a segment of nothing": (
        "at_three(os.memfd_create('a'))\nos.truncate(3, 1 << 16)\n_runtime.attach()",
        "the control segment is not one of this version",
    ),
    "a template without a host": (
        "near, far = sockets()\nos.close(far)\nat_three(near)\n"
        "_runtime.attach_template()",
        "the host is gone or sent no configuration",
    ),
    "a template with another message": (
        "near, far = sockets()\nat_three(near)\nos.write(far, b'what is this?')\n"
        "_runtime.attach_template()",
        "the host is gone or sent no configuration",
    ),
    "no rights to be another": (
        f"{NO_RIGHTS}\n_runtime.become(0, 0, [0])",
        "PermissionError: [Errno 1] setgroups: Operation not permitted",
    ),
}


@pytest.mark.parametrize("what", ENDS)
def test_a_start_by_hand_is_refused(what):
    program, said = ENDS[what]
    done = run(program)
    assert done.returncode == 1
    assert said in done.stderr


def test_a_template_whose_host_is_gone_ends_without_a_word():
    done = run("near, far = sockets()\nos.close(far)\nat_three(near)\n_runtime.fork()")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_restrictions_are_the_processs_own():
    done = run(f"""
        {NO_RIGHTS}
        _runtime.no_new_privs()
        _runtime.restrict_calls()
        print(C.mount(None, None, None, 0, None), ctypes.get_errno())
    """)
    assert done.stdout.split() == ["-1", "1"], done.stderr


def test_a_refused_worker_handles_no_fault():
    done = run("""
        def caught():
            return [line for line in open("/proc/self/status") if "SigCgt" in line]
        before = caught()
        try:
            _runtime.ready({})
        except RuntimeError:
            print(caught() == before)
    """)
    assert done.stdout == "True\n", done.stderr
