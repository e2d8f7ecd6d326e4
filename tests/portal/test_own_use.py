"""Which proposals the page "Your use and limits" asks for, also while their source is down, and how many it lists."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import pytest

from daas_hub.accounts import Account
from daas_hub.admission.limits import Limits, Use
from daas_hub.admission.own_use import Limited, Scope
from daas_hub.admission.quota import Reservation, Rules
from daas_hub.errors import SourceUnavailable
from daas_hub.portal.own_use import MOST_PROPOSALS, OwnUseHandler, _views
from daas_hub.proposals import Proposal
from tests.admission.scenes import NOW, running

ANNA = Account("anna", 25001, 25001)
LIMITED = Rules(proposal=Limits(cpus=8))
#: MA-9 is not hers any more.
SESSIONS = [running(proposals=("MA-1", "MA-9")), running("ben", proposals=("MA-2",))]


class Facility:
    """A facility where anna has MA-1 and MA-2, as long as its source answers."""

    def __init__(self, *, lists: bool = True, answers: bool = True) -> None:
        self.lists, self.answers = lists, answers

    async def proposals_of(self, account: Account) -> Any:
        if not self.lists:
            raise SourceUnavailable("Too many proposals.")
        return SimpleNamespace(value=[Proposal("MA-1", "Glass"), Proposal("MA-2", "Foils")])

    async def proposal_of(self, account: Account, proposal_id: str) -> Any:
        if not self.answers:
            raise SourceUnavailable("No answer.")
        return SimpleNamespace(value=Proposal(proposal_id, "Glass") if proposal_id in ("MA-1", "MA-2") else None)


@pytest.mark.parametrize(
    ("facility", "rules", "ids", "is_complete"),
    [
        (Facility(), LIMITED, {"MA-1", "MA-2"}, True),
        (Facility(), Rules(reservations=(Reservation(NOW, NOW, 1),)), {"MA-1", "MA-2"}, True),
        (Facility(), Rules(person=Limits(cpus=8)), set(), True),
        # of her own sessions, and of those only what is hers
        (Facility(lists=False), LIMITED, {"MA-1"}, False),
        (Facility(lists=False, answers=False), LIMITED, set(), False),
    ],
    ids=["limited", "reserved", "not needed", "too many", "down"],
)
async def test_whose_sums_are_shown(facility: Facility, rules: Rules, ids: set[str], is_complete: bool) -> None:
    page: Any = SimpleNamespace(facility=facility, current_user=SimpleNamespace(name="anna"), log=logging.getLogger())
    gate: Any = SimpleNamespace(rules=rules)
    assert await OwnUseHandler._proposals(page, ANNA, gate, SESSIONS) == (ids, is_complete)


def test_a_long_list_of_proposals_is_cut_and_says_so() -> None:
    found = [Limited(Scope.PROPOSAL, f"MA-{n}", (Use("cpus", 1, 8),)) for n in range(MOST_PROPOSALS + 3)]
    views = _views(found, ())
    assert [one["title"] for one in views["proposals"]] == [f"MA-{n}" for n in range(MOST_PROPOSALS)]
    assert views["more_proposals"] == 3


def test_nothing_left_is_told_apart_from_nothing_allowed() -> None:
    uses = (Use("gpus", 0, 0), Use("hours", 20.5, 20, 7))
    (own,) = _views([Limited(Scope.PERSON, "", uses)], ())["own"]
    gpus, hours = own["rows"]
    assert (gpus["resource"], gpus["left"], bool(gpus["is_used_up"])) == ("GPUs", "None", False)
    assert (hours["resource"], hours["used"], hours["left"]) == ("Hours in the last 7 days", "20.5", "None")
    assert hours["is_used_up"]
