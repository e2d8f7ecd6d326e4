"""The facility's time zone: the setting, or the machine's in the ways that machines state it."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from daas_hub.policy import time_zone
from daas_hub.policy.time_zone import machine_zone, zone_data


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.delenv("TZ", raising=False)
    monkeypatch.setattr(time_zone, "LOCALTIME", tmp_path / "localtime")
    monkeypatch.setattr(time_zone, "NAME_FILE", tmp_path / "timezone")
    return tmp_path


def test_a_link_into_the_data(machine: Path) -> None:
    (machine / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Paris")
    assert machine_zone().key == "Europe/Paris"


def test_a_file_with_the_name(machine: Path) -> None:
    (machine / "localtime").write_bytes(b"TZif2")
    (machine / "timezone").write_text("Asia/Tokyo\n")
    assert machine_zone().key == "Asia/Tokyo"


def test_the_environment_of_the_hub(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (machine / "localtime").symlink_to("/usr/share/zoneinfo/Europe/Paris")
    monkeypatch.setenv("TZ", ":America/Chicago")
    assert machine_zone().key == "America/Chicago"


def test_a_machine_that_says_none(machine: Path) -> None:
    (machine / "timezone").write_text("../../etc/passwd\n")
    assert machine_zone().key == "UTC"


def test_the_data_of_a_zone() -> None:
    with open("/usr/share/zoneinfo/Europe/Paris", "rb") as file:
        assert zone_data("Europe/Paris") == file.read()
    assert ZoneInfo("Europe/Paris").key == "Europe/Paris"
    assert zone_data("Nowhere/City") == b""
