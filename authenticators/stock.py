"""How each setting that UmbrellaAuthenticator inherits from JupyterHub and oauthenticator is handled."""

from __future__ import annotations

from traitlets.config import Config, Configurable

from daas_hub.errors import ConfigurationError
from daas_hub.stock_settings import StockSettings, problems_with

_HUB = "JupyterHub"
_USER_LISTS = "authenticators/user_lists.py"
_PROVIDER = "authenticators/settings.py, for each provider"

_HONOURED = {
    # by the names of accounts, or issuer and subject
    "allowed_users": _USER_LISTS,
    "whitelist": f"{_HUB}: an alias of allowed_users",
    "allowed_groups": _USER_LISTS,
    "allow_all": _USER_LISTS,
    "allow_existing_users": _USER_LISTS,
    "blocked_users": _USER_LISTS,
    "admin_users": _USER_LISTS,
    "admin_groups": _USER_LISTS,
    "custom_403_message": _USER_LISTS,
    "any_allow_config": _HUB,
    "manage_groups": "authenticators/umbrella.py: the groups of the account, or the claim",
    "auth_refresh_age": f"{_HUB}; 0 is refused",
    "auth_refresh_strict": _HUB,
    "refresh_pre_spawn": _HUB,
    "refresh_pre_stop": _HUB,
    "enable_auth_state": "always on; False is refused",
    "post_auth_hook": _HUB,
    "delete_invalid_users": _HUB,
    "auto_login": f"{_HUB}; refused with several login methods, and with passwords",
    "auto_login_oauth2_authorize": _HUB,
    "logout_redirect_url": "authenticators/logout.py",
    "client_id": _PROVIDER,
    "client_secret": _PROVIDER,
    "scope": _PROVIDER,
    "basic_auth": _PROVIDER,
    "extra_authorize_params": _PROVIDER,
    "oauth_callback_url": _PROVIDER,
    "validate_server_cert": _PROVIDER,
    "http_request_kwargs": _PROVIDER,
}

_DISCOVERY = "Remove the line: the discovery document of oidc_issuer names it."
_ROLES = "Use RoleRules.admin_groups or RoleRules.admin_claims, or JupyterHub.load_roles."
_GROUPS = "Set groups_claim of the provider in UmbrellaAuthenticator.providers."
_STATE = "Use Authenticator.post_auth_hook; what it adds to auth_state is kept."

_REFUSED = {
    "authorize_url": _DISCOVERY,
    "token_url": _DISCOVERY,
    "userdata_url": _DISCOVERY,
    "userdata_from_id_token": "Set userinfo to False for the provider in UmbrellaAuthenticator.providers.",
    "userdata_params": "Remove the line: userinfo takes no parameters.",
    "userdata_token_method": "Remove the line: the access token is sent in the Authorization header.",
    "token_params": "Remove the line: the token request has the parameters of OpenID Connect only.",
    "extra_params": "Remove the line: the token request has the parameters of OpenID Connect only.",
    "enable_pkce": "Remove the line: PKCE is always used.",
    "tls_verify": "Use UmbrellaAuthenticator.validate_server_cert.",
    "username_key": "Use UmbrellaAuthenticator.subject_claims, which identifies people.",
    "username_map": "Remove the line: link logins to accounts in the source of accounts.",
    "allowed_scopes": "Use UmbrellaAuthenticator.required_assurance or Authenticator.allowed_groups.",
    "auth_state_groups_key": _GROUPS,
    "claim_groups_key": _GROUPS,
    "manage_roles": _ROLES,
    "reset_managed_roles_on_startup": _ROLES,
    "modify_auth_state_hook": _STATE,
    "reconcile_auth_state_hook": _STATE,
    "refresh_user_hook": "Remove the line: a refresh asks the provider and the sources of accounts.",
    "request_otp": "Require a second factor at the provider: RoleRules.elevated_acr, required_assurance.",
    "otp_prompt": "Require a second factor at the provider: RoleRules.elevated_acr, required_assurance.",
}

#: With accounts, the hub's user name is the opaque name of the identity, which no setting may change.
_NAMES = {
    "username_claim": "Use subject_claims to identify people; the source of accounts gives them their account's name.",
    "username_pattern": "Use Authenticator.allowed_users or allowed_groups: the hub's user names are opaque.",
}


def declared(*, has_accounts: bool) -> StockSettings:
    """Return the declaration, for logins with an account of the facility or for logins alone."""
    if has_accounts:
        return StockSettings(_HONOURED, _REFUSED | _NAMES)
    return StockSettings(_HONOURED | {"username_claim": "authenticators/people.py", "username_pattern": _HUB}, _REFUSED)


def stock_problems(cls: type[Configurable], config: Config, *, has_accounts: bool) -> list[ConfigurationError]:
    """Return an error for each inherited setting that is set and does not apply."""
    problems = problems_with(cls, config, declared(has_accounts=has_accounts))
    if "admin_users" in (config.get("JupyterHub") or {}):
        remedy = "Use Authenticator.admin_users."
        problems.append(ConfigurationError("JupyterHub.admin_users", "(set)", "is deprecated", remedy=remedy))
    return problems
