"""Roles from groups and claims: exactly, of named issuers (ES10)."""

from __future__ import annotations

from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.accounts import Account, Identity
from daas_hub.accounts.roles import Roles
from daas_hub.errors import ConfigurationError
from daas_hub.policy.role_rules import RoleRules

ISSUER = "https://login.facility.org"
RULES = Roles(
    groups={"admin": frozenset({"daas-admins"}), "guide": frozenset({"it", "id21"})},
    claims={"admin": {"groups": frozenset({"/daas/admins"})}, "guide": {"kind": frozenset({"guide"})}},
    issuers=frozenset({ISSUER}),
)


@pytest.mark.parametrize(
    ("memberships", "roles"),
    [
        pytest.param((), (), id="no groups"),
        pytest.param(("daas-admins",), ("admin",), id="ES10 an admin"),
        pytest.param(("id21", "x"), ("guide",), id="ES10 another role"),
        pytest.param(("daas-admins", "it"), ("admin", "guide"), id="both"),
        *(
            pytest.param((name,), (), id=f"nearly: {name!r}")
            for name in ("daas-admin", "daas-adminss", "Daas-admins", "daas-admins ", "xdaas-admins", "", "dаas-admins")
        ),
    ],
)
def test_groups(memberships: tuple[str, ...], roles: tuple[str, ...]) -> None:
    account = Account("anna", 25001, 25001, memberships=frozenset(memberships))
    assert RULES.roles_of(account, Identity(ISSUER, "anna")) == set(roles)
    assert RULES.roles_of(account, Identity("https://evil.example.org", "anna")) == set(roles)


NEARLY: list[Any] = [True, 1, None, {"/daas/admins": True}, [["/daas/admins"]], "/daas/admins,x", "daas/admins"]
NEARLY += ["/DAAS/admins", ["/daas"], [True, 0]]


@pytest.mark.parametrize(
    ("claims", "roles"),
    [
        pytest.param({}, (), id="none"),
        pytest.param({"groups": ["/users", "/daas/admins"]}, ("admin",), id="in a list"),
        pytest.param({"groups": "/daas/admins"}, ("admin",), id="alone"),
        pytest.param({"kind": "guide"}, ("guide",), id="another claim"),
        pytest.param({"kind": "/daas/admins"}, (), id="the value in another claim"),
        *(pytest.param({"groups": told}, (), id=f"nearly: {told!r}") for told in NEARLY),
    ],
)
def test_claims(claims: dict[str, Any], roles: tuple[str, ...]) -> None:
    account = Account("anna", 25001, 25001)
    assert RULES.roles_of(account, Identity(ISSUER, "anna", claims=claims)) == set(roles)
    # F7: whoever another provider calls an admin is none here
    assert RULES.roles_of(account, Identity("https://evil.example.org", "anna", claims=claims)) == set()


def test_a_login_provider_gives_a_role_to_its_logins_only() -> None:
    """DE17: a class of people by how they sign in; an administrator is not made so."""
    config = Config()
    config.RoleRules.role_issuers = {"visitor": ["https://login.federation.org"]}
    config.RoleRules.role_groups = {"staff": ["employees"]}
    rules = RoleRules(config=config).roles()
    assert {"visitor", "staff"} <= rules.names
    employee = Account("a", 1, 1, memberships=frozenset({"employees"}))
    for issuer, roles in (
        ("https://login.federation.org", {"visitor", "staff"}),
        ("https://login.federation.org/", {"staff"}),
        (ISSUER, {"staff"}),
    ):
        assert (
            rules.roles_of(employee, Identity(issuer, "anna", claims={"iss": "https://login.federation.org"})) == roles
        )
    config.RoleRules.role_issuers = {"admin": [ISSUER]}
    with pytest.raises(ConfigurationError, match="has a setting of its own Set admin_groups instead"):
        RoleRules(config=config).roles()


def test_nobody_has_a_role_by_default() -> None:
    """L5."""
    everything = Account("anna", 25001, 25001, memberships=frozenset({"admin", "wheel", "root", ""}))
    claims = {"admin": True, "groups": ["admin"], "roles": ["admin"]}
    assert RoleRules(config=Config()).roles().roles_of(everything, Identity(ISSUER, "anna", claims=claims)) == set()


def test_claims_count_only_with_an_issuer() -> None:
    config = Config()
    config.RoleRules.admin_claims = {"groups": ["/daas/admins"]}
    with pytest.raises(ConfigurationError, match="any issuer"):
        RoleRules(config=config).roles()
    config.RoleRules.issuers = [ISSUER]
    config.RoleRules.admin_groups = ["it"]
    rules = RoleRules(config=config).roles()
    identity = Identity(ISSUER, "anna", claims={"groups": ["/daas/admins"]})
    assert rules.roles_of(Account("a", 1, 1), identity) == {"admin"}
    member = Account("a", 1, 1, memberships=frozenset({"it"}))
    assert rules.roles_of(member, Identity("https://evil.example.org", "anna")) == {"admin"}
