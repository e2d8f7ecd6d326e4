"""`/daas/use`: the limits that apply to a person's launches, and what is in use of them, before one is refused."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from typing import Any

from tornado import web

from daas_hub.accounts import Account
from daas_hub.accounts.hub_user import withheld_roles
from daas_hub.admission.gate import Gate
from daas_hub.admission.hub import Admission
from daas_hub.admission.limits import SHOWN, Use, in_words
from daas_hub.admission.model import Occupied
from daas_hub.admission.own_use import Limited, Scope, Who, limits_on, unused_proposal
from daas_hub.errors import SourceUnavailable
from daas_hub.launch import groups_for_quotas
from daas_hub.portal.base import PortalHandler
from daas_hub.portal.waiting import current_line

#: The most proposals that the page lists: staff of a beamline may have hundreds with something in use.
MOST_PROPOSALS = 20
_RESOURCES = {"sessions": "Sessions", "cpus": "CPUs", "memory_bytes": "Memory", "gpus": "GPUs"}
_ONLY_OWN = "Your proposals are not known now. Only those of your own sessions are shown."


def has_limits() -> bool:
    """Return whether this hub has quotas or a capacity, so that there is something to show."""
    admission = Admission.current()
    return admission is not None and (admission.gate.rules.has_quotas or admission.gate.rules.has_capacity)


class OwnUseHandler(PortalHandler):
    """What a person and their proposals, classes and places have in use, beside the limits."""

    @web.authenticated
    async def get(self) -> None:
        """Show it."""
        admission = Admission.current()
        if admission is None or not has_limits():
            raise web.HTTPError(404, "This portal has no quotas.")
        account, gate = await self.account(), admission.gate
        person = replace(account, roles=account.roles - withheld_roles(self.current_user))
        counted = gate.counted(self._waiting())
        proposals, is_complete = await self._proposals(account, gate, counted)
        who = Who(
            user=self.current_user.name,
            groups=groups_for_quotas(person.roles, person.memberships),
            proposals=proposals,
            places=[one.name for one in self.facility.places if one.is_for(person)],
            sessions=self.facility.sessions_per_person,
        )
        await self.show(
            "use.html",
            title="Your use and limits",
            active="use",
            person=self.person(account),
            problem="" if is_complete else _ONLY_OWN,
            waits=current_line() is not None,
            **_views(limits_on(gate.rules, who, counted, gate.now(), gate.occupied), unused_proposal(gate.rules)),
        )

    def _waiting(self) -> list[Any]:
        line = current_line()
        return [one.demand for one in line.waiting() if not one.is_called] if line is not None else []

    async def _proposals(
        self, account: Account, gate: Gate, counted: Collection[Occupied]
    ) -> tuple[frozenset[str], bool]:
        """Return the ids of a person's proposals, as far as limits need them, and whether these are all."""
        if not gate.rules.proposal and not gate.rules.reservations:
            return frozenset(), True
        try:
            return frozenset(one.id for one in (await self.facility.proposals_of(account)).value), True
        except SourceUnavailable as problem:
            # also of somebody with too many to be read at once
            self.log.info("proposals of %s: %s", account.name, problem)
        own = {id_ for one in counted if one.demand.user == self.current_user.name for id_ in one.demand.proposals}
        found = set()
        for id_ in sorted(own):
            try:
                if (await self.facility.proposal_of(account, id_)).value is not None:
                    found.add(id_)
            except SourceUnavailable:
                # whether it is still theirs is unknown
                continue
        return frozenset(found), False


def _views(found: list[Limited], unused: tuple[Use, ...]) -> dict[str, Any]:
    """Return what the template shows of each scope."""

    def of(*scopes: Scope) -> list[dict[str, Any]]:
        return [{"title": one.title, "rows": [_row(use) for use in one.uses]} for one in found if one.scope in scopes]

    proposals = of(Scope.PROPOSAL)
    return {
        "own": of(Scope.PERSON),
        "proposals": proposals[:MOST_PROPOSALS],
        "more_proposals": max(0, len(proposals) - MOST_PROPOSALS),
        "each_proposal": [_row(use) for use in unused],
        "classes": of(Scope.CLASS),
        "room": of(Scope.PLACE) + [one | {"title": "The whole portal"} for one in of(Scope.FACILITY)],
    }


def _row(use: Use) -> dict[str, Any]:
    shown: Callable[[float], str] = SHOWN[use.resource][1] if use.resource in SHOWN else in_words
    return {
        "resource": _RESOURCES.get(use.resource) or f"Hours in the last {in_words(use.days)} days",
        "used": shown(use.used),
        "reserved": use.reserved,
        "limit": shown(use.limit),
        "left": shown(use.left) if use.left else "None",
        "is_used_up": use.limit and not use.left,
    }
