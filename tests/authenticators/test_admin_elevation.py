"""A login that is too old for an elevated role ends, the right with it, and the log says each change once (EL15)."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account
from daas_hub.accounts.elevation import ElevationRules, Proof
from daas_hub.authenticators.admin_elevation import Elevated
from daas_hub.authenticators.errors import LoginExpired
from daas_hub.authenticators.login_methods import Login
from daas_hub.errors import ConfigurationError
from daas_hub.policy.role_rules import RoleRules
from tests.authenticators.facility import ANNA, ONE, FakeFacility, answers, authenticator, hub_user

HOUR = 3600.0


def test_each_change_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    now = [10 * HOUR]
    elevated = Elevated(lambda: ElevationRules(hours=8), lambda: (), lambda: now[0])
    proof = Proof(now[0], login_at=now[0])
    with caplog.at_level(logging.INFO, "jupyterhub.daas"):
        for _ in range(3):
            assert elevated.decide("u1", frozenset({"admin"}), proof).roles == {"admin"}
        assert not caplog.messages
        now[0] += 9 * HOUR
        for _ in range(3):
            assert not elevated.decide("u1", frozenset({"admin"}), proof).roles
        assert len(caplog.messages) == 1
        elevated.decide("u1", frozenset({"admin"}), Proof(now[0], login_at=now[0]))
        assert len(caplog.messages) == 2


@pytest.mark.parametrize("provider_answers", [True, False])
async def test_a_login_that_is_too_old_ends(
    facility: FakeFacility,
    db: Any,
    provider_answers: bool,
) -> None:
    """Also while the provider is down, and the right is taken away even from tokens that were given out."""
    facility.elevation = ElevationRules(hours=8)
    facility.account = Account("anna", 25001, 25001, roles=frozenset({"admin"}))
    door = authenticator(facility, **ONE)
    (method,) = door.methods
    asked = answers(door, Login(ANNA) if provider_answers else RuntimeError("it is down"))
    old = Proof(1.0, login_at=1.0)
    state = {"method": method, "identity": ANNA.as_state(), "proof": old.as_state()}
    user = await hub_user(db, ANNA.hub_name, state, admin=True)
    assert {role.name for role in user.orm_user.roles} == {"user", "admin"}
    with pytest.raises(LoginExpired, match="sign in again"):
        await door.ask_again(user)
    kept = await user.get_auth_state()
    assert kept is not None
    assert "identity" not in kept
    assert (user.admin, asked) == (False, [])
    assert {role.name for role in user.orm_user.roles} == {"user"}


def test_a_network_that_is_invalid_is_reported() -> None:
    with pytest.raises(ConfigurationError, match=r"RoleRules\.elevated_networks"):
        RoleRules(config=Config({"RoleRules": {"elevated_networks": ["10.0.0.1/8"]}})).elevation()
