"""A container's arrival, both sides with real sockets and real directories: who is let in, and with what (H5, A14)."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path

import pytest

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.session.mount_handshake import arrive
from daas_hub.spawners import mount_handshake as arrival
from daas_hub.spawners.mount_handshake import Gate, Granted
from tests.spawners.grants import (
    granted,
)


@pytest.fixture
def listener(tmp_path: Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "http.sock"))
        one.listen()
        yield one


async def meet(tmp_path: Path, what: list[Granted], listener: socket.socket) -> dict[str, str]:
    """Let a session arrive; give the environment it ends up with."""
    gate = Gate(tmp_path / "arrive.sock")
    env = {"DAAS_DOOR": str(tmp_path / "arrive.sock"), "PATH": "/bin"}
    before = os.umask(0o022)
    problem: list[BaseException] = []

    def session() -> None:
        try:
            arrive(env)
        except OSError as error:
            problem.append(error)

    guest = threading.Thread(target=session)
    guest.start()
    try:
        await gate.let_in(what, {"TOKEN": "secret", "HOME": "/home/anna"}, listener)
    finally:
        gate.close()
        await asyncio.to_thread(guest.join, 5)
        os.umask(before)
        if "DAAS_LISTEN_FD" in env:
            os.close(int(env["DAAS_LISTEN_FD"]))
    assert not problem
    return env


async def test_session_with_what_was_granted_is_let_in(tmp_path: Path, listener: socket.socket) -> None:
    env = await meet(tmp_path, [granted(tmp_path)], listener)
    assert env["TOKEN"] == "secret"
    assert env["PATH"] == "/bin", "an image's own path stays"
    assert int(env["DAAS_LISTEN_FD"]) > 2
    assert "DAAS_DOOR" not in env


async def test_thousand_letters_of_environment_arrive_whole(tmp_path: Path, listener: socket.socket) -> None:
    assert (await meet(tmp_path, [granted(tmp_path)] * 30, listener))["HOME"] == "/home/anna"


@pytest.mark.parametrize(
    "changes", [{"device": 1}, {"inode": 1}, {"writable": False}], ids=["device", "inode", "writable"]
)
async def test_directory_that_is_another_one_is_refused(
    tmp_path: Path, listener: socket.socket, changes: dict[str, int]
) -> None:
    """A14: a path that was exchanged between the check and the mount; raw data that can be written."""
    other = {key: value for key, value in changes.items() if key != "writable"}
    what = granted(tmp_path, writable=changes.get("writable", True) is True, **other)
    with pytest.raises(StorageProblem, match="not what was granted"):
        await asyncio.wait_for(meet(tmp_path, [what], listener), 10)


async def test_storage_of_another_machine_is_known_by_its_inode(tmp_path: Path, listener: socket.socket) -> None:
    assert await meet(tmp_path, [granted(tmp_path, device=None)], listener)
    assert await meet(tmp_path, [granted(tmp_path, device=None, inode=None)], listener)


async def test_session_that_shows_less_is_refused(tmp_path: Path, listener: socket.socket) -> None:
    gate = Gate(tmp_path / "arrive.sock")
    guest = socket.socket(socket.AF_UNIX)
    guest.connect(str(tmp_path / "arrive.sock"))
    guest.sendall(b"\n")
    with pytest.raises(StorageProblem):
        await gate.let_in([granted(tmp_path)], {"TOKEN": "secret"}, listener)
    assert b"secret" not in guest.recv(1000)
    assert guest.recv(1000) == b""
    guest.close()
    gate.close()


@pytest.mark.parametrize("says", [b"", None], ids=["goes away", "says nothing"])
async def test_session_that_does_not_come_is_told(
    tmp_path: Path, listener: socket.socket, monkeypatch: pytest.MonkeyPatch, says: bytes | None
) -> None:
    monkeypatch.setattr(arrival, "TIMEOUT_S", 0.3)
    gate = Gate(tmp_path / "arrive.sock")
    guest = socket.socket(socket.AF_UNIX)
    guest.connect(str(tmp_path / "arrive.sock"))
    if says is not None:
        guest.close()
    with pytest.raises((SessionFailed, StorageProblem)):
        await gate.let_in([granted(tmp_path)], {}, listener)
    guest.close()
    gate.close()


def test_nobody_behind_the_door_is_an_error_not_a_session(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        arrive({"DAAS_DOOR": str(tmp_path / "nothing.sock")})


def test_session_without_a_door_goes_on_as_it_is() -> None:
    env = {"PATH": "/bin"}
    arrive(env)
    assert env == {"PATH": "/bin"}


def test_link_at_a_directory_s_place_is_not_followed(tmp_path: Path) -> None:
    """A5: ~/data that is a link shows nothing."""
    (tmp_path / "link").symlink_to("/etc")
    with socket.socket(socket.AF_UNIX) as hub:
        hub.bind(str(tmp_path / "arrive.sock"))
        hub.listen()

        def serve() -> None:
            guest, _ = hub.accept()
            with guest:
                guest.sendall(f'["{tmp_path}/link"]\n'.encode())
                guest.recv(10)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(NotADirectoryError):
            arrive({"DAAS_DOOR": str(tmp_path / "arrive.sock")})
        thread.join(5)
