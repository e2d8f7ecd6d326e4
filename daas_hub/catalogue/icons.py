"""Which drawing stands for an application: its own, one of ours of its name, or that of its kind."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from daas_hub.catalogue.model import Application, Kind

#: Our own drawings; they lie with the pages, which show them, too.
DRAWINGS = Path(str(files("daas_hub.templates") / "static" / "icons"))

_OF_KIND = {Kind.NOTEBOOK: "jupyterlab", Kind.DESKTOP: "desktop", Kind.LINK: "link"}


def icon_file(application: Application) -> Path:
    """Return the SVG file of an application's icon."""
    drawn = DRAWINGS / f"{application.name}.svg"
    return application.icon or (drawn if drawn.is_file() else DRAWINGS / f"{_OF_KIND[application.kind]}.svg")
