"""Who may use a place, what it lacks, and which one a launch gets: pure rules."""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any

import pytest

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.errors import BadRequest, Refused
from daas_hub.launch import (
    Defaults,
    Launch,
    LaunchRequest,
    Link,
    Mount,
    Place,
    PlaceState,
    Plan,
    options,
    placed,
    require_place,
)
from daas_hub.proposals import Proposal

ANNA = Account("anna", 25001, 25001, memberships=frozenset({"ma-4242"}))
SMALL, LARGE = Size("small", "Small", 2**30, 1, 100, 1), Size("large", "Large", 2**33, 8, 100, 1)
TERMINAL = Application("terminal", "Terminal", Kind.DESKTOP, sizes=("small", "large"))
GLASS = Proposal("MA-4242", "Glass", beamlines=("ID21",))


def mount(source: str, target: str, **more: Any) -> Mount:
    """Return a mount of the facility's storage."""
    return Mount(PurePosixPath("/"), PurePosixPath(source), target, **more)


HOME, DATA = mount("/home/anna", "."), mount("/data/ID21/MA-4242", "data")
SCRATCH = mount("/scratch/anna", "scratch", optional=True)
LAUNCH = Launch(ANNA, TERMINAL, (SMALL, LARGE), (HOME, DATA, SCRATCH), proposals=(GLASS,))
HERE = Place("here", "This machine", "sandbox")
THERE = Place("there", "Large nodes", "proposal-docker")


def names(found: Any) -> list[str]:
    """Return the names of options."""
    return [one.place.name for one in found]


@pytest.mark.parametrize(
    ("place", "person", "expected"),
    [
        pytest.param(THERE, ANNA, True, id="everybody"),
        pytest.param(replace(THERE, groups=frozenset({"ma-4242"})), ANNA, True, id="group"),
        pytest.param(replace(THERE, groups=frozenset({"MA-4242"})), ANNA, False, id="another group"),
        pytest.param(replace(THERE, roles=frozenset({"staff"})), ANNA, False, id="without the role"),
        pytest.param(
            replace(THERE, roles=frozenset({"staff"})), replace(ANNA, roles=frozenset({"staff"})), True, id="role"
        ),
        pytest.param(
            replace(THERE, roles=frozenset({"staff"}), groups=frozenset({"ma-4242"})), ANNA, True, id="one of both"
        ),
    ],
)
def test_who_may_use_it(place: Place, person: Account, expected: bool) -> None:
    """Whoever may not gets the sentence for a place that does not exist."""
    launch = replace(LAUNCH, person=person)
    assert names(options([HERE, place], launch)) == ["here", *(["there"] if expected else [])]
    if expected:
        assert require_place([HERE, place], launch, "there").name == "there"
        return
    with pytest.raises(Refused, match="There is no place there that you may use") as hidden:
        require_place([HERE, place], launch, "there")
    with pytest.raises(Refused) as absent:
        require_place([HERE], launch, "there")
    assert str(hidden.value) == str(absent.value)


@pytest.mark.parametrize(
    ("changes", "launch", "words"),
    [
        pytest.param(
            {"applications": frozenset({"pymca"})}, {}, "Large nodes does not offer Terminal.", id="application"
        ),
        pytest.param({"sizes": ("huge",)}, {}, "Large nodes does not offer Terminal in that size.", id="no size"),
        pytest.param({"sizes": ("large",)}, {"size": "small"}, "does not offer Terminal in that size.", id="size"),
        pytest.param({"beamlines": frozenset({"ID21"})}, {"proposals": ()}, "for proposals of ID21 only.", id="own"),
        pytest.param(
            {"beamlines": frozenset({"ID22", "BM1"})}, {}, "of BM1 and ID22 only, and MA-4242 is not one", id="beamline"
        ),
        pytest.param(
            {"beamlines": frozenset({"ID21"})},
            {"proposals": (GLASS, replace(GLASS, id="LS-1", beamlines=("BM1",)))},
            "and LS-1 is not one of them.",
            id="one of several proposals",
        ),
        pytest.param({"state": PlaceState.DRAINING}, {}, "takes no new sessions at the moment.", id="draining"),
        pytest.param({"state": PlaceState.DOWN, "notice": "no cooling."}, {}, "is down: no cooling.", id="down"),
        pytest.param(
            {"storage": (PurePosixPath("/home"),)}, {}, "does not have the storage of ~/data.", id="has others only"
        ),
        pytest.param(
            {"lacks_storage": (PurePosixPath("/home"), PurePosixPath("/data/ID21"))},
            {},
            "does not have the storage of the home directory and ~/data.",
            id="lacks",
        ),
    ],
)
def test_what_is_against_a_launch(changes: dict[str, Any], launch: dict[str, Any], words: str) -> None:
    place, asked = replace(THERE, **changes), replace(LAUNCH, **launch)
    [found] = options([place], asked)
    assert words in found.problem
    with pytest.raises(Refused) as refusal:
        require_place([place, HERE], asked, "there")
    assert str(refusal.value) == f"{found.problem} Possible: This machine."
    # without a request the next place takes it
    assert require_place([place, HERE], asked, None) is HERE


