"""Events that fit their schemas are written to a private file, and nothing that goes wrong there stops anybody."""

from __future__ import annotations

import contextlib
import datetime
import json
import logging
import os
import stat
import warnings
from collections.abc import Callable, Iterator
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest
from jupyter_events import EventLogger
from prometheus_client import REGISTRY
from traitlets.config import Config

from daas_hub.audit.events import (
    BASE,
    KINDS,
    close_audit,
    open_audit,
    record_account_link,
    record_administration,
    record_launch,
    record_login,
)
from daas_hub.audit.log_file import NAME, AuditFile
from daas_hub.hub_log import HubRecord
from daas_hub.launch_reference import fill_slot

EVENTS: dict[str, Callable[[], None]] = {
    "login": lambda: record_login(
        "signed-in", "umbrella", user="u1", account="anna", roles=["admin"], address="192.0.2.1"
    ),
    "launch": lambda: record_launch(
        "refused", "u1", "pymca-1", account="anna", application="pymca", proposals=("MA-4242",), place="here",
        launch="1a2b3c4d", reason="storage: directory_missing",
    ),
    "administration": lambda: record_administration("DELETE server", "admin", "u1", "pymca-1", address="192.0.2.1"),
    "account-link": lambda: record_account_link(
        "connected", "u1", "anna", issuer="https://id.example.org", subject="s-1", address="192.0.2.1"
    ),
}  # fmt: skip


def unwritten() -> float:
    return REGISTRY.get_sample_value("daas_audit_unwritten_events_total") or 0.0


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., Path]]:
    """Open the audit with these settings; return its file, which is complete once it is closed."""

    def open_it(**settings: Any) -> Path:
        config = Config()
        config.Audit.directory = str(tmp_path / "audit")
        for name, value in settings.items():
            config.Audit[name] = value
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            open_audit(config, EventLogger())
        return Path(config.Audit.directory) / NAME

    yield open_it
    close_audit()


def written(file: Path) -> list[dict[str, Any]]:
    close_audit()
    return [json.loads(line) for line in file.read_text().splitlines()]


