"""Check the fields of a source's records against its contract: one finding per field. Pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from daas_hub.findings import Finding, not_checked, ok, problem, warning
from daas_hub.proposals.fields import WORDS, FieldMap
from daas_hub.proposals.model import PROPOSAL_ID
from daas_hub.proposals.reading import number_of, time_of

#: Without these a record is unusable: nobody sees the proposal, or the visit.
_REQUIRED = ("id", "visit.number")
#: Every catalogue has these for some proposal; any other field may be empty everywhere.
_EXPECTED = ("title", "visits", "visit.start")
_VISIT = "visit."


def lines_of_fields(
    name: str,
    records: Sequence[Any],
    fields: FieldMap,
    *,
    setting: str,
    data_of: Callable[[list[Any]], tuple[str, ...]],
) -> list[Finding]:
    """Return a finding for each field that is read from a source.

    Args:
        name: of the source in the configuration.
        setting: the setting that changes the path of a field.
        data_of: reads the values of "visit.data", or raises `ValueError`.
    """
    key = f"proposals.{name}.fields"
    if not records:
        return [not_checked(key, f"{name}: fields of its records", "no records")]
    visits = [one for record in records for one in _values(fields, "visits", record)]
    if not fields.paths["visits"]:
        visits = list(records)
    lines = []
    for word in WORDS:
        is_of_visit = word.startswith(_VISIT)
        holders = visits if is_of_visit else records
        if not fields.paths[word] or not holders:
            continue
        did = f"{name}: {word} is {fields.paths[word]}"
        found, wrong = _count(word, holders, fields, data_of)
        of = f"of {len(holders)} {'visits' if is_of_visit else 'records'}"
        severe = problem if word in _REQUIRED and not found else warning
        remedy = f"Compare the service's version with the source's how-to page, or set the path of {word} in {setting}."
        if wrong:
            lines.append(severe(key, did, f"in {len(wrong)} {of}: {wrong[0]}", remedy))
        elif found:
            lines.append(ok(key, did, f"in {found} {of}"))
        elif word in (*_REQUIRED, *_EXPECTED):
            lines.append(severe(key, did, f"in none {of}", remedy))
        else:
            lines.append(ok(key, did, f"in none {of}; it may be empty"))
    return lines


def _count(
    word: str, holders: Sequence[Any], fields: FieldMap, data_of: Callable[[list[Any]], tuple[str, ...]]
) -> tuple[int, list[str]]:
    """Return how many holders have valid values of this field, and the errors of the others."""
    found, wrong = 0, []
    for one in holders:
        try:
            values = fields.values(word, one)
            for value in values:
                _require(word, value, data_of)
        except ValueError as error:
            wrong.append(str(error))
        else:
            found += bool(values)
    return found, wrong


def _values(fields: FieldMap, word: str, record: Any) -> list[Any]:
    try:
        return fields.values(word, record)
    except ValueError:
        return []


def _require(word: str, value: Any, data_of: Callable[[list[Any]], tuple[str, ...]]) -> None:
    """Check a value as the reader does.

    Raises:
        ValueError: it has the wrong type, or cannot be used.
    """
    if word == "visits":
        if not isinstance(value, dict):
            raise ValueError(f"{_type(value)} instead of an object")
    elif word == "visit.number":
        number_of(value)
    elif word in ("visit.start", "visit.end"):
        time_of(value)
    elif word == "visit.data":
        data_of([value])
    elif isinstance(value, bool) or not isinstance(value, (str, int)):
        raise ValueError(f"{_type(value)} instead of a string")
    elif word == "id" and not PROPOSAL_ID.fullmatch(str(value)):
        raise ValueError(f"{value!r:.60} is not a valid proposal id")
    elif word in ("beamlines", "visit.beamline") and not isinstance(value, str):
        raise ValueError(f"{_type(value)} instead of a string")


def _type(value: Any) -> str:
    if isinstance(value, dict):
        return "an object"
    return "a string" if isinstance(value, str) else "a boolean" if isinstance(value, bool) else "a number"
