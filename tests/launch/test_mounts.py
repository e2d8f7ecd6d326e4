"""Which directories a session sees: the proposal's, read-only, and nothing beside it (AL17, AL18, AL19).

Here paths are text. What stands on the disk under them is storage's to find out (tests/test_storage.py).
"""

from __future__ import annotations

import contextlib
import datetime
from dataclasses import replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from traitlets.config import Config

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.errors import ConfigurationError, StorageProblem
from daas_hub.launch import Choice, DirectoryRule, Mount, MountPolicy, mounts_of
from daas_hub.policy.mount_settings import MountRules
from daas_hub.proposals import Proposal, Visit

LAB = Application("lab", "JupyterLab", Kind.NOTEBOOK)
SMALL = Size("small", "2 processors", 4 * 2**30, 2, 1000, 12)
ANNA = Account("anna", 25001, 25001, (26001,))
HOME = DirectoryRule.of(".", "/home/{account}", writable=True, create=True)
PROCESSED = DirectoryRule.of("processed", "/data/processed/{proposal}", writable=True, create=True)
POLICY = MountPolicy(
    data=(DirectoryRule.of("data", "/data/visitor/{proposal}/{beamline}/{visit}"),), processed=PROCESSED, home=HOME
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
    assert home == Mount(
        PurePosixPath("/home"), PurePosixPath("/home/anna"), ".", True, True, (25001, 25001), 0o700, has_real_path=True
    )


def test_a_temporary_home_is_no_mount() -> None:
    """Backends make it in memory; everything else is as always, also with several visits."""
    assert mounts_of(Choice(LAB, SMALL, temporary_home=True), ANNA, POLICY) == ()
    one = choice()
    assert mounts_of(replace(one, temporary_home=True), ANNA, POLICY) == mounts_of(one, ANNA, POLICY)[1:]
    assert one.proposal is not None
    assert one.visit is not None
    second = replace(one.visit, number=3, name="3")
    pair = ((one.proposal, one.visit), (one.proposal, second))
    several = Choice(LAB, SMALL, several=pair)
    assert mounts_of(replace(several, temporary_home=True), ANNA, POLICY) == mounts_of(several, ANNA, POLICY)[1:]


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


def test_raw_data_have_no_owner_to_be_made_for() -> None:
    """From a template or from the catalogue: what is only read is compared, and neither made nor given to anybody."""
    for policy, data in ((POLICY, ()), (TOLD, ("/data/visitor/x",))):
        mount = mounts_of(choice(data=data), ANNA, policy)[1]
        source = PurePosixPath(data[0] if data else "/data/visitor/MA-4242/ID21/2")
        assert mount == Mount(PurePosixPath("/data/visitor"), source, "data", mode=0o700, has_real_path=True)
        assert mount in {mount}


def test_directory_that_is_only_read_belongs_to_nobody_here() -> None:
    tools = DirectoryRule("tools", DirectoryRule.of("tools", "/tools/{proposal}").templates)
    mount = mounts_of(choice(), ANNA, replace(POLICY, extra=(tools,)))[-1]
    assert mount == Mount(
        PurePosixPath("/tools"), PurePosixPath("/tools/MA-4242"), "tools", mode=0o2770, has_real_path=True
    )
    assert (mount.writable, mount.create, mount.optional, mount.owner) == (False, False, False, (-1, -1))
    assert hash(replace(POLICY, extra=(tools,)))


def test_more_directories_than_a_session_can_have_are_refused() -> None:
    many = tuple(f"/data/visitor/run{number}" for number in range(100))
    with pytest.raises(StorageProblem, match="would have 102 directories, and 100 is the limit"):
        mounts_of(choice(data=many), ANNA, TOLD)
    assert len(mounts_of(choice(data=many[:98]), ANNA, TOLD)) == 100


def test_proposal_without_a_visit_shows_no_data() -> None:
    shared = DirectoryRule.of("shared", "/shared/{account}/{uid}")
    without = replace(choice(), visit=None)
    assert set(shown(mounts_of(without, ANNA, replace(POLICY, extra=(shared,))))) == {".", "shared"}


def test_moment_without_a_zone_is_the_facilitys_already() -> None:
    visit = Visit(1, beamline="ID21", start=datetime.datetime(2025, 12, 31, 23, 30))  # noqa: DTZ001
    asked = Choice(LAB, SMALL, Proposal("MA-4242", "Glass", visits=(visit,), gid=26001), visit)
    policy = rules(data=["/data/{start|year}/{proposal}"], time_zone="Europe/Paris")
    assert shown(mounts_of(asked, ANNA, policy))["data"] == "/data/2025/MA-4242"


def test_own_directory_below_what_the_catalogue_names() -> None:
    policy = rules(
        data=["{path}/raw"], data_roots=["/asap3"], processed="{path}/users/{account}", create_processed=False
    )
    processed = mounts_of(dated(data=("/asap3/11001",)), ANNA, policy)[-1]
    assert (str(processed.source), processed.owner) == ("/asap3/11001/users/anna", (25001, 25001))


def test_catalogue_is_asked_where_only_processed_data_lie() -> None:
    policy = rules(
        data=["/raw/{proposal}"], data_roots=["/raw", "/asap3"], processed="{path}/processed", create_processed=False
    )
    assert shown(mounts_of(dated(data=("/asap3/11001",)), ANNA, policy))["processed"] == "/asap3/11001/processed"


@pytest.mark.parametrize("path", ["/etc/x/{proposal}", ["/data/{proposal}", "/etc/x/{proposal}"]])
def test_template_outside_the_roots_is_refused(path: object) -> None:
    """Also as the second choice, which nobody looks at until the first is missing."""
    policy = rules(data_roots=["/data"])
    outside = [path] if isinstance(path, str) else path
    policy = replace(policy, data=(DirectoryRule.of("data", *outside),))  # type: ignore[misc]
    with pytest.raises(StorageProblem, match="outside"):
        mounts_of(dated(), ANNA, policy)


@pytest.mark.parametrize("processed", ["/dls/processed/{visit}", ""])
def test_processed_directory_by_the_visits_name_alone(processed: str) -> None:
    """A12, AL18: the rule is the same for what is written; and without it, for what is read."""
    data = "/dls/{proposal}/{visit}" if processed else "/dls/{visit}"
    policy = replace(rules(data=[data]), processed=None)
    if processed:
        policy = replace(policy, processed=DirectoryRule.of("processed", processed, writable=True))
    assert mounts_of(dated("mx1", label="mx1-7"), ANNA, policy)
    with pytest.raises(StorageProblem, match="cannot be distinguished"):
        mounts_of(dated("mx1", label="mx12-7"), ANNA, policy)


def test_one_directory_with_a_name_and_one_without() -> None:
    policy = rules(data=[{"name": "raw", "path": "/a/{proposal}"}, "/b/{proposal}"])
    assert set(shown(mounts_of(dated(), ANNA, policy))) >= {"data/raw", "data/MX-2633"}


def test_the_beamline_of_the_proposal_stands_in_for_the_visits() -> None:
    assert shown(mounts_of(choice(beamline=""), ANNA, POLICY))["data"] == "/data/visitor/MA-4242/ID21/2"


def test_fields_are_filled_everywhere() -> None:
    policy = MountPolicy(
        home=DirectoryRule.of(".", "/h/{uid}/{account}", writable=True, create=True),
        data=(DirectoryRule.of("data", "/d/{beamline}/{proposal}-{visit}/{account}"),),
        processed=DirectoryRule.of("processed", "/p/{proposal}", writable=True, create=True),
    )
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
def test_paths_of_the_catalogue(paths: tuple[str, ...], targets: dict[str, str]) -> None:
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
def test_paths_of_the_catalogue_outside_are_refused(path: str) -> None:
    """A5, A8: a catalogue that is wrong or was broken into cannot show more than the roots."""
    for paths in ((path,), ("/data/visitor/good", path)):
        with pytest.raises(StorageProblem) as refused:
            mounts_of(choice(data=paths), ANNA, TOLD)
        assert path.strip("/.") not in str(refused.value) or path.strip("/.") in ("", "data"), "no path for the user"


def test_the_same_directory_named_twice_is_refused() -> None:
    with pytest.raises(StorageProblem, match="twice"):
        mounts_of(choice(data=("/data/visitor/a", "/data/visitor/a")), ANNA, TOLD)


def test_paths_of_the_catalogue_need_roots() -> None:
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


@pytest.mark.parametrize("proposal", ["..", "a//b", "a/../b", "a/", "a..b", "", "{uid}", "p\n"])
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


# -- several directories ---------------------------------------------------------------------------------------------


def rules(**settings: object) -> MountPolicy:
    return MountRules(config=Config({"MountRules": settings})).policy("/var/lib/daas-hub")


def dated(proposal: str = "MX-2633", *, label: str = "", data: tuple[str, ...] = (), hour: int = 8) -> Choice:
    start = datetime.datetime(2025, 12, 31, hour, tzinfo=datetime.UTC)
    visit = Visit(7, beamline="ID30A-1", start=start, data=data, name=label)
    return Choice(LAB, SMALL, Proposal(proposal, "Glass", visits=(visit,), gid=26001), visit)


def test_raw_processed_scratch_and_tools() -> None:
    """What DESY's core file system has; each by its own name, and only some of it writable."""
    core = "/asap3/petra3/gpfs/{beamline|lower|nodash}/{start|year}/data/{proposal}"
    policy = rules(
        data=[{"name": "raw", "path": f"{core}/raw"}, {"name": "shared", "path": f"{core}/shared", "optional": True}],
        processed=f"{core}/processed",
        create_processed=False,
        extra=[
            {"name": "scratch", "path": f"{core}/scratch_cc", "writable": True, "optional": True},
            {"name": "tools", "path": "/software/{beamline|lower|nodash}"},
        ],
    )
    mounts = mounts_of(dated(), ANNA, policy)
    inside = "/asap3/petra3/gpfs/id30a1/2025/data/MX-2633"
    assert shown(mounts[1:]) == {
        "data/raw": f"{inside}/raw",
        "data/shared": f"{inside}/shared",
        "processed": f"{inside}/processed",
        "scratch": f"{inside}/scratch_cc",
        "tools": "/software/id30a1",
    }
    assert [mount.target for mount in mounts if mount.writable] == [".", "processed", "scratch"]
    assert [mount.target for mount in mounts if mount.create] == ["."]
    assert [mount.target for mount in mounts if mount.optional] == ["data/shared", "scratch"]
    assert {mount.root for mount in mounts if mount.is_data} == {PurePosixPath("/asap3/petra3/gpfs")}


def test_what_needs_no_proposal_is_in_own_resources_too() -> None:
    more = [
        {"name": "tools", "path": "/opt/tools"},
        {"name": "scratch", "path": "/scratch/{account}", "writable": True, "create": True},
        {"name": "shared", "path": "/shared/{proposal}", "writable": True, "create": True},
    ]
    policy = rules(data=["/data/{proposal}"], extra=more)
    assert set(shown(mounts_of(Choice(LAB, SMALL), ANNA, policy))) == {".", "tools", "scratch"}
    mounts = {mount.target: mount for mount in mounts_of(dated(), ANNA, policy)}
    assert (mounts["scratch"].owner, mounts["scratch"].mode) == ((25001, 25001), 0o700), "one's own"
    assert (mounts["shared"].owner, mounts["shared"].mode) == ((-1, 26001), 0o2770), "the proposal's"
    assert not mounts["tools"].writable


def test_the_first_of_several_places_that_is_there() -> None:
    """Layouts older than ESRF's v3 have no folder of the visit. Storage looks; here is only the order."""
    old, new = "/data/visitor/{proposal|lower}/{beamline}", "/data/visitor/{proposal|lower}/{beamline}/{start|date}"
    data = mounts_of(dated(), ANNA, rules(data=[{"path": [new, old]}]))[1]
    assert str(data.source) == "/data/visitor/mx-2633/ID30A-1/20251231"
    assert [str(one.source) for one in data.otherwise] == ["/data/visitor/mx-2633/ID30A-1"]


def test_one_directory_that_is_unknown_in_part() -> None:
    data = mounts_of(dated("2022086950"), ANNA, rules(data=["/beamlines/x/cycle*/{proposal}-*"]))[1]
    assert (str(data.root), data.pattern) == ("/beamlines/x", True)


@pytest.mark.parametrize(
    ("zone", "folder"), [("", "2025"), ("Europe/Paris", "2026"), ("America/Chicago", "2025"), ("UTC", "2025")]
)
def test_the_year_is_that_of_the_facilitys_clocks(zone: str, folder: str) -> None:
    """A catalogue that tells UTC says the old year for the first hour of the new one."""
    policy = rules(data=["/data/{start|year}/{proposal}"], time_zone=zone)
    assert shown(mounts_of(dated(hour=23), ANNA, policy))["data"] == f"/data/{folder}/MX-2633"


def test_a_directory_below_that_of_the_catalogue() -> None:
    """DE13: DESY's corePath, ICAT's location, SciCat's sourceFolder."""
    policy = rules(data=["{path}/raw"], data_roots=["/asap3"], processed="{path}/processed", create_processed=False)
    mounts = mounts_of(dated(data=("/asap3/petra3/a b/11001",)), ANNA, policy)
    assert shown(mounts[1:]) == {
        "data": "/asap3/petra3/a b/11001/raw",
        "processed": "/asap3/petra3/a b/11001/processed",
    }
    assert {mount.root for mount in mounts[1:]} == {PurePosixPath("/asap3")}


@pytest.mark.parametrize(
    ("told", "words"),
    [
        pytest.param((), "does not say", id="nothing"),
        pytest.param(("/asap3/a", "/asap3/b"), "expects one", id="two"),
        pytest.param(("/etc",), "outside", id="elsewhere"),
        pytest.param(("/asap3",), "outside", id="the root itself"),
        pytest.param(("/asap3/../etc",), "outside", id="upwards"),
        pytest.param(("/asap3/*/x",), "with a \\*", id="a pattern"),
        pytest.param(("asap3/x",), "outside", id="relative"),
    ],
)
def test_a_directory_of_the_catalogue_that_is_not_used(told: tuple[str, ...], words: str) -> None:
    policy = rules(data=["{path}/raw"], data_roots=["/asap3"])
    with pytest.raises(StorageProblem, match=words):
        mounts_of(dated(data=told), ANNA, policy)


def test_a_star_in_a_path_of_the_catalogue_is_no_pattern() -> None:
    policy = rules(data_roots=["/asap3"])
    data = mounts_of(dated(data=("/asap3/*",)), ANNA, policy)[1]
    assert (str(data.source), data.pattern) == ("/asap3/*", False)


@pytest.mark.parametrize(
    ("proposal", "label", "path"),
    [("mx12345", "mx12345-7", "/dls/mx12345-7"), ("MX12345", "mx12345-7", "/dls/mx12345-7"), ("mx1", "7", None),
     ("mx1", "mx12-7", None), ("mx1", "nr-12", None)],
)  # fmt: skip
def test_a_directory_by_the_visits_name_alone(proposal: str, label: str, path: str | None) -> None:
    """A12, AL18, DI13: only where the name tells whose visit it is."""
    policy = rules(data=["/dls/{visit}"])
    if path is None:
        with pytest.raises(StorageProblem, match="cannot be distinguished"):
            mounts_of(dated(proposal, label=label), ANNA, policy)
    else:
        assert shown(mounts_of(dated(proposal, label=label), ANNA, policy))["data"] == path


@pytest.mark.parametrize(("proposal", "allowed"), [("p15874", True), ("q15874", False), ("p158741", False)])
def test_a_part_of_an_id_stands_in_a_path_only_where_all_ids_have_its_form(proposal: str, allowed: bool) -> None:
    """PS: p15874 and q15874 would both be e15874."""
    policy = rules(data=["/sls/e{proposal[1:]}"], proposal_pattern="p[0-9]{5}")
    if allowed:
        assert shown(mounts_of(dated(proposal), ANNA, policy))["data"] == "/sls/e15874"
    else:
        with pytest.raises(StorageProblem, match="id of proposal"):
            mounts_of(dated(proposal), ANNA, policy)
    with pytest.raises(ConfigurationError, match="two ids may share"):
        rules(data=["/sls/e{proposal[1:]}"])
