"""The addresses that a session must not be able to connect to, as it proves before it starts. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import islice
from typing import Any

from daas_hub.spawners.kubernetes.address import address_and_port

KUBELET_PORT = 10250


def closed_to(
    pod: Mapping[str, Any], others: Iterable[Mapping[str, Any]], port: int, further: Iterable[str]
) -> list[str]:
    """Return the addresses, "host:port", that must be closed to a session: its node's kubelet, a neighbour, and more.

    Args:
        others: the pods of its place, itself among them; one that runs is enough.
        port: at which sessions listen.
        further: addresses that are closed to all sessions.
    """
    node = (pod.get("status") or {}).get("hostIP")
    neighbours = (
        one["status"]["podIP"]
        for one in others
        if one["metadata"]["name"] != pod["metadata"]["name"]
        and one.get("status", {}).get("phase") == "Running"
        and one["status"].get("podIP")
    )
    found = [
        *further,
        *([address_and_port(node, KUBELET_PORT)] if node else []),
        *(address_and_port(one, port) for one in islice(neighbours, 1)),
    ]
    return list(dict.fromkeys(found))
