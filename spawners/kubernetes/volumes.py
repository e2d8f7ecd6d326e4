"""Where a cluster has the facility's directories: mounts of a plan become volumes of a pod. Pure.

Each path prefix of the facility has one kind of storage. For each kind it matters who walks the path to a directory of
a proposal, because storage that squashes root does not let everybody look: see `Storage.walker`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, ClassVar

from daas_hub.errors import ConfigurationError, ErrorKind, StorageProblem
from daas_hub.launch import Mount
from daas_hub.spawners.kubernetes.given_volumes import given_problems

_TELL = "Please tell the administrators."
_KUBELET = "the kubelet, as root of the node; it creates a sub path that is missing"


@dataclass(frozen=True)
class Located:
    """One directory on a volume.

    Attributes:
        source: the volume, without its name, as the API has it.
        sub_path: the path below the volume's top; "" for the top.
    """

    source: dict[str, Any]
    sub_path: str = ""


@dataclass(frozen=True)
class Storage(ABC):
    """Where the directories below one path of the facility are.

    Attributes:
        prefix: the path as the facility knows it: "/data/visitor".
    """

    prefix: PurePosixPath
    kind: ClassVar[str]
    #: Whether a namespace that enforces the *restricted* profile refuses it.
    needs_node_access: ClassVar[bool] = False

    @property
    @abstractmethod
    def walker(self) -> str:
        """What walks the path to a directory, for administrators: storage that squashes root refuses the node."""

    @abstractmethod
    def locate(self, below: PurePosixPath, *, writable: bool) -> Located:
        """Return where the directory is whose path below `prefix` is `below`."""


@dataclass(frozen=True)
class ClaimStorage(Storage):
    """A claim of the sessions' namespace; `sub_path` is where its volume has what the facility has at `prefix`."""

    claim: str
    sub_path: str = ""
    kind: ClassVar[str] = "claim"

    @property
    def walker(self) -> str:
        """What walks the path to a directory."""
        return _KUBELET

    def locate(self, below: PurePosixPath, *, writable: bool) -> Located:
        """Return the claim and the path in it. Whether it is mounted read-only is up to each mount."""
        return Located({"persistentVolumeClaim": {"claimName": self.claim}}, _joined(self.sub_path, below))


@dataclass(frozen=True)
class CsiStorage(Storage):
    """An inline volume of a CSI driver.

    Attributes:
        attributes: what the driver is given, as it is.
        path_attribute: the attribute that takes the path of the directory, so that the driver walks it; "" to mount
            the whole of what `attributes` names, and a sub path of it.
        base: the path that the driver's storage has for `prefix`.
        secret: the Secret of the namespace with the driver's credentials; "" for none.
    """

    driver: str
    attributes: Mapping[str, str] = field(default_factory=dict, hash=False)
    path_attribute: str = ""
    base: str = ""
    secret: str = ""
    kind: ClassVar[str] = "csi"

    @property
    def walker(self) -> str:
        """What walks the path to a directory."""
        return f"the CSI driver {self.driver}" if self.path_attribute else _KUBELET

    def locate(self, below: PurePosixPath, *, writable: bool) -> Located:
        """Return an inline volume of the directory, or of all with a sub path."""
        source: dict[str, Any] = {"driver": self.driver, "readOnly": not writable}
        attributes = dict(self.attributes)
        sub_path = ""
        if self.path_attribute:
            attributes[self.path_attribute] = str(PurePosixPath(self.base or "/") / below)
        else:
            # one volume for all directories: each mount says whether it is writable
            source["readOnly"] = False
            sub_path = _joined(self.base, below)
        if attributes:
            source["volumeAttributes"] = attributes
        if self.secret:
            source["nodePublishSecretRef"] = {"name": self.secret}
        return Located({"csi": source}, sub_path)


@dataclass(frozen=True)
class NfsStorage(Storage):
    """An export of an NFS server, mounted by the node; `export` is its path for `prefix`."""

    server: str
    export: str
    kind: ClassVar[str] = "nfs"
    needs_node_access: ClassVar[bool] = True

    @property
    def walker(self) -> str:
        """What walks the path to a directory."""
        return "root of the node, at the server: as nobody, if that squashes root"

    def locate(self, below: PurePosixPath, *, writable: bool) -> Located:
        """Return a volume of the directory itself: the kubelet walks nothing."""
        path = str(PurePosixPath(self.export) / below)
        return Located({"nfs": {"server": self.server, "path": path, "readOnly": not writable}})


@dataclass(frozen=True)
class HostPathStorage(Storage):
    """A directory of every node, as where the facility's storage is mounted; `path` is where nodes have `prefix`."""

    path: str
    kind: ClassVar[str] = "hostPath"
    needs_node_access: ClassVar[bool] = True

    @property
    def walker(self) -> str:
        """What walks the path to a directory."""
        return "the kubelet and the container runtime, as root of the node"

    def locate(self, below: PurePosixPath, *, writable: bool) -> Located:
        """Return the directory; with its type, so that a missing one is not created as root."""
        return Located({"hostPath": {"path": str(PurePosixPath(self.path) / below), "type": "Directory"}})