def test_each_kind_has_a_schema_and_an_event_that_fits() -> None:
    assert set(EVENTS) == set(KINDS)
    schemas = {one.name.removesuffix(".yaml") for one in (files("daas_hub.audit") / "schemas").iterdir()}
    assert schemas == set(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_an_event_is_a_line_of_json(opened: Any, kind: str) -> None:
    file = opened(addresses=True)
    EVENTS[kind]()
    (event,) = written(file)
    assert event["__schema__"] == BASE + kind
    assert event["__schema_version__"] == "1"
    assert event["__timestamp__"]
    assert event.get("address", "192.0.2.1") == "192.0.2.1"
    assert unwritten() == 0


def test_the_log_adds_nothing(opened: Any) -> None:
    """The records of the hub's log have a reference, which is no field of an event."""
    factory = logging.getLogRecordFactory()
    logging.setLogRecordFactory(HubRecord)
    try:
        fill_slot("1a2b3c4d")
        file = opened()
        EVENTS["login"]()
        (event,) = written(file)
    finally:
        fill_slot("")
        logging.setLogRecordFactory(factory)
    assert {name for name in event if not name.startswith("__")} <= {
        "action", "user", "account", "method", "reason", "roles", "address", "taskName"
    }  # fmt: skip


def test_addresses_are_not_recorded_unless_wanted(opened: Any) -> None:
    file = opened()
    for record in EVENTS.values():
        record()
    assert {event.get("address", "") for event in written(file)} == {""}


def test_only_the_hub_can_read_it(opened: Any) -> None:
    before = os.umask(0)
    try:
        file = opened()
        EVENTS["login"]()
        close_audit()
    finally:
        os.umask(before)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700


@pytest.mark.parametrize(
    "hostile",
    ["x" * 100_000, "line\nbreak", '"}\n{"action": "signed-in"}', "\x00\x1b[31m", "%s %(name)s", "é" * 300],
    ids=["long", "line break", "JSON", "control", "format", "letters"],
)
def test_what_somebody_sends_is_one_line(opened: Any, hostile: str) -> None:
    file = opened(addresses=True)
    record_launch("requested", hostile, hostile, application=hostile, launch=hostile, reason=hostile, place=hostile)
    record_login("refused", hostile, user=hostile, account=hostile, reason=hostile, address=hostile)
    events = written(file)
    assert len(events) == 2
    assert all(len(json.dumps(event)) < 10_000 for event in events)
    assert unwritten() == 0


def test_a_full_disk_stops_nobody(opened: Any, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    """/dev/full answers every write as a full disk does."""
    folder = tmp_path / "audit"
    folder.mkdir(mode=0o700)
    audit = AuditFile(folder, 90)
    before = unwritten()
    descriptor = os.open("/dev/full", os.O_WRONLY)
    audit.file.stream = open(descriptor, "w")  # type: ignore[attr-defined]  # noqa: SIM115
    for number in range(3):
        audit.handler.handle(logging.LogRecord("audit", logging.INFO, "", 0, f"event {number}", (), None))
    audit._listener.stop()
    with contextlib.suppress(OSError):
        audit.file.stream.close()  # type: ignore[attr-defined]
    assert unwritten() == before + 3
    assert [one.message for one in caplog.records] == ["events of the audit cannot be written"]


def test_a_directory_that_cannot_be_made_stops_nobody(opened: Any, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    before = unwritten()
    opened(directory=str(tmp_path / "file" / "audit"))
    EVENTS["login"]()
    close_audit()
    assert unwritten() == before + 1


def test_an_event_that_does_not_fit_is_counted(opened: Any) -> None:
    file = opened()
    before = unwritten()
    record_login("danced", "umbrella")
    record_login("signed-in", "umbrella")
    assert [event["action"] for event in written(file)] == ["signed-in"]
    assert unwritten() == before + 1


def test_days_are_rotated_and_the_oldest_removed(opened: Any, tmp_path: Path) -> None:
    """Of days, and not of files: on a quiet portal few days have one. When the hub starts, and when a day begins."""
    file = opened(keep_days=20)
    file.parent.mkdir(mode=0o700)
    today = datetime.datetime.now(datetime.UTC).date()

    def of_day(age: int) -> str:
        return f"{NAME}.{today - datetime.timedelta(days=age)}"

    for age in (20, 21, 200):
        (file.parent / of_day(age)).write_text("{}\n")
    (file.parent / f"{NAME}.1").touch()
    audit = AuditFile(file.parent, 20)
    assert {one.name for one in file.parent.iterdir()} == {of_day(20), f"{NAME}.1"}, "not what others made"
    (file.parent / of_day(21)).write_text("{}\n")
    audit.handler.handle(logging.LogRecord("audit", logging.INFO, "", 0, "today", (), None))
    audit._listener.stop()
    audit.file.doRollover()  # type: ignore[attr-defined]
    audit.file.close()
    assert {one.name for one in file.parent.iterdir()} - {NAME} == {of_day(0), of_day(20), f"{NAME}.1"}


def test_logrotate_may_move_it(tmp_path: Path) -> None:
    audit = AuditFile(tmp_path, 0)

    def write(text: str) -> None:
        audit.file.handle(logging.LogRecord("audit", logging.INFO, "", 0, text, (), None))

    write("before")
    (tmp_path / NAME).rename(tmp_path / f"{NAME}.1")
    write("after")
    audit.close()
    assert (tmp_path / f"{NAME}.1").read_text() == "before\n"
    assert (tmp_path / NAME).read_text() == "after\n"
    assert stat.S_IMODE((tmp_path / NAME).stat().st_mode) == 0o600


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    (tmp_path / NAME).symlink_to(target)
    before = unwritten()
    audit = AuditFile(tmp_path, 90)
    audit.handler.handle(logging.LogRecord("audit", logging.INFO, "", 0, "event", (), None))
    audit.close()
    assert not target.exists()
    assert unwritten() == before + 1


def test_it_can_be_off(opened: Any) -> None:
    file = opened(enabled=False)
    EVENTS["login"]()
    close_audit()
    assert not file.parent.exists()


def test_without_a_hub_nothing_is_recorded() -> None:
    """Commands use the same code."""
    close_audit()
    for record in EVENTS.values():
        record()
