"""What a run says of tests that passed at their second attempt."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.repeats import MOST

ROOT = Path(__file__).parent.parent
CONFTEST = """\
from tests.repeats import Repeats

def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        config.pluginmanager.register(Repeats())
"""
#: Passes at its second attempt.
BUSY = """\
import pathlib, pytest

@pytest.mark.parametrize("number", range({count}))
def test_busy(tmp_path_factory, number):
    mark = pathlib.Path(__file__).parent / f"tried-{{number}}"
    tried, _ = mark.exists(), mark.touch()
    assert tried, f"no answer to {{number}} within 5 s"
"""
BROKEN = """
def test_broken():
    assert False
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "conftest.py").write_text(CONFTEST)
    return tmp_path


def run(folder: Path, text: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text)
    argv = [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--reruns", "1", *arguments, str(folder)]
    env = {"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"}
    return subprocess.run(argv, cwd=folder, env=env, capture_output=True, text=True, timeout=120, check=False)


@pytest.mark.parametrize("processes", ["0", "2"])
def test_a_second_attempt_that_passes_is_listed(folder: Path, processes: str) -> None:
    ended = run(folder, BUSY.format(count=2), "--numprocesses", processes)
    assert ended.returncode == 0, ended.stdout
    assert f"failed at their first attempt: 2 tests, and {MOST} is the limit" in ended.stdout
    assert "test_busy[1]: AssertionError: no answer to 1 within 5 s" in ended.stdout


@pytest.mark.parametrize("processes", ["0", "2"])
def test_too_many_of_them_fail_the_run(folder: Path, processes: str) -> None:
    ended = run(folder, BUSY.format(count=MOST + 1), "--numprocesses", processes)
    assert ended.returncode == 1, ended.stdout
    assert f"{MOST + 1} passed" in ended.stdout


def test_what_fails_twice_fails_the_run(folder: Path) -> None:
    ended = run(folder, BUSY.format(count=1) + BROKEN)
    assert ended.returncode == 1, ended.stdout
    assert "1 failed, 1 passed, 2 rerun" in ended.stdout
