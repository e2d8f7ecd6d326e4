"""Turn a source's records into proposals; unusable records are left out and reported. Pure.

Nothing is repaired or guessed: a record without a clear proposal, group and directories grants nothing.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from daas_hub.proposals.fields import FieldMap
from daas_hub.proposals.model import HIGHEST_VISIT, LOWEST_VISIT, PROPOSAL_ID, WALL_CLOCK, LeftOut, Proposal, Visit
from daas_hub.services.outside_text import lacks_characters, printable

_VISIT_LEFT_OUT = "a visit was left out"
MAX_TITLE = 1000
_YEARS = range(1900, 3000)
MAX_ABSTRACT = 20_000
MAX_NAME = 64
MAX_BEAMLINES = 100
#: Maximum number of problems reported per answer; the others are counted in one more.
MAX_PROBLEMS = 20


@dataclass(frozen=True)
class Reading:
    """Proposals, for the administrators the problems, and for the person what was left out."""

    proposals: tuple[Proposal, ...] = ()
    problems: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = field(default=(), compare=False)


@dataclass
class _Draft:
    """A proposal while it is read from one or more records."""

    id: str
    title: str = ""
    abstract: str = ""
    beamlines: list[str] = field(default_factory=list)
    gid: int | None = None
    visits: list[Visit] = field(default_factory=list)
    unusable: str = ""


def directories_of(values: list[Any]) -> tuple[str, ...]:
    """Return the directories of a source that gives them as strings.

    Raises:
        ValueError: one of them is not an absolute path.
    """
    for value in values:
        if not isinstance(value, str) or not value.startswith("/") or not value.isprintable():
            raise ValueError(f"{value!r:.80} is not an absolute path")
    return tuple(dict.fromkeys(values))


def read_proposals(
    records: Sequence[Any],
    fields: FieldMap,
    *,
    group_ids: Mapping[str, int] | None = None,
    data_of: Callable[[list[Any]], tuple[str, ...]] = directories_of,
    groups_are_names: bool = False,
) -> Reading:
    """Read records. Records with the same id are one proposal with the visits of all of them.

    Args:
        group_ids: gids of the groups that records may refer to by name: those of the account.
        data_of: returns the directories in the values of "visit.data".
        groups_are_names: whether a group of digits only is a name, too.
    """
    read_gid = partial(gid_of, group_ids=group_ids or {}, is_name=groups_are_names)
    drafts: dict[str, _Draft] = {}
    problems: list[str] = []
    left_out: list[LeftOut] = []
    for record in records:
        if not isinstance(record, dict):
            problems.append(f"a record is {record!r:.60}, not an object")
            continue
        try:
            name = _id_of(fields, record)
        except ValueError as error:
            problems.append(f"a record has no usable id: {error}")
            left_out.append(LeftOut(_shown_id(fields, record), "its id cannot be used by this portal"))
            continue
        draft = drafts.setdefault(name, _Draft(name))
        try:
            found = _add(draft, record, fields, read_gid, data_of)
        except ValueError as error:
            draft.unusable, found = str(error), []
        problems += [f"{name}: {problem}" for problem in found]
        left_out += [LeftOut(name, problem) for problem in found if problem.startswith(_VISIT_LEFT_OUT)]
    proposals = _finished(drafts, problems, left_out)
    if len(problems) > MAX_PROBLEMS:
        problems[MAX_PROBLEMS:] = [f"and {len(problems) - MAX_PROBLEMS} more problems"]
    return Reading(tuple(proposals), tuple(problems), tuple(left_out[:MAX_PROBLEMS]))


def _finished(drafts: Mapping[str, _Draft], problems: list[str], left_out: list[LeftOut]) -> list[Proposal]:
    """Return the proposals that can be used; add why others cannot to `problems` and `left_out`."""
    proposals: list[Proposal] = []
    alike: dict[str, list[str]] = {}
    for name in drafts:
        alike.setdefault(name.lower(), []).append(name)
    for draft in drafts.values():
        if twins := [other for other in alike[draft.id.lower()] if other != draft.id]:
            draft.unusable = f"there is also {twins[0]}, which differs only in case"
        if draft.unusable:
            problems.append(f"{draft.id} was left out: {draft.unusable}")
            left_out.append(LeftOut(draft.id, draft.unusable))
            continue
        visits, twice = _distinct(draft.visits)
        sentences = [f"the visits numbered {number} were left out: the number is not unique" for number in twice]
        problems += [f"{draft.id}: {sentence}" for sentence in sentences]
        left_out += [LeftOut(draft.id, sentence) for sentence in sentences]
        beamlines = draft.beamlines or [visit.beamline for visit in visits if visit.beamline]
        proposals.append(
            Proposal(
                id=draft.id,
                title=draft.title or draft.id,
                abstract=draft.abstract,
                beamlines=tuple(dict.fromkeys(beamlines)),
                visits=visits,
                gid=draft.gid,
            )
        )
    return proposals


def _id_of(fields: FieldMap, record: dict[str, Any]) -> str:
    value = fields.value("id", record)
    name = str(value) if isinstance(value, int) and not isinstance(value, bool) else value
    if not isinstance(name, str) or not PROPOSAL_ID.fullmatch(name):
        raise ValueError(f"{value!r:.80}")
    return name


def _shown_id(fields: FieldMap, record: dict[str, Any]) -> str:
    """Return an id that cannot be used in a form that can be shown."""
    try:
        return text_of(fields.value("id", record), MAX_NAME) or "a proposal without a number"
    except ValueError:
        return "a proposal without a number"


def _add(
    draft: _Draft,
    record: dict[str, Any],
    fields: FieldMap,
    read_gid: Callable[[Any], int | None],
    data_of: Callable[[list[Any]], tuple[str, ...]],
) -> list[str]:
    """Add the contents of a record to a proposal, and return what could not be used."""
    problems: list[str] = []
    for word in ("title", "abstract"):
        if lacks_characters(str(fields.value(word, record))):
            problems.append(f"its {word} lacks a part of a character; U+FFFD is shown instead")
    draft.title = draft.title or text_of(fields.value("title", record), MAX_TITLE)
    draft.abstract = draft.abstract or text_of(fields.value("abstract", record), MAX_ABSTRACT, lines=True)
    draft.beamlines += [
        name for name in beamlines_of(fields.values("beamlines", record)) if name not in draft.beamlines
    ]
    try:
        gid = read_gid(fields.value("group", record))
    except ValueError as error:
        draft.unusable = str(error)
        return []
    if gid is not None and draft.gid is not None and gid != draft.gid:
        draft.unusable = f"its records have different groups, {draft.gid} and {gid}"
    draft.gid = gid if gid is not None else draft.gid
    visits = fields.values("visits", record) if fields.paths["visits"] else [record]
    for one in visits:
        try:
            visit, doubts = _visit_of(one, fields, data_of)
        except ValueError as error:
            problems.append(f"{_VISIT_LEFT_OUT}: {error}")
            continue
        draft.visits.append(visit)
        problems += [f"visit {visit.number}: {doubt}" for doubt in doubts]
    return problems


def _visit_of(
    record: Any, fields: FieldMap, data_of: Callable[[list[Any]], tuple[str, ...]]
) -> tuple[Visit, list[str]]:
    """Return a visit, and its harmless problems.

    Raises:
        ValueError: it cannot be used.
    """
    if not isinstance(record, dict):
        raise ValueError(f"it is {record!r:.60}, not an object")
    doubts: list[str] = []
    times: dict[str, datetime.datetime | None] = {}
    for word in ("visit.start", "visit.end"):
        try:
            times[word] = time_of(fields.value(word, record))
        except ValueError as error:
            times[word] = None
            doubts.append(str(error))
    name = text_of(fields.value("visit.name", record), MAX_NAME)
    visit = Visit(
        number=number_of(fields.value("visit.number", record)),
        title=text_of(fields.value("visit.title", record), MAX_TITLE),
        beamline=next(iter(beamlines_of(fields.values("visit.beamline", record))), ""),
        start=times["visit.start"],
        end=times["visit.end"],
        data=data_of(fields.values("visit.data", record)),
        name=name,
    )
    return (replace(visit, name="") if name == str(visit.number) else visit), doubts


def _distinct(visits: Iterable[Visit]) -> tuple[tuple[Visit, ...], list[int]]:
    """Return the visits with unique numbers, and the numbers that are not unique."""
    by_number: dict[int, list[Visit]] = {}
    for visit in visits:
        same = by_number.setdefault(visit.number, [])
        if visit not in same:
            same.append(visit)
    single = tuple(same[0] for same in by_number.values() if len(same) == 1)
    return single, [number for number, same in by_number.items() if len(same) > 1]


def text_of(value: Any, max_length: int, *, lines: bool = False) -> str:
    """Return a text for a page (see `outside_text.printable`); "" for any other type."""
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    return printable(value, max_length, lines=lines) if isinstance(value, str) else ""


def beamlines_of(values: list[Any]) -> list[str]:
    """Return names of beamlines, which may be a list or one comma-separated string."""
    parts = [part for value in values if isinstance(value, str) for part in value.split(",", MAX_BEAMLINES)]
    return [name for part in parts if (name := printable(part, MAX_NAME))][:MAX_BEAMLINES]


def number_of(value: Any) -> int:
    """Return a visit's number: the value itself, or the digits at its end ("S0011" is 11).

    Raises:
        ValueError: there is no number, or it is out of range.
    """
    digits = re.search(r"[0-9]+\Z", value) if isinstance(value, str) and len(value) <= 64 else None
    number = int(digits[0][-20:]) if digits else value
    if isinstance(number, bool) or not isinstance(number, int) or not LOWEST_VISIT <= number <= HIGHEST_VISIT:
        raise ValueError(f"{value!r:.80} has no number from {LOWEST_VISIT} to {HIGHEST_VISIT}")
    return number


def gid_of(value: Any, group_ids: Mapping[str, int], *, is_name: bool = False) -> int | None:
    """Return the gid of a group; None for no group.

    Args:
        is_name: whether a string is always a name. Otherwise one of digits is a gid.

    Raises:
        ValueError: the value is invalid, is root's group, is not the name of one of the account's groups, or may be a
            gid as well as the name of another group.
    """
    if value is None or value in ("", "."):
        return None
    if isinstance(value, str):
        named = _number_of_group(value, group_ids)
        if not is_name and re.fullmatch(r"[0-9]{1,10}", value, re.ASCII):
            if isinstance(named, int) and named != int(value):
                raise ValueError(f"its group {value} is a gid, or the name of the group {named}")
            named = int(value)
        value = named
    if isinstance(value, str):
        raise ValueError(f"its group {value!r:.60} is not one of the account's groups")
    if isinstance(value, bool) or not isinstance(value, int) or not 0 < value < 2**32 - 1:
        raise ValueError(f"its group is {value!r:.60}")
    return value


def _number_of_group(name: str, group_ids: Mapping[str, int]) -> int | str:
    """Return the gid of the account's group with this name; the name itself if none, or several, match.

    Case is ignored: catalogues write MA-4242 where the group is ma-4242.
    """
    found = {gid for known, gid in group_ids.items() if known.lower() == name.lower()}
    return group_ids.get(name) or (found.pop() if len(found) == 1 else name)


def time_of(value: Any) -> datetime.datetime | None:
    """Return a time from ISO 8601, or from {"year": .., "month": .., "day": ..}; without a zone it is the facility's.

    Raises:
        ValueError: it is neither.
    """
    if value is None:
        return None
    try:
        if isinstance(value, str):
            moment = datetime.datetime.fromisoformat(value.strip())
        elif isinstance(value, dict):
            moment = datetime.datetime(value["year"], value["month"], value["day"])  # noqa: DTZ001
        else:
            raise ValueError
        if moment.year not in _YEARS:
            # databases have such dates in place of none, and no time zone can be applied to some of them
            raise ValueError
    except (ValueError, KeyError, TypeError, OverflowError):
        raise ValueError(f"{value!r:.80} is not a date") from None
    return moment if moment.tzinfo else moment.replace(tzinfo=WALL_CLOCK)
