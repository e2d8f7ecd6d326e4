"""What the settings of every account source share: the checks, and the words for what cannot work."""

from __future__ import annotations

import ssl

from traitlets import List, Unicode
from traitlets.config import Configurable

from daas_hub.accounts.templates import fields_of
from daas_hub.errors import ConfigurationError
from daas_hub.services.http import require_url, trust_of
from daas_hub.services.secret_file import read_secret


class SourceSettings(Configurable):
    """What the settings of every source share."""

    def wrong(self, setting: str, message: str, remedy: str) -> ConfigurationError:
        """Return the error for one of these settings."""
        return ConfigurationError(f"{type(self).__name__}.{setting}", getattr(self, setting), message, remedy=remedy)

    def require_issuers(self, issuers: list[str], template: str = "") -> frozenset[str]:
        """Return the issuers whose logins count.

        Raises:
            ConfigurationError: there is none, so that the same subject of any provider would be the same person.
        """
        if not issuers and "{issuer}" not in template:
            raise self.wrong(
                "issuers",
                "names no provider, so any provider's word would be taken for it",
                'Write the provider\'s issuer: ["https://keycloak.facility.org/realms/users"].',
            )
        return frozenset(issuers)

    def require_private(self, setting: str) -> str:
        """Return the path of a secret's file.

        Raises:
            ConfigurationError: it holds no secret, or others can read it.
        """
        name = str(getattr(self, setting))
        read_secret(f"{type(self).__name__}.{setting}", name)
        return name

    def require_authorities(self, setting: str = "ca_file") -> ssl.SSLContext | None:
        """Return the authorities of a file; None for the machine's own.

        Raises:
            ConfigurationError: the file holds none.
        """
        return trust_of(f"{type(self).__name__}.{setting}", str(getattr(self, setting)))

    def require_fields(self, setting: str, *, known: tuple[str, ...] = ("subject", "issuer")) -> tuple[str, ...]:
        """Return the fields of a template.

        Raises:
            ConfigurationError: one of them is unknown.
        """
        return self.require_text_fields(setting, str(getattr(self, setting)), known)

    def require_text_fields(
        self, setting: str, template: str, known: tuple[str, ...] = ("subject", "issuer")
    ) -> tuple[str, ...]:
        """Return the fields of a template that is a part of a setting; see `require_fields`."""
        try:
            return fields_of(template, known)
        except ValueError as error:
            raise self.wrong(setting, str(error), "Write the fields as the setting's help tells them.") from None

    def require_address(self, setting: str) -> str:
        """Return an address that may be asked: https anywhere, http on this machine only.

        Raises:
            ConfigurationError: it is another one.
        """
        return require_url(f"{type(self).__name__}.{setting}", str(getattr(self, setting)))


class HasIssuers(SourceSettings):
    """The settings of a source that answers for the logins of certain providers only."""

    issuers = List(
        Unicode(),
        config=True,
        help="""
        Issuers whose logins this source is asked about; logins of any other issuer have no account here. No default.
        Example: ["https://keycloak.facility.org/realms/users"].
        """,
    )
