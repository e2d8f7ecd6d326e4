"""Runs in the virtual machine of `make test-nfs`: the account's process on a real NFS server with root_squash.

It has Python and nothing else, so it prints a line for each check instead of being collected by pytest.
"""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
import time
import types
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
package = types.ModuleType("daas_hub")
package.__path__ = [str(ROOT / "daas_hub")]
sys.modules["daas_hub"] = package

from daas_hub.as_account.client import AccountProcess, has_ended  # noqa: E402

EXPORT = Path("/export")
UID, GROUP = 25001, 26001
#: Seconds for an answer: this machine has no accelerator.
PATIENCE_S = 60.0


def directory(path: Path, uid: int, gid: int, mode: int) -> Path:
    """Make a directory on the server's side, with this owner and mode."""
    path.mkdir(parents=True, exist_ok=True)
    os.chown(path, uid, gid)
    path.chmod(mode)
    return path


def build() -> None:
    """Lay out the storage: raw data below a directory of the group, a private home, results, a link."""
    shutil.rmtree(EXPORT / "s", ignore_errors=True)
    directory(EXPORT / "s" / "visit", 0, GROUP, 0o750)
    raw = directory(EXPORT / "s" / "visit" / "raw", 0, GROUP, 0o2750)
    (raw / "scan").write_text("counts")
    os.chown(raw / "scan", 0, GROUP)
    (raw / "scan").chmod(0o640)
    (EXPORT / "s" / "visit" / "link").symlink_to("raw")
    directory(EXPORT / "s" / "homes" / "anna", UID, UID, 0o700)
    directory(EXPORT / "s" / "homes" / "anna" / "data", UID, UID, 0o755)
    directory(EXPORT / "s" / "results", 0, GROUP, 0o2770)
    directory(EXPORT / "s" / "last", 0, GROUP + 19, 0o2750)
    directory(EXPORT / "s" / "stale", UID, UID, 0o755)


def request(store: Path, path: str, **more: Any) -> dict[str, Any]:
    """Return the request to open a directory."""
    wanted = {
        "root": str(store / "s"), "source": str(store / "s" / path), "writable": False, "create": False,
        "owner": [-1, GROUP], "mode": 0o2770, "pattern": False, "names": 100,
    }  # fmt: skip
    return {"do": "open", "wanted": [wanted | more]}


class Storage:
    """One mount of the export, seen by the account and by root."""

    def __init__(self, store: Path) -> None:
        self.store = store
        self.account = AccountProcess((UID, UID, (GROUP,)))
        self.root = AccountProcess(None)

    async def ask(
        self, path: str, *, by: AccountProcess | None = None, **more: Any
    ) -> tuple[dict[str, Any], list[int]]:
        return await (by or self.account).ask(request(self.store, path, **more), (), PATIENCE_S)


async def root_is_refused(one: Storage) -> None:
    answer, _ = await one.ask("visit/raw", by=one.root)
    assert answer["kind"] == "directory_unreadable", answer


async def the_account_opens(one: Storage) -> None:
    for path in ("visit/raw", "homes/anna/data"):
        answer, (fd,) = await one.ask(path)
        assert answer["identity"][1] == (EXPORT / "s" / path).stat().st_ino, answer
        os.close(fd)


async def a_link_is_refused(one: Storage) -> None:
    answer, _ = await one.ask("visit/link")
    assert answer["kind"] in ("symlink", "not_a_directory"), answer


async def results_are_made_by_the_account(one: Storage) -> None:
    _answer, (fd,) = await one.ask(f"results/{one.store.name}", writable=True, create=True)
    os.close(fd)
    made = (EXPORT / "s" / "results" / one.store.name).stat()
    assert (made.st_uid, made.st_gid, made.st_mode & 0o7777) == (UID, GROUP, 0o2770), oct(made.st_mode)


async def a_home_is_made_by_nobody(one: Storage) -> None:
    for by in (one.account, one.root):
        answer, _ = await one.ask("homes/ben", by=by, create=True, owner=[UID, UID], mode=0o700)
        assert answer["kind"] == "not_created", answer
    assert not (EXPORT / "s" / "homes" / "ben").exists()


async def the_seventeenth_group_is_not_sent(one: Storage) -> None:
    process = AccountProcess((UID, UID, tuple(range(GROUP, GROUP + 20))))
    answer, _ = await one.ask("last/x", by=process)
    process.close()
    assert answer["kind"] == "directory_unreadable", answer


async def the_engine_gets_mounts(one: Storage) -> None:
    """The home with the raw data in it, below a directory of this machine: root binds it, the account uses it."""
    base = Path("/run/placed") / one.store.name
    base.mkdir(parents=True)
    _, (home,) = await one.ask("homes/anna")
    _, (raw,) = await one.ask("visit/raw")
    _, (home_tree, raw_tree) = await one.root.ask({"do": "clone", "read_only": [False, True]}, (home, raw), PATIENCE_S)
    answer, _ = await one.root.ask({"do": "attach", "path": str(base)}, (home_tree,), PATIENCE_S)
    assert not answer, answer
    _, (target,) = await one.account.ask({"do": "open_inside", "paths": ["data"]}, (home_tree,), PATIENCE_S)
    answer, _ = await one.root.ask({"do": "attach"}, (raw_tree, target), PATIENCE_S)
    assert not answer, answer
    elsewhere = Path("/run/bound") / one.store.name
    elsewhere.mkdir(parents=True)
    # as root, which may not look into the home
    run("mount", "--rbind", base, elsewhere)
    said = as_account(f"cat {elsewhere}/data/scan; touch {elsewhere}/mine && echo ' home'; touch {elsewhere}/data/x")
    assert said.startswith("counts home"), said
    assert "Read-only file system" in said, said
    assert not (EXPORT / "s" / "homes" / "anna" / "data" / "scan").exists(), "the home itself has no mount"
    for place in (elsewhere, base):
        run("umount", "-l", place)
    for fd in (home, raw, home_tree, raw_tree, target):
        os.close(fd)


