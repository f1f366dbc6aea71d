# SPDX-License-Identifier: MIT
"""Which calls an executor runs as one, and what it stops when they are given up."""

import threading
import time

import pytest

LONG_US = 60_000_000  # that nothing waits for in vain here
SESSION, STREAM = 1, 2  # the size of one, the kind of the other


@pytest.fixture
def ring(batch_module):
    batch_module.reset()
    batch_module.register("embed", 4, 0)
    batch_module.register("rank", 3, LONG_US)
    batch_module.register("plain", 0, 0)
    return batch_module


def put(ring, *names):
    for name in names:
        ring.put(name)


# ---- What is taken -------------------------------------------------------------------


def test_calls_of_one_tool_are_taken_together(ring):
    put(ring, "embed", "embed", "embed")
    assert ring.take() == [0, 1, 2]
    assert ring.take() == []


def test_no_more_than_it_takes_at_once(ring):
    put(ring, *["embed"] * 6)
    assert ring.take() == [0, 1, 2, 3]
    assert ring.take() == [4, 5]


def test_a_call_of_another_tool_ends_them_and_stays(ring):
    put(ring, "embed", "embed", "plain", "embed", "rank", "rank", "rank")
    assert [ring.take() for _ in range(5)] == [[0, 1], [2], [3], [4, 5, 6], []]


def test_tools_that_take_one_take_one(ring):
    put(ring, "plain", "plain", "unknown", "unknown")
    assert [ring.take() for _ in range(4)] == [[0], [1], [2], [3]]


def test_a_name_that_begins_alike_is_another(ring):
    put(ring, "embed", "embe", "embed", "embedded")
    assert [ring.take() for _ in range(4)] == [[0], [1], [2], [3]]


def test_a_session_and_a_stream_are_alone(ring):
    ring.put("embed", SESSION)
    ring.put("embed", SESSION)
    ring.put("embed", 0, STREAM)
    ring.put("embed")
    ring.put("embed", 0, STREAM)
    assert [ring.take() for _ in range(5)] == [[0], [1], [2], [3], [4]]


def test_the_ring_goes_round(ring):
    for _ in range(10):
        put(ring, "embed", "embed", "embed")
        first, second, third = ring.take()
        assert (second - first) % 16 == (third - second) % 16 == 1


# ---- Waiting -------------------------------------------------------------------------


def gather(ring):
    """A thread that takes; what it took when it has ended; and it waits."""
    taken = []
    thread = threading.Thread(target=lambda: taken.append(ring.take()))
    thread.start()
    until = time.monotonic() + 60
    while not ring.searching():
        assert time.monotonic() < until
    return thread, taken


def test_it_waits_for_as_many_as_it_takes_and_nobody_else_is_woken(ring):
    ring.put("rank")
    thread, taken = gather(ring)
    put(ring, "rank", "rank")
    thread.join(60)
    assert taken == [[0, 1, 2]]
    assert ring.searching() == 0


def test_it_waits_no_longer_for_what_it_does_not_take(ring):
    ring.put("rank")
    thread, taken = gather(ring)
    put(ring, "plain")
    thread.join(60)
    assert taken == [[0]]
    assert ring.take() == [1]


def test_a_worker_that_leaves_waits_no_longer(ring):
    ring.put("rank")
    thread, taken = gather(ring)
    ring.leave()
    thread.join(60)
    assert taken == [[0]]


def test_no_call_waits_for_more_than_half_of_its_time(ring):
    ring.put("rank", 0, 0, 200)
    begun = time.monotonic()
    assert ring.take() == [0]
    assert time.monotonic() - begun >= 0.05
    # Nor for one that came first.
    ring.put("rank")
    ring.put("rank", 0, 0, 1)
    assert ring.take() == [1, 2]


# ---- Given up ------------------------------------------------------------------------


def run(ring):
    """Three calls, due in 5, 90 and 30 seconds."""
    for seconds in (5, 90, 30):
        ring.put("embed", 0, 0, seconds * 1000)
    assert ring.take() == [0, 1, 2]
    ring.run()


def test_it_is_stopped_once_nobody_wants_it(ring):
    run(ring)
    assert ring.give_up(1) is None
    assert ring.give_up(0) is None
    assert ring.give_up(2) == 0  # by the number of the first


def test_a_call_that_is_in_no_batch_is_stopped_itself(ring):
    run(ring)
    assert ring.give_up(ring.put("plain")) == 3
    ring.end()
    assert ring.give_up(1) == 1


def test_its_time_is_the_last_ones(ring):
    run(ring)
    assert [ring.is_due_with(slot) for slot in range(3)] == [False, True, False]


def test_it_asks_in_the_name_of_the_first_that_is_wanted(ring):
    run(ring)
    assert ring.speaker() == 0
    ring.give_up(0)
    assert ring.speaker() == 1
    ring.give_up(1)
    ring.give_up(2)
    assert ring.speaker() == 0
