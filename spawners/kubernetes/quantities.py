"""Quantities of Kubernetes ("1500m", "4Gi"): as numbers, and as a person writes them. Pure."""

from __future__ import annotations

import re
from decimal import Decimal

from daas_hub.amounts import bytes_in_words

_SUFFIXES = {
    **{suffix: Decimal(1000) ** power for power, suffix in enumerate(("n", "u", "m", "", "k", "M", "G", "T", "P"), -3)},
    **{f"{suffix}i": Decimal(1024) ** power for power, suffix in enumerate("KMGTP", 1)},
}


def quantity(text: object) -> Decimal | None:
    """Return the number that a quantity means; None for anything else."""
    match = re.fullmatch(r"([+-]?[0-9]+(?:\.[0-9]*)?)([a-zA-Z]*)", str(text))
    if match is None or match[2] not in _SUFFIXES:
        return None
    return Decimal(match[1]) * _SUFFIXES[match[2]]


def in_words(text: object, resource: str) -> str:
    """Return a quantity of a resource for a person: "1.5", "4 GiB"; "?" for anything else."""
    number = quantity(text)
    if number is None:
        return "?"
    if resource.endswith(("memory", "storage")):
        return bytes_in_words(int(number))
    return f"{number.normalize():f}"


def amount_in_words(text: object, resource: str) -> str:
    """Return a quantity with what it is of: "40 sessions", "1 processor", "4 GiB of memory"."""
    number, name = in_words(text, resource), resource_in_words(resource)
    if resource.endswith(("memory", "storage")):
        return f"{number} of {name}"
    return f"{number} {name.removesuffix('s') if number == '1' else name}"


def resource_in_words(resource: str) -> str:
    """Return the name of a resource for a person, without what Kubernetes puts before it."""
    name = resource.removeprefix("requests.").removeprefix("limits.").removeprefix("count/")
    known = {"cpu": "processors", "memory": "memory", "ephemeral-storage": "disk space", "pods": "sessions"}
    if name.startswith("hugepages-"):
        return "memory"
    return known.get(name, "GPUs" if is_gpu(name) else name.rpartition("/")[2])


def is_gpu(resource: str) -> bool:
    """Return whether a resource of nodes is graphics processors, whole ones or slices: "nvidia.com/mig-1g.5gb"."""
    return bool(re.search(r"gpu|nvidia\.com/mig-", resource))