async def a_sandbox_mounts_it(one: Storage) -> None:
    store = one.store / "s"
    said = as_account(
        "exec bwrap --unshare-user --ro-bind /usr /usr --symlink usr/bin /bin --symlink usr/lib /lib "
        f"--symlink usr/lib64 /lib64 --bind {store}/homes/anna /home/anna --ro-bind {store}/visit/raw /home/anna/data "
        "sh -c 'cat /home/anna/data/scan; touch /home/anna/data/x; touch /home/anna/here && echo home'"
    )
    assert said.startswith("counts"), said
    assert "Read-only file system" in said, said
    assert "home" in said, said


async def a_stale_handle_is_named(one: Storage) -> None:
    _, (fd,) = await one.ask("stale")
    # another directory of this name, as after a restore
    shutil.rmtree(EXPORT / "s" / "stale")
    directory(EXPORT / "s" / "stale" / "x", UID, UID, 0o755)
    answer, _ = await one.account.ask({"do": "open_inside", "paths": ["x"]}, (fd,), PATIENCE_S)
    assert "stale file handle" in answer["words"], answer
    os.close(fd)
    _, (fd,) = await one.ask("stale/x")
    os.close(fd)


#: The mounts of each version, and whether their locks are the server's.
LOCKING = {"v3": {"v3": False, "v3-locks": True}, "v4": {"v4": True}}
HOLD = """\
import fcntl, time
file = open({path!r})
fcntl.{lock}(file, fcntl.LOCK_SH)
print("held", flush=True)
time.sleep(600)
"""
TAKE = "import fcntl; f = open({path!r}, 'r+'); fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)"


async def a_readers_lock_reaches_the_server_unless_locks_are_local(one: Storage) -> None:
    """The acquisition, here a program of the server, wants to lock a file that a session has locked for reading."""
    for name, is_refused in LOCKING[one.store.name].items():
        for lock in ("lockf", "flock"):
            error = error_of_an_acquisition(one.store.parent / name, lock)
            assert ("BlockingIOError" if is_refused else "") in error, (name, lock, error)
            assert bool(error) is is_refused, (name, lock, error)


def error_of_an_acquisition(store: Path, lock: str) -> str:
    """Return what becomes of a lock on the server while the account holds one of its own."""
    hold = HOLD.format(path=str(store / "s" / "visit" / "raw" / "scan"), lock=lock)
    account = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--groups", f"{UID},{GROUP}"]
    with subprocess.Popen([*account, sys.executable, "-c", hold], stdout=subprocess.PIPE, text=True) as reader:
        assert reader.stdout is not None
        try:
            assert reader.stdout.readline() == "held\n", (store.name, lock)
            take = TAKE.format(path=str(EXPORT / "s" / "visit" / "raw" / "scan"))
            return subprocess.run(
                [sys.executable, "-c", take], stderr=subprocess.PIPE, text=True, check=False, timeout=120
            ).stderr
        finally:
            reader.kill()


async def a_server_that_stops_is_given_up(one: Storage) -> None:
    """The process that waits ends when it is killed, and the server's return is enough for the next."""
    run("rpc.nfsd", "0")
    began = time.monotonic()
    process = AccountProcess((UID, UID, (GROUP,)))
    try:
        await process.ask(request(one.store, "visit/raw"), (), 8.0)
        raise AssertionError("it answered")
    except TimeoutError:
        assert time.monotonic() - began < 30
    pidfd = process.take_pidfd()
    while not has_ended(pidfd):
        assert time.monotonic() - began < 60, "it was killed, and waits"
        await asyncio.sleep(0.1)
    os.close(pidfd)
    run("rpc.nfsd", "--grace-time", "10", "--lease-time", "10", "4")
    _, (fd,) = await one.ask("visit/raw")
    os.close(fd)


def run(*argv: object) -> None:
    """Run a program of the machine."""
    subprocess.run(list(map(str, argv)), check=True)


def as_account(script: str) -> str:
    """Run a shell script as the account; return what it printed."""
    argv = ["setpriv", "--reuid", str(UID), "--regid", str(UID), "--groups", f"{UID},{GROUP}", "sh", "-c", script]
    ran = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False, timeout=120)
    return ran.stdout


CHECKS: list[Callable[[Storage], Awaitable[None]]] = [
    root_is_refused,
    the_account_opens,
    a_link_is_refused,
    results_are_made_by_the_account,
    a_home_is_made_by_nobody,
    the_seventeenth_group_is_not_sent,
    the_engine_gets_mounts,
    a_sandbox_mounts_it,
    a_stale_handle_is_named,
    a_readers_lock_reaches_the_server_unless_locks_are_local,
    a_server_that_stops_is_given_up,
]


async def main() -> int:
    """Do every check on each version; return the number of failures."""
    failed = 0
    for version in ("v3", "v4"):
        build()
        one = Storage(Path("/mnt") / version)
        for check in CHECKS:
            try:
                await check(one)
                print(f"PASS {version} {check.__name__}", flush=True)
            except Exception as error:
                failed += 1
                print(f"FAIL {version} {check.__name__}: {type(error).__name__} {error}", flush=True)
        one.account.close()
        one.root.close()
    print(f"CHECKS {2 * len(CHECKS)} FAILED {failed}", flush=True)
    return failed


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
