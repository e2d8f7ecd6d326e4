"""The plan joins the three truths and adds nothing: its words, its home, its menu."""

from __future__ import annotations

import dataclasses
import datetime

import pytest

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.errors import StorageProblem
from daas_hub.launch import Choice, DirectoryRule, MountPolicy, beamtimes_of, make_plan
from daas_hub.proposals import Proposal, Visit
from daas_hub.proposals.reading import time_of

ANNA = Account("anna", 25001, 25001, (26001,))
POLICY = MountPolicy(
    home=DirectoryRule.of(".", "/gpfs/homes/{account}", writable=True, create=True),
    data=(DirectoryRule.of("data", "/data/{proposal}/{visit}"),),
    processed=DirectoryRule.of("processed", "/processed/{proposal}", writable=True, create=True),
)
SMALL = Size("small", "2 processors", 4 * 2**30, 2, 1000, 12)
LAB = Application("lab", "JupyterLab", Kind.NOTEBOOK, environment={"OMP_NUM_THREADS": "2"})
PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, command=("pymca",))
TERMINAL = Application("terminal", "Terminal", Kind.DESKTOP, command=("lxterminal",))
VISIT = Visit(2)
GLASS = Proposal("MA-4242", "Roman glass", visits=(VISIT,), gid=26001)


def test_a_plan_beside_data() -> None:
    plan = make_plan(Choice(PYMCA, SMALL, GLASS, VISIT), ANNA, POLICY, (TERMINAL, PYMCA))
    assert plan.title == "PyMca, MA-4242 visit 2"
    assert (plan.proposal_id, plan.proposal_title, plan.visit_number) == ("MA-4242", "Roman glass", 2)
    assert [mount.target for mount in plan.mounts] == [".", "data", "processed"]
    assert plan.home == "/home/anna", "inside, the home stands where programs look for it"


def test_a_plan_of_an_own_resource() -> None:
    plan = make_plan(Choice(LAB, SMALL), ANNA, POLICY, (PYMCA,))
    assert plan.title == "JupyterLab"
    assert (plan.proposal_id, plan.proposal_title, plan.visit_number) == (None, "", None)
    assert [mount.target for mount in plan.mounts] == ["."]
    assert plan.environment == {"OMP_NUM_THREADS": "2"}


@pytest.mark.parametrize(
    ("application", "menu"),
    [
        pytest.param(PYMCA, ["pymca", "terminal"], id="the own one first"),
        pytest.param(TERMINAL, ["terminal", "pymca"], id="also when it stands last"),
        pytest.param(LAB, ["pymca", "terminal"], id="a notebook: in the catalogue's order"),
    ],
)
def test_the_menu(application: Application, menu: list[str]) -> None:
    plan = make_plan(Choice(application, SMALL), ANNA, POLICY, (PYMCA, TERMINAL))
    assert [one.name for one in plan.desktops] == menu


@pytest.mark.parametrize(
    ("start", "end", "seconds"),
    [
        pytest.param("1970-01-02T08:00", "1970-01-02T20:00", [(97_200, 140_400)], id="in the facility's zone"),
        pytest.param("1970-01-02T08:00Z", "1970-01-02T20:00+01:00", [(115_200, 154_800)], id="with zones of their own"),
        pytest.param("1970-01-02", "1970-01-02", [(68_400, 154_800)], id="one day, until it is over"),
        pytest.param("1970-01-02", "1970-01-03T00:00Z", [(68_400, 172_800)], id="until midnight in UTC"),
        pytest.param("1970-01-02", "", [], id="no end"),
        pytest.param("", "1970-01-02", [], id="no start"),
    ],
)
def test_beamtimes(start: str, end: str, seconds: list[tuple[float, float]]) -> None:
    visit = Visit(3, start=time_of(start or None), end=time_of(end or None))
    zone = datetime.timezone(datetime.timedelta(hours=5))
    assert beamtimes_of(Choice(LAB, SMALL, GLASS, visit), zone) == tuple(seconds)
    assert beamtimes_of(Choice(LAB, SMALL, several=((GLASS, VISIT), (GLASS, visit))), zone) == tuple(seconds)
    assert beamtimes_of(Choice(LAB, SMALL), zone) == ()


def test_a_plan_cannot_be_changed_by_who_gets_it() -> None:
    plan = make_plan(Choice(LAB, SMALL), ANNA, POLICY, ())
    with pytest.raises(dataclasses.FrozenInstanceError):
        plan.account = Account("root", 0, 0)  # type: ignore[misc]
    plan.environment["LD_PRELOAD"] = "/evil"
    assert "LD_PRELOAD" not in LAB.environment, "the catalogue's own record stays as it was read"


def test_a_path_that_is_not_allowed_is_no_plan() -> None:
    visit = Visit(2, data=("/etc",))
    with pytest.raises(StorageProblem):
        make_plan(Choice(LAB, SMALL, dataclasses.replace(GLASS, visits=(visit,)), visit), ANNA, POLICY, ())
