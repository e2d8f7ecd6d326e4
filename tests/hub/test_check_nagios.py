"""Debian's Nagios asks a running hub by the command of deploy/nagios, as its own user, and reads the answer."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import pytest

from tests.live_portal import free_ports, new_state, remove, start_portal
from tests.stand_ins.nagios import USER, checked, require_nagios

pytestmark = [pytest.mark.sandbox, pytest.mark.servers]

DEFINITION = Path(__file__).parents[2] / "deploy" / "nagios" / "daas-hub-running.cfg"
INSTALLED, ADDRESS, TOKEN = "/opt/daas-hub/bin", "https://portal.facility.org/hub", "/etc/nagios4/daas-hub.token"


def services_of(asked: dict[str, tuple[str, Path]]) -> str:
    """Return the definition that is shipped, with this installation's program, and a service for each hub and token."""
    text = DEFINITION.read_text()
    assert text.count(f"{INSTALLED}/daas-hub check-nagios") == 1
    command, _, service = text.replace(INSTALLED, str(Path(sys.executable).parent)).partition("define service")
    services = [
        "define service"
        + re.sub("check_interval .*", "check_interval 3600", service)
        .replace("Data analysis portal, sessions", name)
        .replace(ADDRESS, url)
        .replace(TOKEN, str(token))
        for name, (url, token) in asked.items()
    ]
    return "\n".join([command, *services])


def test_nagios_asks_a_running_hub(sandbox_works: None) -> None:
    require_nagios()
    folder = new_state()
    portal = start_portal(state=new_state())
    try:
        portal.login("anna").launch("terminal")
        for name, token in {
            "token": (portal.state / "hub" / "operator_token").read_text(),
            "other-token": "0123456789abcdef" * 4,
        }.items():
            (folder / name).touch(0o600)
            (folder / name).write_text(token)
            shutil.chown(folder / name, USER)
        asked = {
            "running": (f"{portal.url}/hub", folder / "token"),
            "refused": (f"{portal.url}/hub", folder / "other-token"),
            "down": (f"http://127.0.0.1:{free_ports(1)}/hub", folder / "token"),
        }
        found = checked(folder, services_of(asked), len(asked))
    finally:
        portal.stop()
        remove(portal)
        shutil.rmtree(folder)
    states = {name: (values["current_state"], values["plugin_output"]) for name, values in found.items()}
    assert states["running"] == ("0", "DAAS_HUB OK - 1 session of 1 person")
    assert re.match(
        r"running=1 starting=0 unknown=0 people=1 routes=2 time=[0-9.]+s", found["running"]["performance_data"]
    )
    assert states["refused"][0] == "3"
    assert states["refused"][1].startswith("DAAS_HUB UNKNOWN - ")
    assert states["down"][0] == "2"
    assert states["down"][1].startswith("DAAS_HUB CRITICAL - ")
