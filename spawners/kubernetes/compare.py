"""Compares the pod that the API server has made with the one that was asked for. Pure.

Admission controllers of a cluster change pods: they fill in defaults, add sidecars, labels and mounts, raise limits.
What Kubernetes itself fills in is known here (`filled_in`); any other deviation is returned by the name of its field,
and the session is not started.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daas_hub.spawners.kubernetes.filled_in import is_filled_in, is_tolerated_anyway
from daas_hub.spawners.kubernetes.quantities import quantity

#: What `modify_pod_hook` may change: where a pod runs and what it is called, not what it is.
HOOK_MAY = (
    "metadata.annotations",
    "metadata.labels",
    "spec.affinity",
    "spec.dnsConfig",
    "spec.dnsPolicy",
    "spec.hostAliases",
    "spec.imagePullSecrets",
    "spec.nodeSelector",
    "spec.priorityClassName",
    "spec.runtimeClassName",
    "spec.schedulerName",
    "spec.terminationGracePeriodSeconds",
    "spec.tolerations",
    "spec.topologySpreadConstraints",
)

#: Lists whose items have a name, by the key of that name.
_NAMED = {
    "containers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "schedulingGates": "name",
    "volumeMounts": "mountPath",
    "volumes": "name",
}
#: Fields that the API server leaves out when they are false; without a value, others have a default, which may be true.
_FALSE_IF_LEFT_OUT = frozenset({"hostIPC", "hostNetwork", "hostPID", "readOnly"})
#: Maps whose keys are not fields.
_KEYED = frozenset({"annotations", "labels", "limits", "matchLabels", "nodeSelector", "requests", "volumeAttributes"})


@dataclass(frozen=True)
class _Place:
    """Where in a pod: its name for people, and without the names of items ("spec.containers[].image")."""

    path: str
    pattern: str

    def below(self, name: str) -> _Place:
        """Return the place of a field, or of an item by its name."""
        field = self.pattern.rpartition(".")[2]
        if field in _NAMED or field in _KEYED:
            return _Place(f"{self.path}[{name}]", f"{self.pattern}[]")
        return _Place(f"{self.path}.{name}", f"{self.pattern}.{name}")

    def item(self, number: int) -> _Place:
        """Return the place of an item without a name."""
        return _Place(f"{self.path}[{number}]", f"{self.pattern}[]")

    @property
    def is_quantity(self) -> bool:
        """Whether the API server may write the number in another way."""
        return self.pattern.endswith((".limits[]", ".requests[]", ".sizeLimit"))


def differences(asked: Mapping[str, Any], answer: Mapping[str, Any], accepted: Sequence[str] = ()) -> list[str]:
    """Return the name of each field in which a pod is not what was asked for; [] if it is the same.

    Args:
        asked: the manifest that was sent.
        answer: the pod in the API server's JSON.
        accepted: names of fields that may differ, with all below them: "metadata.labels[example.org/team]".
    """
    found = [
        name
        for part in ("metadata", "spec")
        for name in _compare(asked.get(part, {}), answer.get(part, {}), _Place(part, part))
    ]
    spec = answer.get("spec", {})
    if asked.get("spec", {}).get("priorityClassName") and spec.get("preemptionPolicy", "Never") != "Never":
        # its class would let a session end other people's pods
        found.append("spec.preemptionPolicy")
    return [one for one in dict.fromkeys(found) if not any(_is_within(one, name) for name in accepted)]


def _compare(asked: Any, answer: Any, place: _Place) -> Iterator[str]:
    """Yield the name of each field at a place that differs."""
    if isinstance(asked, Mapping) and isinstance(answer, Mapping | None):
        yield from _compare_maps(asked, answer or {}, place)
    elif isinstance(asked, list) and isinstance(answer, list | None):
        yield from _compare_lists(asked, answer or [], place)
    elif not _is_same(asked, answer, place):
        yield place.path


def _compare_maps(asked: Mapping[str, Any], answer: Mapping[str, Any], place: _Place) -> Iterator[str]:
    for name, value in asked.items():
        yield from _compare(value, answer.get(name), place.below(name))
    for name, value in answer.items():
        inside = place.below(name)
        if name not in asked and not _is_empty(value) and not is_filled_in(inside.pattern, name, value):
            yield inside.path


def _compare_lists(asked: list[Any], answer: list[Any], place: _Place) -> Iterator[str]:
    field = place.pattern.rpartition(".")[2]
    if key := _NAMED.get(field):
        wanted, named = ({str(one.get(key)): one for one in items} for items in (asked, answer))
        yield from (place.below(name).path for name in wanted if name not in named)
        yield from _compare_maps({name: one for name, one in wanted.items() if name in named}, named, place)
        # of two with one name, the kubelet takes the later one
        if len(named) != len(answer):
            yield place.path
    elif place.pattern == "spec.tolerations":
        added = [one for one in answer if one not in asked and not is_tolerated_anyway(one)]
        if added or [one for one in asked if one not in answer]:
            yield place.path
    elif len(asked) == len(answer):
        for number, (one, other) in enumerate(zip(asked, answer, strict=True)):
            yield from _compare(one, other, place.item(number))
    else:
        yield place.path


def _is_same(asked: Any, answer: Any, place: _Place) -> bool:
    """Return whether two values mean the same. True is not 1, and most fields without a value are not false."""
    if place.is_quantity and quantity(asked) is not None:
        return quantity(asked) == quantity(answer)
    if place.pattern.rpartition(".")[2] in _FALSE_IF_LEFT_OUT:
        return bool(asked) is bool(answer)
    return (type(asked) is type(answer) and asked == answer) or (_is_empty(asked) and _is_empty(answer))


def _is_empty(value: Any) -> bool:
    """Return whether a value is the same as none. Not 0 and not False: `runAsUser: 0` is root."""
    return value is None or value in ("", [], {})


def _is_within(path: str, name: str) -> bool:
    return path == name or path.startswith((f"{name}.", f"{name}["))
