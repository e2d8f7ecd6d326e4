"""The catalogue of the portal in containers: the applications of images/*/ whose images were built."""

from __future__ import annotations

import logging
import re
import shutil
from collections.abc import Callable
from pathlib import Path

#: What the applications of images/*/ call their images' registry.
REGISTRY = "localhost/daas-hub"

_IMAGE = re.compile(r"^image: (\S+)$", re.MULTILINE)
_log = logging.getLogger("jupyterhub.daas")


def gather(images: Path, into: Path, registry: str, is_built: Callable[[str], bool]) -> str:
    """Gather the applications with their sizes and icons in one directory, and return it.

    An application whose image was not built is left out, and logged: it would be a button that never starts anything.

    Args:
        registry: what the images are called here before their own name.
        is_built: whether the engine has an image.
    """
    shutil.rmtree(into, ignore_errors=True)
    into.mkdir()
    known: dict[str, bool] = {}
    for file in sorted(file for file in images.glob("*/application*.yaml") if file.parent.name != "template"):
        text = file.read_text().replace(f"image: {REGISTRY}/", f"image: {registry}/")
        match = _IMAGE.search(text)
        if match and match[1] not in known:
            known[match[1]] = is_built(match[1])
        if match and not known[match[1]]:
            _log.warning("application not offered: %s: the engine has no image %s", file.parent.name, match[1])
            continue
        (into / f"{file.parent.name}-{file.name}").write_text(text)
    for file in (*sorted(images.glob("*/*.svg")), *images.glob("sizes.yaml")):
        shutil.copyfile(file, into / file.name)
    return str(into)
