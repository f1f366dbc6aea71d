# SPDX-License-Identifier: MIT
"""Lessons 33, 35 and 36: where one may listen; values; thread counts of workers."""

from __future__ import annotations

import json
import os
import re

import pytest
from support import THREADS, Pit, Refused, default_python, pool
from support.places import ROOT

SCHEMA = json.loads((ROOT / "docs/snakepit.schema.json").read_text())
THREAD_VARIABLES = [
    "OPENBLAS_NUM_THREADS",
    "OMP_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
]
CORES = len(os.sched_getaffinity(0))


def refused(*pools, text=None, **top):
    """Why a configuration is refused."""
    with pytest.raises(Refused) as found:
        Pit.open(*pools, text=text, **top).close()
    assert found.value.err == "INVALID_CONFIG"
    return found.value.why


# ---- 35: explicit values -------------------------------------------------------------


def test_lesson_35_max_queue_zero_lets_nobody_wait(open_pit, tmp_path):
    pit = open_pit(pool(max_queue=0, prefetch=0))
    call = pit.submit("until_cancelled")
    assert pit.fails("ping").err == "SATURATED"
    pit.cancel(call)
    call.wait()


def test_lesson_35_call_timeout_zero_is_no_limit(open_pit):
    pit = open_pit(pool(call_timeout_ms=0))
    assert pit.call("call_info")["deadline"] is None


def test_lesson_35_pooling_disabled_starts_nothing(open_pit):
    pit = open_pit(pool(), pooling_enabled=False)
    assert pit.pool_names() == []
    assert pit.fails("ping").err == "UNKNOWN_POOL"
    with pytest.raises(Refused, match="UNKNOWN_POOL"):
        pit.submit("ping")


def test_lesson_35_prefetch_zero_hands_nothing_over_in_advance(open_pit):
    pit = open_pit(pool(prefetch=0))
    for _ in range(100):
        pit.call("ping")
    call = pit.submit("until_cancelled")
    waiting = pit.submit("ping")
    assert (pit.stats().running, pit.stats().waiting) == (1, 1)
    pit.cancel(call)
    assert waiting.wait().value == "pong"
    call.wait()


def test_lesson_35_empty_values_are_not_the_default(open_pit):
    pit = open_pit(
        pool(
            adapter_env={"OMP_NUM_THREADS": "", "EMPTY": ""},
            adapter_args=[],
            adapter_config={},
        )
    )
    found = pit.call("environment", {"names": ["OMP_NUM_THREADS", "EMPTY"]})
    assert found == {"OMP_NUM_THREADS": "", "EMPTY": ""}
    assert pit.call("surroundings")["config"] == {}


def test_lesson_35_false_and_zero_reach_the_adapter(open_pit):
    config = {"flag": False, "zero": 0, "empty": "", "nothing": None, "list": []}
    pit = open_pit(pool(adapter_config=config))
    assert pit.call("surroundings")["config"] == config


def test_lesson_35_stop_grace_zero_stops_at_once(open_pit, tmp_path):
    config = {"heard": str(tmp_path / "heard"), "deaf": True}
    pit = open_pit(
        pool(adapter="starts.Lingers", adapter_config=config, stop_grace_ms=0)
    )
    workers = pit.processes()
    pit.close()
    assert not [worker for worker in workers if worker.alive]


# ---- 35: unknown keys ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("pool_sise", "pool_size"),
        ("poolsize", "pool_size"),
        ("thread_per_worker", "threads_per_worker"),
        ("max_que", "max_queue"),
        ("call_timeout", "call_timeout_ms"),
        ("Adapter", "adapter"),
    ],
)
def test_lesson_35_an_unknown_key_is_an_error_with_the_nearest_known_one(
    tmp_path, wrong, right
):
    path = tmp_path / "pit.yaml"
    path.write_text(f"pools:\n  - name: a\n    pool_size: 1\n    {wrong}: 1\n")
    with pytest.raises(Refused) as found:
        Pit.open_file(path)
    assert found.value.err == "INVALID_CONFIG"
    assert found.value.why.startswith(f"{path}:4: pools[0].{wrong}: ")
    assert f'"{right}"' in found.value.why


def test_lesson_35_an_unknown_key_at_the_top_is_an_error():
    why = refused(text="polls:\n  - name: a\n")
    assert '"pools"' in why
    assert ":1:" in why


def test_lesson_35_a_misspelt_environment_variable_is_an_error(monkeypatch):
    monkeypatch.setenv("SNAKEPIT_POOL_SISE", "3")
    why = refused(pool())
    assert "SNAKEPIT_POOL_SISE" in why
    assert "SNAKEPIT_POOL_SIZE" in why