def storage_of(path: PurePosixPath, storages: Sequence[Storage], *, name: str) -> Storage:
    """Return the storage with the longest prefix of a path.

    Args:
        name: the directory's name for the user ("data").

    Raises:
        StorageProblem: no storage is configured for it.
    """
    found = [one for one in storages if path.is_relative_to(one.prefix)]
    if not found:
        raise StorageProblem(
            f"The directory {name!r} is not available where this session would run.",
            remedy="Choose another place, or tell the administrators.",
            kind=ErrorKind.STORAGE,
            detail=f"no storage is configured for {path}",
        )
    return max(found, key=lambda one: len(one.prefix.parts))


class Volumes:
    """The volumes of one pod, and their mounts; directories on one volume share it."""

    def __init__(self, storages: Sequence[Storage], *, node_storage: bool = False) -> None:
        self._storages = storages
        self._node_storage = node_storage
        self.volumes: list[dict[str, Any]] = []
        self.mounts: list[dict[str, Any]] = []

    def add(self, mount: Mount, path: str) -> None:
        """Mount a directory of the plan at a path of the container.

        Raises:
            StorageProblem: no storage is configured for it, or its path cannot be said to Kubernetes.
        """
        name = "home" if mount.target == "." else mount.target
        _require_opened(mount, name)
        for text in (str(mount.source), path):
            _require_plain(text, name)
        storage = storage_of(mount.source, self._storages, name=name)
        if storage.needs_node_access and not self._node_storage:
            raise StorageProblem(
                f"The directory {name!r} is not available where this session would run.",
                remedy="Choose another place, or tell the administrators.",
                kind=ErrorKind.STORAGE,
                detail=f"{storage.kind} at {storage.prefix} needs ProposalKubeSpawner.node_storage = True",
            )
        located = storage.locate(mount.source.relative_to(storage.prefix), writable=mount.writable)
        mounted: dict[str, Any] = {"name": self._volume(located.source), "mountPath": path}
        if located.sub_path:
            mounted["subPath"] = located.sub_path
        if not mount.writable:
            # never "IfPossible": a file system below the directory would be writable on a node that cannot
            mounted |= {"readOnly": True, "recursiveReadOnly": "Enabled"}
        self.mounts.append(mounted)

    def add_empty(
        self, name: str, path: str, max_bytes: int, *, in_memory: bool = False, read_only: bool = False
    ) -> None:
        """Mount an empty directory of at most this many bytes, which goes with the pod."""
        medium = {"medium": "Memory"} if in_memory else {}
        self.volumes.append({"name": name, "emptyDir": {**medium, "sizeLimit": str(max_bytes)}})
        self.mounts.append({"name": name, "mountPath": path, **({"readOnly": True} if read_only else {})})

    def add_secret(self, name: str, secret: str, path: str) -> None:
        """Mount the keys of a Secret as files that the account may read."""
        self.volumes.append({"name": name, "secret": {"secretName": secret, "defaultMode": 0o444, "optional": False}})
        self.mounts.append({"name": name, "mountPath": path, "readOnly": True})

    def add_given(self, volumes: Sequence[Mapping[str, Any]], mounts: Sequence[Mapping[str, Any]]) -> None:
        """Add what an administrator configured; what is read-only is so down to what is mounted below it.

        Raises:
            ConfigurationError: it would replace a directory of the session, or is not for sessions.
        """
        for problem in given_problems(volumes, mounts, node_storage=self._node_storage):
            raise problem
        for one in mounts:
            path = PurePosixPath(one["mountPath"])
            for ours in (PurePosixPath(each["mountPath"]) for each in self.mounts):
                if path.is_relative_to(ours) or ours.is_relative_to(path):
                    raise ConfigurationError(
                        "KubeSpawner.volume_mounts",
                        str(path),
                        f"is at a directory of the session's own: {ours}",
                        remedy="Mount it elsewhere: /facility/tools.",
                    )
        self.volumes += [dict(one) for one in volumes]
        self.mounts += [
            {**one, "recursiveReadOnly": "Enabled"} if one.get("readOnly") is True else dict(one) for one in mounts
        ]

    def _volume(self, source: dict[str, Any]) -> str:
        """Return the name of the volume with this source; add one that is not there yet."""
        for one in self.volumes:
            if {key: value for key, value in one.items() if key != "name"} == source:
                return str(one["name"])
        name = f"storage-{len(self.volumes)}"
        self.volumes.append({"name": name, **source})
        return name


def _joined(base: str, below: PurePosixPath) -> str:
    """Return a path below a volume's top, relative; "" for the top itself."""
    path = str(PurePosixPath(base.strip("/")) / below)
    return "" if path == "." else path


def _require_opened(mount: Mount, name: str) -> None:
    """Check that a directory is one path: what stands for several was looked up beforehand."""
    if mount.pattern:
        raise StorageProblem(
            f"The directory {name!r} was not found.",
            remedy=_TELL,
            kind=ErrorKind.STORAGE,
            detail=f"{mount.source} is a pattern, which the hub resolves only where it has the storage itself",
        )


def _require_plain(path: str, name: str) -> None:
    """Check that Kubernetes mounts exactly this path."""
    try:
        path.encode()
        problem = "a colon" if ":" in path else ""
    except UnicodeEncodeError:
        # its JSON would arrive as another name
        problem = "bytes that are not UTF-8"
    if ".." in PurePosixPath(path).parts:
        problem = "'..'"
    if problem:
        raise StorageProblem(
            f"The directory {name!r} has a name that Kubernetes cannot mount.",
            remedy="Please tell the administrators.",
            kind=ErrorKind.STORAGE,
            detail=f"{path!r} has {problem}",
        )
