"""What a place says about its pods, and what one start adds: the two inputs of `pod_for` next to the plan. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daas_hub.spawners.kubernetes.volumes import Storage

#: Where the session finds the files of `PodIdentity.files_secret`.
FILES_DIR = "/run/daas-files"
#: The generated files in the /etc of a pod. Its hosts are the kubelet's, and it has no name server.
IDENTITY_FILES = ("passwd", "group", "nsswitch.conf", "localtime")
#: What an administrator may add to the spec of a pod, to its container, and to the securityContext of the pod.
POD_EXTRAS = ("dnsConfig", "dnsPolicy", "hostAliases", "runtimeClassName", "topologySpreadConstraints")
CONTAINER_EXTRAS = ("envFrom", "lifecycle", "livenessProbe", "readinessProbe", "startupProbe")
SECURITY_EXTRAS = ("appArmorProfile", "seLinuxOptions", "sysctls")

_GIB = 2**30


@dataclass(frozen=True)
class Placement:
    """On which nodes pods may run.

    Attributes:
        node_selector: labels that a node must have.
        tolerations: as in the API of Kubernetes.
    """

    node_selector: Mapping[str, str] = field(default_factory=dict, hash=False)
    tolerations: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class SizeInPlace:
    """What a size means in this place, in addition to its memory and processors.

    Attributes:
        placement: the nodes that have it: a GPU's, those with much memory.
        resources: extended resources: {"nvidia.com/gpu": 1}.
        ephemeral_bytes: what a session may write to the node's disk: /tmp, /var/tmp and its log; 0 for the place's.
    """

    placement: Placement = Placement()
    resources: Mapping[str, int] = field(default_factory=dict, hash=False)
    ephemeral_bytes: int = 0


@dataclass(frozen=True)
class PodSettings:
    """What an administrator configured for the pods of one place. Every text in it is literal.

    Attributes:
        hub_id: which hub: a hash, by which it recognises its own pods.
        place: the name of the place, among several of one hub.
        storage: where the cluster has the facility's directories; the longest prefix counts.
        node_storage: whether nfs and hostPath may be used, which a namespace with the *restricted* profile refuses.
        hub_has_storage: whether the hub opens and prepares the directories itself; otherwise the pod's first container
            creates mount points in the home, as the account.
        allow_tags: whether an image without a digest may be used.
        pull_secrets: names of Secrets of the namespace with logins at registries.
        placement, by_beamline, by_size: nodes for all, for proposals of a beamline, and for a size; merged.
        affinity: as in the API of Kubernetes; {} for none.
        priority_class: its `preemptionPolicy` should be Never; "" for the cluster's default.
        grace_s, grace_by_application: seconds a session may take to save and end, for all and by application.
        ephemeral_bytes: what a session may write to the node's disk, unless its size says otherwise.
        port: TCP port on which a session listens at its pod's address.
        environment: variables for all sessions; nothing secret, and no value is expanded.
        egress_addresses: IP addresses of the hosts that applications name in `egress`.
        pod_extras: further fields of the pod's spec, out of `POD_EXTRAS`.
        container_extras: further fields of the container, out of `CONTAINER_EXTRAS`.
        security_extras: further fields of the pod's securityContext, out of `SECURITY_EXTRAS`.
        volumes, volume_mounts: an administrator's additions, as in the API of Kubernetes.
    """

    hub_id: str
    namespace: str
    place: str = "kubernetes"
    storage: tuple[Storage, ...] = ()
    node_storage: bool = False
    hub_has_storage: bool = False
    allow_tags: bool = False
    image_pull_policy: str = "IfNotPresent"
    pull_secrets: tuple[str, ...] = ()
    placement: Placement = Placement()
    by_beamline: Mapping[str, Placement] = field(default_factory=dict, hash=False)
    by_size: Mapping[str, SizeInPlace] = field(default_factory=dict, hash=False)
    affinity: Mapping[str, Any] = field(default_factory=dict, hash=False)
    scheduler: str = ""
    priority_class: str = ""
    grace_s: int = 10
    grace_by_application: Mapping[str, int] = field(default_factory=dict, hash=False)
    ephemeral_bytes: int = 8 * _GIB
    port: int = 8888
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)
    labels: Mapping[str, str] = field(default_factory=dict, hash=False)
    annotations: Mapping[str, str] = field(default_factory=dict, hash=False)
    egress_addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)
    pod_extras: Mapping[str, Any] = field(default_factory=dict, hash=False)
    container_extras: Mapping[str, Any] = field(default_factory=dict, hash=False)
    security_extras: Mapping[str, Any] = field(default_factory=dict, hash=False)
    volumes: tuple[Mapping[str, Any], ...] = ()
    volume_mounts: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True)
class PodIdentity:
    """What one start adds.

    Attributes:
        name: of the pod: "daas-" and a hash of hub, place, user and session.
        session: the hash alone.
        start_id: random for each start: an answer that comes late is recognised by it.
        environment_secret: the Secret whose keys are the session's variables, tokens among them; "" for none.
        files_secret: the Secret with the generated files, by name: those of `IDENTITY_FILES`, and `more_files`; "" for
            none. Both are created after the pod, which owns them, and before its gate is removed.
        more_files: further keys of `files_secret`; the session finds all of them in `FILES_DIR`.
        ends: when the session ends, in seconds since the epoch.
        program: the first program and its arguments; () for the one of the application's kind.
        variables: of this start; nothing secret, and no value is expanded.
        instance: which hub starts it (see `daas_hub.spawners.kubernetes.instance`); "" for a pod that does not say.
    """

    name: str
    session: str
    start_id: str
    environment_secret: str = ""
    files_secret: str = ""
    ends: float = 0.0
    program: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict, hash=False)
    instance: str = ""
