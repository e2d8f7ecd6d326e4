"""Logout tokens: how old one may be, that none counts twice, and what is remembered of those that did."""

from __future__ import annotations

import time
from typing import Any

import pytest

from daas_hub.authenticators.oidc import logout_tokens
from daas_hub.authenticators.oidc.id_tokens import LEEWAY_S
from daas_hub.authenticators.oidc.logout_tokens import EVENT, MAX_AGE_S, LogoutTokens, SignedOut
from daas_hub.authenticators.oidc.provider import OpenIDProvider
from daas_hub.errors import Refused
from tests.authenticators.oidc.http_provider import Provider
from tests.authenticators.oidc.keys import signed

NOW = int(time.time())


class Logouts:
    """Reads tokens of a provider at moments that a test chooses."""

    def __init__(self, provider: Provider, client: OpenIDProvider) -> None:
        self.now = float(NOW)
        self._provider = provider
        self._tokens = LogoutTokens(client, clock=lambda: self.now)

    async def read(self, token_id: str, **changed: Any) -> SignedOut:
        """Read a token that was issued now."""
        claims = {"iss": self._provider.issuer, "aud": self._provider.claims()["aud"], "sub": "4711", "sid": "s-1"}
        claims |= {"jti": token_id, "iat": int(self.now), "exp": NOW + 3600, "events": {EVENT: {}}} | changed
        present = {name: value for name, value in claims.items() if value is not None}
        return await self._tokens.read(signed(present, typ="logout+jwt"))


@pytest.fixture
def logouts(provider: Provider, client: OpenIDProvider) -> Logouts:
    return Logouts(provider, client)


async def test_it_names_who_signed_out(logouts: Logouts, provider: Provider) -> None:
    found = {await logouts.read("1"), await logouts.read("2", sid=None), await logouts.read("3", sub=None)}
    assert found == {
        SignedOut(provider.issuer, "4711", "s-1"),
        SignedOut(provider.issuer, "4711", ""),
        SignedOut(provider.issuer, "", "s-1"),
    }


async def test_age(logouts: Logouts) -> None:
    oldest = NOW - MAX_AGE_S - LEEWAY_S
    assert (MAX_AGE_S, LEEWAY_S) == (600, 60)
    assert await logouts.read("1", iat=oldest)
    with pytest.raises(Refused, match="too old"):
        await logouts.read("2", iat=oldest - 1)


@pytest.mark.parametrize("name", ["sub", "sid"])
async def test_length(logouts: Logouts, name: str) -> None:
    assert await logouts.read("1", **{name: "x" * 255})
    assert await logouts.read("2", **{name: "x"})
    for value in ("x" * 256, "", "a\nb"):
        with pytest.raises(Refused, match=f"its claim {name} is invalid"):
            await logouts.read("3", **{name: value})


async def test_none_counts_twice_while_it_could_be_sent_again(logouts: Logouts) -> None:
    logouts.now = NOW - MAX_AGE_S - 2 * LEEWAY_S
    await logouts.read("1")
    logouts.now = NOW
    with pytest.raises(Refused, match="used already"):
        await logouts.read("1")
    logouts.now += 1
    assert await logouts.read("1"), "by now the first one is too old, and forgotten"


async def test_no_more_are_remembered_than_the_limit(logouts: Logouts, monkeypatch: pytest.MonkeyPatch) -> None:
    """The oldest is forgotten first."""
    monkeypatch.setattr(logout_tokens, "MAX_REMEMBERED", 3)
    for number in ("1", "2", "3", "4"):
        await logouts.read(number)
    with pytest.raises(Refused, match="used already"):
        await logouts.read("4")
    assert await logouts.read("1")
