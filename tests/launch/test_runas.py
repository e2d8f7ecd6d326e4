"""Under which account a session runs: the person's, or the proposal's (AL51)."""

from __future__ import annotations

import pytest

from daas_hub.accounts import Account
from daas_hub.catalogue import Application, Kind, Size
from daas_hub.errors import Refused
from daas_hub.launch import Choice, RunAs, account_name_for, require_named
from daas_hub.proposals import Proposal, Visit

PYMCA = Application("pymca", "PyMca", Kind.DESKTOP, command=("pymca",))
SMALL = Size("small", "2 processors", 4 * 2**30, 2, 1000, 12)


def beside(proposal: str) -> Choice:
    return Choice(PYMCA, SMALL, Proposal(proposal, "Glass", visits=(Visit(1),)), Visit(1))


@pytest.mark.parametrize(
    ("rules", "proposal", "name"),
    [
        pytest.param(RunAs(), "2026091234", None, id="off: the person's own"),
        pytest.param(RunAs("u{proposal}"), "2026091234", "u2026091234", id="AL51 ALBA's"),
        pytest.param(RunAs("u{proposal}"), "a-1_b", "ua-1_b", id="other letters a name may have"),
        pytest.param(RunAs("u{proposal}"), "MA-4242", "uMA-4242", id="capitals, as accounts may have them"),
        pytest.param(RunAs("u.{proposal}"), "Team24", "u.Team24", id="a dot"),
        pytest.param(RunAs("u{proposal}", {"MA-1": "ma1"}), "MA-1", "ma1", id="a single name first"),
        pytest.param(RunAs("u{proposal}", {"MA-1": "ma1"}), "7", "u7", id="the template for the others"),
        pytest.param(RunAs("", {"MA-1": "ma1"}), "7", None, id="single names only"),
        pytest.param(RunAs("", {"MA-1": "ma1"}), "ma-1", None, id="A4 a proposal in other letters is another"),
    ],
)
def test_the_name(rules: RunAs, proposal: str, name: str | None) -> None:
    assert account_name_for(beside(proposal), rules) == name
    assert account_name_for(Choice(PYMCA, SMALL), rules) is None, "an own resource is the person's"


@pytest.mark.parametrize("proposal", ["a..b", "x" * 40, "..", "a/b", "a b", "", "root:0", "{proposal}"])
def test_ids_that_give_no_name(proposal: str) -> None:
    """Refused, never changed into one: MA-1 and ma-1 must not share an account."""
    rules = RunAs("u{proposal}") if proposal else RunAs("{proposal}-")
    with pytest.raises(Refused, match="not a valid Unix user name"):
        account_name_for(beside(proposal), rules)


def test_only_the_account_that_was_asked_for() -> None:
    account = Account("u1", 30001, 30001)
    assert require_named(account, "u1") is account
    for other in ("u2", "U1", "u1 ", ""):
        with pytest.raises(Refused, match="account other than"):
            require_named(account, other)
