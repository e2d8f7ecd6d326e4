"""A real API server takes our pods and policies, returns what was asked for, and refuses in words that we know."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import requests

from daas_hub.spawners.kubernetes.compare import differences
from daas_hub.spawners.kubernetes.network_policy import Network, Peer, policies
from daas_hub.spawners.kubernetes.pod import pod_for
from daas_hub.spawners.kubernetes.pod_settings import PodSettings
from daas_hub.spawners.kubernetes.reasons import Reason, ReasonKind, reason_of_refusal
from tests.kubernetes.api_server import ApiServer
from tests.kubernetes.plans import CASES, DESKTOP, IDENTITY, LICENSED, PLAIN
from tests.waiting import wait_for

Json = dict[str, Any]

#: Fields for which the API server has defaults.
PROBES = {
    "livenessProbe": {"tcpSocket": {"port": 8888}},
    "readinessProbe": {"httpGet": {"port": 8888}},
    "startupProbe": {"exec": {"command": ["true"]}, "failureThreshold": 30},
    "lifecycle": {"preStop": {"httpGet": {"port": 8888}}},
}
FULL = replace(
    PLAIN,
    ephemeral_bytes=4_000_000_000,
    pull_secrets=("login",),
    container_extras=PROBES,
    security_extras={
        "seLinuxOptions": {"level": "s0:c1"},
        "sysctls": [{"name": "net.ipv4.tcp_syncookies", "value": "1"}],
    },
    pod_extras={
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "kubernetes.io/hostname", "whenUnsatisfiable": "ScheduleAnyway"}
        ]
    },
    affinity={"podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [
        {"labelSelector": {"matchLabels": {"a": "b"}}, "topologyKey": "kubernetes.io/hostname"}]}},
    volumes=(
        {"name": "extra-1", "configMap": {"name": "x"}},
        {"name": "extra-2", "projected": {"sources": [{"secret": {"name": "x"}}]}},
        {"name": "extra-3", "csi": {"driver": "d"}},
    ),
    volume_mounts=({"name": "extra-1", "mountPath": "/opt/tools", "readOnly": True},),
)  # fmt: skip


@pytest.fixture
def restricted(api: ApiServer, namespace: str) -> str:
    """A namespace that enforces the restricted profile."""
    labels = {"pod-security.kubernetes.io/enforce": "restricted"}
    headers = {"Content-Type": "application/merge-patch+json"}
    api.call("PATCH", f"/api/v1/namespaces/{namespace}", {"metadata": {"labels": labels}}, headers=headers)
    return namespace


def create(api: ApiServer, place: PodSettings, case: str = "desktop", **changes: Any) -> tuple[Json, Json]:
    """Return a pod as it was sent, and as the API server made it."""
    pod = pod_for(CASES[case][0] if case in CASES else DESKTOP, place, IDENTITY)
    pod["spec"].update(changes)
    return pod, api.call("POST", f"/api/v1/namespaces/{place.namespace}/pods", pod)


def refusal(api: ApiServer, place: PodSettings, case: str = "desktop", **changes: Any) -> Reason:
    """Return why the API server refuses a pod."""
    pod = pod_for(CASES[case][0], place, IDENTITY)
    pod["spec"].update(changes)
    url = f"{api.url}/api/v1/namespaces/{place.namespace}/pods"
    headers = {"Authorization": f"Bearer {api.token}"}
    with requests.Session() as http:
        http.trust_env = False
        answer = http.post(url, json=pod, headers=headers, verify=str(api.ca), timeout=30)
    assert answer.status_code >= 400, answer.text
    return reason_of_refusal(answer.status_code, answer.json())


@pytest.mark.parametrize("case", [name for name in CASES if not CASES[name][1].node_storage and name != "gpu"])
def test_restricted_namespace_takes_our_pods_as_they_are(api: ApiServer, restricted: str, case: str) -> None:
    asked, made = create(api, replace(CASES[case][1], namespace=restricted), case)
    assert differences(asked, made) == []


def test_gpu_and_priority(api: ApiServer, restricted: str) -> None:
    place = replace(CASES["gpu"][1], namespace=restricted, priority_class=restricted)
    reason = refusal(api, place, "gpu")
    assert (reason.kind, reason.sentence) == (
        ReasonKind.CONFIGURATION,
        "The cluster does not know how to run this session.",
    )
    body = {"metadata": {"name": restricted}, "value": 10, "preemptionPolicy": "Never"}
    api.call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", body)
    assert differences(*create(api, place, "gpu")) == []


def test_class_that_would_end_other_peoples_pods_is_noticed(api: ApiServer, restricted: str) -> None:
    api.call("POST", "/apis/scheduling.k8s.io/v1/priorityclasses", {"metadata": {"name": restricted}, "value": 10})
    place = replace(PLAIN, namespace=restricted, priority_class=restricted)
    assert differences(*create(api, place)) == ["spec.preemptionPolicy"]


def test_defaults_of_everything_that_may_be_set(api: ApiServer, restricted: str) -> None:
    assert differences(*create(api, replace(FULL, namespace=restricted))) == []


@pytest.mark.parametrize("case", ["host-path", "nfs"])
def test_storage_of_the_node_needs_a_namespace_without_the_profile(api: ApiServer, restricted: str, case: str) -> None:
    place = replace(CASES[case][1], namespace=restricted)
    assert refusal(api, place, case).kind is ReasonKind.POLICY
    place = replace(place, namespace=api.new_namespace())
    assert differences(*create(api, place, case)) == []


def test_gate_holds_the_pod(api: ApiServer, restricted: str) -> None:
    _, made = create(api, replace(PLAIN, namespace=restricted))
    (scheduled,) = [one for one in made["status"]["conditions"] if one["type"] == "PodScheduled"]
    assert scheduled["reason"] == "SchedulingGated"


def test_our_policies_are_taken_as_they_are(api: ApiServer, namespace: str) -> None:
    network = Network(
        namespace, "hub-a1b2", "kubernetes", 8888, proxy=(Peer(pods={"app": "proxy"}),), hub=(Peer("10.88.77.1/32"),),
        hub_port=8012, addresses={"licence.example.org": ("192.0.2.17", "2001:db8::5")},
    )  # fmt: skip
    for policy in policies(network, [LICENSED.egress, ()]):
        made = api.call("POST", f"/apis/networking.k8s.io/v1/namespaces/{namespace}/networkpolicies", policy)
        assert made["spec"] == policy["spec"]
        assert made["metadata"]["labels"] == policy["metadata"]["labels"]


# -- refusals ----------------------------------------------------------------------------------------------------------


def limit(api: ApiServer, namespace: str, kind: str, spec: Json) -> None:
    body = {"metadata": {"name": "limit"}, "spec": spec}
    api.call("POST", f"/api/v1/namespaces/{namespace}/{kind}", body)


def test_quota_is_refused_with_its_numbers(api: ApiServer, namespace: str) -> None:
    place = replace(PLAIN, namespace=namespace)
    limit(api, namespace, "resourcequotas", {"hard": {"pods": "0", "limits.memory": "2Gi"}})

    def counted() -> Reason | None:
        reason = refusal(api, place)
        return None if reason.kind is ReasonKind.OVERLOAD else reason

    reason = wait_for(counted, "the quota is in force")
    assert reason.kind is ReasonKind.QUOTA
    assert "0 of 2 GiB of memory are in use, and it needs 4 GiB" in reason.sentence
    assert "0 of 0 sessions are in use, and it needs 1" in reason.sentence
    assert reason.is_final


def test_limit_range_is_refused_with_its_numbers(api: ApiServer, namespace: str) -> None:
    limit(api, namespace, "limitranges", {"limits": [{"type": "Container", "max": {"memory": "2Gi"}}]})
    reason = refusal(api, replace(PLAIN, namespace=namespace))
    assert reason.kind is ReasonKind.QUOTA
    assert reason.sentence == "In the cluster a session may have at most 2 GiB of memory, and this size has 4 GiB."


def test_limit_range_with_a_minimum_takes_our_pods(api: ApiServer, namespace: str) -> None:
    """It is of each container, also of the first one, which only makes directories."""
    least = {"type": "Container", "min": {"memory": "512Mi", "cpu": "500m"}, "maxLimitRequestRatio": {"memory": "1"}}
    limit(api, namespace, "limitranges", {"limits": [least]})
    assert differences(*create(api, replace(PLAIN, namespace=namespace))) == []


def test_rule_of_the_cluster(api: ApiServer, namespace: str) -> None:
    """Also what an administrator's rule says is not for the owner."""
    spec = {
        "matchConstraints": {
            "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": namespace}},
            "resourceRules": [
                {"apiGroups": [""], "apiVersions": ["v1"], "operations": ["CREATE"], "resources": ["pods"]}
            ],
        },
        "validations": [{"expression": "false", "message": "secret words"}],
    }
    path = "/apis/admissionregistration.k8s.io/v1/validatingadmissionpolic"
    api.call("POST", f"{path}ies", {"metadata": {"name": namespace}, "spec": spec})
    binding = {"policyName": namespace, "validationActions": ["Deny"]}
    api.call("POST", f"{path}ybindings", {"metadata": {"name": namespace}, "spec": binding})
    place = replace(PLAIN, namespace=namespace)

    def refused() -> bool:
        try:
            api.delete_pod(namespace, create(api, place)[1]["metadata"]["name"])
        except AssertionError:
            return True
        return False

    wait_for(refused, "the rule is in force")
    reason = refusal(api, place)
    assert reason.kind is ReasonKind.POLICY
    assert "secret words" in reason.raw
    assert "secret words" not in reason.sentence


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"runtimeClassName": "gvisor"}, ReasonKind.CONFIGURATION),
        ({"preemptionPolicy": "Never"}, ReasonKind.CONFIGURATION),
        ({"volumes": []}, ReasonKind.CONFIGURATION),
        ({"hostname": "A_B"}, ReasonKind.CONFIGURATION),
    ],
)
def test_pod_that_the_cluster_does_not_understand(
    api: ApiServer, namespace: str, changes: Json, kind: ReasonKind
) -> None:
    reason = refusal(api, replace(PLAIN, namespace=namespace), **changes)
    assert (reason.kind, reason.is_final) == (kind, True)


def test_name_that_is_taken(api: ApiServer, namespace: str) -> None:
    place = replace(PLAIN, namespace=namespace)
    create(api, place)
    assert refusal(api, place).kind is ReasonKind.NAME


def test_namespace_that_is_not_there(api: ApiServer) -> None:
    reason = refusal(api, replace(PLAIN, namespace="nowhere"))
    assert (reason.kind, reason.is_final) == (ReasonKind.CONFIGURATION, True)