def test_lesson_35_environment_variables_replace_values(monkeypatch, open_pit):
    monkeypatch.setenv("SNAKEPIT_POOL_SIZE", "2")
    monkeypatch.setenv("SNAKEPIT_POOL_SPECIAL_POOL_SIZE", "3")
    monkeypatch.setenv("SNAKEPIT_ADAPTER_ARGS", "")
    pit = open_pit(
        pool(name="plain", adapter_args=["--given"]),
        pool(name="special", pool_size=1),
    )
    assert pit.stats("plain").workers == 2
    assert pit.stats("special").workers == 3
    assert pit.call("surroundings", pool="plain")["arguments"] == []


# ---- 35: ranges ----------------------------------------------------------------------


GROUPS = ("sandbox", "retry", "breaker", "devices", "switch_threshold")
NEEDED = {"devices": {"values": ["a"]}}  # of a group, for it to be one


def numbers(definition):
    """Every key that is a number with limits, from one definition of the schema."""
    rules = SCHEMA["definitions"][definition]["properties"]
    return [
        (key, part["minimum"], part["maximum"])
        for key, rule in rules.items()
        for part in (rule, *rule.get("anyOf", []), *rule.get("oneOf", []))
        if "minimum" in part and "maximum" in part
    ]


def test_lesson_35_the_schema_knows_the_ranges():
    parts = ("several", "pool", "serve", *GROUPS)
    keys = {key for part in parts for key, *_ in numbers(part)}
    assert {
        "session_ttl_ms",
        "pool_size",
        "max_queue",
        "call_timeout_ms",
        "restart_limit",
        "max_connections",
    } <= keys
    documented = re.findall(
        r"^\| `(\w+)` \| .*?\d+ to \d+",
        (ROOT / "docs/configuration.md").read_text(),
        re.M,
    )
    assert set(documented) <= keys


@pytest.mark.parametrize(("key", "least", "most"), numbers("several"))
def test_lesson_35_every_range_of_the_top_is_checked(key, least, most):
    for value in (least - 1, most + 1, -(2**63), 2**64, "x", 1.5, True, None, []):
        why = refused(pool(), pooling_enabled=False, **{key: value})
        assert key in why
    for value in (least, most):
        Pit.open(pool(), pooling_enabled=False, **{key: value}).close()


@pytest.mark.parametrize(("key", "least", "most"), numbers("pool"))
def test_lesson_35_every_range_is_checked(key, least, most):
    profile = "thread" if key == "threads_per_worker" else "process"
    for value in (least - 1, most + 1, -(2**63), 2**64, 10**30):
        why = refused(pool(profile, **{key: value}), pooling_enabled=False)
        assert f"pools[0].{key}" in why
        assert str(value) in why
    for value in ("x", 1.5, True, None, [], {}):
        text = json.dumps({"pools": [{**pool(profile), key: value}]})
        assert f"pools[0].{key}" in refused(text=text)
    more = {}
    if key == "restart_backoff_ms":
        more = {"restart_backoff_max_ms": most}
    elif key == "restart_backoff_max_ms":
        more = {"restart_backoff_ms": 0}
    for value in (least, most):
        made = pool(profile, **{**more, key: value})
        Pit.open(made, pooling_enabled=False).close()


@pytest.mark.parametrize(
    ("group", "key", "least", "most"),
    [(group, *row) for group in GROUPS[1:] for row in numbers(group)],
)
def test_lesson_35_every_range_of_a_group_is_checked(group, key, least, most):
    for value in (least - 1, most + 1, -(2**63), 2**64, 10**30, 1.5, True, [], {}):
        made = {group: {**NEEDED.get(group, {}), key: value}}
        why = refused(pool(**made), pooling_enabled=False)
        assert f"pools[0].{group}.{key}" in why
    for value in (least, most):
        made = {group: {**NEEDED.get(group, {}), key: value}}
        Pit.open(pool(**made), pooling_enabled=False).close()


@pytest.mark.parametrize(("key", "least", "most"), numbers("serve"))
def test_lesson_35_every_range_of_the_daemon_is_checked(key, least, most):
    for value in (least - 1, most + 1, -(2**63), 2**64, 10**30, 1.5, True, [], {}):
        why = refused(pool(), pooling_enabled=False, serve={key: value})
        assert f"serve.{key}" in why
    # One message has to fit into the memory of all.
    fits = {"max_message": {"max_memory": "64GiB"}, "max_memory": {"max_message": 1024}}
    for value in (least, most):
        serve = {**fits.get(key, {}), key: value}
        Pit.open(pool(), pooling_enabled=False, serve=serve).close()


@pytest.mark.parametrize("size", ["0", "1023KiB", "65GiB", "-1", "many", "1.5GiB"])
def test_lesson_35_sizes_are_checked(size):
    why = refused(pool(shared_memory_size=size), pooling_enabled=False)
    assert "pools[0].shared_memory_size" in why


def test_lesson_35_pools_with_one_name_are_refused():
    why = refused(pool(name="twin"), pool(name="twin"))
    assert "twin" in why
    for name in ("", "a b", "x" * 65, "ü"):
        assert "pools[0].name" in refused(pool(name=name))


