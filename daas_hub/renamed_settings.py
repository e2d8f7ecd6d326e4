"""Settings of release 0.1.0 that have another name now. A hub with one of them does not start.

JupyterHub would ignore it: without `Facility.lowest_id`, accounts run sessions that the administrator had excluded.
"""

from __future__ import annotations

from collections.abc import Mapping

from traitlets.config import Config
from traitlets.config.loader import LazyConfigValue

from daas_hub.errors import ConfigurationError

_OF_SERVICES = {
    "most_bytes": "max_bytes",
    "most_records": "max_records",
    "plain_http_because": "plain_http_reason",
    "whole_up_to": "page_above",
}
_TIMEOUT = {"answer_s": "timeout_s"}

#: The new name of each setting, by class and former name.
RENAMED: Mapping[str, Mapping[str, str]] = {
    "CalipsoplusAccounts": _TIMEOUT | {"accounts": "account_source", "is_staff_url": "is_authorized_url"},
    "ClaimsAccounts": {"believed_s": "claims_max_age_s"},
    "Facility": {
        "highest_id": "max_id",
        "lowest_id": "min_id",
        "remember_s": "cache_s",
        "show_old_proposals_s": "stale_cache_s",
        "unite_groups": "merge_groups",
    },
    "LdapAccounts": _TIMEOUT
    | {"connections": "max_connections", "most_groups": "max_groups", "server_s": "operation_timeout_s"},
    "LinkSettings": {"file": "file", "most_of_account": "max_per_account"},
    "MountRules": {"more": "extra"},
    "NssAccounts": _TIMEOUT,
    "PasswordLogin": _TIMEOUT | {"small_letters": "lowercase"},
    "ProposalService": _OF_SERVICES,
    "CalipsoplusProposals": _OF_SERVICES,
    "IcatPlusProposals": _OF_SERVICES,
    "IcatProposals": _OF_SERVICES | {"ways": "membership"},
    "IspybProposals": _OF_SERVICES,
    "SciCatProposals": _OF_SERVICES,
    "UserOfficeProposals": _OF_SERVICES,
    "RestAccounts": _TIMEOUT,
    "RoleRules": {"staff_groups": "role_groups", "staff_claims": "role_claims"},
}
#: Classes that have another name now.
RENAMED_CLASSES: Mapping[str, str] = {"LinkSettings": "LinkedAccounts"}
#: What to write where the value has another form now.
_NEW_FORM: Mapping[str, str] = {
    "RoleRules.staff_groups": 'RoleRules.role_groups = {"staff": [...]}',
    "RoleRules.staff_claims": 'RoleRules.role_claims = {"staff": {...}}',
}


def new_name(section: str, name: str) -> str:
    """Return the present name of a setting of release 0.1.0, with its class; "" if that was not renamed."""
    renamed = RENAMED.get(section, {}).get(name)
    return f"{RENAMED_CLASSES.get(section, section)}.{renamed}" if renamed else ""


def renamed_settings(config: Config) -> list[ConfigurationError]:
    """Return an error for each setting in a configuration that has another name now; values are not shown."""
    problems = []
    for section in RENAMED:
        values = config.get(section, {})
        for name, value in values.items():
            # c.MountRules.more was read and left alone
            if isinstance(value, LazyConfigValue) and not value.to_dict():
                continue
            if now := new_name(section, name):
                former = f"{section}.{name}"
                remedy = f"Write {_NEW_FORM.get(former, now)}."
                problems.append(ConfigurationError(former, "(set)", "has another name now", remedy=remedy))
    return problems
