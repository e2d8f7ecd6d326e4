"""The entry points of the group "daas_hub.accounts": `Facility.accounts = "ldap"` calls `open_ldap`.

Each builds a source from its settings class, which checks the settings; the source itself takes plain values.
"""

from __future__ import annotations

from traitlets.config import Configurable

from daas_hub.accounts.model import AccountSource
from daas_hub.accounts.passwords import PasswordLogin
from daas_hub.accounts.sources.claims import ClaimsAccounts
from daas_hub.accounts.sources.ldap.settings import LdapAccounts
from daas_hub.accounts.sources.linked import LinkedAccounts
from daas_hub.accounts.sources.nss import NssAccounts
from daas_hub.accounts.sources.rest.settings import CalipsoplusAccounts, RestAccounts

#: All settings classes of this package, for the reference page and `daas-hub check-config`.
SETTINGS: tuple[type[Configurable], ...] = (
    LdapAccounts,
    NssAccounts,
    ClaimsAccounts,
    RestAccounts,
    CalipsoplusAccounts,
    PasswordLogin,
    LinkedAccounts,
)


def open_ldap(facility: Configurable) -> AccountSource:
    """Build the entry point "ldap" of daas_hub.accounts."""
    return LdapAccounts(parent=facility).source()


def open_nss(facility: Configurable) -> AccountSource:
    """Build the entry point "nss" of daas_hub.accounts."""
    return NssAccounts(parent=facility).source()


def open_claims(facility: Configurable) -> AccountSource:
    """Build the entry point "claims" of daas_hub.accounts."""
    return ClaimsAccounts(parent=facility).source()


def open_rest(facility: Configurable) -> AccountSource:
    """Build the entry point "rest" of daas_hub.accounts."""
    return RestAccounts(parent=facility).source()


def open_links(facility: Configurable) -> AccountSource:
    """Build the entry point "links" of daas_hub.accounts."""
    return LinkedAccounts(parent=facility).source(str(getattr(facility, "state", "")))


def open_calipsoplus(facility: Configurable) -> AccountSource:
    """Build the entry point "calipsoplus" of daas_hub.accounts."""
    return CalipsoplusAccounts(parent=facility).source()
