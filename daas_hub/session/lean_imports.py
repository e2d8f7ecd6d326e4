"""Imports JupyterLab without two things that other packages do at import, and that took half of its start.

Import this before anything of Jupyter. `rfc3987_syntax` builds a grammar of all addresses (0.8 s), for event schemas
that declare the format "iri"; none of ours or Jupyter's does. `jupyterlab.labapp` runs `node` to read the registry of a
user who builds extensions; without `node`, as in most images, it does not.
"""

from __future__ import annotations

import os
import sys


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


import_lab()
