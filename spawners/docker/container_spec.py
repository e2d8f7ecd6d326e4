"""The create call: a plan becomes the body of `POST /containers/create`. Pure; what is not named is not allowed.

The account's numbers and exactly its groups; no capability and no way to more; a root that cannot be written, with
small file systems in memory where programs must write; no network. Every path is a value of its own, never a string
that something splits or formats. Nothing in it is secret: inspecting a container reveals no token.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from daas_hub.catalogue import Size
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.guest_layout import (
    API_DIR,
    SOCKETS_DIR,
    TEMPORARY_HOME_FILE,
    folder_of_several,
    outside_home,
    target_of,
    temporary_home_bytes,
)

#: Labels of our containers: which hub, and which session; no name of a person, no proposal.
HUB_LABEL = "org.daas-hub.hub"
SESSION_LABEL = "org.daas-hub.session"
#: Where a hub has several places: which of them, for an administrator of the engine.
PLACE_LABEL = "org.daas-hub.place"
#: The reference of the launch, which log lines and the page of a failed start have.
LAUNCH_LABEL = "org.daas-hub.launch"
#: The generated files in a container's /etc.
IDENTITY_FILES = ("passwd", "group", "nsswitch.conf", "hosts", "resolv.conf", "localtime")
ARRIVAL_SOCKET = "arrive.sock"
#: The socket at which a session on another machine answers.
SESSION_SOCKET = "http.sock"
#: Nobody, as whom the far end of a tunnel runs in the session's container.
TUNNEL_UID = 65534
#: Seconds a session may take to end by itself before the engine ends it.
STOP_GRACE_S = 4
_CPU_PERIOD_US = 100_000


class SessionFiles(ABC):
    """Where the parts of one session are that are not the facility's, as the engine takes them.

    Attributes:
        read_only: further directories of the engine's machine, shown at their own path.
        arrival: where the session's first program finds its handshake, as it reads it from its environment.
        by_input: whether that is its own input and output.
    """

    read_only: tuple[Path, ...]
    arrival: ClassVar[str]
    by_input: ClassVar[bool]

    @abstractmethod
    def identity(self, name: str, target: str) -> dict[str, Any]:
        """Return the mount of a generated file."""

    @abstractmethod
    def sockets(self) -> list[dict[str, Any]]:
        """Return the mounts of the sockets and icons."""

    @abstractmethod
    def empty(self, target: str) -> dict[str, Any]:
        """Return the mount of the directory that holds several data directories."""

    def in_memory(self, owner: str) -> dict[str, str]:
        """Return further file systems in memory, by their place; `owner` is "uid=...,gid=..."."""
        return {}


@dataclass(frozen=True)
class LocalFiles(SessionFiles):
    """Those of a session on the hub's own machine.

    Attributes:
        directory: the session's own: identity/ with the generated files, sockets/ with its sockets, empty/.
        api: directory with the socket of the hub's API.
    """

    directory: Path
    api: Path
    read_only: tuple[Path, ...] = ()
    arrival: ClassVar[str] = f"{SOCKETS_DIR}/{ARRIVAL_SOCKET}"
    by_input: ClassVar[bool] = False

    def identity(self, name: str, target: str) -> dict[str, Any]:
        """Return the mount of a generated file."""
        return bind(self.directory / "identity" / name, target)

    def sockets(self) -> list[dict[str, Any]]:
        """Return the mounts of the sockets and icons."""
        return [bind(self.api, API_DIR), bind(self.directory / "sockets", SOCKETS_DIR)]

    def empty(self, target: str) -> dict[str, Any]:
        """Return the mount of the directory that holds several data directories."""
        return bind(self.directory / "empty", target)


@dataclass(frozen=True)
class RemoteFiles(SessionFiles):
    """Those of a session on another machine: a small volume there, and sockets that are in memory.

    Attributes:
        volume: the name of the volume with identity/, icons/ and empty/, which the session cannot write.
    """

    volume: str
    read_only: tuple[Path, ...] = ()
    arrival: ClassVar[str] = f"-{SOCKETS_DIR}/{SESSION_SOCKET}"
    by_input: ClassVar[bool] = True

    def identity(self, name: str, target: str) -> dict[str, Any]:
        """Return the mount of a generated file."""
        return self._part(f"identity/{name}", target)

    def sockets(self) -> list[dict[str, Any]]:
        """Return the mount of the icons; the sockets next to them are made by the session and by the tunnel."""
        return [self._part("icons", f"{SOCKETS_DIR}/icons")]

    def empty(self, target: str) -> dict[str, Any]:
        """Return the mount of the directory that holds several data directories."""
        return self._part("empty", target)

    def in_memory(self, owner: str) -> dict[str, str]:
        """Return the directories of the sockets, which the tunnel's end makes: the session cannot replace them."""
        tunnel = f"uid={TUNNEL_UID},gid={TUNNEL_UID}"
        return dict.fromkeys((API_DIR, SOCKETS_DIR), f"rw,nosuid,nodev,noexec,mode=0755,{tunnel},size=1m")

    def _part(self, path: str, target: str) -> dict[str, Any]:
        return {
            "Type": "volume",
            "Source": self.volume,
            "Target": target,
            "ReadOnly": True,
            "VolumeOptions": {"Subpath": path, "NoCopy": True},
        }