def test_the_examples_of_the_reference_are_right():
    page = (ROOT / "docs/configuration.md").read_text()
    examples = re.findall(r"^```yaml\n(.*?)^```", page, re.M | re.S)
    assert any("serve:" in example for example in examples)
    for example in examples:
        Pit.open(text=f"pooling_enabled: false\n{example}").close()


# ---- 33: listening -------------------------------------------------------------------

TLS = {"certificate": "c.pem", "key": "k.pem"}


@pytest.mark.parametrize("address", ["0.0.0.0:1", "[::]:1", "10.0.0.1:1"])
@pytest.mark.parametrize("trust", [{}, {"tokens": "t.yaml"}, {"tls": TLS}])
def test_lesson_33_what_others_reach_needs_tls_and_to_know_its_clients(address, trust):
    listener = {"address": address, **trust}
    why = refused(pool(), pooling_enabled=False, serve={"listen": [listener]})
    assert "serve.listen[0]: other machines reach" in why
    assert "so it needs `tls`, and `tokens` or `client_ca`" in why


@pytest.mark.parametrize(
    "listener",
    [
        "127.0.0.1:1",
        "[::1]:1",
        "unix:x.sock",
        "systemd:",
        {"address": "0.0.0.0:1", "tls": TLS, "tokens": "t.yaml"},
        {"address": "[::]:1", "tls": {**TLS, "client_ca": "ca.pem"}},
    ],
)
def test_lesson_33_loopback_needs_neither_and_both_are_enough(listener):
    Pit.open(pool(), pooling_enabled=False, serve={"listen": [listener]}).close()


def test_lesson_33_a_variable_opens_no_door_to_others(monkeypatch):
    monkeypatch.setenv("SNAKEPIT_SERVE_LISTEN", "127.0.0.1:1,0.0.0.0:2")
    why = refused(pool(), pooling_enabled=False)
    assert 'serve.listen[1]: other machines reach "0.0.0.0:2"' in why
    assert "SNAKEPIT_SERVE_LISTEN" in why


# ---- 36: thread counts ---------------------------------------------------------------


def thread_counts(pit):
    return pit.call("environment", {"names": THREAD_VARIABLES})


@pytest.fixture
def no_thread_variables(monkeypatch):
    for name in [*THREAD_VARIABLES, "GRPC_POLL_STRATEGY"]:
        monkeypatch.delenv(name, raising=False)


def test_lesson_36_thread_counts_do_not_oversubscribe(
    open_pit, kind, no_thread_variables
):
    pit = open_pit(pool(kind))
    wanted = str(max(1, CORES // THREADS)) if kind == "thread" else "1"
    assert thread_counts(pit) == dict.fromkeys(THREAD_VARIABLES, wanted)
    found = pit.call("environment", {"names": ["GRPC_POLL_STRATEGY"]})
    assert found == {"GRPC_POLL_STRATEGY": "poll"}


def test_lesson_36_a_thread_pool_of_one_thread_may_use_all_cores(
    open_pit, no_thread_variables
):
    pit = open_pit(pool("thread", threads_per_worker=1))
    assert thread_counts(pit) == dict.fromkeys(THREAD_VARIABLES, str(CORES))


def test_lesson_36_the_users_values_are_merged_variable_by_variable(
    open_pit, kind, no_thread_variables
):
    pit = open_pit(pool(kind, adapter_env={"OMP_NUM_THREADS": "7", "OTHER": "x"}))
    found = thread_counts(pit)
    other = str(max(1, CORES // THREADS)) if kind == "thread" else "1"
    assert found.pop("OMP_NUM_THREADS") == "7"
    assert set(found.values()) == {other}
    assert pit.call("environment", {"names": ["OTHER", "PATH"]})["OTHER"] == "x"


def test_lesson_36_what_the_host_has_set_is_inherited(
    open_pit, no_thread_variables, monkeypatch
):
    monkeypatch.setenv("MKL_NUM_THREADS", "5")
    pit = open_pit(pool(adapter_env={"OMP_NUM_THREADS": "7"}))
    found = thread_counts(pit)
    assert (found["MKL_NUM_THREADS"], found["OMP_NUM_THREADS"]) == ("5", "7")
    assert found["OPENBLAS_NUM_THREADS"] == "1"


def test_lesson_36_each_pool_has_its_own(open_pit, no_thread_variables):
    pit = open_pit(
        pool(name="one", adapter_env={"OMP_NUM_THREADS": "1"}),
        pool(name="two", adapter_env={"OMP_NUM_THREADS": "2"}),
    )
    for name, wanted in (("one", "1"), ("two", "2")):
        found = pit.call("environment", {"names": ["OMP_NUM_THREADS"]}, pool=name)
        assert found == {"OMP_NUM_THREADS": wanted}
    assert "OMP_NUM_THREADS" not in os.environ


def test_lesson_36_a_pool_that_fell_back_counts_as_processes(
    open_pit, no_thread_variables
):
    pit = open_pit(
        pool("thread", python=default_python("process"), threads_per_worker=2)
    )
    assert thread_counts(pit) == dict.fromkeys(THREAD_VARIABLES, "1")
