"""Records requests to a facility's services and their responses, for `daas-hub doctor`.

Nothing secret is recorded: no request body and no values of a document; of a URL only the words after the configured
one, and of an object the names of its fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from daas_hub.errors import ErrorKind

#: Names of an object's fields that are recorded.
_MAX_NAMES = 8

#: A path segment that is a word. A session, a token or an id has digits or is long, and becomes "*".
_WORD = re.compile(r"[A-Za-z]{1,20}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")


@dataclass
class Exchange:
    """One request and its response.

    Attributes:
        asked_for: what was requested: "a session".
        place: method and path: "GET catalogue/*/investigation".
        status: the HTTP status; 0 without a response.
        content: "JSON", "HTML", "nothing", ...
        shape: the document's: "a list of 3", "an object (count, next, results)".
        size: in bytes.
        seconds: until the body was read.
        wrong: what was wrong with the response; "" if it was used.
        failure: the kind of failure; None for none.
    """

    asked_for: str
    place: str
    status: int = 0
    content: str = ""
    shape: str = ""
    size: int = 0
    seconds: float = 0.0
    wrong: str = ""
    failure: ErrorKind | None = None


@dataclass
class Record:
    """What was recorded.

    Attributes:
        records: the catalogue's own records, as read.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)


_KEPT: ContextVar[Record | None] = ContextVar("_KEPT", default=None)


@contextmanager
def recording() -> Iterator[Record]:
    """Record the requests of this task, and of tasks it starts, until the end of the block."""
    record = Record()
    token = _KEPT.set(record)
    try:
        yield record
    finally:
        _KEPT.reset(token)


def begin(method: str, url: str, base: str, asked_for: str) -> Exchange:
    """Return the exchange of a request that is being sent; the response is filled in later.

    Args:
        base: the configured URL, which is not recorded.
    """
    below = url.removeprefix(base).strip("/") if url.startswith(base) else ""
    steps = [step if _WORD.fullmatch(step) else "*" for step in below.split("/") if step]
    exchange = Exchange(asked_for, f"{method} {'/'.join(steps)}".rstrip())
    if (record := _KEPT.get()) is not None:
        record.exchanges.append(exchange)
    return exchange


def keep_records(records: list[Any]) -> None:
    """Record what a catalogue returned."""
    if (record := _KEPT.get()) is not None:
        record.records += records


def shape_of(document: Any) -> str:
    """Return a description of a JSON document without its values."""
    if isinstance(document, list):
        return f"a list of {len(document)}"
    if isinstance(document, dict):
        names = [name for name in document if isinstance(name, str) and _NAME.fullmatch(name)][:_MAX_NAMES]
        return f"an object ({', '.join(names)})" if names else "an object"
    return "null" if document is None else "a value"
