"""Settings of the account source "ldap"."""

from __future__ import annotations

import importlib.util
from urllib.parse import urlsplit

from traitlets import Bool, Float, Int, List, Unicode

from daas_hub.accounts.model import AccountFields, AccountSource
from daas_hub.accounts.sources.ldap.connection import Server
from daas_hub.accounts.sources.ldap.schema_settings import LdapSchema, bases_of
from daas_hub.accounts.sources.ldap.searches import Searches
from daas_hub.accounts.sources.ldap.source import LdapSource
from daas_hub.errors import ConfigurationError
from daas_hub.services.web_proxy import LOOPBACK


class LdapAccounts(LdapSchema):
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
        self.require_schema()
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
            person_base=bases_of(self.person_base),
            person_filter=self.person_filter,
            account_filter=self.account_filter,
            group_base=bases_of(self.group_base) if self.group_base else "",
            group_filter=self.group_filter,
            max_groups=self.max_groups,
            attributes=attributes,
            case_sensitive=self.case_sensitive,
            primary_group_attribute=self.primary_group_attribute,
            required_attributes=tuple(set(self.required_attributes) - self.ignored_state),
            ignored_account_state=self.ignored_state,
            ignored_referrals=tuple(self.ignored_referrals),
            id_mapping=self.mapping(),
            is_active_directory=self.profile == "active-directory",
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
