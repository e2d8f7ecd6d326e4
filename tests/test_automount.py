"""Data on an automount (EL27): a real automounter of this machine's kernel, in a mount namespace of its own.

The directory of a visit is not there until somebody asks for it; asking is what a launch does.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.not_tried import missing

AUTOMOUNT = shutil.which("automount", path="/usr/sbin:/sbin:/usr/bin")
ROOT = Path(__file__).parents[1]

#: A program map: what `ma1` is, and a server that never answers for `hung`.
MAP = """\
#!/bin/sh
[ "$1" = hung ] && exec sleep 600
[ -d "{real}/$1" ] && echo "-fstype=bind :{real}/$1"
"""

OPEN = """\
import asyncio, json, os, sys, time
sys.path.insert(0, {root!r})
import conftest
from dataclasses import replace
from pathlib import PurePosixPath
from daas_hub.errors import StorageProblem
from daas_hub.launch import Mount
from daas_hub.storage import TIMEOUT_S, pin

def mount(told):
    return Mount(PurePosixPath({auto!r}), PurePosixPath({auto!r}) / told["path"], told.get("target", "data"),
                 pattern="*" in told["path"], optional=told.get("optional", False))

async def main(told):
    began = time.monotonic()
    try:
        limit_s = 2 if any("hung" in one["path"] for one in told) else TIMEOUT_S
        pinned = await pin(tuple(map(mount, told)), timeout_s=limit_s)
    except StorageProblem as problem:
        return {{"problem": str(problem), "seconds": time.monotonic() - began}}
    return {{"opened": [str(one.mount.source) for one in pinned],
             "inside": [sorted(os.listdir(f"/proc/self/fd/{{one.fd}}")) for one in pinned],
             "inode": [one.identity[1] for one in pinned]}}

print(json.dumps(asyncio.run(main(json.loads(sys.argv[1])))), flush=True)
os._exit(0)  # a thread may hang for ever, as in the hub
"""

Ask = Callable[..., dict[str, object]]


@pytest.fixture(scope="module")
def automount(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, Ask, list[str]]]:
    """Run an automounter; give the real directories, a function that opens as a launch does, and the way inside."""
    if os.geteuid() != 0 or AUTOMOUNT is None:
        missing("autofs", "automounts need root and Debian's package autofs")
    folder = tmp_path_factory.mktemp("automount")
    real, auto = folder / "real", folder / "auto"
    for name in ("ma1/raw", "ma2/id21_raw"):
        (real / name).mkdir(parents=True)
        (real / name / "spectrum").write_text("counts")
    auto.mkdir()
    (folder / "map").write_text(MAP.format(real=real))
    (folder / "map").chmod(0o755)
    (folder / "master").write_text(f"{auto} {folder}/map\n")
    (folder / "open.py").write_text(OPEN.format(root=str(ROOT), auto=str(auto)))
    log = (folder / "log").open("w")
    # a session of its own: the kernel never mounts for processes of the automounter's own group
    process = subprocess.Popen(
        ["unshare", "-m", "--propagation", "private", str(AUTOMOUNT), "-f", "-v", "-p", f"{folder}/pid",
         f"{folder}/master"],
        start_new_session=True, stdout=log, stderr=log,
    )  # fmt: skip
    inside = ["nsenter", "-t", str(process.pid), "-m"]
    try:
        until = time.monotonic() + 30
        while "mounted indirect" not in (folder / "log").read_text():
            assert process.poll() is None and time.monotonic() < until, (folder / "log").read_text()  # noqa: PT018
            time.sleep(0.05)

        def ask(*told: dict[str, object]) -> dict[str, object]:
            argv = [*inside, sys.executable, str(folder / "open.py"), json.dumps(told)]
            said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True, start_new_session=True)
            return dict(json.loads(said.stdout))

        yield real, ask, inside
    finally:
        # its group is its own: also the look-up that hangs
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        log.close()


def test_opening_mounts_it(automount: tuple[Path, Ask, list[str]]) -> None:
    real, ask, _ = automount
    said = ask({"path": "ma1/raw"})
    assert said["inside"] == [["spectrum"]]
    assert said["inode"] == [(real / "ma1" / "raw").stat().st_ino]


def test_a_pattern_below_it(automount: tuple[Path, Ask, list[str]]) -> None:
    """The key of the map is named; what is unknown lies below."""
    _, ask, _ = automount
    said = ask({"path": "ma2/*_raw"})
    assert str(said["opened"]).endswith("/ma2/id21_raw']")
    assert said["inside"] == [["spectrum"]]


def test_a_key_nobody_knows(automount: tuple[Path, Ask, list[str]]) -> None:
    _, ask, _ = automount
    assert "does not exist" in str(ask({"path": "ma9/raw"})["problem"])
    said = ask({"path": "ma1/raw"}, {"path": "ma9/raw", "target": "more", "optional": True})
    assert len(list(said["opened"])) == 1  # type: ignore[call-overload]


def test_a_server_that_never_answers_is_given_up(automount: tuple[Path, Ask, list[str]]) -> None:
    """K12: in words, within the time that was given, and nothing else waits for it."""
    _, ask, _ = automount
    said = ask({"path": "hung/raw"})
    assert "did not respond within 2 seconds" in str(said["problem"])
    assert float(str(said["seconds"])) < 30


def test_a_sandbox_sees_what_was_mounted(automount: tuple[Path, Ask, list[str]], sandbox_works: None) -> None:
    """As an account that is not root: the directory is mounted when the sandbox is built, and read-only."""
    real, ask, inside = automount
    (source,) = ask({"path": "ma1/raw"})["opened"]  # type: ignore[misc]
    argv = [*inside, "setpriv", "--reuid", "25001", "--regid", "25001", "--clear-groups", "bwrap", "--unshare-all",
            "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
            "--symlink", "usr/lib64", "/lib64", "--ro-bind", source, "/data", "sh", "-c",
            "cat /data/spectrum; touch /data/x 2>&1; true"]  # fmt: skip
    # the folders of a test run are root's own
    for folder in real.parents:
        if folder.stat().st_uid == 0 and str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    said = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=True, start_new_session=True)
    assert said.stdout.startswith("counts")
    assert "Read-only file system" in said.stdout
