"""Builds what the settings of logins configure: login methods, people, and the lists of who may sign in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from daas_hub.accounts.passwords import PasswordLogin
from daas_hub.accounts.sources.linked import NAME as LINKS
from daas_hub.authenticators.account_linking.linking import Linking
from daas_hub.authenticators.login_methods import LoginMethod
from daas_hub.authenticators.oidc.http import HTTPSettings, read_http_settings
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.oidc.provider_config import ONLY, ProviderSettings, read_provider, read_providers
from daas_hub.authenticators.password.method import NAME as PASSWORDS
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.authenticators.people import AccountHolders, Identities, People
from daas_hub.authenticators.settings import LoginSettings
from daas_hub.authenticators.trusted_proxy.method import TrustedProxyMethod
from daas_hub.authenticators.trusted_proxy.settings import read_proxy
from daas_hub.authenticators.user_lists import Names, UserLists, read_names
from daas_hub.errors import ConfigurationError
from daas_hub.policy import RoleRules
from daas_hub.stock_settings import is_set

#: Settings of the single provider, which apply without `providers`.
_OF_ONE_PROVIDER = (
    "oidc_issuer", "client_id", "client_secret", "client_secret_file", "basic_auth", "required_assurance",
    "extra_authorize_params", "scope", "login_service", "subject_claims", "display_name_claim", "max_token_bytes",
)  # fmt: skip


def require_applicable(settings: LoginSettings) -> None:
    """Check the values of inherited settings.

    Raises:
        ConfigurationError: one of them cannot work.
    """
    if not settings.enable_auth_state and is_set(type(settings), settings.config, "enable_auth_state"):
        raise ConfigurationError(
            "UmbrellaAuthenticator.enable_auth_state",
            False,
            "a refresh needs what auth_state keeps of a login",
            remedy="Remove the line, and set JUPYTERHUB_CRYPT_KEY.",
        )
    if not settings.auth_refresh_age:
        raise ConfigurationError(
            "UmbrellaAuthenticator.auth_refresh_age",
            0,
            "no login would end before its cookie expires, whatever provider, accounts and lists say",
            remedy="Give a number of seconds; 300 is the default.",
        )


def people_of(settings: LoginSettings, methods: Mapping[str, LoginMethod]) -> People:
    """Return how logins are mapped to people.

    Raises:
        ConfigurationError: `username_claim` cannot work.
    """
    if settings.has_accounts:
        return AccountHolders(lambda: settings.facility)
    claim = settings.username_claim if is_set(type(settings), settings.config, "username_claim") else ""
    if claim and (not isinstance(claim, str) or [*methods] != [ONLY]):
        raise ConfigurationError(
            "UmbrellaAuthenticator.username_claim",
            claim,
            "must be the name of a claim of the only provider: two providers may give one name to two people",
            remedy="Use one provider and no other login method, or remove the line.",
        )
    rules = RoleRules(config=settings.config)
    return Identities(claim, rules.roles(), rules.elevation())


def user_lists_of(settings: LoginSettings, methods: Mapping[str, LoginMethod]) -> UserLists:
    """Return the lists of who may sign in, and clear the traits: the hub would create a user for each name.

    Raises:
        ConfigurationError: an entry is invalid.
    """
    issuers = {method.issuer for method in methods.values()}

    def names(setting: str) -> Names:
        found = read_names(f"UmbrellaAuthenticator.{setting}", getattr(settings, setting), issuers)
        setattr(settings, setting, set())
        return found

    # the defaults are computed from the lists
    _ = settings.any_allow_config
    return UserLists(
        settings.allow_all,
        names("allowed_users"),
        frozenset(settings.allowed_groups),
        names("blocked_users"),
        names("admin_users"),
        frozenset(settings.admin_groups),
        settings.custom_403_message,
    )


def methods_of(settings: LoginSettings, wanted: Callable[[], frozenset[str]]) -> dict[str, LoginMethod]:
    """Return every login method by its name, in the order of the login page.

    Raises:
        ConfigurationError: naming the setting that cannot work.
    """
    methods: dict[str, LoginMethod] = {
        name: OIDCMethod(
            replace(one, http=_http(settings, one.ca_file)),
            wanted,
            callback=callback_of(settings, name),
        )
        for name, one in _providers(settings).items()
    }
    more: list[tuple[str, LoginMethod]] = []
    if settings.trusted_proxy:
        proxy = read_proxy("UmbrellaAuthenticator.trusted_proxy", settings.trusted_proxy)
        more.append(("trusted_proxy", TrustedProxyMethod(proxy)))
    if settings.passwords:
        more.append(("passwords", PasswordMethod(PasswordLogin(config=settings.config).source(settings.passwords))))
    for setting, method in more:
        if method.name in methods:
            raise ConfigurationError(
                "UmbrellaAuthenticator.providers",
                method.name,
                f"is the name of {setting}",
                remedy="Choose another name.",
            )
        methods[method.name] = method
    if settings.auto_login and (len(methods) > 1 or PASSWORDS in methods):
        raise ConfigurationError(
            "UmbrellaAuthenticator.auto_login",
            True,
            "needs exactly one login method, which is not the password form",
            remedy="Remove the line.",
        )
    return methods


def linking_of(settings: LoginSettings, methods: Mapping[str, LoginMethod]) -> Linking | None:
    """Return how a login is connected with an account, if that is configured; raises as `methods_of` does."""
    if not settings.linking:
        return None
    if not settings.portal:
        raise ConfigurationError(
            "UmbrellaAuthenticator.linking",
            settings.linking,
            "needs the portal's pages",
            remedy="Call configure(c) first in jupyterhub_config.py, or remove the line.",
        )
    sources = settings.config.Facility.get("accounts", [])
    if LINKS not in ([sources] if isinstance(sources, str) else sources):
        raise ConfigurationError(
            "UmbrellaAuthenticator.linking",
            settings.linking,
            f'needs "{LINKS}" in Facility.accounts',
            remedy=f'Like Facility.accounts = ["ldap", "{LINKS}"].',
        )
    here = methods.get(PASSWORDS)
    if not isinstance(here, PasswordMethod) or settings.passwords != settings.linking:
        here = PasswordMethod(PasswordLogin(config=settings.config).source(settings.linking, "linking"))
    return Linking(here, lambda: settings.facility)


def _providers(settings: LoginSettings) -> dict[str, ProviderSettings]:
    """Return the configured providers: several, or the single one."""
    if settings.providers:
        providers = read_providers("UmbrellaAuthenticator.providers", settings.providers)
        for name in _OF_ONE_PROVIDER:
            # an empty value resets what an earlier part of the file has set
            if getattr(settings, name) and is_set(type(settings), settings.config, name):
                raise ConfigurationError(
                    f"UmbrellaAuthenticator.{name}",
                    "(set)",
                    "has no effect with UmbrellaAuthenticator.providers",
                    remedy="Move it into the provider's own entry.",
                )
        return providers
    if (settings.trusted_proxy or settings.passwords) and not settings.oidc_issuer and settings.profile == "generic":
        return {}
    keys: dict[str, Any] = {
        "profile": settings.profile,
        "issuer": settings.oidc_issuer,
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
        "client_secret_file": settings.client_secret_file,
        "max_token_bytes": settings.max_token_bytes,
        "required_assurance": list(settings.required_assurance),
        "authorize_params": dict(settings.extra_authorize_params),
        "scope": list(settings.scope),
    }
    # otherwise what the provider supports
    if settings.basic_auth or is_set(type(settings), settings.config, "basic_auth"):
        keys["basic_auth"] = settings.basic_auth
    if settings.login_service:
        keys["title"] = settings.login_service
    if settings.subject_claims:
        keys["subject_claims"] = list(settings.subject_claims)
    if settings.display_name_claim:
        keys["display_name_claims"] = [settings.display_name_claim]
    return {ONLY: read_provider("UmbrellaAuthenticator", ONLY, keys)}


def _http(settings: LoginSettings, ca_file: str) -> HTTPSettings:
    """Return how a provider is reached: oauthenticator's settings, and the provider's certificate authority.

    Raises:
        ConfigurationError: a key of `http_request_kwargs` is not supported.
    """
    wanted = {"validate_cert": settings.validate_server_cert, **settings.http_request_kwargs}
    if ca_file:
        wanted["ca_certs"] = ca_file
    return read_http_settings("UmbrellaAuthenticator.http_request_kwargs", wanted)


def callback_of(settings: LoginSettings, name: str) -> str:
    """Return the configured callback of a provider; "" to derive it from each request."""
    return f"{settings.oauth_callback_url}{'' if name == ONLY else '/' + name}" if settings.oauth_callback_url else ""
