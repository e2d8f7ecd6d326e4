"""What KubeSpawner's settings become in a pod, and which values they may have. Every text in them is literal.

Names are those of Kubernetes' own YAML ("tolerationSeconds"); no value is a template, and none may change what
confines a session.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from traitlets.config import Config, Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.kubernetes.form import form_problems
from daas_hub.spawners.kubernetes.given_volumes import given_problems
from daas_hub.spawners.kubernetes.pod_settings import Placement
from daas_hub.spawners.kubernetes.value_rules import GRACE, RULES, Found, plain_problems
from daas_hub.stock_settings import value_of

#: The types of the API that values are of; a list may also be a map of its items.
_LISTS = {
    "node_affinity_preferred": "V1PreferredSchedulingTerm",
    "node_affinity_required": "V1NodeSelectorTerm",
    "pod_affinity_preferred": "V1WeightedPodAffinityTerm",
    "pod_affinity_required": "V1PodAffinityTerm",
    "pod_anti_affinity_preferred": "V1WeightedPodAffinityTerm",
    "pod_anti_affinity_required": "V1PodAffinityTerm",
    "tolerations": "V1Toleration",
    "volume_mounts": "V1VolumeMount",
    "volumes": "V1Volume",
}
_MAPS = {
    "extra_container_config": "V1Container",
    "extra_pod_config": "V1PodSpec",
    "lifecycle_hooks": "V1Lifecycle",
    "pod_security_context": "V1PodSecurityContext",
}
_TEXTS = ("extra_annotations", "extra_labels", "node_selector")
_AFFINITY = {
    "nodeAffinity": ("node_affinity_preferred", "node_affinity_required"),
    "podAffinity": ("pod_affinity_preferred", "pod_affinity_required"),
    "podAntiAffinity": ("pod_anti_affinity_preferred", "pod_anti_affinity_required"),
}
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
#: Of keys of a Secret, from which a session gets its variables.
_VARIABLE = re.compile(r"[-._A-Za-z0-9]{1,253}")


def problems_of_config(cls: type[Configurable], config: Config) -> list[ConfigurationError]:
    """Return what is wrong with the values that a configuration gives to KubeSpawner's settings."""
    node_storage = bool(value_of(cls, config, "node_storage"))
    return [*_ignored(cls, config), *_problems(lambda name: value_of(cls, config, name), node_storage=node_storage)]


def _ignored(cls: type[Configurable], config: Config) -> Iterator[ConfigurationError]:
    """Yield what would be ignored in silence: old names of settings, and KubeSpawner's watches."""
    for section in ("KubeSpawner", cls.__name__):
        for name in config.get(section, {}):
            if name.startswith(("singleuser_", "user_storage_")) or name == "image_spec":
                new = "image" if name == "image_spec" else name.partition("_")[2]
                remedy = f"Use {new}, if that is a setting for sessions."
                yield ConfigurationError(f"{section}.{name}", "(set)", "is a name of KubeSpawner 0.8", remedy=remedy)
    for section in ("EventReflector", "NamespacedResourceReflector", "PodReflector", "ResourceReflector"):
        for name in config.get(section, {}):
            remedy = "Remove the line; the watches of this project do not end."
            yield ConfigurationError(f"{section}.{name}", "(set)", "has no effect", remedy=remedy)


def pod_fields(spawner: Any) -> dict[str, Any]:
    """Return the fields of `PodSettings` that KubeSpawner's settings of a spawner make.

    Raises:
        ConfigurationError: a value may not be; code of the administrator may have set it meanwhile.
    """
    for problem in _problems(lambda name: getattr(spawner, name), node_storage=spawner.node_storage):
        raise problem
    pod, container = dict(spawner.extra_pod_config), dict(spawner.extra_container_config)
    grace = {"grace_s": int(pod.pop(GRACE))} if GRACE in pod else {}
    if spawner.lifecycle_hooks:
        container["lifecycle"] = dict(spawner.lifecycle_hooks)
    return {
        **grace,
        "image_pull_policy": spawner.image_pull_policy or "IfNotPresent",
        "pull_secrets": tuple(_secret_names(spawner.image_pull_secrets)),
        "placement": Placement(dict(spawner.node_selector), tuple(_items(spawner.tolerations))),
        "affinity": _affinity(spawner),
        "scheduler": spawner.scheduler_name or "",
        "priority_class": spawner.priority_class_name or "",
        "labels": dict(spawner.extra_labels),
        "annotations": dict(spawner.extra_annotations),
        "pod_extras": pod,
        "container_extras": container,
        "security_extras": dict(spawner.pod_security_context or {}),
        "volumes": tuple(_items(spawner.volumes)),
        "volume_mounts": tuple(_items(spawner.volume_mounts)),
    }


