"""What one hub may ask a container engine for: each field of the create call is compared with an allow-list. Pure.

Nothing in here opens a file or a socket. A field that is not named is refused, so a new one of the engine, or a new one
of ours, is refused until it is allowed here.
"""

from __future__ import annotations

import json
import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from daas_hub.catalogue import IMAGE_REFERENCE
from daas_hub.launch import collides
from daas_hub.services import strict_json
from daas_hub.spawners.docker.container_spec import (
    ARRIVAL_SOCKET,
    HUB_LABEL,
    IDENTITY_FILES,
    LAUNCH_LABEL,
    PLACE_LABEL,
    SESSION_LABEL,
)
from daas_hub.spawners.docker.gpus import CDI, CDI_DEVICE, DEVICE, DRIVER, GPUS_LABEL, GPURequest
from daas_hub.spawners.guest_layout import API_DIR, SOCKETS_DIR

MAX_MOUNTS = 256
#: The name of a session's container.
CONTAINER_NAME = re.compile(r"daas-[0-9a-f]{20}")


class Forbidden(Exception):
    """A call that is not sent to the engine; the text says why, and is for the hub's log."""

    def __init__(self, why: str, status: int = 403) -> None:
        super().__init__(why)
        self.status = status


@dataclass(frozen=True)
class Rules:
    """What one hub may ask for.

    Attributes:
        hub: value of the label that all of its containers carry.
        images: references it may use; `image_prefixes` are prefixes of references, each ending with "/" or ":".
        roots: directories that may be mounted read-only, and what is below them.
        writable: directories below which (not themselves) a mount may be writable.
        may_pull: whether it may have its images pulled.
        gpus: devices that its sessions may have, each as "DRIVER:NAME"; "DRIVER:*" is any that the driver chooses.
    """

    hub: str
    images: frozenset[str] = frozenset()
    image_prefixes: tuple[str, ...] = ()
    roots: tuple[str, ...] = ()
    writable: tuple[str, ...] = ()
    min_id: int = 1000
    max_id: int = 60_000_000
    may_pull: bool = False
    gpus: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        """Refuse rules that allow everything.

        Raises:
            ValueError: with the reason.
        """
        if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9_.-]{0,63}", self.hub):
            raise ValueError(f"--hub {self.hub!r}: a word of letters and digits is needed")
        for prefix in self.image_prefixes:
            if not re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9.:/_-]*[/:]", prefix):
                raise ValueError(
                    f"--image-prefix {prefix!r}: it must end with '/' or ':', or it would match other names, too"
                )
        for root in (*self.roots, *self.writable):
            if not _is_plain(root) or root == "/":
                raise ValueError(f"{root!r} is not an absolute directory below /, without '..' and double slashes")
        for gpu in self.gpus:
            driver, _, device = gpu.partition(":")
            pattern = CDI_DEVICE if driver == CDI else DEVICE
            if not DRIVER.fullmatch(driver) or not (pattern.fullmatch(device) or (device == "*" and driver != CDI)):
                raise ValueError(f"--gpu {gpu!r}: it must be like cdi:nvidia.com/gpu=0, nvidia:GPU-UUID or nvidia:*")
        if not 0 < self.min_id <= self.max_id:
            raise ValueError("the lowest id must be above 0, and not above the highest")

    def require_image(self, reference: str) -> None:
        """Check that an image is one of the hub's.

        Raises:
            Forbidden: it is not.
        """
        if not IMAGE_REFERENCE.fullmatch(reference):
            raise Forbidden(f"image {reference!r}: exactly one tag or digest must be named")
        if reference not in self.images and not reference.startswith(self.image_prefixes or ("\0",)):
            raise Forbidden(f"image {reference!r} is not one of this hub's")

    def require_gpus(self, requests: list[dict[str, Any]], label: str) -> None:
        """Check that a container's requests for devices are for GPUs of this hub, as the spawner writes them.

        Args:
            label: the devices as the container's label has them.

        Raises:
            Forbidden: they are not.
        """
        for one in requests:
            driver, devices = one["Driver"], tuple(one["DeviceIDs"])
            wanted = GPURequest(driver, one["Count"], devices)
            _is(wanted.as_document())(one, "HostConfig.DeviceRequests[0]")
            if not devices and one["Count"] < 1:
                raise Forbidden("HostConfig.DeviceRequests[0].Count must be a number of GPUs")
            for device in devices or ("*",):
                # ambiguous names are refused: the driver reads "*" and "all" as every device
                if f"{driver}:{device}" not in self.gpus or (device == "*") is bool(devices):
                    raise Forbidden(f"device {driver}:{device} is not one of this hub's")
            if len(set(devices)) != len(devices):
                raise Forbidden("HostConfig.DeviceRequests[0].DeviceIDs has one of them twice")
        devices = tuple(device for one in requests for device in one["DeviceIDs"])
        if label != ",".join(devices):
            raise Forbidden("the label of GPUs is not that of the devices")

    def require_source(self, path: str, *, writable: bool) -> str:
        """Check that a directory or file may be mounted; return the root it is below.

        Raises:
            Forbidden: it may not.
        """
        if not _is_plain(path):
            raise Forbidden(f"mount of {path!r}: it is not an absolute path without '..' and double slashes")
        for root in self.writable:
            if path.startswith(f"{root}/"):
                return root
        for root in () if writable else self.roots:
            if path == root or path.startswith(f"{root}/"):
                return root
        raise Forbidden(
            f"mount of {path!r}: it is not below a directory that may be {'written' if writable else 'read'}"
        )


