"""The Helm chart before it is installed: what it renders, what it refuses, and what a real API server says of it."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from daas_hub.commands.check_config import check_config
from daas_hub.spawners.kubernetes import ProposalKubeSpawner
from daas_hub.spawners.kubernetes.labels import EGRESS_LABEL, MANAGED_BY, MANAGED_BY_LABEL
from daas_hub.spawners.kubernetes.network_policy import egress_label
from daas_hub.spawners.kubernetes.pod_settings import PodSettings
from tests.cluster.chart import (
    CHART,
    FOR_Z2JH,
    LEAST,
    NAMESPACE,
    HelmFailed,
    claims_of_the_page,
    examples_of_values,
    helm,
    merged,
    objects,
    one,
    render,
    write_configuration,
)  # fmt: skip
from tests.cluster.cluster import Cluster

VALUES = examples_of_values()
SESSIONS = "daas-sessions"
#: What the hub may do in the sessions' namespace, and nothing else anywhere.
RIGHTS = {
    ("pods", "create"), ("pods", "get"), ("pods", "list"), ("pods", "watch"), ("pods", "patch"), ("pods", "delete"),
    ("pods/log", "get"), ("events", "list"), ("secrets", "create"),
}  # fmt: skip
#: No part of the chart may need more of a cluster than these.
CLUSTER_WIDE = {"Namespace", "PriorityClass", "ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"}


@pytest.mark.parametrize("name", VALUES)
def test_the_linter_has_nothing_to_say(cluster: Cluster, name: str) -> None:
    assert "0 chart(s) failed" in helm(cluster, "lint", "--strict", str(CHART), values=VALUES[name])


@pytest.mark.parametrize("name", VALUES)
def test_rendering_twice_gives_the_same_bytes(cluster: Cluster, name: str) -> None:
    """Z2JH writes other secrets each time: whoever renders without a cluster logs everybody out (H1)."""
    assert render(cluster, VALUES[name]) == render(cluster, VALUES[name])


def test_nothing_secret_is_rendered(cluster: Cluster) -> None:
    text = render(cluster, LEAST)
    assert [each["metadata"]["name"] for each in objects(text) if each["kind"] == "Secret"] == []
    assert re.findall(r"\b[0-9a-f]{32,}\b", re.sub(r"checksum/config: [0-9a-f]{64}", "", text)) == []


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"hub": {"replicas": 2}}, "replicas"),
        ({"image": {"repository": ""}}, "repository"),
        ({"image": {"digest": "latest"}}, "digest"),
        ({"portal": {"url": "http://daas.facility.org"}}, "url"),
        ({"portal": {"uri": "https://daas.facility.org"}}, "uri"),
        ({"sessions": {"minId": 0}}, "minId"),
        ({"sessions": {"nodeStorage": {"enabled": True, "hostPaths": [{"path": "/", "readOnly": True}]}}}, "path"),
        ({"sessions": {"nodeStorage": {"hostPaths": [{"path": "/data", "readOnly": True}]}}}, "hostPaths"),
        (
            {"sessions": {"nodeStorage": {"enabled": True, "hostPaths": [{"path": "/a/../etc", "readOnly": True}]}}},
            "path",
        ),
        ({"sessions": {"egress": [["daq.facility.org"]]}}, "egress"),
        ({"ingress": {"enabled": True}}, "tlsSecret"),
        ({"files": {"jupyterhub_config.py": ""}}, "files"),
        ({"files": {"../passwd": ""}}, "files"),
        ({"proxy": {"replicas": 2}}, "replicas"),
    ],
)
def test_values_that_cannot_be_meant_are_refused(cluster: Cluster, change: dict[str, Any], word: str) -> None:
    with pytest.raises(HelmFailed, match=word):
        render(cluster, merged(LEAST, change))


EXISTING = {"enabled": True, "serviceAccount": "hub", "hubLabels": {"a": "b"}, "proxyLabels": {"a": "c"}}


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"existingHub": {"serviceAccount": ""}}, "serviceAccount"),
        # no labels would let in every pod of the namespace
        ({"existingHub": {"hubLabels": {"a": None}}}, "hubLabels"),
        ({"existingHub": {"proxyLabels": {"a": None}}}, "proxyLabels"),
        ({"existingHub": {"proxyLabel": {"a": "b"}}}, "proxyLabel"),
        ({"config": "c.Facility.name = 'x'"}, "config"),
        ({"ingress": {"enabled": True, "tlsSecret": "tls"}}, "ingress"),
    ],
)
def test_values_for_another_charts_hub_that_cannot_be_meant_are_refused(
    cluster: Cluster, change: dict[str, Any], word: str
) -> None:
    with pytest.raises(HelmFailed, match=word):
        render(cluster, merged({"existingHub": EXISTING}, change))


def test_sessions_are_never_in_the_hubs_namespace(cluster: Cluster) -> None:
    with pytest.raises(HelmFailed, match="the hub's own namespace"):
        render(cluster, merged(LEAST, {"sessions": {"namespace": {"name": NAMESPACE}}}))


def test_an_application_with_a_host_without_addresses_is_refused(cluster: Cluster) -> None:
    with pytest.raises(HelmFailed, match=r"no addresses of daq\.facility\.org"):
        render(cluster, merged(LEAST, {"sessions": {"egress": [["daq.facility.org:443"]]}}))


def test_a_new_hub_comes_before_sessions_that_wait(cluster: Cluster) -> None:
    """Sessions would take the place of the hub that ended, where the cluster is full."""
    found = objects(render(cluster, LEAST))
    portal = one(found, "PriorityClass", f"{NAMESPACE}-portal-portal")
    sessions = one(found, "PriorityClass", f"{NAMESPACE}-portal-sessions")
    assert portal["value"] > sessions["value"]
    assert portal["preemptionPolicy"] == sessions["preemptionPolicy"] == "Never"
    for name in ("portal-hub", "portal-proxy"):
        spec = one(found, "Deployment", name)["spec"]["template"]["spec"]
        assert spec["priorityClassName"] == portal["metadata"]["name"]
    with pytest.raises(HelmFailed, match="higher than"):
        render(cluster, merged(LEAST, {"sessions": {"priorityClass": {"value": 5000}}}))
    without = merged(LEAST, {"portal": {"priorityClass": {"create": False}}})
    assert "priorityClassName" not in render(cluster, without)


def test_there_is_one_hub_and_it_is_recreated(cluster: Cluster) -> None:
    """Two hubs on one database each take the other's sessions for lost (H2)."""
    hub = one(objects(render(cluster, LEAST)), "Deployment", "portal-hub")
    assert hub["spec"]["replicas"] == 1
    assert hub["spec"]["strategy"] == {"type": "Recreate"}


