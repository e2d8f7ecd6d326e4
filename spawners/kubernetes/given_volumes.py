"""Volumes that an administrator adds to those of every session: licensed programs, calibration files. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePosixPath
from typing import Any

from daas_hub.errors import ConfigurationError

#: Kinds of volumes that a namespace with the *restricted* profile has, and what an administrator may add.
RESTRICTED_KINDS = (
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "image",
    "persistentVolumeClaim",
    "projected",
    "secret",
)
_NAME = re.compile(r"extra-[-a-z0-9]{0,56}[a-z0-9]")
_NODE_KINDS = ("hostPath", "nfs")
#: Where an administrator's directory must not be writable.
_SYSTEM = tuple(map(PurePosixPath, ("/bin", "/boot", "/dev", "/etc", "/lib", "/lib64", "/opt", "/proc", "/root", "/run",
                                    "/sbin", "/sys", "/usr", "/var")))  # fmt: skip


def given_problems(
    volumes: Sequence[Mapping[str, Any]], mounts: Sequence[Mapping[str, Any]], *, node_storage: bool
) -> Iterator[ConfigurationError]:
    """Yield what of an administrator's volumes and mounts is not for sessions, whatever the session."""
    names = set()
    for one in volumes:
        kinds = set(one) - {"name"}
        allowed = (*RESTRICTED_KINDS, *(_NODE_KINDS if node_storage else ()))
        if len(kinds) != 1 or not kinds <= set(allowed):
            remedy = f"These are: {', '.join(allowed)}."
            yield ConfigurationError("KubeSpawner.volumes", dict(one), "is not a volume for sessions", remedy=remedy)
        if "emptyDir" in one and not (one["emptyDir"] or {}).get("sizeLimit"):
            remedy = 'Add sizeLimit: {"sizeLimit": "5Gi"}.'
            yield ConfigurationError("KubeSpawner.volumes", dict(one), "could fill its node", remedy=remedy)
        if any("serviceAccountToken" in each for each in (one.get("projected") or {}).get("sources") or ()):
            remedy = "Remove serviceAccountToken: a session has no rights in the cluster."
            yield ConfigurationError("KubeSpawner.volumes", dict(one), "has a token of the cluster", remedy=remedy)
        # ours are named after what they are for
        name = str(one.get("name"))
        if name in names or not _NAME.fullmatch(name):
            remedy = 'Name it "extra-...", of lower-case letters, digits and hyphens, and only once.'
            yield ConfigurationError(
                "KubeSpawner.volumes", name, "is a name of the session's own, or has a volume already", remedy=remedy
            )
        names.add(name)
    for one in mounts:
        path = PurePosixPath(str(one.get("mountPath")))
        if not path.is_absolute() or ".." in path.parts or ":" in str(path) or one.get("name") not in names:
            remedy = "Give it an absolute path, and the name of one of KubeSpawner.volumes."
            yield ConfigurationError("KubeSpawner.volume_mounts", dict(one), "cannot be mounted", remedy=remedy)
        elif not _is_plain(one):
            remedy = "Remove subPathExpr, mountPropagation and recursiveReadOnly; subPath is below the volume's top."
            yield ConfigurationError("KubeSpawner.volume_mounts", str(path), "is not a plain mount", remedy=remedy)
        elif one.get("readOnly") is not True and any(map(path.is_relative_to, _SYSTEM)):
            remedy = "Add readOnly: True, or mount it elsewhere."
            yield ConfigurationError("KubeSpawner.volume_mounts", str(path), "is writable in the system", remedy=remedy)


def _is_plain(mount: Mapping[str, Any]) -> bool:
    """Return whether a mount is of a directory of its volume, and read-only at every level or not at all."""
    below = PurePosixPath(mount.get("subPath") or "")
    return (
        not mount.get("subPathExpr")
        and mount.get("mountPropagation") in (None, "None")
        and mount.get("recursiveReadOnly") in (None, "Enabled")
        and not below.is_absolute()
        and ".." not in below.parts
    )