def _affinity(spawner: Any) -> dict[str, Any]:
    """Return the affinity of a pod in the API's own form."""
    found: dict[str, Any] = {}
    for kind, (preferred, required) in _AFFINITY.items():
        if wished := list(_items(getattr(spawner, preferred))):
            found.setdefault(kind, {})[_PREFERRED] = wished
        if needed := list(_items(getattr(spawner, required))):
            # of nodes, terms are in a selector
            found.setdefault(kind, {})[_REQUIRED] = {"nodeSelectorTerms": needed} if kind == "nodeAffinity" else needed
    return found


def _problems(get: Callable[[str], Any], *, node_storage: bool) -> Iterator[ConfigurationError]:
    """Yield what is wrong with the values that `get` returns for names of settings; None for one that is not set."""
    found = set()
    for name in (*_LISTS, *_MAPS, *_TEXTS):
        # one sentence for each: a rule needs a value of the right form
        for message, remedy in itertools.islice(_problems_of_value(name, get(name)), 1):
            found.add(name)
            yield ConfigurationError(f"KubeSpawner.{name}", "(set)", message, remedy=remedy)
    for name, rule in RULES.items():
        value = get(name)
        if name not in (*_MAPS, *_TEXTS) and value is not None:
            for message, remedy in rule(value):
                yield ConfigurationError(f"KubeSpawner.{name}", value, message, remedy=remedy)
    yield from _environment_problems(get("environment"))
    if not found & {"volumes", "volume_mounts"}:
        volumes, mounts = (list(_items(get(name) or [])) for name in ("volumes", "volume_mounts"))
        yield from given_problems(volumes, mounts, node_storage=node_storage)


def _environment_problems(value: Any) -> Iterator[ConfigurationError]:
    """Yield an error for each variable that cannot be one of a session; a value may be a secret."""
    for name, one in value.items() if isinstance(value, Mapping) else ():
        if not _VARIABLE.fullmatch(str(name)):
            remedy = "Use letters, digits, '-', '_' and '.'."
            yield ConfigurationError("KubeSpawner.environment", name, "cannot be the name of a variable", remedy=remedy)
        elif isinstance(one, Mapping | list | tuple):
            # KubeSpawner has {"valueFrom": ...}
            remedy = "Set a text; for keys of a Secret, extra_container_config = {'envFrom': [{'secretRef': ...}]}."
            yield ConfigurationError("KubeSpawner.environment", name, "is not a text", remedy=remedy)


def _problems_of_value(name: str, value: Any) -> Found:
    if name not in _TEXTS:
        yield from plain_problems(value)
    yield from ((message, "Write it as in Kubernetes' YAML.") for message in _form_problems(name, value))
    if value and name in RULES:
        yield from RULES[name](value)


def _form_problems(name: str, value: Any) -> Iterator[str]:
    """Return what of a value Kubernetes would not understand."""
    if name in _LISTS:
        yield from form_problems(list(_items(value)), f"list[{_LISTS[name]}]", name)
    else:
        yield from form_problems(value, _MAPS.get(name, "dict(str, str)"), "" if name in _MAPS else name)


def _items(value: Any) -> Iterator[Any]:
    """Yield the items of a list, or of a map in the order of its keys, which KubeSpawner accepts as well."""
    yield from [value[key] for key in sorted(value)] if isinstance(value, Mapping) else (value or [])


def _secret_names(value: Any) -> Iterator[str]:
    for one in [value] if isinstance(value, str) and value else (value or []):
        yield str(one["name"] if isinstance(one, Mapping) else one)
