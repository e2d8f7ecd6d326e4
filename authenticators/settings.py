"""The settings of logins. An administrator sets them as `c.UmbrellaAuthenticator`, which is a subclass."""

from __future__ import annotations

from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Float, List, Unicode, default
from traitlets.config import Config

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

    portal = Bool(
        False,
        config=True,
        help="""
        Whether the portal's pages replace the hub's home, login and spawn pages. `configure(c)` sets it. Without it,
        and without `Facility.accounts` or `Facility.accounts_file`, a login needs no account: the authenticator works
        in any JupyterHub, with any spawner. Default: False.
        """,
    )
    #: The facility, once it is needed; a test sets its own.
    facility = AnyTrait()

    @default("facility")
    def _facility_default(self) -> Facility:
        return Facility.of(self.config)

    @default("allow_all")
    def _allow_all_default(self) -> bool:
        """Admit everybody with an account unless a list says who may sign in; a login alone admits nobody."""
        has_list = self.allowed_users or self.allowed_groups or self.allow_existing_users
        return self.has_accounts and not has_list

    def _requires_manage_groups(self, change: Any) -> None:
        """Replace oauthenticator's check: the groups of an account are known without `manage_groups`."""

    @property
    def has_accounts(self) -> bool:
        """Whether a login needs an account of the facility."""
        return self.portal or names_accounts(self.config)


def names_accounts(config: Config) -> bool:
    """Return whether a configuration names a source of accounts."""
    return any(name in (config.get("Facility") or {}) for name in ("accounts", "accounts_file"))
