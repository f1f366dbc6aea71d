# SPDX-License-Identifier: MIT
"""Nothing that grows with the user's program has to fit into one packet."""

from __future__ import annotations

import pytest
from support import Refused, pool, template_of


@pytest.mark.parametrize("template", ["auto", "off"])
def test_an_adapter_may_have_many_tools(open_pit, kind, template):
    pit = open_pit(pool(kind, adapter="large.Large", template=template))
    assert pit.call("read_table_0") == 0
    assert pit.call("read_table_1999", {"limit": 1}) == 1999
    (row,) = pit.workers()
    pit.kill_workers()
    assert pit.call("read_table_7") == 7
    assert row.id not in [other.id for other in pit.workers()]


@pytest.mark.parametrize("template", ["auto", "off"])
def test_a_configuration_may_be_large(open_pit, kind, template):
    pit = open_pit(
        pool(
            kind,
            adapter="large.Large",
            template=template,
            adapter_config={"text": "x" * 100_000},
            adapter_args=["y" * 500] * 100,
            adapter_env={f"L{i}": "z" * 100 for i in range(100)},
            preload_resources=[[f"folder/{i}", "kind" * 10] for i in range(500)],
        )
    )
    assert pit.call("sizes") == {
        "config": 100_000,
        "arguments": 50_000,
        "environment": 10_000,
        "resources": 500,
        "adapter": "large",
    }
    if kind == "process" and template == "auto":
        assert template_of(pit) is not None


@pytest.mark.errors_logged("pool.failed", "worker.start_failed")
@pytest.mark.parametrize("probes", ["auto", "off"])
def test_an_environment_that_exec_refuses_is_named(open_pit, probes):
    large = pool(adapter="large.Large", adapter_env={"L0": "z" * 140_000})
    with pytest.raises(Refused, match="adapter_env"):
        open_pit(large, python_version_detection=probes)


@pytest.mark.errors_logged("pool.failed", "worker.start_failed")
def test_the_end_of_a_long_traceback_of_a_start_is_told(open_pit, kind):
    pit = open_pit(pool(kind, adapter="large.LongFailure"), ready=False)
    with pytest.raises(Refused) as refused:
        pit.await_ready()
    assert "ValueError: the very end" in refused.value.why
    assert "frame_of_a_function_whose_name_is_long_0" in refused.value.why


def test_a_template_with_a_thousand_resources_is_one(open_pit):
    resources = [[f"folder/{i}", "kind"] for i in range(1000)]
    pit = open_pit(pool("process", adapter="large.Large", preload_resources=resources))
    assert pit.call("sizes")["resources"] == 1000
    assert template_of(pit) is not None
