"""What `status`, `capacity` and `check-nagios` say of capacities and of rights that end: frozen rechecks, open ends."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from aiohttp import web

from daas_hub.commands.main import main
from tests.stand_ins.running import running_beside

STATUS: dict[str, Any] = {
    "version": "0", "jupyterhub_version": "6", "facility": "Demo", "proxy": {"answers": True, "routes": 2},
    "sessions": {"running": 3}, "people": 2, "places": [], "sources": [],
}  # fmt: skip
FROZEN = {"frozen_rechecks": ["proposals"], "unconfirmed_ends": 0}
LEFT = {"frozen_rechecks": [], "unconfirmed_ends": 2}


@contextmanager
def hub_that_says(status: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Run something that answers as a hub until the end of the block; its address."""

    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(status)

    app = web.Application()
    app.router.add_get("/hub/api/daas/status", answer)
    monkeypatch.setenv("DAAS_HUB_TOKEN", "0123456789abcdef" * 4)
    with running_beside(app) as url:
        yield url


@pytest.mark.parametrize(
    ("more", "exit_codes", "line", "nagios"),
    [
        pytest.param({}, (0, 0), "", "OK - 3 sessions of 2 people", id="an earlier release"),
        pytest.param(
            {"frozen_rechecks": [], "unconfirmed_ends": 0}, (0, 0), "", "OK - 3 sessions of 2 people", id="in order"
        ),
        pytest.param(
            FROZEN, (1, 2), "recheck   proposals: FROZEN, ends no session; the source is probably wrong",
            "CRITICAL - the recheck of proposals is frozen and ends no session", id="frozen",
        ),
        pytest.param(
            LEFT, (1, 1), "ends      2 sessions may still run: the end is not confirmed",
            "WARNING - 2 sessions may still run: the end is not confirmed", id="not confirmed",
        ),
        pytest.param(
            LEFT | {"frozen_rechecks": ["proposals"]}, (1, 2), "ends      2 sessions may still run",
            "CRITICAL - the recheck of proposals is frozen and ends no session; 2 sessions may still run", id="both",
        ),
    ],
)  # fmt: skip
def test_rights_that_end(
    more: dict[str, Any],
    exit_codes: tuple[int, int],
    line: str,
    nagios: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    with hub_that_says(STATUS | more, monkeypatch) as url:
        status = main(["status", "--url", f"{url}/hub"])
        printed = capsys.readouterr().out
        checked = main(["check-nagios", "--url", f"{url}/hub"])
        reported = capsys.readouterr().out
    assert (status, checked) == exit_codes
    assert line in printed
    assert bool(line) == ("FROZEN" in printed or "may still run" in printed)
    assert reported.startswith(f"DAAS_HUB {nagios}")


PLACES = [
    {
        "name": "here",
        "title": "This machine",
        "state": "open",
        "used": 3,
        "capacity": 20,
        "resources": {},
        "asked": None,
    },
    {
        "name": "large",
        "title": "Large nodes",
        "state": "open",
        "used": 6,
        "capacity": None,
        "resources": {},
        "asked": None,
    },
]
HOURS = {"hours": {"used": 24.0, "limit": 30.0, "days": 30.0}}


@pytest.mark.parametrize(
    ("portal", "last_line", "status_line", "nagios"),
    [
        pytest.param(
            {"used": 9, "capacity": 10, "resources": HOURS, "asked": None},
            "(whole portal)  -      9     10        1     24 of 30 in 30 days",
            "portal    all places: 9 of 10 in use",
            "WARNING - the whole portal has 9 of 10 sessions | ",
            id="full",
        ),
        pytest.param(
            {"used": 8, "capacity": 10, "resources": {}, "asked": None},
            "(whole portal)  -      8     10        2",
            "portal    all places: 8 of 10 in use",
            "OK - ",
            id="not full",
        ),
        pytest.param(
            {"used": 9, "capacity": None, "resources": HOURS, "asked": None},
            "(whole portal)  -      9     no limit  -     24 of 30 in 30 days",
            "",
            "OK - ",
            id="hours alone",
        ),
        pytest.param(None, "large          open   6     no limit  -", "", "OK - ", id="no limit"),
        pytest.param(..., "large          open   6     no limit  -", "", "OK - ", id="an earlier release"),
    ],
)  # fmt: skip
def test_the_whole_portal_of_several_places(
    portal: Any,
    last_line: str,
    status_line: str,
    nagios: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    found = STATUS | {"places": PLACES} | ({} if portal is ... else {"whole_portal": portal})
    with hub_that_says(found, monkeypatch) as url:
        printed = {}
        for command in ("capacity", "capacity --json", "status", "check-nagios"):
            main([*command.split(), "--url", f"{url}/hub"])
            printed[command] = capsys.readouterr().out
    assert printed["capacity"].splitlines()[-1].split() == last_line.split()
    listed = json.loads(printed["capacity --json"])
    assert listed[:2] == PLACES
    assert listed[2:] == (
        [{"name": "", "title": "The whole portal", "state": ""} | portal] if "(whole" in last_line else []
    )
    assert [line for line in printed["status"].splitlines() if line.startswith("portal")] == (
        [status_line] if status_line else []
    )
    assert printed["check-nagios"].startswith(f"DAAS_HUB {nagios}")
    assert "place_here=3;18;;0;20" in printed["check-nagios"]
    assert ("whole_portal=" in printed["check-nagios"]) == bool(status_line)
    if status_line:
        assert f"whole_portal={portal['used']};9;;0;10" in printed["check-nagios"]
