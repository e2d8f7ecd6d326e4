"""Which directories a session sees: the proposal's, read-only, and nothing beside it (AL17, AL18, AL19).

Here paths are text. What stands on the disk under them is storage's to find out (tests/test_storage.py).
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daas_hub.catalogue import Application, Kind, Size
from daas_hub.errors import StorageProblem
from daas_hub.identity import Account
from daas_hub.launch import Choice, Mount, MountPolicy, mounts_of
from daas_hub.proposals import Proposal, Visit

LAB = Application("lab", "JupyterLab", Kind.NOTEBOOK)
SMALL = Size("small", "2 processors", 4 * 2**30, 2, 1000, 12)
ANNA = Account("anna", 25001, 25001, (26001,))
POLICY = MountPolicy(
    data=("/data/visitor/{proposal}/{beamline}/{visit}",),
    processed="/data/processed/{proposal}",
    home="/home/{account}",
)


def choice(
    *, proposal: str = "MA-4242", data: tuple[str, ...] = (), gid: int | None = 26001, beamline: str = "ID21"
) -> Choice:
    visit = Visit(2, beamline=beamline, data=data)
    return Choice(LAB, SMALL, Proposal(proposal, "Glass", beamlines=("ID21",), visits=(visit,), gid=gid), visit)


def shown(mounts: tuple[Mount, ...]) -> dict[str, str]:
    return {mount.target: str(mount.source) for mount in mounts}


def test_an_own_resource_has_a_home_and_nothing_else() -> None:
    """ES44."""
    (home,) = mounts_of(Choice(LAB, SMALL), ANNA, POLICY)
    assert home == Mount(PurePosixPath("/home"), PurePosixPath("/home/anna"), ".", True, True, (25001, 25001), 0o700)


def test_a_visit_has_its_data_and_the_proposals_processed_directory() -> None:
    mounts = mounts_of(choice(), ANNA, POLICY)
    assert shown(mounts) == {
        ".": "/home/anna",
        "data": "/data/visitor/MA-4242/ID21/2",
        "processed": "/data/processed/MA-4242",
    }
    _, data, processed = mounts
    assert (data.writable, data.create) == (False, False), "AL17: raw data is never written nor made"
    assert (processed.writable, processed.create, processed.owner, processed.mode) == (True, True, (-1, 26001), 0o2770)


def test_the_beamline_of_the_proposal_stands_in_for_the_visits() -> None:
    assert shown(mounts_of(choice(beamline=""), ANNA, POLICY))["data"] == "/data/visitor/MA-4242/ID21/2"


def test_fields_are_filled_everywhere() -> None:
    policy = MountPolicy(("/d/{beamline}/{proposal}-{visit}/{account}",), (), "/p/{proposal}", "/h/{uid}/{account}")
    assert shown(mounts_of(choice(), ANNA, policy)) == {
        ".": "/h/25001/anna",
        "data": "/d/ID21/MA-4242-2/anna",
        "processed": "/p/MA-4242",
    }


@pytest.mark.parametrize("name", ["mx12345-7", "S0011", "1.1-P"])
def test_a_path_has_what_the_facility_calls_the_visit(name: str) -> None:
    """DI16: the number is for links, the storage has the name."""
    visit = Visit(4711, beamline="i03", name=name)
    asked = Choice(LAB, SMALL, Proposal("MA-4242", "Glass", visits=(visit,), gid=26001), visit)
    assert shown(mounts_of(asked, ANNA, POLICY))["data"] == f"/data/visitor/MA-4242/i03/{name}"


@pytest.mark.parametrize("name", ["..", "a/b", "{proposal}", "a b", "\n"])
def test_a_name_of_a_visit_that_cannot_stand_in_a_path(name: str) -> None:
    """A1 to A4."""
    visit = Visit(4711, beamline="i03", name=name)
    asked = Choice(LAB, SMALL, Proposal("MA-4242", "Glass", visits=(visit,), gid=26001), visit)
    with pytest.raises(StorageProblem, match="visit"):
        mounts_of(asked, ANNA, POLICY)


# -- paths the facility tells --------------------------------------------------------------------------------------

TOLD = replace(POLICY, data_roots=("/data/visitor", "/gpfs/ma1"))


@pytest.mark.parametrize(
    ("paths", "targets"),
    [
        pytest.param(("/data/visitor/x",), {"data": "/data/visitor/x"}, id="one"),
        pytest.param(
            ("/data/visitor/a", "/data/visitor/b"),
            {"data/a": "/data/visitor/a", "data/b": "/data/visitor/b"},
            id="two",
        ),
        pytest.param(
            ("/data/visitor/a/raw", "/data/visitor/b/raw"),
            {"data/a_raw": "/data/visitor/a/raw", "data/b_raw": "/data/visitor/b/raw"},
            id="two of the same name",
        ),
        pytest.param(
            ("/data/visitor/a", "/gpfs/ma1/a"),
            {"data/visitor_a": "/data/visitor/a", "data/ma1_a": "/gpfs/ma1/a"},
            id="two roots",
        ),
        pytest.param(("/data/visitor/with blank/é",), {"data": "/data/visitor/with blank/é"}, id="blank and accent"),
        pytest.param(
            ("/data/visitor/a:b{c},d",), {"data": "/data/visitor/a:b{c},d"}, id="8 braces and colons are data"
        ),
        pytest.param(("/data/visitor//x/",), {"data": "/data/visitor/x"}, id="slashes twice and at the end"),
    ],
)
def test_told_paths(paths: tuple[str, ...], targets: dict[str, str]) -> None:
    mounts = mounts_of(choice(data=paths), ANNA, TOLD)
    found = {target: source for target, source in shown(mounts).items() if target.startswith("data")}
    assert found == targets
    assert not any(mount.writable or mount.create for mount in mounts if mount.target.startswith("data"))


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/etc", id="A5 outside"),
        pytest.param("/", id="A5 the machine"),
        pytest.param("/home/anna", id="A5 somebody's home"),
        pytest.param("data/visitor/x", id="A5 relative"),
        pytest.param("", id="A5 empty"),
        pytest.param(".", id="A5 dot"),
        pytest.param("//data/visitor/x", id="A5 two slashes at the start"),
        pytest.param("/data/visitor/../processed/x", id="A5 up"),
        pytest.param("/data/visitor/x/..", id="A5 up at the end"),
        pytest.param("/data/visitor/x/../../../etc", id="A5 up and away"),
        pytest.param("/data/visitor", id="A12 AL18 the root itself"),
        pytest.param("/data/visitor/", id="A12 AL18 the root itself, slash at the end"),
        pytest.param("/data/visitor/.", id="A12 AL18 the root itself, dot"),
        pytest.param("/data", id="A12 above the root"),
        pytest.param("/data/visitors/x", id="A11 the root is a prefix of its name"),
        pytest.param("/gpfs/ma12/x", id="A11 ma1 is not ma12"),
        pytest.param("/data/visitor/x\x00", id="A2 NUL"),
        pytest.param("/data/visitor/x\n/etc", id="A2 newline"),
        pytest.param("/data/visitor/x\u202e", id="A2 right-to-left"),
        pytest.param("/data/visitor/\ud800", id="A2 half a surrogate"),
        pytest.param("~/x", id="shell home"),
        pytest.param("file:///data/visitor/x", id="an address"),
    ],
)
def test_told_paths_outside_are_refused(path: str) -> None:
    """A5, A8: a catalogue that is wrong or was broken into cannot show more than the roots."""
    for paths in ((path,), ("/data/visitor/good", path)):
        with pytest.raises(StorageProblem) as refused:
            mounts_of(choice(data=paths), ANNA, TOLD)
        assert path.strip("/.") not in str(refused.value) or path.strip("/.") in ("", "data"), "no path for the user"


def test_the_same_directory_told_twice_is_refused() -> None:
    with pytest.raises(StorageProblem, match="twice"):
        mounts_of(choice(data=("/data/visitor/a", "/data/visitor/a")), ANNA, TOLD)


def test_told_paths_need_roots() -> None:
    with pytest.raises(StorageProblem, match="outside"):
        mounts_of(choice(data=("/data/visitor/x",)), ANNA, replace(POLICY, data=(), data_roots=()))


def test_no_path_at_all_is_said() -> None:
    """AL40: a clear refusal, not an empty directory."""
    with pytest.raises(StorageProblem, match="does not say where"):
        mounts_of(choice(), ANNA, replace(POLICY, data=()))


# -- values that stand in templates --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "beamline",
    [
        "",
        "..",
        ".",
        "ID21/..",
        "/etc",
        "ID21\n",
        "ID 21",
        "{account}",
        "ID21:ro",
        "-x",
        "é",
        "ID21..",
        "x" * 65,
        "\x00",
    ],
)
def test_a_beamline_that_cannot_stand_in_a_path(beamline: str) -> None:
    """G2: the catalogue's names are as little trusted as the user's."""
    visit = Visit(1, beamline=beamline)
    asked = Choice(LAB, SMALL, Proposal("MA-4242", "Glass", visits=(visit,), gid=26001), visit)
    with pytest.raises(StorageProblem, match="beamline"):
        mounts_of(asked, ANNA, POLICY)


@pytest.mark.parametrize("proposal", ["..", "a/b", "a..b", "", "{uid}", "p\n"])
def test_a_proposal_id_that_cannot_stand_in_a_path(proposal: str) -> None:
    """A1, A3: also when a provider forgot to check its own ids."""
    with pytest.raises(StorageProblem, match="proposal"):
        mounts_of(choice(proposal=proposal), ANNA, POLICY)


@pytest.mark.parametrize("name", ["..", ".", "", "a/b", "a..b", "root:x", "{proposal}", "anna\n"])
def test_an_account_that_cannot_stand_in_a_path(name: str) -> None:
    with pytest.raises(StorageProblem, match="account"):
        mounts_of(Choice(LAB, SMALL), replace(ANNA, name=name), POLICY)


# -- who shares the processed data ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("gid", "owner"),
    [
        pytest.param(26001, (-1, 26001), id="a further group of the account"),
        pytest.param(25001, (-1, 25001), id="the account's own group"),
        pytest.param(None, (-1, -1), id="the proposal has none"),
    ],
)
def test_the_shared_group(gid: int | None, owner: tuple[int, int]) -> None:
    assert mounts_of(choice(gid=gid), ANNA, POLICY)[-1].owner == owner


@pytest.mark.parametrize("gid", [26002, 0, -1, 2**32 + 26001])
def test_a_group_the_account_is_not_in_is_refused(gid: int) -> None:
    """B6, I5: a group is never lent to a session because the catalogue says so."""
    with pytest.raises(StorageProblem, match="not in the group"):
        mounts_of(choice(gid=gid), ANNA, POLICY)


# -- anything ------------------------------------------------------------------------------------------------------

components = st.sampled_from(["..", ".", "", "a", "raw", "visitor", "ma1", "ma12", "x y", "\n", "é", "{proposal}"])
paths = (
    st.lists(components | st.text(max_size=3), max_size=5)
    .map("/".join)
    .flatmap(
        lambda tail: st.sampled_from(["/data/visitor/", "/gpfs/ma1/", "/", "", "//data/visitor/"]).map(
            lambda head: head + tail
        )
    )
)
values = st.sampled_from(["MA-4242", "..", "a/b", "a", ""]) | st.text(max_size=4)


@settings(max_examples=300)
@given(st.lists(paths, max_size=3).map(tuple), values, values, values, st.sampled_from([None, 25001, 26001, 0]))
def test_no_input_leaves_the_roots(
    data: tuple[str, ...], proposal: str, beamline: str, name: str, gid: int | None
) -> None:
    """AL17, AL18: whatever all the sources say, what comes out lies below a root, and raw data is read-only."""
    visit = Visit(1, beamline=beamline, data=data)
    asked = Choice(LAB, SMALL, Proposal(proposal, "t", visits=(visit,), gid=gid), visit)
    mounts: tuple[Mount, ...] = ()
    with contextlib.suppress(StorageProblem):
        mounts = mounts_of(asked, replace(ANNA, name=name), TOLD)
    roots = {"data": ("/data/visitor", "/gpfs/ma1"), "processed": ("/data/processed",), ".": ("/home",)}
    for mount in mounts:
        kind = mount.target.split("/")[0]
        assert str(mount.root) in roots[kind]
        assert mount.source.is_relative_to(mount.root)
        assert mount.source != mount.root
        assert ".." not in mount.source.parts
        assert str(mount.source).isprintable()
        assert mount.writable == mount.create == (kind != "data")
        assert ".." not in PurePosixPath(mount.target).parts
        assert not mount.target.startswith("/")
    targets = [mount.target for mount in mounts]
    assert len(set(targets)) == len(targets)
