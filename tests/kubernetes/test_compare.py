"""The API server's answer against what was asked: its own defaults are no difference, anything else is one."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.spawners.kubernetes.compare import differences
from daas_hub.spawners.kubernetes.pod import pod_for
from daas_hub.spawners.kubernetes.quantities import amount_in_words, bytes_in_words, quantity
from tests.kubernetes.plans import CASES, IDENTITY

Json = dict[str, Any]
NAMES = list(CASES)


def asked_for(case: str = "gpu") -> Json:
    return pod_for(*CASES[case], IDENTITY)


def answer_to(asked: Json) -> Json:
    """Return a pod as an API server 1.34 returns it (tests/kubernetes/test_real_api.py sees that it does)."""
    pod = copy.deepcopy(asked)
    pod["metadata"] |= {
        "uid": "0", "resourceVersion": "1", "generation": 1, "creationTimestamp": "2026-11-30T14:00:00Z",
        "managedFields": [{"manager": "hub"}],
    }  # fmt: skip
    spec = pod["spec"]
    for name in ("hostNetwork", "hostPID", "hostIPC"):
        del spec[name]
    tolerations = [
        {"key": f"node.kubernetes.io/{key}", "operator": "Exists", "effect": "NoExecute", "tolerationSeconds": 300}
        for key in ("not-ready", "unreachable")
    ]
    spec["tolerations"] = [*spec.get("tolerations", []), *tolerations]
    spec |= {
        "schedulerName": "default-scheduler", "serviceAccount": "default", "serviceAccountName": "default",
        "priority": 10, "preemptionPolicy": "Never",
    }  # fmt: skip
    for one in (*spec["containers"], *spec.get("initContainers", [])):
        one["terminationMessagePath"] = "/dev/termination-log"
        one["resources"]["limits"]["memory"] = "64Gi"
    return {**pod, "status": {"phase": "Pending"}}


@pytest.mark.parametrize("case", CASES)
def test_what_was_asked_for_is_no_difference(case: str) -> None:
    asked = asked_for(case)
    assert differences(asked, asked) == []
    answer = answer_to(asked)
    for kind in ("containers", "initContainers"):
        for one, other in zip(answer["spec"].get(kind, []), asked["spec"].get(kind, []), strict=True):
            one["resources"] = copy.deepcopy(other["resources"])
    assert differences(asked, answer) == []


def test_number_that_is_written_otherwise_is_the_same() -> None:
    asked = asked_for()
    assert asked["spec"]["containers"][0]["resources"]["limits"]["memory"] == str(64 * 2**30)
    assert differences(asked, answer_to(asked)) == []


def container(pod: Json) -> Json:
    return dict.__getitem__(pod["spec"], "containers")[0]  # type: ignore[no-any-return]


def mount_at(pod: Json, path: str) -> Json:
    return next(one for one in container(pod)["volumeMounts"] if one["mountPath"] == path)


CHANGES: dict[str, Any] = {
    "metadata.name": lambda pod: pod["metadata"].update(name="x"),
    "metadata.namespace": lambda pod: pod["metadata"].update(namespace="x"),
    "metadata.labels[daas-hub/hub]": lambda pod: pod["metadata"]["labels"].update({"daas-hub/hub": "x"}),
    "metadata.labels[daas-hub/egress]": lambda pod: pod["metadata"]["labels"].pop("daas-hub/egress"),
    "metadata.labels[mesh]": lambda pod: pod["metadata"]["labels"].update(mesh="on"),
    "metadata.annotations[daas-hub/deadline]": lambda pod: pod["metadata"].pop("annotations"),
    "metadata.annotations[container.apparmor.security.beta.kubernetes.io/session]": lambda pod: pod["metadata"][
        "annotations"
    ].update({"container.apparmor.security.beta.kubernetes.io/session": "unconfined"}),
    "metadata.ownerReferences": lambda pod: pod["metadata"].update(ownerReferences=[{"uid": "x"}]),
    "spec.securityContext.runAsUser": lambda pod: pod["spec"]["securityContext"].update(runAsUser=0),
    "spec.securityContext.runAsNonRoot": lambda pod: pod["spec"]["securityContext"].pop("runAsNonRoot"),
    "spec.securityContext.supplementalGroups": lambda pod: pod["spec"]["securityContext"]["supplementalGroups"].append(
        4
    ),
    "spec.securityContext.supplementalGroupsPolicy": lambda pod: pod["spec"]["securityContext"].pop(
        "supplementalGroupsPolicy"
    ),
    "spec.securityContext.fsGroup": lambda pod: pod["spec"]["securityContext"].update(fsGroup=100),
    "spec.securityContext.seccompProfile.type": lambda pod: pod["spec"]["securityContext"].update(
        seccompProfile={"type": "Unconfined"}
    ),
    "spec.automountServiceAccountToken": lambda pod: pod["spec"].update(automountServiceAccountToken=True),
    "spec.serviceAccountName": lambda pod: pod["spec"].update(serviceAccountName="hub"),
    "spec.hostNetwork": lambda pod: pod["spec"].update(hostNetwork=True),
    "spec.hostUsers": lambda pod: pod["spec"].update(hostUsers=True),
    "spec.restartPolicy": lambda pod: pod["spec"].update(restartPolicy="OnFailure"),
    "spec.nodeName": lambda pod: pod["spec"].update(nodeName="n1"),
    "spec.schedulerName": lambda pod: pod["spec"].update(schedulerName="other"),
    "spec.schedulingGates[daas-hub/compared]": lambda pod: pod["spec"]["schedulingGates"].clear(),
    "spec.preemptionPolicy": lambda pod: pod["spec"].update(preemptionPolicy="PreemptLowerPriority"),
    "spec.tolerations": lambda pod: pod["spec"]["tolerations"].append({"operator": "Exists"}),
    "spec.dnsConfig.nameservers": lambda pod: pod["spec"]["dnsConfig"]["nameservers"].append("192.0.2.1"),
    "spec.hostAliases": lambda pod: pod["spec"].update(hostAliases=[{"ip": "192.0.2.1", "hostnames": ["hub"]}]),
    "spec.ephemeralContainers": lambda pod: pod["spec"].update(ephemeralContainers=[{"name": "x"}]),
    "spec.containers[proxy]": lambda pod: pod["spec"]["containers"].append({"name": "proxy", "image": "x"}),
    "spec.containers": lambda pod: pod["spec"]["containers"].append(copy.deepcopy(container(pod))),
    "spec.initContainers[setup]": lambda pod: pod["spec"]["initContainers"].insert(0, {"name": "setup"}),
    "spec.initContainers[directories].restartPolicy": lambda pod: pod["spec"]["initContainers"][0].update(
        restartPolicy="Always"
    ),
    "spec.containers[session].image": lambda pod: container(pod).update(image="x"),
    "spec.containers[session].imagePullPolicy": lambda pod: container(pod).update(imagePullPolicy="Never"),
    "spec.containers[session].command": lambda pod: container(pod)["command"].append("--root"),
    "spec.containers[session].args": lambda pod: container(pod).update(args=["x"]),
    "spec.containers[session].workingDir": lambda pod: container(pod).update(workingDir="/"),
    "spec.containers[session].stdin": lambda pod: container(pod).update(stdin=True),
    "spec.containers[session].env[LD_PRELOAD]": lambda pod: container(pod)["env"].append(
        {"name": "LD_PRELOAD", "value": "x"}
    ),
    "spec.containers[session].env[HOME].value": lambda pod: container(pod)["env"][0].update(value="/"),
    "spec.containers[session].envFrom": lambda pod: container(pod)["envFrom"].append({"secretRef": {"name": "x"}}),
    "spec.containers[session].ports[0].hostPort": lambda pod: container(pod)["ports"][0].update(hostPort=80),
    "spec.containers[session].resources.limits[memory]": lambda pod: container(pod)["resources"]["limits"].update(
        memory="65Gi"
    ),
    "spec.containers[session].resources.limits[example.org/x]": lambda pod: container(pod)["resources"][
        "limits"
    ].update({"example.org/x": "1"}),
    "spec.containers[session].securityContext.privileged": lambda pod: container(pod)["securityContext"].update(
        privileged=True
    ),
    "spec.containers[session].securityContext.readOnlyRootFilesystem": lambda pod: container(pod)[
        "securityContext"
    ].pop("readOnlyRootFilesystem"),
    "spec.containers[session].securityContext.capabilities.add": lambda pod: container(pod)["securityContext"][
        "capabilities"
    ].update(add=["SYS_ADMIN"]),
    "spec.containers[session].securityContext.capabilities.drop": lambda pod: container(pod)["securityContext"][
        "capabilities"
    ]["drop"].clear(),
    "spec.containers[session].securityContext.runAsUser": lambda pod: container(pod)["securityContext"].update(
        runAsUser=0
    ),
    "spec.containers[session].volumeMounts[/home/anna/data].readOnly": lambda pod: mount_at(
        pod, "/home/anna/data"
    ).update(readOnly=False),
    "spec.containers[session].volumeMounts[/home/anna/data].recursiveReadOnly": lambda pod: mount_at(
        pod, "/home/anna/data"
    ).update(recursiveReadOnly="IfPossible"),
    "spec.containers[session].volumeMounts[/home/anna/data].subPath": lambda pod: mount_at(pod, "/home/anna/data").pop(
        "subPath"
    ),
    "spec.containers[session].volumeMounts[/home/anna].mountPropagation": lambda pod: mount_at(
        pod, "/home/anna"
    ).update(mountPropagation="Bidirectional"),
    "spec.containers[session].volumeMounts[/var/run/secrets/kubernetes.io/serviceaccount]": lambda pod: container(pod)[
        "volumeMounts"
    ].append({"name": "token", "mountPath": "/var/run/secrets/kubernetes.io/serviceaccount"}),
    "spec.volumes[token]": lambda pod: pod["spec"]["volumes"].append({"name": "token", "projected": {}}),
    "spec.volumes[tmp].emptyDir.sizeLimit": lambda pod: next(
        one for one in pod["spec"]["volumes"] if one["name"] == "tmp"
    )["emptyDir"].pop("sizeLimit"),
    "spec.volumes[storage-0].persistentVolumeClaim.claimName": lambda pod: pod["spec"]["volumes"][0][
        "persistentVolumeClaim"
    ].update(claimName="others"),
}


@pytest.mark.parametrize("field", CHANGES)
def test_change_is_named_by_its_field(field: str) -> None:
    answer = answer_to(asked_for())
    CHANGES[field](answer)
    assert field in differences(asked_for(), answer)


@pytest.mark.parametrize("field", CHANGES)
def test_change_that_an_administrator_accepts(field: str) -> None:
    answer = answer_to(asked_for())
    CHANGES[field](answer)
    assert field not in differences(asked_for(), answer, [field])
    parent = field.rpartition("[")[0] or field.rpartition(".")[0]
    assert field not in differences(asked_for(), answer, [parent])
    assert field in differences(asked_for(), answer, [f"{field}x", field[:-1], "metadata.labelsx"])


def test_a_narrower_choice_of_nodes_is_no_difference() -> None:
    """As of an admission controller that gives a namespace its own nodes."""
    answer = answer_to(asked_for())
    answer["spec"]["nodeSelector"]["example.org/more"] = "x"
    answer["spec"]["schedulingGates"].append({"name": "example.org/queue"})
    answer["metadata"]["annotations"]["example.org/note"] = "x"
    assert differences(asked_for(), answer) == []


def test_another_node_than_asked_for_is_one() -> None:
    answer = answer_to(asked_for())
    answer["spec"]["nodeSelector"]["example.org/gpu"] = "none"
    assert differences(asked_for(), answer) == ["spec.nodeSelector[example.org/gpu]"]


def leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every value of a document that is no list and no map."""
    if isinstance(value, dict):
        for name, inside in value.items():
            yield from leaves(inside, (*path, name))
    elif isinstance(value, list):
        for index, inside in enumerate(value):
            yield from leaves(inside, (*path, index))
    else:
        yield path


