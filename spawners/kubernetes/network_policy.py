"""The network of sessions: nothing is allowed, except what these policies name. Pure.

A policy of each pod would be too late: its rules lag behind the pod's first packets. So there are few, they exist
before any pod, and a pod chooses among them by its labels: a default deny for every pod of the namespace; in from the
proxy; out to the hub's listener for sessions; and one for each set of addresses that an application may connect to.

A NetworkPolicy knows addresses and labels, no names: an administrator declares the addresses of each host that an
application names in `egress`. It cannot say that only one of several names at an address is meant, nor keep up with a
host whose addresses change.
"""

from __future__ import annotations

import hashlib
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from daas_hub.errors import ConfigurationError
from daas_hub.spawners.kubernetes.labels import EGRESS_LABEL, HUB_LABEL, MANAGED_BY, MANAGED_BY_LABEL, PLACE_LABEL

#: The label's value of a session without further addresses, for which there is no policy.
NO_EGRESS = "none"
_SETTING = "ProposalKubeSpawner.egress_addresses"
#: Never an address of a facility's service: this machine, and the cloud's metadata.
_FORBIDDEN = ("127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "::1/128", "fe80::/10", "ff00::/8", "fd00:ec2::254/128",
              "::ffff:0:0/96")  # fmt: skip
#: The widest network that may be named as a host's addresses.
_MIN_PREFIX = {4: 24, 6: 64}


@dataclass(frozen=True)
class Peer:
    """One end of a connection: an address outside the cluster, or pods by label. Services are not meant by either.

    Attributes:
        cidr: "10.88.77.1/32"; "" for pods.
        pods: labels of the pods; {} for all of the namespaces.
        namespaces: labels of their namespaces; None for the sessions' own.
    """

    cidr: str = ""
    pods: Mapping[str, str] = field(default_factory=dict, hash=False)
    namespaces: Mapping[str, str] | None = field(default=None, hash=False)

    def as_json(self) -> dict[str, Any]:
        """Return it as the API has it."""
        if self.cidr:
            return {"ipBlock": {"cidr": str(ipaddress.ip_network(self.cidr))}}
        peer: dict[str, Any] = {"podSelector": {"matchLabels": dict(self.pods)} if self.pods else {}}
        if self.namespaces is not None:
            peer["namespaceSelector"] = {"matchLabels": dict(self.namespaces)} if self.namespaces else {}
        return peer


@dataclass(frozen=True)
class Network:
    """What the policies of one place say.

    Attributes:
        hub_id, place: whose pods they are for, among those of a namespace.
        session_port: the port on which sessions listen.
        proxy: from where people reach sessions: the proxy, and the hub, which asks a new session to answer.
        hub: where sessions reach the hub, and at which port: its listener for them, as pods see it.
        addresses: IP addresses and networks of the hosts that applications name in `egress`.
    """

    namespace: str
    hub_id: str
    place: str
    session_port: int
    proxy: tuple[Peer, ...]
    hub: tuple[Peer, ...]
    hub_port: int
    addresses: Mapping[str, tuple[str, ...]] = field(default_factory=dict, hash=False)


def egress_label(egress: Iterable[str]) -> str:
    """Return the label's value for a set of addresses ("host:port"), in whatever order they are named."""
    wanted = sorted(set(egress))
    if not wanted:
        return NO_EGRESS
    return hashlib.sha256("\0".join(wanted).encode()).hexdigest()[:20]


def policies(network: Network, egress: Iterable[Sequence[str]]) -> list[dict[str, Any]]:
    """Return every policy of the sessions' namespace that this place needs.

    Args:
        egress: of each application.

    Raises:
        ConfigurationError: a host has no address.
    """
    sets = {egress_label(one): sorted(set(one)) for one in egress if one}
    return [
        default_deny(network.namespace),
        _policy(network, "in", {}, ingress=[_rule("from", network.proxy, [network.session_port])]),
        _policy(network, "hub", {}, egress=[_rule("to", network.hub, [network.hub_port])]),
        *(
            _policy(network, f"to-{label}", {EGRESS_LABEL: label}, egress=_rules_to(addresses, network.addresses))
            for label, addresses in sorted(sets.items())
        ),
    ]


def default_deny(namespace: str) -> dict[str, Any]:
    """Return the policy that closes a namespace for all its pods, whoever made them."""
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": "daas-default-deny", "namespace": namespace, "labels": {MANAGED_BY_LABEL: MANAGED_BY}},
        "spec": {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
    }


