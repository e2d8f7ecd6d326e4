"""Several visits in one session: what a request may say, who may, and where each directory is."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.errors import BadRequest, Refused, StorageProblem
from daas_hub.launch import (
    MAX_VISITS,
    Choice,
    LaunchRequest,
    Link,
    MountPolicy,
    RunAs,
    account_name_for,
    make_plan,
    mounts_of,
    offered_for_all,
    require_choice,
    visit_value,
    visits_in,
)
from daas_hub.launch.folders import folder_names
from daas_hub.policy import MountRules
from daas_hub.proposals import Proposal, Visit

SMALL = Size("small", "2 processors", 4 * 2**30, 2, 1000, 12)
LAB = Application("lab", "JupyterLab", Kind.NOTEBOOK)
PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, command=("pymca",), beamlines=("ID21",))
CATALOGUE = Catalogue({"lab": LAB, "pymca": PYMCA}, {"small": SMALL})
ANNA = Account("anna", 25001, 25001, (26001, 26002))
GLASS = Proposal("MA-4242", "Glass", beamlines=("ID21",), visits=(Visit(1), Visit(2)), gid=26001)
FOILS = Proposal("LS-1007", "Foils", beamlines=("BM02",), visits=(Visit(1),), gid=26002)
BOTH = (("MA-4242", 2), ("LS-1007", 1))


def several(*visits: tuple[str, int]) -> dict[str, Any]:
    return {"application": "lab", "visits": [{"proposal": proposal, "visit": visit} for proposal, visit in visits]}


def test_a_request_keeps_its_visits_and_their_order() -> None:
    request = LaunchRequest.from_json(several(*BOTH))
    assert request.visits == BOTH
    assert request.proposals == ("MA-4242", "LS-1007")
    assert request.as_json() == several(*BOTH)
    assert visits_in(several(*BOTH)) == BOTH


def test_boxes_of_a_form() -> None:
    values = [visit_value(*one) for one in BOTH]
    assert LaunchRequest.from_form({"application": "lab"}, [*values, values[0]]).visits == BOTH
    assert LaunchRequest.from_form({"application": "lab"}, values[:1]) == LaunchRequest("lab", "MA-4242", 2)


REFUSED: dict[str, Any] = {
    "one": several(BOTH[0]),
    "none": several(),
    "too many": several(*[("MA-4242", number + 1) for number in range(MAX_VISITS + 1)]),
    "twice": several(BOTH[0], BOTH[0]),
    "beside a proposal": several(*BOTH) | {"proposal": "MA-4242"},
    "beside a visit": several(*BOTH) | {"proposal": "MA-4242", "visit": 1},
    "no list": {"application": "lab", "visits": {"MA-4242": 1}},
    "a text": {"application": "lab", "visits": ["2:MA-4242", "1:LS-1007"]},
    "a visit that is missing": {"application": "lab", "visits": [{"proposal": "MA-4242"}, {"proposal": "LS-1007"}]},
    "one more key": {"application": "lab", "visits": [{"proposal": "A", "visit": 1, "path": "/"}] * 2},
    "an id upwards": several(("..", 1), BOTH[0]),
    "an id that is a list": {"application": "lab", "visits": [{"proposal": ["A"], "visit": 1}, {}]},
    "a number as text": several(("MA-4242", "2"), BOTH[1]),  # type: ignore[arg-type]
    "yes as a number": several(("MA-4242", True), BOTH[1]),
}


@pytest.mark.parametrize("options", REFUSED.values(), ids=REFUSED.keys())
def test_what_is_not_well_formed_is_refused(options: Any) -> None:
    with pytest.raises(BadRequest):
        LaunchRequest.from_json(options)
    assert visits_in(options) == ()


@pytest.mark.parametrize("value", ["", "MA-4242", "2", ":", "x:MA-4242", "2:", "2:../x", "-1:MA-4242", "٢:MA-4242"])
def test_a_box_that_is_not_well_formed(value: str) -> None:
    with pytest.raises(BadRequest):
        LaunchRequest.from_form({"application": "lab"}, [value, "1:LS-1007"])


def test_a_limit_is_stated_with_its_number() -> None:
    with pytest.raises(BadRequest, match=f"2 to {MAX_VISITS} visits together, not {MAX_VISITS + 1}"):
        LaunchRequest.from_json(REFUSED["too many"])


def choice_of(*visits: tuple[str, int], proposals: tuple[Proposal, ...] = (GLASS, FOILS)) -> Choice:
    return require_choice(CATALOGUE, proposals, LaunchRequest.from_json(several(*visits)))


def test_each_is_authorised_by_itself() -> None:
    assert choice_of(*BOTH).visits == ((GLASS, GLASS.visits[1]), (FOILS, FOILS.visits[0]))
    with pytest.raises(Refused, match="no proposal LS-1007 among yours"):
        choice_of(*BOTH, proposals=(GLASS,))
    with pytest.raises(Refused, match="MA-4242 has no visit 3"):
        choice_of(("MA-4242", 3), ("LS-1007", 1))


def test_an_application_must_be_offered_for_all() -> None:
    assert offered_for_all(CATALOGUE, (GLASS, FOILS)) == (LAB,)
    assert offered_for_all(CATALOGUE, (GLASS, GLASS)) == (LAB, PYMCA)
    with pytest.raises(Refused, match="PyMca is not offered for proposal LS-1007"):
        require_choice(CATALOGUE, (GLASS, FOILS), LaunchRequest.from_json(several(*BOTH) | {"application": "pymca"}))


def test_proposals_of_different_accounts_are_refused() -> None:
    assert account_name_for(choice_of(*BOTH), RunAs()) is None
    assert account_name_for(choice_of(("MA-4242", 1), ("MA-4242", 2)), RunAs(names={"MA-4242": "u4242"})) == "u4242"
    with pytest.raises(Refused, match="different accounts"):
        account_name_for(choice_of(*BOTH), RunAs(names={"MA-4242": "u4242"}))


def policy(**settings: object) -> MountPolicy:
    given = {"data": ["/data/{proposal}/{visit}"], "processed": "/processed/{proposal}", **settings}
    return MountRules(config=Config({"MountRules": given})).policy("/var/lib/daas-hub")


def test_where_the_directories_are() -> None:
    """Each proposal's results are written to its own directory, with its own group."""
    rules = policy(
        extra=[
            {"name": "scratch", "path": "/scratch/{proposal}", "writable": True},
            {"name": "mine", "path": "/own/{account}", "writable": True},
            {"name": "tools", "path": "/opt/tools"},
        ]
    )
    mounts = {one.target: one for one in mounts_of(choice_of(("MA-4242", 1), *BOTH), ANNA, rules)}
    assert {target: str(one.source) for target, one in mounts.items()} == {
        ".": "/var/lib/daas-hub/homes/anna",
        "Proposals/MA-4242/1": "/data/MA-4242/1",
        "Proposals/MA-4242/2": "/data/MA-4242/2",
        "Proposals/MA-4242/processed": "/processed/MA-4242",
        "Proposals/MA-4242/scratch": "/scratch/MA-4242",
        "Proposals/LS-1007/1": "/data/LS-1007/1",
        "Proposals/LS-1007/processed": "/processed/LS-1007",
        "Proposals/LS-1007/scratch": "/scratch/LS-1007",
        "mine": "/own/anna",
        "tools": "/opt/tools",
    }
    assert mounts["Proposals/MA-4242/processed"].owner == (-1, 26001)
    assert mounts["Proposals/LS-1007/processed"].owner == (-1, 26002)
    data = {target for target, one in mounts.items() if one.is_data}
    assert data == {"Proposals/MA-4242/1", "Proposals/MA-4242/2", "Proposals/LS-1007/1"}
    assert not any(mounts[target].writable for target in data)


