"""Settings of KubeSpawner: each is declared; what does not work, and what would loosen a session, is refused."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from jupyterhub.spawner import Spawner
from kubernetes_asyncio.client import V1EnvVar, V1Volume
from kubespawner import KubeSpawner
from traitlets.config import Config

from daas_hub.errors import ConfigurationError
from daas_hub.spawners import kubernetes
from daas_hub.spawners.kubernetes.hooks import after_created, modified
from daas_hub.spawners.kubernetes.placement import SILENT_NODE
from daas_hub.spawners.kubernetes.pod import pod_for
from daas_hub.spawners.kubernetes.spawner import ProposalKubeSpawner
from daas_hub.spawners.kubernetes.stock_values import pod_fields
from daas_hub.stock_settings import inherited_settings
from tests.kubernetes.api_types import round_trip
from tests.kubernetes.plans import CLAIMS, DESKTOP, IDENTITY
from tests.kubernetes.pod_security import SYSCTLS, violations

PLACE = {"hub_id": "hub-a1b2", "gateway_address": "10.88.77.1:8012"}
#: What a plain hub needs, with an authenticator that knows nothing of facilities.
PLAIN = {
    "JupyterHub": {
        "authenticator_class": "dummy",
        "spawner_class": "proposal-kubernetes",
        "allow_named_servers": True,
    },
    "Facility": {"identity_of": lambda user, auth_state: None},
    "ProposalKubeSpawner": PLACE,
}
STOCK = ProposalKubeSpawner.stock_settings


def problems(**sections: dict[str, Any]) -> list[ConfigurationError]:
    config = Config(PLAIN)
    config.merge(Config(sections))
    return [one for one in ProposalKubeSpawner.startup_problems(config) if isinstance(one, ConfigurationError)]


def spawner_with(**settings: Any) -> ProposalKubeSpawner:
    storage = {"storage": list(CLAIMS)}
    return ProposalKubeSpawner(config=Config({"KubeSpawner": settings, "ProposalKubeSpawner": PLACE | storage}))


def pod_with(**settings: Any) -> dict[str, Any]:
    return pod_for(DESKTOP, spawner_with(**settings).pod_settings, IDENTITY)


def test_every_inherited_setting_is_declared() -> None:
    """A release of KubeSpawner that adds a setting makes this fail: honour it, or say what to set instead."""
    assert STOCK.mismatches(ProposalKubeSpawner) == []
    assert len(inherited_settings(ProposalKubeSpawner)) == len(KubeSpawner.class_traits(config=True)) == 113


def test_a_setting_without_a_rule_is_noticed() -> None:
    class Newer(KubeSpawner):
        new_setting = KubeSpawner.namespace.__class__("").tag(config=True)

    assert STOCK.mismatches(Newer) == ["new_setting of Newer is not declared"]


def test_a_plain_place_has_no_problems() -> None:
    assert problems() == []


@pytest.mark.parametrize("name", sorted(STOCK.refused))
@pytest.mark.parametrize("section", ["Spawner", "KubeSpawner", "ProposalKubeSpawner"])
def test_what_does_not_work_is_refused(section: str, name: str) -> None:
    spawner = ProposalKubeSpawner(config=Config(PLAIN))
    value = [] if name == "ssl_alt_names" else spawner.trait_defaults(name)
    assert [one.setting for one in problems(**{section: {name: value}})] == [f"{section}.{name}"]


@pytest.mark.parametrize("name", sorted(STOCK.honoured))
def test_what_works_is_accepted(name: str) -> None:
    assert problems(KubeSpawner={name: ProposalKubeSpawner(config=Config(PLAIN)).trait_defaults(name)}) == []


@pytest.mark.parametrize(
    ("sections", "setting"),
    [
        ({"KubeSpawner": {"singleuser_uid": 1000}}, "KubeSpawner.singleuser_uid"),
        ({"KubeSpawner": {"user_storage_pvc_ensure": True}}, "KubeSpawner.user_storage_pvc_ensure"),
        ({"KubeSpawner": {"image_spec": "x"}}, "KubeSpawner.image_spec"),
        ({"ProposalKubeSpawner": {"singleuser_uid": 1000}}, "ProposalKubeSpawner.singleuser_uid"),
        ({"PodReflector": {"restart_seconds": 30}}, "PodReflector.restart_seconds"),
        ({"EventReflector": {"labels": {}}}, "EventReflector.labels"),
    ],
)
def test_what_would_be_ignored_in_silence_is_refused(sections: dict[str, Any], setting: str) -> None:
    """KubeSpawner renames old names in its constructor, which is not run, and its watches are not started."""
    assert [one.setting for one in problems(**sections)] == [setting]


def test_tls_between_hub_and_sessions_is_refused_with_what_to_use_instead() -> None:
    """It would make a Service and a Secret for each session; no pod listens on a socket file."""
    (problem,) = problems(JupyterHub={"internal_ssl": True})
    assert "WireGuard" in problem.remedy
    assert "socket" not in str(problem)


# -- values ------------------------------------------------------------------------------------------------------------

LOOSE: list[tuple[dict[str, Any], str]] = [
    ({"extra_pod_config": {"hostNetwork": True}}, "hostNetwork"),
    ({"extra_pod_config": {"securityContext": {}}}, "securityContext"),
    ({"extra_pod_config": {"serviceAccountName": "hub"}}, "serviceAccountName"),
    ({"extra_pod_config": {"volumes": []}}, "volumes"),
    ({"extra_pod_config": {"containers": []}}, "containers"),
    ({"extra_pod_config": {"restartPolicy": "Always"}}, "restartPolicy"),
    ({"extra_pod_config": {"shareProcessNamespace": True}}, "shareProcessNamespace"),
    ({"extra_container_config": {"securityContext": {"privileged": True}}}, "securityContext"),
    ({"extra_container_config": {"command": ["sh"]}}, "command"),
    ({"extra_container_config": {"lifecycle": {"postStart": {}}}}, "lifecycle"),
    ({"extra_container_config": {"envFrom": [{"secretRef": {"name": "a"}, "prefix": "JUPYTERHUB_"}]}}, "envFrom"),
    ({"extra_container_config": {"readinessProbe": {"httpGet": {"host": "192.0.2.1"}}}}, "another host"),
    ({"lifecycle_hooks": {"postStart": {"exec": {"command": ["x"]}}}}, "postStart"),
    ({"lifecycle_hooks": {"preStop": {"tcpSocket": {"host": "192.0.2.1"}}}}, "another host"),
    ({"pod_security_context": {"runAsUser": 0}}, "runAsUser"),
    ({"pod_security_context": {"fsGroup": 100}}, "fsGroup"),
    ({"pod_security_context": {"appArmorProfile": {"type": "Unconfined"}}}, "AppArmor"),
    ({"pod_security_context": {"seLinuxOptions": {"type": "spc_t"}}}, "SELinux"),
    ({"pod_security_context": {"seLinuxOptions": {"user": "root"}}}, "SELinux"),
    ({"pod_security_context": {"sysctls": [{"name": "kernel.msgmax", "value": "1"}]}}, "kernel.msgmax"),
    pytest.param({"pod_security_context": lambda spawner: {}}, "function", id="a function"),
    ({"tolerations": [{"toleration_seconds": 5}]}, "Python"),
    ({"node_affinity_required": [{"match_expressions": []}]}, "Python"),
    ({"extra_labels": {"daas-hub/hub": "x"}}, "daas-hub/hub"),
    ({"extra_labels": {"app.kubernetes.io/managed-by": "x"}}, "managed-by"),
    ({"extra_annotations": {"daas-hub/deadline": "x"}}, "daas-hub/deadline"),
    ({"extra_annotations": {"container.apparmor.security.beta.kubernetes.io/session": "unconfined"}}, "apparmor"),
    ({"environment": {"A B": "x"}}, "name of a variable"),
    ({"environment": {"": "x"}}, "name of a variable"),
    ({"environment": {"LÄNGE": "x"}}, "name of a variable"),
    ({"extra_labels": {"team": "Crystallography group"}}, "cannot be a label"),
    ({"extra_labels": {"team": "x" * 64}}, "cannot be a label"),
    ({"extra_labels": {"team": 1}}, "is not a text"),
    ({"extra_labels": {"the team": "x"}}, "the name"),
    ({"extra_labels": {"Facility.org/team": "x"}}, "the name"),
    ({"extra_annotations": {"note": 1}}, "is not a text"),
    ({"extra_annotations": {"note": "ä" * 100_001}}, "longer than"),
    ({"extra_annotations": {"": "x"}}, "the name"),
    ({"node_selector": {"gpu": True}}, "node_selector[gpu] is not a text"),
    ({"tolerations": ["gpu"]}, "tolerations[0] is not a map"),
    ({"tolerations": [{"key": "a", "tolerationSecond": 5}]}, "tolerations[0].tolerationSecond is no field"),
    ({"tolerations": [{"key": "a", "tolerationSeconds": "5"}]}, "tolerationSeconds is not a whole number"),
    ({"pod_affinity_required": [{"labelSelector": {"matchLabel": {}}}]}, "labelSelector.matchLabel is no field"),
    ({"node_affinity_preferred": [{"weight": True}]}, "weight is not a whole number"),
    ({"pod_security_context": {"sysctls": "x"}}, "sysctls is not a list"),
    ({"extra_pod_config": {"terminationGracePeriodSeconds": "30"}}, "is not a whole number"),
    ({"extra_pod_config": {"terminationGracePeriodSeconds": -1}}, "negative"),
    ({"extra_pod_config": {"dnsPolicy": "none"}}, "dnsPolicy"),
    ({"extra_pod_config": {"hostAliases": [{"ip": "192.0.2.1", "hostname": ["a"]}]}}, "hostname is no field"),
    ({"extra_container_config": {"envFrom": "licence"}}, "envFrom is not a list"),
    ({"lifecycle_hooks": {"preStop": {"exec": {"command": "sync"}}}}, "command is not a list"),
    ({"volumes": ["tools"]}, "volumes[0] is not a map"),
    ({"volumes": [{"name": "extra-a", "configMap": {"nam": "a"}}]}, "nam is no field"),
    ({"volume_mounts": [{"name": "extra-a", "mountpath": "/a"}]}, "mountpath is no field"),
    ({"image_pull_secrets": [1]}, "names of Secrets"),
    ({"image_pull_secrets": [{"nam": "a"}]}, "names of Secrets"),
    ({"namespace": "Daas_Sessions"}, "a name in Kubernetes"),
    ({"priority_class_name": "Low Priority"}, "a name in Kubernetes"),
    ({"scheduler_name": "a b"}, "a name in Kubernetes"),
    ({"k8s_api_host": "http://10.0.0.1:6443"}, "https address"),
    ({"k8s_api_host": "10.0.0.1"}, "https address"),
    ({"k8s_api_ssl_ca_cert": "/nowhere/ca.crt"}, "is not a file"),
    ({"k8s_api_request_timeout": 0}, "no time to wait"),
    ({"k8s_api_request_retry_timeout": -1}, "no time to wait"),
    ({"consecutive_failure_limit": 5}, "refusals of the cluster"),
    ({"environment": {"A": {"valueFrom": {"secretKeyRef": {"name": "a", "key": "b"}}}}}, "not a text"),
    ({"environment": {"A": ["b"]}}, "not a text"),
    ({"k8s_api_verify_ssl": False}, "in the name of the cluster"),
    ({"priority_class_name": "system-node-critical"}, "cluster's own"),
    ({"image_pull_policy": "Sometimes"}, "not a policy"),
    ({"volumes": [{"name": "extra-x", "hostPath": {"path": "/"}}]}, "not a volume"),
    ({"volumes": {"a": {"name": "extra-x", "cephfs": {"monitors": []}}}}, "not a volume"),
    ({"volumes": [{"name": "home"}]}, "not a volume"),
    ({"volume_mounts": [{"name": "extra-x", "mountPath": "/{username}"}]}, "cannot be mounted"),
]


@pytest.mark.parametrize(("settings", "words"), LOOSE, ids=lambda one: str(one)[:60])
def test_value_that_would_loosen_a_session_is_refused(settings: dict[str, Any], words: str) -> None:
    """When the hub starts, and again for what code of the administrator has set before a start."""
    (name,) = settings
    found = problems(KubeSpawner=settings)
    assert {one.setting for one in found} == {f"KubeSpawner.{name}"}
    assert any(words in str(one) for one in found)
    spawner = spawner_with()
    setattr(spawner, name, settings[name])
    with pytest.raises(ConfigurationError, match=f"KubeSpawner.{name}"):
        pod_fields(spawner)


def test_the_list_of_safe_sysctls_is_the_profiles() -> None:
    for name in SYSCTLS:
        assert problems(KubeSpawner={"pod_security_context": {"sysctls": [{"name": name, "value": "1"}]}}) == []


async def test_what_is_honoured_is_in_the_pod() -> None:
    term = {"matchExpressions": [{"key": "x", "operator": "Exists"}]}
    pod_term = {"labelSelector": {"matchLabels": {"a": "b"}}, "topologyKey": "kubernetes.io/hostname"}
    tools = {"name": "extra-tools", "persistentVolumeClaim": {"claimName": "tools"}}
    at = {"name": "extra-tools", "mountPath": "/opt/tools", "readOnly": True}
    pod = pod_with(
        extra_annotations={"example.org/note": "{username} $(HOME)"},
        extra_container_config={"readinessProbe": {"tcpSocket": {"port": 8888}}},
        extra_labels={"example.org/team": "x"},
        extra_pod_config={"runtimeClassName": "gvisor", "terminationGracePeriodSeconds": 99},
        image_pull_policy="Always",
        image_pull_secrets=["one", {"name": "two"}],
        lifecycle_hooks={"preStop": {"exec": {"command": ["sync"]}}},
        node_affinity_preferred={"b": {"weight": 1, "preference": term}, "a": {"weight": 2, "preference": term}},
        node_affinity_required=[term],
        node_selector={"zone": "{x}"},
        pod_affinity_preferred=[{"weight": 1, "podAffinityTerm": pod_term}],
        pod_affinity_required=[pod_term],
        pod_anti_affinity_preferred=[{"weight": 1, "podAffinityTerm": pod_term}],
        pod_anti_affinity_required=[pod_term],
        pod_security_context={"seLinuxOptions": {"level": "s0:c1,c2"}},
        priority_class_name="sessions",
        scheduler_name="other",
        tolerations=[{"key": "gpu", "operator": "Exists"}],
        volumes={"t": tools},
        volume_mounts=[at],
    )
    assert await round_trip(pod, "V1Pod") == pod
    assert violations(pod) == []
    spec, container = pod["spec"], pod["spec"]["containers"][0]
    assert pod["metadata"]["annotations"]["example.org/note"] == "{username} $(HOME)"
    assert pod["metadata"]["labels"]["example.org/team"] == "x"
    assert (spec["runtimeClassName"], spec["terminationGracePeriodSeconds"]) == ("gvisor", 99)
    assert (container["imagePullPolicy"], container["readinessProbe"]) == ("Always", {"tcpSocket": {"port": 8888}})
    assert container["lifecycle"] == {"preStop": {"exec": {"command": ["sync"]}}}
    assert spec["imagePullSecrets"] == [{"name": "one"}, {"name": "two"}]
    nodes = spec["affinity"]["nodeAffinity"]
    assert nodes["requiredDuringSchedulingIgnoredDuringExecution"] == {"nodeSelectorTerms": [term]}
    assert [one["weight"] for one in nodes["preferredDuringSchedulingIgnoredDuringExecution"]] == [2, 1]
    for kind in ("podAffinity", "podAntiAffinity"):
        assert spec["affinity"][kind]["requiredDuringSchedulingIgnoredDuringExecution"] == [pod_term]
    assert (spec["nodeSelector"], spec["schedulerName"]) == ({"zone": "{x}"}, "other")
    assert spec["priorityClassName"] == "sessions"
    assert spec["tolerations"] == [{"key": "gpu", "operator": "Exists"}, *SILENT_NODE]
    assert spec["securityContext"]["seLinuxOptions"] == {"level": "s0:c1,c2"}
    assert tools in spec["volumes"]
    assert at | {"recursiveReadOnly": "Enabled"} in container["volumeMounts"]


# -- hooks -------------------------------------------------------------------------------------------------------------


async def hooked(change: Any) -> dict[str, Any]:
    def hook(spawner: Any, pod: Any) -> Any:
        change(pod)
        return pod

    return await modified(spawner_with(modify_pod_hook=hook), pod_with())


async def test_hook_may_say_where_a_pod_runs() -> None:
    pod = await hooked(lambda pod: setattr(pod.spec, "node_selector", {"a": "b"}))
    assert pod["spec"].pop("nodeSelector") == {"a": "b"}
    assert pod == pod_with()


async def test_hook_may_add_labels() -> None:
    pod = await hooked(lambda pod: pod.metadata.labels.update({"example.org/team": "x"}))
    assert pod["metadata"]["labels"]["example.org/team"] == "x"


HOOKS: dict[str, Any] = {
    "spec.securityContext.runAsUser": lambda pod: setattr(pod.spec.security_context, "run_as_user", 1),
    "spec.securityContext.supplementalGroups": lambda pod: pod.spec.security_context.supplemental_groups.append(4),
    "spec.hostNetwork": lambda pod: setattr(pod.spec, "host_network", True),
    "spec.containers[session].image": lambda pod: setattr(pod.spec.containers[0], "image", "x"),
    "spec.containers[session].securityContext.privileged": lambda pod: setattr(
        pod.spec.containers[0].security_context, "privileged", True
    ),
    "spec.containers[session].env[LD_PRELOAD]": lambda pod: pod.spec.containers[0].env.append(
        V1EnvVar("LD_PRELOAD", "x")
    ),
    "spec.containers[session].volumeMounts[/home/anna/data].readOnly": lambda pod: next(
        setattr(one, "read_only", None)
        for one in pod.spec.containers[0].volume_mounts
        if one.mount_path == "/home/anna/data"
    ),
    "spec.volumes[x]": lambda pod: pod.spec.volumes.append(V1Volume(name="x")),
    "spec.containers": lambda pod: pod.spec.containers.append(pod.spec.containers[0]),
    "spec.schedulingGates": lambda pod: setattr(pod.spec, "scheduling_gates", None),
    "metadata.name": lambda pod: setattr(pod.metadata, "name", "other"),
    "metadata.labels[daas-hub/egress]": lambda pod: pod.metadata.labels.update({"daas-hub/egress": "all"}),
    "metadata.annotations[daas-hub/deadline]": lambda pod: pod.metadata.annotations.clear(),
}


@pytest.mark.parametrize("field", HOOKS)
async def test_hook_that_changes_what_confines_is_named_by_its_field(field: str) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        await hooked(HOOKS[field])
    assert field in str(refusal.value)


@pytest.mark.parametrize(
    ("hook", "words"),
    [(lambda spawner, pod: 1 / 0, "failed: ZeroDivisionError"), (lambda spawner, pod: None, "returned no pod")],
)
async def test_hook_that_fails_is_a_sentence(hook: Any, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        await modified(spawner_with(modify_pod_hook=hook), pod_with())


async def test_hook_after_creation() -> None:
    seen = []

    async def hook(spawner: Any, pod: Any) -> None:
        seen.append(pod["metadata"]["name"])

    await after_created(spawner_with(after_pod_created_hook=hook), pod_with())
    await after_created(spawner_with(), pod_with())
    assert seen == [IDENTITY.name]
    with pytest.raises(ConfigurationError, match="after_pod_created_hook"):
        await after_created(spawner_with(after_pod_created_hook=lambda spawner, pod: 1 / 0), pod_with())


async def test_no_hook_changes_nothing() -> None:
    assert await modified(spawner_with(), pod_with()) == pod_with()


def test_nothing_that_the_hub_calls_is_kubespawners() -> None:
    """What KubeSpawner overrides of JupyterHub's Spawner is replaced; a release that overrides more is noticed."""
    overridden = {
        name for name, value in vars(KubeSpawner).items() if inspect.isfunction(value) and hasattr(Spawner, name)
    }
    assert overridden >= {"start", "stop", "poll", "progress", "get_env", "get_state", "load_state", "clear_state"}
    stays = [name for name in overridden if vars(KubeSpawner)[name] is getattr(ProposalKubeSpawner, name)]
    # of a form that the portal's replaces
    assert stays == ["_options_from_form"]
    spawner = spawner_with()
    assert spawner.options_from_form({"application": ["lab"]})["application"] == "lab"


def test_what_stays_of_kubespawner_is_never_called() -> None:
    """Its own methods, public ones first: manifests from templates, and the watches that end."""
    stays = [
        name
        for name, value in vars(KubeSpawner).items()
        if inspect.isfunction(value) and value is getattr(ProposalKubeSpawner, name)
    ]
    assert len(stays) == 37
    source = "".join(path.read_text() for path in Path(kubernetes.__file__).parent.glob("*.py"))
    assert [name for name in stays if f".{name}(" in source] == []
