"""Several places in the chart, and an Ingress: what is rendered for each namespace, and what the hub makes of it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from traitlets.config import Config

from daas_hub.commands.check_config import check_config
from tests.cluster.chart import (
    LEAST,
    NAMESPACE,
    PLACES,
    REMOTE,
    HelmFailed,
    Json,
    merged,
    objects,
    one,
    render,
    values_of_the_page,
    write_configuration,
)
from tests.cluster.cluster import ROOT, Cluster

SESSIONS, GPU = "daas-sessions", "daas-gpu"


@pytest.fixture(scope="module")
def found(cluster: Cluster) -> list[Json]:
    """The chart with several places, rendered."""
    return objects(render(cluster, merged(LEAST, PLACES)))


def of_namespace(found: list[Json], namespace: str) -> list[tuple[str, str]]:
    """Return kind and name of what is in a namespace."""
    return sorted(
        (each["kind"], each["metadata"]["name"]) for each in found if each["metadata"].get("namespace") == namespace
    )


def test_each_namespace_has_all_that_sessions_need(found: list[Json]) -> None:
    """Two places share the first one, and another cluster is not this chart's."""
    namespaces = [each["metadata"]["name"] for each in found if each["kind"] == "Namespace"]
    assert namespaces == [SESSIONS, GPU]
    assert of_namespace(found, SESSIONS) == of_namespace(found, GPU)
    assert len(of_namespace(found, GPU)) == len(set(of_namespace(found, GPU))) == 6
    quotas = {each["metadata"]["namespace"]: each["spec"]["hard"] for each in found if each["kind"] == "ResourceQuota"}
    assert quotas == {SESSIONS: {"pods": "500"}, GPU: {"pods": "8"}}


def test_each_namespace_has_an_admission_policy_of_its_own(found: list[Json]) -> None:
    chosen = {
        each["metadata"]["name"]: each["spec"]["matchConstraints"]["namespaceSelector"]["matchLabels"]
        for each in found
        if each["kind"] == "ValidatingAdmissionPolicy"
    }
    assert chosen == {
        f"{NAMESPACE}-portal-{name}": {"kubernetes.io/metadata.name": namespace}
        for name, namespace in (("sessions", SESSIONS), (GPU, GPU))
    }


def is_of_the_portal(each: Json) -> bool:
    """Return whether an object is of the release's namespace."""
    return each["kind"] == "NetworkPolicy" and "namespace" not in each["metadata"]


def test_places_change_nothing_of_what_the_first_one_has(cluster: Cluster, found: list[Json]) -> None:
    """An upgrade from one place to several recreates no policy under running sessions."""
    without = objects(render(cluster, merged(LEAST, PLACES | {"places": []})))
    for kind in ("Role", "RoleBinding", "NetworkPolicy", "ValidatingAdmissionPolicy", "PriorityClass"):
        before = [each for each in without if each["kind"] == kind and not is_of_the_portal(each)]
        assert before
        assert [each for each in before if each not in found] == []


def test_the_gateway_lets_in_each_namespace_and_the_pods_of_the_other_cluster(found: list[Json]) -> None:
    hub = next(each for each in found if (each["kind"], each["metadata"]["name"]) == ("NetworkPolicy", "portal-hub"))
    (peers,) = [rule["from"] for rule in hub["spec"]["ingress"] if rule["ports"][0]["port"] == "gateway"]
    assert [
        peer["namespaceSelector"]["matchLabels"]["kubernetes.io/metadata.name"]
        if "namespaceSelector" in peer
        else peer["ipBlock"]["cidr"]
        for peer in peers
    ] == [SESSIONS, GPU, "10.60.0.0/16"]
    assert all("podSelector" in peer for peer in peers if "namespaceSelector" in peer)
    gateway = one(found, "Service", "portal-gateway")["spec"]
    assert (gateway["type"], gateway["externalTrafficPolicy"]) == ("NodePort", "Local")
    assert gateway["ports"][0]["nodePort"] == 30006


def test_the_gateway_is_a_service_of_this_cluster_alone_by_default(cluster: Cluster) -> None:
    gateway = one(objects(render(cluster, LEAST)), "Service", "portal-gateway")["spec"]
    assert gateway["type"] == "ClusterIP"
    assert "externalTrafficPolicy" not in gateway


def test_the_hub_has_the_kubeconfig_and_the_proxy_has_not(found: list[Json]) -> None:
    for part, wanted in (("hub", ["south"]), ("proxy", [])):
        spec = one(found, "Deployment", f"portal-{part}")["spec"]["template"]["spec"]
        sources = [
            source["secret"]
            for volume in spec["volumes"]
            if volume["name"] == "secret-files"
            for source in volume["projected"]["sources"]
        ]
        assert [source["name"] for source in sources] == wanted
        assert len(spec.get("initContainers", [])) == len(wanted)
        assert all(source["items"] == [{"key": "config", "path": "kubeconfig-south"}] for source in sources)


