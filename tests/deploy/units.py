"""The systemd units as `make install` writes them, and what they take away from a process."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
NAMES = ("daas-hub.service", "daas-hub-proxy.service")


def rendered(name: str, prefix: str) -> str:
    """Return a unit for an installation in `prefix`, as scripts/install.sh renders it."""
    return (FOLDER / name).read_text().replace("/opt/daas-hub/", f"{prefix}/")


def settings(name: str) -> dict[str, list[str]]:
    """Return every setting of a unit with its values, in order."""
    found: dict[str, list[str]] = {}
    for line in (FOLDER / name).read_text().splitlines():
        key, equals, value = line.partition("=")
        if equals and not line.startswith(("#", ";")):
            found.setdefault(key, []).append(value)
    return found


def confined(name: str) -> list[str]:
    """Return the beginning of a command that has the unit's capabilities and no others; [] for anybody but root."""
    if os.geteuid() != 0:
        return []
    capabilities = settings(name)["CapabilityBoundingSet"][0].split()
    kept = "".join(f",+{one.removeprefix('CAP_').lower()}" for one in capabilities)
    return ["setpriv", "--no-new-privs", "--inh-caps=-all", f"--bounding-set=-all{kept}"]
