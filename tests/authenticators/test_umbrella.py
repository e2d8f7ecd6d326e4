"""What an authenticator keeps of a login, and asks again about: the walk of a whole login is tests/hub."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from daas_hub.accounts import Identity
from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.oidc.claims import kept_claims
from daas_hub.authenticators.oidc.logout_tokens import SignedOut
from daas_hub.authenticators.oidc.provider import MAX_TOKEN_BYTES
from daas_hub.authenticators.revocation.logins import ended_state
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.errors import ConfigurationError, NoAccount, Refused, SourceUnavailable
from tests.authenticators.facility import ANNA, ISSUER, ONE, FakeFacility, answers, authenticator, hub_user

TWO = {
    "umbrella": {"profile": "umbrella", "issuer": ISSUER, "client_id": "a", "client_secret": "x"},
    "egi": {"profile": "egi", "client_id": "b", "client_secret": "y"},
}


def state_of(door: UmbrellaAuthenticator, login: Login) -> dict[str, Any]:
    return login.as_state(next(iter(door.methods)))


def test_the_access_token_goes_with_the_identity() -> None:
    """Sources that are asked in the person's name find it there (L3)."""
    state = Login(ANNA, {"refresh_token": "again"}).as_state("openid")
    identity = Identity.from_state(state["identity"])
    assert identity == ANNA
    assert identity is not None
    assert identity.access_token == "first"  # no secret: a test's
    assert state["refresh_token"] == "again"


async def test_new_tokens_are_kept_although_the_facility_does_not_answer(facility: FakeFacility, db: Any) -> None:
    """F7: the old refresh token may be void already."""
    door = authenticator(facility, **ONE)
    user = await hub_user(db, ANNA.hub_name, state_of(door, Login(ANNA, {"refresh_token": "old"})))
    answers(door, Login(ANNA, {"refresh_token": "new"}))
    facility.account = SourceUnavailable("down")
    assert await door.refresh_user(user) is True
    state = await user.get_auth_state()
    assert state is not None
    assert state["refresh_token"] == "new"


@pytest.mark.parametrize(
    ("answer", "account", "expected"),
    [
        pytest.param(LoginExpired("over"), None, False, id="the provider says no"),
        pytest.param(SourceUnavailable("down"), None, True, id="the provider does not answer"),
        pytest.param(None, NoAccount("gone"), False, id="the account is gone"),
        pytest.param(None, SourceUnavailable("down"), True, id="the facility does not answer"),
    ],
)
async def test_what_a_refresh_says(facility: FakeFacility, db: Any, answer: Any, account: Any, expected: bool) -> None:
    door = authenticator(facility, **ONE)
    login = Login(ANNA)
    answers(door, answer or login)
    facility.account = account
    user = await hub_user(db, ANNA.hub_name, state_of(door, login))
    assert await door.refresh_user(user) is expected


@pytest.mark.parametrize(
    "state",
    [
        pytest.param(None, id="nothing is kept"),
        pytest.param({"method": "gone", "identity": ANNA.as_state()}, id="a provider that was removed"),
        pytest.param(
            {"method": "openid", "identity": Identity("https://other.example", "anna").as_state()}, id="moved"
        ),
        pytest.param({"method": "openid", "ended": ANNA.as_state()}, id="a login that was ended"),
        pytest.param({"identity": ANNA.as_state()}, id="no login method"),
    ],
)
async def test_a_login_the_configuration_does_not_know_ends(
    facility: FakeFacility, db: Any, state: Any, caplog: Any
) -> None:
    """D6: with a line in the log that says why, and no token in it."""
    door = authenticator(facility, **ONE)
    assert await door.refresh_user(await hub_user(db, ANNA.hub_name, state)) is False
    assert "first" not in caplog.text


def test_several_providers_are_offered_in_their_order(facility: FakeFacility) -> None:
    door = authenticator(facility, providers=TWO, oauth_callback_url="https://daas.example/hub/oauth_callback")
    assert [(method["title"], method["url"]) for method in door.login_methods("/hub/")] == [
        ("UmbrellaID", "/hub/oauth_login/umbrella"),
        ("EGI Check-in", "/hub/oauth_login/egi"),
    ]
    assert door.login_url("/hub/") == "/hub/login"
    assert [method.callback for method in door.methods.values()] == [  # type: ignore[attr-defined]
        "https://daas.example/hub/oauth_callback/umbrella",
        "https://daas.example/hub/oauth_callback/egi",
    ]


def test_one_provider_keeps_its_addresses(facility: FakeFacility) -> None:
    door = authenticator(facility, **ONE, login_service="UmbrellaID")
    assert door.login_methods("/hub/") == [{"name": "openid", "title": "UmbrellaID", "url": "/hub/oauth_login"}]
    assert [handler[0] for handler in door.methods["openid"].handlers()] == [
        "/oauth_login", "/oauth_callback", "/oauth_backchannel_logout",
    ]  # fmt: skip
    assert door.login_url("/hub/") == "/hub/oauth_login"


def test_settings_that_contradict_each_other_are_reported(facility: FakeFacility) -> None:
    with pytest.raises(ConfigurationError, match="no effect with"):
        authenticator(facility, providers=TWO, oidc_issuer=ISSUER)
    with pytest.raises(ConfigurationError, match="auto_login"):
        authenticator(facility, providers=TWO, auto_login=True)