def addresses_of(host: str, declared: Mapping[str, tuple[str, ...]]) -> list[str]:
    """Return the networks of a host, as the API has them.

    Raises:
        ConfigurationError: none is declared, or one cannot be that of a facility's service.
    """
    found = []
    for text in declared.get(host, ()):
        try:
            network = ipaddress.ip_network(text)
        except ValueError as error:
            raise ConfigurationError(
                _SETTING, f"{host}: {text}", "is not an IP address or network", remedy="Example: 192.0.2.17."
            ) from error
        if network.prefixlen < _MIN_PREFIX[network.version] or any(
            network.overlaps(one) for one in map(ipaddress.ip_network, _FORBIDDEN) if one.version == network.version
        ):
            raise ConfigurationError(
                _SETTING,
                f"{host}: {text}",
                "is more than the addresses of one service, or belongs to no service of the facility",
                remedy="Name the addresses that the host has.",
            )
        found.append(str(network))
    if not found:
        raise ConfigurationError(
            _SETTING,
            host,
            "has no address, and a network policy knows no names",
            remedy=f'Add it: {{"{host}": ["192.0.2.17"]}}.',
        )
    return found


def host_aliases(egress: Iterable[str], declared: Mapping[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """Return the names of the hosts for /etc/hosts, since a session has no name server.

    Raises:
        ConfigurationError: a host has no single address.
    """
    found: dict[str, list[str]] = {}
    for host in dict.fromkeys(one.rpartition(":")[0] for one in egress):
        single = [one for one in map(ipaddress.ip_network, addresses_of(host, declared)) if one.num_addresses == 1]
        if not single:
            raise ConfigurationError(
                _SETTING, host, "has networks only, and its name needs an address", remedy="Add one of its addresses."
            )
        for one in single:
            found.setdefault(str(one.network_address), []).append(host)
    return [{"ip": address, "hostnames": hosts} for address, hosts in found.items()]


def egress_problems(
    egress: Mapping[str, Sequence[str]], declared: Mapping[str, tuple[str, ...]]
) -> list[ConfigurationError]:
    """Return what cannot be said of the addresses of each application, by its name."""
    problems: dict[str, ConfigurationError] = {}
    for application, addresses in egress.items():
        try:
            host_aliases(addresses, declared)
        except ConfigurationError as problem:
            problem.add_note(f"application {application}")
            problems.setdefault(str(problem), problem)
    return list(problems.values())


def _policy(
    network: Network,
    name: str,
    labels: Mapping[str, str],
    *,
    ingress: Sequence[Mapping[str, Any]] = (),
    egress: Sequence[Mapping[str, Any]] = (),
) -> dict[str, Any]:
    """Return a policy for the pods of this hub and place that have these labels, for one direction."""
    place = hashlib.sha256(f"{network.hub_id}\0{network.place}".encode()).hexdigest()[:10]
    selector = {HUB_LABEL: network.hub_id, PLACE_LABEL: network.place, **labels}
    spec: dict[str, Any] = {"podSelector": {"matchLabels": selector}}
    if ingress:
        spec |= {"policyTypes": ["Ingress"], "ingress": list(ingress)}
    else:
        spec |= {"policyTypes": ["Egress"], "egress": list(egress)}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {
            "name": f"daas-{place}-{name}",
            "namespace": network.namespace,
            "labels": {HUB_LABEL: network.hub_id, PLACE_LABEL: network.place, MANAGED_BY_LABEL: MANAGED_BY},
        },
        "spec": spec,
    }


def _rule(direction: str, peers: Sequence[Peer], ports: Sequence[int]) -> dict[str, Any]:
    """Return one rule. Kubernetes takes a rule without peers as one for everybody, so it is refused.

    Raises:
        ConfigurationError: nobody is named.
    """
    if not peers:
        setting = "proxy_peers" if direction == "from" else "hub_peers"
        raise ConfigurationError(
            f"ProposalKubeSpawner.{setting}",
            [],
            "names nobody, and a network policy would take that for everybody",
            remedy="Name the pods or the address.",
        )
    return {
        direction: [one.as_json() for one in peers],
        "ports": [{"protocol": "TCP", "port": port} for port in ports],
    }


def _rules_to(addresses: Sequence[str], declared: Mapping[str, tuple[str, ...]]) -> list[dict[str, Any]]:
    """Return a rule for each host, with its ports."""
    ports: dict[str, list[int]] = {}
    for one in addresses:
        host, _, port = one.rpartition(":")
        ports.setdefault(host, []).append(int(port))
    return [
        _rule("to", [Peer(cidr=network) for network in addresses_of(host, declared)], sorted(set(ports[host])))
        for host in sorted(ports)
    ]
