"""What a source was asked and what came, held against what a launch needs: one line each. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from daas_hub.accounts import Account
from daas_hub.commands.doctor.remedies import remedy_for
from daas_hub.findings import Finding, ok, problem, warning
from daas_hub.proposals import Proposal
from daas_hub.services.recording import Exchange

#: Questions of one kind that are written out.
_MAX_ALIKE = 3


def lines_of_exchanges(name: str, exchanges: Sequence[Exchange], *, kind: str = "proposals") -> list[Finding]:
    """Return a line for each question that a source asked, in order.

    Args:
        name: of the source in the configuration.
        kind: what it is a source of: "proposals", or "accounts".
    """
    key, lines = f"{kind}.{name}.asked", []
    alike = Counter[tuple[str, str]]()
    for one in exchanges:
        did = f"{name}: asked for {one.asked_for} ({one.place})"
        if one.wrong:
            lines.append(problem(key, did, one.wrong, remedy_for(one.failure)))
            continue
        if not one.status:
            continue  # no answer, and it was asked once more
        alike[one.asked_for, one.place] += 1
        if alike[one.asked_for, one.place] <= _MAX_ALIKE:
            shape = f": {one.shape}" if one.shape else ""
            got = f"status {one.status}, {one.content}{shape}; {one.size} bytes after {one.seconds:.2f} s"
            lines.append(ok(key, did, got))
    for (asked_for, place), count in alike.items():
        if count > _MAX_ALIKE:
            lines.append(ok(key, f"{name}: asked for {asked_for} ({place}), {count - _MAX_ALIKE} times more"))
    return lines


def contract_of(
    name: str, told: Sequence[Proposal], account: Account, *, has_fields: bool = True, runs_as_person: bool = True
) -> list[Finding]:
    """Hold what a source said against what a launch needs, line by line. Pure.

    Args:
        has_fields: whether its records have fields that can be mapped.
        runs_as_person: whether sessions run under the person's account, which must be in the proposal's group then.
    """
    key = f"proposals.{name}.contract"
    if not told:
        return []
    visits = [(one, visit) for one in told for visit in one.visits]
    groups = {account.gid, *account.groups}

    def line(what: str, wrong: Sequence[str], remedy: str, *, is_problem: bool = False) -> Finding:
        did = f"{name}: {what}"
        if not wrong:
            return ok(key, did)
        got = f"not so for {', '.join(wrong[:5])}" + (f" and {len(wrong) - 5} more" if len(wrong) > 5 else "")
        return (problem if is_problem else warning)(key, did, got, remedy)

    twice = [one for one, count in Counter(proposal.id for proposal in told).items() if count > 1]
    lines = [
        line("no two proposals have one id", twice, "Ids must be unique.", is_problem=True),
        line("every proposal has a title", [one.id for one in told if not one.title], "Map `title` in its `fields`."),
        line("every proposal has a visit", [one.id for one in told if not one.visits], "Map `visits` in its `fields`."),
    ]
    if has_fields:
        lines += [
            line(
                "every visit has a start",
                [f"{one.id} visit {visit.label}" for one, visit in visits if visit.start is None],
                "Map `visit.start` in its `fields`; lists are sorted by it, and directories may be named after it.",
            ),
            line(
                "no visit ends before it starts",
                [f"{one.id} visit {v.label}" for one, v in visits if v.start and v.end and v.end < v.start],
                "Are `visit.start` and `visit.end` the right way round in its `fields`?",
            ),
            line(
                "every visit has a beamline",
                [f"{one.id} visit {visit.label}" for one, visit in visits if not visit.beamline and not one.beamlines],
                "Map `visit.beamline` or `beamlines` in its `fields`.",
            ),
        ]
    if runs_as_person:
        lines.append(
            line(
                f"{account.name} is in the group of every proposal that has one",
                [f"{one.id} (gid {one.gid})" for one in told if one.gid is not None and one.gid not in groups],
                "Account and proposal disagree, and nothing can start there: add the person to the group, or have "
                "the account source read groups (LdapAccounts.group_base).",
                is_problem=True,
            )
        )
    return lines
