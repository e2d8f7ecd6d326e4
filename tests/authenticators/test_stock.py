"""Every setting that is inherited works or is refused; what the settings decide is tests/hub/test_user_lists.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from traitlets.config import Config

from daas_hub.authenticators.stock import declared
from daas_hub.authenticators.umbrella import UmbrellaAuthenticator
from daas_hub.commands.check_config import check_config
from daas_hub.errors import ConfigurationError
from daas_hub.stock_settings import inherited_settings
from tests.authenticators.facility import ISSUER, ONE, FakeFacility, authenticator


@pytest.mark.parametrize("has_accounts", [True, False])
def test_every_inherited_setting_is_declared(has_accounts: bool) -> None:
    """A new release of JupyterHub or oauthenticator cannot add one that does nothing."""
    assert declared(has_accounts=has_accounts).mismatches(UmbrellaAuthenticator) == []


REFUSED = sorted(declared(has_accounts=True).refused)
#: A value of the trait's type, where an empty string is none.
VALUES: dict[str, Any] = {
    "allowed_scopes": ["openid"], "enable_pkce": True, "extra_params": {"a": "b"}, "manage_roles": True,
    "modify_auth_state_hook": lambda *_: {}, "reconcile_auth_state_hook": lambda *_: {}, "request_otp": True,
    "refresh_user_hook": lambda *_: True, "reset_managed_roles_on_startup": True, "tls_verify": False,
    "token_params": {"a": "b"}, "userdata_from_id_token": True, "userdata_params": {"a": "b"},
    "username_map": {"anna": "ben"},
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_a_setting_that_would_do_nothing_is_refused_at_start(facility: FakeFacility, name: str) -> None:
    """With the setting, and what to do instead; no traceback of a base class is before it."""
    section = inherited_settings(UmbrellaAuthenticator)[name].__name__
    config = Config({section: {name: VALUES.get(name, "x")}, "UmbrellaAuthenticator": {"portal": True, **ONE}})
    if name == "allowed_scopes":
        config.UmbrellaAuthenticator.scope = ["openid"]
    with pytest.raises(ConfigurationError) as error:
        UmbrellaAuthenticator(config=config, facility=facility)
    assert error.value.setting == f"{section}.{name}"
    assert error.value.remedy


@pytest.mark.parametrize(
    ("settings", "setting", "message"),
    [
        ({"enable_auth_state": False}, "enable_auth_state", "auth_state"),
        ({"auth_refresh_age": 0}, "auth_refresh_age", "no login would end"),
        ({"allowed_users": {""}}, "allowed_users", "names nobody"),
        ({"allowed_users": {("a", "b", "c")}}, "allowed_users", "names nobody"),
        ({"admin_users": {7}}, "admin_users", "names nobody"),
        ({"blocked_users": {"https://other.example anna"}}, "blocked_users", "no login method has"),
        ({"admin_users": {("https://other.example", "anna")}}, "admin_users", "no login method has"),
        ({"username_claim": "preferred_username"}, "username_claim", "does not apply"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_value_that_cannot_work_is_refused(
    facility: FakeFacility, settings: dict[str, Any], setting: str, message: str
) -> None:
    with pytest.raises(ConfigurationError, match=message) as error:
        authenticator(facility, **ONE, **settings)
    assert error.value.setting == f"UmbrellaAuthenticator.{setting}"


@pytest.mark.parametrize("name", ["client_id", "scope", "login_service", "basic_auth"])
def test_settings_of_one_provider_are_refused_beside_several(facility: FakeFacility, name: str) -> None:
    one = {"issuer": ISSUER, "client_id": "a", "client_secret": "b"}
    value = {"scope": ["openid"], "basic_auth": True}.get(name, "x")
    with pytest.raises(ConfigurationError, match="no effect with"):
        authenticator(facility, providers={"one": one}, **{name: value})


CHECKED = """
from daas_hub import configure
configure(c)
c.CryptKeeper.keys = ["0123456789abcdef" * 4]
c.Facility.accounts_file = "@FOLDER@/accounts.yaml"
c.Facility.proposals_file = "@FOLDER@/proposals.yaml"
c.UmbrellaAuthenticator.oidc_issuer = "https://login.example.org/realms/users"
c.UmbrellaAuthenticator.client_id = "daas-hub"
c.UmbrellaAuthenticator.client_secret = "x"
"""


def test_check_config_reports_each_of_them(tmp_path: Path) -> None:
    """`allowed_groups` without `manage_groups` ended check-config with a traceback."""
    file = tmp_path / "jupyterhub_config.py"
    lines = [
        'c.UmbrellaAuthenticator.allowed_groups = {"ma-4242"}',
        'c.GenericOAuthenticator.claim_groups_key = "groups"',
        'c.OAuthenticator.userdata_url = "https://login.example.org/me"',
        'c.JupyterHub.admin_users = {"anna"}',
    ]
    (tmp_path / "accounts.yaml").write_text("accounts: []\n")
    (tmp_path / "proposals.yaml").write_text("proposals: []\n")
    file.write_text((CHECKED + "\n".join(lines)).replace("@FOLDER@", str(tmp_path)))
    found = [problem.setting for problem in check_config(file) if isinstance(problem, ConfigurationError)]
    for setting in (
        "GenericOAuthenticator.claim_groups_key", "OAuthenticator.userdata_url", "JupyterHub.admin_users",
    ):  # fmt: skip
        assert found.count(setting) == 1, found
    assert not [one for one in found if "allowed_groups" in one]
