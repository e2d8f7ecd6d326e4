"""The GPUs of a session: which devices a size stands for, and how the create call asks the engine for them. Pure.

The engine hands out what is asked for, and does not remember it: two sessions can get one device. So devices that are
listed by name are counted here, by the labels of this hub's containers, and each belongs to one session at a time.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daas_hub.catalogue import Size
from daas_hub.errors import ConfigurationError, SessionFailed

#: Label with the names of a container's devices, separated by commas: counting them needs no inspection.
GPUS_LABEL = "org.daas-hub.gpus"
#: The engine's name for devices that are described by files in /etc/cdi and /var/run/cdi of its machine.
CDI = "cdi"
DRIVER = re.compile(r"[a-z][a-z0-9.-]{0,31}")
#: An index, a UUID (GPU-...), a part of one (MIG-...), or a CDI name (vendor.com/class=name).
DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_./:=-]{0,127}")
CDI_DEVICE = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*=[A-Za-z0-9][A-Za-z0-9_.:-]*")
_SETTING = "ProposalDockerSpawner.gpus"


@dataclass(frozen=True)
class GPUKind:
    """How sessions get GPUs of one kind.

    Attributes:
        driver: "cdi", or the driver of a device request ("nvidia").
        devices: the names of the devices; empty where the driver chooses them, and sessions share them.
    """

    driver: str
    devices: tuple[str, ...] = ()


@dataclass(frozen=True)
class GPURequest:
    """What one session gets."""

    driver: str
    count: int
    devices: tuple[str, ...] = ()

    def as_document(self) -> dict[str, Any]:
        """Return the entry of HostConfig.DeviceRequests."""
        by_name = {"Count": 0, "DeviceIDs": list(self.devices)}
        return {
            "Driver": self.driver,
            **(by_name if self.devices else {"Count": self.count, "DeviceIDs": []}),
            "Capabilities": [] if self.driver == CDI else [["gpu"]],
            "Options": {},
        }

    @property
    def labels(self) -> dict[str, str]:
        """The labels of the container that has these devices."""
        return {GPUS_LABEL: ",".join(self.devices)} if self.devices else {}


def choose(size: Size, kinds: Mapping[str, GPUKind], in_use: Sequence[str]) -> GPURequest:
    """Return the GPUs of a session of this size.

    Args:
        in_use: the devices that other sessions have.

    Raises:
        SessionFailed: there are none of this kind, or too few are free.
    """
    kind = kinds.get(size.gpu_kind)
    if kind is None or (kind.devices and len(kind.devices) < size.gpus):
        raise SessionFailed(
            f"There are no GPUs for the size {size.title!r} here.",
            remedy="Choose another size, and please tell the administrators.",
            detail=f"{_SETTING} has too few devices for gpu_kind {size.gpu_kind!r} of the size {size.name!r}",
        )
    if not kind.devices:
        return GPURequest(kind.driver, size.gpus)
    free = [one for one in kind.devices if one not in in_use]
    if len(free) < size.gpus:
        count = len(kind.devices)
        raise SessionFailed(
            f"{count - len(free)} of {count} GPUs are in use, and this size needs {size.gpus}.",
            remedy="Choose a size without a GPU, or try again when a session with one has ended.",
        )
    return GPURequest(kind.driver, size.gpus, tuple(free[: size.gpus]))


def devices_in_use(containers: Iterable[Any]) -> list[str]:
    """Return the devices of containers that have not ended, from the engine's list of them."""
    return [
        device
        for one in containers
        if one["State"] not in ("exited", "dead", "removing")
        for device in (one["Labels"] or {}).get(GPUS_LABEL, "").split(",")
        if device
    ]


def read_kinds(setting: Mapping[str, Any]) -> dict[str, GPUKind]:
    """Read the setting `gpus`.

    Raises:
        ConfigurationError: the first entry that is not one.
    """
    return {name: _read_kind(name, value) for name, value in setting.items()}


def _read_kind(name: str, value: Any) -> GPUKind:
    def wrong(message: str, remedy: str) -> ConfigurationError:
        return ConfigurationError(f"{_SETTING}[{name!r}]", repr(value), message, remedy=remedy)

    example = 'For example {"devices": ["nvidia.com/gpu=0"]}, or {"driver": "nvidia"}.'
    if not isinstance(value, Mapping) or not value or not set(value) <= {"driver", "devices"}:
        raise wrong("is not a dictionary with `driver` and `devices`", example)
    driver, devices = value.get("driver", CDI), value.get("devices", [])
    if not isinstance(driver, str) or not DRIVER.fullmatch(driver):
        raise wrong("`driver` is not the name of a driver", 'It is "cdi" or "nvidia".')
    pattern = CDI_DEVICE if driver == CDI else DEVICE
    if not isinstance(devices, list | tuple) or not all(
        isinstance(one, str) and pattern.fullmatch(one) for one in devices
    ):
        raise wrong("`devices` is not a list of names of devices", example)
    if len(set(devices)) != len(devices):
        raise wrong("`devices` has one of them twice", "Name each device once.")
    if driver == CDI and not devices:
        raise wrong("names no devices, and CDI has no others than those", example)
    return GPUKind(driver, tuple(devices))


def gpu_problems(setting: Mapping[str, Any], sizes: Mapping[str, Size]) -> Iterator[ConfigurationError]:
    """Yield what is wrong with the setting, and each size that gets no GPU by it."""
    kinds = {}
    for name, value in setting.items():
        try:
            kinds[name] = _read_kind(name, value)
        except ConfigurationError as problem:
            yield problem
    owners: dict[str, str] = {}
    for name, kind in kinds.items():
        for device in kind.devices:
            if owners.setdefault(device, name) != name:
                yield ConfigurationError(
                    f"{_SETTING}[{name!r}]", device, f"is a device of {owners[device]!r}, too", remedy="List it once."
                )
    for size in sizes.values():
        if size.gpus and size.gpu_kind not in setting:
            yield ConfigurationError(
                "sizes.yaml",
                size.name,
                f"has GPUs of the kind {size.gpu_kind!r}, and {_SETTING} has no such kind",
                remedy=f'For example c.{_SETTING} = {{{size.gpu_kind!r}: {{"devices": ["nvidia.com/gpu=0"]}}}}.',
            )
        elif size.gpu_kind in kinds and 0 < len(kinds[size.gpu_kind].devices) < size.gpus:
            yield ConfigurationError(
                "sizes.yaml",
                size.name,
                f"has {size.gpus} GPUs, and {_SETTING}[{size.gpu_kind!r}] lists {len(kinds[size.gpu_kind].devices)}",
                remedy="List more devices, or lower `gpus` of the size.",
            )
