"""The list at the end of a run: what was not tried, and why."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

TESTS = """
import pytest
from tests.not_tried import missing, not_tried

def test_passes(): pass

@pytest.mark.parametrize("number", range(3))
def test_of_a_program(number): not_tried("the program could not be fetched")

def test_of_an_engine(): missing("docker", "no engine runs here")
"""


@pytest.mark.parametrize(
    ("required", "outcome"),
    [
        pytest.param("", "1 passed, 4 skipped", id="user's machine"),
        pytest.param("docker", "1 failed, 1 passed", id="CI"),
    ],
)
def test_the_list(tmp_path: Path, required: str, outcome: str) -> None:
    (tmp_path / "test_some.py").write_text(TESTS)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "tests.not_tried", "-p", "no:cacheprovider", str(tmp_path)]
    environment = os.environ | {"DAAS_REQUIRE": required, "PYTHONPATH": str(ROOT)}
    run = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert outcome in run.stdout
    listed = [line.strip() for line in run.stdout.partition("not tried: ")[2].splitlines()[1:]]
    assert "3  the program could not be fetched" in listed
    assert ("1  no engine runs here" in listed) == (not required)
