"""Two first starts of one person at once: the home that one of them makes is root's for a moment."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import pytest

from daas_hub.accounts import Account
from daas_hub.errors import StorageProblem
from daas_hub.launch import Mount
from daas_hub.spawners import home_access
from daas_hub.spawners.home_access import require_usable_home
from daas_hub.storage import Pinned

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root gives a directory to somebody else")

ANNA = Account("anna", 25001, 25001)


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Pinned]:
    """An open home that was made just now, and that nobody was given."""
    path = tmp_path / "anna"
    path.mkdir(mode=0o700)
    fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
    pinned = Pinned(Mount(PurePosixPath(tmp_path), PurePosixPath(path), ".", writable=True), fd, (0, 0))
    yield pinned
    pinned.close()


def test_a_home_that_is_being_made_is_waited_for(home: Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_access, "_WAIT_S", 30.0)
    giving = threading.Timer(0.2, os.chown, (home.mount.source, ANNA.uid, ANNA.gid))
    giving.start()
    require_usable_home([home], ANNA)
    giving.join()
    assert os.fstat(home.fd).st_uid == ANNA.uid


def test_one_that_stays_roots_is_refused(home: Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_access, "_WAIT_S", 0.1)
    with pytest.raises(StorageProblem, match="belongs to somebody else: uid 0, and yours is 25001"):
        require_usable_home([home], ANNA)


def test_an_old_one_of_roots_is_not_waited_for(home: Pinned, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_access, "_NEW_S", 0.0)
    monkeypatch.setattr(home_access.time, "sleep", lambda _: pytest.fail("it waited"))
    with pytest.raises(StorageProblem, match="uid 0"):
        require_usable_home([home], ANNA)
