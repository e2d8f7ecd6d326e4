"""What a login becomes when the directory closes or locks its account: at the login, at a refresh, and for sessions."""

from __future__ import annotations

from typing import Any

import pytest

from daas_hub.accounts.refusals import AccountClosed, AccountLocked
from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.login_methods import Login
from daas_hub.authenticators.revocation.hub_users import RunningUsers
from daas_hub.authenticators.revocation.recheck import Verdict
from daas_hub.errors import AccountRefused, SourceUnavailable
from tests.authenticators.facility import ANNA, ONE, FakeFacility, answers, authenticator, hub_user

CLOSED, LOCKED = AccountClosed("Your account is disabled."), AccountLocked("Your account is locked.")


@pytest.mark.parametrize(
    ("answer", "holds", "verdict"),
    [
        pytest.param(CLOSED, False, Verdict.GONE, id="disabled: everything ends"),
        pytest.param(LOCKED, True, Verdict.UNKNOWN, id="locked by wrong passwords: nothing ends"),
    ],
)
async def test_a_closed_account_ends_sessions_and_a_locked_one_does_not(
    facility: FakeFacility, db: Any, answer: Exception, holds: bool, verdict: Verdict
) -> None:
    """Anybody can lock an account by guessing; nobody may end its sessions by it."""
    door = authenticator(facility, **ONE)
    login = Login(ANNA)
    answers(door, login)
    user = await hub_user(db, ANNA.hub_name, login.as_state("openid"))

    class App:
        users = {user.name: user}  # as the hub's application has them

    assert await door.refresh_user(user)
    facility.account = answer
    assert await RunningUsers(App, door, every_s=300).look(user.name) is verdict
    assert bool(await door.refresh_user(user)) is holds


@pytest.mark.parametrize(
    ("answer", "asks_again"),
    [
        pytest.param(LoginExpired("The login provider has ended this login."), True, id="refused"),
        pytest.param(SourceUnavailable("The login provider does not respond."), False, id="away"),
    ],
)
async def test_a_login_that_the_provider_refuses_is_asked_about_at_its_next_request(
    facility: FakeFacility, db: Any, answer: Exception, asks_again: bool
) -> None:
    """Its sessions continue; without the recheck, an open page would close up to five minutes and a half later."""
    door = authenticator(facility, **ONE)
    login = Login(ANNA)
    answers(door, login)
    user = await hub_user(db, ANNA.hub_name, login.as_state("openid"))
    user._auth_refreshed = 4711.0

    class App:
        users = {user.name: user}

    answers(door, answer)
    assert await RunningUsers(App, door, every_s=300).look(user.name) is Verdict.THERE
    assert (user._auth_refreshed is None) is asks_again


async def test_neither_signs_in(facility: FakeFacility) -> None:
    door = authenticator(facility, **ONE)
    facility.account = CLOSED
    with pytest.raises(AccountRefused):
        await door._admitted(ANNA)
    facility.account = LOCKED
    with pytest.raises(SourceUnavailable, match="locked"):
        await door._admitted(ANNA)
