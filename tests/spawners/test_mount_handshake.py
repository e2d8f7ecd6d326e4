"""The mount handshake, both sides with real sockets and directories: who is admitted, and with what (H5, A14)."""

from __future__ import annotations

import asyncio
import os
import socket
import threading
from pathlib import Path

import pytest

from daas_hub.errors import SessionFailed, StorageProblem
from daas_hub.session.mount_handshake import shake_hands
from daas_hub.spawners.mount_handshake import GrantedDirectory, HandshakeSocket
from tests.spawners.grants import granted


@pytest.fixture
def listener(tmp_path: Path) -> socket.socket:
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(tmp_path / "http.sock"))
        one.listen()
        yield one


async def meet(tmp_path: Path, what: list[GrantedDirectory], listener: socket.socket) -> dict[str, str]:
    """Perform the handshake; return the environment of the session."""
    handshake = HandshakeSocket(tmp_path / "arrive.sock")
    env = {"DAAS_HANDSHAKE": str(tmp_path / "arrive.sock"), "PATH": "/bin"}
    before = os.umask(0o022)
    problem: list[BaseException] = []

    def session() -> None:
        try:
            shake_hands(env)
        except OSError as error:
            problem.append(error)

    thread = threading.Thread(target=session)
    thread.start()
    try:
        await handshake.admit(what, {"TOKEN": "secret", "HOME": "/home/anna"}, listener)
    finally:
        handshake.close()
        await asyncio.to_thread(thread.join, 5)
        os.umask(before)
        if "DAAS_LISTEN_FD" in env:
            os.close(int(env["DAAS_LISTEN_FD"]))
    assert not problem
    return env


async def test_a_session_with_the_granted_mounts_is_admitted(tmp_path: Path, listener: socket.socket) -> None:
    env = await meet(tmp_path, [granted(tmp_path)], listener)
    assert env["TOKEN"] == "secret"
    assert env["PATH"] == "/bin", "an image's own path stays"
    assert int(env["DAAS_LISTEN_FD"]) > 2
    assert "DAAS_HANDSHAKE" not in env


async def test_a_long_environment_arrives_whole(tmp_path: Path, listener: socket.socket) -> None:
    assert (await meet(tmp_path, [granted(tmp_path)] * 30, listener))["HOME"] == "/home/anna"


@pytest.mark.parametrize(
    "changes", [{"device": 1}, {"inode": 1}, {"writable": False}], ids=["device", "inode", "writable"]
)
async def test_a_directory_other_than_the_granted_one_is_refused(
    tmp_path: Path, listener: socket.socket, changes: dict[str, int]
) -> None:
    """A14: a path that was exchanged between the check and the mount; raw data that can be written."""
    other = {key: value for key, value in changes.items() if key != "writable"}
    what = granted(tmp_path, writable=changes.get("writable", True) is True, **other)
    with pytest.raises(StorageProblem, match="not what was granted"):
        await asyncio.wait_for(meet(tmp_path, [what], listener), 30)


async def test_storage_of_another_machine_is_compared_by_inode(tmp_path: Path, listener: socket.socket) -> None:
    assert await meet(tmp_path, [granted(tmp_path, device=None)], listener)
    assert await meet(tmp_path, [granted(tmp_path, device=None, inode=None)], listener)


async def test_a_session_with_a_missing_directory_is_refused(tmp_path: Path, listener: socket.socket) -> None:
    handshake = HandshakeSocket(tmp_path / "arrive.sock")
    session_side = socket.socket(socket.AF_UNIX)
    session_side.connect(str(tmp_path / "arrive.sock"))
    session_side.sendall(b"\n")
    with pytest.raises(StorageProblem):
        await handshake.admit([granted(tmp_path)], {"TOKEN": "secret"}, listener)
    assert b"secret" not in session_side.recv(1000)
    assert session_side.recv(1000) == b""
    session_side.close()
    handshake.close()


@pytest.mark.parametrize("says", [b"", None], ids=["goes away", "says nothing"])
async def test_a_session_that_does_not_complete_the_handshake_fails(
    tmp_path: Path, listener: socket.socket, says: bytes | None
) -> None:
    handshake = HandshakeSocket(tmp_path / "arrive.sock", timeout_s=0.3)
    session_side = socket.socket(socket.AF_UNIX)
    session_side.connect(str(tmp_path / "arrive.sock"))
    if says is not None:
        session_side.close()
    with pytest.raises((SessionFailed, StorageProblem)):
        await handshake.admit([granted(tmp_path)], {}, listener)
    session_side.close()
    handshake.close()


def test_a_handshake_without_a_hub_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        shake_hands({"DAAS_HANDSHAKE": str(tmp_path / "nothing.sock")})


def test_without_a_handshake_the_environment_is_unchanged() -> None:
    env = {"PATH": "/bin"}
    shake_hands(env)
    assert env == {"PATH": "/bin"}


def test_a_symbolic_link_in_place_of_a_directory_is_not_followed(tmp_path: Path) -> None:
    """A5: ~/data that is a link shows nothing."""
    (tmp_path / "link").symlink_to("/etc")
    with socket.socket(socket.AF_UNIX) as hub:
        hub.bind(str(tmp_path / "arrive.sock"))
        hub.listen()

        def serve() -> None:
            session_side, _ = hub.accept()
            with session_side:
                session_side.sendall(f'["{tmp_path}/link"]\n'.encode())
                session_side.recv(10)

        thread = threading.Thread(target=serve)
        thread.start()
        with pytest.raises(NotADirectoryError):
            shake_hands({"DAAS_HANDSHAKE": str(tmp_path / "arrive.sock")})
        thread.join(30)
