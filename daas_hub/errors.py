"""The one family of errors: each knows whether a user may read it, and words itself."""

from __future__ import annotations


class DaasError(Exception):
    """Base of every error of the house.

    Attributes:
        for_user: whether the text may be shown to a user (never a path of the server, a secret or a traceback).
        reason: a short label out of a small fixed set, for logs and metrics.
        remedy: what the reader can do next; "" if there is nothing to do.
    """

    for_user = False
    reason = "error"

    def __init__(self, message: str, *, remedy: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}".strip()


class ConfigurationError(DaasError):
    """The administrator's configuration cannot work. Names the setting, its value and what would be accepted."""

    reason = "configuration"

    def __init__(self, setting: str, value: object, message: str, *, remedy: str = "") -> None:
        super().__init__(f"{setting} = {value!r}: {message}", remedy=remedy)
        self.setting = setting
        self.value = value


class DocumentError(DaasError):
    """A YAML file cannot be read: names file, line and reason."""

    reason = "document"

    def __init__(self, path: str, line: int, message: str) -> None:
        super().__init__(f"{path}, line {line}: {message}")
        self.path = path
        self.line = line


class Refused(DaasError):
    """A rule says no. The text is for the user: what was refused, why, and the next step."""

    for_user = True
    reason = "refused"


class BadRequest(Refused):
    """The request itself is not one we understand (unknown key, wrong type, forbidden character)."""

    reason = "request"


class NoAccount(Refused):
    """The login is valid, but the facility knows no account for it."""

    reason = "account"


class AccountRefused(NoAccount):
    """A source knows an account for the login, or several, and none of them can be used. Not the same as none."""


class StorageProblem(Refused):
    """A directory the session needs is missing, does not answer, or is not what was granted."""

    reason = "storage"


class SourceUnavailable(DaasError):
    """A facility service (accounts, proposals) did not answer as it should. Nothing is granted meanwhile.

    Attributes:
        detail: for the log alone: which source, what it was asked for, and what came instead. Never a secret.
    """

    for_user = True
    reason = "source"

    def __init__(self, message: str, *, remedy: str = "", detail: str = "") -> None:
        super().__init__(message, remedy=remedy)
        self.detail = detail


class SessionFailed(DaasError):
    """The backend could not start the session, or it ended before it was ready."""

    for_user = True
    reason = "start"
