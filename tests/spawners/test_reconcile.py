"""What the reconciler decides about a session that the hub does not know, and what the doctor says of it."""

from __future__ import annotations

import json
import time
from dataclasses import asdict, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from daas_hub.errors import SessionFailed
from daas_hub.findings import Verdict
from daas_hub.spawners.reconcile import REPORT, Outcome, Reconciler, last_outcome, reason_to_end
from daas_hub.spawners.runtime_dir import session_key
from daas_hub.spawners.session_records import FOLDER, SessionRecord, SessionRecords, new_record

STARTING = new_record("1f", "anna", "pymca-1", "SandboxSpawner", "")
READY = replace(STARTING, is_ready=True)


@pytest.mark.parametrize(
    ("record", "unknown_for_s", "reason"),
    [
        pytest.param(STARTING, 0, "its start was interrupted", id="interrupted"),
        pytest.param(replace(READY, stop_wanted=True), 0, "it was stopped while", id="stopped"),
        pytest.param(READY, 299, "", id="ran, within the grace"),
        pytest.param(READY, 300, "has not known it for 300 s", id="ran, after the grace"),
        pytest.param(None, 0, "", id="no record, within the grace"),
        pytest.param(None, 301, "has not known it", id="no record, after the grace"),
    ],
)
def test_reason_to_end(record: SessionRecord | None, unknown_for_s: float, reason: str) -> None:
    found = reason_to_end(record, unknown_for_s, 300)
    assert reason in found
    assert bool(found) == bool(reason)


def test_without_a_grace_an_administrator_decides() -> None:
    assert reason_to_end(READY, 1e9, None) == ""
    assert reason_to_end(None, 1e9, None) == ""
    assert reason_to_end(STARTING, 0, None)


def test_what_its_backend_shows_unfinished_was_interrupted() -> None:
    """A creation that a killed hub had under way may be carried out after its record was removed."""
    assert reason_to_end(None, 0, 300, is_unfinished=True) == "its start was interrupted"
    stopped = replace(READY, stop_wanted=True)
    assert "it was stopped while" in reason_to_end(stopped, 0, 300, is_unfinished=True)


class AbsentBackend:
    """Settings of a backend that does not answer."""

    reconcile_interval_s = 60.0
    orphan_grace_s = 0.0

    def __init__(self, runtime_dir: Path) -> None:
        self.runtime_dir = str(runtime_dir)

    async def list_running(self) -> Any:
        raise SessionFailed("The machine that runs the sessions does not answer.")


async def test_unknown_is_not_gone(tmp_path: Path) -> None:
    """A backend that does not answer: no folder is removed and no record forgotten."""
    (tmp_path / "sessions" / ("0" * 20)).mkdir(parents=True)
    reconciler = Reconciler(None, AbsentBackend(tmp_path))
    await reconciler._records.write("0" * 20, STARTING)
    outcome = await reconciler.round()
    assert outcome.unknown == "The machine that runs the sessions does not answer."
    assert outcome.ended == []
    assert (tmp_path / "sessions" / ("0" * 20)).is_dir()
    assert reconciler._records.get("0" * 20) == STARTING


@pytest.mark.parametrize(
    ("is_ready", "in_database", "is_stored"),
    [
        pytest.param(True, {"start": READY.start}, True, id="completed"),
        pytest.param(False, {"start": READY.start}, False, id="still starting"),
        pytest.param(True, None, False, id="not in the database"),
        pytest.param(True, {"start": "another"}, False, id="an earlier start"),
    ],
)
async def test_a_start_is_noted_once_the_database_has_it(
    tmp_path: Path, is_ready: bool, in_database: dict[str, str] | None, is_stored: bool
) -> None:
    reconciler = Reconciler(None, AbsentBackend(tmp_path))
    key = session_key(READY.user, READY.server)
    await reconciler._records.write(key, READY)
    spawner = SimpleNamespace(ready=is_ready, orm_spawner=SimpleNamespace(state=in_database))
    await reconciler._note_stored({(READY.user, READY.server): spawner})
    assert reconciler._records.get(key) == replace(READY, is_stored=is_stored)
    # for the hub's next process
    assert SessionRecords(tmp_path / FOLDER).get(key) == replace(READY, is_stored=is_stored)


@pytest.mark.parametrize(
    ("change", "verdict", "words"),
    [
        pytest.param({"running": 3}, Verdict.OK, "3 running", id="in order"),
        pytest.param({"waiting": ["daas-1: runs"]}, Verdict.WARNING, "daas-1: runs", id="orphan"),
        pytest.param({"unknown": "no answer"}, Verdict.WARNING, "no answer", id="backend away"),
        pytest.param({"age_s": 3600}, Verdict.NOT_CHECKED, "60 minutes ago", id="no hub"),
    ],
)
def test_doctor_reads_the_last_round(tmp_path: Path, change: dict[str, Any], verdict: Verdict, words: str) -> None:
    change = dict(change)
    at = time.time() - change.pop("age_s", 0)
    (tmp_path / REPORT).write_text(json.dumps(asdict(Outcome(at, 60.0)) | change))
    found = last_outcome(tmp_path)
    assert found.verdict is verdict
    assert words in found.result


def test_doctor_says_when_there_was_no_round(tmp_path: Path) -> None:
    assert last_outcome(tmp_path).verdict is Verdict.NOT_CHECKED
