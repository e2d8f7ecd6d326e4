"""Settings of the account sources "rest" and "calipsoplus"."""

from __future__ import annotations

import importlib.metadata

from traitlets import Dict, Float, Unicode

from daas_hub.accounts.model import AccountFields, AccountSource, NamedAccounts
from daas_hub.accounts.source_settings import HasIssuers
from daas_hub.accounts.sources.rest.calipsoplus import CalipsoplusSource
from daas_hub.accounts.sources.rest.service import Service
from daas_hub.accounts.sources.rest.source import Question, RestSource


class _ServiceSettings(HasIssuers):
    """Settings that both sources share."""

    ca_file = Unicode(
        "",
        config=True,
        help="""
        PEM file with the CA certificates to verify the service with. Default: the system's CA certificates.
        Example: "/etc/ssl/facility-ca.pem".
        """,
    )
    user = Unicode("", config=True, help="User name for HTTP Basic. Needs `password_file`. Default: none.")
    password_file = Unicode("", config=True, help="File with the password of `user`, readable by the hub's user only.")
    token_file = Unicode(
        "",
        config=True,
        help="""
        File with a bearer token, as an alternative to `user`: one line, readable by the hub's user only. It is read
        again for each request. Default: none.
        """,
    )
    timeout_s = Float(10.0, min=0.1, config=True, help="Timeout in seconds of a request.")

    def service(self) -> Service:
        """Return how the service is asked.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        if self.user and self.token_file:
            raise self.wrong("token_file", "is set together with user", "Set one of them.")
        return Service(
            timeout_s=self.timeout_s,
            tls=self.require_ca_file(),
            user=self.user,
            password_file=self.require_secret_file("password_file") if self.user else "",
            token_file=self.require_secret_file("token_file") if self.token_file else "",
            settings=type(self).__name__,
        )


class RestAccounts(_ServiceSettings):
    """Accounts from a JSON web service of the user office (`Facility.accounts = "rest"`)."""

    url = Unicode(
        "",
        config=True,
        help="""
        URL of the account of a login. Fields: {subject} {issuer} {claim.NAME}; their values are escaped. The service
        answers 200 with the account, or 404 for an unknown login. No default.
        Example: "https://useroffice.facility.org/api/accounts/{subject}".
        """,
    )
    body = Dict(
        Unicode(),
        config=True,
        help="""
        JSON object to POST to `url`; its values may have the same fields. Default: none, and the request is a GET.
        Example: {"login": "{subject}"}.
        """,
    )
    account_url = Unicode(
        "",
        config=True,
        help="""
        URL of an account by its name, for accounts of proposals (see `ProposalAccounts`). Field: {account}.
        Default: none. Example: "https://useroffice.facility.org/api/accounts/by-name/{account}".
        """,
    )
    name_field = Unicode("name", config=True, help='Path of the account name in the answer. Example: "account.login".')
    uid_field = Unicode("uid", config=True, help='Path of the uid. Example: "account.uid".')
    gid_field = Unicode("gid", config=True, help="Path of the gid of the primary group.")
    groups_field = Unicode(
        "",
        config=True,
        help="""
        Path of the list of supplementary groups: gids, or objects with `group_gid_field` and `group_name_field`.
        Default: none. Example: "groups".
        """,
    )
    group_gid_field = Unicode("gid", config=True, help="Path of the gid in a group's object.")
    group_name_field = Unicode("name", config=True, help="Path of the name in a group's object.")
    display_name_field = Unicode("", config=True, help="Path of the display name. Default: none.")
    mail_field = Unicode(
        "", config=True, help='Path of the mail address (see `Mail`). Default: none. Example: "account.email".'
    )
    end_field = Unicode(
        "",
        config=True,
        help="""
        Path of the end date of the account (see `EndDates`): a date or time in ISO 8601, or seconds since 1970. An
        answer without it has no end; one that cannot be read is refused. Example: "account.valid_until". Default: none.
        """,
    )
    subject_field = Unicode(
        "",
        config=True,
        help="""
        Path of the login's subject in the answer. If set, the subject must match exactly: for services that ignore
        case, for example. Default: it is not compared.
        """,
    )

    def source(self) -> AccountSource:
        """Build the source.

        Raises:
            ConfigurationError: naming the setting that cannot work.
        """
        self.require_https("url")
        fields = list(self.require_fields("url"))
        for value in self.body.values():
            fields += self.require_text_fields("body", value)
        if not fields:
            raise self.wrong(
                "url", "has no field, and neither has body, so everybody would get the same account", "Add {subject}."
            )
        if self.account_url:
            self.require_https("account_url")
            if not self.require_fields("account_url", known=("account",)):
                raise self.wrong("account_url", "has no field", "Add {account}.")
        for setting in ("name_field", "uid_field", "gid_field"):
            if not getattr(self, setting):
                raise self.wrong(setting, "is empty", "Set it to the path of the field in the answer.")
        return RestSource(
            self.service(),
            Question(self.url, dict(self.body) or None, self.account_url, self.subject_field),
            AccountFields(
                name=self.name_field,
                uid=self.uid_field,
                gid=self.gid_field,
                display_name=self.display_name_field,
                groups=self.groups_field,
                group_name=self.group_name_field,
                group_gid=self.group_gid_field,
                end=self.end_field,
                mail=self.mail_field,
            ),
            self.require_issuers(self.issuers),
        )


class CalipsoplusAccounts(_ServiceSettings):
    """Umbrella logins, resolved by the services of a CALIPSOplus portal (`Facility.accounts = "calipsoplus"`)."""

    hash_url = Unicode(
        "",
        config=True,
        help="""
        URL of the service that maps an Umbrella hash to an account name (in the CALIPSOplus portal: BACKEND_UO_HASH).
        It receives {"eaa_hash": ...} by POST, without credentials, and answers {"login": ...} or 404. No default.
        Example: "https://useroffice.facility.org/login/umbrella/".
        """,
    )
    hash = Unicode(
        "{subject}",
        config=True,
        help="""
        Template of the Umbrella hash of a login. Fields: {subject} {claim.NAME}. Example: "{claim.eaahash}".
        """,
    )
    account_source = Unicode(
        "nss",
        config=True,
        help="""
        The account source that gives uid, gid and groups for the account name. It must support lookups by name.
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
        self.require_https("hash_url")
        if not self.require_fields("hash"):
            raise self.wrong("hash", "has no field, so everybody would get the same account", "Add {subject}.")
        if self.is_authorized_url:
            self.require_https("is_authorized_url")
        entries = {entry.name: entry for entry in importlib.metadata.entry_points(group="daas_hub.accounts")}
        if self.account_source not in entries or self.account_source == "calipsoplus":
            raise self.wrong("account_source", "does not look up accounts by name", 'Example: "nss", "ldap".')
        inner = entries[self.account_source].load()(self.parent)
        if not isinstance(inner, NamedAccounts):
            raise self.wrong("account_source", "does not look up accounts by name", 'Example: "nss", "ldap".')
        closed = self.service()
        return CalipsoplusSource(
            inner,
            self.hash_url,
            self.hash,
            self.require_issuers(self.issuers),
            self.is_authorized_url,
            open_service=Service(self.timeout_s, self.require_ca_file()),
            closed_service=closed,
        )
