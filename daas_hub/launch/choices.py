"""What a user may launch, given the facility's proposals and the administrator's catalogue. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from daas_hub.catalogue import Application, Catalogue, Kind, Size
from daas_hub.errors import Refused
from daas_hub.launch.request import LaunchRequest
from daas_hub.proposals import Proposal, Visit


@dataclass(frozen=True)
class Choice:
    """One launch that was requested and is allowed: everything except the account and the paths.

    Attributes:
        several: the visits of a session that has more than one; `proposal` and `visit` are then unset.
        temporary_home: the session has an empty home in memory instead of the account's.
    """

    application: Application
    size: Size
    proposal: Proposal | None = None
    visit: Visit | None = None
    several: tuple[tuple[Proposal, Visit], ...] = ()
    temporary_home: bool = False

    @property
    def visits(self) -> tuple[tuple[Proposal, Visit], ...]:
        """Every visit with its proposal; () for an own resource."""
        if self.proposal is None or self.visit is None:
            return self.several
        return ((self.proposal, self.visit),)


def offered(catalogue: Catalogue, proposal: Proposal | None) -> tuple[Application, ...]:
    """Return the applications offered for this proposal; for None, those offered as an own resource."""
    return tuple(application for application in catalogue.applications.values() if _is_offered(application, proposal))


def offered_for_all(catalogue: Catalogue, proposals: Sequence[Proposal]) -> tuple[Application, ...]:
    """Return the applications offered for each of several proposals."""
    found = [offered(catalogue, proposal) for proposal in proposals]
    return tuple(one for one in found[0] if all(one in others for others in found[1:]))


def require_choice(
    catalogue: Catalogue, proposals: Sequence[Proposal], request: LaunchRequest, *, own_resources: bool = True
) -> Choice:
    """Return the choice that a request makes, if this user may make it.

    Args:
        proposals: those of this user, requested from the facility for this launch.
        own_resources: whether this user may launch without a proposal.

    Raises:
        Refused: with the same message for a proposal that does not exist and one of somebody else.
    """
    several = tuple(_proposal_and_visit(proposals, *one) for one in request.visits)
    proposal, visit = None, None
    if request.proposal is not None:
        proposal, visit = _proposal_and_visit(proposals, request.proposal, request.visit)
    if proposal is None and not several and not own_resources:
        raise Refused(
            "Your account may launch applications on proposals only.",
            remedy="Choose a proposal on the home page, or ask the user office.",
        )
    application = catalogue.applications.get(request.application)
    if application is None or application.kind is Kind.LINK:
        raise Refused("There is no such application here.", remedy="Choose one from the portal's pages.")
    on: list[Proposal | None] = [*(owner for owner, _ in several)] or [proposal]
    for one in on:
        if not _is_offered(application, one):
            what = f"proposal {one.id}" if one else "an own resource, without a proposal"
            raise Refused(f"{application.title} is not offered for {what}.")
    sizes = {size.name: size for size in catalogue.sizes_of(application)}
    if request.size is not None and request.size not in sizes:
        raise Refused(f"{application.title} is not offered in that size.", remedy=f"Possible: {', '.join(sizes)}.")
    size = sizes[request.size] if request.size else next(iter(sizes.values()))
    return Choice(application, size, proposal, visit, several, request.temporary_home)


def _proposal_and_visit(proposals: Sequence[Proposal], wanted: str, number: int | None) -> tuple[Proposal, Visit]:
    proposal = next((one for one in proposals if one.id == wanted), None)
    if proposal is None:
        raise Refused(
            f"There is no proposal {wanted} among yours.",
            remedy="Its main proposer or the user office can add you.",
        )
    if number is None:
        if len(proposal.visits) != 1:
            raise Refused(f"Please say which visit of {proposal.id}: it has {len(proposal.visits)}.")
        return proposal, proposal.visits[0]
    visit = proposal.visit(number)
    if visit is None:
        raise Refused(f"Proposal {proposal.id} has no visit {number}.")
    return proposal, visit


def _is_offered(application: Application, proposal: Proposal | None) -> bool:
    if proposal is None:
        return application.without_proposal
    return application.with_proposal and (
        not application.beamlines or not set(application.beamlines).isdisjoint(proposal.beamlines)
    )
