"""A launch verifies a login again; what the hub has stored already is not encrypted and committed again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from jupyterhub import orm
from jupyterhub.crypto import CryptKeeper
from jupyterhub.handlers import BaseHandler
from jupyterhub.user import User

from daas_hub.accounts import Account
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from tests.authenticators.facility import ANNA, ONE, FakeFacility, answers, authenticator, hub_user

LOGIN = Login(ANNA, {"refresh_token": "old"})


class Handler:
    """What JupyterHub's `auth_to_user` reads of its handler."""

    def __init__(self, authenticator: UmbrellaAuthenticator, db: Any) -> None:
        self.authenticator, self.db = authenticator, db

    async def store(self, user: User, model: dict[str, Any]) -> None:
        """Store a refreshed login, as `BaseHandler.refresh_auth` does."""
        stored = {"name": user.name, "auth_state": await user.get_auth_state()}
        await BaseHandler.auth_to_user(self, model | stored, user)


@pytest.fixture
def encryptions(facility: FakeFacility, monkeypatch: pytest.MonkeyPatch) -> list[None]:
    """Every encryption of an auth_state."""
    made: list[None] = []
    encrypt: Callable[..., Any] = CryptKeeper._encrypt
    monkeypatch.setattr(CryptKeeper, "_encrypt", lambda *given: (made.append(None), encrypt(*given))[1])
    return made


async def signed_in(facility: FakeFacility, db: Any, **settings: Any) -> tuple[UmbrellaAuthenticator, User]:
    """Somebody whose login has just been stored by the hub."""
    door = authenticator(facility, **ONE, **settings)
    answers(door, LOGIN)
    user = await hub_user(db, ANNA.hub_name, LOGIN.as_state("openid"))
    model = await door.refresh_user(user)
    assert isinstance(model, dict)
    await Handler(door, db).store(user, model)
    return door, user


async def test_an_unchanged_login_is_not_stored_again(facility: FakeFacility, db: Any, encryptions: list[None]) -> None:
    door, user = await signed_in(facility, db)
    encryptions.clear()
    assert await door.refresh_user(user) is True
    assert encryptions == []


async def test_new_tokens_are_stored_once(facility: FakeFacility, db: Any, encryptions: list[None]) -> None:
    door, user = await signed_in(facility, db)
    encryptions.clear()
    answers(door, Login(ANNA, {"refresh_token": "new"}))
    assert await door.refresh_user(user) is True
    assert len(encryptions) == 1
    assert (await user.get_auth_state() or {})["refresh_token"] == "new"


async def test_a_new_name_is_the_hubs_to_store(facility: FakeFacility, db: Any) -> None:
    door, user = await signed_in(facility, db)
    answers(door, replace(LOGIN, identity=replace(ANNA, display_name="Anna B.")))
    model = await door.refresh_user(user)
    assert isinstance(model, dict)
    assert model["user_info"]["display_name"] == "Anna B."


@pytest.mark.parametrize("admin", [True, False])
async def test_the_administrators_flag_and_role_are_the_hubs_to_store(
    facility: FakeFacility, db: Any, admin: bool
) -> None:
    door, user = await signed_in(facility, db)
    if admin:
        facility.account = Account("anna", 25001, 25001, roles=frozenset({"admin"}))
    else:
        # an administrator no longer, whose role was left
        user.orm_user.roles.append(orm.Role.find(db, "admin"))
    model = await door.refresh_user(user)
    assert isinstance(model, dict)
    await Handler(door, db).store(user, model)
    assert (user.admin, "admin" in {role.name for role in user.roles}) == (admin, admin)
    assert await door.refresh_user(user) is True


async def test_a_role_that_was_taken_away_comes_back(facility: FakeFacility, db: Any) -> None:
    door, user = await signed_in(facility, db)
    user.orm_user.roles.clear()
    assert isinstance(await door.refresh_user(user), dict)


async def test_new_groups_are_the_hubs_to_store(facility: FakeFacility, db: Any) -> None:
    facility.account = Account("anna", 25001, 25001, memberships=frozenset({"it"}))
    door, user = await signed_in(facility, db, manage_groups=True)
    assert await door.refresh_user(user) is True
    facility.account = Account("anna", 25001, 25001, memberships=frozenset({"it", "ma-4242"}))
    assert isinstance(await door.refresh_user(user), dict)


async def test_a_hook_of_the_site_sees_every_refresh(facility: FakeFacility, db: Any) -> None:
    door, user = await signed_in(facility, db)
    door.reconcile_auth_state_hook = SimpleNamespace
    assert isinstance(await door.refresh_user(user), dict)
