"""Records of sessions: on the disk before anything starts, and again after a kill."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from daas_hub.spawners.session_records import SessionRecord, SessionRecords, new_record


def read_again(folder: Path) -> SessionRecords:
    """Return the records as the next process of the hub reads them."""
    return SessionRecords(folder)


@pytest.fixture
def record() -> SessionRecord:
    return new_record("1f", "anna", "pymca-1", "SandboxSpawner", "MA-4242")


async def test_a_record_survives_the_process(tmp_path: Path, record: SessionRecord) -> None:
    await SessionRecords(tmp_path / "records").write("key", record)
    assert read_again(tmp_path / "records").get("key") == record
    assert stat.S_IMODE((tmp_path / "records").stat().st_mode) == 0o700


async def test_what_became_of_a_start_survives_too(tmp_path: Path, record: SessionRecord) -> None:
    records = SessionRecords(tmp_path)
    await records.write("key", record)
    await records.mark_ready("key")
    await records.want_stop("key", record)
    found = read_again(tmp_path).get("key")
    assert found is not None
    assert (found.is_ready, found.stop_wanted, found.start) == (True, True, "1f")
    await records.remove("key")
    assert read_again(tmp_path).all() == {}


async def test_a_start_that_was_not_completed_survives_too(tmp_path: Path, record: SessionRecord) -> None:
    """Its session was ready when the hub was killed, and the hub's database never had it."""
    records = SessionRecords(tmp_path)
    await records.write("key", record)
    await records.mark_ready("key")
    await records.mark_unfinished("key")
    assert read_again(tmp_path).get("key") == record
    await records.mark_unfinished("no such key")
    assert set(records.all()) == {"key"}


async def test_a_stop_is_kept_without_a_record_of_the_start(tmp_path: Path, record: SessionRecord) -> None:
    await SessionRecords(tmp_path).want_stop("key", record)
    found = read_again(tmp_path).get("key")
    assert found is not None
    assert found.stop_wanted


async def test_a_stop_is_kept_in_memory_when_the_disk_refuses(tmp_path: Path, record: SessionRecord) -> None:
    (tmp_path / "file").write_text("")
    records = SessionRecords(tmp_path / "file")
    with pytest.raises(OSError, match="file"):
        await records.want_stop("key", record)
    found = records.get("key")
    assert found is not None
    assert found.stop_wanted


def test_a_damaged_record_is_ignored(tmp_path: Path) -> None:
    (tmp_path / "key.json").write_text('{"start": ')
    assert read_again(tmp_path).all() == {}
