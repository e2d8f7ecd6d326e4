"""The pod in words: the whole manifest of several plans, and that no plan and no text can add to it."""

from __future__ import annotations

import copy
import json
import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError, SessionFailed, StorageProblem
from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import temporary_home_bytes
from daas_hub.spawners.kubernetes.labels import EGRESS_LABEL, MISSING_DIRECTORY
from daas_hub.spawners.kubernetes.placement import SILENT_NODE
from daas_hub.spawners.kubernetes.pod import disk_limits, literal, pod_for
from daas_hub.spawners.kubernetes.pod_settings import Placement, PodSettings, SizeInPlace
from daas_hub.spawners.kubernetes.volumes import ClaimStorage
from tests.kubernetes.api_types import round_trip
from tests.kubernetes.expansion import expand
from tests.kubernetes.plans import (
    ANNA,
    CASES,
    DESKTOP,
    DIGEST,
    GOLDEN,
    GPU_PLACE,
    HOME,
    IDENTITY,
    NOTEBOOK,
    PLAIN,
    PYMCA,
    mount,
)
from tests.kubernetes.pod_security import violations


def pod_of(plan: Plan = DESKTOP, place: PodSettings = PLAIN) -> dict[str, Any]:
    return pod_for(plan, place, IDENTITY)


def session_of(pod: dict[str, Any]) -> dict[str, Any]:
    (container,) = pod["spec"]["containers"]
    return dict(container)


@pytest.mark.parametrize("name", CASES)
def test_golden(name: str) -> None:
    """The whole pod. A change of these files is a change of what a session may do: write them with REGENERATE=1."""
    pod, file = pod_for(*CASES[name], IDENTITY), GOLDEN / f"{name}.json"
    if os.environ.get("REGENERATE"):
        file.write_text(json.dumps(pod, indent=2) + "\n")
    assert pod == json.loads(file.read_text())


def test_golden_files_are_those_of_the_cases() -> None:
    assert {file.stem for file in GOLDEN.iterdir()} == set(CASES)


@pytest.mark.parametrize("name", CASES)
async def test_every_field_is_one_of_kubernetes(name: str) -> None:
    """A name that the API does not know would be dropped in silence, and with it what it was to confine."""
    pod = pod_for(*CASES[name], IDENTITY)
    assert await round_trip(pod, "V1Pod") == pod


async def test_unknown_field_is_noticed() -> None:
    pod = pod_of()
    session_of(pod)["securityContext"]["readOnlyRootFileSystem"] = True
    assert await round_trip(pod, "V1Pod") != pod


# -- confinement -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", CASES)
def test_restricted_profile(name: str) -> None:
    """Only storage of the node is beyond the profile, in a place that says so."""
    place = CASES[name][1]
    assert violations(pod_for(*CASES[name], IDENTITY)) == (["Volume Types"] if place.node_storage else [])


LOOSENED: dict[str, Any] = {
    "Host Namespaces": lambda spec, one: spec.update(hostPID=True),
    "Volume Types": lambda spec, one: spec["volumes"].append({"name": "x", "hostPath": {"path": "/"}}),
    "Sysctls": lambda spec, one: spec["securityContext"].update(sysctls=[{"name": "kernel.msgmax", "value": "1"}]),
    "Running as Non-root user": lambda spec, one: spec["securityContext"].update(runAsUser=0),
    "Privileged Containers": lambda spec, one: one["securityContext"].update(privileged=True),
    "Privilege Escalation": lambda spec, one: one["securityContext"].pop("allowPrivilegeEscalation"),
    "Capabilities": lambda spec, one: one["securityContext"].pop("capabilities"),
    "Host Ports": lambda spec, one: one["ports"][0].update(hostPort=80),
    "/proc Mount Type": lambda spec, one: one["securityContext"].update(procMount="Unmasked"),
    "Running as Non-root": lambda spec, one: spec["securityContext"].pop("runAsNonRoot"),
    "Seccomp": lambda spec, one: spec["securityContext"].pop("seccompProfile"),
    "AppArmor": lambda spec, one: one["securityContext"].update(appArmorProfile={"type": "Unconfined"}),
    "SELinux": lambda spec, one: one["securityContext"].update(seLinuxOptions={"type": "spc_t"}),
    "HostProcess": lambda spec, one: one["securityContext"].update(windowsOptions={"hostProcess": True}),
    "Host Probes / Lifecycle Hooks": lambda spec, one: one.update(startupProbe={"tcpSocket": {"host": "192.0.2.1"}}),
}


