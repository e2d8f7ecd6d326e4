"""What KubeSpawner's settings become in a pod, and which values they may have. Every text in them is literal.

Names are those of Kubernetes' own YAML ("tolerationSeconds"); no value is a template, and none may change what
confines a session.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from traitlets.config import Config, Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.kubernetes.filled_in import confines
from daas_hub.spawners.kubernetes.given_volumes import given_problems
from daas_hub.spawners.kubernetes.labels import OWN_PREFIXES
from daas_hub.spawners.kubernetes.pod_settings import CONTAINER_EXTRAS, POD_EXTRAS, SECURITY_EXTRAS, Placement
from daas_hub.stock_settings import value_of

_GRACE = "terminationGracePeriodSeconds"
#: Sysctls of the restricted profile: each is of the pod alone.
_SYSCTLS = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
)  # fmt: skip
_SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
#: Traits that are lists or maps of objects of the API.
_OBJECTS = (
    "node_affinity_preferred", "node_affinity_required", "pod_affinity_preferred", "pod_affinity_required",
    "pod_anti_affinity_preferred", "pod_anti_affinity_required", "tolerations", "volume_mounts", "volumes",
)  # fmt: skip
_MAPS = ("extra_container_config", "extra_pod_config", "lifecycle_hooks", "pod_security_context")
_AFFINITY = {
    "nodeAffinity": ("node_affinity_preferred", "node_affinity_required"),
    "podAffinity": ("pod_affinity_preferred", "pod_affinity_required"),
    "podAntiAffinity": ("pod_anti_affinity_preferred", "pod_anti_affinity_required"),
}
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
#: A problem: what is wrong, and what to do.
_Found = Iterator[tuple[str, str]]


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
    grace = {"grace_s": int(pod.pop(_GRACE))} if _GRACE in pod else {}
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
    for name in (*_OBJECTS, *_MAPS):
        # one sentence for each: a rule needs a value of the right form
        for message, remedy in itertools.islice(_problems_of_value(name, get(name)), 1):
            yield ConfigurationError(f"KubeSpawner.{name}", "(set)", message, remedy=remedy)
    for name, rule in _RULES.items():
        value = get(name)
        if name not in _MAPS and value is not None:
            for message, remedy in rule(value):
                yield ConfigurationError(f"KubeSpawner.{name}", value, message, remedy=remedy)
    yield from _environment_problems(get("environment"))
    volumes, mounts = (list(_items(get(name) or [])) for name in ("volumes", "volume_mounts"))
    yield from given_problems(volumes, mounts, node_storage=node_storage)


def _environment_problems(value: Any) -> Iterator[ConfigurationError]:
    """Yield an error for each variable that is an object, as KubeSpawner has them; a value may be a secret."""
    for name, one in value.items() if isinstance(value, Mapping) else ():
        if isinstance(one, Mapping | list | tuple):
            remedy = "Set a text; for keys of a Secret, extra_container_config = {'envFrom': [{'secretRef': ...}]}."
            yield ConfigurationError("KubeSpawner.environment", name, "is not a text", remedy=remedy)


def _problems_of_value(name: str, value: Any) -> _Found:
    yield from _plain_problems(value)
    if value and name in _RULES:
        yield from _RULES[name](value)


def _plain_problems(value: Any) -> _Found:
    """Yield what is wrong with the form of a value: functions, and names of Python's."""
    if callable(value):
        yield "is a function", "Set the value itself: it is the same for all sessions of a place."
    elif isinstance(value, Mapping):
        if any("_" in str(name) and str(name).isidentifier() for name in value):
            yield "has names in Python's form", "Write them as in Kubernetes' YAML: tolerationSeconds, mountPath."
        for inside in value.values():
            yield from _plain_problems(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from _plain_problems(inside)


def _only(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], _Found]:
    """Return a rule that allows these names only."""

    def rule(value: Mapping[str, Any]) -> _Found:
        for name in value:
            if name not in names:
                yield f"has {name}, which is decided for every session", f"These may be set: {', '.join(names)}."

    return rule


