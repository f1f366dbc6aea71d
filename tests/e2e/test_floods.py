# SPDX-License-Identifier: MIT
"""A worker that says something for ever takes no core of its host.

What a flood costs is measured as the processor time of the host, which other load on
the machine does not change, against the time that the flood lasts.
"""

from __future__ import annotations

import pytest
from support import eventually, pool

SECONDS = 2
SHARE = 0.25  # of a core; without a budget it is 0.5 to 1


def floods(profile):
    return pool(profile, adapter="floods:Floods")


def cpu_of(host):
    return host.ask("usage")["cpu"]


@pytest.fixture
def quiet(start_host, profile):
    """A host whose log is read by nobody, so that only its own work counts."""
    host = start_host(floods(profile), top={"listens": None})
    host.open()
    return host


@pytest.mark.parametrize("what", ["blocks", "lines", "ends of lines", "no text"])
def test_a_flood_of_output_takes_no_core(quiet, what):
    before = cpu_of(quiet)
    assert quiet.call("flood", what=what, seconds=SECONDS)["err"] == "OK"
    assert cpu_of(quiet) - before < SHARE * SECONDS
    assert quiet.call("ping")["value"] == "pong"


def test_a_flood_of_output_is_told_once(open_pit, profile):
    pit = open_pit(floods(profile))
    pit.call("flood", {"what": "blocks", "seconds": SECONDS})
    assert len(pit.logged("worker.output_dropped")) == 1
    assert len(pit.logged("worker.output_slowed")) <= 1
    # What the host reads for the tail is not what it logs.
    fault = pit.fails("last_words", {"text": "the end"})
    assert fault.last_output.endswith("the end\n")
    eventually(lambda: len(pit.logged("worker.output_dropped")) == 2)


@pytest.mark.parametrize("what", ["pong", "events", "ready", "hello"])
def test_a_flood_of_messages_ends_the_worker(open_pit, profile, what):
    pit = open_pit(floods(profile))
    fault = pit.fails("flood_channel", {"what": what, "seconds": 60})
    assert fault.err == "PROTOCOL", "a call that does this is not to be sent again"
    assert pit.stats().violations == 1
    reasons = (
        "more messages than there is a reason for",
        "greeting made no sense",
        "said twice that it is ready",
    )
    assert any(reason in fault.cause for reason in reasons)
    assert pit.call("ping") == "pong"


@pytest.mark.parametrize("size", [3000, 15000])
def test_a_flood_of_events_is_dropped_and_ends_no_worker(open_pit, profile, size):
    pit = open_pit(floods(profile))
    before = pit.workers()[0].id
    pit.call("flood_events", {"size": size, "seconds": 1})
    assert not pit.logged("worker.kill")
    assert pit.workers()[0].id == before


def test_a_bell_that_rings_for_nothing_is_heard_no_more(open_pit, profile):
    pit = open_pit(floods(profile))
    flood = pit.submit("flood_bell", {"seconds": 3})
    eventually(lambda: pit.logged("worker.bell_ignored"), within=60)
    assert flood.ended.wait(60) and flood.value > 0
    later = pit.submit("ping")
    assert later.ended.wait(60) and later.value == "pong", "the tick finds what ended"
    assert len(pit.logged("worker.bell_ignored")) == 1
