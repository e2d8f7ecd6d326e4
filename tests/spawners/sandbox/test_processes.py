"""A process told apart from a later one of the same number, and what is read from outside about it (K1, K3, P5)."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from typing import Any

import pytest

from daas_hub.spawners.sandbox.processes import ProcessId, descendants, read_child_pid
from daas_hub.spawners.session_output import last_output_of

NONE = ProcessId(0, 0.0, "")


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(["sleep", "60"]) as process:
        yield process
        process.kill()


def test_a_process_that_runs(sleeper: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(sleeper.pid)
    assert process.is_running()
    assert ProcessId.from_state(process.as_state()) == process, "over a restart of the hub"


async def test_a_process_that_is_killed(sleeper: subprocess.Popen[bytes]) -> None:
    process = ProcessId.of(sleeper.pid)
    assert not await process.gone_within(0)
    process.kill()
    assert await process.gone_within(30), "a zombie is gone: nothing of it runs"
    sleeper.wait()
    assert not process.is_running()
    process.kill()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"started": 1.0}, id="K3 another process with the number"),
        pytest.param({"boot": "00000000-0000-0000-0000-000000000000"}, id="K8 another boot"),
        pytest.param({"boot": ""}, id="no boot"),
        pytest.param({"pid": 0}, id="none"),
        pytest.param({"pid": 1}, id="never the machine's first process"),
        pytest.param({"pid": -1}, id="never every process"),
    ],
)
def test_another_process_is_not_ours_and_is_not_killed(
    sleeper: subprocess.Popen[bytes], change: dict[str, Any]
) -> None:
    process = ProcessId.from_state(ProcessId.of(sleeper.pid).as_state() | change)
    assert not process.is_running()
    process.kill()
    time.sleep(0.05)
    assert sleeper.poll() is None


def test_a_name_with_brackets_is_read_right() -> None:
    """The kernel's line holds the program's own name, which the program chooses."""
    code = "import ctypes,time;ctypes.CDLL(None).prctl(15,b') Z 1 (',0,0,0);print(flush=True);time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        assert ProcessId.of(process.pid).is_running()
        process.kill()


@pytest.mark.parametrize(
    "state",
    [
        None,
        [],
        "4242",
        {},
        {"pid": None},
        {"pid": "4242"},
        {"pid": True},
        {"pid": 4242.0},
        {"pid": 4242, "started": "soon"},
        {"pid": 4242, "started": None},
        {"pid": 4242, "started": []},
        {"pid": 4242, "started": {}, "boot": 7},
    ],
    ids=repr,
)
def test_what_the_hub_stored_wrongly_is_no_process(state: Any) -> None:
    """K7: the promise of `from_state`: "none" for anything that is not one. A restarted hub must not fall over it."""
    assert not ProcessId.from_state(state).is_running()


def test_a_pid_nobody_has_is_no_process() -> None:
    assert not ProcessId.of(2**22 + 1).is_running()
    assert not NONE.is_running()


def test_descendants() -> None:
    code = "import subprocess;subprocess.Popen(['sleep','60']);print(flush=True);import time;time.sleep(60)"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as parent:
        assert parent.stdout is not None
        parent.stdout.readline()
        assert parent.pid in descendants(os.getpid(), generations=1)
        (child,) = descendants(parent.pid, generations=1)
        assert child in descendants(os.getpid(), generations=2)
        assert descendants(parent.pid, generations=0) == []
        os.kill(child, signal.SIGKILL)
        parent.kill()


def test_descendants_of_nobody() -> None:
    assert descendants(2**22 + 1, generations=3) == []


# -- what bubblewrap says ------------------------------------------------------------------------------------------


def said(*pieces: bytes) -> int:
    read, write = os.pipe()
    try:
        for piece in pieces:
            os.write(write, piece)
        os.close(write)
        return read_child_pid(read)
    finally:
        os.close(read)


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b'{\n    "child-pid": 4242\n}\n'], id="at once"),
        pytest.param([b'{\n  "chi', b'ld-pid": 42', b"42}"], id="in pieces"),
        pytest.param([b'{"child-pid": 4242, "mnt-namespace": 1}'], id="with more"),
    ],
)
def test_read_child_pid(pieces: list[bytes]) -> None:
    assert said(*pieces) == 4242


@pytest.mark.parametrize(
    "words", [b"", b"{", b"bwrap: no", b"{}", b'{"child-pid": null}', b'{"child-pid": "x"}', b"[1]}", b"\xff}"]
)
def test_a_bubblewrap_that_fails_is_a_value_error(words: bytes) -> None:
    """The promise of `read_child_pid`, which the spawner turns into a sentence for the user."""
    with pytest.raises(ValueError):  # noqa: PT011  # any of them
        said(words)


# -- the last words ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("output", "words"),
    [
        pytest.param(b"", "", id="nothing"),
        pytest.param(b"ready\n", "ready", id="a line"),
        pytest.param(b"a\nb\n", "a\\nb", id="C9 two lines are one"),
        pytest.param(b"a\rauthorised account=root", "a\\rauthorised account=root", id="C9 carriage return"),
        pytest.param(b"\x1b[2J\x00", "\\x1b[2J\\x00", id="C9 escape and NUL"),
        pytest.param("\u202eevil".encode(), "\\u202eevil", id="C8 right-to-left"),
        pytest.param(b"\xff\xfe", "\ufffd\ufffd", id="not UTF-8"),
        pytest.param(b"x" * 5000 + b"end", "x" * 1997 + "end", id="H8' only the end"),
    ],
)
def test_last_lines(output: bytes, words: str) -> None:
    with tempfile.TemporaryFile() as log:
        log.write(output)
        assert last_output_of(log) == words


def test_last_lines_of_a_log_that_is_closed() -> None:
    with tempfile.TemporaryFile() as log:
        pass
    assert last_output_of(log) == ""
