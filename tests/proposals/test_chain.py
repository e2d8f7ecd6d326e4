"""Several sources joined: who knows what, who contradicts whom, and one that is silent (D7)."""

from __future__ import annotations

import logging
from dataclasses import replace

import pytest

from daas_hub.accounts import Account
from daas_hub.errors import SourceUnavailable
from daas_hub.proposals import ChainedProposals, Proposal, Visit
from daas_hub.proposals.chain import merge

ANNA = Account("anna", 25001, 25001)
FIRST = Visit(1, "Reference", "ID21", data=("/data/visitor/a",), name="S1")
GLASS = Proposal("MA-4242", "Roman glass", "Traces", ("ID21",), (FIRST,), 26001)
FOILS = Proposal("LS-1007", "Foils")
#: The same proposal from a source that knows no more than that it exists.
BARE = Proposal("MA-4242", "MA-4242", visits=(Visit(1),))


class Told:
    """A source that says this, or does not answer."""

    def __init__(self, *proposals: Proposal, down: bool = False) -> None:
        self.proposals = proposals
        self.down = down

    async def proposals_of(self, account: Account) -> tuple[Proposal, ...]:
        assert account is ANNA
        if self.down:
            raise SourceUnavailable("The data catalogue does not answer.")
        return self.proposals


@pytest.mark.parametrize(
    ("one", "other", "merged"),
    [
        pytest.param((GLASS,), (FOILS,), (GLASS, FOILS), id="two of them, in the order of the sources"),
        pytest.param((GLASS,), (), (GLASS,), id="one knows nothing"),
        pytest.param((GLASS,), (GLASS,), (GLASS,), id="both say the same"),
        pytest.param((GLASS,), (BARE,), (GLASS,), id="the first knows more"),
        pytest.param((BARE,), (GLASS,), (GLASS,), id="the second knows more"),
        pytest.param(
            (GLASS,), (replace(GLASS, title="Glass", abstract="x"),), (GLASS,), id="in texts the first has the word"
        ),
        pytest.param(
            (GLASS,),
            (replace(BARE, visits=(Visit(2, data=("/data/b",)),)),),
            (replace(GLASS, visits=(FIRST, Visit(2, data=("/data/b",)))),),
            id="each knows a visit",
        ),
    ],
)
def test_sources_that_agree(
    one: tuple[Proposal, ...], other: tuple[Proposal, ...], merged: tuple[Proposal, ...]
) -> None:
    assert merge({"icat": one, "static": other}) == (merged, [])


@pytest.mark.parametrize(
    ("other", "about"),
    [
        pytest.param(replace(GLASS, gid=26002), "its group (26001, 26002)", id="B6 another group"),
        pytest.param(replace(GLASS, id="ma-4242"), "its id (ma-4242)", id="A4 capitals"),
        pytest.param(
            replace(GLASS, visits=(replace(FIRST, data=("/data/visitor/b",)),)), "data directories", id="A5 other data"
        ),
        pytest.param(
            replace(GLASS, visits=(replace(FIRST, data=("/data/visitor/a", "/data/visitor/b")),)),
            "data directories",
            id="A5 one directory more",
        ),
        pytest.param(replace(GLASS, visits=(replace(FIRST, beamline="ID22"),)), "beamline", id="another beamline"),
        pytest.param(replace(GLASS, visits=(replace(FIRST, name="S2"),)), "name", id="another name of the visit"),
    ],
)
def test_a_proposal_about_which_sources_disagree_is_left_out(other: Proposal, about: str) -> None:
    """Deny by default: whose word would it be? The others stay."""
    proposals, problems = merge({"icat": (GLASS, FOILS), "static": (other,), "third": (GLASS,)})
    assert proposals == (FOILS,)
    (problem,) = problems
    assert problem.startswith("MA-4242: icat and static disagree about ")
    assert about in problem


async def test_left_out_proposals_are_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    chain = ChainedProposals({"icat": Told(GLASS, FOILS), "static": Told(replace(GLASS, gid=26002))})
    for _ in range(3):
        assert await chain.proposals_of(ANNA) == (FOILS,)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "MA-4242" in caplog.text


@pytest.mark.parametrize("first_is_down", [True, False])
async def test_one_source_that_is_down_makes_all_unavailable(first_is_down: bool) -> None:
    """D7: it might have disagreed."""
    chain = ChainedProposals({"icat": Told(GLASS, down=first_is_down), "static": Told(FOILS, down=not first_is_down)})
    with pytest.raises(SourceUnavailable, match="data catalogue"):
        await chain.proposals_of(ANNA)
