"""A trial: the surroundings of a session, built as for a launch, with a program inside that looks and ends.

`daas-hub doctor` asks for it. The same argv and the same body of a create call are used as for every session, so that
what the trial sees is what sessions see; only the program is another one, and nobody is let in.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import shutil
import signal
import socket
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from daas_hub.errors import DaasError, SessionFailed
from daas_hub.findings import Finding, not_checked, ok, problem
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.bubblewrap import sandbox_argv
from daas_hub.spawners.building import Order, build
from daas_hub.spawners.container import HUB_LABEL, SESSION_LABEL, Elsewhere, Places, create_body
from daas_hub.spawners.elsewhere import FAR_PARTS, bring_files, forget_files
from daas_hub.spawners.engine import Engine
from daas_hub.spawners.inside import identity_texts, target_of
from daas_hub.spawners.processes import descendants, last_lines
from daas_hub.spawners.runtime import write_identity_files
from daas_hub.storage import pin

#: The program inside.
PROBE = "daas-probe"
_LOOK_CLOSER = "See what was said, and `daas-hub check-config`; docs/how-to/what-to-do-when.md has the usual reasons."

#: Seconds it may take; it needs less than one where file servers answer.
TIMEOUT_S = 30.0


async def try_sandbox(plan: Plan, *, prefix: Path, read_only: list[Path], bwrap: str) -> dict[str, Any]:
    """Run the probe in a sandbox of this plan; give what it told.

    Raises:
        SessionFailed, StorageProblem: the sandbox could not be built, or the probe told nothing.
    """
    with _folder(plan) as folder, tempfile.TemporaryFile() as output:
        plan = _with_a_home(plan, folder)
        pinned = await pin(plan.mounts)
        left, right = socket.socketpair()
        order = Order(
            plan,
            pinned,
            argv=partial(
                sandbox_argv,
                plan,
                program=PROBE,
                identity_files=folder / "identity",
                api_dir=folder / "api",
                door=folder / "door",
                prefix=prefix,
                read_only=read_only,
                bwrap=bwrap,
            ),
            environment={"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": plan.home},
            listen_fd=left.fileno(),
            output=output,
            limit=lambda *_: None,
            note=lambda _: None,
        )
        try:
            process = await build(order)
            await asyncio.wait_for(process.wait(), TIMEOUT_S)
        except TimeoutError:
            # also what waits inside: it would wait for ever
            for pid in (*descendants(process.pid, generations=2), process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise SessionFailed("The trial did not end.", remedy="Does a file server hang?") from None
        except SessionFailed as error:
            error.add_note(f"bubblewrap said: {last_lines(output)}")
            raise
        finally:
            left.close()
            right.close()
            for one in pinned:
                one.close()
        output.seek(0)
        return _told(output.read().decode(errors="replace"))


async def try_container(
    plan: Plan, engine: Engine, *, below: Path, read_only: tuple[Path, ...], hub_label: str
) -> dict[str, Any]:
    """Run the probe in a container of this plan, on whichever machine the engine is; give what it told.

    Args:
        below: where the hub may have folders mounted from: its runtime directory.

    Raises:
        SessionFailed, docker.errors.APIError: the container could not be made, or the probe told nothing.
    """
    name = f"daas-{secrets.token_hex(10)}"
    is_far = engine.address.is_elsewhere
    with _folder(plan, below) as folder:
        places = Elsewhere(name, read_only) if is_far else Places(folder, folder / "api", read_only)
        labels = {HUB_LABEL: hub_label, SESSION_LABEL: name}
        # its home is in memory: nobody's own gets folders for a trial's mounts
        body = create_body(_without_home(plan), places, program=PROBE, labels=labels)
        owner = f"uid={plan.account.uid},gid={plan.account.gid}"
        body["HostConfig"]["Tmpfs"][plan.home] = f"rw,nosuid,nodev,mode=0700,{owner},size=1m"
        try:
            if is_far:
                await bring_files(engine, name, plan.application.image or "", folder, FAR_PARTS)
            created = await engine.call("create_container_from_config", body, name)
            await engine.call("start", created["Id"])
            # the client library gives up by itself, and that is told as an engine that is away
            await engine.call("wait", created["Id"], timeout=TIMEOUT_S)
            said = await engine.call("logs", created["Id"])
        finally:
            try:
                await engine.remove(name)
            finally:
                if is_far:
                    await forget_files(engine, name)
        return _told(said.decode(errors="replace"))


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
    for mount in _without_home(plan).mounts:
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


@contextmanager
def _folder(plan: Plan, below: Path | None = None) -> Iterator[Path]:
    """Make what a session has of its own: generated files, folders for its doors. It is taken away afterwards."""
    if below is not None:
        below.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="trial-", dir=below))
    try:
        folder.chmod(0o755)
        write_identity_files(folder / "identity", identity_texts(plan.account))
        for name in ("api", "door", "door/icons", "empty", "home"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        for mount in plan.mounts:
            if mount.target.startswith("data/"):
                (folder / "empty" / mount.target.removeprefix("data/")).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _without_home(plan: Plan) -> Plan:
    return replace(plan, mounts=tuple(mount for mount in plan.mounts if mount.target != "."))


def _with_a_home(plan: Plan, folder: Path) -> Plan:
    """Return the plan with a home that is taken away afterwards: nobody's own gets folders for a trial's mounts."""
    home = folder / "home"
    for mount in plan.mounts:
        if mount.target != ".":
            (home / mount.target.split("/")[0]).mkdir(exist_ok=True)
    if os.geteuid() == 0:
        for path in (home, *home.iterdir()):
            os.chown(path, plan.account.uid, plan.account.gid)
    own = Mount(folder, home, ".", writable=True)  # type: ignore[arg-type]  # a Path is a PurePosixPath here
    return replace(plan, mounts=(own, *_without_home(plan).mounts))


def _told(said: str) -> dict[str, Any]:
    for line in said.splitlines():
        if line.startswith(f"{PROBE} "):
            told: dict[str, Any] = json.loads(line.removeprefix(f"{PROBE} "))
            return told
    raise SessionFailed(
        f"The program in the session told nothing: {said.strip()[-300:]!r}",
        remedy=f"Is {PROBE} in the session's environment? An image must be of this version (make images).",
    )
