"""Which values KubeSpawner's settings may have: none that changes what confines a session, or that Kubernetes refuses.

A rule gets a value of the right form (`form`) and yields what is wrong with it, and what to do.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from daas_hub.spawners.kubernetes.filled_in import confines
from daas_hub.spawners.kubernetes.labels import OWN_PREFIXES
from daas_hub.spawners.kubernetes.pod_settings import CONTAINER_EXTRAS, POD_EXTRAS, SECURITY_EXTRAS

GRACE = "terminationGracePeriodSeconds"
#: Sysctls of the restricted profile: each is of the pod alone.
_SYSCTLS = (
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
)  # fmt: skip
_SELINUX_TYPES = ("container_t", "container_init_t", "container_kvm_t", "container_engine_t")
_DNS_POLICIES = ("ClusterFirst", "ClusterFirstWithHostNet", "Default", "None")
_DNS_NAME = re.compile(r"[a-z0-9](?:[-a-z0-9]*[a-z0-9])?(?:\.[a-z0-9](?:[-a-z0-9]*[a-z0-9])?)*")
_LABEL = re.compile(r"(?:[A-Za-z0-9](?:[-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
#: A pod's annotations may have 256 KiB; the hub has its own.
_ANNOTATIONS_BYTES = 200_000
#: A problem: what is wrong, and what to do.
Found = Iterator[tuple[str, str]]


def plain_problems(value: Any) -> Found:
    """Yield what is wrong with the form of a value: functions, and names of Python's."""
    if callable(value):
        yield "is a function", "Set the value itself: it is the same for all sessions of a place."
    elif isinstance(value, Mapping):
        if any("_" in str(name) and str(name).isidentifier() for name in value):
            yield "has names in Python's form", "Write them as in Kubernetes' YAML: tolerationSeconds, mountPath."
        for inside in value.values():
            yield from plain_problems(inside)
    elif isinstance(value, list | tuple):
        for inside in value:
            yield from plain_problems(inside)


def _only(names: tuple[str, ...]) -> Callable[[Mapping[str, Any]], Found]:
    """Return a rule that allows these names only."""

    def rule(value: Mapping[str, Any]) -> Found:
        for name in value:
            if name not in names:
                yield f"has {name}, which is decided for every session", f"These may be set: {', '.join(names)}."

    return rule


def _of_container(value: Mapping[str, Any]) -> Found:
    yield from _only(tuple(name for name in CONTAINER_EXTRAS if name != "lifecycle"))(value)
    yield from _host_problems(value.values())
    for source in value.get("envFrom") or ():
        if len(source) != 1 or not set(source) <= {"configMapRef", "secretRef"}:
            yield "has an envFrom that is not a plain reference", 'Example: [{"secretRef": {"name": "licence"}}].'


def _of_hooks(value: Mapping[str, Any]) -> Found:
    if "postStart" in value:
        yield "has postStart, which runs beside a session's first checks", "Use `pre_spawn_hook`, or an image."
    yield from _only(("postStart", "preStop"))(value)
    yield from _host_problems(value.values())


def _host_problems(actions: Any) -> Found:
    for action in actions:
        for kind in ("httpGet", "tcpSocket"):
            if isinstance(action, Mapping) and isinstance(action.get(kind), Mapping) and action[kind].get("host"):
                yield "names another host", "Remove `host`: the kubelet asks the session itself."


