"""Removes secrets of addresses and headers from log lines, whatever logger and formatter write them.

JupyterHub removes some codes, states and tokens from its access log, but not from warnings, tracebacks, `Referer`
headers and addresses inside addresses (`?next=%2F...%3Fstate%3D...`); and after an error it logs the headers of the
request, with those of a web server in front. So the records themselves are redacted, before any handler sees them.
"""

from __future__ import annotations

import logging
import re
from collections import deque
from typing import Any

#: Parameters whose values are secret or, like a state, bound to one browser. A name that ends with one counts as well.
_NAMES = (
    "access_token|api_token|assertion|client_secret|code|code_verifier|id_token|id_token_hint|key|login_hint|"
    "logout_token|nonce|password|refresh_token|session_state|sid|state|ticket|token|_xsrf|xsrf"
)
#: "=", "&" and "?" as they are, or percent-encoded any number of times.
_EQUALS = r"(?:=|%(?:25)*3[dD])"
_START = r"(?:[?&;#]|%(?:25)*(?:3[fFbB]|26|23))"
_VALUE = re.compile(
    rf"(?P<kept>{_START}(?:[A-Za-z0-9.-]*[_-])?(?:{_NAMES}){_EQUALS})(?:(?!%(?:25)*(?:26|23|3[bB]))[^\s&;#\"'<>()\[\]])+",
    re.IGNORECASE,
)
REDACTED = "[secret]"


class _Registered:
    """Secrets of this process that no name of a parameter gives away; logins register theirs."""

    def __init__(self) -> None:
        self.names: set[str] = set()
        self.header: re.Pattern[str] | None = None
        #: The last ones only: a secret that is replaced daily must not fill the memory.
        self.values: deque[str] = deque(maxlen=8)

    def add_header(self, name: str) -> None:
        # as in a request, in JSON, in a dict, in a tuple, or in an environment (HTTP_X_NAME)
        self.names.add("[-_]".join(re.escape(part) for part in re.split("[-_]", name)))
        self.header = re.compile(
            rf"(?P<kept>(?:(?<![A-Za-z0-9-])|(?<=\\[nrt]))(?:{'|'.join(sorted(self.names))})(?:\\*[\"'])?\s*[:=,]\s*b?)"
            # in quotes, in quotes that are escaped themselves, or up to the end of the line
            r"(?:(?P<quote>[\"'])(?:\\.|(?!(?P=quote))[^\\])*|(?P<escaped>\\+[\"'])(?:(?!(?P=escaped)).)*|[^\r\n\\\"']+)",
            re.IGNORECASE | re.DOTALL,
        )

    def redact(self, text: str) -> str:
        if self.header is not None:
            text = self.header.sub(lambda m: f"{m['kept']}{m['quote'] or m['escaped'] or ''}{REDACTED}", text)
        for secret in self.values:
            text = text.replace(secret, REDACTED)
        return text


_registered = _Registered()


def redact_header(name: str) -> None:
    """Redact the values of this header from now on."""
    _registered.add_header(name)


def redact_value(secret: str) -> None:
    """Redact this text wherever it is logged from now on."""
    if secret and secret not in _registered.values:
        _registered.values.append(secret)


def redact(text: str) -> str:
    """Return a text without the values of secret parameters in its addresses, and of secret headers."""
    if "=" in text or "%" in text:
        text = _VALUE.sub(rf"\g<kept>{REDACTED}", text)
    return _registered.redact(text)


class RedactedRecord(logging.LogRecord):
    """A log record whose message and traceback are redacted, for every formatter."""

    _traceback: str | None = None
    _stack: str | None = None

    def getMessage(self) -> str:  # noqa: N802  # the name of logging
        """Return the message, redacted."""
        return redact(super().getMessage())

    @property
    def exc_text(self) -> str | None:
        """The formatted traceback, which formatters keep here before they write it."""
        return self._traceback

    @exc_text.setter
    def exc_text(self, text: str | None) -> None:
        self._traceback = redact(text) if text else text

    @property
    def stack_info(self) -> str | None:
        """The formatted stack of a record that asks for it."""
        return self._stack

    @stack_info.setter
    def stack_info(self, text: str | None) -> None:
        self._stack = redact(text) if text else text


def redact_logs() -> None:
    """Redact all log records of this process from now on."""
    logging.setLogRecordFactory(_record)


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    return RedactedRecord(*args, **kwargs)
