"""The settings of accounts from an LDAP directory."""

from __future__ import annotations

import importlib.util
from typing import Any
from urllib.parse import urlsplit

from traitlets import Bool, Float, Int, List, Unicode

from daas_hub.accounts.model import AccountSource
from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.accounts.sources.ldap.connection import Server
from daas_hub.accounts.sources.ldap.entries import Attributes, assertions_of
from daas_hub.accounts.sources.ldap.source import LdapDirectory, Searches
from daas_hub.accounts.templates import fields_of
from daas_hub.errors import ConfigurationError
from daas_hub.services.web_proxy import LOOPBACK


class LdapAccounts(SourceSettings):
    """Accounts of an LDAP directory (`Facility.accounts = "ldap"`)."""

    servers = List(
        Unicode(),
        config=True,
        help="""
        Addresses of the directory's servers, in the order they are asked; the next one is asked when one fails.
        Example: ["ldaps://ldap1.facility.org", "ldaps://ldap2.facility.org"]. No default.
        """,
    )
    start_tls = Bool(
        True,
        config=True,
        help="""
        Whether a conversation with an ldap:// address is encrypted before anything else is said. Without it only
        addresses of this machine are accepted.
        """,
    )
    ca_file = Unicode(
        "",
        config=True,
        help="""
        PEM file of the authority that signed the servers' certificates. Example: "/etc/ssl/facility-ca.pem".
        Default: the authorities this machine trusts. Certificates and host names are always checked.
        """,
    )
    bind_dn = Unicode(
        "",
        config=True,
        help="""
        Who the portal is to the directory; needs `password_file`. Example: "cn=daas,ou=services,dc=facility,dc=org".
        Default: nobody (an anonymous bind).
        """,
    )
    password_file = Unicode(
        "",
        config=True,
        help="""
        File with the password of `bind_dn`, one line, readable by the hub's user only. It is read at every new
        connection. Example: "/etc/daas/ldap-password".
        """,
    )
    issuers = List(
        Unicode(),
        config=True,
        help="""
        OpenID issuers whose logins are looked up. Others have no account here. It may stay empty only if
        `person_filter` itself has {issuer}. Example: ["https://keycloak.facility.org/realms/users"].
        """,
    )
    person_base = Unicode(
        "",
        config=True,
        help='Where people are looked for, with everything below. Example: "ou=people,dc=facility,dc=org".',
    )
    person_filter = Unicode(
        "(&(objectClass=posixAccount)(uid={subject}))",
        config=True,
        help="""
        Filter that finds a login's one entry. Fields: {subject} {issuer} {claim.NAME}, escaped, each in a plain
        (attribute={field}) that is compared again letter by letter. Two entries are refused.
        Example: "(&(objectClass=posixAccount)(uid={claim.preferred_username}))".
        """,
    )
    account_filter = Unicode(
        "(objectClass=posixAccount)",
        config=True,
        help="""
        What an entry that is looked up by the account's name must be (see ProposalAccounts). No fields.
        """,
    )
    name_attribute = Unicode("uid", config=True, help="Attribute with the account's name.")
    uid_attribute = Unicode("uidNumber", config=True, help="Attribute with the user's number.")
    gid_attribute = Unicode("gidNumber", config=True, help="Attribute with the main group's number.")
    display_name_attribute = Unicode(
        "displayName", config=True, help='Attribute with the name shown on pages. Example: "cn".'
    )
    group_base = Unicode(
        "",
        config=True,
        help="""
        Where groups are looked for. Example: "ou=groups,dc=facility,dc=org". Default: they are not looked for.
        """,
    )
    group_filter = Unicode(
        "(&(objectClass=posixGroup)(memberUid={account}))",
        config=True,
        help="""
        Filter that finds a person's groups below `group_base`. Fields: {account} (the name), {dn} (of the entry).
        Example for groupOfNames: "(&(objectClass=groupOfNames)(member={dn}))". A group without a number gives no gid;
        its name still counts for RoleRules.
        """,
    )
    member_of_attribute = Unicode(
        "",
        config=True,
        help='Attribute of a person that lists their groups, each of which is read. Example: "memberOf".',
    )
    group_name_attribute = Unicode("cn", config=True, help="Attribute with a group's name.")
    group_gid_attribute = Unicode("gidNumber", config=True, help="Attribute with a group's number.")
    max_groups = Int(
        1000, min=1, config=True, help="Most groups of one person. Who has more is not let in with a part."
    )
    operation_timeout_s = Float(
        3.0,
        min=0.1,
        config=True,
        help="""
        Seconds to wait for one word of a server: connection, handshake, bind, a search. Then the next server is asked.
        """,
    )
    timeout_s = Float(10.0, min=0.1, config=True, help="Seconds for a whole look-up, over all servers.")
    connections = Int(4, min=1, max=64, config=True, help="Most connections at a time.")

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if importlib.util.find_spec("ldap3") is None:
            raise ConfigurationError(
                "Facility.accounts", "ldap", "its library is not installed", remedy="make install EXTRAS=ldap"
            )
        self._require_servers()
        if not self.person_base:
            raise self.wrong("person_base", "is not set", 'Say where people are: "ou=people,dc=facility,dc=org".')
        self._require_filters()
        self.require_authorities()
        server = Server(
            addresses=tuple(self.servers),
            start_tls=self.start_tls,
            ca_file=self.ca_file,
            bind_dn=self.bind_dn,
            password_file=self.require_private("password_file") if self.bind_dn else "",
            operation_timeout_s=self.operation_timeout_s,
            timeout_s=self.timeout_s,
            connections=self.connections,
        )
        attributes = Attributes(
            name=self.name_attribute,
            uid=self.uid_attribute,
            gid=self.gid_attribute,
            display_name=self.display_name_attribute,
            group_name=self.group_name_attribute,
            group_gid=self.group_gid_attribute,
            member_of=self.member_of_attribute,
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
        return LdapDirectory(server, searches, self.require_issuers(self.issuers, self.person_filter))

    def _require_servers(self) -> None:
        if not self.servers:
            raise self.wrong("servers", "names no server", 'Example: ["ldaps://ldap.facility.org"].')
        for address in self.servers:
            try:
                parts = urlsplit(address)
                good = parts.scheme in ("ldap", "ldaps") and parts.hostname and parts.path in ("", "/")
                good = good and not (parts.query or parts.fragment or parts.username) and parts.port != 0
            except ValueError:
                good = False
            if not good:
                raise self.wrong("servers", f"{address} is no address of a server", "ldaps://host or ldap://host:389.")
            if parts.scheme == "ldap" and not self.start_tls and parts.hostname not in LOOPBACK:
                raise self.wrong(
                    "servers", f"{address} would be asked in the clear", "Use ldaps://, or leave start_tls on."
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
                raise self.wrong(setting, "would give everybody the same groups", "Add {account} or {dn}.")
