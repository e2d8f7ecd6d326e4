"""The icon of an application: its own, a built-in one with its name, or that of its kind."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from daas_hub.catalogue.model import Application, Kind

#: Built-in icons; they are with the pages, which show them.
BUILT_IN = Path(str(files("daas_hub.templates") / "static" / "icons"))

_OF_KIND = {Kind.NOTEBOOK: "jupyterlab", Kind.DESKTOP: "desktop", Kind.LINK: "link"}


def icon_file(application: Application) -> Path:
    """Return the SVG file of an application's icon."""
    built_in = BUILT_IN / f"{application.name}.svg"
    return application.icon or (built_in if built_in.is_file() else BUILT_IN / f"{_OF_KIND[application.kind]}.svg")