def _is_plain(path: str) -> bool:
    return (
        path.startswith("/")
        and not path.startswith("//")
        and "\0" not in path
        and ".." not in path.split("/")
        and posixpath.normpath(path) == path
    )


def parse_strictly(body: bytes) -> Any:
    """Read JSON of which every reader understands the same.

    Raises:
        Forbidden: it is not JSON, or has a duplicate key, or it is not UTF-8, or a number is no number.
    """
    try:
        return strict_json.loads(body)
    except strict_json.InvalidJSON as problem:
        raise Forbidden(f"the body cannot be read: {problem}") from problem


_Check = Callable[[Any, str], None]


def _is(wanted: Any) -> _Check:
    text = json.dumps(wanted, sort_keys=True)

    def check(value: Any, where: str) -> None:
        # as text, because for Python 0 is False and 1.0 is 1
        if json.dumps(value, sort_keys=True) != text:
            raise Forbidden(f"{where} must be {text}")

    return check


def _one_of(*wanted: Any) -> _Check:
    texts = [json.dumps(one) for one in wanted]

    def check(value: Any, where: str) -> None:
        if json.dumps(value) not in texts:
            raise Forbidden(f"{where} must be {' or '.join(texts)}")

    return check


def _between(least: int, most: int) -> _Check:
    def check(value: Any, where: str) -> None:
        if type(value) is not int or not least <= value <= most:
            raise Forbidden(f"{where} must be a whole number from {least} to {most}")

    return check


def _like(pattern: str) -> _Check:
    compiled = re.compile(pattern)

    def check(value: Any, where: str) -> None:
        if not isinstance(value, str) or not compiled.fullmatch(value):
            raise Forbidden(f"{where} has a value that is not allowed")

    return check


def _text(value: Any, where: str) -> None:
    if not isinstance(value, str):
        raise Forbidden(f"{where} must be text")


def _list_of(check_one: _Check, most: int) -> _Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, list) or len(value) > most:
            raise Forbidden(f"{where} must be a list of at most {most}")
        for index, one in enumerate(value):
            check_one(one, f"{where}[{index}]")

    return check


