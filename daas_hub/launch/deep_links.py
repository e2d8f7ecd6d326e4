"""Deep links: what a link from one of the facility's other pages means here. Pure.

It names a visit as its own page does (mx12345-7), in any capitals. It opens nothing by itself: it is compared with the
proposals of whoever follows it, and leads to a page of the portal.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from daas_hub.errors import BadRequest
from daas_hub.proposals.model import PROPOSAL_ID, Proposal, Visit

#: What a facility may call a visit, as far as a link may have it.
_VISIT = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+-]{0,63}")
_APPLICATION = re.compile(r"[a-z][a-z0-9-]{0,31}")
_KEYS = ("proposal", "visit", "session", "app")


@dataclass(frozen=True)
class Link:
    """What a link from outside says, well-formed but not yet compared with anything; "" for what it does not say."""

    proposal: str = ""
    visit: str = ""
    application: str = ""

    @classmethod
    def from_query(cls, query: Mapping[str, Sequence[str]]) -> Link:
        """Read the parameters of a link: `proposal`, `visit` or `session`, and `app`, each once; others are ignored.

        Raises:
            BadRequest: naming the parameter that is wrong. Its value is not repeated: it is a stranger's.
        """
        said: dict[str, str] = {}
        for key in _KEYS:
            values = query.get(key, ())
            if len(values) > 1:
                raise BadRequest(f"The link says {key} more than once.", remedy=_ASK)
            said[key] = values[0] if values else ""
        if said["visit"] and said["session"]:
            raise BadRequest("The link says both visit and session, which are the same.", remedy=_ASK)
        visit = said["visit"] or said["session"]
        if said["proposal"] and not PROPOSAL_ID.fullmatch(said["proposal"]):
            raise BadRequest("The proposal in the link is not well-formed.", remedy=_ASK)
        if visit and not _VISIT.fullmatch(visit):
            raise BadRequest("The visit in the link is not well-formed.", remedy=_ASK)
        if said["app"] and not _APPLICATION.fullmatch(said["app"]):
            raise BadRequest("The application in the link is not well-formed.", remedy=_ASK)
        if not said["proposal"] and not visit:
            raise BadRequest("The link names neither a proposal nor a visit.", remedy=_ASK)
        return cls(said["proposal"], visit, said["app"])


_ASK = "Please tell whoever runs the page that it is on; your proposals are on the portal's first page."


def meanings(proposals: Iterable[Proposal], link: Link) -> tuple[tuple[Proposal, Visit | None], ...]:
    """Return the proposals and visits that a link may mean: one if it is clear, several to choose from, or none.

    A visit is named by what the facility calls it, or by its number if the link names the proposal, too. Capitals do
    not matter, unless something is written exactly so.
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
    """Return the ids of proposals that the name of a visit begins with: "mx12345-7" is of mx12345."""
    match = re.fullmatch(r"(.+)[-_.]([0-9]+)", visit, re.ASCII)
    return (match[1],) if match and PROPOSAL_ID.fullmatch(match[1]) else ()


_Candidate = TypeVar("_Candidate")


def _exactly(found: list[_Candidate], is_exact: Callable[[_Candidate], bool]) -> list[_Candidate]:
    """Return what is written exactly so, if anything is; else all that differs by capitals alone."""
    return [one for one in found if is_exact(one)] or found


def _full_name(proposal: Proposal, visit: Visit) -> str:
    return f"{proposal.id}-{visit.number}"


def _same(one: str, other: str) -> bool:
    return one.isascii() and other.isascii() and one.lower() == other.lower()
