"""Defaults for kinds of directories; a setting that is set takes precedence."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

#: LDAP_MATCHING_RULE_IN_CHAIN: a member, also through other groups.
_IN_CHAIN = "1.2.840.113556.1.4.1941"

PROFILES: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        "generic": {},
        "active-directory": {
            "person_filter": "(&(objectCategory=person)(objectClass=user)(sAMAccountName={subject}))",
            "account_filter": "(&(objectCategory=person)(objectClass=user))",
            "name_attribute": "sAMAccountName",
            "primary_group_attribute": "primaryGroupID",
            "group_filter": f"(&(objectClass=group)(member:{_IN_CHAIN}:={{dn}}))",
            "group_name_attribute": "sAMAccountName",
            # partitions of every domain, to which its root refers; they hold no people
            "ignored_referrals": ["CN=Configuration", "DC=DomainDnsZones", "DC=ForestDnsZones"],
            # otherwise the portal cannot see that an account is disabled
            "required_attributes": ["userAccountControl"],
        },
    }
)
