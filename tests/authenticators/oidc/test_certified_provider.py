"""One login method at a certified provider: login, refresh and logout, with each profile's claims."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from oauthenticator.oauth2 import OAuthLoginHandler

from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.oidc.id_tokens import verify_id_token
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.oidc.provider import KEYS_AGAIN_S, KEYS_KEPT_S, OpenIDProvider
from daas_hub.authenticators.oidc.provider_config import read_providers
from daas_hub.errors import Refused
from tests.stand_ins.openid import CertifiedProvider, start_provider

PORTAL = "http://127.0.0.1:8000"
CALLBACK = f"{PORTAL}/hub/oauth_callback/one"
WANTED = frozenset({"groups", "uidNumber"})
SUBJECTS = {
    "generic": "anna",
    "keycloak": "anna",
    "egi": "anna0123456789abcdef@egi.eu",
    "eduteams": "anna",
    "umbrella": "b0744680-2aa3-4000-8000-anna00000000",
}


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def provider() -> Iterator[Callable[..., CertifiedProvider]]:
    running: list[CertifiedProvider] = []

    def start(profile: str = "generic", **options: Any) -> CertifiedProvider:
        running.append(start_provider(profile, portal=PORTAL, name="one", **options))
        return running[-1]

    yield start
    for one in running:
        one.stop()


def method_of(provider: CertifiedProvider, profile: str = "generic", **keys: Any) -> OIDCMethod:
    known = {"profile": profile, "issuer": provider.issuer, "client_id": "daas-hub", "client_secret": "not-a-secret"}
    settings = read_providers("test", {"one": known | keys})["one"]
    return OIDCMethod(settings, lambda: WANTED, callback=CALLBACK)


async def sign_in(method: OIDCMethod, provider: CertifiedProvider, sub: str = "anna") -> Login:
    """Go the whole method of a login."""
    verifier, challenge = OAuthLoginHandler._generate_pkce_params(None)
    url = await method.begin(state="s", verifier=verifier, challenge=challenge, callback=CALLBACK)
    back = provider.walk(url, sub)
    assert back["state"] == "s"
    await method.require_from_here(back.get("iss"))
    return await method.finish(code=back["code"], verifier=verifier, callback=CALLBACK)


@pytest.mark.parametrize("profile", SUBJECTS)
async def test_each_profile_finds_who_it_is(provider: Callable[..., CertifiedProvider], profile: str) -> None:
    """ES09, EL14, SO03, DI08, DE12: EGI Check-in, eduTEAMS, UmbrellaID, Keycloak and any other, by their profile."""
    running = provider(profile)
    method = method_of(running, profile)
    login = await sign_in(method, running)
    assert (login.identity.issuer, login.identity.subject) == (running.issuer, SUBJECTS[profile])
    assert login.identity.display_name == ("anna" if profile == "umbrella" else "Anna Lindqvist")
    entitled = ["urn:mace:egi.eu:group:ma-4242:role=member#aai.egi.eu"]
    groups = {"keycloak": ["/proposals/ma-4242"], "egi": entitled, "eduteams": entitled}
    assert login.identity.claims.get("groups") == groups.get(profile)
    state = login.as_state("one")
    assert method.knows(state)
    again = await method.refresh(state)
    assert again.identity == login.identity
    assert again.kept["sid"] == login.kept["sid"] != ""


async def test_claims_of_the_id_token_alone(provider: Callable[..., CertifiedProvider]) -> None:
    """A provider whose userinfo says nothing (`userinfo: False`), also when it is asked again."""
    running = provider("keycloak")
    method = method_of(running, "keycloak", userinfo=False)
    login = await sign_in(method, running)
    assert login.identity.claims == {"groups": ["/proposals/ma-4242"], "uidNumber": "25001"}
    again = await method.refresh(login.as_state("one"))
    assert again.identity == login.identity
    assert again.kept["refresh_token"] != login.kept["refresh_token"]


async def test_an_access_token_that_is_over_is_renewed(provider: Callable[..., CertifiedProvider]) -> None:
    """F7: by the refresh token, which is another afterwards; the old one used twice ends the login at the provider."""
    running = provider("egi")
    method = method_of(running, "egi")
    login = await sign_in(method, running)
    # one that is over looks like one that never was
    state = login.as_state("one") | {"access_token": "over"}
    again = await method.refresh(state)
    assert again.identity == login.identity
    assert again.kept["access_token"] not in ("over", login.kept["access_token"])
    assert again.kept["refresh_token"] != login.kept["refresh_token"]
    with pytest.raises(LoginExpired):
        await method.refresh(state)


@pytest.mark.parametrize("what", ["revoke", "remove"])
async def test_a_login_that_was_revoked_is_over(provider: Callable[..., CertifiedProvider], what: str) -> None:
    """D6."""
    running = provider()
    method = method_of(running)
    login = await sign_in(method, running)
    running.control(what, "anna")
    with pytest.raises(LoginExpired):
        await method.refresh(login.as_state("one"))


async def test_rotation_of_keys(provider: Callable[..., CertifiedProvider]) -> None:
    """F8: a new key is found; one that was withdrawn is refused once its time is over."""
    running = provider()
    method, clock = method_of(running), Clock()
    method.provider = OpenIDProvider(running.issuer, "daas-hub", clock=clock)
    old = await sign_in(method, running)
    running.control("keys/add")
    clock.now += KEYS_AGAIN_S + 1
    new = await sign_in(method, running)
    assert new.identity == old.identity
    assert await verify_id_token(method.provider, old.kept["id_token"], nonce=None)
    running.control("keys/withdraw")
    clock.now += KEYS_KEPT_S + 1
    with pytest.raises(Refused, match="does not publish"):
        await verify_id_token(method.provider, old.kept["id_token"], nonce=None)
    assert await verify_id_token(method.provider, new.kept["id_token"], nonce=None)


async def test_assurance_that_is_needed(provider: Callable[..., CertifiedProvider]) -> None:
    running = provider("egi", people={"ben": {"eduperson_assurance": ["https://aai.egi.eu/LoA#Low"]}})
    method = method_of(running, "egi", required_assurance=["https://refeds.org/assurance/IAP/medium", "x"])
    assert await sign_in(method, running)
    with pytest.raises(Refused, match="level of assurance"):
        await sign_in(method, running, "ben")


async def test_the_providers_own_accounts_are_nobody(provider: Callable[..., CertifiedProvider]) -> None:
    running = provider("eduteams", people={"test@eduteams.org": {}})
    method = method_of(running, "eduteams")
    with pytest.raises(Refused, match="monitoring"):
        await sign_in(method, running, "test@eduteams.org")


async def test_an_identifier_that_is_not_released_is_no_login(provider: Callable[..., CertifiedProvider]) -> None:
    """F7: `sub` does not take its place, or the person would be another."""
    running = provider("generic")
    method = method_of(running, "egi", scope=["openid", "profile"])
    with pytest.raises(Refused, match="the claim voperson_id"):
        await sign_in(method, running)


async def test_where_a_browser_signs_out(provider: Callable[..., CertifiedProvider]) -> None:
    running = provider()
    method = method_of(running)
    login = await sign_in(method, running)
    address = await method.logout_url(login.as_state("one"), f"{PORTAL}/hub/logged-out")
    assert address.startswith(f"{running.issuer}/session/end?")
    assert "id_token_hint=" in address
    too_long = await method.logout_url({"id_token": "x" * 9000}, f"{PORTAL}/hub/logged-out")
    assert "id_token_hint" not in too_long
    assert "client_id=daas-hub" in too_long
