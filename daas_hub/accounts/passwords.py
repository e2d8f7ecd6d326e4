"""Password logins: their settings, and what checks a password. Off unless the authenticator asks for them."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from traitlets import Bool, Float, Int, Unicode

from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.accounts.sources.ldap.lockout_policy import LockoutPolicy
from daas_hub.accounts.sources.ldap.schema_settings import bases_of
from daas_hub.accounts.sources.ldap.settings import LdapAccounts
from daas_hub.accounts.sources.ldap.source import LdapSource
from daas_hub.accounts.sources.rest.calipsoplus import PasswordCheck
from daas_hub.accounts.sources.rest.service import Service
from daas_hub.errors import ConfigurationError

#: Takes a name and a password; returns the name as the facility spells it, or "" if they are not accepted.
Check = Callable[[str, str], Awaitable[str]]

MAX_NAME, MAX_PASSWORD = 255, 1024


@dataclass(frozen=True)
class PasswordSource:
    """What checks passwords, and the issuer of the identities it proves.

    Attributes:
        max_failures: wrong passwords of a name that are passed on, until there was none for `failures_window_s`.
        lockout: reads how many lock an account in the source; None if it cannot be asked.
    """

    issuer: str
    title: str
    hours: float
    check: Check
    max_failures: int = 4
    failures_window_s: float = 1800.0
    lockout: Callable[[], Awaitable[LockoutPolicy]] | None = None


class PasswordLogin(SourceSettings):
    """Login with a user name and password of the facility (`UmbrellaAuthenticator.passwords`)."""

    issuer = Unicode(
        "",
        config=True,
        help="""
        Issuer of password logins; list it in `issuers` of the account source. Do not change it later: people's
        sessions and connected logins belong to it. Default: "ldap:" and `LdapAccounts.person_base`, or "calipsoplus:"
        and `login_url`. Example: "ldap:dc=facility,dc=org".
        """,
    )
    title = Unicode("your facility account", config=True, help="Title of this login method on the login page.")
    hours = Float(12.0, min=0.1, config=True, help="Lifetime of a password login in hours.")
    login_url = Unicode(
        "",
        config=True,
        help="""
        For "calipsoplus": URL of the service that checks passwords (in the CALIPSOplus portal: BACKEND_UO_LOGIN). It
        receives {"username": ..., "password": ...} by POST and answers 200 if they are correct. No default.
        Example: "https://useroffice.facility.org/login/".
        """,
    )
    ca_file = Unicode(
        "",
        config=True,
        help="PEM file with the CA certificates to verify `login_url` with. Default: the system's CA certificates.",
    )
    lowercase = Bool(
        True,
        config=True,
        help="""
        For "calipsoplus": convert user names to lower case, so that "Anna" and "anna" are one person. The service does
        not return the name as it spells it.
        """,
    )
    max_failures = Int(
        4,
        min=1,
        config=True,
        help="""
        Maximum number of wrong passwords of a name that the portal passes on to the source. It must be lower than the
        number that locks an account there, or guesses at the portal lock people out of the whole facility; the doctor
        compares them. One of them is kept for places where the name has signed in before. Default: 4.
        """,
    )
    failures_window_s = Float(
        1800.0,
        min=60.0,
        config=True,
        help="""
        After this many seconds without a wrong password of a name, its count starts again at 0. It must not be shorter
        than the interval of the source. Default: 1800 (30 minutes), that of Active Directory.
        """,
    )
    timeout_s = Float(10.0, min=0.1, config=True, help="Timeout in seconds of a request.")

    def source(self, kind: str, setting: str = "passwords") -> PasswordSource:
        """Build the password source "ldap" or "calipsoplus"; `setting` is the setting that names it.

        Raises:
            ConfigurationError: there is no such source, or it cannot be asked safely.
        """
        if kind == "ldap":
            settings = LdapAccounts(config=self.config)
            directory = settings.source()
            assert isinstance(directory, LdapSource)
            if not settings.start_tls and any(urlsplit(one).scheme == "ldap" for one in settings.servers):
                raise ConfigurationError(
                    "LdapAccounts.start_tls",
                    False,
                    "would send passwords unencrypted",
                    remedy="Leave it enabled, or use only ldaps:// servers.",
                )
            issuer = f"ldap:{bases_of(settings.person_base)[0]}"
            return self._named(issuer, directory.name_if_password, directory.lockout_policy)
        if kind == "calipsoplus":
            self.require_https("login_url")
            check = PasswordCheck(self.login_url, Service(self.timeout_s, self.require_ca_file()))

            async def ask(name: str, password: str) -> str:
                name = name.strip().lower() if self.lowercase else name.strip()
                return name if await check.check_password(name, password) else ""

            return self._named(f"calipsoplus:{self.login_url}", ask)
        raise ConfigurationError(
            f"UmbrellaAuthenticator.{setting}",
            kind,
            "is not a password source",
            remedy='Known: "ldap", "calipsoplus".',
        )

    def _named(
        self, issuer: str, check: Check, lockout: Callable[[], Awaitable[LockoutPolicy]] | None = None
    ) -> PasswordSource:
        return PasswordSource(
            self.issuer or issuer,
            self.title,
            self.hours,
            check,
            max_failures=self.max_failures,
            failures_window_s=self.failures_window_s,
            lockout=lockout,
        )


def can_be_asked(name: str, password: str) -> bool:
    """Return whether these may be sent to a source at all. LDAP servers accept a bind with an empty password."""
    return (
        0 < len(name) <= MAX_NAME and name.isprintable() and 0 < len(password) <= MAX_PASSWORD and "\0" not in password
    )
