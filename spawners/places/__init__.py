"""Several backends behind one portal, each a named place."""

from __future__ import annotations

from typing import Any


def __getattr__(name: str) -> Any:
    """Return the spawner class: the hub loads it here, by its entry point, and then has it checked."""
    if name == "PlacesSpawner":
        from daas_hub.spawners.places.spawner import PlacesSpawner
        from daas_hub.spawners.startup import check_when_hub_starts

        check_when_hub_starts()
        return PlacesSpawner
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
