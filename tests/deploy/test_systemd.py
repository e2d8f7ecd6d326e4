"""The systemd units: systemd's own verifier reads them, and they keep what sessions need (see also test_nginx)."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from daas_hub.commands.init import DIRECTORY
from daas_hub.commands.init.questions import STATE
from tests.deploy.units import FOLDER, NAMES, rendered, settings
from tests.not_tried import missing


@pytest.fixture
def analyze() -> str:
    """The verifier."""
    program = shutil.which("systemd-analyze")
    if program is None:
        missing("systemd", "systemd-analyze is not installed")
    return str(program)


@pytest.fixture
def units(tmp_path: Path) -> list[str]:
    """Return the units of an installation where these tests run."""
    for name in NAMES:
        (tmp_path / name).write_text(rendered(name, sys.prefix))
    return [str(tmp_path / name) for name in NAMES]


def test_every_unit_is_looked_at() -> None:
    assert sorted(file.name for file in FOLDER.iterdir()) == sorted(NAMES)


def test_systemd_accepts_the_units(analyze: str, units: list[str]) -> None:
    """No unknown setting, no program that is not there, no warning."""
    ran = subprocess.run([analyze, "verify", "--man=no", *units], capture_output=True, text=True, check=False)
    ours = [line for line in ran.stderr.splitlines() if "daas-hub" in line]
    assert ours == []
    assert ran.returncode == 0, ran.stderr


@pytest.mark.parametrize(("name", "exposure"), [("daas-hub-proxy.service", "25"), ("daas-hub.service", "75")])
def test_the_exposure_stays_low(analyze: str, tmp_path: Path, name: str, exposure: str) -> None:
    """By systemd's own measure, 0 to 100; the hub's is what a sandbox needs (see the unit)."""
    unit = tmp_path / name
    unit.write_text(rendered(name, sys.prefix))
    argv = [analyze, "--offline=yes", f"--threshold={exposure}", "security", str(unit)]
    ran = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stdout[-1500:] + ran.stderr


def test_a_stop_ends_the_hub_and_no_session() -> None:
    hub = settings("daas-hub.service")
    assert hub["KillMode"] == ["process"]
    assert hub["RuntimeDirectory"] == ["daas-hub"]  # the sockets of sessions: SandboxSpawner.runtime_dir of root
    assert hub["RuntimeDirectoryPreserve"] == ["yes"]
    assert hub["StateDirectory"] == [str(STATE.default).removeprefix("/var/lib/")]


def test_a_restart_of_one_unit_does_not_restart_the_other() -> None:
    """`Requires=`, `BindsTo=` and `PartOf=` would: a new proxy cuts off everybody."""
    binding = {"Requires", "BindsTo", "PartOf", "Requisite", "PropagatesStopTo"}
    assert [name for name in NAMES if binding & set(settings(name))] == []


@pytest.mark.parametrize("name", NAMES)
def test_the_units_name_what_init_writes(name: str) -> None:
    unit = settings(name)
    assert unit["EnvironmentFile"] == [f"{DIRECTORY}/environment"]
    assert unit["ConditionPathExists"] == [f"{DIRECTORY}/jupyterhub_config.py"]
    assert unit["ExecStart"][0].endswith(f" {DIRECTORY}/jupyterhub_config.py")


#: What a sandbox, or a program in it, does and these would forbid: namespaces, a /proc of its own, a host name, ...
BREAKS_SESSIONS = (
    "LockPersonality", "MemoryDenyWriteExecute", "PrivateDevices", "PrivateNetwork", "PrivateTmp", "PrivateUsers",
    "ProcSubset", "ProtectControlGroups", "ProtectHome", "ProtectHostname", "ProtectKernelLogs",
    "ProtectKernelTunables", "ProtectProc", "RestrictNamespaces", "RestrictSUIDSGID", "SystemCallArchitectures",
)  # fmt: skip


def test_the_hubs_unit_forbids_nothing_that_a_session_does() -> None:
    assert [name for name in BREAKS_SESSIONS if name in settings("daas-hub.service")] == []
