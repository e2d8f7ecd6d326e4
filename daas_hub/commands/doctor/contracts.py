"""Checks the requests a source made and the proposals it returned against what a launch needs. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import partial

from daas_hub.accounts import Account
from daas_hub.commands.doctor.remedies import remedy_for
from daas_hub.findings import Finding, ok, problem, warning
from daas_hub.proposals import Proposal
from daas_hub.services.recording import Exchange

#: Identical requests that are listed one by one.
_MAX_ALIKE = 3


def lines_of_exchanges(name: str, exchanges: Sequence[Exchange], *, kind: str = "proposals") -> list[Finding]:
    """Return a finding for each request of a source, in order.

    Args:
        name: of the source in the configuration.
        kind: what the source provides: "proposals" or "accounts".
    """
    key, lines = f"{kind}.{name}.asked", []
    alike = Counter[tuple[str, str]]()
    for one in exchanges:
        check = f"{name}: request {one.asked_for} ({one.place})"
        if one.wrong:
            lines.append(problem(key, check, one.wrong, remedy_for(one.failure)))
            continue
        if not one.status:
            continue  # no response, and it was sent once more
        alike[one.asked_for, one.place] += 1
        if alike[one.asked_for, one.place] <= _MAX_ALIKE:
            shape = f": {one.shape}" if one.shape else ""
            result = f"status {one.status}, {one.content}{shape}; {one.size} bytes in {one.seconds:.2f} s"
            lines.append(ok(key, check, result))
    for (asked_for, place), count in alike.items():
        if count > _MAX_ALIKE:
            lines.append(ok(key, f"{name}: request {asked_for} ({place}), {count - _MAX_ALIKE} more times"))
    return lines


def _condition(key: str, name: str, what: str, wrong: Sequence[str], fix: str, *, is_problem: bool = False) -> Finding:
    """Return whether a condition holds; `wrong` names what it does not hold for."""
    check = f"{name}: {what}"
    if not wrong:
        return ok(key, check)
    result = f"not true for {', '.join(wrong[:5])}" + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
    return (problem if is_problem else warning)(key, check, result, fix)


def contract_of(
    name: str, proposals: Sequence[Proposal], account: Account, *, has_fields: bool = True, runs_as_person: bool = True
) -> list[Finding]:
    """Check the proposals of a source against what a launch needs, one finding for each condition. Pure.

    Args:
        has_fields: whether its records have fields that can be mapped.
        runs_as_person: whether sessions run as the person's account, which then must be in the proposal's group.
    """
    if not proposals:
        return []
    visits = [(one, visit) for one in proposals for visit in one.visits]
    groups = {account.gid, *account.groups}

    finding = partial(_condition, f"proposals.{name}.contract", name)
    twice = [one for one, count in Counter(proposal.id for proposal in proposals).items() if count > 1]
    lines = [
        finding("proposal ids are unique", twice, "Ids must be unique.", is_problem=True),
        finding(
            "every proposal has a title", [one.id for one in proposals if not one.title], "Map `title` in its `fields`."
        ),
        finding(
            "every proposal has a visit",
            [one.id for one in proposals if not one.visits],
            "Map `visits` in its `fields`.",
        ),
    ]
    if has_fields:
        lines += [
            finding(
                "every visit has a start",
                [f"{one.id} visit {visit.label}" for one, visit in visits if visit.start is None],
                "Map `visit.start` in its `fields`; lists are sorted by it, and directory templates may use it.",
            ),
            finding(
                "visits end after they start",
                [f"{one.id} visit {v.label}" for one, v in visits if v.start and v.end and v.end < v.start],
                "Check whether `visit.start` and `visit.end` are swapped in its `fields`.",
            ),
            finding(
                "every visit has a beamline",
                [f"{one.id} visit {visit.label}" for one, visit in visits if not visit.beamline and not one.beamlines],
                "Map `visit.beamline` or `beamlines` in its `fields`.",
            ),
        ]
    if runs_as_person:
        lines.append(
            finding(
                f"{account.name} is in the group of every proposal",
                [f"{one.id} (gid {one.gid})" for one in proposals if one.gid is not None and one.gid not in groups],
                "No session can start for these: add the person to the group, or let the account source read groups "
                "(LdapAccounts.group_base).",
                is_problem=True,
            )
        )
    return lines
