"""Imports JupyterLab without what other packages do at import, and that took most of its start.

Import this before anything of Jupyter. `rfc3987_syntax` builds a grammar of all addresses (0.8 s), for event schemas
that declare the format "iri"; none of ours or Jupyter's does. `jupyterlab.labapp` runs `node` to read the registry of a
user who builds extensions; without `node`, as in most images, it does not. JupyterHub's server extension imports the
hub's database layer, to log requests and to compare scopes, and uses nothing of it.
"""

from __future__ import annotations

import importlib
import os
import sys
from types import ModuleType
from typing import Any

#: Modules of the hub and of its database that JupyterHub's server extension names.
OF_THE_HUB = (
    "jupyterhub.handlers",
    "jupyterhub.handlers.pages",
    "jupyterhub.orm",
    "jupyterhub.roles",
    "sqlalchemy",
    "sqlalchemy.exc",
)


class Deferred(ModuleType):
    """A module that is imported when something of it is used."""

    def __getattr__(self, name: str) -> Any:
        """Import the module, and return an attribute of it."""
        if name.startswith("__"):
            # the import system looks for these
            raise AttributeError(name)
        _remove_deferred()
        return getattr(importlib.import_module(self.__name__), name)


def import_lab() -> None:
    """Import JupyterLab's application."""
    # an import of it fails, and jsonschema leaves the format out
    sys.modules.setdefault("rfc3987_syntax", None)  # type: ignore[arg-type]
    path = os.environ.get("PATH")
    os.environ["PATH"] = os.devnull
    try:
        import jupyterlab.labapp  # noqa: F401
    finally:
        if path is None:
            del os.environ["PATH"]
        else:
            os.environ["PATH"] = path


def import_hub() -> None:
    """Import JupyterHub's server extension.

    The modules of the hub are deferred during this import only: what a user's extension imports later is complete.
    """
    for name in OF_THE_HUB:
        sys.modules.setdefault(name, Deferred(name))
    # names that the import needs: a handler that no notebook server has, and an error that nothing here raises
    for module, name, kind in (
        ("jupyterhub.handlers.pages", "HealthCheckHandler", object),
        ("sqlalchemy.exc", "SQLAlchemyError", Exception),
    ):
        if isinstance(sys.modules[module], Deferred):
            setattr(sys.modules[module], name, type(name, (kind,), {}))
    try:
        import jupyterhub.singleuser.extension  # noqa: F401
    finally:
        _remove_deferred()


def _remove_deferred() -> None:
    for name in OF_THE_HUB:
        if isinstance(sys.modules.get(name), Deferred):
            del sys.modules[name]


import_lab()
import_hub()
