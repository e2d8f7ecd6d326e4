"""`daas-hub reload`: a running hub reads its applications and sizes again."""

from __future__ import annotations

from typing import Any

import click

from daas_hub.commands.output import JSON, as_json, reports_errors
from daas_hub.commands.running_hub import find_hub, hub_options


@click.command()
@hub_options
@JSON
@reports_errors
def reload(is_json: bool, **where: Any) -> int:
    """Read applications and sizes again, without a restart of the hub.

    The files are checked as `daas-hub check-config` does: with a problem nothing is changed, and the exit code is 1.
    Running sessions keep what they were started with; pages show the new applications when they are loaded next.
    """
    status, found = find_hub(**where).tried("POST", "daas/catalogue", (422,))
    if is_json:
        print(as_json(found))
    elif status == 422:
        click.echo("\n".join([f"problem: {one}" for one in found["problems"]] + ["nothing was changed"]), err=True)
    else:
        print("\n".join(changes_in_words(found)))
    return 1 if status == 422 else 0


def changes_in_words(found: dict[str, list[str]]) -> list[str]:
    """Return one line for each kind of change."""
    lines = [f"{kind + ':':<9} {', '.join(names)}" for kind, names in found.items() if names]
    return lines or ["nothing has changed"]