def create_body(
    plan: Plan,
    files: SessionFiles,
    *,
    program: str,
    labels: dict[str, str],
    placed: Mapping[str, Path] | None = None,
    device_requests: Sequence[dict[str, Any]] = (),
) -> dict[str, Any]:
    """Return the body of `POST /containers/create`.

    Args:
        program: the session's first program, found on the image's own PATH.
        placed: where the directories are mounted for the engine, by target, if it cannot reach them by their own paths.
            With the home there, the others are mounted in it already.
        device_requests: the devices of the engine's machine that it gets (its GPUs); nothing else of /dev.
    """
    account = plan.account
    return {
        "Image": plan.application.image,
        # the entry point of an image is not for our programs
        "Entrypoint": [""],
        "Cmd": [program],
        "User": f"{account.uid}:{account.gid}",
        "WorkingDir": plan.home,
        "Hostname": "session",
        "Env": [
            f"HOME={plan.home}",
            f"USER={account.name}",
            f"DAAS_HANDSHAKE={files.arrival}",
        ],
        **({"OpenStdin": True, "StdinOnce": True} if files.by_input else {}),
        "Labels": labels,
        "StopTimeout": STOP_GRACE_S,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            **_isolation(plan),
            **_limits(plan.size),
            "Tmpfs": _in_memory(plan, files),
            "Mounts": _mounts(plan, files, placed or {}),
            **({"DeviceRequests": list(device_requests)} if device_requests else {}),
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,
        },
    }


def _isolation(plan: Plan) -> dict[str, Any]:
    """Return what keeps a session from the network, the engine's machine and other sessions."""
    account = plan.account
    return {
        "NetworkMode": "none",
        "Privileged": False,
        "CapDrop": ["ALL"],
        "SecurityOpt": ["no-new-privileges:true"],
        "GroupAdd": [str(gid) for gid in dict.fromkeys(account.groups) if gid != account.gid],
        "ReadonlyRootfs": True,
        "Init": True,
        "IpcMode": "private",
        "CgroupnsMode": "private",
    }


def _limits(size: Size) -> dict[str, Any]:
    """Return what a session may use of the engine's machine."""
    return {
        "PidsLimit": size.processes,
        "Memory": size.memory_bytes,
        "MemorySwap": size.memory_bytes,
        "CpuPeriod": _CPU_PERIOD_US,
        "CpuQuota": int(size.cpus * _CPU_PERIOD_US),
        "ShmSize": size.memory_bytes // 4,
        "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
        # under pressure the kernel ends a session before it ends the engine
        "OomScoreAdj": 200,
        # what a session prints before its handshake; it may not fill the disk
        "LogConfig": {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "1"}},
    }


def _in_memory(plan: Plan, files: SessionFiles) -> dict[str, str]:
    """Return the options of the file systems in memory, by their place."""
    memory, owner = plan.size.memory_bytes, f"uid={plan.account.uid},gid={plan.account.gid}"
    private = f"mode=0700,{owner}"
    places = {
        "/tmp": f"rw,nosuid,nodev,exec,mode=1777,size={memory // 2}",  # noqa: S108  # inside
        "/var/tmp": f"rw,nosuid,nodev,exec,mode=1777,size={memory // 4}",  # noqa: S108
        "/run/session": f"rw,nosuid,nodev,noexec,{private},size=64m",
        # X compiles its keyboard maps into here
        "/var/lib/xkb": f"rw,nosuid,nodev,noexec,{private},size=4m",
        **files.in_memory(owner),
    }
    if plan.temporary_home:
        places[plan.home] = f"rw,nosuid,nodev,exec,{private},size={temporary_home_bytes(plan)}"
    return places


def _mounts(plan: Plan, files: SessionFiles, placed: Mapping[str, Path]) -> list[dict[str, Any]]:
    """Return every mount, outer ones first."""
    mounts = [files.identity(name, f"/etc/{name}") for name in IDENTITY_FILES]
    mounts += [bind(path, str(path)) for path in dict.fromkeys(files.read_only)]
    mounts += files.sockets()
    if plan.temporary_home:
        mounts.append(files.identity(TEMPORARY_HOME_FILE, f"{plan.home}/{TEMPORARY_HOME_FILE}"))
    outside = [
        bind(placed.get(path, mount.source), path, writable=mount.writable)
        for mount, path in outside_home(plan)
        if not placed or path in placed
    ]
    if "." in placed:
        return [*mounts, bind(placed["."], plan.home, writable=True), *outside]

    def bound(mount: Mount) -> dict[str, Any]:
        source = placed.get(mount.target, mount.source)
        return bind(source, target_of(plan, mount.target), writable=mount.writable)

    several = [mount for mount in plan.mounts if "/" in mount.target]
    mounts += [bound(mount) for mount in plan.mounts if mount not in several]
    if several:
        # the directory that holds them belongs to the session alone, and nothing can be added to it
        mounts.append(files.empty(f"{plan.home}/{folder_of_several(plan)}"))
        mounts += [bound(mount) for mount in several]
    return [*mounts, *outside]


def bind(source: object, target: str, *, writable: bool = False) -> dict[str, Any]:
    """Return one bind mount for the create call: it must exist, and later mounts of the host do not appear in it."""
    options: dict[str, Any] = {"Propagation": "rprivate"}
    if not writable:
        # what is mounted below it is read-only, too, or the container is not started
        options["ReadOnlyForceRecursive"] = True
    return {
        "Type": "bind",
        "Source": str(source),
        "Target": target,
        "ReadOnly": not writable,
        "BindOptions": options,
    }
