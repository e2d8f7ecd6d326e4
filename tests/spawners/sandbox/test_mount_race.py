"""What was mounted is compared with what was opened: a link that flips in between, and a directory that is exchanged.

The comparison switched off, or not waited for, fails here. `make race` runs more rounds (`DAAS_RACE_ROUNDS`).
"""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from daas_hub.errors import DaasError, StorageProblem
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.guest_layout import target_of
from daas_hub.spawners.runtime_dir import mounted
from daas_hub.spawners.sandbox.launch import build_sandbox, first_difference
from daas_hub.storage import Pinned, pin
from tests.spawners.sandbox.sites import Site, site

pytestmark = pytest.mark.sandbox

ROUNDS = int(os.environ.get("DAAS_RACE_ROUNDS", "2000"))
#: Flipping links in one sandbox: each of them is a round.
LINKS = 20

#: Exchanges each pair of names as fast as it can: a directory, and a link to somebody else's.
FLIP = """\
import ctypes, os, sys
libc = ctypes.CDLL(None)
pairs = [(os.fsencode(f"{i}"), os.fsencode(f"{i}.link")) for i in range(int(sys.argv[2]))]
os.chdir(sys.argv[1])
print("ready", flush=True)
while True:
    for one, other in pairs:
        libc.renameat2(-100, one, -100, other, 2)
"""


@pytest.fixture
async def storage(sandbox_works: None) -> AsyncIterator[Site]:
    # starts the process that forks those that open directories; it lives as long as this one
    (usr,) = await pin((Mount(PurePosixPath("/"), PurePosixPath("/usr"), "x"),))
    usr.close()
    # a portal of the whole run is one of them
    before = children()
    with site() as one:
        yield one
        # what a refusal killed is waited for by the loop, which ends with the test
        async with asyncio.timeout(30):
            while children() - before:  # noqa: ASYNC110
                await asyncio.sleep(0.01)


