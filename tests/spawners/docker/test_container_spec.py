"""The container in words: the whole create call of one plan, and that no plan can add to it (H2', H5, AL17).

Whether the engine does what the words say is seen from inside real containers (tests/docker).
"""

from __future__ import annotations

import copy
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.launch import Plan
from daas_hub.spawners.docker.compare import differences
from daas_hub.spawners.docker.container_spec import HUB_LABEL, LocalFiles, create_body
from daas_hub.spawners.guest_layout import TEMPORARY_HOME_FILE, mount_points
from tests.spawners.docker.plans import (
    GOLDEN,
    HOME,
    PLAN,
    mount,
)

PLACES = LocalFiles(Path("/run/daas-hub/sessions/k"), Path("/run/daas-hub/api"), (Path("/opt/tools"),))


def body_of(plan: Plan = PLAN) -> dict[str, Any]:
    return create_body(plan, PLACES, program="daas-session", labels={HUB_LABEL: "k"})


def test_golden() -> None:
    """H2': the final call, whole. A change of this file is a change of what a session may do."""
    assert body_of() == json.loads(GOLDEN.read_text())


def test_a_temporary_home_is_in_memory() -> None:
    """The home alone is another; it is bounded, and has a file that says what it is."""
    body, golden = body_of(replace(PLAN, mounts=PLAN.mounts[1:], temporary_home=True)), body_of()
    in_memory = body["HostConfig"]["Tmpfs"].pop("/home/anna")
    assert in_memory == "rw,nosuid,nodev,exec,mode=0700,uid=25001,gid=25002,size=2147483648"
    mounts = {one["Target"]: one for one in body["HostConfig"].pop("Mounts")}
    assert mounts.pop(f"/home/anna/{TEMPORARY_HOME_FILE}")["ReadOnly"]
    assert [*mounts.values()] == [one for one in golden["HostConfig"].pop("Mounts") if one["Target"] != "/home/anna"]
    assert body == golden


def test_nothing_secret_is_in_the_call() -> None:
    """B11, L3: whoever may ask the engine about a container learns no token, no proposal's title, no environment."""
    plan = replace(PLAN, environment={"LICENCE_KEY": "hidden"})
    text = json.dumps(body_of(plan))
    for word in ("TOKEN", "hidden", "Glass", "JUPYTERHUB"):
        assert word not in text


def test_several_directories_stand_side_by_side() -> None:
    several = replace(PLAN, mounts=(HOME, mount("/data/a b", "data/a b"), mount("/data/c:d,e", "data/c:d,e")))
    mounts = {one["Target"]: one for one in body_of(several)["HostConfig"]["Mounts"]}
    assert mounts["/home/anna/data"]["Source"] == "/run/daas-hub/sessions/k/empty"
    assert mounts["/home/anna/data/c:d,e"]["Source"] == "/data/c:d,e"
    assert all(mounts[f"/home/anna/data{name}"]["ReadOnly"] for name in ("", "/a b", "/c:d,e"))
    assert mount_points(several) == ("data",)
    assert mount_points(PLAN) == ("data", "processed")


names = st.text(st.characters(blacklist_characters="/\0"), min_size=1).filter(lambda text: text not in (".", ".."))


@settings(max_examples=200)
@given(st.lists(st.tuples(names, st.sampled_from(["data", "processed"])), unique_by=lambda one: one[1], max_size=2))
def test_no_plan_changes_more_than_its_own_mounts(found: list[tuple[str, str]]) -> None:
    """A12, H4: whatever a directory is called, it is one value, and everything else is as it was."""
    mounts = [mount(f"/data/{name}", target, writable=target == "processed") for name, target in found]
    body = body_of(replace(PLAN, mounts=(HOME, *mounts)))
    golden = json.loads(GOLDEN.read_text())
    shown = {one["Target"]: one for one in body["HostConfig"].pop("Mounts")}
    golden["HostConfig"].pop("Mounts")
    assert body == golden
    for name, target in found:
        one = shown[f"/home/anna/{target}"]
        assert one["Source"] == f"/data/{name}"
        assert one["ReadOnly"] is (target == "data")
        assert one["BindOptions"].get("ReadOnlyForceRecursive", False) is (target == "data")
    writable = {one["Target"] for one in shown.values() if not one["ReadOnly"]}
    assert writable <= {"/home/anna", "/home/anna/processed"}


def answer_to(body: dict[str, Any]) -> tuple[list[dict[str, Any]], dict[str, Any]]:
    """Return what an engine says of a container made of this body."""
    mounts = [
        {"Type": "bind", "Source": one["Source"], "Destination": one["Target"], "RW": not one["ReadOnly"]}
        for one in body["HostConfig"]["Mounts"]
    ]
    return mounts, body["HostConfig"] | {"CapAdd": None}


def test_what_was_asked_for_is_no_difference() -> None:
    assert differences(body_of(), *answer_to(body_of())) == []


CHANGES: dict[str, Any] = {
    "NetworkMode": lambda mounts, host: host.update(NetworkMode="bridge"),
    "Privileged": lambda mounts, host: host.update(Privileged=True),
    "CapDrop": lambda mounts, host: host.update(CapDrop=None),
    "ReadonlyRootfs": lambda mounts, host: host.update(ReadonlyRootfs=False),
    "PidsLimit": lambda mounts, host: host.update(PidsLimit=None),
    "Memory": lambda mounts, host: host.update(Memory=0),
    "IpcMode": lambda mounts, host: host.update(IpcMode="host"),
    "SecurityOpt": lambda mounts, host: host.update(SecurityOpt=["seccomp=unconfined"]),
    "/home/anna/data": lambda mounts, host: next(
        one for one in mounts if one["Destination"] == "/home/anna/data"
    ).update(RW=True),
    "/home/anna/processed": lambda mounts, host: mounts.pop(),
    "/root": lambda mounts, host: mounts.append({"Type": "bind", "Source": "/", "Destination": "/root", "RW": True}),
}


@pytest.mark.parametrize("what", CHANGES)
def test_container_that_is_something_else_is_seen(what: str) -> None:
    """H5: the engine's own answer is compared; a plugin or a changed default in between is found."""
    mounts, host = copy.deepcopy(answer_to(body_of()))
    CHANGES[what](mounts, host)
    assert differences(body_of(), mounts, host) == [what]


def test_capability_that_was_added_is_seen() -> None:
    mounts, host = answer_to(body_of())
    assert differences(body_of(), mounts, host | {"CapAdd": ["SYS_ADMIN"]}) == ["SecurityOpt"]
