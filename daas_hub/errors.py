"""The one family of errors: each knows its kind, and whether a user may read it."""

from __future__ import annotations

from enum import StrEnum, auto


class ErrorKind(StrEnum):
    """What went wrong, for programs. The doctor chooses its advice by this and never by the wording of an error."""

    # -- for which the error's own words are enough
    OTHER = auto()
    CONFIGURATION = auto()
    REFUSED = auto()
    SESSION = auto()

    # -- a file of the portal
    DOCUMENT = auto()
    FILE_PERMISSIONS = auto()
    SECRET_UNREADABLE = auto()
    LINK_STORE_DAMAGED = auto()

    # -- a service that cannot be reached
    UNAVAILABLE = auto()
    DNS = auto()
    NO_CONNECTION = auto()
    TLS_CERTIFICATE = auto()
    TIMEOUT = auto()
    CIRCUIT_OPEN = auto()
    WEB_PROXY = auto()

    # -- a service that answers with something else
    REDIRECT = auto()
    REDIRECT_SAME_HOST = auto()
    HTML = auto()
    NOT_FOUND = auto()
    REQUEST_REJECTED = auto()
    SERVER_ERROR = auto()
    INVALID_RESPONSE = auto()
    RESPONSE_TOO_LARGE = auto()
    TOO_MANY_RECORDS = auto()
    INCOMPLETE_RESULT = auto()

    # -- a service that does not accept the portal, or the person
    CREDENTIALS_REFUSED = auto()
    NO_ACCESS_TOKEN = auto()
    BIND_REFUSED = auto()
    NO_STARTTLS = auto()
    NO_SUCH_BASE = auto()
    NO_PERMISSION = auto()
    INVALID_FILTER = auto()

    # -- a login provider
    ISSUER_MISMATCH = auto()
    INSECURE_ENDPOINT = auto()

    # -- an account
    UNKNOWN_PERSON = auto()
    MISSING_CLAIM = auto()
    STALE_CLAIMS = auto()
    ACCOUNT_UNUSABLE = auto()
    ACCOUNT_CLOSED = auto()
    AMBIGUOUS_ACCOUNT = auto()
    DISAGREEMENT = auto()
    ID_OUT_OF_RANGE = auto()

    # -- a plan
    OUTSIDE_DATA_ROOTS = auto()
    NO_DATA_DIRECTORY = auto()
    UNSAFE_PATH_VALUE = auto()
    MISSING_VALUE = auto()
    MISSING_DATE = auto()
    NOT_IN_GROUP = auto()
    AMBIGUOUS_PATTERN = auto()
    AMBIGUOUS_VISIT = auto()
    SEVERAL_DIRECTORIES = auto()
    INVALID_PROPOSAL_ID = auto()
    NO_PROPOSAL_ACCOUNT = auto()

    # -- storage
    STORAGE = auto()
    DIRECTORY_MISSING = auto()
    NO_SHARED_GROUP = auto()
    DIRECTORY_UNREADABLE = auto()
    NOT_CREATED = auto()
    NO_ROOM = auto()
    NO_KERBEROS = auto()
    SYMLINK = auto()
    WORLD_WRITABLE = auto()
    SEVERAL_MATCHES = auto()
    TOO_MANY_NAMES = auto()
    STORAGE_TIMEOUT = auto()
    NO_DATA_YET = auto()
    NOT_A_DIRECTORY = auto()


class DaasError(Exception):
    """Base of every error of the portal.

    Attributes:
        for_user: whether the text may be shown to a user (never a path of the server, a secret or a traceback).
        reason: a short label out of a small fixed set, for logs and metrics.
        kind: what went wrong, for programs.
        remedy: what the reader can do next; "" if there is nothing to do.
        is_about_home: the cause is the account's home; a launch with a temporary home avoids it.
        is_about_limits: the page *Your use and limits* has the numbers behind it.
        reference: that of the launch which did not start, for its page; "" where it shows none.
        detail: for the log alone: which service, what it was asked for, and what came instead. Never a secret.
    """

    for_user = False
    reason = "error"
    kind = ErrorKind.OTHER
    is_about_home = False
    is_about_limits = False
    reference = ""

    def __init__(self, message: str, *, remedy: str = "", kind: ErrorKind | None = None, detail: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy
        self.detail = detail
        if kind is not None:
            self.kind = kind

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigurationError(DaasError):
    """The administrator's configuration cannot work. Names the setting, its value and what would be accepted."""

    reason = "configuration"
    kind = ErrorKind.CONFIGURATION

    def __init__(
        self, setting: str, value: object, message: str, *, remedy: str = "", kind: ErrorKind | None = None
    ) -> None:
        super().__init__(f"{setting} = {value!r}: {message}", remedy=remedy, kind=kind)
        self.setting = setting
        self.value = value


class DocumentError(DaasError):
    """A YAML file cannot be read: names file, line and reason."""

    reason = "document"
    kind = ErrorKind.DOCUMENT

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}, line {line}: {message}")
        self.path = path
        self.line = line


class Refused(DaasError):
    """A rule says no. The text is for the user: what was refused, why, and the next step."""

    for_user = True
    reason = "refused"
    kind = ErrorKind.REFUSED


class BadRequest(Refused):
    """The request itself is malformed (unknown key, wrong type, forbidden character)."""

    reason = "request"


class NoAccount(Refused):
    """The login is valid, but the facility has no account for it.

    Attributes:
        login: the login that was refused, once an authenticator knows it; None below that.
    """

    reason = "account"
    kind = ErrorKind.UNKNOWN_PERSON
    login: object = None


class AccountRefused(NoAccount):
    """A source has an account for the login, or several, and none of them can be used. Not the same as none."""

    kind = ErrorKind.ACCOUNT_UNUSABLE


class StorageProblem(Refused):
    """A directory the session needs is missing, does not respond, or is not what was granted."""

    reason = "storage"
    kind = ErrorKind.STORAGE


class SourceUnavailable(DaasError):
    """A service of the facility (accounts, proposals, logins) did not respond as it should. Nothing is granted."""

    for_user = True
    reason = "source"
    kind = ErrorKind.UNAVAILABLE


class SessionFailed(DaasError):
    """The backend could not start the session, or it ended before it was ready."""

    for_user = True
    reason = "start"
    kind = ErrorKind.SESSION


class NoCapacity(SessionFailed):
    """The backend has no room for the session now; later it may."""

    reason = "capacity"