def _of_security(value: Mapping[str, Any]) -> Found:
    yield from _only(SECURITY_EXTRAS)(value)
    if (value.get("appArmorProfile") or {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield "has an AppArmor profile that confines nothing", "Use RuntimeDefault or Localhost."
    labels = value.get("seLinuxOptions") or {}
    if not set(labels) <= {"level", "type"} or labels.get("type", "container_t") not in _SELINUX_TYPES:
        yield "has SELinux options that loosen confinement", f"Set a level, and one of {', '.join(_SELINUX_TYPES)}."
    for one in value.get("sysctls") or ():
        if one.get("name") not in _SYSCTLS:
            yield f"has the sysctl {one.get('name')}, which is not safe", f"These are: {', '.join(_SYSCTLS)}."


def _of_labels(value: Mapping[str, Any]) -> Found:
    yield from _of_names(value)
    for name, one in value.items():
        if not _LABEL.fullmatch(one):
            yield f"has {name} = {one!r:.80}, which cannot be a label", "At most 63 letters, digits, '-', '_' and '.'."


def _of_names(value: Mapping[str, Any]) -> Found:
    """Yield names that are the hub's own, or none of Kubernetes'."""
    for name in value:
        if name.startswith(OWN_PREFIXES):
            yield f"has {name}, by which the hub knows its own pods", "Use another name."
        prefix, slash, short = name.rpartition("/")
        if not _LABEL.fullmatch(short or "-") or (slash and not _DNS_NAME.fullmatch(prefix)):
            yield f"has the name {name!r:.80}", 'Names are of this form: "facility.org/team".'


def _of_annotations(value: Mapping[str, Any]) -> Found:
    yield from _of_names(value)
    if sum(len(name) + len(one.encode()) for name, one in value.items()) > _ANNOTATIONS_BYTES:
        yield "is longer than a pod's annotations may be", "Keep it below 200 kB."
    for name in value:
        if confines(name):
            yield f"has {name}, which changes what confines a session", "Use `pod_security_context`."


def _of_failures(value: object) -> Found:
    if value:
        yield "would end the hub after refusals of the cluster", "Remove the line."


def _of_certificates(value: object) -> Found:
    if value is False:
        remedy = "Remove the line, and set k8s_api_ssl_ca_cert to the certificate of the cluster's authority."
        yield "would let anybody answer in the name of the cluster", remedy


def _of_pod(value: Mapping[str, Any]) -> Found:
    yield from _only((*POD_EXTRAS, GRACE))(value)
    if value.get(GRACE, 0) < 0:
        yield f"has a negative {GRACE}", "Set seconds: 30."
    if value.get("dnsPolicy", "None") not in _DNS_POLICIES:
        yield f"has the dnsPolicy {value['dnsPolicy']}", f"These are: {', '.join(_DNS_POLICIES)}."


def _of_object_name(value: str) -> Found:
    if value and not _DNS_NAME.fullmatch(value):
        yield "cannot be a name in Kubernetes", "Use lower-case letters, digits, '-' and '.'."


def _of_seconds(value: float) -> Found:
    if value <= 0:
        yield "is no time to wait for", "Set seconds, or remove the line."


def _of_host(value: str) -> Found:
    if value and not re.fullmatch(r"https://[^/\s]+(/\S*)?", value):
        yield "is not an https address", 'Example: "https://10.0.0.1:6443".'


def _of_authority(value: str) -> Found:
    if value and not Path(value).is_file():
        yield "is not a file", "Name the file with the certificate of the cluster's authority."


def _of_pull_secrets(value: Any) -> Found:
    for one in [value] if isinstance(value, str) else value:
        name = one.get("name") if isinstance(one, Mapping) and set(one) == {"name"} else one
        if not isinstance(name, str) or (name and not _DNS_NAME.fullmatch(name)):
            yield "is not a list of names of Secrets", 'Example: ["registry-login"].'


def _of_priority(value: str) -> Found:
    yield from _of_object_name(value)
    if value.startswith("system-"):
        yield "is for the cluster's own parts", "Make a class with preemptionPolicy: Never, and name it."


def _of_pulls(value: str) -> Found:
    if value not in ("", "Always", "IfNotPresent", "Never"):
        yield "is not a policy of Kubernetes", "Use Always, IfNotPresent or Never."


RULES: Mapping[str, Callable[[Any], Found]] = {
    "consecutive_failure_limit": _of_failures,
    "extra_annotations": _of_annotations,
    "extra_container_config": _of_container,
    "extra_labels": _of_labels,
    "extra_pod_config": _of_pod,
    "image_pull_policy": _of_pulls,
    "image_pull_secrets": _of_pull_secrets,
    "k8s_api_host": _of_host,
    "k8s_api_request_retry_timeout": _of_seconds,
    "k8s_api_request_timeout": _of_seconds,
    "k8s_api_ssl_ca_cert": _of_authority,
    "k8s_api_verify_ssl": _of_certificates,
    "lifecycle_hooks": _of_hooks,
    "namespace": _of_object_name,
    "pod_security_context": _of_security,
    "priority_class_name": _of_priority,
    "scheduler_name": _of_object_name,
}
