"""What may be launched out of what is offered: permissions and refusals, and no oracle for other people's proposals."""

from __future__ import annotations

import pytest

from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.errors import Refused
from daas_hub.launch import LaunchRequest, offered, require_choice
from daas_hub.proposals import Proposal, Visit

SMALL = Size("small", "2 processors", 4 * 2**30, 2, 1000, 12)
LARGE = Size("large", "4 processors", 8 * 2**30, 4, 2000, 12)
LAB = Application("lab", "JupyterLab", Kind.NOTEBOOK, sizes=("small", "large"))
PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, command=("pymca",), sizes=("large",), beamlines=("ID21", "BM23"))
COURSE = Application("course", "Course", Kind.NOTEBOOK, with_proposal=False)
REDUCE = Application("reduce", "Reduction", Kind.NOTEBOOK, without_proposal=False)
GUIDE = Application("guide", "Guide", Kind.LINK, url="https://example.org", with_proposal=False)
CATALOGUE = Catalogue({one.name: one for one in (LAB, PYMCA, COURSE, REDUCE, GUIDE)}, {"small": SMALL, "large": LARGE})

GLASS = Proposal("MA-4242", "Glass", beamlines=("ID21",), visits=(Visit(1), Visit(2)))
FOILS = Proposal("LS-1007", "Foils", beamlines=("BM02",), visits=(Visit(1),))
PLANNED = Proposal("HC-0001", "Planned")
MINE = (GLASS, FOILS, PLANNED)


@pytest.mark.parametrize(
    ("proposal", "names"),
    [
        pytest.param(GLASS, ["lab", "pymca", "reduce"], id="its beamline's too"),
        pytest.param(FOILS, ["lab", "reduce"], id="not another beamline's"),
        pytest.param(None, ["lab", "pymca", "course", "guide"], id="own resource (ES44, ES45)"),
    ],
)
def test_offered(proposal: Proposal | None, names: list[str]) -> None:
    assert [application.name for application in offered(CATALOGUE, proposal)] == names


@pytest.mark.parametrize(
    ("asked", "size", "visit"),
    [
        pytest.param(LaunchRequest("lab"), "small", None, id="own resource, default size"),
        pytest.param(LaunchRequest("lab", size="large"), "large", None, id="a size it offers"),
        pytest.param(LaunchRequest("lab", "MA-4242", 2), "small", 2, id="a visit"),
        pytest.param(LaunchRequest("lab", "LS-1007"), "small", 1, id="the only visit need not be said"),
        pytest.param(LaunchRequest("pymca", "MA-4242", 1), "large", 1, id="its beamline's application"),
        pytest.param(LaunchRequest("pymca"), "large", None, id="without a proposal, whatever the beamline"),
        pytest.param(LaunchRequest("course"), "small", None, id="no sizes named: the first"),
    ],
)
def test_allowed(asked: LaunchRequest, size: str, visit: int | None) -> None:
    choice = require_choice(CATALOGUE, MINE, asked)
    assert choice.application.name == asked.application
    assert choice.size.name == size
    assert (choice.visit.number if choice.visit else None) == visit
    assert (choice.proposal.id if choice.proposal else None) == asked.proposal


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        pytest.param(LaunchRequest("lab", "MA-4243", 1), "no proposal MA-4243 among yours", id="D1 somebody else's"),
        pytest.param(LaunchRequest("lab", "ma-4242", 1), "no proposal ma-4242 among yours", id="A4 other capitals"),
        pytest.param(LaunchRequest("lab", "MA-424", 1), "no proposal MA-424 among yours", id="A11 a prefix of mine"),
        pytest.param(
            LaunchRequest("lab", "MA-42421", 1), "no proposal MA-42421 among yours", id="A11 mine is its prefix"
        ),
        pytest.param(LaunchRequest("lab", "MA-4242", 3), "has no visit 3", id="a visit that is none"),
        pytest.param(LaunchRequest("lab", "MA-4242"), "which visit", id="two visits, none said"),
        pytest.param(LaunchRequest("lab", "HC-0001"), "which visit", id="no visits at all"),
        pytest.param(LaunchRequest("lab", "HC-0001", 1), "has no visit 1", id="no visits, one said"),
        pytest.param(LaunchRequest("nothing"), "no such application", id="unknown application"),
        pytest.param(LaunchRequest("guide"), "no such application", id="a link is not launched"),
        pytest.param(LaunchRequest("pymca", "LS-1007"), "not offered for proposal LS-1007", id="another beamline's"),
        pytest.param(LaunchRequest("course", "LS-1007"), "not offered for proposal LS-1007", id="not beside data"),
        pytest.param(LaunchRequest("reduce"), "not offered for an own resource", id="not without data"),
        pytest.param(LaunchRequest("pymca", size="small"), "not offered in that size", id="ES47 a size it has not"),
        pytest.param(LaunchRequest("lab", size="huge"), "not offered in that size", id="ES47 a size nobody has"),
        pytest.param(
            LaunchRequest("course", size="large"), "not offered in that size", id="ES47 more than the default"
        ),
    ],
)
def test_refused(asked: LaunchRequest, words: str) -> None:
    with pytest.raises(Refused, match=words) as refused:
        require_choice(CATALOGUE, MINE, asked)
    assert refused.value.for_user


def test_a_strangers_proposal_and_none_are_the_same_answer() -> None:
    """D1: the words depend on the id that was asked, on nothing the facility knows."""

    def answer(known: tuple[Proposal, ...], asked: str) -> str:
        with pytest.raises(Refused) as refused:
            require_choice(CATALOGUE, known, LaunchRequest("lab", asked, 1))
        return str(refused.value).replace(asked, "X")

    assert answer((FOILS,), "MA-4242") == answer((FOILS,), "NOT-THERE") == answer((), "NOT-THERE")


def test_the_proposal_is_asked_before_the_application() -> None:
    """D1: whether a proposal exists cannot be distinguished from complaints about the application."""
    with pytest.raises(Refused, match="no proposal"):
        require_choice(CATALOGUE, (), LaunchRequest("nothing", "MA-4242", 1))
