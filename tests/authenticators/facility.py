"""A facility as an authenticator sees it: accounts by identity, and answers that a test sets."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub import roles as hub_roles
from jupyterhub.crypto import CryptKeeper
from jupyterhub.user import User
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.elevation import ElevationRules
from daas_hub.authenticators.login_methods import Login, LoginMethod
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.tables import upgrade_tables

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
    yield FakeFacility()
    CryptKeeper.clear_instance()


class Authenticator(UmbrellaAuthenticator):
    """With a facility of the test, in a hub whose users the test makes."""

    users: tuple[Any, ...] = ()

    def users_of(self, method: Any, who: Any) -> list[Any]:
        return list(self.users)


def authenticator(facility: FakeFacility, **settings: Any) -> Authenticator:
    """Return the portal's authenticator with these settings."""
    config = Config({"UmbrellaAuthenticator": {"portal": True} | settings})
    return Authenticator(config=config, facility=facility)


@pytest.fixture
def db() -> Iterator[Any]:
    """The hub's database, in memory, with its default roles."""
    session = orm.new_session_factory("sqlite:///:memory:")()
    for role in hub_roles.get_default_roles():
        hub_roles.create_role(session, role)
    upgrade_tables(session.get_bind())
    yield session
    session.close()


async def hub_user(db: Any, name: str, state: dict[str, Any] | None, *, admin: bool = False) -> User:
    """Return a user of the hub with what it keeps of their login."""
    row = orm.User(name=name, admin=admin)
    db.add(row)
    db.commit()
    hub_roles.assign_default_roles(db, row)
    user = User(row, {"config": Config()}, db=db)
    await user.save_auth_state(state)
    return user


class Method(LoginMethod):
    """A login method that answers a refresh with what a test says."""

    def __init__(self, like: LoginMethod, answer: Login | Exception) -> None:
        super().__init__(like.name, like.title, like.issuer)
        self.answer = answer
        #: What it was asked about.
        self.asked: list[Any] = []

    def handlers(self) -> list[tuple[Any, ...]]:
        return [("/never", object)]

    async def refresh(self, state: Any) -> Login:
        self.asked.append(state)
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def answers(door: UmbrellaAuthenticator, answer: Login | Exception) -> list[Any]:
    """Let the only login method answer this to a refresh; return the list of what it is asked."""
    (name,) = door.methods
    method = door.methods[name] = Method(door.methods[name], answer)
    return method.asked
