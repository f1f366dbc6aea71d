# SPDX-License-Identifier: MIT
"""What workers hand on to the processes that their tools start."""

from __future__ import annotations

import os
import signal

import pytest
from support import pool, template_of


@pytest.fixture
def open_dispositions(open_pit, kind):
    def open_one(**options):
        return open_pit(pool(kind, adapter="dispositions.Dispositions", **options))

    return open_one


# ---- SIGINT --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("program", "status"), [("python", 9), ("shell", 8), ("default", -signal.SIGINT)]
)
@pytest.mark.parametrize("template", ["auto", "off"])
def test_children_of_tools_can_be_interrupted(
    open_dispositions, program, status, template
):
    pit = open_dispositions(template=template)
    assert pit.call("interrupt_child", {"program": program}) == status
    assert pit.call("interrupt_fork") == 9
    assert signal.SIGINT not in pit.call("ignored")


def test_python_can_interrupt_itself(open_dispositions):
    pit = open_dispositions()
    (row,) = pit.workers()
    for _ in range(5):
        assert pit.call("interrupt_main") == "KeyboardInterrupt"
    assert [other.pid for other in pit.workers()] == [row.pid]
    pit.close()
    (line,) = pit.logged("worker.exit")
    assert "code=0 expected=yes" in line


def test_workers_do_not_heed_ctrl_c(open_dispositions):
    pit = open_dispositions()
    (row,) = pit.workers()
    for _ in range(3):
        os.kill(row.pid, signal.SIGINT)
        assert pit.call("interrupt_child", {"program": "default"}) == -signal.SIGINT
    assert [other.pid for other in pit.workers()] == [row.pid]


# ---- When memory runs out ------------------------------------------------------------


@pytest.mark.parametrize(("wanted", "found"), [(None, 500), (0, 0), (731, 731)])
@pytest.mark.parametrize("template", ["auto", "off"])
def test_workers_are_killed_before_their_host(
    open_dispositions, wanted, found, template
):
    with open("/proc/self/oom_score_adj") as file:
        own = int(file.read())
    pit = open_dispositions(oom_score_adj=wanted, template=template)
    least = max(found, own)
    assert pit.call("score") == [least, least]
    forks = template_of(pit)
    if forks is not None:
        with open(f"/proc/{forks.pid}/oom_score_adj") as file:
            assert int(file.read()) == least


def test_a_host_with_a_higher_score_keeps_it(start_host):
    def be_likely():
        with open("/proc/self/oom_score_adj", "w") as file:
            file.write("900")

    host = start_host(
        pool("process", adapter="dispositions.Dispositions"), before=be_likely
    )
    host.open()
    assert host.call("score")["value"] == [900, 900]
    assert host.end() == 0
