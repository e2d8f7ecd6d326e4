"""`daas-hub stop` of many sessions: its progress on a terminal, and what it prints for people and for programs."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest
from aiohttp import web

from tests.commands.terminal import in_a_pipe, on_a_terminal
from tests.stand_ins.running import running_beside

COUNT = 20
SESSIONS: list[dict[str, Any]] = [
    {
        "user": "anna", "person": "Anna", "name": f"s{number}", "application": "pymca", "proposals": [], "place": "",
        "state": "running", "since": "", "ends": "", "notice": "",
    }
    for number in range(COUNT)
]  # fmt: skip


def hub() -> web.Application:
    """Return a hub that stops all of its sessions."""

    async def sessions(_request: web.Request) -> web.Response:
        return web.json_response({"sessions": SESSIONS})

    async def stop(_request: web.Request) -> web.Response:
        return web.Response(status=204)

    app = web.Application()
    app.router.add_get("/hub/api/daas/sessions", sessions)
    app.router.add_delete("/hub/api/users/anna/servers/{name}", stop)
    return app


@pytest.mark.parametrize("is_terminal", [True, False])
def test_progress_is_shown_on_a_terminal(is_terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAAS_HUB_TOKEN", "0123456789abcdef" * 4)
    with running_beside(hub()) as url:
        argv = ["stop", "--user", "anna", "--yes", "--url", f"{url}/hub"]
        printed, shown = on_a_terminal(argv) if is_terminal else in_a_pipe(argv)
        as_json, _ = in_a_pipe([*argv, "--json"])
    assert printed.splitlines() == [f"anna/s{number}: stopped" for number in range(COUNT)]
    assert [one["problem"] for one in json.loads(as_json)] == [""] * COUNT
    if is_terminal:
        steps = [int(one) for one in re.findall(r"stopped .*?(\d+)%", shown)]
        assert {5, 50, 100} <= set(steps), shown
    else:
        assert shown == ""