def children() -> set[str]:
    """Return the pids of this process's children."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


@contextmanager
def flipping_links(storage: Site) -> Iterator[list[Mount]]:
    """Yield mounts of directories whose names are links to a secret half of the time."""
    data = storage.root / "data"
    secret = storage.root / "outside" / "secret"
    secret.mkdir(parents=True)
    for number in range(LINKS):
        (data / f"{number}").mkdir()
        (data / f"{number}.link").symlink_to("../outside")
    argv = [sys.executable, "-IS", "-c", FLIP, str(data), str(LINKS)]
    with subprocess.Popen(argv, stdout=subprocess.PIPE) as flipping:
        try:
            assert flipping.stdout is not None
            assert flipping.stdout.readline()
            yield [storage.data(f"{number}", f"data/{number}") for number in range(LINKS)]
        finally:
            flipping.kill()


async def pinned_while_it_is_no_link(mount: Mount) -> Pinned:
    while True:
        with suppress(StorageProblem):
            return (await pin((mount,)))[0]


class Examined(Exception):  # it ends the start of a sandbox
    """The sandbox was examined, and need not run."""


def examine(init: int, plan: Plan, pinned: Sequence[Pinned], results: Counter[str]) -> None:
    """Compare each mount by itself, and look at what it really is."""
    until = time.monotonic() + 30
    # bubblewrap makes it read-only when everything in it is mounted
    while "ro" not in mounted(Path(f"/proc/{init}/mountinfo").read_text()).get(f"{plan.home}/data", ()):
        assert time.monotonic() < until
        time.sleep(0.001)
    for one in pinned:
        place = f"/proc/{init}/root{target_of(plan, one.mount.target)}"
        exposed = os.listdir(place) == ["secret"]
        status = os.stat(place, follow_symlinks=False)
        options = mounted(Path(f"/proc/{init}/mountinfo").read_text())
        passed = first_difference(plan, [one], options, [(status.st_dev, status.st_ino)]) is None
        results[f"{'exposed' if exposed else 'granted'} {'passed' if passed else 'refused'}"] += 1
    raise Examined


async def test_a_link_that_flips_between_check_and_mount_never_passes(storage: Site) -> None:
    """A6: each round opens a directory, mounts it by its name, and asks whether the mount is the opened directory."""
    results: Counter[str] = Counter()
    with flipping_links(storage) as mounts, tempfile.TemporaryFile() as output:
        while results.total() < ROUNDS:
            with ExitStack() as undo:
                home = (await pin((storage.home,)))[0]
                data = await asyncio.gather(*map(pinned_while_it_is_no_link, mounts))
                for one in (home, *data):
                    undo.callback(one.close)
                launch = storage.launch(home, *data, command=["true"], output=output)

                def look(init: int, plan: Plan = launch.plan, data: Sequence[Pinned] = data) -> None:
                    examine(init, plan, data, results)

                with suppress(Examined):
                    # compared here, not there, so that one wrong mount does not hide the others
                    await build_sandbox(replace(launch, pinned=(), on_started=look))
    assert results["exposed passed"] == 0, results
    assert results["granted refused"] == 0, results
    # it is a race: both ways happen
    assert results["exposed refused"] > ROUNDS / 20, results
    assert results["granted passed"] > ROUNDS / 20, results


async def exchanged(storage: Site) -> tuple[Pinned, Pinned]:
    """Open a home and a directory of raw data, and put another directory in the place of the latter."""
    data = storage.root / "data" / "run"
    data.mkdir()
    home, granted = await pin((storage.home, storage.data("run")))
    data.rename(data.with_name("moved"))
    data.mkdir()
    (data / "secret").touch()
    return home, granted


async def test_a_directory_that_was_exchanged_is_refused_before_anything_runs(storage: Site) -> None:
    home, granted = await exchanged(storage)
    with tempfile.TemporaryFile() as output:
        launch = storage.launch(home, granted, command=["touch", "/home/anna/ran"], output=output)
        with pytest.raises(StorageProblem, match="'data' changed while your session was starting"):
            await build_sandbox(replace(launch, build_timeout_s=5.0))
    for one in (home, granted):
        one.close()
    assert not (storage.root / "home" / "ran").exists()


async def test_raw_data_that_are_mounted_writable_are_refused(storage: Site) -> None:
    (storage.root / "data" / "run").mkdir()
    home, data = await pin((storage.home, storage.data("run")))
    with tempfile.TemporaryFile() as output:
        launch = storage.launch(home, data, command=["touch", "/home/anna/ran"], output=output)

        def writable(fds: object) -> list[str]:
            argv = launch.argv(fds)  # type: ignore[arg-type]
            argv[argv.index(str(data.mount.source)) - 1] = "--bind"
            return argv

        with pytest.raises(DaasError, match="'data' changed"):
            await build_sandbox(replace(launch, argv=writable, build_timeout_s=5.0))
    for one in (home, data):
        one.close()
    assert not (storage.root / "home" / "ran").exists()


async def test_the_directories_that_were_opened_are_mounted(storage: Site) -> None:
    """The same launch without an exchange runs: the refusals above have no other reason."""
    (storage.root / "data" / "run").mkdir()
    home, data = await pin((storage.home, storage.data("run")))
    with tempfile.TemporaryFile() as output:
        launch = storage.launch(home, data, command=["touch", "/home/anna/ran"], output=output)
        assert await (await build_sandbox(launch)).wait() == 0
    for one in (home, data):
        one.close()
    assert (storage.root / "home" / "ran").exists()


@pytest.mark.skipif(os.geteuid() != 0, reason="only a hub that is root forbids user namespaces from outside")
async def test_a_sandbox_in_which_user_namespaces_are_not_forbidden_never_runs(
    storage: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home,) = await pin((storage.home,))
    # the program that forbids them cannot be run
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with tempfile.TemporaryFile() as output:
        launch = storage.launch(home, command=["touch", "/home/anna/ran"], output=output)
        with pytest.raises(DaasError, match="could not be secured"):
            await build_sandbox(launch)
    home.close()
    # a first program that ran would have ended by now
    await asyncio.sleep(0.5)
    assert not (storage.root / "home" / "ran").exists()