def test_a_change_of_the_configuration_restarts_the_hub_and_not_the_proxy(cluster: Cluster) -> None:
    before, after = (
        objects(render(cluster, merged(LEAST, {"config": text}))) for text in ("", 'c.Facility.name = "Other"\n')
    )
    changed = [
        f"{each['kind']} {each['metadata']['name']}" for each, other in zip(before, after, strict=True) if each != other
    ]
    assert sorted(changed) == ["ConfigMap portal-config", "Deployment portal-hub"]


def test_the_administrators_texts_are_taken_as_they_are(cluster: Cluster) -> None:
    found = objects(render(cluster, VALUES["files"]))
    config = one(found, "ConfigMap", "portal-config")["data"]
    assert config["jupyterhub_config.py"].endswith('c.Facility.name = "{{ not a template }}"\n')
    compile(config["jupyterhub_config.py"], "jupyterhub_config.py", "exec")
    assert config["accounts.yaml"] == "accounts: []\n"
    assert one(found, "ConfigMap", "portal-applications")["data"] == VALUES["files"]["applications"]


def test_the_configuration_of_the_page_is_python(cluster: Cluster) -> None:
    config = one(objects(render(cluster, VALUES["the page"])), "ConfigMap", "portal-config")["data"]
    compile(config["jupyterhub_config.py"], "jupyterhub_config.py", "exec")
    assert "ClaimStorage(PurePosixPath" in config["jupyterhub_config.py"]


