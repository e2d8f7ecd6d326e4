"""Which field of a source's record is which word of ours, as an administrator writes it. Pure.

    {"id": "name", "visit.beamline": "investigationInstruments.instrument.name", "visit.data": "/data/{name}/{visitId}"}

A value is a path into the record, with dots, through lists, too; or several paths with `|` between them, of which the
first that leads to something counts; or a text with paths in braces. An empty value says that the source does not know.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from daas_hub.errors import ConfigurationError

WORDS = (
    *("id", "title", "abstract", "beamlines", "group", "visits"),
    *(f"visit.{word}" for word in ("number", "name", "title", "beamline", "start", "end", "data")),
)

_STEP = r"[A-Za-z_][A-Za-z0-9_-]*"
_WAY = re.compile(rf"{_STEP}(?:\.{_STEP})*")
_IN_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class FieldMap:
    """For each word of `WORDS` where a source's record has it; "" for what it does not have."""

    paths: Mapping[str, str]

    @classmethod
    def of(cls, setting: str, known: Mapping[str, str], changes: Mapping[str, Any]) -> FieldMap:
        """Join what is known of a source with what the administrator says instead.

        Raises:
            ConfigurationError: a word that is none of ours, or a value that is not a path into a record.
        """
        for word, value in changes.items():
            if word not in WORDS:
                near = get_close_matches(str(word), WORDS, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(WORDS)}."
                raise ConfigurationError(setting, word, "is none of our words", remedy=remedy)
            if not isinstance(value, str) or not _is_well_formed(value):
                raise ConfigurationError(
                    setting,
                    {word: value},
                    "is not a path into a record",
                    remedy='Write "a.b", "a|b" or "/data/{a}/{b}".',
                )
        paths = {word: changes.get(word, known.get(word, "")) for word in WORDS}
        if not paths["id"]:
            raise ConfigurationError(setting, dict(changes), "does not say where a proposal's id is", remedy="Add it.")
        return cls(paths)

    def values(self, word: str, record: Any) -> list[Any]:
        """Return everything the record has for this word; [] for nothing (null and "" are nothing).

        Raises:
            ValueError: a text in braces would put several components into a path.
        """
        path = self.paths[word]
        return values_at(record, path) if path else []

    def value(self, word: str, record: Any) -> Any:
        """Return the first of `values`; None for nothing."""
        return next(iter(self.values(word, record)), None)


def values_at(record: Any, path: str) -> list[Any]:
    """Return what a path leads to, as `FieldMap.values` does."""
    if "{" in path:
        return _filled(record, path)
    for one in path.split("|"):
        found = [value for value in _along(record, one.split(".")) if value is not None and value != ""]
        if found:
            return found
    return []


def _along(record: Any, steps: list[str]) -> Iterator[Any]:
    if isinstance(record, list):
        for item in record:
            yield from _along(item, steps)
    elif not steps:
        yield record
    elif isinstance(record, dict) and steps[0] in record:
        yield from _along(record[steps[0]], steps[1:])


def _filled(record: Any, text: str) -> list[Any]:
    """Return the text with its braces filled in; nothing if one of the values is missing."""
    values: dict[str, str] = {}
    for path in _IN_BRACES.findall(text):
        found = values_at(record, path)
        if not found:
            return []
        value = found[0]
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError(f"{path} is no text")
        if "/" in str(value) or str(value) in (".", ".."):
            raise ValueError(f"{path} is {value!r:.60}, which is more than one component of a path")
        values[path] = str(value)
    return [_IN_BRACES.sub(lambda match: values[match[1]], text)]


def _is_well_formed(path: str) -> bool:
    if path == "":
        return True
    if "{" in path or "}" in path:
        rest = _IN_BRACES.sub("", path)
        return "{" not in rest and "}" not in rest and all(_is_path(one) for one in _IN_BRACES.findall(path))
    return _is_path(path)


def _is_path(path: str) -> bool:
    return all(_WAY.fullmatch(one) for one in path.split("|"))
