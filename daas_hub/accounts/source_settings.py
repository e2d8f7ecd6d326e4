"""Base of the settings of account sources: common checks."""

from __future__ import annotations

import ssl

from traitlets import List, Unicode
from traitlets.config import Configurable

from daas_hub.accounts.templates import fields_of
from daas_hub.errors import ConfigurationError
from daas_hub.services.secret_file import read_secret
from daas_hub.services.urls import require_url, tls_context


class SourceSettings(Configurable):
    """Base of the settings of an account source."""

    def wrong(self, setting: str, message: str, remedy: str) -> ConfigurationError:
        """Return an error about one of these settings."""
        return ConfigurationError(f"{type(self).__name__}.{setting}", getattr(self, setting), message, remedy=remedy)

    def require_issuers(self, issuers: list[str], template: str = "") -> frozenset[str]:
        """Return the issuers whose logins count.

        Raises:
            ConfigurationError: no issuer is named, so the same subject of any issuer would be the same person.
        """
        if not issuers and "{issuer}" not in template:
            raise self.wrong(
                "issuers",
                "is empty, so logins of any issuer would be accepted",
                'Set it to your provider\'s issuer: ["https://keycloak.facility.org/realms/users"].',
            )
        return frozenset(issuers)

    def require_secret_file(self, setting: str) -> str:
        """Return the path of a file with a secret.

        Raises:
            ConfigurationError: it is unreadable or empty, or other users can read it.
        """
        name = str(getattr(self, setting))
        read_secret(f"{type(self).__name__}.{setting}", name)
        return name

    def require_ca_file(self, setting: str = "ca_file") -> ssl.SSLContext | None:
        """Return a TLS context with the CA certificates of a file; None for the system's.

        Raises:
            ConfigurationError: the file has no certificates.
        """
        return tls_context(f"{type(self).__name__}.{setting}", str(getattr(self, setting)))

    def require_fields(self, setting: str, *, known: tuple[str, ...] = ("subject", "issuer")) -> tuple[str, ...]:
        """Return the fields of a template.

        Raises:
            ConfigurationError: one of them is unknown.
        """
        return self.require_text_fields(setting, str(getattr(self, setting)), known)

    def require_text_fields(
        self, setting: str, template: str, known: tuple[str, ...] = ("subject", "issuer")
    ) -> tuple[str, ...]:
        """Return the fields of a template that is part of a setting; see `require_fields`."""
        try:
            return fields_of(template, known)
        except ValueError as error:
            raise self.wrong(setting, str(error), "See the setting's help for its fields.") from None

    def require_https(self, setting: str) -> str:
        """Return a URL: https, or http on localhost.

        Raises:
            ConfigurationError: it is not one of these.
        """
        return require_url(f"{type(self).__name__}.{setting}", str(getattr(self, setting)))


class HasIssuers(SourceSettings):
    """Settings of an account source for logins of certain issuers."""

    issuers = List(
        Unicode(),
        config=True,
        help="""
        Issuers whose logins this source is asked about; logins of any other issuer have no account here. No default.
        Example: ["https://keycloak.facility.org/realms/users"].
        """,
    )
