"""The settings of logins. An administrator sets them as `c.UmbrellaAuthenticator`, which is a subclass."""

from __future__ import annotations

from typing import Any

from oauthenticator.generic import GenericOAuthenticator
from traitlets import Any as AnyTrait
from traitlets import Bool, Dict, Float, Int, List, Unicode, default
from traitlets.config import Config

from daas_hub.authenticators.oidc.provider import MAX_TOKEN_BYTES
from daas_hub.authenticators.oidc.provider_config import LEAST_TOKEN_BYTES, MOST_TOKEN_BYTES
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
        Kind of provider: "generic", "keycloak", "egi", "eduteams" or "umbrella". It provides defaults for scopes and
        claims; settings given explicitly take precedence. Default: "generic".
        """,
    )
    providers = Dict(
        config=True,
        help="""
        Several providers on one login page, in this order. Maps a short name (lower case; part of the callback that is
        registered there) to `profile`, `title`, `issuer`, `client_id`, `client_secret_file` and other keys; see the
        page on connecting a provider. It replaces `oidc_issuer` and the related settings.
        Example: {"egi": {"profile": "egi", "client_id": "daas", "client_secret_file": "/etc/daas-hub/egi.secret"}}.
        """,
    )
    trusted_proxy = Dict(
        config=True,
        help="""
        A web server in front that signs people in itself (such as Shibboleth for Umbrella's classic attributes), as an
        additional login method. Required keys: `issuer`, `secret_file` (32 characters or more). Optional: `title`;
        `attribute` ("EAAHash", for messages); `logout_url` (where a browser signs out of the web server, with
        {return_to}); `proof` ("secret" or "signature"; both are accepted by default); `web_servers` (addresses and
        networks that may send the secret itself; those of this machine by default); `cookies` (beginnings of names of
        the web server's own cookies, which no session gets; those of Shibboleth, SimpleSAMLphp, mod_auth_openidc,
        mod_auth_mellon and mod_auth_cas by default, in addition to yours); `subject_header`, `proof_header`,
        `max_age_s` (60), `hours` (12). A header alone is never trusted. Example:
        {"issuer": "https://umbrellaid.org/idp/shibboleth", "secret_file": "/etc/daas-hub/secrets/proxy",
        "logout_url": "/Shibboleth.sso/Logout?return={return_to}"}. Default: none.
        """,
    )
    passwords = Unicode(
        "",
        config=True,
        help="""
        Source of passwords for a form on the login page: "ldap" (see LdapAccounts) or "calipsoplus" (a user office);
        see PasswordLogin. Default: "", no form.
        """,
    )
    linking = Unicode(
        "",
        config=True,
        help="""
        Source of passwords, "ldap" or "calipsoplus" (see PasswordLogin), with which people can connect a login that has
        no account with the facility account they have. Requires "links" in `Facility.accounts`; `passwords` is not
        needed. Default: "", not offered.
        """,
    )
    client_secret_file = Unicode(
        "", config=True, help="Private file with the client secret, instead of `client_secret`."
    )
    login_service = Unicode(
        "",
        config=True,
        help="""
        Name of the provider on the login page, after "Sign in with". Default: the profile's title.
        """,
    )
    display_name_claim = Unicode(
        "",
        config=True,
        help="""
        Claim with a person's name, for display only. Default: the profile's, usually "name".
        """,
    )
    subject_claims = List(
        Unicode(),
        config=True,
        help="""
        The claim that identifies people, in every spelling the provider may use. A login without it is refused;
        there is no fallback. Claims with e-mail addresses and user names are refused. Example: ["voperson_id"].
        Default: the profile's, usually ["sub"].
        """,
    )
    required_assurance = List(
        Unicode(),
        config=True,
        help="""
        Values of the claim `eduperson_assurance`, one of which a login must have. Example:
        ["https://refeds.org/assurance/IAP/medium"]. Default: [], no requirement.
        """,
    )
    max_token_bytes = Int(
        MAX_TOKEN_BYTES,
        min=LEAST_TOKEN_BYTES,
        max=MOST_TOKEN_BYTES,
        config=True,
        help="""
        Maximum size in bytes of a token of the provider, and of a claim that the portal keeps. A login with a larger
        one is refused, never read in part. Default: 262144, some 5,000 groups. Example: 524288.
        """,
    )
    logout_at_provider = Bool(
        True,
        config=True,
        help="Whether signing out here also signs out at the provider, if it has a logout endpoint.",
    )
    stop_sessions_at_logout = Bool(
        False,
        config=True,
        help="""
        Whether back-channel logout at the provider also stops the user's sessions. By default they continue, because
        they may hold unsaved work.
        """,
    )
    recheck_s = Float(
        240.0,
        min=0,
        config=True,
        help="""
        Interval in seconds at which the accounts of users with running sessions, and their memberships of the sessions'
        proposals, are checked, also with the browser closed. Sessions are stopped when the account is gone, its user
        was blocked, or the membership ended, but not while a source is down, or where most of them would end at once.
        0 disables the check. Default: 240, so that a session ends within five minutes.
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
