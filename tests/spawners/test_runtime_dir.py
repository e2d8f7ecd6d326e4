"""What of a session lies on the hub's disk: names that never collide, directories nobody else may write to, sockets."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.runtime_dir import (
    MAX_SOCKET_PATH,
    bind_session_socket,
    close_all,
    open_listener,
    own_directory,
    session_key,
    write_identity_files,
)

plain = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]), max_size=8)


@given(plain, plain, plain, plain)
def test_two_sessions_never_share_a_key(user: str, server: str, other_user: str, other_server: str) -> None:
    """C4: `a-b` with no server and `a` with server `b` are two sessions (CVE-2020-15110)."""
    same = (user, server) == (other_user, other_server)
    assert (session_key(user, server) == session_key(other_user, other_server)) == same


def test_a_key_is_a_plain_name_of_fixed_length() -> None:
    """Golden: a hub that is updated must find its running sessions."""
    assert session_key("u1", "lab-1") == "ed3b1ba433fb3d99e17b"
    for user, server in (("", ""), ("../x", "/"), ("u" * 1000, "é")):
        key = session_key(user, server)
        assert len(key) == 20
        assert key.isalnum()


# -- directories ---------------------------------------------------------------------------------------------------


def test_own_directory(tmp_path: Path) -> None:
    path = tmp_path / "a" / "b"
    assert own_directory(path) == path
    assert stat.S_IMODE(path.stat().st_mode) & 0o022 == 0
    assert own_directory(path) == path


@pytest.mark.parametrize(
    "kind", ["link", "dangling link", "loop", "file", "writable by others", "writable by a group", "fifo"]
)
def test_a_directory_that_is_not_ours_alone_is_refused(tmp_path: Path, kind: str) -> None:
    """I2: below /tmp somebody else can be first."""
    path = tmp_path / "run"
    if kind == "link":
        (tmp_path / "elsewhere").mkdir()
        path.symlink_to(tmp_path / "elsewhere")
    elif kind in ("dangling link", "loop"):
        path.symlink_to("run" if kind == "loop" else "nowhere")
    elif kind == "file":
        path.write_text("")
    elif kind == "fifo":
        os.mkfifo(path)
    else:
        path.mkdir()
        path.chmod(0o777 if kind == "writable by others" else 0o775)
    with pytest.raises(ConfigurationError, match="runtime_dir"):
        own_directory(path)


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to give a directory away")
def test_a_directory_of_somebody_else_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "run"
    path.mkdir(mode=0o755)
    os.chown(path, 12345, 12345)
    with pytest.raises(ConfigurationError, match="belongs to another user"):
        own_directory(path)


# -- sockets -------------------------------------------------------------------------------------------------------


def test_a_listener(tmp_path: Path) -> None:
    path = tmp_path / "http.sock"
    with open_listener(path) as listener:
        assert stat.S_ISSOCK(path.stat().st_mode)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600, "only the hub's user connects"
        assert listener.get_inheritable()
        for name in (str(path), f"{path}:80"):
            with socket.socket(socket.AF_UNIX) as client:
                client.settimeout(30)
                client.connect(name)


def test_a_listener_takes_no_path_that_stands_there(tmp_path: Path) -> None:
    """K1: nothing is removed or followed to make room."""
    path = tmp_path / "http.sock"
    path.write_text("somebody's")
    with pytest.raises(OSError, match="in use"):
        open_listener(path)
    assert path.read_text() == "somebody's"


@pytest.mark.parametrize(("length", "fits"), [(MAX_SOCKET_PATH - 3, True), (MAX_SOCKET_PATH - 2, False), (500, False)])
def test_the_longest_path(tmp_path: Path, length: int, fits: bool) -> None:
    path = tmp_path / ("s" * (length - len(str(tmp_path)) - 1))
    assert len(str(path)) == length
    if fits:
        open_listener(path).close()
        with socket.socket(socket.AF_UNIX) as client, pytest.raises(ConnectionRefusedError):
            client.connect(f"{path}:80")
    else:
        with pytest.raises(ValueError, match="runtime_dir"):
            open_listener(path)


# -- files ---------------------------------------------------------------------------------------------------------


def test_identity_files_can_be_read_by_the_session_and_by_no_one_changed(tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        write_identity_files(tmp_path / "identity", {"passwd": "anna:x:1:\n", "hosts": ""})
    finally:
        os.umask(before)
    assert (tmp_path / "identity" / "passwd").read_text() == "anna:x:1:\n"
    assert stat.S_IMODE((tmp_path / "identity" / "passwd").stat().st_mode) == 0o644


def test_identity_files_are_readable_whatever_the_hubs_umask(tmp_path: Path) -> None:
    """A service unit with UMask=0077 is good practice; the session, another uid, must still enter the folder."""
    before = os.umask(0o077)
    try:
        write_identity_files(tmp_path / "identity", {"passwd": ""})
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o755


def test_identity_files_are_never_written_into_a_folder_that_stands_there(tmp_path: Path) -> None:
    with pytest.raises(FileExistsError):
        write_identity_files(tmp_path, {"passwd": ""})


def test_close_all_closes_what_is_open_once() -> None:
    read, write = os.pipe()
    known = {read, write}
    close_all(known, read)
    assert known == {write}
    close_all(known, read, write, write)
    assert known == set()
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(write)


@pytest.mark.parametrize(
    ("owner", "mode"),
    [pytest.param(None, 0o666, id="in a folder that is closed"), pytest.param(os.geteuid(), 0o600, id="its owner's")],
)
def test_socket_that_replaces_another_has_its_owner_and_mode(tmp_path: Path, owner: int | None, mode: int) -> None:
    """After a restart the hub opens it without the account at hand."""
    path = tmp_path / "api.sock"
    bind_session_socket(path, owner).close()
    assert stat.S_IMODE(path.lstat().st_mode) == mode
    bind_session_socket(path, None).close()
    assert stat.S_IMODE(path.lstat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a file to somebody else")
def test_socket_of_an_account_is_that_accounts_again(tmp_path: Path) -> None:
    path = tmp_path / "api.sock"
    for owner in (25001, None):
        bind_session_socket(path, owner).close()
        assert (path.lstat().st_uid, stat.S_IMODE(path.lstat().st_mode)) == (25001, 0o600)
