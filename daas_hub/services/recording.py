"""What was asked of a facility's services and what came, while somebody keeps a record of it: the doctor does.

Nothing secret is kept: neither what was sent nor what a document says, of an address only the words behind the
configured one, and of an object the names of its fields.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from daas_hub.errors import ErrorKind

#: Names of fields that are kept of an object.
_MAX_NAMES = 8

#: A part of an address that is a word. A session, a token or an id has digits or is long: it becomes "*".
_WORD = re.compile(r"[A-Za-z]{1,20}")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]{0,40}")


@dataclass
class Exchange:
    """One question and its answer.

    Attributes:
        asked_for: what was requested: "a session".
        place: method and address: "GET catalogue/*/investigation".
        status: of HTTP; 0 for no answer.
        content: "JSON", "HTML", "nothing", ...
        shape: of the document: "a list of 3", "an object (count, next, results)".
        size: in bytes.
        seconds: until all of it was read.
        wrong: what was wrong with the response; "" if it was used.
        failure: the kind of what went wrong; None if nothing did.
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
    """Everything since it was begun.

    Attributes:
        records: the catalogue's own records, as they are read.
    """

    exchanges: list[Exchange] = field(default_factory=list)
    records: list[Any] = field(default_factory=list)


_KEPT: ContextVar[Record | None] = ContextVar("_KEPT", default=None)


@contextmanager
def recording() -> Iterator[Record]:
    """Keep a record until the end of the block, of what this task asks, and tasks that it starts."""
    record = Record()
    token = _KEPT.set(record)
    try:
        yield record
    finally:
        _KEPT.reset(token)


def begin(method: str, url: str, base: str, asked_for: str) -> Exchange:
    """Note that something is asked; what comes is written into what this gives.

    Args:
        base: the configured address, of which nothing is noted.
    """
    below = url.removeprefix(base).strip("/") if url.startswith(base) else ""
    steps = [step if _WORD.fullmatch(step) else "*" for step in below.split("/") if step]
    exchange = Exchange(asked_for, f"{method} {'/'.join(steps)}".rstrip())
    if (record := _KEPT.get()) is not None:
        record.exchanges.append(exchange)
    return exchange


def keep_records(records: list[Any]) -> None:
    """Note the records that a catalogue gave."""
    if (record := _KEPT.get()) is not None:
        record.records += records


def shape_of(document: Any) -> str:
    """Say what a document of JSON is, without anything it says. Pure."""
    if isinstance(document, list):
        return f"a list of {len(document)}"
    if isinstance(document, dict):
        names = [name for name in document if isinstance(name, str) and _NAME.fullmatch(name)][:_MAX_NAMES]
        return f"an object ({', '.join(names)})" if names else "an object"
    return "null" if document is None else "a value"
