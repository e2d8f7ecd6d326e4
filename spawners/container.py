"""The container in words: a plan becomes the body of the engine's create call. Pure; what is not named is not allowed.

The account's numbers and exactly its groups; no capability and no way to more; a root that cannot be written, with
small file systems in memory where programs must write; no network. Every path is a value of its own, never a string
that something splits or formats. Nothing in it is secret: who may ask the engine about a container learns no token.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daas_hub.spawners.inside import API_DIR, DOOR_DIR, target_of

from daas_hub.launch import Plan

#: Labels of our containers: whose hub they are of, and which session; no name of a person, no proposal.
HUB_LABEL = "org.daas-hub.hub"
SESSION_LABEL = "org.daas-hub.session"
#: The generated files that stand in a container's /etc.
IDENTITY_FILES = ("passwd", "group", "nsswitch.conf", "hosts", "resolv.conf")
ARRIVAL_SOCKET = "arrive.sock"
#: Seconds a session may take to end by itself before the engine ends it.
STOP_GRACE_S = 4
_CPU_PERIOD_US = 100_000


@dataclass(frozen=True)
class Places:
    """Where on the engine's machine the parts of one session are that are not the facility's.

    Attributes:
        identity: folder of the generated files.
        api: folder with the socket of the hub's API.
        door: folder with this session's own sockets.
        empty: folder with an empty folder for each of several data directories.
        read_only: further directories of that machine, shown at their own path.
    """

    identity: Path
    api: Path
    door: Path
    empty: Path
    read_only: tuple[Path, ...] = ()


def create_body(plan: Plan, places: Places, *, program: str, labels: dict[str, str]) -> dict[str, Any]:
    """Give the body of `POST /containers/create`.

    Args:
        program: the session's first program, found on the image's own PATH.
    """
    account, size = plan.account, plan.size
    owner = f"uid={account.uid},gid={account.gid}"
    return {
        "Image": plan.application.image,
        # an image's own entry point is another program's
        "Entrypoint": [""],
        "Cmd": [program],
        "User": f"{account.uid}:{account.gid}",
        "WorkingDir": plan.home,
        "Hostname": "session",
        "Env": [
            f"HOME={plan.home}",
            f"USER={account.name}",
            f"DAAS_DOOR={DOOR_DIR}/{ARRIVAL_SOCKET}",
        ],
        "Labels": labels,
        "StopTimeout": STOP_GRACE_S,
        "Healthcheck": {"Test": ["NONE"]},
        "HostConfig": {
            "NetworkMode": "none",
            "Privileged": False,
            "CapDrop": ["ALL"],
            "SecurityOpt": ["no-new-privileges:true"],
            "GroupAdd": [str(gid) for gid in dict.fromkeys(account.groups) if gid != account.gid],
            "ReadonlyRootfs": True,
            "Init": True,
            "IpcMode": "private",
            "CgroupnsMode": "private",
            "PidsLimit": size.processes,
            "Memory": size.memory_bytes,
            "MemorySwap": size.memory_bytes,
            "CpuPeriod": _CPU_PERIOD_US,
            "CpuQuota": int(size.cpus * _CPU_PERIOD_US),
            "ShmSize": size.memory_bytes // 4,
            "Ulimits": [{"Name": "core", "Soft": 0, "Hard": 0}],
            # under pressure the kernel ends a session before it ends the engine
            "OomScoreAdj": 200,
            "Tmpfs": {
                "/tmp": f"rw,nosuid,nodev,exec,mode=1777,size={size.memory_bytes // 2}",  # noqa: S108  # inside
                "/var/tmp": f"rw,nosuid,nodev,exec,mode=1777,size={size.memory_bytes // 4}",  # noqa: S108
                "/run/session": f"rw,nosuid,nodev,noexec,mode=0700,{owner},size=64m",
                # X compiles its keyboard maps into here
                "/var/lib/xkb": f"rw,nosuid,nodev,noexec,mode=0700,{owner},size=4m",
            },
            "Mounts": _mounts(plan, places),
            # the log is what a session prints before it could tell anybody; it may not fill the disk
            "LogConfig": {"Type": "json-file", "Config": {"max-size": "5m", "max-file": "1"}},
            "RestartPolicy": {"Name": "no"},
            "AutoRemove": False,
        },
    }


def _mounts(plan: Plan, places: Places) -> list[dict[str, Any]]:
    """Give every mount, outer ones first."""
    mounts = [_bind(places.identity / name, f"/etc/{name}") for name in IDENTITY_FILES]
    mounts += [_bind(path, str(path)) for path in dict.fromkeys(places.read_only)]
    mounts += [_bind(places.api, API_DIR), _bind(places.door, DOOR_DIR)]
    several = [mount for mount in plan.mounts if mount.target.startswith("data/")]
    for mount in plan.mounts:
        if mount not in several:
            mounts.append(_bind(mount.source, target_of(plan, mount.target), writable=mount.writable))
    if several:
        # the folder that holds them is of the session alone, and nothing can be put beside them
        mounts.append(_bind(places.empty, f"{plan.home}/data"))
        mounts += [_bind(mount.source, target_of(plan, mount.target)) for mount in several]
    return mounts


def _bind(source: object, target: str, *, writable: bool = False) -> dict[str, Any]:
    """Give one directory or file as the engine takes it: it must exist, and nothing of the host is mounted in later."""
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


def mount_points(plan: Plan) -> tuple[str, ...]:
    """Give the folders of the home that the other directories are mounted on: they must be there beforehand."""
    return tuple(dict.fromkeys(mount.target.split("/")[0] for mount in plan.mounts if mount.target != "."))


def differences(body: dict[str, Any], inspected: Sequence[dict[str, Any]], host: dict[str, Any]) -> list[str]:
    """Compare what the engine says it made with what was asked for; give each deviation in words.

    Args:
        inspected: "Mounts" of the engine's answer.
        host: "HostConfig" of the engine's answer.
    """
    wanted = body["HostConfig"]
    found = [
        name
        for name in ("NetworkMode", "Privileged", "CapDrop", "ReadonlyRootfs", "PidsLimit", "Memory", "IpcMode")
        if host.get(name) != wanted[name]
    ]
    if "no-new-privileges" not in " ".join(host.get("SecurityOpt") or []) or host.get("CapAdd"):
        found.append("SecurityOpt")
    made = {one["Destination"]: (one["Type"], one.get("Source"), not one["RW"]) for one in inspected}
    asked = {one["Target"]: ("bind", one["Source"], one["ReadOnly"]) for one in wanted["Mounts"]}
    found += [target for target in asked if made.get(target) != asked[target]]
    found += [target for target in made if target not in asked and target not in wanted["Tmpfs"]]
    return found
