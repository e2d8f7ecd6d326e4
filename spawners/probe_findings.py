"""What a probe inside a trial found, as findings for `daas-hub doctor`. Pure."""

from __future__ import annotations

from typing import Any

from daas_hub.errors import DaasError
from daas_hub.findings import Finding, not_checked, ok, problem
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.guest_layout import target_of
from daas_hub.spawners.trial import without_home

_LOOK_CLOSER = "See what was said, and `daas-hub check-config`; docs/how-to/what-to-do-when.md has the usual reasons."


def nothing_tried() -> Finding:
    """Return the finding that no session was run, for want of a launch."""
    return not_checked("sessions.tried", "ran a session", "there is no launch to try: --as SUBJECT, with data to see")


def trial_failed(error: DaasError) -> Finding:
    """Return why no session could be run."""
    notes = " ".join(getattr(error, "__notes__", []))
    remedy = "" if "tell the administrators" in error.remedy.lower() else error.remedy
    return problem(
        "sessions.tried", "ran a program in a session", f"{error.message} {notes}".strip(), remedy or _LOOK_CLOSER
    )


def findings_of(told: dict[str, Any], plan: Plan) -> list[Finding]:
    """Return what the probe's words come to: who the session is, what it reads, what it cannot write. Pure."""
    account = plan.account
    did = f"ran a program in a session of {account.name} for {plan.title}"
    wanted = sorted({account.gid, *account.groups})
    if told["uid"] != account.uid or told["gid"] != account.gid:
        got = f"uid {told['uid']}, gid {told['gid']}"
        return [problem("sessions.identity", did, got, "A session must be the account. Does the engine map uids?")]
    findings = [ok("sessions.identity", did, f"it is uid {told['uid']}, gid {told['gid']}, groups {told['groups']}")]
    if told["groups"] != wanted:
        remedy = "A hub that is not root cannot give a session the account's groups: run it as root, or use containers."
        findings.append(problem("sessions.groups", did, f"groups {told['groups']}, wanted {wanted}", remedy))
    # the home of a trial is not the account's own, and says nothing of it
    for mount in without_home(plan).mounts:
        said = told["directories"].get(target_of(plan, mount.target), {"problem": "it is not mounted"})
        findings.append(_of_directory(mount, said))
    return findings


def _of_directory(mount: Mount, said: dict[str, Any]) -> Finding:
    name = f"~/{mount.target}"
    key = f"sessions.{name}"
    did = f"read {name} in that session, and tried to write there"
    if "problem" in said:
        remedy = "The session's account may not read it: see what the account itself could do above."
        return problem(key, did, f"reading: {said['problem']}", remedy)
    if not mount.writable:
        if said["write"] != "EROFS":
            got = "it could write there" if not said["write"] else f"writing: {said['write']}, and not EROFS"
            return problem(key, did, got, "Raw data must be read-only. Do not open the portal; please tell the makers.")
        return ok(key, did, f"{said['entries']} entries, and it is read-only")
    if said["write"]:
        remedy = "Its group must be able to write there (chmod 2770), and the account be in the group."
        return problem(key, did, f"writing: {said['write']}", remedy)
    return ok(key, did, f"{said['entries']} entries, and it can be written")