def places_of(found: list[Json], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Json:
    """Return `Places.places` of a rendered configuration."""
    for name, value in write_configuration(found, folder).items():
        monkeypatch.setenv(name, value)
    config = Config()
    exec(compile((folder / "jupyterhub_config.py").read_text(), "jupyterhub_config.py", "exec"), {"c": config})
    assert config.JupyterHub.spawner_class == "places"
    places: Json = config.Places.places
    return places


def test_new_values_of_sessions_do_not_restart_the_proxy(cluster: Cluster, found: list[Json]) -> None:
    """It would interrupt every desktop."""
    before = objects(render(cluster, LEAST))
    proxy, proxy_before = (one(each, "Deployment", "portal-proxy") for each in (found, before))
    assert proxy == proxy_before


def test_the_hub_has_the_places_in_their_order(
    found: list[Json], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of `sessions` each has what its own values say; the rest is that of all."""
    kubernetes = {"spawner": "proposal-kubernetes"}
    places = places_of(found, tmp_path, monkeypatch)
    assert list(places) == ["nodes", "large", "gpu", "south"]
    assert places == {
        "nodes": kubernetes | {"title": "Cluster", "earlier_sessions": True, "settings": {}},
        "large": kubernetes | {"title": "Large nodes", "capacity": 20, "settings": {"node_selector": {"large": "yes"}}},
        "gpu": kubernetes
        | {
            "title": "GPU nodes",
            "default_for": {"applications": ["imaging"]},
            "settings": {"namespace": GPU, "image_pull_secrets": []},
        },
        "south": kubernetes
        | {
            "title": "South hall",
            "settings": {
                "pods": {"port": 8888, "egress_addresses": {"daq.facility.org": ["192.0.2.17"]}},
                "kubeconfig": f"{tmp_path}/kubeconfig-south",
                "gateway_address": "192.0.2.10:8012",
                "priority_class_name": "",
            },
        },
    }


def test_check_config_has_nothing_to_say_of_them(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = [each | {"default_for": {}} if each["name"] == "gpu" else each for each in PLACES["places"]]
    found = objects(render(cluster, merged(values_of_the_page(), PLACES | {"places": places})))
    for name, value in write_configuration(found, tmp_path).items():
        monkeypatch.setenv(name, value)
    assert [str(problem) for problem in check_config(tmp_path / "jupyterhub_config.py")] == []


def test_the_values_of_the_page_are_accepted(cluster: Cluster) -> None:
    text = (ROOT / "docs" / "how-to" / "several-places.md").read_text()
    blocks = [yaml.safe_load(each) for each in re.findall(r"```yaml\n(.*?)```", text, re.DOTALL)]
    assert [sorted(block) for block in blocks] == [["places"], ["existingHub", "sessions"], ["gateway", "places"]]
    for block in blocks:
        assert render(cluster, block if "existingHub" in block else merged(LEAST, block))


GPU_NODES: Json = {"name": "gpu"}


@pytest.mark.parametrize(
    ("places", "word"),
    [
        pytest.param([GPU_NODES, GPU_NODES], "places has gpu twice", id="twice"),
        pytest.param(
            [GPU_NODES, {"name": "large", "sessions": {"quota": {"pods": "8"}}}],
            "Two places have the namespace daas-sessions",
            id="one namespace with two quotas",
        ),
        pytest.param(
            [{"name": "gpu", "sessions": {"namespace": {"name": NAMESPACE}}}], "the hub's own namespace", id="the hub's"
        ),
    ],
)
def test_places_that_cannot_be_meant_are_refused(cluster: Cluster, places: list[Json], word: str) -> None:
    with pytest.raises(HelmFailed, match=word):
        render(cluster, merged(LEAST, {"places": places}))


# -- what a hub in another cluster needs ----------------------------------------------------------------------------


def test_a_hub_in_another_cluster_gets_an_account_and_its_addresses(cluster: Cluster) -> None:
    found = objects(render(cluster, REMOTE))
    assert {each["kind"] for each in found} & {"Deployment", "Service", "Job", "ConfigMap"} == set()
    account = one(found, "ServiceAccount", "hub")["metadata"]["name"]
    secret = one(found, "Secret", "hub")
    assert secret["type"] == "kubernetes.io/service-account-token"
    assert secret["metadata"]["annotations"] == {"kubernetes.io/service-account.name": account}
    # its token is made by the cluster
    assert set(secret) & {"data", "stringData"} == set()
    (subject,) = one(found, "RoleBinding", "portal-hub")["subjects"]
    assert (subject["name"], subject["namespace"]) == ("hub", NAMESPACE)
    blocks = [{"ipBlock": {"cidr": cidr}} for cidr in REMOTE["existingHub"]["addresses"]]
    (rule,) = one(found, "NetworkPolicy", "daas-in")["spec"]["ingress"]
    assert rule == {"from": blocks, "ports": [{"protocol": "TCP", "port": 8888}]}
    (rule,) = one(found, "NetworkPolicy", "daas-gateway")["spec"]["egress"]
    assert rule == {"to": blocks, "ports": [{"protocol": "TCP", "port": 8012}]}


# -- browsers -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://daas.facility.org", "daas.facility.org", "/"),
        ("https://www.facility.org/science/daas/", "www.facility.org", "/science/daas/"),
        ("https://www.facility.org:8443/daas", "www.facility.org", "/daas/"),
    ],
)
def test_an_ingress_has_the_portals_host_and_path_and_tls(cluster: Cluster, url: str, host: str, path: str) -> None:
    ingress = {"enabled": True, "className": "nginx", "tlsSecret": "tls", "annotations": {"a": "{{ no template }}"}}
    found = one(
        objects(render(cluster, merged(LEAST, {"portal": {"url": url}, "ingress": ingress}))), "Ingress", "portal"
    )
    assert found["metadata"]["annotations"] == ingress["annotations"]
    assert found["spec"]["ingressClassName"] == "nginx"
    assert found["spec"]["tls"] == [{"hosts": [host], "secretName": "tls"}]
    (rule,) = found["spec"]["rules"]
    assert rule["host"] == host
    backend = {"service": {"name": "portal-proxy", "port": {"name": "http"}}}
    assert rule["http"]["paths"] == [{"path": path, "pathType": "Prefix", "backend": backend}]


def test_there_is_no_ingress_by_default(cluster: Cluster) -> None:
    assert "Ingress" not in {each["kind"] for each in objects(render(cluster, LEAST))}
