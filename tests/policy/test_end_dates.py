"""End dates as settings: whose end counts, the refusal with the date, and the warning before it."""

from __future__ import annotations

import datetime
from dataclasses import replace
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.refusals import AccessEnded
from daas_hub.errors import AccountRefused, ConfigurationError
from daas_hub.policy import EndDates
from daas_hub.policy.end_dates import EndRules

PARIS = ZoneInfo("Europe/Paris")
NOW = datetime.datetime(2026, 7, 1, 12, tzinfo=datetime.UTC)
GINA = Account("gina", 25001, 25001)
PAST, TODAY, LATER, MUCH_LATER = (datetime.date(2026, *day) for day in ((6, 30), (7, 1), (7, 10), (12, 31)))


def rules(now: datetime.datetime = NOW, **settings: Any) -> EndRules:
    return replace(EndDates(config=Config({"EndDates": settings})).rules(PARIS), clock=lambda: now)


def login(**claims: Any) -> Identity:
    return Identity("https://login.example.org", "gina", claims=claims)


def member(*groups: str, roles: tuple[str, ...] = (), ends: tuple[datetime.date, ...] = ()) -> Account:
    return replace(GINA, memberships=frozenset(groups), roles=frozenset(roles), ends=ends)


GROUPS = {"groups": {"school": "2026-07-10", "old-school": "2026-06-30"}}


@pytest.mark.parametrize(
    ("settings", "account", "claims", "end"),
    [
        ({}, GINA, {}, None),
        ({}, member(ends=(LATER, MUCH_LATER)), {}, LATER),
        ({}, member(ends=(TODAY,)), {}, TODAY),
        ({"claim": "until"}, GINA, {}, None),
        ({"claim": "until"}, GINA, {"until": ""}, None),
        ({"claim": "until"}, GINA, {"until": "2026-07-10"}, LATER),
        ({"claim": "until"}, GINA, {"until": ["2026-07-10"]}, LATER),
        ({"claim": "until"}, member(ends=(LATER,)), {"until": "2026-12-31"}, LATER),
        ({}, GINA, {"until": "2026-06-30"}, None),
        (GROUPS, member("school"), {}, LATER),
        (GROUPS, member("School"), {}, None),
        (GROUPS, member("school", "old-school"), {}, LATER),
        (GROUPS, member("school", ends=(TODAY,)), {}, TODAY),
        (GROUPS | {"exempt_roles": ["staff"]}, member("old-school", roles=("staff",)), {}, None),
        (GROUPS | {"exempt_roles": ["staff"]}, member("old-school", roles=("staff",), ends=(LATER,)), {}, LATER),
        ({"required_roles": ["guest"]}, member(roles=("guest",), ends=(LATER,)), {}, LATER),
        ({"required_roles": ["guest"]}, GINA, {}, None),
    ],
)
def test_the_end_that_counts(
    settings: dict[str, Any], account: Account, claims: dict[str, Any], end: datetime.date | None
) -> None:
    found = rules(**settings).require_current(account, login(**claims))
    assert found.ends == (() if end is None else (end,))


@pytest.mark.parametrize(
    ("settings", "account", "claims"),
    [
        ({}, member(ends=(PAST,)), {}),
        ({}, member(ends=(MUCH_LATER, PAST)), {}),
        ({"claim": "until"}, GINA, {"until": "2026-06-30"}),
        ({"claim": "until"}, member(ends=(MUCH_LATER,)), {"until": "2026-06-30"}),
        (GROUPS, member("old-school"), {}),
        (GROUPS, member("old-school", ends=(MUCH_LATER,)), {}),
    ],
)
def test_after_it_the_refusal_has_the_date(settings: dict[str, Any], account: Account, claims: dict[str, Any]) -> None:
    with pytest.raises(AccessEnded, match=r"^Your access to this portal ended on 30 June 2026\. Please contact"):
        rules(**settings).require_current(account, login(**claims))


@pytest.mark.parametrize(
    ("settings", "account", "claims", "words"),
    [
        ({"claim": "until"}, GINA, {"until": "soon"}, "The claim 'until' from the login provider is not a date"),
        ({"claim": "until"}, GINA, {"until": ["2026-07-10", "2027-07-10"]}, "is not a date"),
        ({"claim": "until"}, GINA, {"until": 0}, "is not a date"),
        ({"required_roles": ["guest"]}, member(roles=("guest",)), {}, "has the role guest and no end date"),
    ],
)
def test_an_end_that_is_unclear_or_missing_is_refused(
    settings: dict[str, Any], account: Account, claims: dict[str, Any], words: str
) -> None:
    with pytest.raises(AccountRefused, match=words):
        rules(**settings).require_current(account, login(**claims))


@pytest.mark.parametrize(
    ("now", "is_over"),
    [("2026-07-10T21:59:59", False), ("2026-07-10T22:00:00", True), ("2026-07-10T00:00:00", False)],
)
def test_the_day_ends_at_midnight_in_the_facilitys_zone(now: str, is_over: bool) -> None:
    moment = datetime.datetime.fromisoformat(now).replace(tzinfo=datetime.UTC)
    if is_over:
        with pytest.raises(AccessEnded) as refused:
            rules(moment).require_current(member(ends=(LATER,)))
        assert refused.value.ended_at == moment.timestamp()
    else:
        assert rules(moment).require_current(member(ends=(LATER,))).ends == (LATER,)


@pytest.mark.parametrize(
    ("end", "days", "words"),
    [
        (None, 14, ""),
        (datetime.date(2026, 7, 16), 14, ""),
        (datetime.date(2026, 7, 15), 14, "ends in 14 days: on 15 July 2026, at the end of the day. Sessions"),
        (datetime.date(2026, 7, 2), 14, "ends tomorrow: on 2 July 2026, at the end of the day."),
        (TODAY, 14, "ends today: on 1 July 2026, at the end of the day."),
        (TODAY, 0, ""),
        (datetime.datetime.fromisoformat("2026-07-01T18:00"), 1, "ends today: on 1 July 2026, 18:00 CEST. Sessions"),
    ],
)
def test_the_warning_before_it(end: datetime.date | None, days: int, words: str) -> None:
    said = rules(warn_days=days).warning(end)
    assert words in said
    assert bool(words) == bool(said)


@pytest.mark.parametrize("text", ["", "soon", "20260710", "10.07.2026"])
def test_a_date_of_the_configuration_that_cannot_be_read(text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^EndDates.groups = .*the end of 'school', .* is not a date, like"):
        rules(groups={"school": text})
