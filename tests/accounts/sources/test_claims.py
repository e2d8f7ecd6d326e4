"""Accounts that claims describe: of named issuers only, of exact types, and not for ever (B1, B5)."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account, AccountRules, Identity
from daas_hub.accounts.model import AccountFields
from daas_hub.accounts.sources.claims import ClaimsAccounts, ClaimsSource, account_of_claims
from daas_hub.accounts.templates import values_of
from daas_hub.errors import AccountRefused, ConfigurationError, NoAccount, SourceUnavailable

ISSUER = "https://login.facility.org"
NAMES = AccountFields("preferred_username", "uidNumber", "gidNumber", "name", "gids")
GOOD: dict[str, Any] = {"preferred_username": "anna", "uidNumber": 25001, "gidNumber": 25001}
NOW = 1_800_000_000.0


def source(now: float = NOW) -> ClaimsSource:
    return ClaimsSource(frozenset({ISSUER}), NAMES, 900.0, clock=lambda: now)


def anna(issuer: str = ISSUER, received_at: float = NOW, **changes: Any) -> Identity:
    return Identity(issuer, "4711", "Chosen", GOOD | changes, received_at)


@pytest.mark.parametrize(
    ("changes", "account"),
    [
        pytest.param({}, Account("anna", 25001, 25001), id="numbers"),
        pytest.param({"uidNumber": "25001", "gidNumber": ["25001"]}, Account("anna", 25001, 25001), id="Keycloak's"),
        pytest.param({"preferred_username": ["anna"]}, Account("anna", 25001, 25001), id="a name in a list"),
        pytest.param({"gids": [26002, "26001", 25001]}, Account("anna", 25001, 25001, (26001, 26002)), id="groups"),
        pytest.param({"gids": {"ma": 26001}}, Account("anna", 25001, 25001, (26001,)), id="groups with names"),
        pytest.param({"gids": []}, Account("anna", 25001, 25001), id="no groups"),
        pytest.param({"name": "Anna L."}, Account("anna", 25001, 25001, display_name="Anna L."), id="a name to show"),
        pytest.param({"name": ["x"]}, Account("anna", 25001, 25001), id="a name to show that is none"),
    ],
)
async def test_an_account(changes: dict[str, Any], account: Account) -> None:
    found = await source().account_of(anna(**changes))
    assert found == account
    assert AccountRules().require_allowed(found) is found
    assert found.memberships == ({"ma"} if isinstance(changes.get("gids"), dict) else set())


NO_NUMBERS: list[Any] = [
    None,
    True,
    False,
    25001.0,
    1000.5,
    "",
    "x",
    " 25001",
    "025001",
    "-1",
    "0x3e8",
    "１０００",
    "25001\n",
]
NO_NUMBERS += [[], [1000, 2000], ["a"], [True], {}, {"value": 25001}, [[25001]], "1" * 11]


@pytest.mark.parametrize("value", NO_NUMBERS, ids=repr)
@pytest.mark.parametrize("claim", ["uidNumber", "gidNumber"])
def test_invalid_numbers_are_refused(claim: str, value: Any) -> None:
    """B1."""
    with pytest.raises(AccountRefused, match=rf"{claim}.*(not a number|2 values)"):
        account_of_claims(GOOD | {claim: value}, NAMES)


@pytest.mark.parametrize("value", ["26001", 26001, [True], [[26001]], {"ma": "x"}, [26001, None], True, 0.5], ids=repr)
def test_invalid_groups_are_refused(value: Any) -> None:
    """B6: a part of the groups is not taken for all of them."""
    with pytest.raises(AccountRefused, match="gids"):
        account_of_claims(GOOD | {"gids": value}, NAMES)


@pytest.mark.parametrize("value", [None, "", 7, True, ["anna", "ben"], {"anna": 1}, "anna\n", "an\0na"], ids=repr)
def test_invalid_names_are_refused(value: Any) -> None:
    with pytest.raises(AccountRefused, match="preferred_username"):
        account_of_claims(GOOD | {"preferred_username": value}, NAMES)


@pytest.mark.parametrize("number", [0, -1, 65534, 999, 2**32, 2**32 + 1000])
async def test_numbers_no_session_may_have(number: int) -> None:
    """B1: what the provider says is in the portal's range, or refused."""
    with pytest.raises(NoAccount):
        AccountRules().require_allowed(await source().account_of(anna(uidNumber=number)))


@pytest.mark.parametrize("issuer", ["https://evil.example.org", ISSUER + "/", ISSUER.upper(), "", "https://login"])
async def test_claims_of_other_issuers_are_not_trusted(issuer: str) -> None:
    """B5: a uid from UmbrellaID, EGI or a social login is nobody's."""
    with pytest.raises(NoAccount, match="no account"):
        await source().account_of(anna(issuer))


@pytest.mark.parametrize("claims", [{}, {"email": "anna@example.org"}, {"gids": [26001]}])
async def test_a_login_without_these_claims_is_unknown(claims: dict[str, Any]) -> None:
    """B2: unknown, not refused: another source may know it."""
    with pytest.raises(NoAccount) as raised:
        await source().account_of(Identity(ISSUER, "4711", "", claims, NOW))
    assert not isinstance(raised.value, AccountRefused)


@pytest.mark.parametrize(
    ("claim", "value"),
    [("uidNumber", [25001, 25002]), ("gidNumber", ["1", "2"]), ("preferred_username", ["anna", "ben"])],
)
async def test_two_values_where_one_is_expected(claim: str, value: list[Any]) -> None:
    """None of them is chosen, and the sentence says what came."""
    with pytest.raises(AccountRefused, match=rf"{claim}.* has 2 values, where one is expected.*does not help"):
        await source().account_of(anna(**{claim: value}))
    with pytest.raises(NoAccount, match="2 values of the claim"):
        values_of(Identity(ISSUER, "4711", claims={claim: value}), f"{{claim.{claim}}}")


@pytest.mark.parametrize(
    ("received_at", "believed"),
    [(NOW, True), (NOW - 900, True), (NOW - 901, False), (0.0, False), (NOW + 30, True), (NOW + 3600, False)],
)
async def test_claims_expire(received_at: float, believed: bool) -> None:
    """D7: a provider that is down says nothing new, and an old word is no answer."""
    if believed:
        assert (await source().account_of(anna(received_at=received_at))).uid == 25001
    else:
        with pytest.raises(SourceUnavailable, match="out of date"):
            await source().account_of(anna(received_at=received_at))


def test_only_claims_that_are_read_are_kept() -> None:
    assert source().claims == {"preferred_username", "uidNumber", "gidNumber", "gids", "name"}
    fields = AccountFields("preferred_username", "uidNumber", "gidNumber")
    assert ClaimsSource(frozenset({ISSUER}), fields).claims == {"preferred_username", "uidNumber", "gidNumber"}


@pytest.mark.parametrize(("setting", "value", "words"), [("issuers", [], "any issuer"), ("uid_claim", "", "is empty")])
def test_a_configuration_that_cannot_work_is_refused(setting: str, value: Any, words: str) -> None:
    config = Config()
    config.ClaimsAccounts = Config({"issuers": [ISSUER]})
    assert ClaimsAccounts(config=config).source()
    config.ClaimsAccounts = Config({"issuers": [ISSUER], setting: value})
    with pytest.raises(ConfigurationError, match=words):
        ClaimsAccounts(config=config).source()
