"""Proposals from names of groups: the rule, whose they are, and patterns that cannot work (AL51, PS, C1, A11)."""

from __future__ import annotations

import re
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account
from daas_hub.errors import ConfigurationError
from daas_hub.proposals import Proposal, Visit
from daas_hub.proposals.group_names import GroupProposal, proposals_in
from daas_hub.proposals.sources.groups import GroupProposals

PSI = "(?P<proposal>p[0-9]{5})"
DIAMOND = "(?P<proposal>[a-z]{2}[0-9]+)(?:_(?P<visit>[0-9]+))?"


def account_in(*groups: str, name: str = "anna") -> Account:
    numbers = {26001 + index: group for index, group in enumerate(groups)}
    return Account(name, 25001, 25001, tuple(numbers), numbers)


def source(**settings: str) -> GroupProposals:
    return GroupProposals(config=Config({"GroupProposals": settings}))


@pytest.mark.parametrize(
    ("pattern", "groups", "proposals"),
    [
        pytest.param(PSI, ["users", "p12345"], [Proposal("p12345", "p12345", visits=(Visit(1),), gid=26002)], id="PSI"),
        pytest.param(PSI, ["p12345", "p12346"], ["p12345", "p12346"], id="two"),
        pytest.param(PSI, [], [], id="none"),
        pytest.param(PSI, ["xp12345", "p123456", "p1234", "P12345", "p12345 ", "p12345\n"], [], id="A11 C1 near it"),
        pytest.param(PSI, ["p１２３４５", "p1234\u0665"], [], id="C1 digits of other scripts"),
        pytest.param("(?P<proposal>.*)", ["../x", "", "a/b", "-rf", "p:1", "p" * 65], [], id="A1 hostile names"),
        pytest.param(
            DIAMOND,
            ["mx12345_7", "mx12345_8"],
            [Proposal("mx12345", "mx12345", visits=(Visit(7), Visit(8)))],
            id="visits alone",
        ),
        pytest.param(
            DIAMOND,
            ["mx12345_7", "mx12345"],
            [Proposal("mx12345", "mx12345", visits=(Visit(1),), gid=26002)],
            id="a visit and the whole",
        ),
        pytest.param(DIAMOND, ["mx12345_-1", "mx12345_99999999999"], [], id="J3 visits that are none"),
        pytest.param(
            DIAMOND,
            ["mx12345_0"],
            [Proposal("mx12345", "mx12345", visits=(Visit(0),))],
            id="the facility's first visit",
        ),
        pytest.param(
            "(?P<beamline>id[0-9]+)-(?P<proposal>ma[0-9]+)",
            ["id21-ma4242"],
            [Proposal("ma4242", "ma4242", beamlines=("id21",), visits=(Visit(1, beamline="id21"),), gid=26001)],
            id="with its beamline",
        ),
        pytest.param(
            "data_(?P<proposal>ma[0-9]+)(?:_.*)?", ["data_ma1", "data_ma1_staff"], ["ma1"], id="two groups of one"
        ),
    ],
)
async def test_whose_proposals(pattern: str, groups: list[str], proposals: list[Any]) -> None:
    found = await source(pattern=pattern).proposals_of(account_in(*groups))
    told = [one.id if isinstance(wanted, str) else one for one, wanted in zip(found, proposals, strict=False)]
    assert told == proposals
    assert len(found) == len(proposals)


async def test_a_name_the_account_is_no_member_of_does_not_count() -> None:
    """D1: a table of names is not a list of memberships."""
    account = Account("anna", 25001, 25001, (26001,), {26001: "p11111", 26002: "p22222"})
    assert [one.id for one in await source(pattern=PSI).proposals_of(account)] == ["p11111"]


async def test_an_account_of_a_proposal() -> None:
    """AL51: ALBA has an account for each proposal."""
    found = source(account_pattern="u(?P<proposal>[0-9]{10})", title="Proposal {proposal}")
    (proposal,) = await found.proposals_of(account_in(name="u2026012345"))
    assert (proposal.id, proposal.title, proposal.gid) == ("2026012345", "Proposal 2026012345", 25001)
    assert await found.proposals_of(account_in("u2026012345")) == (), "a group is no account"


def test_the_first_group_of_a_whole_proposal_is_its_group() -> None:
    pattern = re.compile("(?P<proposal>ma1).*")
    assert proposals_in(pattern, [(5, "ma1"), (4, "ma1_b")]) == [GroupProposal("ma1", True, 5)]


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        pytest.param({}, "is not set", id="none"),
        pytest.param({"pattern": "p[0-9]+"}, 'no group "proposal"', id="no part"),
        pytest.param({"pattern": "(?P<proposal>p[0-9+"}, "not a regular expression", id="half of one"),
        pytest.param({"pattern": "(?P<proposal>p)(?P<visti>[0-9])"}, "the unknown group visti", id="a misspelt part"),
    ],
)
def test_a_configuration_that_cannot_work_is_refused(settings: dict[str, str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as raised:
        source(**settings)
    assert raised.value.setting == "GroupProposals.pattern"
    assert raised.value.remedy
