"""Refreshes of logins while the provider does not respond: after two, no more are sent for a while."""

from __future__ import annotations

import functools
from typing import Any

import pytest
from tornado import web

from daas_hub.accounts import Identity
from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.oidc import method as method_module
from daas_hub.authenticators.oidc.method import SILENT_REFRESHES, OIDCMethod
from daas_hub.authenticators.oidc.provider_config import read_providers
from daas_hub.errors import ErrorKind, SourceUnavailable
from daas_hub.services.circuit_breaker import RESET_TIMEOUT_S, CircuitBreaker
from tests.authenticators.oidc.http_provider import CLIENT, Clock, Provider


@pytest.fixture
def method(provider: Provider, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> OIDCMethod:
    monkeypatch.setattr(method_module, "CircuitBreaker", functools.partial(CircuitBreaker, clock=clock))
    keys = {"profile": "keycloak", "issuer": provider.issuer, "client_id": CLIENT, "client_secret": "s"}
    return OIDCMethod(read_providers("providers", {"one": keys})["one"], frozenset)


def state_of(provider: Provider) -> dict[str, Any]:
    identity = Identity(provider.issuer, "anna", display_name="Anna Lindqvist")
    return {"identity": identity.as_state(), "sub": "anna", "access_token": "token"}


def status(number: int, text: str = "{}") -> Any:
    def answer(handler: web.RequestHandler) -> None:
        handler.set_status(number)
        handler.set_header("Content-Type", "application/json")
        handler.finish(text)

    return answer


async def kind_of_failure(method: OIDCMethod, provider: Provider) -> ErrorKind:
    with pytest.raises(SourceUnavailable) as caught:
        await method.refresh(state_of(provider))
    return caught.value.kind


async def test_a_provider_that_does_not_respond_is_asked_once_in_a_while(
    provider: Provider, method: OIDCMethod, clock: Clock
) -> None:
    provider.instead["/userinfo"] = status(500)
    for _ in range(SILENT_REFRESHES):
        assert await kind_of_failure(method, provider) == ErrorKind.SERVER_ERROR
    asked = len(provider.asked)
    assert await kind_of_failure(method, provider) == ErrorKind.CIRCUIT_OPEN
    assert len(provider.asked) == asked
    # one refresh tries it again, and the others do not wait for that
    clock.now += RESET_TIMEOUT_S + 1
    assert await kind_of_failure(method, provider) == ErrorKind.SERVER_ERROR
    assert await kind_of_failure(method, provider) == ErrorKind.CIRCUIT_OPEN
    clock.now += RESET_TIMEOUT_S + 1
    provider.instead["/userinfo"] = status(200, '{"sub": "anna"}')
    for _ in range(3):
        assert (await method.refresh(state_of(provider))).identity.subject == "anna"


@pytest.mark.parametrize("number", [401, 403])
async def test_logins_that_the_provider_has_ended_are_responses(
    provider: Provider, method: OIDCMethod, number: int
) -> None:
    """Many people may be signed out at once; whoever comes next is not kept from being asked about."""
    provider.instead["/userinfo"] = status(number)
    for _ in range(2 * SILENT_REFRESHES):
        with pytest.raises(LoginExpired):
            await method.refresh(state_of(provider))


async def test_a_response_without_claims_is_a_response(provider: Provider, method: OIDCMethod) -> None:
    """What is wrong is in the configuration, or concerns one person."""
    provider.instead["/userinfo"] = status(200, "[]")
    for _ in range(2 * SILENT_REFRESHES):
        before = len(provider.asked)
        with pytest.raises(Exception, match="returned no claims"):
            await method.refresh(state_of(provider))
        assert len(provider.asked) > before


async def test_a_login_at_such_a_provider_is_tried(provider: Provider, method: OIDCMethod) -> None:
    """The browser comes from it, so it may respond again."""
    provider.instead["/userinfo"] = status(500)
    for _ in range(SILENT_REFRESHES + 1):
        await kind_of_failure(method, provider)
    address = await method.begin(state="s", verifier="v", challenge="c", callback="http://127.0.0.1/callback")
    assert address.startswith(f"{provider.issuer}/authorize?")
