"""Lets tests run from a bare checkout: the top-level folders are parts of the package daas_hub."""

from pathlib import Path

import daas_hub

daas_hub.__path__.append(str(Path(__file__).parent))
