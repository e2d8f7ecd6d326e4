"""Which hub made a pod, where two hubs have one `hub_id` by mistake: a random name, kept with the records of starts.

A hub cannot know what the pods of another one are: it reports them, and leaves them alone.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from daas_hub.spawners.kubernetes.labels import INSTANCE_LABEL
from daas_hub.spawners.runtime_dir import own_directory

FILE = "instance"
_NAME = re.compile(r"[0-9a-f]{16}")

_known: dict[Path, str] = {}


def instance_of(runtime_dir: Path) -> str:
    """Return the name of the hub that keeps its records below this directory; it gets one at first.

    Raises:
        OSError, ConfigurationError: it cannot be kept.
    """
    if runtime_dir not in _known:
        own_directory(runtime_dir)
        if not read_instance(runtime_dir):
            _write(runtime_dir / FILE, secrets.token_hex(8))
        _known[runtime_dir] = read_instance(runtime_dir)
    return _known[runtime_dir]


def read_instance(runtime_dir: Path) -> str:
    """Return the name of the hub that keeps its records there; "" if none has been there."""
    try:
        name = (runtime_dir / FILE).read_text().strip()
    except OSError:
        return ""
    return name if _NAME.fullmatch(name) else ""


def _write(file: Path, name: str) -> None:
    """Write a whole file, or none."""
    temporary = file.with_name(f"{FILE}.{os.getpid()}")
    temporary.write_text(name)
    with contextlib.suppress(OSError):
        # what is not a name is of no use
        file.unlink()
    temporary.replace(file)


def is_of_another(pod: Mapping[str, Any], instance: str) -> bool:
    """Return whether another hub made a pod; those of an earlier release do not say."""
    label = (pod["metadata"].get("labels") or {}).get(INSTANCE_LABEL, "")
    return bool(label and instance and label != instance)


def words_of_others(pods: Iterable[Mapping[str, Any]]) -> str:
    """Return a sentence for administrators about pods that another hub made."""
    names = sorted(str(pod["metadata"]["name"]) for pod in pods)
    shown = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
    return (
        f"{len(names)} pods with this hub's hub_id were made by another hub, or before runtime_dir was lost, "
        f"and are left alone: {shown}"
    )


#: What administrators do about them.
REMEDY = "Give each hub a hub_id of its own, and keep runtime_dir; delete what nobody needs with kubectl."