@pytest.mark.parametrize(
    "changes",
    [
        {"lacks_storage": (PurePosixPath("/data/ID2"),)},
        {"storage": (PurePosixPath("/home"), PurePosixPath("/data"), PurePosixPath("/scratch"))},
        {"beamlines": frozenset({"ID21", "ID22"})},
        {"sizes": ("large",)},
    ],
)
def test_nothing_is_against_it(changes: dict[str, Any]) -> None:
    """Paths are compared by their components."""
    assert options([replace(THERE, **changes)], LAUNCH)[0].problem == ""


def test_optional_directories_are_missing_and_said() -> None:
    place = replace(THERE, lacks_storage=(PurePosixPath("/scratch"),))
    [found] = options([place], LAUNCH)
    assert (found.problem, found.missing) == ("", ("~/scratch",))
    plan = placed(Plan(ANNA, TERMINAL, SMALL, LAUNCH.mounts), place, LAUNCH)
    assert plan.mounts == (HOME, DATA)
    assert plan.place == "there"


def test_alternatives_of_a_directory_are_those_of_the_place() -> None:
    """The first one that exists there, and never one that does not."""
    old, tape = mount("/old/MA-4242", "data"), mount("/tape/MA-4242", "data")
    launch = replace(LAUNCH, mounts=(replace(DATA, otherwise=(old, tape)),))
    place = replace(THERE, lacks_storage=(PurePosixPath("/data"), PurePosixPath("/old")))
    [kept] = placed(Plan(ANNA, TERMINAL, SMALL, launch.mounts), place, launch).mounts
    assert (kept.source, kept.otherwise) == (PurePosixPath("/tape/MA-4242"), ())


@pytest.mark.parametrize(
    ("sizes", "size", "expected"),
    [((), None, SMALL), (("large",), None, LARGE), (("large", "small"), None, SMALL), ((), "large", LARGE)],
)
def test_size_is_one_of_the_place(sizes: tuple[str, ...], size: str | None, expected: Size) -> None:
    launch = replace(LAUNCH, size=size)
    assert placed(Plan(ANNA, TERMINAL, SMALL, ()), replace(THERE, sizes=sizes), launch).size is expected


@pytest.mark.parametrize(
    ("default_for", "expected"),
    [
        pytest.param(Defaults(), "here", id="the first one"),
        pytest.param(Defaults(applications=frozenset({"terminal"})), "there", id="application"),
        pytest.param(Defaults(applications=frozenset({"pymca"})), "here", id="another application"),
        pytest.param(Defaults(groups=frozenset({"ma-4242"})), "there", id="group"),
        pytest.param(
            Defaults(applications=frozenset({"terminal"}), roles=frozenset({"staff"})),
            "here",
            id="one of two conditions",
        ),
    ],
)
def test_default_by_application_and_role(default_for: Defaults, expected: str) -> None:
    assert require_place([HERE, replace(THERE, default_for=default_for)], LAUNCH, None).name == expected


def test_nobody_is_sent_to_a_place_they_may_not_use() -> None:
    """Whatever the default is; and without any other there is none."""
    closed = replace(THERE, roles=frozenset({"staff"}), default_for=Defaults(applications=frozenset({"terminal"})))
    assert require_place([closed, HERE], LAUNCH, None) is HERE
    with pytest.raises(Refused, match="There is no place that you may use"):
        require_place([closed], LAUNCH, None)


def test_place_of_a_request() -> None:
    asked = LaunchRequest.from_json({"application": "terminal", "place": "large-nodes"})
    assert asked.place == "large-nodes"
    assert asked.as_json() == {"application": "terminal", "place": "large-nodes"}
    assert LaunchRequest.from_form({"application": "terminal", "place": ""}) == LaunchRequest("terminal")


@pytest.mark.parametrize("place", [3, "", "Large", "../x", ["large"], "x" * 40, "large\n"])
def test_place_that_is_not_well_formed(place: Any) -> None:
    with pytest.raises(BadRequest, match="The place is not well-formed"):
        LaunchRequest.from_json({"application": "terminal", "place": place})


def test_place_of_a_link() -> None:
    link = Link.from_query({"visits": ["mx1-1,mx1-2"], "app": ["terminal"], "place": ["large"]})
    assert (link.visits, link.place) == (("mx1-1", "mx1-2"), "large")
    assert Link.from_query({"visit": ["mx1-1"], "place": ["large"]}).place == "large"
    with pytest.raises(BadRequest, match="The place in the link is not well-formed"):
        Link.from_query({"visit": ["mx1-1"], "place": ["Large nodes"]})
