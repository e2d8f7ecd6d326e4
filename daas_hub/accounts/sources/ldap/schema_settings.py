"""Settings of the account source "ldap" about the directory's structure: where entries are, and what they mean."""

from __future__ import annotations

import re
from typing import Any

from traitlets import Bool, Int, List, Unicode, Union

from daas_hub.accounts.source_settings import HasIssuers
from daas_hub.accounts.sources.ldap.account_state import CHECKS
from daas_hub.accounts.sources.ldap.entries import assertions_of
from daas_hub.accounts.sources.ldap.profiles import PROFILES
from daas_hub.accounts.sources.ldap.sids import SSSD_RANGE, IdMapping, RidMapping, SssdMapping
from daas_hub.accounts.templates import fields_of
from daas_hub.stock_settings import is_set

_DOMAIN_SID = re.compile(r"S-1-5-21-\d{1,10}-\d{1,10}-\d{1,10}")


class LdapSchema(HasIssuers):
    """The settings about entries; see `LdapAccounts`."""

    profile = Unicode(
        "generic",
        config=True,
        help="""
        Kind of directory: "generic" (OpenLDAP, 389, FreeIPA), or "active-directory" (also Samba's), which sets filters,
        attributes, the primary group, nested groups and `ignored_referrals`. Settings given explicitly take precedence.
        Default: "generic".
        """,
    )
    person_base = Union(
        [Unicode(), List(Unicode())],
        default_value="",
        config=True,
        help="""
        Search base for people (subtree search), or a list of several. No default.
        Example: "ou=people,dc=facility,dc=org".
        """,
    )
    person_filter = Unicode(
        "(&(objectClass=posixAccount)(uid={subject}))",
        config=True,
        help="""
        Search filter for the entry of a login. Fields: {subject} {issuer} {claim.NAME}; their values are escaped.
        Each field must be in a plain (attribute={field}) assertion, which is checked again against the entry: exactly,
        but for capitals (see `case_sensitive`). A login with more than one entry is refused. With {issuer} in it,
        `issuers` may be empty.
        Example: "(&(objectClass=posixAccount)(uid={claim.preferred_username}))".
        """,
    )
    account_filter = Unicode(
        "(objectClass=posixAccount)",
        config=True,
        help="""
        Search filter for accounts that are looked up by name: those of proposals (see `ProposalAccounts`) and of
        password logins. It is combined with the name; it has no fields.
        """,
    )
    name_attribute = Unicode("uid", config=True, help="Attribute with the account name.")
    uid_attribute = Unicode("uidNumber", config=True, help="Attribute with the uid.")
    gid_attribute = Unicode("gidNumber", config=True, help="Attribute with the gid of the primary group.")
    display_name_attribute = Unicode("displayName", config=True, help='Attribute with the display name. Example: "cn".')
    group_base = Union(
        [Unicode(), List(Unicode())],
        default_value="",
        config=True,
        help="""
        Search base for groups, or a list of several. Default: groups are not searched for.
        Example: "ou=groups,dc=facility,dc=org".
        """,
    )
    group_filter = Unicode(
        "(&(objectClass=posixGroup)(memberUid={account}))",
        config=True,
        help="""
        Search filter for a person's groups below `group_base`. Fields: {account} (account name), {dn} (of the
        person's entry). A group without a gid adds no gid; its name still counts for `RoleRules`.
        Example, for groupOfNames: "(&(objectClass=groupOfNames)(member={dn}))".
        """,
    )
    member_of_attribute = Unicode(
        "",
        config=True,
        help='Attribute with the DNs of a person\'s groups; each group is read. Default: none. Example: "memberOf".',
    )
    case_sensitive = Bool(
        False,
        config=True,
        help="""
        Whether capitals in the value of a login must be those of the entry. By default ASCII letters match in either
        case, where the directory matches them; the account's name is as the directory spells it. Enable it if your
        login provider gives "anna" and "Anna" to two different people. Default: False.
        """,
    )
    primary_group_attribute = Unicode(
        "",
        config=True,
        help="""
        Attribute with the RID of the primary group, which is then searched by its objectSid in the whole domain. It
        becomes the gid of people without `gid_attribute`. Default: none; the profile's: "primaryGroupID".
        """,
    )
    ignored_account_state = List(
        Unicode(),
        config=True,
        help="""
        Attributes that do not close an account, or ["*"] for all. By default an account that the directory has
        disabled, that has expired or is locked there runs nothing, however its owner signs in; see the page on
        LDAP for the attributes. Example: ["shadowExpire"]. Default: [].
        """,
    )
    required_attributes = List(
        Unicode(),
        config=True,
        help="""
        Attributes without which an entry is refused, so that one that is hidden from `bind_dn` is noticed. Default: [];
        the profile's: ["userAccountControl"].
        """,
    )
    ignored_referrals = List(
        Unicode(),
        config=True,
        help="""
        Beginnings of DNs to which the server may refer without making its answer incomplete: partitions without people
        and groups. Referrals are never followed. Default: []; the profile's: those of every Active Directory.
        Example: ["DC=DomainDnsZones"].
        """,
    )
    id_mapping = Unicode(
        "",
        config=True,
        help="""
        How uid and gid are calculated from objectSid: "rid" (Samba's idmap_rid), "sssd" (SSSD's ldap_id_mapping), or ""
        for `uid_attribute` and `gid_attribute`. They must be the numbers of your storage. Default: "".
        """,
    )
    id_mapping_base = Int(
        0, min=0, config=True, help='For "rid": lowest number of the domain\'s range in smb.conf. Example: 100000.'
    )
    id_mapping_range = List(
        Int(),
        default_value=list(SSSD_RANGE),
        minlen=3,
        maxlen=3,
        config=True,
        help="""
        For "sssd": ldap_idmap_range_min, ldap_idmap_range_max and ldap_idmap_range_size. Default: SSSD's,
        [200000, 2000200000, 200000]; raise `Facility.max_id` accordingly.
        """,
    )
    id_mapping_domain = Unicode(
        "",
        config=True,
        help="""
        SID of the domain: for "rid", the only one that has numbers; for "sssd", ldap_idmap_default_domain_sid.
        Example: "S-1-5-21-1111-2222-3333". Default: none.
        """,
    )
    group_name_attribute = Unicode("cn", config=True, help="Attribute with the name of a group.")
    group_gid_attribute = Unicode("gidNumber", config=True, help="Attribute with the gid of a group.")
    max_groups = Int(
        1000,
        min=1,
        config=True,
        help="Maximum number of groups per person. A login with more is refused, not truncated.",
    )

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        for name, value in PROFILES.get(self.profile, {}).items():
            if name not in kwargs and not is_set(type(self), self.config, name):
                setattr(self, name, value)

    def require_schema(self) -> None:
        """Check these settings.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if self.profile not in PROFILES:
            raise self.wrong("profile", "is not a profile", f"Known: {', '.join(PROFILES)}.")
        if not self.person_base or not all(bases_of(self.person_base)):
            raise self.wrong("person_base", "is not set", 'Example: "ou=people,dc=facility,dc=org".')
        self._require_filters()
        unknown = set(self.ignored_account_state) - set(CHECKS) - {"*"}
        if unknown:
            raise self.wrong(
                "ignored_account_state", f"{min(unknown)} closes no account", f"Known: *, {', '.join(CHECKS)}."
            )

    @property
    def ignored_state(self) -> frozenset[str]:
        """The attributes that do not close an account."""
        return frozenset(CHECKS if "*" in self.ignored_account_state else self.ignored_account_state)

    def mapping(self) -> IdMapping | None:
        """Return how numbers are calculated; None for those in attributes.

        Raises:
            ConfigurationError: one of the settings about it cannot work.
        """
        if self.id_mapping_domain and not _DOMAIN_SID.fullmatch(self.id_mapping_domain):
            raise self.wrong("id_mapping_domain", "is not the SID of a domain", "Example: S-1-5-21-1111-2222-3333.")
        if self.id_mapping == "rid":
            if not self.id_mapping_base:
                raise self.wrong("id_mapping_base", "is not set", "Use the range of the domain in smb.conf.")
            return RidMapping(self.id_mapping_base, self.id_mapping_domain)
        if self.id_mapping == "sssd":
            low, high, size = self.id_mapping_range
            if not 0 < low < high or not 0 < size <= high - low:
                raise self.wrong("id_mapping_range", "is not a range with room for a domain", "See sssd-ldap(5).")
            return SssdMapping(low, high, size, self.id_mapping_domain)
        if self.id_mapping:
            raise self.wrong("id_mapping", "is not a mapping", 'Known: "rid", "sssd", "" for attributes.')
        return None

    def _require_filters(self) -> None:
        checks: list[tuple[str, Any]] = [
            ("person_filter", lambda: assertions_of(self.person_filter)),
            ("group_filter", lambda: fields_of(self.group_filter, ("account", "dn"))),
            ("account_filter", lambda: fields_of(self.account_filter, ())),
        ]
        for setting, check in checks:
            try:
                found = check()
            except ValueError as error:
                raise self.wrong(setting, str(error), "See docs/how-to/accounts-from-ldap.md.") from None
            if setting == "group_filter" and not found:
                raise self.wrong(
                    setting, "has no field, so everybody would get the same groups", "Add {account} or {dn}."
                )


def bases_of(setting: str | list[str]) -> tuple[str, ...]:
    """Return the search bases of a setting."""
    return (setting,) if isinstance(setting, str) else tuple(setting)