def test_only_claims_that_are_read_are_kept() -> None:
    """ES20: what nothing reads is not at rest anywhere, encrypted or not."""
    told = {"sub": "4711", "email": "anna@example.org", "uidNumber": 25001, "groups": ["a"]}
    assert kept_claims(told, frozenset({"uidNumber", "groups", "absent"})) == {"uidNumber": 25001, "groups": ["a"]}
    assert kept_claims(told, frozenset()) == {}


def test_groups_are_found_by_one_name_wherever_a_provider_puts_them() -> None:
    told = {"eduperson_entitlement": ["urn:x:group:y"]}
    assert kept_claims(told, frozenset({"groups"}), "eduperson_entitlement") == {"groups": ["urn:x:group:y"]}
    both = told | {"groups": ["own"]}
    assert kept_claims(both, frozenset({"groups"}), "eduperson_entitlement") == {"groups": ["own"]}


def test_a_claim_as_large_as_a_flood_is_refused_and_not_read_as_none() -> None:
    told = {"groups": ["x" * 100] * 3000, "few": ["x" * 100] * 10}
    assert set(kept_claims(told, frozenset({"few"}))) == {"few"}
    with pytest.raises(Refused, match=r"claim groups with 3,000 values has \d+,000 bytes.* 262,144.*max_token_b"):
        kept_claims(told, frozenset(told))
    with pytest.raises(Refused, match="claim text"):
        kept_claims({"text": "x" * MAX_TOKEN_BYTES}, frozenset({"text"}))


# -- told of a logout ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("who", "ended"),
    [
        pytest.param(SignedOut(ISSUER, "anna", "s1"), ["anna"], id="a person and the newest login"),
        pytest.param(SignedOut(ISSUER, "anna", "s0"), ["anna"], id="a person and an older login: all of them end"),
        pytest.param(SignedOut(ISSUER, "anna", ""), ["anna"], id="a person"),
        pytest.param(SignedOut(ISSUER, "", "s1"), ["anna"], id="a login"),
        pytest.param(SignedOut(ISSUER, "", "s9"), [], id="a login nobody has"),
        pytest.param(SignedOut(ISSUER, "nobody", "s1"), [], id="another person's name with her login"),
        pytest.param(SignedOut(ISSUER, "", ""), [], id="nobody"),
    ],
)
@pytest.mark.parametrize("stops", [False, True])
async def test_whose_logins_a_logout_ends(
    facility: FakeFacility, db: Any, who: SignedOut, ended: list[str], stops: bool
) -> None:
    """F9: who has the subject or the login session at this provider; sessions continue unless configured otherwise."""
    door = authenticator(facility, **ONE, stop_sessions_at_logout=stops)
    proxy = Proxy()
    door._app = SimpleNamespace(proxy=proxy)
    states = {
        "anna": Login(ANNA, {"sub": "anna", "sid": "s1"}).as_state("openid"),
        "ben": Login(Identity(ISSUER, "ben"), {"sub": "ben", "sid": "s2"}).as_state("openid"),
        "elsewhere": Login(Identity("https://other.example", "anna"), {"sub": "anna", "sid": "s1"}).as_state("openid"),
        "removed": Login(ANNA, {"sub": "anna", "sid": "s1"}).as_state("gone"),
        "over": {"method": "openid", "ended": ANNA.as_state(), "sub": "anna", "sid": "s1"},
    }
    door.users = tuple([Running(await hub_user(db, name, state)) for name, state in states.items()])
    assert await door.signed_out(door.methods["openid"], who) == len(ended)  # type: ignore[arg-type]
    left = {user.name for user in door.users if "identity" in (await user.get_auth_state() or {})}
    assert left == {"anna", "ben", "elsewhere", "removed"} - set(ended)
    assert proxy.removed == (ended if stops else [])
    assert [user.name for user in door.users if user.stopped] == (ended if stops else [])


class Proxy:
    """The hub's proxy, which is told whose routes to remove."""

    def __init__(self) -> None:
        self.removed: list[str] = []

    async def delete_user(self, user: Any, _name: str) -> None:
        self.removed.append(user.name)


class Running:
    """A user of the hub with one running session."""

    def __init__(self, user: Any) -> None:
        self._user = user
        self.spawners = {"one": SimpleNamespace(active=True, pending=None, oauth_client_id="jupyterhub-user-one")}
        self.stopped: list[str] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._user, name)

    async def stop(self, name: str) -> None:
        self.stopped.append(name)


def test_what_is_kept_of_a_login_that_was_ended() -> None:
    """D13: who it was, so that the watch still knows whose sessions run; no token, and nothing a page would accept."""
    state = Login(ANNA, {"access_token": "first", "refresh_token": "more", "id_token": "x"}).as_state("openid")
    kept = ended_state(state)
    assert "first" not in str(kept)
    assert "more" not in str(kept)
    assert Identity.from_state(kept.get("identity")) is None
    assert Identity.from_state(kept["ended"]) == Identity(ISSUER, "anna", "Anna")
    assert ended_state(kept) == kept
    assert ended_state({}) == {}