def _of_container(value: Mapping[str, Any]) -> _Found:
    yield from _only(tuple(name for name in CONTAINER_EXTRAS if name != "lifecycle"))(value)
    yield from _host_problems(value.values())
    for source in value.get("envFrom", ()):
        if len(source) != 1 or not set(source) <= {"configMapRef", "secretRef"}:
            yield "has an envFrom that is not a plain reference", 'Example: [{"secretRef": {"name": "licence"}}].'


def _of_hooks(value: Mapping[str, Any]) -> _Found:
    if "postStart" in value:
        yield "has postStart, which runs beside a session's first checks", "Use `pre_spawn_hook`, or an image."
    yield from _only(("postStart", "preStop"))(value)
    yield from _host_problems(value.values())


def _host_problems(actions: Any) -> _Found:
    for action in actions:
        for kind in ("httpGet", "tcpSocket"):
            if isinstance(action, Mapping) and isinstance(action.get(kind), Mapping) and action[kind].get("host"):
                yield "names another host", "Remove `host`: the kubelet asks the session itself."


def _of_security(value: Mapping[str, Any]) -> _Found:
    yield from _only(SECURITY_EXTRAS)(value)
    if value.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield "has an AppArmor profile that confines nothing", "Use RuntimeDefault or Localhost."
    labels = value.get("seLinuxOptions", {})
    if not set(labels) <= {"level", "type"} or labels.get("type", "container_t") not in _SELINUX_TYPES:
        yield "has SELinux options that loosen confinement", f"Set a level, and one of {', '.join(_SELINUX_TYPES)}."
    for one in value.get("sysctls", ()):
        if one.get("name") not in _SYSCTLS:
            yield f"has the sysctl {one.get('name')}, which is not safe", f"These are: {', '.join(_SYSCTLS)}."


def _of_labels(value: Mapping[str, Any]) -> _Found:
    for name in value:
        if str(name).startswith(OWN_PREFIXES):
            yield f"has {name}, by which the hub knows its own pods", "Use another name."


def _of_annotations(value: Mapping[str, Any]) -> _Found:
    yield from _of_labels(value)
    for name in value:
        if confines(name):
            yield f"has {name}, which changes what confines a session", "Use `pod_security_context`."


def _of_failures(value: object) -> _Found:
    if value:
        yield "would end the hub after refusals of the cluster", "Remove the line."


def _of_certificates(value: object) -> _Found:
    if value is False:
        remedy = "Remove the line, and set k8s_api_ssl_ca_cert to the certificate of the cluster's authority."
        yield "would let anybody answer in the name of the cluster", remedy


def _of_priority(value: str) -> _Found:
    if value.startswith("system-"):
        yield "is for the cluster's own parts", "Make a class with preemptionPolicy: Never, and name it."


def _of_pulls(value: str) -> _Found:
    if value not in ("", "Always", "IfNotPresent", "Never"):
        yield "is not a policy of Kubernetes", "Use Always, IfNotPresent or Never."


_RULES: Mapping[str, Callable[[Any], _Found]] = {
    "consecutive_failure_limit": _of_failures,
    "extra_annotations": _of_annotations,
    "extra_container_config": _of_container,
    "extra_labels": _of_labels,
    "extra_pod_config": _only((*POD_EXTRAS, _GRACE)),
    "image_pull_policy": _of_pulls,
    "k8s_api_verify_ssl": _of_certificates,
    "lifecycle_hooks": _of_hooks,
    "pod_security_context": _of_security,
    "priority_class_name": _of_priority,
}


def _items(value: Any) -> Iterator[Any]:
    """Yield the items of a list, or of a map in the order of its keys, which KubeSpawner accepts as well."""
    yield from [value[key] for key in sorted(value)] if isinstance(value, Mapping) else (value or [])


def _secret_names(value: Any) -> Iterator[str]:
    for one in [value] if isinstance(value, str) and value else (value or []):
        yield str(one["name"] if isinstance(one, Mapping) else one)
