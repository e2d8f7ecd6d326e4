"""What `status` and `check-nagios` say of rights that end: frozen rechecks, and ends that are not confirmed."""

from __future__ import annotations

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
    async def answer(_request: web.Request) -> web.Response:
        return web.json_response(STATUS | more)

    app = web.Application()
    app.router.add_get("/hub/api/daas/status", answer)
    monkeypatch.setenv("DAAS_HUB_TOKEN", "0123456789abcdef" * 4)
    with running_beside(app) as url:
        status = main(["status", "--url", f"{url}/hub"])
        printed = capsys.readouterr().out
        checked = main(["check-nagios", "--url", f"{url}/hub"])
        reported = capsys.readouterr().out
    assert (status, checked) == exit_codes
    assert line in printed
    assert bool(line) == ("FROZEN" in printed or "may still run" in printed)
    assert reported.startswith(f"DAAS_HUB {nagios}")
