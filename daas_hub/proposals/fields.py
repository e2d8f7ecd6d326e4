"""Where a source's records have the fields of a proposal, as an administrator writes it. Pure.

    {"id": "name", "visit.beamline": "investigationInstruments.instrument.name", "visit.data": "/data/{name}/{visitId}"}

A value is a dotted path into the record, also through lists; or several paths separated by `|`, of which the first
with a value is used; or a template with paths in braces. An empty value means that the source does not have the field.
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
_PATH = re.compile(rf"{_STEP}(?:\.{_STEP})*")
_IN_BRACES = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True)
class FieldMap:
    """The path of each of `WORDS` in a source's records; "" for a field the source does not have."""

    paths: Mapping[str, str]

    @classmethod
    def of(cls, setting: str, known: Mapping[str, str], changes: Mapping[str, Any]) -> FieldMap:
        """Return the usual paths of a source, with the changes of the administrator.

        Raises:
            ConfigurationError: an unknown field, or a value that is not a path into a record.
        """
        for word, value in changes.items():
            if word not in WORDS:
                near = get_close_matches(str(word), WORDS, n=1)
                remedy = f"Did you mean {near[0]!r}?" if near else f"Known: {', '.join(WORDS)}."
                raise ConfigurationError(setting, word, "is not a known field", remedy=remedy)
            if not isinstance(value, str) or not _is_well_formed(value):
                raise ConfigurationError(
                    setting,
                    {word: value},
                    "is not a path into a record",
                    remedy='Write "a.b", "a|b" or "/data/{a}/{b}".',
                )
        paths = {word: changes.get(word, known.get(word, "")) for word in WORDS}
        if not paths["id"]:
            raise ConfigurationError(setting, dict(changes), 'has no path for "id"', remedy="Add it.")
        return cls(paths)

    def values(self, word: str, record: Any) -> list[Any]:
        """Return all values of a field in a record; [] for none (null and "" are no values).

        Raises:
            ValueError: a value in a template would add several components to a path.
        """
        path = self.paths[word]
        return values_at(record, path) if path else []

    def value(self, word: str, record: Any) -> Any:
        """Return the first of `values`, or None."""
        return next(iter(self.values(word, record)), None)


def values_at(record: Any, path: str) -> list[Any]:
    """Return the values at a path, as `FieldMap.values` does."""
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
    """Return the template with its values; [] if one of them is missing."""
    values: dict[str, str] = {}
    for path in _IN_BRACES.findall(text):
        found = values_at(record, path)
        if not found:
            return []
        value = found[0]
        if isinstance(value, bool) or not isinstance(value, (str, int)):
            raise ValueError(f"{path} is not a string")
        if "/" in str(value) or str(value) in (".", ".."):
            raise ValueError(f"{path} is {value!r:.60}, which is not a single path component")
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
    return all(_PATH.fullmatch(one) for one in path.split("|"))
