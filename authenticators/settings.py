"""What an administrator sets of logins, and the login methods that come of it.

The settings keep the name of `UmbrellaAuthenticator`, which is made from this; what it does with a login is there.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Bool, Dict, Float, List, Unicode

from daas_hub.accounts.passwords import PasswordLogin
from daas_hub.accounts.sources.linked import NAME as LINKS
from daas_hub.authenticators.account_linking.linking import Linking
from daas_hub.authenticators.login_methods import LoginMethod
from daas_hub.authenticators.oidc.http import HTTPSettings, read_http_settings
from daas_hub.authenticators.oidc.method import OIDCMethod
from daas_hub.authenticators.oidc.provider_config import ONLY, ProviderSettings, read_provider, read_providers
from daas_hub.authenticators.password.method import PasswordMethod
from daas_hub.authenticators.trusted_proxy.method import TrustedProxyMethod, read_proxy
from daas_hub.errors import ConfigurationError
from daas_hub.facility import Facility


class LoginSettings(GenericOAuthenticator):
    """The settings of logins; see `UmbrellaAuthenticator`."""

    oidc_issuer = Unicode(
        config=True,
        help="""
        The OpenID provider's issuer, exactly as its /.well-known/openid-configuration names it.
        Example: "https://keycloak.facility.org/realms/users". Default: the profile's, if it has one.
        """,
    )
    profile = Unicode(
        "generic",
        config=True,
        help="""
        What kind of provider it is: "generic", "keycloak", "egi", "eduteams" or "umbrella". It says what is asked for
        and where things are; whatever is set beside it goes before it.
        """,
    )
    providers = Dict(
        config=True,
        help="""
        Several providers on one login page, in this order: a short name for each (small letters; it stands in the
        callback that is registered there), and its `profile`, `title`, `issuer`, `client_id`, `client_secret_file` and
        whatever else it needs; see the page on connecting a provider. It takes the place of `oidc_issuer` and its like.
        Example: {"egi": {"profile": "egi", "client_id": "daas", "client_secret_file": "/etc/daas/egi.secret"}}.
        """,
    )
    trusted_proxy = Dict(
        config=True,
        help="""
        A web server in front that signs people in itself (Shibboleth, say, for Umbrella's classic attributes), as a
        login method beside the providers. Required keys: `issuer`, `secret_file` (32 characters or more). Optional:
        `title`, `proof` ("signature", or "secret"), `subject_header`, `proof_header`, `max_age_s` (60), `hours` (12).
        A header alone is never trusted. Example: {"issuer": "https://umbrellaid.org/idp/shibboleth", "secret_file":
        "/etc/daas/secrets/proxy"}. Default: none.
        """,
    )
    passwords = Unicode(
        "",
        config=True,
        help="""
        Whether people can also sign in with a name and a password of the facility, on the login page: "ldap" (see
        LdapAccounts) or "calipsoplus" (a user office), see PasswordLogin. Default: no.
        """,
    )
    linking = Unicode(
        "",
        config=True,
        help="""
        Whether people whose login has no account here can connect it, step by step, with the facility account they
        have: by whom its password is checked, "ldap" or "calipsoplus" (see PasswordLogin). It needs "links" in
        `Facility.accounts`, and no `passwords`. Default: no.
        """,
    )
    client_secret_file = Unicode(
        "", config=True, help="A private file that holds the client's secret, instead of `client_secret`."
    )
    login_service = Unicode(
        "",
        config=True,
        help="""
        What the button on the login page says after "Sign in with". Default: the profile's title.
        """,
    )
    display_name_claim = Unicode(
        "",
        config=True,
        help="""
        The claim shown as a person's name. Never used to tell people apart. Default: the profile's, mostly "name".
        """,
    )
    subject_claims = List(
        Unicode(),
        config=True,
        help="""
        The claim that tells people apart, in every spelling the provider may use. If it is missing, the login is
        refused: nothing else takes its place. E-mail addresses and user names are refused. Example: ["voperson_id"].
        Default: the profile's, mostly ["sub"].
        """,
    )
    required_assurance = List(
        Unicode(),
        config=True,
        help="""
        Values of the claim `eduperson_assurance`; a login needs one of them. Example:
        ["https://refeds.org/assurance/IAP/medium"]. Default: none is needed.
        """,
    )
    logout_at_provider = Bool(
        True,
        config=True,
        help="Whether signing out here also signs out at the provider, where it has a place for that.",
    )
    stop_sessions_at_logout = Bool(
        False,
        config=True,
        help="""
        Whether sessions are stopped when the provider tells that their owner signed out there. Otherwise they go on:
        there may be unsaved work in them.
        """,
    )
    recheck_s = Float(
        300.0,
        min=0,
        config=True,
        help="""
        Seconds between two looks at the accounts of people whose sessions run, also with the browser closed. Who has no
        account any more loses the sessions; while the source of accounts does not answer, nobody does. 0 never looks.
        """,
    )

    # -- what comes of them -------------------------------------------------------------------------------------

    def configured_methods(self) -> dict[str, LoginMethod]:
        """Return every login method by its name, in the order of the login page.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        methods: dict[str, LoginMethod] = {
            name: OIDCMethod(
                replace(one, http=self._http(one.ca_file)),
                lambda: Facility.of(self.config).claims,
                callback=self.callback_of(name),
            )
            for name, one in self._providers().items()
        }
        more: list[tuple[str, LoginMethod]] = []
        if self.trusted_proxy:
            proxy = read_proxy("UmbrellaAuthenticator.trusted_proxy", self.trusted_proxy)
            more.append(("trusted_proxy", TrustedProxyMethod(proxy)))
        if self.passwords:
            more.append(("passwords", PasswordMethod(PasswordLogin(config=self.config).source(self.passwords))))
        for setting, method in more:
            if method.name in methods:
                raise ConfigurationError(
                    "UmbrellaAuthenticator.providers",
                    method.name,
                    f"is the name of {setting}",
                    remedy="Choose another name.",
                )
            methods[method.name] = method
        if self.auto_login and len(methods) > 1:
            raise ConfigurationError(
                "UmbrellaAuthenticator.auto_login",
                True,
                "leads to one provider, and there are several",
                remedy="Drop it.",
            )
        return methods

    def configured_linking(self, methods: dict[str, LoginMethod]) -> Linking | None:
        """Return the walk on which a login is connected with an account, if it is wanted; raises as the one above."""
        if not self.linking:
            return None
        sources = self.config.Facility.get("accounts", [])
        if LINKS not in ([sources] if isinstance(sources, str) else sources):
            raise ConfigurationError(
                "UmbrellaAuthenticator.linking",
                self.linking,
                f'needs "{LINKS}" in Facility.accounts, which knows what was connected',
                remedy=f'Like Facility.accounts = ["ldap", "{LINKS}"].',
            )
        here = methods.get(PasswordMethod.name)
        if not isinstance(here, PasswordMethod) or self.passwords != self.linking:
            here = PasswordMethod(PasswordLogin(config=self.config).source(self.linking, "linking"))
        return Linking(here, lambda: Facility.of(self.config))

    def _providers(self) -> dict[str, ProviderSettings]:
        """Return the configured providers: several, or the one of the settings without a name."""
        if self.providers:
            if self.oidc_issuer:
                raise ConfigurationError(
                    "UmbrellaAuthenticator.oidc_issuer",
                    self.oidc_issuer,
                    "stands beside UmbrellaAuthenticator.providers",
                    remedy="Make it one of the providers, or remove them.",
                )
            return read_providers("UmbrellaAuthenticator.providers", self.providers)
        if (self.trusted_proxy or self.passwords) and not self.oidc_issuer and self.profile == "generic":
            return {}
        keys: dict[str, Any] = {
            "profile": self.profile,
            "issuer": self.oidc_issuer,
            "client_id": self.client_id,
            "client_secret": self.client_secret,
            "client_secret_file": self.client_secret_file,
            "basic_auth": self.basic_auth,
            "required_assurance": list(self.required_assurance),
            "authorize_params": dict(self.extra_authorize_params),
            "scope": list(self.scope),
        }
        if self.login_service:
            keys["title"] = self.login_service
        if self.subject_claims:
            keys["subject_claims"] = list(self.subject_claims)
        if self.display_name_claim:
            keys["display_name_claims"] = [self.display_name_claim]
        return {ONLY: read_provider("UmbrellaAuthenticator", ONLY, keys)}

    def _http(self, ca_file: str) -> HTTPSettings:
        """Return how a provider is reached: oauthenticator's own settings, and its authority.

        Raises:
            ConfigurationError: a key of `http_request_kwargs` that cannot be honoured.
        """
        wanted = {"validate_cert": self.validate_server_cert, **self.http_request_kwargs}
        if ca_file:
            wanted["ca_certs"] = ca_file
        return read_http_settings("UmbrellaAuthenticator.http_request_kwargs", wanted)

    def callback_of(self, name: str) -> str:
        """Return the callback of a provider, if it is configured; "" for the address a request is sent to."""
        return f"{self.oauth_callback_url}{'' if name == ONLY else '/' + name}" if self.oauth_callback_url else ""
