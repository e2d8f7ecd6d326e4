"""The report of a trial's probe as findings for `daas-hub doctor`. Pure."""

from __future__ import annotations

from typing import Any

from daas_hub.errors import DaasError
from daas_hub.findings import Finding, not_checked, ok, problem
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.guest_layout import target_of
from daas_hub.spawners.trial import without_home

_LOOK_CLOSER = "Run `daas-hub check-config`; docs/how-to/what-to-do-when.md lists the usual causes."


def nothing_tried() -> Finding:
    """Return the finding that no session was tried, because there is no launch to try."""
    return not_checked("sessions.tried", "run a session", "no launch to try: pass --as SUBJECT of somebody with data")


def trial_failed(error: DaasError) -> Finding:
    """Return why no session could be run."""
    notes = " ".join(getattr(error, "__notes__", []))
    remedy = "" if "tell the administrators" in error.remedy.lower() else error.remedy
    return problem(
        "sessions.tried", "run a program in a session", f"{error.message} {notes}".strip(), remedy or _LOOK_CLOSER
    )


def findings_of(report: dict[str, Any], plan: Plan) -> list[Finding]:
    """Return findings on who the session is, what it can read, and what it cannot write."""
    account = plan.account
    did = f"run a program in a session of {account.name} for {plan.title}"
    wanted = sorted({account.gid, *account.groups})
    if report["uid"] != account.uid or report["gid"] != account.gid:
        got = f"uid {report['uid']}, gid {report['gid']}"
        return [
            problem(
                "sessions.identity",
                did,
                got,
                "A session must run under the account's uid and gid. Does the engine map uids?",
            )
        ]
    findings = [ok("sessions.identity", did, f"uid {report['uid']}, gid {report['gid']}, groups {report['groups']}")]
    if report["groups"] != wanted:
        remedy = "Only a hub that runs as root can set the account's groups: run it as root, or use containers."
        findings.append(problem("sessions.groups", did, f"groups {report['groups']}, expected {wanted}", remedy))
    findings.append(_of_calls(report.get("filters_calls") is True))
    # a trial has a temporary home
    for mount in without_home(plan).mounts:
        seen = report["directories"].get(target_of(plan, mount.target), {"problem": "it is not mounted"})
        findings.append(_of_directory(mount, seen))
    return findings


def _of_calls(are_filtered: bool) -> Finding:
    key, did = "sessions.system_calls", "look at that session's system call filter"
    if are_filtered:
        return ok(key, did, "system calls are filtered (seccomp)")
    remedy = "Do not open the portal. With containers: do not set the engine's seccomp-profile to unconfined."
    return problem(key, did, "system calls are not filtered", remedy)


def _of_directory(mount: Mount, seen: dict[str, Any]) -> Finding:
    name = f"~/{mount.target}"
    key = f"sessions.{name}"
    did = f"read {name} in that session, and try to write to it"
    if "problem" in seen:
        remedy = "The account of the session cannot read it: see the checks of the account above."
        return problem(key, did, f"read error: {seen['problem']}", remedy)
    if not mount.writable:
        if seen["write"] != "EROFS":
            got = "it is writable" if not seen["write"] else f"write error {seen['write']} instead of EROFS"
            return problem(
                key,
                did,
                got,
                "Raw data must be read-only. Do not open the portal; report this as a security issue.",
            )
        return ok(key, did, f"{seen['entries']} entries, read-only")
    if seen["write"]:
        remedy = "Make it writable for its group (chmod 2770), and add the account to the group."
        return problem(key, did, f"write error: {seen['write']}", remedy)
    return ok(key, did, f"{seen['entries']} entries, writable")
