"""The container that runs before a session's: it looks for directories, and creates mount points, as the account. Pure.

The kubelet creates a missing sub path of a volume as root, when it creates the container that mounts it. This
container mounts the volume's top instead, so it ends before that if a directory is missing. And a container runtime
creates missing mount points as root, which storage that squashes root refuses. Nothing of a person runs in it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import folder_of_several, mount_points, mount_points_below
from daas_hub.spawners.kubernetes.labels import MISSING_DIRECTORY

#: Where this container has the directory that holds several, and the tops of volumes.
_SEVERAL_DIR = "/run/daas-several"
_TOPS_DIR = "/run/daas-storage"
#: Looks for its arguments up to "--", and creates those after it.
_SCRIPT = f"""\
while [ "$1" != -- ]; do
  [ -d "$1" ] || {{ echo "missing, or not for this account: $1"; exit {MISSING_DIRECTORY}; }}
  shift
done
shift
[ $# = 0 ] || mkdir -p -- "$@"
"""


def first_look(plan: Plan, mounts: Sequence[Mapping[str, Any]], *, hub_has_storage: bool) -> dict[str, Any] | None:
    """Return command and mounts of the container; None if there is nothing to do.

    Args:
        mounts: those of the session's container.
        hub_has_storage: whether the hub has looked for the directories, and created mount points in the home.
    """
    shown: dict[str, dict[str, Any]] = {}
    wanted, made = [], []
    if not hub_has_storage:
        wanted = [_look(one, shown) for one in mounts if str(one["name"]).startswith("storage-") and "subPath" in one]
        made = [f"{_home(plan, mounts, shown)}/{name}" for name in mount_points(plan)]
    if folder_of_several(plan):
        # not at its own place, which is below a mount point that is still to be created
        shown[_SEVERAL_DIR] = {"name": "several", "mountPath": _SEVERAL_DIR}
        made += [f"{_SEVERAL_DIR}/{name}" for name in mount_points_below(plan)]
    if not (wanted or made):
        return None
    command = ["sh", "-c", _SCRIPT, "sh", *dict.fromkeys(wanted), "--", *made]
    return {"command": command, "volumeMounts": list(shown.values())}


def _look(mount: Mapping[str, Any], shown: dict[str, dict[str, Any]]) -> str:
    """Show the top of a mount's volume, read-only, and return the path of the mounted directory below it."""
    top = f"{_TOPS_DIR}/{mount['name']}"
    shown.setdefault(top, {"name": mount["name"], "mountPath": top, "readOnly": True, "recursiveReadOnly": "Enabled"})
    return f"{top}/{mount['subPath']}"


def _home(plan: Plan, mounts: Sequence[Mapping[str, Any]], shown: dict[str, dict[str, Any]]) -> str:
    """Show the home, writable, and return its path: below its volume's top if it is a sub path."""
    home = next(one for one in mounts if one["mountPath"] == plan.home)
    if "subPath" not in home:
        shown[plan.home] = dict(home)
        return plan.home
    top = f"{_TOPS_DIR}/{home['name']}"
    shown[top] = {"name": home["name"], "mountPath": top}
    return f"{top}/{home['subPath']}"