def test_the_page_is_a_configuration_in_order(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a reader copies is what `daas-hub check-config` has nothing to say of."""
    found = objects(render(cluster, VALUES["the page"]))
    for name, value in write_configuration(found, tmp_path).items():
        monkeypatch.setenv(name, value)
    assert [str(problem) for problem in check_config(tmp_path / "jupyterhub_config.py")] == []


def test_the_claims_of_the_page_are_those_of_its_storage(cluster: Cluster) -> None:
    """Each volume and its claim belong together, and an API server takes them."""
    found = claims_of_the_page()
    volumes, claims = ([one for one in found if one["kind"] == f"PersistentVolume{kind}"] for kind in ("", "Claim"))
    assert len(volumes) == len(claims) == 3
    for volume, claim in zip(volumes, claims, strict=True):
        assert claim["metadata"]["namespace"] == SESSIONS
        assert claim["spec"]["volumeName"] == volume["metadata"]["name"]
        assert claim["spec"]["accessModes"] == volume["spec"]["accessModes"]
        assert claim["spec"]["storageClassName"] == volume["spec"]["storageClassName"] == ""
        claim["metadata"]["namespace"] = "default"
    named = re.findall(r'claim="(\w+)"', VALUES["the page"]["config"])
    assert named == [claim["metadata"]["name"] for claim in claims]
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": found})
    accepted = cluster.kubectl("apply", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-", given=given)
    assert len(accepted.splitlines()) == 6


def test_policies_choose_sessions_as_the_spawner_labels_them(cluster: Cluster) -> None:
    sessions = VALUES["egress"]["sessions"]
    found = [each for each in objects(render(cluster, VALUES["egress"])) if each["kind"] == "NetworkPolicy"]
    chosen = [each["spec"]["podSelector"].get("matchLabels", {}) for each in found]
    labels = {each[EGRESS_LABEL] for each in chosen if EGRESS_LABEL in each}
    assert labels == {egress_label(addresses) for addresses in sessions["egress"]}
    assert all(each[MANAGED_BY_LABEL] == MANAGED_BY for each in chosen if EGRESS_LABEL in each)
    # the ports are those of the spawner's own defaults
    values = yaml.safe_load((CHART / "values.yaml").read_text())["sessions"]
    assert values["port"] == PodSettings(hub_id="hub", namespace="sessions").port
    assert ProposalKubeSpawner.gateway_bind.default_value == f"0.0.0.0:{values['gatewayPort']}"


def test_the_hubs_rights_are_these_and_in_one_namespace(cluster: Cluster) -> None:
    found = objects(render(cluster, LEAST))
    assert [each["kind"] for each in found if each["kind"].startswith("Cluster")] == []
    role = one(found, "Role", "portal-hub")
    assert role["metadata"]["namespace"] == SESSIONS
    rights = {(resource, verb) for rule in role["rules"] for resource in rule["resources"] for verb in rule["verbs"]}
    assert rights == RIGHTS
    bindings = [
        (each["metadata"]["namespace"], each["roleRef"]["name"])
        for each in found
        if each["kind"] == "RoleBinding" and any(who["name"] == "portal-hub" for who in each["subjects"])
    ]
    assert bindings == [(SESSIONS, "portal-hub")]


def test_the_hub_may_list_quotas_where_it_is_asked_to(cluster: Cluster) -> None:
    found = objects(render(cluster, merged(LEAST, {"sessions": {"readQuota": True}})))
    role, binding = (one(found, kind, "portal-hub-quota") for kind in ("Role", "RoleBinding"))
    assert [(rule["resources"], rule["verbs"]) for rule in role["rules"]] == [(["resourcequotas"], ["list"])]
    assert {each["metadata"]["namespace"] for each in (role, binding)} == {SESSIONS}
    assert [who["name"] for who in binding["subjects"]] == ["portal-hub"]


def test_another_charts_hub_gets_the_same_rights_and_network(cluster: Cluster) -> None:
    """Nothing of a portal is made, and what its sessions need is what those of our own hub have."""
    ours = objects(render(cluster, LEAST))
    found = objects(render(cluster, {"existingHub": EXISTING}))
    assert {each["kind"] for each in found} & {"Deployment", "Job", "ServiceAccount", "ConfigMap", "Secret"} == set()
    assert one(found, "Role", "portal-hub") == one(ours, "Role", "portal-hub")
    assert one(found, "RoleBinding", "portal-hub")["subjects"] == [
        {"kind": "ServiceAccount", "name": "hub", "namespace": NAMESPACE}
    ]
    assert one(found, "Service", "portal-gateway")["spec"]["selector"] == EXISTING["hubLabels"]
    policies = [each["metadata"]["name"] for each in found if each["kind"] == "NetworkPolicy"]
    assert sorted(policies) == ["daas-default-deny", "daas-gateway", "daas-in"]
    (rule,) = one(found, "NetworkPolicy", "daas-in")["spec"]["ingress"]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["from"]] == [{"a": "b"}, {"a": "c"}]
    (rule,) = one(found, "NetworkPolicy", "daas-gateway")["spec"]["egress"]
    assert [peer["podSelector"]["matchLabels"] for peer in rule["to"]] == [{"a": "b"}]


def test_the_values_for_zero_to_jupyterhub_belong_together(cluster: Cluster) -> None:
    """What the hub's configuration names is what the release `sessions` makes."""
    values = yaml.safe_load((FOR_Z2JH / "values.yaml").read_text())
    sessions = yaml.safe_load((FOR_Z2JH / "sessions.yaml").read_text())
    found = objects(helm(cluster, "template", "sessions", str(CHART), "--namespace", "jhub", values=sessions))
    names = {(each["kind"], each["metadata"]["name"]) for each in found}
    (lines,) = values["hub"]["extraConfig"].values()
    assert ("Service", "sessions-gateway") in names
    assert ("PriorityClass", "jhub-sessions-sessions") in names
    assert all(word in lines for word in ('"sessions-gateway"', '"-sessions-sessions"', ":8012"))
    (port,) = one(found, "Service", "sessions-gateway")["spec"]["ports"]
    assert port["port"] == port["targetPort"] == 8012
    policies = values["hub"]["networkPolicy"]
    for rule, number in (
        (policies["ingress"][0], 8012),
        (policies["egress"][0], 8888),
        (values["proxy"]["chp"]["networkPolicy"]["egress"][0], 8888),
    ):
        (peer,) = rule.get("from") or rule["to"]
        assert peer["namespaceSelector"]["matchLabels"] == {"kubernetes.io/metadata.name": SESSIONS}
        assert peer["podSelector"]["matchLabels"] == {MANAGED_BY_LABEL: MANAGED_BY}
        assert [each["port"] for each in rule["ports"]] == [number]


@pytest.mark.parametrize("name", VALUES)
def test_what_is_not_in_a_namespace_is_little(cluster: Cluster, name: str) -> None:
    found = objects(render(cluster, VALUES[name]))
    assert {each["kind"] for each in found if each["kind"] in CLUSTER_WIDE or "Cluster" in each["kind"]} <= CLUSTER_WIDE


@pytest.mark.parametrize("name", VALUES)
def test_every_container_of_ours_is_restricted(cluster: Cluster, name: str) -> None:
    for each in objects(render(cluster, VALUES[name])):
        if each["kind"] not in ("Deployment", "Job"):
            continue
        spec = each["spec"]["template"]["spec"]
        assert spec["securityContext"]["runAsNonRoot"] is True
        for container in [*spec["containers"], *spec.get("initContainers", [])]:
            security = container["securityContext"]
            assert security == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert container["resources"]["limits"]["memory"]


@pytest.mark.parametrize("name", VALUES)
def test_the_api_server_accepts_every_object_as_it_is(cluster: Cluster, name: str) -> None:
    """A dry run on the server, strict about fields that it does not know, in namespaces that exist."""
    found = objects(render(cluster, VALUES[name]))
    for each in found:
        if each["kind"] not in CLUSTER_WIDE:
            each["metadata"]["namespace"] = "default"
    given = json.dumps({"apiVersion": "v1", "kind": "List", "items": found})
    arguments = ["apply", "--server-side", "--dry-run=server", "--validate=strict", "-o", "name", "-f", "-"]
    accepted = cluster.kubectl(*arguments, "--field-manager=test", given=given)
    assert len(accepted.splitlines()) == len(found)