def test_several_directories_of_a_visit_and_results_of_each() -> None:
    data = [{"name": name, "path": f"/data/{{proposal}}/{{visit}}/{name}"} for name in ("raw", "shared")]
    rules = policy(data=data, processed="/processed/{proposal}/{visit}")
    targets = [one.target for one in mounts_of(choice_of(("MA-4242", 1), ("MA-4242", 2)), ANNA, rules)]
    folder = "Proposals/MA-4242"
    assert targets == [
        ".",
        f"{folder}/1/raw", f"{folder}/1/shared", f"{folder}/processed/1",
        f"{folder}/2/raw", f"{folder}/2/shared", f"{folder}/processed/2",
    ]  # fmt: skip


def test_a_group_that_is_not_the_accounts_refuses_all() -> None:
    with pytest.raises(StorageProblem, match="not in the group of proposal LS-1007"):
        mounts_of(choice_of(*BOTH), Account("anna", 25001, 25001, (26001,)), policy())


def test_names_of_folders_are_distinct() -> None:
    """Whatever facilities call their visits: "processed" is taken, and a slash is no name."""
    visits = tuple(Visit(number, name=name) for number, name in enumerate(("processed", "a/b", "x", "x"), 1))
    odd = Proposal("A-1", "t", visits=visits)
    names = [name for _, name in folder_names([(odd, visit) for visit in odd.visits], {"processed"})]
    assert names == ["1", "2", "x", "4"]
    twins = [Proposal("20.500/12", "t", visits=(Visit(1),)), Proposal("20.500_12", "t", visits=(Visit(1),))]
    folders = [folder for folder, _ in folder_names([(one, one.visits[0]) for one in twins], ())]
    assert folders == ["Proposals/20.500+12", "Proposals/20.500_12"]
    assert all(".." not in PurePosixPath(folder).parts for folder in folders)


def test_the_title_names_them() -> None:
    plan = make_plan(choice_of(*BOTH), ANNA, policy(), ())
    assert plan.title == "JupyterLab, MA-4242 visit 2 and LS-1007 visit 1"
    assert plan.proposals == "MA-4242, LS-1007"
    plan = make_plan(choice_of(("MA-4242", 1), *BOTH), ANNA, policy(), ())
    assert plan.title == "JupyterLab, 3 visits of 2 proposals"


def test_a_link_names_several() -> None:
    assert Link.from_query({"visits": ["mx1-1,mx2-3"], "app": ["lab"]}) == Link("", "", "lab", ("mx1-1", "mx2-3"))
    assert Link.from_query({"visits": ["mx1-1"]}) == Link("", "mx1-1")
    for query in ({"visits": ["a,,b"]}, {"visits": ["a,../b"]}, {"visits": ["a,b"], "visit": ["c"]}):
        with pytest.raises(BadRequest):
            Link.from_query(query)
    with pytest.raises(BadRequest, match=f"more than {MAX_VISITS} visits"):
        Link.from_query({"visits": [",".join(f"mx1-{number}" for number in range(MAX_VISITS + 1))]})
