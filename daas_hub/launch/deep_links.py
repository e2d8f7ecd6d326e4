"""Deep links: what a link from another site of the facility means here. Pure.

It names a visit as that site does (mx12345-7), case-insensitively. It opens nothing by itself: it is compared with the
proposals of the user who follows it, and leads to a page of the portal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from daas_hub.errors import BadRequest
from daas_hub.launch.request import MAX_VISITS
from daas_hub.proposals.model import PROPOSAL_ID, Proposal, Visit

#: Names of visits that a link may contain.
_VISIT_PART = r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}"
_VISIT = re.compile(rf"{_VISIT_PART}(?:/{_VISIT_PART}){{0,3}}")
_APPLICATION = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KEYS = ("proposal", "visit", "session", "app", "visits", "place")


@dataclass(frozen=True)
class Link:
    """The parameters of a link from another site, well-formed but not yet looked up; "" for those absent.

    Attributes:
        visits: names of several visits; then `proposal` and `visit` are "".
    """

    proposal: str = ""
    visit: str = ""
    application: str = ""
    visits: tuple[str, ...] = ()
    place: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> Link:
        """Read the parameters of a link: `proposal`, `visit` or `session`, `visits`, `app`, `place`, each once.

        Raises:
            BadRequest: naming the invalid parameter. Its value is not shown, because anybody may have written it.
        """
        given: dict[str, str] = {}
        for key in _KEYS:
            values = query.get(key, ())
            if len(values) > 1:
                raise BadRequest(f"The link has the parameter {key} more than once.", remedy=_ASK)
            given[key] = values[0] if values else ""
        if given["visit"] and given["session"]:
            raise BadRequest("The link has both visit and session, which mean the same.", remedy=_ASK)
        visit = given["visit"] or given["session"]
        if given["proposal"] and not PROPOSAL_ID.fullmatch(given["proposal"]):
            raise BadRequest("The proposal in the link is not well-formed.", remedy=_ASK)
        if visit and not _VISIT.fullmatch(visit):
            raise BadRequest("The visit in the link is not well-formed.", remedy=_ASK)
        if given["app"] and not _APPLICATION.fullmatch(given["app"]):
            raise BadRequest("The application in the link is not well-formed.", remedy=_ASK)
        if given["place"] and not _APPLICATION.fullmatch(given["place"]):
            raise BadRequest("The place in the link is not well-formed.", remedy=_ASK)
        if given["visits"]:
            if given["proposal"] or visit:
                raise BadRequest("The link names several visits, and one more in another parameter.", remedy=_ASK)
            return cls._of_several(given["visits"], given["app"], given["place"])
        if not given["proposal"] and not visit:
            raise BadRequest("The link names neither a proposal nor a visit.", remedy=_ASK)
        return cls(given["proposal"], visit, given["app"], place=given["place"])

    @classmethod
    def _of_several(cls, names: str, application: str, place: str) -> Link:
        visits = tuple(dict.fromkeys(names.split(",")))
        if len(visits) > MAX_VISITS:
            raise BadRequest(f"The link names more than {MAX_VISITS} visits.", remedy=_ASK)
        if not all(_VISIT.fullmatch(one) for one in visits):
            raise BadRequest("A visit in the link is not well-formed.", remedy=_ASK)
        if len(visits) == 1:
            return cls("", visits[0], application, place=place)
        return cls("", "", application, visits, place)


_ASK = "Please report it to the site that has the link; your proposals are on the portal's home page."


def meanings(proposals: Iterable[Proposal], link: Link) -> tuple[tuple[Proposal, Visit | None], ...]:
    """Return the proposals and visits that a link may mean: one if it is clear, several to choose from, or none.

    A visit is named as the facility calls it, or by its number if the link also names the proposal. Case does not
    matter, but an exact match takes precedence.
    """
    known = list(proposals)
    if link.proposal:
        known = _exactly([one for one in known if _same(one.id, link.proposal)], lambda one: one.id == link.proposal)
    if not link.visit:
        return tuple((proposal, None) for proposal in known)
    found: list[tuple[Proposal, Visit | None]] = [
        (proposal, visit)
        for proposal in known
        for visit in proposal.visits
        if _same(_full_name(proposal, visit), link.visit)
        or (visit.name and _same(visit.name, link.visit) and (link.proposal or not visit.name.isdecimal()))
        or (link.proposal and str(visit.number) == link.visit)
    ]
    return tuple(_exactly(found, lambda pair: pair[1] is not None and pair[1].name == link.visit))


def proposals_named_in(visit: str) -> tuple[str, ...]:
    """Return the ids of proposals that the name of a visit begins with: mx12345 for "mx12345-7"."""
    match = re.fullmatch(r"(.+)[-_.]([0-9]+)", visit, re.ASCII)
    return (match[1],) if match and PROPOSAL_ID.fullmatch(match[1]) else ()


_Candidate = TypeVar("_Candidate")


def _exactly(found: list[_Candidate], is_exact: Callable[[_Candidate], bool]) -> list[_Candidate]:
    """Return the exact matches, if there are any; else all of them."""
    return [one for one in found if is_exact(one)] or found


def _full_name(proposal: Proposal, visit: Visit) -> str:
    return f"{proposal.id}-{visit.number}"


def _same(one: str, other: str) -> bool:
    return one.isascii() and other.isascii() and one.lower() == other.lower()
