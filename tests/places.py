"""Portals with several places, for tests."""

from __future__ import annotations

from typing import Any

from daas_hub.spawners.sandbox.processes import marked_processes
from tests.killed_starts import Mortal
from tests.live_portal import Portal, new_state, start_portal

#: Two places on this machine, each with its own directory of sockets.
TWO: dict[str, dict[str, Any]] = {
    "here": {"spawner": "sandbox", "title": "This machine"},
    "large": {"spawner": "sandbox", "title": "Large nodes", "description": "For reconstructions"},
}


def config_of(places: dict[str, dict[str, Any]], *, more: str = "") -> str:
    """Return the lines of a configuration with these places."""
    return f'c.JupyterHub.spawner_class = "places"\nc.Places.places = {places!r}\n{more}\n'


def start_with(places: dict[str, dict[str, Any]], *, before: Portal | None = None, more: str = "") -> Portal:
    """Start a portal with these places; `before` is one that has stopped, whose state and address it takes over."""
    config = config_of(places, more=more)
    if before is None:
        return start_portal(state=new_state(), more_config=config)
    return start_portal(state=before.state, port=before.port, more_config=config)


def with_changes(name: str, **changes: Any) -> dict[str, dict[str, Any]]:
    """Return the two places, one of them with other keys."""
    return {one: keys | (changes if one == name else {}) for one, keys in TWO.items()}


def sandboxes(portal: Portal, place: str) -> list[str]:
    """Return the sandboxes of a place, by their folders' names, whatever the hub says."""
    return list(marked_processes(portal.state / "run" / "places" / place / "sessions"))


def kill(portal: Portal) -> None:
    """Kill the hub alone; its proxy and its sessions continue."""
    portal.process.kill()
    portal.process.wait()


def kill_rest(portal: Portal) -> None:
    """End what a killed hub leaves: its proxy, the demo's identity provider, and sandboxes."""
    Mortal(portal, lambda one: one, list).kill_rest()
    places = portal.state / "run" / "places"
    for sessions in (portal.state / "run" / "sessions", *places.glob("*/sessions")):
        for processes in marked_processes(sessions).values():
            for process in processes:
                process.kill()
