"""The Pod Security Standards, profile *restricted* (which has all of *baseline*), as Kubernetes documents it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

#: Volume types of the profile.
VOLUMES = {
    "configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "image", "persistentVolumeClaim", "projected", "secret",
}  # fmt: skip
SYSCTLS = {
    "kernel.shm_rmid_forced", "net.ipv4.ip_local_port_range", "net.ipv4.ip_local_reserved_ports",
    "net.ipv4.ip_unprivileged_port_start", "net.ipv4.ping_group_range", "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl", "net.ipv4.tcp_keepalive_probes", "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_rmem", "net.ipv4.tcp_syncookies", "net.ipv4.tcp_wmem",
}  # fmt: skip
_SELINUX = ("", None, "container_t", "container_init_t", "container_kvm_t", "container_engine_t")


def violations(pod: dict[str, Any]) -> list[str]:
    """Return the controls that a pod violates."""
    spec = pod["spec"]
    containers = [*spec["containers"], *spec.get("initContainers", []), *spec.get("ephemeralContainers", [])]
    return list(dict.fromkeys([*_of_pod(spec), *(name for one in containers for name in _of_container(one, spec))]))


def _of_pod(spec: dict[str, Any]) -> Iterator[str]:
    if any(spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC")):
        yield "Host Namespaces"
    if any(not set(one) - {"name"} <= VOLUMES for one in spec.get("volumes", [])):
        yield "Volume Types"
    security = spec.get("securityContext", {})
    yield from _of_either(security)
    if any(one["name"] not in SYSCTLS for one in security.get("sysctls", [])):
        yield "Sysctls"


def _of_container(container: dict[str, Any], spec: dict[str, Any]) -> Iterator[str]:
    security, pods = container.get("securityContext", {}), spec.get("securityContext", {})
    yield from _of_either(security)
    if security.get("privileged"):
        yield "Privileged Containers"
    if security.get("allowPrivilegeEscalation") is not False:
        yield "Privilege Escalation"
    capabilities = security.get("capabilities", {})
    if "ALL" not in capabilities.get("drop", []) or not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"}:
        yield "Capabilities"
    if any(port.get("hostPort") for port in container.get("ports", [])):
        yield "Host Ports"
    if security.get("procMount", "Default") != "Default":
        yield "/proc Mount Type"
    if not (security.get("runAsNonRoot") or (security.get("runAsNonRoot") is None and pods.get("runAsNonRoot"))):
        yield "Running as Non-root"
    seccomp = security.get("seccompProfile") or pods.get("seccompProfile") or {}
    if seccomp.get("type") not in ("RuntimeDefault", "Localhost"):
        yield "Seccomp"
    hooks = container.get("lifecycle", {})
    probes = [container.get(name, {}) for name in ("livenessProbe", "readinessProbe", "startupProbe")]
    for action in (*hooks.values(), *probes):
        if any(action.get(kind, {}).get("host") for kind in ("httpGet", "tcpSocket")):
            yield "Host Probes / Lifecycle Hooks"


def _of_either(security: dict[str, Any]) -> Iterator[str]:
    if security.get("runAsUser") == 0:
        yield "Running as Non-root user"
    if security.get("windowsOptions", {}).get("hostProcess"):
        yield "HostProcess"
    if security.get("appArmorProfile", {}).get("type", "RuntimeDefault") not in ("RuntimeDefault", "Localhost"):
        yield "AppArmor"
    labels = security.get("seLinuxOptions", {})
    if labels.get("type") not in _SELINUX or labels.get("user") or labels.get("role"):
        yield "SELinux"
