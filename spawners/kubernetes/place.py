"""One place where pods run: its settings, and what they make: client, watch, gateway, and the settings of its pods."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from traitlets import Bool, Dict, Float, Integer, List, Unicode, default

from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.client import PlaceClient
from daas_hub.spawners.kubernetes.gateway import SessionGateway
from daas_hub.spawners.kubernetes.instance import instance_of
from daas_hub.spawners.kubernetes.labels import HUB_LABEL, PLACE_LABEL, SESSION_LABEL
from daas_hub.spawners.kubernetes.pod_settings import PodSettings
from daas_hub.spawners.kubernetes.stock_values import pod_fields
from daas_hub.spawners.kubernetes.watch import PodWatch
from daas_hub.spawners.recorded import RecordedSessionMixin

#: A label's value, which may also be part of a name.
LABEL_VALUE = re.compile(r"[a-z0-9](?:[-a-z0-9]{0,38}[a-z0-9])?")


class PlaceMixin(RecordedSessionMixin):
    """Settings of a spawner whose sessions are pods of one namespace of one cluster."""

    hub_id = Unicode(
        "",
        config=True,
        help="""
        Name of this hub, by which it recognises its pods among those of other hubs: lower-case letters, digits and
        hyphens. It must differ from every other hub's of the namespace, and never change while sessions run. Required.
        Example: "portal".
        """,
    )
    place_label = Unicode(
        config=True,
        help="""
        Value of the label `daas-hub/place` of this place's pods, also part of their names: at most 40 lower-case
        letters, digits and hyphens. Change it only while no session runs. Example: "large-nodes". Default: the name of
        the place in `Places.places`; "kubernetes" for a hub with one spawner, and for the place with its
        `earlier_sessions`.
        """,
    )
    kubeconfig = Unicode(
        "",
        config=True,
        help="""
        File of kubectl's configuration to reach the cluster with, for a hub that is not in it. It is read again when
        the API server refuses the login, or its certificate is not trusted, so replace the file when its token or its
        authority changes. Default: "", which means `k8s_api_host`, or else the service account of the hub's own pod.
        """,
    )
    context = Unicode(
        "",
        config=True,
        help="""
        Context of `kubeconfig`. Default: its current context.
        """,
    )
    token_file = Unicode(
        "",
        config=True,
        help="""
        File with the token for `k8s_api_host`; it is read again every minute. Default: none.
        """,
    )
    gateway_bind = Unicode(
        "0.0.0.0:8012",
        config=True,
        help="""
        Address and port of the hub at which it listens for its sessions (the session gateway). Only pods of sessions
        are let in, and only to the few routes that they need. Default: "0.0.0.0:8012".
        """,
    )
    gateway_address = Unicode(
        "",
        config=True,
        help="""
        The session gateway as pods see it, "host:port", with an IP address, because sessions have no name server: of a
        Service with a fixed address before the hub's pod, or of the hub's machine. Required. Example:
        "10.96.40.12:8012".
        """,
    )
    hub_has_storage = Bool(
        False,
        config=True,
        help="""
        Whether the hub has the facility's storage mounted at the same paths as its accounts use. Then it opens the
        directories of a launch itself, and a session proves that it has exactly those. Otherwise a session proves that
        it has directories there, and read-only ones where they must be. Default: False.
        """,
    )
    closed_addresses = List(
        Unicode(),
        ["169.254.169.254:80"],
        config=True,
        help="""
        Addresses, "host:port", that no session may be able to connect to; a session that can is not started. The API
        server, the kubelet of its node and another running session are always added. Default: the metadata service of
        clouds.
        """,
    )
    grace_period_s = Integer(
        10,
        min=1,
        config=True,
        help="""
        Seconds in which a session that is stopped may save its work. Default: 10.
        """,
    )
    queue_timeout_s = Float(
        1800.0,
        min=1.0,
        config=True,
        help="""
        Seconds in which a session must get a computer of the cluster, its volumes and its image. After that its start
        fails, and its owner reads what it waited for. `start_timeout` counts from then on, so a full cluster or a large
        image does not use it up. Example, for a cluster that is never scaled up: 300. Default: 1800.
        """,
    )
    stop_timeout_s = Float(
        20.0,
        min=0.1,
        config=True,
        help="""
        Seconds after the grace period in which the cluster must confirm the end of a session. After that its card says
        that the end is not confirmed yet, and the hub keeps trying. Default: 20.
        """,
    )
    accepted_changes = List(
        Unicode(),
        config=True,
        help="""
        Fields of a session's pod that admission controllers of the cluster may change, with all below them, as the
        log names them when a start is refused. What confines a session should not be among them. Example:
        ["metadata.labels[example.org/team]", "spec.tolerations"]. Default: [].
        """,
    )
    pods = Dict(
        config=True,
        help="""
        Further settings of the pods of this place: fields of `PodSettings` by name. Example:
        {"priority_class": "sessions", "ephemeral_bytes": 4 * 2**30}. Default: {}.
        """,
    )
    storage: List[Any] = List(
        config=True,
        help="""
        Where the cluster has the facility's directories: `ClaimStorage`, `CsiStorage`, `NfsStorage` or
        `HostPathStorage` of daas_hub.spawners.kubernetes.volumes; the longest prefix of a path counts. Example:
        [ClaimStorage(PurePosixPath("/data/visitor"), claim="visitor")]. Default: [].
        """,
    )
    node_storage = Bool(
        False,
        config=True,
        help="""
        Whether `storage` may have NfsStorage and HostPathStorage, which a namespace that enforces the *restricted* pod
        security standard refuses. Default: False.
        """,
    )

    #: Seconds of one request to the API server, and of one with its repetitions, where the stock settings are not set.
    _TIMEOUTS: ClassVar[Mapping[str, float]] = {"k8s_api_request_timeout": 10.0, "k8s_api_request_retry_timeout": 60.0}

    @default("place_label")
    def _place_label_default(self) -> str:
        return self.place or "kubernetes"

    @default("k8s_api_request_timeout")
    def _request_timeout_default(self) -> int:
        return int(self._TIMEOUTS["k8s_api_request_timeout"])

    @default("k8s_api_request_retry_timeout")
    def _retry_timeout_default(self) -> int:
        return int(self._TIMEOUTS["k8s_api_request_retry_timeout"])

    @property
    def access(self) -> APIAccess:
        """How this place's API server is reached."""
        stock: Any = self
        return APIAccess(
            kubeconfig=self.kubeconfig,
            context=self.context,
            host=stock.k8s_api_host,
            ca=stock.k8s_api_ssl_ca_cert,
            token_file=self.token_file,
            timeout_s=float(stock.k8s_api_request_timeout),
            retry_s=float(stock.k8s_api_request_retry_timeout),
        )

    @property
    def client(self) -> PlaceClient:
        """The client of this place."""
        stock: Any = self
        return PlaceClient.of(self.access, stock.namespace)

    @property
    def selector(self) -> str:
        """Which pods are this hub's, of this place."""
        return f"{HUB_LABEL}={self.hub_id},{PLACE_LABEL}={self.place_label}"

    @property
    def instance(self) -> str:
        """Which hub this is, if another one has its id.

        Raises:
            OSError, ConfigurationError: it cannot be kept in `runtime_dir`.
        """
        return instance_of(Path(self.runtime_dir))

    @property
    def watch(self) -> PodWatch:
        """The watch of this place's pods, running."""
        return PodWatch.of(self.client, self.selector, self.place_label)

    @property
    def gateway(self) -> SessionGateway:
        """The session gateway, open, which knows the addresses of this place's pods.

        Raises:
            OSError: it cannot be opened.
        """
        gateway = SessionGateway.at(self.gateway_bind)
        watch = self.watch
        gateway.know_addresses(watch, _names_at(watch))
        return gateway

    @property
    def pod_settings(self) -> PodSettings:
        """The settings of this place's pods."""
        stock: Any = self
        fields = {
            "hub_id": self.hub_id,
            "namespace": stock.namespace,
            "place": self.place_label,
            "storage": tuple(self.storage),
            "node_storage": self.node_storage,
            "hub_has_storage": self.hub_has_storage,
            "grace_s": self.grace_period_s,
        }
        return PodSettings(**{**fields, **pod_fields(self), **self.pods})


def _names_at(watch: PodWatch) -> Any:
    """Return a function that returns the session whose pod has an address."""

    def name_at(address: str) -> str | None:
        name = watch.name_at(address)
        pod = watch.pods.get(name)
        # before the first list, those of the hub's database
        return name if pod is None or SESSION_LABEL in pod["metadata"]["labels"] else None

    return name_at
