"""Lets tests run from a bare checkout: the top-level folders are rooms of `daas_hub` (package_dir in setup.cfg).

An installed package, tested from another folder, needs nothing of this and is left alone.
"""

from __future__ import annotations

from pathlib import Path

import daas_hub

ROOT = Path(__file__).parent

if Path(daas_hub.__file__).parent == ROOT / "daas_hub":
    daas_hub.__path__.append(str(ROOT))
