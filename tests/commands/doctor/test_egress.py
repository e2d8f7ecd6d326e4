"""An application that may connect to the portal is found, by whichever name."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest
from traitlets.config import Config

from daas_hub.commands.doctor.egress import check_egress
from daas_hub.facility import Facility
from tests.conftest import PROBE


@pytest.mark.parametrize(
    ("address", "is_found"),
    [
        pytest.param("daas.facility.example:443", True, id="the address users open"),
        pytest.param("daas.facility.example:27000", False, id="another port of that machine"),
        pytest.param("hub.facility.example:8081", True, id="the hub, by a name of its address"),
        pytest.param("hub.facility.example:8001", True, id="the proxy's API"),
        pytest.param("licence.facility.example:27000", False, id="a licence server"),
    ],
)
async def test_egress_to_the_portal_is_found(
    tmp_path: Path, address: str, is_found: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def names(host: str, port: int, *_: int) -> list[tuple[object, ...]]:
        known = {"hub.facility.example": "127.0.0.1", "127.0.0.1": "127.0.0.1"}
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (known.get(host, "192.0.2.1"), port))]

    monkeypatch.setattr("socket.getaddrinfo", names)
    (tmp_path / "probe.yaml").write_text(f'{PROBE}egress: ["{address}"]\n')
    (tmp_path / "accounts.txt").write_text("accounts: []\n")
    (tmp_path / "proposals.txt").write_text("proposals: []\n")
    files = {f"{name}_file": str(tmp_path / f"{name}.txt") for name in ("accounts", "proposals")}
    config = Config({"Facility": {"catalogue": [str(tmp_path)], **files}})
    config.JupyterHub.public_url = "https://daas.facility.example/"
    findings = await check_egress(config, Facility(config=config))
    assert [one.key for one in findings] == (["site.egress"] if is_found else [])
    assert all(address in one.result for one in findings)
