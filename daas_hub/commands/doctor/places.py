"""Opens the directories of a person's launches: as the hub does, and again as the account itself."""

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
#: Seconds the account itself may take to look at one directory.
LOOK_TIMEOUT_S = 15.0

#: Run as the account, by an interpreter that imports nothing else of ours.
_PROBE = Path(__file__).parents[2] / "session" / "probe.py"

_WORDS = {
    "EACCES": "is refused (permission)",
    "ENOENT": "does not exist for it",
    "EROFS": "is on a read-only file system",
    "EDQUOT": "is over its quota",
    "ENOSPC": "is full",
    "ESTALE": "is on a file server that lost it",
}


async def look_at_directories(
    facility: Facility, identity: Identity, account: Account, proposals: Sequence[Proposal]
) -> tuple[list[Finding], Plan | None]:
    """Plan a launch on each of the latest visits, and open its directories; give the last plan that can be launched."""
    findings: list[Finding] = []
    plan: Plan | None = None
    visits = [(one, visit) for one in proposals for visit in one.visits]
    visits.sort(key=lambda pair: (pair[1].start is not None, pair[1].start.timestamp() if pair[1].start else 0.0))
    for proposal, visit in reversed(visits[-MAX_VISITS:]):
        found, planned = await _look_at_visit(facility, identity, proposal, visit)
        findings += found
        plan = plan or planned
    if len(visits) > MAX_VISITS:
        why = f"only the {MAX_VISITS} latest of {len(visits)} visits were looked at"
        findings.append(not_checked("directories.others", "looked at all visits", why))
    return findings, plan


async def _look_at_visit(
    facility: Facility, identity: Identity, proposal: Proposal, visit: Visit
) -> tuple[list[Finding], Plan | None]:
    what = f"{proposal.id} visit {visit.label}"
    key = f"directories.{proposal.id}"
    here = [one for one in offered(facility.applications, proposal) if one.kind is not Kind.LINK]
    if not here:
        remedy = "Add an application for its beamline to the catalogue."
        return [warning(key, f"planned a launch on {what}", "no application goes with this proposal", remedy)], None
    asked = {"application": here[0].name, "proposal": proposal.id, "visit": visit.number}
    try:
        plan = await facility.authorise(identity, LaunchRequest.from_json(asked))
    except DaasError as error:
        remedy = remedy_for(error.kind, error.remedy)
        return [problem(key, f"planned a launch on {what}", error.message, remedy)], None
    began = time.monotonic()
    try:
        # nothing is made here: what a launch makes when it is missing is left out
        as_it_is = tuple(replace(one, create=False, optional=one.optional or one.create) for one in plan.mounts)
        pinned = await pin(as_it_is)
    except DaasError as error:
        where = "; ".join(getattr(error, "__notes__", []))
        did = f"opened the directories of {what} as the hub"
        remedy = remedy_for(error.kind, "The hub's log has the path.")
        return [problem(key, did, f"{error.message} {where}", remedy)], None
    for one in pinned:
        one.close()
    opened = plan.opened(one.mount for one in pinned)
    seconds = time.monotonic() - began
    there = {mount.target: f"{_called(mount.target)} is {mount.source}" for mount in opened.mounts}
    absent = [
        f"{_called(mount.target)} ({mount.source}) is not there: "
        + ("a launch makes it" if mount.create else "it is optional")
        for mount in plan.mounts
        if mount.target not in there
    ]
    found = f"{', '.join([*there.values(), *absent])}; after {seconds:.2f} s"
    findings = [ok(key, f"opened the directories of {what} as the hub", found)]
    findings += [await _look_as(opened, mount.target, str(mount.source), mount.writable) for mount in opened.mounts]
    bad = any(one.verdict == "problem" for one in findings)
    return findings, None if bad else opened


async def _look_as(plan: Plan, target: str, path: str, writable: bool) -> Finding:
    """Look at one directory as the account: what its session will be able to do."""
    account = plan.account
    name = _called(target)
    key = f"directories.{plan.proposal_id}.{name}"
    did = f"looked at {name} ({path}) as {account.name}" + (", and wrote there" if writable else "")
    if os.geteuid() != 0 and os.geteuid() != account.uid:
        return not_checked(key, did, "only root can do that; run the doctor as root, or as the hub's user for a start")
    ids: dict[str, Any] = {} if os.geteuid() != 0 else _ids(account)
    argv = [sys.executable, "-I", "-S", str(_PROBE), path, *(["write"] if writable else [])]
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL, cwd="/", **ids
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), LOOK_TIMEOUT_S)
    except TimeoutError:
        process.kill()
        return problem(key, did, "nothing within 15 s", "The file server hangs for this account.")
    if not said:
        return not_checked(key, did, f"{sys.executable} or {_PROBE} cannot be read by {account.name}")
    told = json.loads(said.partition(b" ")[2])
    return _judged(key, did, target, account, told["directories"][path] | {"groups": told["groups"]})


def _judged(key: str, did: str, target: str, account: Account, told: dict[str, Any]) -> Finding:
    """Return what the look came to. Pure."""
    if "problem" in told:
        words = _WORDS.get(told["problem"], told["problem"])
        remedy = (
            f"Give uid {account.uid} with the groups {told['groups']} the right to read it, up to the root of the "
            "path; if it has that, the proposal's group is missing at the account."
        )
        return problem(key, did, words, remedy)
    if told["write"]:
        words = f"writing {_WORDS.get(told['write'], told['write'])}"
        remedy = (
            f"Give the group of the proposal the right to write there (chgrp, chmod 2770), and check that uid "
            f"{account.uid} is in it; its groups are {told['groups']}."
        )
        return problem(key, did, words, remedy)
    count = told["entries"]
    if not count and target.startswith("data"):
        return warning(key, did, "it is empty", "Is this the right directory? Nobody's data are in it.")
    return ok(key, did, f"{count if count < 1000 else 'more than 1000'} entries")


def _called(target: str) -> str:
    return "the home" if target == "." else f"~/{target}"


def _ids(account: Account) -> dict[str, Any]:
    return {"user": account.uid, "group": account.gid, "extra_groups": list(account.groups)}
