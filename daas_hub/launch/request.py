"""The only parser of launch requests: it turns any JSON, form or link into a checked record, or refuses it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from daas_hub.errors import BadRequest
from daas_hub.proposals.model import HIGHEST_VISIT, LOWEST_VISIT, PROPOSAL_ID

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KEYS = ("application", "proposal", "visit", "size", "visits", "temporary_home", "place")
#: Visits of one session: each is some mounts.
MAX_VISITS = 20


#: The application, its proposals and visits, and whether the home is temporary.
LaunchContent = tuple[str, frozenset[tuple[str, int | None]], bool]


@dataclass(frozen=True)
class LaunchRequest:
    """A launch request, well-formed but not yet authorised. No proposal means an own resource.

    Attributes:
        visits: several visits, each as the proposal's id and the visit's number; `proposal` and `visit` are then unset.
        temporary_home: an empty home in memory instead of the account's, deleted with the session.
        place: the name of the place where it is to run; None for the default.
    """

    application: str
    proposal: str | None = None
    visit: int | None = None
    size: str | None = None
    visits: tuple[tuple[str, int], ...] = ()
    temporary_home: bool = False
    place: str | None = None

    @property
    def proposals(self) -> tuple[str, ...]:
        """The ids of the requested proposals."""
        several = tuple(dict.fromkeys(proposal for proposal, _ in self.visits))
        return several or ((self.proposal,) if self.proposal is not None else ())

    @property
    def content(self) -> LaunchContent:
        """What a second launch would repeat; its size and its place may differ."""
        visits = self.visits or ((self.proposal or "", self.visit),)
        return self.application, frozenset(visits), self.temporary_home

    @classmethod
    def from_json(cls, options: Any) -> LaunchRequest:
        """Read the options of a start, posted by anybody or stored by an earlier start.

        Only the known keys and their exact types are accepted; nothing is corrected.

        Raises:
            BadRequest: naming the invalid key.
        """
        if not isinstance(options, dict):
            raise BadRequest("A launch request must be an object with the keys " + ", ".join(_KEYS) + ".")
        unknown = [key for key in options if key not in _KEYS]
        if unknown:
            raise BadRequest(f"A launch has no option {_shown(unknown[0])}.", remedy=f"Known: {', '.join(_KEYS)}.")
        application = options.get("application")
        proposal, visit, size = options.get("proposal"), options.get("visit"), options.get("size")
        visits = _visits(options.get("visits"), alone=proposal is None and visit is None)
        if not isinstance(application, str) or not _NAME.fullmatch(application):
            raise BadRequest("Please choose an application to launch.", remedy="Choose one from the portal's pages.")
        if proposal is not None:
            _require_proposal(proposal)
        if visit is not None:
            _require_visit(visit)
        if visit is not None and proposal is None:
            raise BadRequest("A visit needs a proposal.")
        if size is not None and not (isinstance(size, str) and _NAME.fullmatch(size)):
            raise BadRequest("The size is not well-formed.")
        temporary_home = options.get("temporary_home")
        if temporary_home is not None and not isinstance(temporary_home, bool):
            raise BadRequest("The option temporary_home is either true or false.")
        place = options.get("place")
        if place is not None and not (isinstance(place, str) and _NAME.fullmatch(place)):
            raise BadRequest("The place is not well-formed.")
        return cls(application, proposal, visit, size, visits, temporary_home is True, place)

    @classmethod
    def from_form(cls, fields: Mapping[str, str], visits: Sequence[str] = ()) -> LaunchRequest:
        """Read a form or a link, where everything is text and an empty field counts as absent.

        Args:
            visits: the values of the fields `visits` (see `visit_value`); one is the same as `proposal` and `visit`.

        Raises:
            BadRequest: naming the invalid field.
        """
        options: dict[str, Any] = {key: fields[key] for key in _KEYS if key != "visits" and fields.get(key)}
        chosen = list(dict.fromkeys(map(read_visit_value, visits)))
        if len(chosen) == 1 and not {"proposal", "visit"} & options.keys():
            options["proposal"], options["visit"] = chosen[0][0], str(chosen[0][1])
        elif chosen:
            options["visits"] = [{"proposal": proposal, "visit": visit} for proposal, visit in chosen]
        if "visit" in options:
            if not re.fullmatch(r"[0-9]{1,10}", options["visit"], re.ASCII):
                raise BadRequest(f"The visit is not a number from {LOWEST_VISIT} to {HIGHEST_VISIT}.")
            options["visit"] = int(options["visit"])
        if options.get("temporary_home") == "1":
            options["temporary_home"] = True
        return cls.from_json(options)

    def as_json(self) -> dict[str, Any]:
        """Return the options the hub stores: ids only, nothing sensitive."""
        values: dict[str, Any] = {
            "application": self.application,
            "proposal": self.proposal,
            "visit": self.visit,
            "size": self.size,
            "visits": [{"proposal": proposal, "visit": visit} for proposal, visit in self.visits] or None,
            "temporary_home": self.temporary_home or None,
            "place": self.place,
        }
        return {key: value for key, value in values.items() if value is not None}


def visit_value(proposal: str, visit: int) -> str:
    """Return the value of a form's field for one visit: "2:MA-4242"."""
    return f"{visit}:{proposal}"


