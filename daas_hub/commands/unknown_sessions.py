"""The command `daas-hub unknown-sessions`."""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import click

from daas_hub.commands.output import JSON, as_json, as_table, counted, reports_errors
from daas_hub.commands.running_hub import HubProblem, RunningHub, find_hub, hub_options

_PATH = "daas/unknown-sessions"


@click.command("unknown-sessions")
@hub_options
@click.option("--end", "names", multiple=True, metavar="NAME", help="End this one; can be repeated.")
@JSON
@reports_errors
def unknown_sessions(*, names: tuple[str, ...], is_json: bool, **where: Any) -> int:
    """List sessions that run and that the hub does not know, or end some of them.

    There are some after the hub's database was lost, or restored from a backup. They keep running until their time
    limit; their owners cannot open them. The exit code is 1 if one could not be ended.
    """
    hub = find_hub(**where)
    if names:
        results = {name: _ended(hub, name) for name in names}
        print(as_json(results) if is_json else "\n".join(f"{one}: {why or 'ended'}" for one, why in results.items()))
        return 1 if any(results.values()) else 0
    found = hub.get(_PATH)["sessions"]
    if is_json:
        print(as_json(found))
        return 0
    heads = ("NAME", "USER", "SESSION", "PROPOSAL", "BACKEND", "UNKNOWN FOR")
    rows = [
        (one["name"], one["user"], one["session"], one["proposal"], one["backend"], f"{one['unknown_for_s']} s")
        for one in found
    ]
    print(as_table(heads, rows))
    print(counted(len(found), "session"))
    return 0


def _ended(hub: RunningHub, name: str) -> str:
    """End a session; return why it could not be ended, "" if it was."""
    try:
        hub.ask("DELETE", f"{_PATH}/{quote(name, safe='')}")
    except HubProblem as problem:
        return f"not ended: {problem}"
    return ""
