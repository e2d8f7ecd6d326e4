"""What the quotas of a namespace leave for this hub's sessions. Pure.

The nodes of this moment are not asked: an autoscaler may add some. What others in the namespace use is taken off.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Any

from daas_hub.admission.limits import Limits
from daas_hub.spawners.kubernetes.quantities import is_gpu, quantity

Json = Mapping[str, Any]

#: The names of a resource in quotas, by its name in `Limits`; a pod asks for its limits.
_NAMES = {
    "sessions": frozenset({"pods", "count/pods"}),
    "cpus": frozenset({"cpu", "requests.cpu", "limits.cpu"}),
    "memory_bytes": frozenset({"memory", "requests.memory", "limits.memory"}),
}
#: The scopes of quotas that sessions are in, and those that they are not in: they have limits, and no deadline.
_OF_SESSIONS = frozenset({"NotTerminating", "NotBestEffort"})
_ENDED = ("Succeeded", "Failed")


def limits_of_quotas(quotas: Sequence[Json], pods: Iterable[Json], priority_class: str = "") -> Limits:
    """Return what this hub's sessions can have together; None for what no quota limits.

    Args:
        quotas: the ResourceQuota objects of the namespace.
        pods: this hub's, which count in `used`.
        priority_class: of its pods.
    """
    own = _requested(pods)
    found: dict[str, Decimal] = {}
    for quota in quotas:
        if not _applies(quota.get("spec") or {}, priority_class):
            continue
        status = quota.get("status") or {}
        for name, text in (status.get("hard") or {}).items():
            key = _key(name)
            hard = quantity(text)
            if key is None or hard is None:
                continue
            used = quantity((status.get("used") or {}).get(name, "0")) or Decimal(0)
            # a pod that was just created may not be counted yet
            left = max(Decimal(0), hard - max(Decimal(0), used - own[key]))
            found[key] = min(left, found.get(key, left))
    numbers = {key: int(value) if key in ("sessions", "gpus") else float(value) for key, value in found.items()}
    return Limits(**numbers)  # type: ignore[arg-type]


def _key(name: str) -> str | None:
    """Return the resource that a name of a quota is about."""
    known = next((key for key, names in _NAMES.items() if name in names), None)
    if known is None and name.startswith("requests.") and is_gpu(name.removeprefix("requests.")):
        return "gpus"
    return known


def _applies(spec: Json, priority_class: str) -> bool:
    """Return whether pods of sessions count in a quota."""
    if any(scope not in _OF_SESSIONS for scope in spec.get("scopes") or ()):
        return False
    return all(_matches(one, priority_class) for one in (spec.get("scopeSelector") or {}).get("matchExpressions") or ())


def _matches(expression: Json, priority_class: str) -> bool:
    if expression.get("scopeName") != "PriorityClass":
        return expression.get("scopeName") in _OF_SESSIONS
    values = expression.get("values") or ()
    return {
        "In": priority_class in values,
        "NotIn": priority_class not in values,
        "Exists": bool(priority_class),
        "DoesNotExist": not priority_class,
    }.get(str(expression.get("operator")), False)


def _requested(pods: Iterable[Json]) -> dict[str, Decimal]:
    """Return what the pods that have not ended request."""
    own = dict.fromkeys(("sessions", "cpus", "memory_bytes", "gpus"), Decimal(0))
    for pod in pods:
        if (pod.get("status") or {}).get("phase") in _ENDED:
            continue
        own["sessions"] += 1
        for name, text in _requests_of(pod):
            if (key := _key(name) or _key(f"requests.{name}")) is not None:
                own[key] += quantity(text) or Decimal(0)
    return own


def _requests_of(pod: Json) -> Iterator[tuple[str, object]]:
    """Yield each request of a pod's containers; what runs before them has the same (see `pod`)."""
    for container in (pod.get("spec") or {}).get("containers") or ():
        yield from ((container.get("resources") or {}).get("requests") or {}).items()
