"""Removes secrets of addresses from log lines: codes, states, tokens, whatever logger and formatter write them.

JupyterHub removes some from its access log, but not from warnings, tracebacks, `Referer` headers and addresses inside
addresses (`?next=%2F...%3Fstate%3D...`). So the records themselves are redacted, before any handler sees them.
"""

from __future__ import annotations

import logging
import re
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


def redact(text: str) -> str:
    """Return a text without the values of secret parameters in its addresses."""
    return _VALUE.sub(rf"\g<kept>{REDACTED}", text) if "=" in text or "%" in text else text


class RedactedRecord(logging.LogRecord):
    """A log record whose message and traceback are redacted, for every formatter."""

    _traceback: str | None = None

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


def redact_logs() -> None:
    """Redact all log records of this process from now on."""
    logging.setLogRecordFactory(_record)


def _record(*args: Any, **kwargs: Any) -> logging.LogRecord:
    return RedactedRecord(*args, **kwargs)
