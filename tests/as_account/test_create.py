"""What root makes for an account is given to it only if it is still what was made: the account may rename it."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from daas_hub.as_account import create
from daas_hub.as_account.create import make_directory
from daas_hub.as_account.wanted import CannotOpen, Wanted

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory to somebody else")


@pytest.fixture
def home(tmp_path: Path) -> int:
    """An open home, next to what belongs to somebody else."""
    (tmp_path / "theirs").write_text("somebody else's")
    os.chown(tmp_path / "theirs", 25002, 25002)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "kept").write_text("root's")
    (tmp_path / "link").symlink_to("/etc")
    return os.open(tmp_path, os.O_PATH | os.O_DIRECTORY)


def exchanged_for(other: str, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Put something else in the place of a directory, right after it was made."""
    mkdir: Callable[..., None] = os.mkdir

    def mkdir_and_lose(name: Any, mode: int = 0o777, *, dir_fd: int | None = None) -> None:
        mkdir(name, mode, dir_fd=dir_fd)
        os.rename(home / str(name), home / "lost")
        os.rename(home / other, home / str(name))

    monkeypatch.setattr(create.os, "mkdir", mkdir_and_lose)


@pytest.mark.parametrize("other", ["theirs", "folder", "link"])
def test_what_took_the_place_of_a_new_directory_stays_whose_it_is(
    home: int, tmp_path: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (tmp_path / other).lstat()
    exchanged_for(other, tmp_path, monkeypatch)
    with pytest.raises(OSError, match=r"not the one that was made|Not a directory|[Ss]ymbolic"):
        make_directory("data", home, (25001, 25001))
    after = (tmp_path / "data").lstat()
    assert (after.st_ino, after.st_uid, after.st_mode) == (before.st_ino, before.st_uid, before.st_mode)
    assert Path("/etc").stat().st_uid == 0


@pytest.mark.parametrize("other", ["folder"])
def test_so_does_what_took_the_place_of_a_home(
    home: int, tmp_path: Path, other: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = (tmp_path / other).stat()
    wanted = Wanted(str(tmp_path), str(tmp_path / "anna"), True, True, (25001, 25001), 0o700, False, 0)
    exchanged_for(other, tmp_path, monkeypatch)
    with pytest.raises(CannotOpen):
        create.create(wanted, "anna", home, last=True, for_account=False)
    assert os.stat(tmp_path / "folder" if (tmp_path / "folder").exists() else tmp_path / "anna").st_uid == before.st_uid


def test_a_new_directory_is_given(home: int, tmp_path: Path) -> None:
    assert make_directory("data", home, (25001, 25001))
    assert (tmp_path / "data").stat().st_uid == 25001