def _record(fields: Mapping[str, _Check], optional: tuple[str, ...] = ()) -> _Check:
    def check(value: Any, where: str) -> None:
        if not isinstance(value, dict):
            raise Forbidden(f"{where or 'the body'} must be a record")
        for name in value:
            if name not in fields:
                raise Forbidden(f"{where}{'.' if where else ''}{name} is not a field this hub may set")
        for name, check_field in fields.items():
            path = f"{where}.{name}" if where else name
            if name in value:
                check_field(value[name], path)
            elif name not in optional:
                raise Forbidden(f"{path} is missing")

    return check


_MOUNT = _record(
    {
        "Type": _is("bind"),
        "Source": _text,
        "Target": _text,
        "ReadOnly": _one_of(True, False),
        "BindOptions": _record(
            {"Propagation": _is("rprivate"), "ReadOnlyForceRecursive": _is(True)}, ("ReadOnlyForceRecursive",)
        ),
    }
)
_TMP = r"rw,nosuid,nodev,exec,mode=1777,size=[0-9]{1,15}"
_TEMPORARY_HOME = r"rw,nosuid,nodev,(?:exec,)?mode=0700,uid=[0-9]{1,10},gid=[0-9]{1,10},size=[0-9]{1,15}m?"
_OWN = r"rw,nosuid,nodev,noexec,mode=0700,uid=[0-9]{1,10},gid=[0-9]{1,10},size=[0-9]{1,4}m"
_IN_MEMORY = {
    "/tmp": _like(_TMP),  # noqa: S108  # inside
    "/var/tmp": _like(_TMP),  # noqa: S108
    "/run/session": _like(_OWN),
    "/var/lib/xkb": _like(_OWN),
}


def _in_memory(value: Any, where: str) -> None:
    """Check the file systems in memory; one may be a temporary home, whose path `require_session` compares."""
    home = next((path for path in value if path not in _IN_MEMORY), None) if isinstance(value, dict) else None
    _record(_IN_MEMORY | ({home: _like(_TEMPORARY_HOME)} if home is not None else {}))(value, where)


_DEVICES = _record(
    {
        "Driver": _like(DRIVER.pattern),
        "Count": _between(0, 64),
        "DeviceIDs": _list_of(_like(DEVICE.pattern), 64),
        "Capabilities": _one_of([], [["gpu"]]),
        "Options": _is({}),
    }
)
_HOST = _record(
    {
        "NetworkMode": _is("none"),
        "Privileged": _is(False),
        "CapDrop": _is(["ALL"]),
        "SecurityOpt": _is(["no-new-privileges:true"]),
        "GroupAdd": _list_of(_like(r"[1-9][0-9]{0,9}"), 1024),
        "ReadonlyRootfs": _is(True),
        "Init": _is(True),
        "IpcMode": _is("private"),
        "CgroupnsMode": _is("private"),
        "PidsLimit": _between(1, 1_000_000),
        "Memory": _between(2**20, 2**50),
        "MemorySwap": _between(2**20, 2**50),
        "CpuPeriod": _is(100_000),
        "CpuQuota": _between(1000, 100_000 * 4096),
        "ShmSize": _between(1, 2**50),
        "Ulimits": _is([{"Name": "core", "Soft": 0, "Hard": 0}]),
        "OomScoreAdj": _is(200),
        "Tmpfs": _in_memory,
        "Mounts": _list_of(_MOUNT, MAX_MOUNTS),
        "LogConfig": _is({"Type": "json-file", "Config": {"max-size": "5m", "max-file": "1"}}),
        "RestartPolicy": _is({"Name": "no"}),
        "AutoRemove": _is(False),
        "DeviceRequests": _list_of(_DEVICES, 1),
    },
    ("DeviceRequests",),
)
_BODY = _record(
    {
        "Image": _text,
        # no entry point: neither ours nor the image's
        "Entrypoint": _is([""]),
        "Cmd": _one_of(["daas-session"], ["daas-lab"], ["daas-probe"]),
        "User": _like(r"[1-9][0-9]{0,9}:[1-9][0-9]{0,9}"),
        "WorkingDir": _like(r"/home/(?!\.{1,2}$)[^/\0]{1,255}"),
        "Hostname": _is("session"),
        "Env": _list_of(_text, 3),
        "Labels": _record(
            {
                HUB_LABEL: _text,
                SESSION_LABEL: _like(CONTAINER_NAME.pattern),
                PLACE_LABEL: _like(r"[a-z][a-z0-9-]{0,19}"),
                LAUNCH_LABEL: _like(r"[0-9a-f]{8}"),
                GPUS_LABEL: _text,
            },
            (PLACE_LABEL, LAUNCH_LABEL, GPUS_LABEL),
        ),
        "StopTimeout": _between(1, 60),
        "Healthcheck": _is({"Test": ["NONE"]}),
        "HostConfig": _HOST,
    }
)


