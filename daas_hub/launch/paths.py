"""Templates of directories: "/data/{proposal|lower|nodash}/{start|year}/{proposal}-*". Pure.

A small closed language, not Python's format strings: values come from a catalogue or a user, and are never interpreted
as part of the template. A field is a name, optionally with a slice and with filters, which are applied from left to
right: `{proposal[1:]}`, `{beamline|lower|nodash}`, `{start|date:%Y%m%d}`. A `*` stands for an unknown part of one
directory's name; exactly one directory may match (`daas_hub.storage` looks it up).
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from daas_hub.errors import ErrorKind, StorageProblem

#: Values that are safe in a path. No slash, no dot-dot, no brace, no colon, no star, no shell metacharacter.
PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}|_[A-Za-z0-9._-]{0,31}")

#: Fields of a launch without a proposal; of a visit; its moments, which need a filter such as `year`; and the one
#: directory that the facility's catalogue names, a whole path, which must come first.
ACCOUNT_FIELDS = ("account", "uid")
VISIT_FIELDS = ("proposal", "visit", "number", "beamline")
MOMENT_FIELDS = ("start", "end")
PATH_FIELD = "path"
FIELDS = (*VISIT_FIELDS, *ACCOUNT_FIELDS, *MOMENT_FIELDS, PATH_FIELD)

#: Filters of texts. Those that drop characters may map two ids to one: see `Template.loses`.
TEXT_FILTERS: Mapping[str, Callable[[str], str]] = {
    "lower": str.lower,
    "upper": str.upper,
    "nodash": lambda text: text.replace("-", ""),
    "digits": lambda text: re.sub(r"[^0-9]", "", text),
    "letters": lambda text: re.sub(r"[^A-Za-z]", "", text),
    # of an id with a registered prefix, of an instrument such as /PSI/SLS/TOMCAT
    "last": lambda text: re.split(r"[/+]", text)[-1],
}

#: Filters of moments.
MOMENT_FILTERS: Mapping[str, Callable[[datetime.datetime], str]] = {
    "year": lambda moment: f"{moment:%Y}",
    "month": lambda moment: f"{moment:%m}",
    "day": lambda moment: f"{moment:%d}",
    "date": lambda moment: f"{moment:%Y%m%d}",
    # the half-year of a call for proposals
    "cycle": lambda moment: "I" if moment.month <= 6 else "II",
}

#: What stands for a slash of a proposal's id in a directory's name. No id has it: two ids never share a directory.
ID_SEPARATOR = "+"

_LOSING = ("digits", "letters", "last")
_FIELD = re.compile(r"\{([^{}]*)\}")
_INSIDE = re.compile(r"(?P<name>[a-z]+)(?:\[(?P<first>\d{0,2}):(?P<last>\d{0,2})\])?(?P<filters>(?:\|[^|{}]+)*)")
_DATE_FORM = re.compile(r"date:((?:%[Ymdyj]|[A-Za-z0-9._-]){1,40})")


@dataclass(frozen=True)
class Field:
    """One parsed field of a template."""

    name: str
    part: slice | None = None
    filters: tuple[str, ...] = ()

    @property
    def loses(self) -> bool:
        """Whether it may map two different values to the same text."""
        return self.part is not None or any(name in _LOSING for name in self.filters)

    def text(self, value: str | datetime.datetime) -> str:
        """Return the text for a value in the path."""
        text = self._of_moment(value) if isinstance(value, datetime.datetime) else value
        if self.part is not None:
            text = text[self.part]
        for name in self.filters:
            if name in TEXT_FILTERS:
                text = TEXT_FILTERS[name](text)
        return text

    def _of_moment(self, moment: datetime.datetime) -> str:
        (name,) = (one for one in self.filters if one in MOMENT_FILTERS or one.startswith("date:"))
        return MOMENT_FILTERS[name](moment) if name in MOMENT_FILTERS else moment.strftime(name.removeprefix("date:"))


@dataclass(frozen=True)
class Template:
    """A template, parsed and checked: literal texts and fields in order."""

    text: str
    parts: tuple[str | Field, ...]

    @classmethod
    def read(cls, text: str) -> Template:
        """Read a template.

        Raises:
            ValueError: (problem, remedy), for an administrator.
        """
        parts: list[str | Field] = []
        at = 0
        for match in _FIELD.finditer(text):
            parts += [text[at : match.start()], _read_field(match[1])]
            at = match.end()
        parts.append(text[at:])
        template = cls(text, tuple(part for part in parts if part != ""))
        _require_shape(template)
        return template

    @property
    def fields(self) -> tuple[Field, ...]:
        """Its fields, in order."""
        return tuple(part for part in self.parts if isinstance(part, Field))

    @property
    def names(self) -> frozenset[str]:
        """The names of its fields."""
        return frozenset(field.name for field in self.fields)

    @property
    def is_pattern(self) -> bool:
        """Whether a directory has to be looked up: it has a `*`."""
        return any(isinstance(part, str) and "*" in part for part in self.parts)

    @property
    def loses(self) -> bool:
        """Whether it may map two proposals to the same directory: no field contains the whole id."""
        fields = [field for field in self.fields if field.name == "proposal"]
        return bool(fields) and all(field.loses for field in fields)

    @property
    def fixed_part(self) -> PurePosixPath:
        """The directories before the first field or `*`: written by the administrator, and therefore trusted."""
        parts: list[str] = []
        for part in PurePosixPath(self.text).parts:
            if "{" in part or "*" in part:
                break
            parts.append(part)
        return PurePosixPath(*parts)

    def fill(self, values: Mapping[str, str | datetime.datetime | None]) -> PurePosixPath:
        """Return the path for these values; a pattern keeps its `*`.

        Raises:
            StorageProblem: a value is missing, or unsafe in a path.
        """
        texts = [part if isinstance(part, str) else _value(part, values.get(part.name)) for part in self.parts]
        for index, part in enumerate(self.parts):
            if isinstance(part, Field) and part.name != PATH_FIELD:
                _require_unmistakable(part.name, texts, index)
        return PurePosixPath("".join(texts))


def _read_field(inside: str) -> Field:
    match = _INSIDE.fullmatch(inside)
    if match is None or match["name"] not in FIELDS:
        known = ", ".join(f"{{{one}}}" for one in FIELDS)
        raise ValueError(f"has an unknown field: {{{inside}}}", f"Known: {known}.")
    name = match["name"]
    filters = tuple(match["filters"].split("|")[1:])
    part = None
    if match["first"] is not None:
        part = slice(int(match["first"] or 0), int(match["last"]) if match["last"] else None)
        if part.stop is not None and part.stop <= part.start:
            raise ValueError(f"has an empty slice: {{{inside}}}", "[0:3] takes the first three characters.")
    _require_filters(name, part, filters, inside)
    return Field(name, part, filters)


def _require_filters(name: str, part: slice | None, filters: tuple[str, ...], inside: str) -> None:
    if name == PATH_FIELD and (part or filters):
        raise ValueError(f"changes {{{inside}}}, but the catalogue's path is used unchanged", "Write {path}.")
    if name not in MOMENT_FIELDS:
        unknown = [one for one in filters if one not in TEXT_FILTERS]
        if unknown:
            raise ValueError(f"has an unknown filter: {unknown[0]!r}", f"Known: {', '.join(TEXT_FILTERS)}.")
        return
    of_moment = [one for one in filters if one in MOMENT_FILTERS or _DATE_FORM.fullmatch(one)]
    unknown = [one for one in filters if one not in of_moment and one not in TEXT_FILTERS]
    if unknown or len(of_moment) != 1 or filters[0] != of_moment[0]:
        known = ", ".join(f"{{{name}|{one}}}" for one in (*MOMENT_FILTERS, "date:%Y-%m-%d"))
        raise ValueError(f"does not say which part of {{{inside}}} to use", f"Known: {known}.")


def _require_shape(template: Template) -> None:
    """Check the parts as a whole."""
    literal = "".join(part for part in template.parts if isinstance(part, str))
    if "{" in literal or "}" in literal:
        raise ValueError("has a brace outside a field", "Use braces only for fields, such as {proposal}.")
    if "**" in literal:
        raise ValueError("has '**', which is not supported", "Use one * per directory.")
    first = template.parts[0] if template.parts else ""
    has_path = isinstance(first, Field) and first.name == PATH_FIELD
    if not has_path and not (isinstance(first, str) and first.startswith("/")):
        raise ValueError("is not an absolute path", "Write it from the root: /data/{proposal}.")
    for index, part in enumerate(template.parts):
        if isinstance(part, Field) and part.name == PATH_FIELD:
            after = template.parts[index + 1] if index + 1 < len(template.parts) else "/"
            if index or not (isinstance(after, str) and after.startswith("/")):
                raise ValueError("has {path} in the middle, but it is a whole path", "Put it first: {path}/raw.")
    if ".." in PurePosixPath(literal).parts or any(".." in one for one in literal.split("/")):
        raise ValueError("is not an absolute path without '..'", "Write it from the root: /data/{proposal}.")
    _require_separated(template)


def _require_separated(template: Template) -> None:
    """Check that a `*` is never next to a field: "*{proposal}" for 24 would also match the directory of 9924."""
    for index, part in enumerate(template.parts):
        if not isinstance(part, Field):
            continue
        before, after = _neighbours(template.parts, index)
        if before.endswith("*") or after.startswith("*"):
            raise ValueError(
                f"has a * right next to {{{part.name}}}, which would also match other proposals' directories",
                "Put a separator between them: *_{proposal}.",
            )


def _neighbours(parts: tuple[str | Field, ...], index: int) -> tuple[str, str]:
    """Return the literal texts before and after a field."""
    before = parts[index - 1] if index else ""
    after = parts[index + 1] if index + 1 < len(parts) else ""
    return (before if isinstance(before, str) else "", after if isinstance(after, str) else "")


def _require_unmistakable(name: str, texts: list[str], index: int) -> None:
    """Check that a value next to "-*" has no "-" itself: otherwise, "12-*" would also match the directory of 12-5.

    Raises:
        StorageProblem: it has one.
    """
    before = (texts[index - 1] if index else "").rpartition("/")[2]
    after = (texts[index + 1] if index + 1 < len(texts) else "").partition("/")[0]
    between = {before.rpartition("*")[2] if "*" in before else "", after.partition("*")[0] if "*" in after else ""}
    if any(one in texts[index] for one in between - {""}):
        raise StorageProblem(
            f"The {name} of this launch is ambiguous: its directory could be mistaken for another one's.",
            remedy="Please tell the administrators: the template needs another separator, or no *.",
            kind=ErrorKind.AMBIGUOUS_PATTERN,
        )


def _value(field: Field, value: str | datetime.datetime | None) -> str:
    if field.name == PATH_FIELD:
        # the caller checks it against the allowed roots, which only it knows
        assert isinstance(value, str)
        return value.rstrip("/")
    if value is None:
        is_date = field.name in MOMENT_FIELDS
        what = "visit has no date" if is_date else f"launch has no {field.name}"
        raise StorageProblem(
            f"This {what}, which its directory is named after.",
            remedy="Please tell the user office.",
            kind=ErrorKind.MISSING_DATE if is_date else ErrorKind.MISSING_VALUE,
        )
    whole = value if isinstance(value, str) else "0"
    if field.filters[:1] == ("last",):
        whole = TEXT_FILTERS["last"](whole)
    separator = ID_SEPARATOR if field.name == "proposal" else ""
    text = field.text(value) if _is_plain(whole, separator) else ""
    if not _is_plain(text, separator):
        raise StorageProblem(
            f"The {field.name} of this launch cannot be used in a path.",
            remedy="Please tell the administrators.",
            kind=ErrorKind.UNSAFE_PATH_VALUE,
        )
    return text


def _is_plain(text: str, separator: str) -> bool:
    """Return whether a text, or each of its parts between separators, is safe in a path."""
    parts = text.split(separator) if separator else [text]
    return ".." not in text and all(PLAIN.fullmatch(part) for part in parts)


def directory_name(proposal_id: str) -> str:
    """Return an id as the name of one directory: 20.500.11935+2026-0123 for "20.500.11935/2026-0123"."""
    return proposal_id.replace("/", ID_SEPARATOR)


__all__ = ["ACCOUNT_FIELDS", "FIELDS", "ID_SEPARATOR", "PATH_FIELD", "PLAIN", "Field", "Template", "directory_name"]
