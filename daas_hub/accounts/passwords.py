"""The settings of the login with the facility's own passwords; it is off unless an authenticator asks for it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from traitlets import Bool, Float, Unicode

from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.accounts.sources.ldap.settings import LdapAccounts
from daas_hub.accounts.sources.ldap.source import LdapDirectory
from daas_hub.accounts.sources.rest.calipsoplus import PasswordCheck
from daas_hub.accounts.sources.rest.service import Service
from daas_hub.errors import ConfigurationError

#: Takes a name and a password; gives the name as the facility writes it, or "" for no.
Check = Callable[[str, str], Awaitable[str]]

MAX_NAME, MAX_PASSWORD = 255, 1024


@dataclass(frozen=True)
class PasswordSource:
    """Who is asked about passwords, and under which issuer the identities stand."""

    issuer: str
    title: str
    hours: float
    check: Check


class PasswordLogin(SourceSettings):
    """The login with a name and a password of the facility (`UmbrellaAuthenticator.passwords`)."""

    issuer = Unicode(
        "",
        config=True,
        help="""
        Who vouches for these logins; it stands in the `issuers` of the source of accounts. It must never change.
        Default: "ldap:" with `LdapAccounts.person_base`, or "calipsoplus:" with `login_url`.
        Example: "ldap:dc=facility,dc=org".
        """,
    )
    title = Unicode("your facility account", config=True, help="What the login page calls it.")
    hours = Float(12.0, min=0.1, config=True, help="Hours after which the password is asked for again.")
    login_url = Unicode(
        "",
        config=True,
        help="""
        For "calipsoplus": address that is posted {"username": ..., "password": ...} and answers 200 for a right one
        (there: BACKEND_UO_LOGIN). Example: "https://useroffice.facility.org/login/".
        """,
    )
    ca_file = Unicode(
        "",
        config=True,
        help="PEM file of the authority that signed its certificate. Default: those this machine trusts.",
    )
    lowercase = Bool(
        True,
        config=True,
        help="""
        For "calipsoplus", which tells no name of its own: whether names are written in small letters, so that nobody
        is two people.
        """,
    )
    timeout_s = Float(10.0, min=0.1, config=True, help="Seconds an answer may take.")

    def source(self, kind: str, setting: str = "passwords") -> PasswordSource:
        """Build who is asked: "ldap" or "calipsoplus"; `setting` is where that stands.

        Raises:
            ConfigurationError: there is no such source, or it cannot be asked safely.
        """
        if kind == "ldap":
            settings = LdapAccounts(config=self.config)
            directory = settings.source()
            assert isinstance(directory, LdapDirectory)
            if not settings.start_tls and any(urlsplit(one).scheme == "ldap" for one in settings.servers):
                raise ConfigurationError(
                    "LdapAccounts.start_tls",
                    False,
                    "would send people's passwords in the clear",
                    remedy="Leave it on, or use ldaps:// only.",
                )
            return self._named(f"ldap:{settings.person_base}", directory.name_if_password)
        if kind == "calipsoplus":
            self.require_address("login_url")
            check = PasswordCheck(self.login_url, Service(self.timeout_s, self.require_authorities()))

            async def ask(name: str, password: str) -> str:
                name = name.strip().lower() if self.lowercase else name.strip()
                return name if await check.check_password(name, password) else ""

            return self._named(f"calipsoplus:{self.login_url}", ask)
        raise ConfigurationError(
            f"UmbrellaAuthenticator.{setting}",
            kind,
            "is no source of passwords",
            remedy='Known: "ldap", "calipsoplus".',
        )

    def _named(self, issuer: str, check: Check) -> PasswordSource:
        return PasswordSource(self.issuer or issuer, self.title, self.hours, check)


def can_be_asked(name: str, password: str) -> bool:
    """Return whether a source may be asked about these at all. An empty password is nobody's: directories let it in."""
    return (
        0 < len(name) <= MAX_NAME and name.isprintable() and 0 < len(password) <= MAX_PASSWORD and "\0" not in password
    )