def maps(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Yield the path of every map of a document."""
    if isinstance(value, dict):
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, inside in items:
        yield from maps(inside, (*path, name))


def at(document: Any, path: tuple[Any, ...]) -> Any:
    for name in path:
        document = document[name]
    return document


@settings(max_examples=300)
@given(st.data())
def test_no_value_that_was_asked_for_may_change(data: st.DataObject) -> None:
    asked = asked_for(data.draw(st.sampled_from(NAMES)))
    answer = copy.deepcopy(asked)
    path = data.draw(st.sampled_from(list(leaves({name: asked[name] for name in ("metadata", "spec")}))))
    old = at(answer, path)
    new = data.draw(st.sampled_from([True, False, 1, 0, 17, "x", "", None, [], {}]))
    at(answer, path[:-1])[path[-1]] = new
    is_left_out = path[-1] in ("hostIPC", "hostNetwork", "hostPID", "readOnly") and bool(old) is bool(new)
    is_same_quantity = "resources" in path and not isinstance(new, bool) and str(old) == str(new)
    same = (type(old) is type(new) and old == new) or is_left_out or is_same_quantity
    assert bool(differences(asked, answer)) is not same


@settings(max_examples=200)
@given(st.data())
def test_nothing_unknown_may_be_added(data: st.DataObject) -> None:
    """Also a field of a newer Kubernetes, until it is known what it does."""
    asked = asked_for(data.draw(st.sampled_from(NAMES)))
    answer = copy.deepcopy(asked)
    tolerant = [("metadata", "annotations"), ("spec", "nodeSelector")]
    places = [one for one in maps({name: asked[name] for name in ("metadata", "spec")}) if one and one not in tolerant]
    path = data.draw(st.sampled_from(places))
    at(answer, path)["newField"] = data.draw(st.sampled_from([True, 1, "x", [1], {"a": "b"}]))
    assert differences(asked, answer)


#: Fields whose absence means true, or the default of the namespace's service account.
STRICT = ("automountServiceAccountToken", "enableServiceLinks", "allowPrivilegeEscalation")


@pytest.mark.parametrize("name", STRICT)
def test_false_is_not_the_same_as_nothing(name: str) -> None:
    answer = answer_to(asked_for())
    for place in (answer["spec"], container(answer)["securityContext"]):
        place.pop(name, None)
    assert [one.rpartition(".")[2] for one in differences(asked_for(), answer)] == [name]


@settings(max_examples=200)
@given(st.data())
def test_nothing_that_was_asked_for_may_be_left_out(data: st.DataObject) -> None:
    asked = asked_for(data.draw(st.sampled_from(NAMES)))
    answer = copy.deepcopy(asked)
    path = data.draw(st.sampled_from([one for one in maps(asked) if len(one) > 1]))
    value = at(asked, path)
    del at(answer, path[:-1])[path[-1]]
    assert differences(asked, answer) or (value in (False, {}) and path[-1] not in STRICT)


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("1500m", "1.5"), ("1.5", "1.5"), ("4Gi", str(4 * 2**30)), ("4G", "4000000000"), ("100n", "0.0000001"),
        ("0", "0"), ("-1", "-1"), ("5Ki", "5120"), ("2k", "2000"), ("1P", "1e15"), ("3u", "0.000003"),
    ],
)  # fmt: skip
def test_quantity(text: str, number: str) -> None:
    assert quantity(text) == Decimal(number)


@pytest.mark.parametrize("text", ["", "Gi", "1 Gi", "1gi", "x", None, "1e3e", "--1"])
def test_what_is_no_quantity(text: Any) -> None:
    assert quantity(text) is None


def test_amounts_for_people() -> None:
    assert amount_in_words("1", "pods") == "1 session"
    assert amount_in_words("1500m", "limits.cpu") == "1.5 processors"
    assert amount_in_words("1536Mi", "requests.memory") == "1.5 GiB of memory"
    assert amount_in_words("2", "requests.nvidia.com/gpu") == "2 GPUs"
    assert amount_in_words("3", "example.org/tape") == "3 tape"
    assert amount_in_words("x", "pods") == "? sessions"
    assert [bytes_in_words(one) for one in (0, 17, 1024, 5 * 2**40)] == ["0", "17 bytes", "1 KiB", "5 TiB"]
