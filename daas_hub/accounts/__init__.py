"""From an identity (what a login proved) to the facility's account (name, uid, gid, groups)."""

from daas_hub.accounts.model import (
    Account,
    AccountSource,
    ComparesSettings,
    DependsOnSources,
    Identity,
    LimitedToIssuers,
    NamedAccounts,
    ReadsClaims,
    RestrictsOwnResources,
    claims_read_by,
)
from daas_hub.accounts.rules import AccountRules
from daas_hub.accounts.sources.table import AccountTable

__all__ = [
    "Account",
    "AccountRules",
    "AccountSource",
    "AccountTable",
    "ComparesSettings",
    "DependsOnSources",
    "Identity",
    "LimitedToIssuers",
    "NamedAccounts",
    "ReadsClaims",
    "RestrictsOwnResources",
    "claims_read_by",
]
