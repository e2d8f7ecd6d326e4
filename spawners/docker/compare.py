"""Compares the container that the engine made with the create call: an engine, or what is before it, may change it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any


def differences(body: dict[str, Any], inspected: Sequence[dict[str, Any]], host: dict[str, Any]) -> list[str]:
    """Compare what the engine says it made with what was asked for; return the name of each deviation.

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
    if _requests(host) != _requests(wanted):
        found.append("DeviceRequests")
    found += [name for name in ("Devices", "DeviceCgroupRules") if host.get(name)]
    # a volume has a name, and a place of the engine's own
    made = {one["Destination"]: (one["Type"], one.get("Name") or one.get("Source"), not one["RW"]) for one in inspected}
    asked = {one["Target"]: (one["Type"], one["Source"], one["ReadOnly"]) for one in wanted["Mounts"]}
    found += [target for target in asked if made.get(target) != asked[target]]
    found += [target for target in made if target not in asked and target not in wanted["Tmpfs"]]
    return found


def _requests(host: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the requests for devices with every field; the engine answers with null for an empty one."""
    empty: dict[str, Any] = {"Driver": "", "Count": 0, "DeviceIDs": [], "Capabilities": [], "Options": {}}
    return [{name: one.get(name) or value for name, value in empty.items()} for one in host.get("DeviceRequests") or []]
