"""The settings of the account sources, each checked, and turned into the source it describes.

The sources themselves (`identity/`) take plain values. Each class here answers to one entry point of the group
daas_hub.accounts, so that `Facility.accounts = "ldap"` finds `LdapAccounts`.
"""

from __future__ import annotations

from traitlets.config import Configurable

from daas_hub.accounts.claims import ClaimsAccounts
from daas_hub.accounts.ldap import LdapAccounts
from daas_hub.accounts.links import NAME as LINKS
from daas_hub.accounts.links import LinkSettings
from daas_hub.accounts.machine import NssAccounts
from daas_hub.accounts.passwords import PasswordLogin
from daas_hub.accounts.people import ProposalAccounts, RoleRules
from daas_hub.accounts.rest import CalipsoplusAccounts, RestAccounts
from daas_hub.identity import AccountSource

#: Every class of settings here: the reference page and `daas-hub check-config` read them.
SETTINGS: tuple[type[Configurable], ...] = (
    LdapAccounts,
    NssAccounts,
    ClaimsAccounts,
    RestAccounts,
    CalipsoplusAccounts,
    ProposalAccounts,
    RoleRules,
    PasswordLogin,
    LinkSettings,
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
    return LinkSettings(parent=facility).source(str(getattr(facility, "state", "")))


def open_calipsoplus(facility: Configurable) -> AccountSource:
    """Build the entry point "calipsoplus" of daas_hub.accounts."""
    return CalipsoplusAccounts(parent=facility).source()


__all__ = [
    "LINKS",
    "SETTINGS",
    "CalipsoplusAccounts",
    "ClaimsAccounts",
    "LdapAccounts",
    "LinkSettings",
    "NssAccounts",
    "PasswordLogin",
    "ProposalAccounts",
    "RestAccounts",
    "RoleRules",
    "open_calipsoplus",
    "open_claims",
    "open_ldap",
    "open_links",
    "open_nss",
    "open_rest",
]
