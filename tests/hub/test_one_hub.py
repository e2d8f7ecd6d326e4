"""One hub for one database: a second one refuses to start, and one that was cut off for a while ends (H2)."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from jupyterhub import orm
from traitlets.config import Config

from daas_hub import configure
from daas_hub.database import one_hub
from daas_hub.database.one_hub import FileLock, ServerLock, lock_of, wait_for
from tests.databases import SERVERS, DatabaseServer, running_database
from tests.live_portal import Portal, new_state, remove, start_portal

WORDS = "is the database of another hub that runs. Stop that hub, or give this one a database of its own."
#: Holds a lock until it is killed, with a program that it has started.
HOLDS = """
import subprocess, sys, time
from pathlib import Path
from daas_hub.database.one_hub import FileLock
lock = FileLock(Path(sys.argv[1]))
assert lock.take()
print(subprocess.Popen(["sleep", "60"], close_fds=False).pid, flush=True)
time.sleep(60)
"""


@pytest.fixture(scope="module", params=SERVERS)
def database(request: pytest.FixtureRequest) -> Iterator[DatabaseServer]:
    with running_database(request.param) as server:
        yield server


@pytest.fixture
def locks(database: DatabaseServer) -> Iterator[list[ServerLock]]:
    """Two hubs' locks on one database, and one on another database."""
    configure(Config())
    first, other = database.new_database(), database.new_database()
    sessions = [orm.new_session_factory(url)() for url in (first, first, other)]
    made = [ServerLock(one.get_bind()) for one in sessions]
    yield made
    for lock in made:
        lock.release()
    for one in sessions:
        one.close()
        one.get_bind().dispose()


@pytest.mark.sandbox
def test_a_second_hub_refuses_to_start_and_the_first_one_runs_on(sandbox_works: None) -> None:
    portal = start_portal(state=new_state())
    try:
        anna = portal.login("anna")
        name = anna.launch("terminal")
        _require_refused(portal)
        assert anna.get(f"/hub/api/users/{anna.name}").json()["servers"][name]["ready"]
        # after its end, however it came, the next one starts at once
        portal.process.kill()
        portal.process.wait()
        portal.process = start_portal(state=portal.state, port=portal.port).process
        anna = portal.login("anna")
        assert anna.get(f"/hub/api/users/{anna.name}").json()["servers"][name]["ready"]
        anna.stop(name)
    finally:
        portal.stop()
        remove(portal)


def _require_refused(portal: Portal) -> None:
    state = new_state()
    with pytest.raises(AssertionError, match="the portal did not start") as refused:
        start_portal(state=state, more_config=f"c.JupyterHub.db_url = {portal.database_url!r}")
    assert WORDS in str(refused.value)
    assert "Traceback" not in str(refused.value)
    remove(Portal("", state, state / "hub.log", portal.process))


@pytest.mark.servers
@pytest.mark.sandbox
def test_a_second_hub_on_a_server_refuses_to_start(sandbox_works: None, database: DatabaseServer) -> None:
    db_url = database.new_database()
    portal = start_portal(state=new_state(), more_config=f"c.JupyterHub.db_url = {db_url!r}")
    state = new_state()
    try:
        with pytest.raises(AssertionError, match=WORDS):
            start_portal(state=state, more_config=f"c.JupyterHub.db_url = {db_url!r}")
        assert portal.process.poll() is None
    finally:
        portal.stop()
        remove(portal)
        remove(Portal("", state, state / "hub.log", portal.process))


def test_a_lock_on_a_file_ends_with_its_process_alone(tmp_path: Path) -> None:
    """Not with a program that the hub has started, which may outlive it."""
    path = tmp_path / "hub.sqlite.hub"
    with subprocess.Popen([sys.executable, "-c", HOLDS, str(path)], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        try:
            assert not FileLock(path).take()
            process.kill()
            process.wait()
            assert wait_for(FileLock(path))
        finally:
            subprocess.run(["kill", str(child)], check=True)
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_file_system_without_locks_stops_no_hub(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, how: int) -> None:
        raise OSError(37, "No locks available")

    monkeypatch.setattr(one_hub.fcntl, "lockf", refuse)
    assert FileLock(tmp_path / "x").take()


def test_a_database_in_memory_needs_none() -> None:
    assert lock_of(orm.new_session_factory("sqlite:///:memory:")().get_bind()) is None


def test_a_lock_of_a_server_is_one_databases(locks: list[ServerLock]) -> None:
    first, second, other = locks
    assert first.take()
    assert not second.take()
    assert other.take()


async def test_a_lock_is_kept_over_a_restart_of_the_server(
    locks: list[ServerLock], database: DatabaseServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(one_hub, "ASK_S", 0.2)
    first, second, _ = locks
    assert first.take()
    keeping = asyncio.create_task(first.keep())
    await asyncio.sleep(0.5)
    database.stop(signal.SIGKILL)
    database.start()
    async with asyncio.timeout(30):
        while await asyncio.to_thread(second.take):
            second.release()
            await asyncio.sleep(0.3)
    assert not keeping.done()
    keeping.cancel()


async def test_a_hub_that_is_silent_loses_its_database_to_another_one(
    locks: list[ServerLock], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its machine was cut off, and another one runs the portal: when it is back, it finds that out, and ends."""
    monkeypatch.setattr(one_hub, "SILENT_S", 2)
    monkeypatch.setattr(one_hub, "ASK_S", 0.2)
    first, second, _ = locks
    first.wait_s = second.wait_s = 10.0
    assert first.take()
    assert not second.take()
    assert await asyncio.to_thread(wait_for, second)
    # the second one asks, so that it keeps its own
    keeping = asyncio.create_task(second.keep())
    first.wait_s = 3.0
    async with asyncio.timeout(30):
        await first.keep()
    assert not keeping.done()
    keeping.cancel()
