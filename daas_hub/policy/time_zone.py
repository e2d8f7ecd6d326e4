"""The facility's time zone: read from a setting or from the machine, and its data for sessions."""

from __future__ import annotations

import functools
import os
import zoneinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from daas_hub.errors import ConfigurationError

#: The machine's zone: a link into the data of all zones, or on some systems a file with the name.
LOCALTIME, NAME_FILE = Path("/etc/localtime"), Path("/etc/timezone")


def read_zone(setting: str, name: str) -> ZoneInfo:
    """Return a time zone by its IANA name.

    Raises:
        ConfigurationError: this machine does not know it.
    """
    zone = _known(name)
    if zone is None:
        raise ConfigurationError(
            setting,
            name,
            "is no time zone this machine knows",
            remedy='Use an IANA name, like "Europe/Paris"; apt-get install tzdata if there are none.',
        )
    return zone


def machine_zone() -> ZoneInfo:
    """Return this machine's time zone; UTC if it says none."""
    target = str(LOCALTIME.resolve())
    names = [os.environ.get("TZ", "").lstrip(":"), target.partition("zoneinfo/")[2]]
    if NAME_FILE.is_file():
        names.append(NAME_FILE.read_text(errors="replace").strip())
    found = (_known(name) for name in names if name)
    return next((zone for zone in found if zone is not None), None) or read_zone("Facility.timezone", "UTC")


@functools.cache
def zone_data(name: str) -> bytes:
    """Return the contents of a time zone's file, as in /etc/localtime; b"" if this machine does not have it."""
    for folder in zoneinfo.TZPATH:
        if (path := Path(folder, name)).is_file():
            return path.read_bytes()
    return b""


def _known(name: str) -> ZoneInfo | None:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None
