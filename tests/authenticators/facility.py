"""A facility as an authenticator sees it: accounts by identity, and answers that a test sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub.crypto import CryptKeeper

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.elevation import ElevationRules
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.facility import Facility

ISSUER = "https://login.example.org/realms/users"


ONE = {"oidc_issuer": ISSUER, "client_id": "daas-hub", "client_secret": "x"}


ANNA = Identity(ISSUER, "anna", "Anna", access_token="first")  # no secret: a test's


class FakeFacility:
    claims: frozenset[str] = frozenset()
    elevation = ElevationRules()
    account: Any = Account("anna", 25001, 25001)

    async def account_of(self, identity: Identity) -> Account:
        if isinstance(self.account, Exception):
            raise self.account
        return self.account


@pytest.fixture
def facility(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeFacility]:
    monkeypatch.setenv("JUPYTERHUB_CRYPT_KEY", "0123456789abcdef" * 4)
    CryptKeeper.clear_instance()
    facility = FakeFacility()
    monkeypatch.setattr(Facility, "of", lambda _config: facility)
    yield facility
    CryptKeeper.clear_instance()


class User:
    """A person as the hub knows them."""

    name = "anna"

    def __init__(self, state: dict[str, Any] | None) -> None:
        self.state = state

    async def get_auth_state(self) -> dict[str, Any] | None:
        return self.state

    async def save_auth_state(self, state: dict[str, Any] | None) -> None:
        self.state = state


def answers(monkeypatch: pytest.MonkeyPatch, door: UmbrellaAuthenticator, answer: Any) -> list[Any]:
    """Let the only login method say this when it is asked again; give the list of what it was asked."""
    asked: list[Any] = []

    async def again(state: Any) -> Login:
        asked.append(state)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(next(iter(door.methods.values())), "again", again)
    return asked