@pytest.mark.parametrize("control", LOOSENED)
def test_the_profile_notices(control: str) -> None:
    pod = copy.deepcopy(pod_of())
    LOOSENED[control](pod["spec"], pod["spec"]["containers"][0])
    assert violations(pod) == [control]


def test_account_is_the_pods_and_has_exactly_its_groups() -> None:
    security = pod_of()["spec"]["securityContext"]
    assert (security["runAsUser"], security["runAsGroup"]) == (25001, 25002)
    assert security["supplementalGroups"] == [26001, 26002]
    assert security["supplementalGroupsPolicy"] == "Strict"
    assert "fsGroup" not in security
    for container in (*pod_of()["spec"]["containers"], *pod_of()["spec"]["initContainers"]):
        assert not {"runAsUser", "runAsGroup"} & set(container["securityContext"])


@pytest.mark.parametrize("account", [replace(ANNA, uid=0), replace(ANNA, gid=0), replace(ANNA, groups=(26001, 0))])
def test_root_is_refused(account: Account) -> None:
    with pytest.raises(SessionFailed, match="may not have"):
        pod_of(replace(DESKTOP, account=account))


def test_raw_data_are_read_only_down_to_what_is_mounted_below() -> None:
    mounts = {one["mountPath"]: one for one in session_of(pod_of(NOTEBOOK))["volumeMounts"]}
    raw = [path for path in mounts if "/visit-" in path]
    assert len(raw) == 3
    assert all((mounts[path]["readOnly"], mounts[path]["recursiveReadOnly"]) == (True, "Enabled") for path in raw)
    assert "readOnly" not in mounts["/home/anna/Proposals/HC-17/processed"]
    # nothing can be added to the directory that holds them, and it is there before the session
    assert mounts["/home/anna/Proposals"]["readOnly"] is True


def look_of(pod: dict[str, Any]) -> tuple[list[str], list[str], dict[str, bool]]:
    """Return what the first container looks for, what it creates, and its mounts: whether each is writable."""
    (first,) = pod["spec"]["initContainers"]
    assert first["command"][:2] == ["sh", "-c"]
    arguments = [expand(one, {"HOME": "x"}) for one in first["command"][4:]]
    middle = arguments.index("--")
    mounts = {one["mountPath"]: not one.get("readOnly") for one in first["volumeMounts"]}
    return arguments[:middle], arguments[middle + 1 :], mounts


def test_first_container_looks_for_directories_and_makes_mount_points_as_the_account() -> None:
    """The kubelet would create what is missing, as root; it gets that far only if nothing is."""
    wanted, made, mounts = look_of(pod_of(NOTEBOOK))
    data = "/run/daas-storage/storage-1/facility"
    assert wanted == [
        "/run/daas-storage/storage-0/anna", f"{data}/processed/HC-17", f"{data}/visitor/HC-17/1",
        f"{data}/visitor/MA-4242/2", f"{data}/visitor/MA-4242/3",
    ]  # fmt: skip
    assert made == [
        "/run/daas-storage/storage-0/anna/Proposals", "/run/daas-several/MA-4242/visit-2",
        "/run/daas-several/MA-4242/visit-3", "/run/daas-several/HC-17/visit-1", "/run/daas-several/HC-17/processed",
    ]  # fmt: skip
    assert mounts == {
        "/run/daas-storage/storage-0": True, "/run/daas-storage/storage-1": False, "/run/daas-several": True,
    }  # fmt: skip


