"""What the doctor's probe tells of a directory, run by itself as the doctor does: it leaves no trace."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from daas_hub.session import probe


@pytest.fixture(scope="module", autouse=True)
def program() -> Iterator[None]:
    """Put the program where every account can read it: a checkout may be in root's home."""
    with tempfile.TemporaryDirectory(dir="/var/tmp") as folder:  # its name is made up
        Path(folder).chmod(0o755)
        PROGRAM.append(shutil.copy(probe.__file__, folder))
        yield
        PROGRAM.clear()


#: Where it is.
PROGRAM: list[str] = []


def report_of(*arguments: str, **more: Any) -> dict[str, Any]:
    argv = [sys.executable, "-I", "-S", PROGRAM[0], *arguments]
    said = subprocess.run(argv, capture_output=True, text=True, check=True, timeout=30, cwd="/", **more)
    mark, _, document = said.stdout.partition(" ")
    assert mark == "daas-probe"
    return dict(json.loads(document))


def test_looking_writes_nothing(tmp_path: Path) -> None:
    """Raw data of a facility, as an account that may write there: it is not even tried."""
    (tmp_path / "scan").write_text("x")
    before = tmp_path.stat().st_mtime_ns
    assert report_of(str(tmp_path))["directories"] == {str(tmp_path): {"entries": 1, "write": ""}}
    assert tmp_path.stat().st_mtime_ns == before


def test_what_was_made_to_try_is_taken_away(tmp_path: Path) -> None:
    before = tmp_path.stat().st_mtime_ns
    assert report_of(str(tmp_path), "write")["directories"] == {str(tmp_path): {"entries": 0, "write": ""}}
    assert list(tmp_path.iterdir()) == []
    assert tmp_path.stat().st_mtime_ns != before, "it was tried"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_as_an_account_that_may_not() -> None:
    said = report_of("/root", user=25001, group=25001, extra_groups=[26001])
    assert said["directories"] == {"/root": {"problem": "EACCES"}}
    assert (said["uid"], said["groups"]) == (25001, [25001, 26001])
    assert report_of("/usr", "write", user=25001, group=25001)["directories"]["/usr"]["write"] == "EACCES"


def test_a_directory_that_is_not_there() -> None:
    assert report_of("/nowhere")["directories"] == {"/nowhere": {"problem": "ENOENT"}}
