"""Several sources of accounts: all that know a login agree, or nobody gets in (B3, B4)."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from daas_hub.accounts import Account, Identity, NamedAccounts
from daas_hub.accounts.agreement import AgreeingSources
from daas_hub.accounts.refusals import no_account
from daas_hub.errors import AccountRefused, NoAccount, SourceUnavailable

IDENTITY = Identity("https://login.example.org", "4711", "Anna")
ANNA = Account("anna", 25001, 25001, (26001, 26002), {26001: "ma"}, "", frozenset({"guide"}), frozenset({"ma"}))
DOWN = SourceUnavailable("The directory does not answer.")
TWICE = AccountRefused("There are two of you.")


class Says:
    """A source that gives one answer to everybody."""

    def __init__(self, answer: Account | Exception | None, *claims: str) -> None:
        self.answer = answer
        self.claims = frozenset(claims)

    async def account_of(self, identity: Identity) -> Account:
        if isinstance(self.answer, Account):
            return self.answer
        raise self.answer or no_account()


class SaysByName(Says):
    """The same, and it knows accounts by name."""

    async def account_named(self, name: str) -> Account:
        return await self.account_of(IDENTITY)


def asked(*answers: Any, merge_groups: bool = False) -> AgreeingSources:
    return AgreeingSources(
        {f"source{place}": Says(answer) for place, answer in enumerate(answers)}, merge_groups=merge_groups
    )


@pytest.mark.parametrize(
    "answers",
    [
        pytest.param((ANNA, ANNA), id="both the same"),
        pytest.param((ANNA, None), id="only the first knows it"),
        pytest.param((None, ANNA), id="only the second knows it"),
        pytest.param((None, ANNA, None, ANNA), id="two of four know it"),
        pytest.param((ANNA, replace(ANNA, groups=(26002, 26001))), id="groups in another order"),
        pytest.param((ANNA, replace(ANNA, groups=(26001, 26002, 25001))), id="one lists the main group, too"),
        pytest.param((ANNA, replace(ANNA, display_name="Anna L.")), id="a name to show is no disagreement"),
    ],
)
async def test_agreement(answers: tuple[Any, ...]) -> None:
    account = await asked(*answers).account_of(IDENTITY)
    assert (account.name, account.uid, account.gid) == ("anna", 25001, 25001)
    assert set(account.groups) - {25001} == {26001, 26002}
    assert account.group_names == {26001: "ma"}


@pytest.mark.parametrize(
    ("other", "what"),
    [
        pytest.param(replace(ANNA, name="ben"), "name", id="B4 another name"),
        pytest.param(replace(ANNA, name="Anna"), "name", id="C1 capitals"),
        pytest.param(replace(ANNA, uid=25002), "uid", id="B4 another uid"),
        pytest.param(replace(ANNA, uid="25001"), "uid", id="B1 a text for the uid"),
        pytest.param(replace(ANNA, gid=25002), "gid", id="B4 another gid"),
        pytest.param(replace(ANNA, groups=(26001,)), "groups", id="B6 fewer groups"),
        pytest.param(replace(ANNA, groups=(26001, 26002, 26003)), "groups", id="B6 more groups"),
        pytest.param(replace(ANNA, groups=()), "groups", id="B6 no groups"),
    ],
)
@pytest.mark.parametrize("turned", [False, True], ids=["", "turned round"])
async def test_disagreement_is_refused(
    other: Account, what: str, turned: bool, caplog: pytest.LogCaptureFixture
) -> None:
    """B4: in words for the person, with both numbers for the administrator; nobody is first."""
    answers = (other, ANNA) if turned else (ANNA, other)
    with caplog.at_level(logging.ERROR), pytest.raises(AccountRefused, match=f"about the {what} of") as refused:
        await asked(*answers).account_of(IDENTITY)
    assert refused.value.for_user
    assert "source0" not in str(refused.value)
    assert f"disagree about the {what} of '4711'" in caplog.text
    assert "source0 says" in caplog.text
    assert "source1 says" in caplog.text


@pytest.mark.parametrize(
    ("answers", "error"),
    [
        pytest.param((None, None), NoAccount, id="B2 nobody knows it"),
        pytest.param((ANNA, DOWN), SourceUnavailable, id="D7 one knows it, one is down"),
        pytest.param((DOWN, ANNA), SourceUnavailable, id="D7 the same, turned round"),
        pytest.param((None, DOWN), SourceUnavailable, id="D7 one does not, one is down"),
        pytest.param((DOWN, DOWN), SourceUnavailable, id="D7 all are down"),
        pytest.param((ANNA, TWICE), AccountRefused, id="B4 one knows it, one has two of it"),
        pytest.param((None, TWICE), AccountRefused, id="B4 one does not, one has two of it"),
        pytest.param((ANNA, RuntimeError("a mistake of ours")), RuntimeError, id="a mistake is not hidden"),
    ],
)
async def test_nothing_is_concluded_from_a_part(answers: tuple[Any, ...], error: type[Exception]) -> None:
    with pytest.raises(error) as raised:
        await asked(*answers).account_of(IDENTITY)
    assert type(raised.value) is error


async def test_groups_are_merged_if_configured() -> None:
    other = replace(ANNA, groups=(26003,), group_names={26003: "id21"}, memberships=frozenset({"id21"}))
    account = await asked(ANNA, other, merge_groups=True).account_of(IDENTITY)
    assert account.groups == (26001, 26002, 26003)
    assert account.group_names == {26001: "ma", 26003: "id21"}
    assert account.memberships == {"ma", "id21"}
    with pytest.raises(AccountRefused, match="uid"):
        await asked(ANNA, replace(other, uid=25002), merge_groups=True).account_of(IDENTITY)


async def test_groups_are_not_merged_by_default() -> None:
    other = replace(ANNA, groups=(26003,))
    with pytest.raises(AccountRefused):
        await AgreeingSources({"one": Says(ANNA), "two": Says(other)}).account_of(IDENTITY)


async def test_accounts_by_name_come_from_those_that_know_names() -> None:
    """AL51."""
    both = AgreeingSources({"one": Says(replace(ANNA, uid=1)), "two": SaysByName(ANNA), "three": SaysByName(ANNA)})
    assert isinstance(both, NamedAccounts)
    assert await both.account_named("anna") == ANNA
    differ = AgreeingSources({"two": SaysByName(ANNA), "three": SaysByName(replace(ANNA, uid=25002))})
    assert isinstance(differ, NamedAccounts)
    with pytest.raises(AccountRefused, match="uid"):
        await differ.account_named("anna")
    assert not isinstance(asked(ANNA), NamedAccounts)


def test_the_claims_of_all_are_kept() -> None:
    assert AgreeingSources({"a": Says(None, "uid"), "b": Says(None, "gid", "uid")}).claims == {"uid", "gid"}
