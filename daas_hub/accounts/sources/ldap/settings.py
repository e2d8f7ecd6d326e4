"""Settings of the account source "ldap"."""

from __future__ import annotations

import importlib.util
from typing import Any
from urllib.parse import urlsplit

from traitlets import Bool, Float, Int, List, Unicode

from daas_hub.accounts.model import AccountFields, AccountSource
from daas_hub.accounts.source_settings import HasIssuers
from daas_hub.accounts.sources.ldap.connection import Server
from daas_hub.accounts.sources.ldap.entries import assertions_of
from daas_hub.accounts.sources.ldap.source import LdapSource, Searches
from daas_hub.accounts.templates import fields_of
from daas_hub.errors import ConfigurationError
from daas_hub.services.web_proxy import LOOPBACK


class LdapAccounts(HasIssuers):
    """Accounts from an LDAP directory (`Facility.accounts = "ldap"`)."""

    servers = List(
        Unicode(),
        config=True,
        help="""
        URLs of the LDAP servers, in order of preference; if one fails, the next is tried. No default.
        Example: ["ldaps://ldap1.facility.org", "ldaps://ldap2.facility.org"].
        """,
    )
    start_tls = Bool(
        True,
        config=True,
        help="""
        Use StartTLS on ldap:// connections. If switched off, ldap:// is accepted for localhost only. ldaps:// is not
        affected.
        """,
    )
    ca_file = Unicode(
        "",
        config=True,
        help="""
        PEM file with the CA certificates to verify the servers with. Default: the system's CA certificates.
        Certificates and host names are always verified. Example: "/etc/ssl/facility-ca.pem".
        """,
    )
    bind_dn = Unicode(
        "",
        config=True,
        help="""
        DN the portal binds with. Needs `password_file`. Default: an anonymous bind.
        Example: "cn=daas,ou=services,dc=facility,dc=org".
        """,
    )
    password_file = Unicode(
        "",
        config=True,
        help="""
        File with the password of `bind_dn`: one line, readable by the hub's user only. It is read again for each new
        connection. Example: "/etc/daas-hub/ldap-password".
        """,
    )
    person_base = Unicode(
        "",
        config=True,
        help='Search base for people (subtree search). No default. Example: "ou=people,dc=facility,dc=org".',
    )
    person_filter = Unicode(
        "(&(objectClass=posixAccount)(uid={subject}))",
        config=True,
        help="""
        Search filter for the entry of a login. Fields: {subject} {issuer} {claim.NAME}; their values are escaped.
        Each field must be in a plain (attribute={field}) assertion, which is checked again case-sensitively against the
        entry. A login with more than one entry is refused. With {issuer} in it, `issuers` may be empty.
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
    group_base = Unicode(
        "",
        config=True,
        help="""
        Search base for groups. Default: groups are not searched for. Example: "ou=groups,dc=facility,dc=org".
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
    group_name_attribute = Unicode("cn", config=True, help="Attribute with the name of a group.")
    group_gid_attribute = Unicode("gidNumber", config=True, help="Attribute with the gid of a group.")
    max_groups = Int(
        1000,
        min=1,
        config=True,
        help="Maximum number of groups per person. A login with more is refused, not truncated.",
    )
    operation_timeout_s = Float(
        3.0,
        min=0.1,
        config=True,
        help="""
        Timeout in seconds of each LDAP operation (connect, TLS, bind, search). After that the next server is tried.
        """,
    )
    timeout_s = Float(10.0, min=0.1, config=True, help="Timeout in seconds of a lookup, over all servers.")
    max_connections = Int(4, min=1, max=64, config=True, help="Maximum number of concurrent connections.")

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if importlib.util.find_spec("ldap3") is None:
            raise ConfigurationError(
                "Facility.accounts", "ldap", "the library ldap3 is not installed", remedy="make install EXTRAS=ldap"
            )
        self._require_servers()
        if not self.person_base:
            raise self.wrong("person_base", "is not set", 'Example: "ou=people,dc=facility,dc=org".')
        self._require_filters()
        self.require_ca_file()
        server = Server(
            addresses=tuple(self.servers),
            start_tls=self.start_tls,
            ca_file=self.ca_file,
            bind_dn=self.bind_dn,
            password_file=self.require_secret_file("password_file") if self.bind_dn else "",
            operation_timeout_s=self.operation_timeout_s,
            timeout_s=self.timeout_s,
            max_connections=self.max_connections,
        )
        attributes = AccountFields(
            name=self.name_attribute,
            uid=self.uid_attribute,
            gid=self.gid_attribute,
            display_name=self.display_name_attribute,
            groups=self.member_of_attribute,
            group_name=self.group_name_attribute,
            group_gid=self.group_gid_attribute,
        )
        searches = Searches(
            person_base=self.person_base,
            person_filter=self.person_filter,
            account_filter=self.account_filter,
            group_base=self.group_base,
            group_filter=self.group_filter,
            max_groups=self.max_groups,
            attributes=attributes,
        )
        return LdapSource(server, searches, self.require_issuers(self.issuers, self.person_filter))

    def _require_servers(self) -> None:
        if not self.servers:
            raise self.wrong("servers", "is empty", 'Example: ["ldaps://ldap.facility.org"].')
        for address in self.servers:
            try:
                parts = urlsplit(address)
                good = parts.scheme in ("ldap", "ldaps") and parts.hostname and parts.path in ("", "/")
                good = good and not (parts.query or parts.fragment or parts.username) and parts.port != 0
            except ValueError:
                good = False
            if not good:
                raise self.wrong(
                    "servers", f"{address} is not the URL of an LDAP server", "Example: ldaps://host, ldap://host:389."
                )
            if parts.scheme == "ldap" and not self.start_tls and parts.hostname not in LOOPBACK:
                raise self.wrong(
                    "servers", f"{address} would be unencrypted", "Use ldaps://, or leave start_tls enabled."
                )

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