def read_visit_value(value: str) -> tuple[str, int]:
    """Return the proposal and the visit of a form's field.

    Raises:
        BadRequest: it is not well-formed.
    """
    number, _, proposal = value.partition(":")
    if not re.fullmatch(r"[0-9]{1,10}", number, re.ASCII):
        raise BadRequest("A chosen visit is not well-formed.", remedy="Choose visits on the portal's pages.")
    _require_proposal(proposal)
    _require_visit(int(number))
    return proposal, int(number)


def visits_in(options: Any) -> tuple[tuple[str, int | None], ...]:
    """Return the proposals and visits in stored options, for pages; () if there are none, or they are not a launch."""
    try:
        request = LaunchRequest.from_json(options)
    except BadRequest:
        return ()
    return request.visits or tuple((proposal, request.visit) for proposal in request.proposals)


def content_of(options: Any) -> LaunchContent | None:
    """Return the content of stored options; None if they are not a launch."""
    try:
        return LaunchRequest.from_json(options).content
    except BadRequest:
        return None


def has_temporary_home(options: Any) -> bool:
    """Return whether stored options are a launch with a temporary home, for pages."""
    return isinstance(options, dict) and options.get("temporary_home") is True


def _visits(values: Any, *, alone: bool) -> tuple[tuple[str, int], ...]:
    """Read the list of several visits."""
    if values is None:
        return ()
    if not alone:
        raise BadRequest("A launch has either one proposal and visit, or several visits.")
    if not isinstance(values, list) or not 2 <= len(values) <= MAX_VISITS:
        count = f", not {len(values)}" if isinstance(values, list) else ""
        raise BadRequest(
            f"A session can have 2 to {MAX_VISITS} visits together{count}.", remedy="Choose fewer, in two sessions."
        )
    found = []
    for one in values:
        if not isinstance(one, dict) or set(one) != {"proposal", "visit"}:
            raise BadRequest("Each of several visits needs its proposal and its visit, and nothing else.")
        _require_proposal(one["proposal"])
        _require_visit(one["visit"])
        found.append((one["proposal"], one["visit"]))
    if len(set(found)) != len(found):
        raise BadRequest("A visit was chosen twice.")
    return tuple(found)


def _require_proposal(value: Any) -> None:
    if not (isinstance(value, str) and PROPOSAL_ID.fullmatch(value)):
        raise BadRequest("The proposal's id is not well-formed.")


def _require_visit(value: Any) -> None:
    if not (type(value) is int and LOWEST_VISIT <= value <= HIGHEST_VISIT):
        raise BadRequest(f"The visit is not a number from {LOWEST_VISIT} to {HIGHEST_VISIT}.")


def _shown(key: object) -> str:
    """Return a hostile key in a form that is safe in a page and a log line."""
    return repr(key if isinstance(key, str) else str(key))[:40]
