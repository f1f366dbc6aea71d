# SPDX-License-Identifier: MIT
"""`snakepit_bridge.new_adapter`: what it writes, and what it refuses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from snakepit_bridge import new_adapter
from snakepit_bridge.thread_safety_checker import check_common_pitfalls


def test_what_it_writes_has_no_pitfall_and_passes_its_own_test(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert new_adapter.main(["word_count", "--dir", str(tmp_path / "new")]) == 0
    _, _, said = capsys.readouterr().out.partition("Next:\n")
    assert [line.split()[:2] for line in said.splitlines()] == [
        ["cd", str(tmp_path / "new")],
        ["snakepit", "check-adapter"],
        ["snakepit", "call"],
        ["snakepit", "serve"],
    ]
    monkeypatch.syspath_prepend(str(tmp_path / "new"))
    import word_count  # type: ignore[import-not-found]

    assert check_common_pitfalls(word_count.WordCount) == []
    source = Path(new_adapter.__file__).resolve().parent.parent
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path / "new",
        env={"PYTHONPATH": str(source), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert "3 passed" in ran.stdout, ran.stdout + ran.stderr


@pytest.mark.parametrize("there", ["mine.py", "test_mine.py", "mine.yaml"])
def test_a_file_that_is_there_stays_and_nothing_is_written(
    there: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / there).write_text("precious")
    assert new_adapter.main(["mine", "--dir", str(tmp_path)]) == 1
    assert f"{there} is there already" in capsys.readouterr().err
    assert [path.name for path in tmp_path.iterdir()] == [there]
    assert (tmp_path / there).read_text() == "precious"


@pytest.mark.parametrize(
    "name",
    ["", "9lives", "with space", "../up", "Upper", "été", "class", "sys", "a" * 64],
)
def test_a_name_that_will_not_do_is_refused(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert new_adapter.main(["--dir", str(tmp_path), "--", name]) == 2
    assert capsys.readouterr().err.startswith("snakepit: ")
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_made_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert new_adapter.main(["mine", "--dir", str(tmp_path / "file")]) == 6
    assert "file" in capsys.readouterr().err
