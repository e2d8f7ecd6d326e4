"""Opens the directories of a person's launches as a launch does, then reads and writes in them as the account."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from daas_hub.accounts import Account, Identity
from daas_hub.catalogue import Kind
from daas_hub.commands.doctor.remedies import remedy_for
from daas_hub.errors import DaasError
from daas_hub.facility import Facility
from daas_hub.findings import Finding, not_checked, ok, problem, warning
from daas_hub.launch import LaunchRequest, Plan, offered
from daas_hub.proposals import Proposal, Visit
from daas_hub.storage import pin

#: Visits whose directories are opened: the latest ones.
MAX_VISITS = 10
#: Seconds for the account itself to read one directory.
LOOK_TIMEOUT_S = 15.0

#: Runs as the account, in an interpreter that imports nothing else of ours.
_PROBE = Path(__file__).parents[2] / "session" / "probe.py"

_ERRNO_TEXT = {
    "EACCES": "permission denied",
    "ENOENT": "no such file or directory",
    "EROFS": "read-only file system",
    "EDQUOT": "disk quota exceeded",
    "ENOSPC": "no space left on device",
    "ESTALE": "stale file handle",
}


async def check_directories(
    facility: Facility, identity: Identity, account: Account, proposals: Sequence[Proposal]
) -> tuple[list[Finding], Plan | None]:
    """Plan a launch on each of the latest visits and open its directories; return the latest plan that works."""
    findings: list[Finding] = []
    plan: Plan | None = None
    visits = _by_date(proposals)
    for proposal, visit in visits[:MAX_VISITS]:
        found, planned = await _check_visit(facility, identity, proposal, visit)
        findings += found
        plan = plan or planned
    if len(visits) > MAX_VISITS:
        why = f"only the latest {MAX_VISITS} of {len(visits)} visits were checked"
        findings.append(not_checked("directories.others", "check all visits", why))
    return findings, plan


async def plan_latest(
    facility: Facility, identity: Identity, proposals: Sequence[Proposal]
) -> tuple[list[Finding], Plan | None]:
    """Plan a launch on the latest visit, for a backend whose sessions look for their directories themselves."""
    for proposal, visit in _by_date(proposals)[:1]:
        planned = await _plan_visit(facility, identity, proposal, visit)
        return ([planned], None) if isinstance(planned, Finding) else ([], planned)
    return [], None


def _by_date(proposals: Sequence[Proposal]) -> list[tuple[Proposal, Visit]]:
    """Return all visits, the latest first."""
    visits = [(one, visit) for one in proposals for visit in one.visits]
    visits.sort(key=lambda pair: (pair[1].start is not None, pair[1].start.timestamp() if pair[1].start else 0.0))
    return visits[::-1]


async def _plan_visit(facility: Facility, identity: Identity, proposal: Proposal, visit: Visit) -> Plan | Finding:
    """Return the plan of a launch of the first application, or the finding that says why it cannot be planned."""
    what = f"{proposal.id} visit {visit.label}"
    key = f"directories.{proposal.id}"
    applications = [one for one in offered(facility.applications, proposal) if one.kind is not Kind.LINK]
    if not applications:
        fix = "Add an application for its beamline to the catalogue."
        return warning(key, f"plan a launch on {what}", "no application is available for this proposal", fix)
    asked = {"application": applications[0].name, "proposal": proposal.id, "visit": visit.number}
    try:
        return await facility.authorise(identity, LaunchRequest.from_json(asked))
    except DaasError as error:
        fix = remedy_for(error.kind, error.remedy)
        return problem(key, f"plan a launch on {what}", error.message, fix)


async def _check_visit(
    facility: Facility, identity: Identity, proposal: Proposal, visit: Visit
) -> tuple[list[Finding], Plan | None]:
    what = f"{proposal.id} visit {visit.label}"
    key = f"directories.{proposal.id}"
    plan = await _plan_visit(facility, identity, proposal, visit)
    if isinstance(plan, Finding):
        return [plan], None
    began = time.monotonic()
    try:
        # nothing is created here: what a launch creates if missing is left out
        as_it_is = tuple(replace(one, create=False, optional=one.optional or one.create) for one in plan.mounts)
        pinned = await pin(as_it_is, plan.account)
    except DaasError as error:
        where = "; ".join(getattr(error, "__notes__", []))
        check = f"open the directories of {what} as {plan.account.name}"
        fix = remedy_for(error.kind, "The hub's log has the path.")
        return [problem(key, check, f"{error.message} {where}", fix)], None
    for one in pinned:
        one.close()
    opened = plan.opened(one.mount for one in pinned)
    seconds = time.monotonic() - began
    there = {mount.target: f"{_name_of(mount.target)} is {mount.source}" for mount in opened.mounts}
    absent = [
        f"{_name_of(mount.target)} ({mount.source}) is missing: "
        + ("a launch creates it" if mount.create else "it is optional")
        for mount in plan.mounts
        if mount.target not in there
    ]
    found = f"{', '.join([*there.values(), *absent])}; in {seconds:.2f} s"
    findings = [ok(key, f"open the directories of {what} as {plan.account.name}", found)]
    findings += [await _check_as(opened, mount.target, str(mount.source), mount.writable) for mount in opened.mounts]
    bad = any(one.verdict == "problem" for one in findings)
    return findings, None if bad else opened


async def _check_as(plan: Plan, target: str, path: str, writable: bool) -> Finding:
    """Check one directory as the account: what its session will be able to do."""
    account = plan.account
    name = _name_of(target)
    key = f"directories.{plan.proposal_id}.{name}"
    check = f"read {'and write ' if writable else ''}{name} ({path}) as {account.name}"
    if os.geteuid() != 0 and os.geteuid() != account.uid:
        return not_checked(key, check, "only root can do this; run the doctor as root")
    ids: dict[str, Any] = {} if os.geteuid() != 0 else _ids(account)
    argv = [sys.executable, "-I", "-S", str(_PROBE), path, *(["write"] if writable else [])]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd="/", **ids
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), LOOK_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        return problem(
            key, check, f"no response within {LOOK_TIMEOUT_S:g} s", "The file server hangs for this account."
        )
    if not output:
        return not_checked(key, check, f"{account.name} cannot read {sys.executable} or {_PROBE}")
    seen = json.loads(output.partition(b" ")[2])
    return _judged(key, check, target, account, seen["directories"][path] | {"groups": seen["groups"]})


def _judged(key: str, check: str, target: str, account: Account, seen: dict[str, Any]) -> Finding:
    """Return the finding for what the account could do. Pure."""
    if "problem" in seen:
        result = _ERRNO_TEXT.get(seen["problem"], seen["problem"])
        fix = (
            f"Let uid {account.uid} with the groups {seen['groups']} read it and enter its parents. If they may, the "
            "account lacks the proposal's group."
        )
        return problem(key, check, result, fix)
    if seen["write"]:
        result = f"writing: {_ERRNO_TEXT.get(seen['write'], seen['write'])}"
        fix = (
            f"Make it writable for the proposal's group (chgrp, chmod 2770), and check that uid {account.uid} "
            f"is in it; its groups are {seen['groups']}."
        )
        return problem(key, check, result, fix)
    count = seen["entries"]
    if not count and target.startswith("data"):
        return warning(key, check, "the directory is empty", "Check whether this is the right directory.")
    return ok(key, check, f"{count if count < 1000 else 'more than 1000'} entries")


def _name_of(target: str) -> str:
    return "the home directory" if target == "." else f"~/{target}"


def _ids(account: Account) -> dict[str, Any]:
    return {"user": account.uid, "group": account.gid, "extra_groups": list(account.groups)}