def test_where_the_hub_has_the_storage_there_is_little_to_do() -> None:
    assert "initContainers" not in pod_of(DESKTOP, replace(PLAIN, hub_has_storage=True))["spec"]
    wanted, made, mounts = look_of(pod_of(NOTEBOOK, replace(PLAIN, hub_has_storage=True)))
    assert wanted == []
    assert len(made) == 4
    assert mounts == {"/run/daas-several": True}


def test_what_the_kubelet_never_creates_is_not_looked_for() -> None:
    """A directory that is a volume of its own is mounted, or the pod waits."""
    wanted, made, mounts = look_of(pod_for(*CASES["csi"], IDENTITY))
    assert not any("anna" in one for one in wanted)
    assert made == ["/home/anna/data", "/home/anna/processed"]
    assert mounts == {"/home/anna": True, "/run/daas-storage/storage-1": False}


@pytest.mark.parametrize("name", ["a b", "--", "$(HOME)", "x\ny", "'\"", "-d", "*"])
def test_script_of_the_first_container(tmp_path: Path, name: str) -> None:
    (first,) = pod_of()["spec"]["initContainers"]
    script = expand(first["command"][2], {})
    there, home = tmp_path / "data" / name, tmp_path / "home"
    home.mkdir()

    def run(*arguments: Path | str) -> subprocess.CompletedProcess[str]:
        command = ["sh", "-c", script, "sh", *map(str, arguments)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    missing = run(home, there, "--", home / name)
    assert missing.returncode == MISSING_DIRECTORY
    assert str(there) in missing.stdout
    assert list(home.iterdir()) == []
    there.mkdir(parents=True)
    assert run(home, there, "--", home / name / "below").returncode == 0
    assert (home / name / "below").is_dir()
    assert run("--").returncode == 0
    home.chmod(0o500)
    if os.geteuid():
        assert run("--", home / "more").returncode not in (0, MISSING_DIRECTORY)


def test_every_empty_directory_has_a_limit_and_all_of_the_disk_fit_into_the_sessions() -> None:
    pod = pod_of()
    empty = [one["emptyDir"] for one in pod["spec"]["volumes"] if "emptyDir" in one]
    assert all(int(one["sizeLimit"]) > 0 for one in empty)
    limits = session_of(pod)["resources"]["limits"]
    assert sum(int(one["sizeLimit"]) for one in empty if "medium" not in one) < int(limits["ephemeral-storage"])
    assert sum(int(one["sizeLimit"]) for one in empty if "medium" in one) < int(limits["memory"])


def test_session_has_what_it_asks_for() -> None:
    for case in CASES.values():
        pod = pod_for(*case, IDENTITY)
        for one in (*pod["spec"]["containers"], *pod["spec"].get("initContainers", [])):
            assert one["resources"]["limits"] == one["resources"]["requests"]


# -- image, nodes, time ----------------------------------------------------------------------------------------------


def test_every_container_has_what_the_size_says() -> None:
    """A LimitRange with a minimum is of each container; the first one ends before the session's begins."""
    pod = pod_of()
    (first,), session = pod["spec"]["initContainers"], session_of(pod)
    plain = {name: value for name, value in session["resources"]["limits"].items() if "/" not in name}
    assert first["resources"] == {"limits": plain, "requests": plain}


@pytest.mark.parametrize("image", ["", "pymca", "registry.example.org/pymca:1.0", f"x@{DIGEST[:-1]}", f"x@{DIGEST}\n"])
def test_image_without_a_digest_is_refused(image: str) -> None:
    with pytest.raises(ConfigurationError, match="image"):
        pod_of(replace(DESKTOP, application=replace(PYMCA, image=image)))


def test_tags_are_permitted_by_a_setting() -> None:
    plan = replace(DESKTOP, application=replace(PYMCA, image="localhost/pymca:1"))
    assert session_of(pod_of(plan, replace(PLAIN, allow_tags=True)))["image"] == "localhost/pymca:1"


def test_nodes_are_those_of_place_beamline_and_size() -> None:
    spec = pod_for(*CASES["gpu"], IDENTITY)["spec"]
    assert spec["nodeSelector"] == {
        "kubernetes.io/os": "linux", "example.org/zone": "id21", "example.org/gpu": "a100",
    }  # fmt: skip
    assert [one["key"] for one in spec["tolerations"] if one not in SILENT_NODE] == ["nvidia.com/gpu"]
    assert session_of({"spec": spec})["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert spec["terminationGracePeriodSeconds"] == 45
    assert "preemptionPolicy" not in spec, "the API server takes it from the class alone"


def test_beamline_without_nodes_of_its_own_uses_those_of_the_place() -> None:
    spec = pod_for(replace(DESKTOP, beamlines=("BM29",)), GPU_PLACE, IDENTITY)["spec"]
    assert spec["nodeSelector"] == {"kubernetes.io/os": "linux"}


@pytest.mark.parametrize(
    ("own", "added"),
    [
        ((), ["not-ready", "unreachable"]),
        (({"key": "gpu", "operator": "Exists", "effect": "NoExecute"},), ["not-ready", "unreachable"]),
        (({"key": "node.kubernetes.io/not-ready", "operator": "Exists"},), ["unreachable"]),
        (({"key": "node.kubernetes.io/unreachable", "effect": "NoExecute", "tolerationSeconds": 60},), ["not-ready"]),
        (({"key": "node.kubernetes.io/unreachable", "effect": "NoSchedule"},), ["not-ready", "unreachable"]),
        (({"operator": "Exists"},), []),
    ],
)
def test_a_node_that_is_silent_evicts_nobody_unless_administrators_say_so(
    own: tuple[dict[str, Any], ...], added: list[str]
) -> None:
    """People may work in a session for hours while its kubelet is away."""
    spec = pod_of(DESKTOP, replace(PLAIN, placement=Placement({}, own)))["spec"]
    tolerations = spec["tolerations"]
    assert tolerations[: len(own)] == list(own)
    assert [one["key"].rpartition("/")[2] for one in tolerations[len(own) :]] == added
    assert all("tolerationSeconds" not in one for one in tolerations[len(own) :])


def test_nodes_that_exclude_each_other_are_refused() -> None:
    beamlines = {"ID21": Placement({"zone": "one"}), "BM29": Placement({"zone": "two"})}
    with pytest.raises(SessionFailed, match="No computer"):
        pod_of(replace(DESKTOP, beamlines=("ID21", "BM29")), replace(PLAIN, by_beamline=beamlines))


def test_one_start_leaves_nothing_for_the_next() -> None:
    """What a start with a GPU had is not in the next one: nothing of the settings is changed."""
    before = pod_of(DESKTOP, GPU_PLACE)
    changed = pod_for(*CASES["gpu"], IDENTITY)
    changed["spec"]["nodeSelector"]["x"] = "y"
    changed["spec"]["tolerations"][0]["x"] = "y"
    changed["metadata"]["labels"]["x"] = "y"
    assert pod_of(DESKTOP, GPU_PLACE) == before
    assert pod_for(*CASES["gpu"], IDENTITY) == pod_for(*CASES["gpu"], IDENTITY) != changed


# -- texts are data --------------------------------------------------------------------------------------------------

HOSTILE = st.text(
    st.sampled_from("$(){}[]\\%&;'\"`~ #\n\taHOME") | st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
    max_size=40,
)


@given(HOSTILE, st.dictionaries(st.sampled_from(["HOME", "a", "JUPYTERHUB_API_TOKEN", ""]), HOSTILE))
def test_kubelet_leaves_texts_as_they_are(text: str, variables: dict[str, str]) -> None:
    assert expand(literal(text), variables) == text


def test_kubelet_would_have_expanded_it() -> None:
    token = {"JUPYTERHUB_API_TOKEN": "secret"}
    for text in ("$(JUPYTERHUB_API_TOKEN)", "$$$(JUPYTERHUB_API_TOKEN)"):
        assert "secret" in expand(text, token)
        assert "secret" not in expand(literal(text), token)


@given(HOSTILE, HOSTILE, HOSTILE)
def test_no_text_changes_more_than_its_own_value(title: str, value: str, label: str) -> None:
    """Titles and names are nowhere; values of variables are one value each, whatever is in them."""
    place = replace(PLAIN, environment={"TITLE": value}, annotations={"example.org/note": label})
    account = replace(ANNA, display_name=title)
    pod = pod_of(replace(DESKTOP, account=account, proposal_title=title, environment={"HIDDEN": title}), place)
    variables = {one["name"]: one["value"] for one in session_of(pod)["env"]}
    assert expand(variables.pop("TITLE"), variables | {"HOME": "x"}) == value
    assert pod["metadata"]["annotations"].pop("example.org/note") == label
    pod["spec"]["containers"][0]["env"] = [one for one in session_of(pod)["env"] if one["name"] != "TITLE"]
    assert pod == json.loads((GOLDEN / "desktop.json").read_text())


names = st.text(st.characters(exclude_characters="/\0:", exclude_categories=["Cs"]), min_size=1).filter(
    lambda text: text not in (".", "..")
)


@settings(max_examples=200)
@given(st.lists(st.tuples(names, st.sampled_from(["data", "processed"])), unique_by=lambda one: one[1], max_size=2))
def test_no_directory_changes_more_than_its_own_mount(found: list[tuple[str, str]]) -> None:
    mounts = [mount(f"/data/{name}", target, writable=target == "processed") for name, target in found]
    pod = pod_of(replace(DESKTOP, mounts=(HOME, *mounts)), replace(PLAIN, hub_has_storage=True))
    shown = {one["mountPath"]: one for one in session_of(pod)["volumeMounts"]}
    for name, target in found:
        one = shown[f"/home/anna/{target}"]
        assert one["subPath"] == f"facility/{name}"
        assert one.get("readOnly", False) is (target == "data")
    golden = json.loads((GOLDEN / "desktop.json").read_text())
    golden["spec"].pop("initContainers")
    for each in (pod, golden):
        each["spec"]["containers"][0].pop("volumeMounts")
        each["spec"].pop("volumes")
    assert pod == golden
    written = {path for path, one in shown.items() if not one.get("readOnly")}
    assert written <= {
        "/home/anna", "/home/anna/processed", "/tmp", "/var/tmp", "/dev/shm", "/run/session", "/var/lib/xkb",
    }  # fmt: skip


def test_names_of_directories_are_literal_in_commands() -> None:
    hostile = mount("/data/$(HOME)", "$(HOME)/--help")
    wanted, made, _ = look_of(pod_of(replace(DESKTOP, mounts=(HOME, hostile))))
    assert wanted[1] == "/run/daas-storage/storage-1/facility/$(HOME)"
    assert made == ["/run/daas-storage/storage-0/anna/$(HOME)", "/run/daas-several/--help"]


@pytest.mark.parametrize("name", ["a\udcff", "a:b"])
def test_directory_that_kubernetes_cannot_mount_is_refused(name: str) -> None:
    """JSON would turn bytes that are not UTF-8 into another name, which may exist."""
    with pytest.raises(StorageProblem, match="cannot mount"):
        pod_of(replace(DESKTOP, mounts=(HOME, mount(f"/data/{name}", "data"))))


def test_nothing_of_a_person_or_secret_is_in_the_pods_records() -> None:
    pod = pod_of(replace(DESKTOP, environment={"LICENCE_KEY": "hidden"}))
    assert "anna" not in json.dumps(pod["metadata"])
    for word in ("TOKEN", "hidden", "Glass", "Lindqvist", "JUPYTERHUB"):
        assert word not in json.dumps(pod)


# -- what an administrator adds --------------------------------------------------------------------------------------


def test_additions_come_beside_ours_and_never_instead() -> None:
    place = replace(
        PLAIN,
        labels={"example.org/team": "x", EGRESS_LABEL: "all"},
        environment={"HOME": "/", "A": "$(B)"},
        pod_extras={"runtimeClassName": "gvisor", "hostNetwork": True, "hostAliases": [{"ip": "192.0.2.1"}]},
        container_extras={"readinessProbe": {"tcpSocket": {"port": 8888}}, "command": ["sh"], "envFrom": [{"x": {}}]},
        security_extras={"seLinuxOptions": {"level": "s0:c1"}, "runAsUser": 0},
    )
    pod = pod_of(place=place)
    spec, container = pod["spec"], session_of(pod)
    assert pod["metadata"]["labels"]["example.org/team"] == "x"
    assert pod["metadata"]["labels"][EGRESS_LABEL] == "none"
    assert (spec["runtimeClassName"], spec["hostNetwork"], spec["hostAliases"]) == (
        "gvisor",
        False,
        [{"ip": "192.0.2.1"}],
    )
    assert container["command"] == ["daas-session"]
    assert container["envFrom"][0] == {"x": {}}
    assert container["envFrom"][1]["secretRef"]["name"] == IDENTITY.environment_secret
    assert {one["name"]: one["value"] for one in container["env"]}["HOME"] == "/home/anna"
    assert spec["securityContext"]["seLinuxOptions"] == {"level": "s0:c1"}
    assert spec["securityContext"]["runAsUser"] == 25001


def test_dns_is_off_unless_an_administrator_wants_it() -> None:
    assert pod_of()["spec"]["dnsConfig"] == {"nameservers": ["127.0.0.1"]}
    wanted = replace(PLAIN, pod_extras={"dnsPolicy": "Default"})
    assert pod_of(place=wanted)["spec"]["dnsPolicy"] == "Default"
    assert "dnsConfig" not in pod_of(place=wanted)["spec"]


def test_host_of_egress_has_a_name_and_a_policy() -> None:
    plan, place = CASES["licensed"]
    pod = pod_for(plan, place, IDENTITY)
    assert pod["spec"]["hostAliases"] == [{"ip": "192.0.2.17", "hostnames": ["licence.example.org"]}]
    assert pod["metadata"]["labels"][EGRESS_LABEL] not in ("none", "")
    with pytest.raises(ConfigurationError, match="has no address"):
        pod_for(plan, PLAIN, IDENTITY)


def test_disk_of_a_size() -> None:
    place = replace(PLAIN, by_size={"small": SizeInPlace(ephemeral_bytes=2**30)})
    assert session_of(pod_of(place=place))["resources"]["limits"]["ephemeral-storage"] == str(2**30)


def test_the_session_learns_what_the_kubelet_ends_it_for() -> None:
    """No file system shows it: an empty directory on the node's disk has the size of that disk."""
    place = replace(PLAIN, by_size={"small": SizeInPlace(ephemeral_bytes=2**30)})
    limits = disk_limits(DESKTOP, place)
    volumes = pod_of(place=place)["spec"]["volumes"]
    on_disk = {f"/{one['name'].replace('-', '/')}": int(one["emptyDir"]["sizeLimit"]) for one in volumes
               if "emptyDir" in one and "medium" not in one["emptyDir"]}  # fmt: skip
    assert limits == on_disk == {"/tmp": 2**29, "/var/tmp": 2**28}


def test_longest_prefix_of_storage_counts() -> None:
    special = ClaimStorage(HOME.source.parent.parent / "homes" / "anna", "annas")
    pod = pod_of(place=replace(PLAIN, storage=(special, *PLAIN.storage)))
    (home,) = [one for one in session_of(pod)["volumeMounts"] if one["mountPath"] == "/home/anna"]
    assert "subPath" not in home
    assert {"name": home["name"], "persistentVolumeClaim": {"claimName": "annas"}} in pod["spec"]["volumes"]


def test_temporary_home_is_in_memory_and_goes_with_the_pod() -> None:
    pod = pod_of(replace(DESKTOP, mounts=DESKTOP.mounts[1:], temporary_home=True))
    (home,) = [one for one in session_of(pod)["volumeMounts"] if one["mountPath"] == "/home/anna"]
    (volume,) = [one for one in pod["spec"]["volumes"] if one["name"] == home["name"]]
    assert volume["emptyDir"] == {"medium": "Memory", "sizeLimit": str(temporary_home_bytes(DESKTOP))}
    _, made, mounts = look_of(pod)
    assert made == ["/home/anna/data", "/home/anna/processed"]
    assert mounts["/home/anna"] is True
