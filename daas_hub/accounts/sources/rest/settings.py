"""The settings of accounts from web services of the user office."""

from __future__ import annotations

import importlib.metadata

from traitlets import Dict, Float, List, Unicode

from daas_hub.accounts.model import AccountSource, NamedAccounts
from daas_hub.accounts.source_settings import SourceSettings
from daas_hub.accounts.sources.rest.calipsoplus import LinkedAccounts
from daas_hub.accounts.sources.rest.service import Service
from daas_hub.accounts.sources.rest.source import Fields, OfficeAccounts, Question


class _ServiceSettings(SourceSettings):
    """What the settings of both kinds share."""

    issuers = List(
        Unicode(),
        config=True,
        help="""
        OpenID issuers whose logins are looked up. Others have no account here. No default.
        Example: ["https://keycloak.facility.org/realms/users"].
        """,
    )
    ca_file = Unicode(
        "",
        config=True,
        help="""
        PEM file of the authority that signed the service's certificate. Default: those this machine trusts.
        """,
    )
    user = Unicode("", config=True, help="Name for HTTP Basic authentication; needs `password_file`. Default: none.")
    password_file = Unicode("", config=True, help="File with the password of `user`, readable by the hub's user only.")
    token_file = Unicode(
        "",
        config=True,
        help="""
        File with a bearer token, instead of `user`, readable by the hub's user only. It is read at each question.
        """,
    )
    timeout_s = Float(10.0, min=0.1, config=True, help="Seconds an answer may take.")

    def service(self) -> Service:
        """Return how the service is asked.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if self.user and self.token_file:
            raise self.wrong("token_file", "is set beside user", "Keep one of them.")
        return Service(
            timeout_s=self.timeout_s,
            tls=self.require_authorities(),
            user=self.user,
            password_file=self.require_private("password_file") if self.user else "",
            token_file=self.require_private("token_file") if self.token_file else "",
            settings=type(self).__name__,
        )


class RestAccounts(_ServiceSettings):
    """Accounts a user office tells as JSON (`Facility.accounts = "rest"`)."""

    url = Unicode(
        "",
        config=True,
        help="""
        Address that is asked about a login. Fields, escaped: {subject} {issuer} {claim.NAME}. 200 is an answer, 404
        means "no account". Example: "https://useroffice.facility.org/api/accounts/{subject}". No default.
        """,
    )
    body = Dict(
        Unicode(),
        config=True,
        help="""
        What is posted as JSON, with the same fields. Default: nothing, the question is a GET.
        Example: {"login": "{subject}"}.
        """,
    )
    account_url = Unicode(
        "",
        config=True,
        help="""
        Address that is asked about an account's name, for accounts of proposals. Field: {account}.
        Example: "https://useroffice.facility.org/api/accounts/by-name/{account}". Default: none.
        """,
    )
    name_field = Unicode("name", config=True, help='Path of the name. Example: "account.login".')
    uid_field = Unicode("uid", config=True, help='Path of the user\'s number. Example: "account.uid".')
    gid_field = Unicode("gid", config=True, help="Path of the main group's number.")
    groups_field = Unicode(
        "",
        config=True,
        help="""
        Path of a list of further groups: numbers, or records with `group_gid_field`. Default: none is read.
        """,
    )
    group_gid_field = Unicode("gid", config=True, help="Path of a number in a group's record.")
    group_name_field = Unicode("name", config=True, help="Path of a name in a group's record.")
    display_name_field = Unicode("", config=True, help="Path of the name shown on pages. Default: none.")
    subject_field = Unicode(
        "",
        config=True,
        help="""
        Path of the login's subject in the answer. It is compared letter by letter, for services that look up
        loosely. Default: it is not compared.
        """,
    )

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        self.require_address("url")
        fields = list(self.require_fields("url"))
        for value in self.body.values():
            fields += self.require_text_fields("body", value)
        if not fields:
            raise self.wrong("url", "has no field, nor has body: everybody would be the same", "Add {subject}.")
        if self.account_url:
            self.require_address("account_url")
            if not self.require_fields("account_url", known=("account",)):
                raise self.wrong("account_url", "has no field", "Add {account}.")
        for setting in ("name_field", "uid_field", "gid_field"):
            if not getattr(self, setting):
                raise self.wrong(setting, "names no field", "Write the path of the field in the answer.")
        return OfficeAccounts(
            self.service(),
            Question(self.url, dict(self.body) or None, self.account_url),
            Fields(
                self.name_field,
                self.uid_field,
                self.gid_field,
                self.groups_field,
                self.group_gid_field,
                self.group_name_field,
                self.display_name_field,
                self.subject_field,
            ),
            self.require_issuers(self.issuers),
        )


class CalipsoplusAccounts(_ServiceSettings):
    """Accounts linked to Umbrella by the services of a CALIPSOplus portal (`Facility.accounts = "calipsoplus"`)."""

    hash_url = Unicode(
        "",
        config=True,
        help="""
        Address that is posted {"eaa_hash": ...} and answers {"login": ...}, or 404 for an unknown one (there:
        BACKEND_UO_HASH). It gets no password. Example: "https://useroffice.facility.org/login/umbrella/".
        """,
    )
    hash = Unicode(
        "{subject}",
        config=True,
        help="""
        Where a login has its Umbrella hash. Fields: {subject} {claim.NAME}. Example: "{claim.eaahash}".
        """,
    )
    accounts = Unicode(
        "nss",
        config=True,
        help="""
        Where the numbers of that name come from: an account source that knows accounts by name.
        Example: "ldap".
        """,
    )
    is_authorized_url = Unicode(
        "",
        config=True,
        help="""
        URL of the service that says who may launch applications without a proposal (CALIPSOplus:
        BACKEND_UO_IS_AUTHORIZED). It receives {"login": NAME}, with HTTP Basic authentication if `user` is set, and
        answers {"result": true} or {"result": false}; any other answer, and none, means no. Setting it restricts own
        resources, see RoleRules.own_resources_groups. Example: "https://useroffice.facility.org/is_staff/".
        Default: not restricted.
        """,
    )

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        self.require_address("hash_url")
        if not self.require_fields("hash"):
            raise self.wrong("hash", "has no field: everybody would be the same", "Add {subject}.")
        if self.is_authorized_url:
            self.require_address("is_authorized_url")
        entries = {entry.name: entry for entry in importlib.metadata.entry_points(group="daas_hub.accounts")}
        if self.accounts not in entries or self.accounts == "calipsoplus":
            raise self.wrong("accounts", "is no source of accounts by name", 'Example: "nss", "ldap".')
        inner = entries[self.accounts].load()(self.parent)
        if not isinstance(inner, NamedAccounts):
            raise self.wrong("accounts", "does not know accounts by name", 'Example: "nss", "ldap".')
        closed = self.service()
        return LinkedAccounts(
            inner,
            self.hash_url,
            self.hash,
            self.require_issuers(self.issuers),
            self.is_authorized_url,
            open_service=Service(self.timeout_s, self.require_authorities()),
            closed_service=closed,
        )
