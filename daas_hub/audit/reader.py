"""Reads events back, the newest first, for administrators."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from daas_hub.audit.events import BASE
from daas_hub.audit.log_file import NAME

#: What a search looks at.
_SEARCHED = ("user", "account", "target", "session", "proposals", "launch", "subject")
#: Bytes that are read at once from the end of a file.
_BLOCK = 65_536


@dataclass(frozen=True)
class Event:
    """One event.

    Attributes:
        at: the time, in UTC, as ISO 8601.
        kind: one of `daas_hub.audit.events.KINDS`.
        fields: as its schema has them.
    """

    at: str
    kind: str
    fields: dict[str, Any]

    @classmethod
    def read(cls, line: bytes) -> Event | None:
        """Return the event of a line; None if it is not one, such as the end of a file on a full disk."""
        try:
            document = json.loads(line)
            schema, at = str(document["__schema__"]), str(document["__timestamp__"])
        except (ValueError, TypeError, KeyError):
            return None
        fields = {name: value for name, value in document.items() if not name.startswith("__")}
        return cls(at[:19], schema.removeprefix(BASE), fields)

    def has(self, words: str) -> bool:
        """Return whether this text is in one of the names that the event is about, ignoring case."""
        values = [self.fields.get(name, "") for name in _SEARCHED]
        texts = [text for one in values for text in (one if isinstance(one, list) else [one])]
        return any(words.casefold() in str(text).casefold() for text in texts)


@dataclass(frozen=True)
class EventPage:
    """Some events, and whether there are older ones."""

    events: tuple[Event, ...]
    has_older: bool


def read_page(folder: Path, *, search: str = "", page: int = 1, size: int = 50) -> EventPage:
    """Return a page of the events; it reads files, so call it in a thread.

    Raises:
        OSError: a file cannot be read.
    """
    found = (event for event in _events(folder) if not search or event.has(search))
    start = (page - 1) * size
    some = list(itertools.islice(found, start, start + size + 1))
    return EventPage(tuple(some[:size]), len(some) > size)


def _events(folder: Path) -> Iterator[Event]:
    # the date is in the name of a file that was rotated: the newest one sorts last
    older = sorted((one for one in folder.glob(f"{NAME}.*") if one.is_file()), reverse=True)
    for path in (folder / NAME, *older):
        for line in _lines_backwards(path):
            if (event := Event.read(line)) is not None:
                yield event


def _lines_backwards(path: Path) -> Iterator[bytes]:
    try:
        file = path.open("rb")
    except FileNotFoundError:
        return
    with file:
        position, rest = file.seek(0, 2), b""
        while position:
            size = min(_BLOCK, position)
            position -= size
            file.seek(position)
            first, *lines = (file.read(size) + rest).split(b"\n")
            yield from reversed([line for line in lines if line])
            rest = first
        if rest:
            yield rest