def require_session(body: Any, rules: Rules, name: str) -> tuple[tuple[str, str], ...]:
    """Check a create call's body against the shape `container.create_body` gives it, and against a hub's rules.

    Returns:
        Each source of a mount, with the root it is below.

    Raises:
        Forbidden: the first field that is not as it must be.
    """
    _BODY(body, "")
    rules.require_image(body["Image"])
    host, home = body["HostConfig"], body["WorkingDir"]
    for number in (*body["User"].split(":"), *host["GroupAdd"]):
        if not rules.min_id <= int(number) <= rules.max_id:
            raise Forbidden(f"uid or gid {number} is outside of {rules.min_id} to {rules.max_id}")
    # a place and a reference are for people: the hub's label keeps its places apart
    for_people = (PLACE_LABEL, LAUNCH_LABEL, GPUS_LABEL)
    labels = {key: value for key, value in body["Labels"].items() if key not in for_people}
    if labels != {HUB_LABEL: rules.hub, SESSION_LABEL: name}:
        raise Forbidden("the labels are not this hub's and this session's")
    rules.require_gpus(host.get("DeviceRequests", []), body["Labels"].get(GPUS_LABEL, ""))
    account = home.removeprefix("/home/")
    _is([f"HOME={home}", f"USER={account}", f"DAAS_HANDSHAKE={SOCKETS_DIR}/{ARRIVAL_SOCKET}"])(body["Env"], "Env")
    if host["MemorySwap"] != host["Memory"]:
        raise Forbidden("HostConfig.MemorySwap must be Memory")
    if unknown := set(host["Tmpfs"]) - {*_IN_MEMORY, home}:
        raise Forbidden(f"HostConfig.Tmpfs: {unknown.pop()!r} is not the home")
    targets = [*(mount["Target"] for mount in host["Mounts"]), *host["Tmpfs"]]
    if len(set(targets)) != len(targets):
        raise Forbidden("HostConfig.Mounts: two have one target")
    return tuple(_require_mount(mount, rules, home) for mount in host["Mounts"])


def _is_real_path(target: str, source: str, home: str) -> bool:
    """Return whether this is a place for a directory of the facility outside the home: its own path, or an alias."""
    path = PurePosixPath(target)
    is_known = target == source or not path.is_relative_to("/home")
    return _is_plain(target) and is_known and not collides(path, PurePosixPath(home))


def _require_mount(mount: dict[str, Any], rules: Rules, home: str) -> tuple[str, str]:
    source, target, is_writable = mount["Source"], mount["Target"], not mount["ReadOnly"]
    if ("ReadOnlyForceRecursive" in mount["BindOptions"]) is is_writable:
        raise Forbidden("a mount is either writable, or read-only all the way down")
    in_home = _is_plain(target) and (target == home or target.startswith(f"{home}/"))
    ours = {API_DIR, SOCKETS_DIR, *(f"/etc/{name}" for name in IDENTITY_FILES)}
    # programs of the machine are mounted at their own path
    is_tool = target == source and source in rules.roots
    is_ours = not is_writable and (target in ours or is_tool)
    if not (in_home or is_ours or _is_real_path(target, source, home)):
        raise Forbidden(f"mount at {target!r}: not a place of a session")
    return source, rules.require_source(source, writable=is_writable)
