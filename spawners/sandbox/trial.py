"""A trial of a launch in a sandbox (see `daas_hub.spawners.trial`)."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import tempfile
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from daas_hub.errors import SessionFailed
from daas_hub.launch import Mount, Plan
from daas_hub.spawners.sandbox.argv import sandbox_argv
from daas_hub.spawners.sandbox.launch import SandboxLaunch, build_sandbox
from daas_hub.spawners.sandbox.processes import descendants
from daas_hub.spawners.session_output import last_output_of
from daas_hub.spawners.trial import PROBE, TIMEOUT_S, probe_report, trial_dir, without_home
from daas_hub.storage import pin


async def _without_limits(*_pids: int) -> None:
    """Do nothing: a trial ends in a moment."""


async def try_sandbox(plan: Plan, *, prefix: Path, read_only: list[Path], bwrap: str) -> dict[str, Any]:
    """Run the probe in a sandbox of this plan; return its report.

    Raises:
        SessionFailed, StorageProblem: the sandbox could not be built, or the probe printed no report.
    """
    with trial_dir(plan) as folder, tempfile.TemporaryFile() as output:
        plan = _with_a_home(plan, folder)
        pinned = await pin(plan.mounts, plan.account)
        left, right = socket.socketpair()
        launch = SandboxLaunch(
            plan,
            pinned,
            argv=partial(
                sandbox_argv,
                plan,
                program=PROBE,
                identity_files=folder / "identity",
                api_dir=folder / "api",
                sockets_dir=folder / "sockets",
                prefix=prefix,
                read_only=read_only,
                bwrap=bwrap,
            ),
            environment={"PATH": f"{prefix}/bin:/usr/bin:/bin", "HOME": plan.home},
            listen_fd=left.fileno(),
            output=output,
            apply_limits=_without_limits,
            on_started=lambda _: None,
        )
        try:
            process = await build_sandbox(launch)
            await asyncio.wait_for(process.wait(), TIMEOUT_S)
        except TimeoutError:
            # also its first process inside, which may be blocked
            for pid in (*descendants(process.pid, generations=2), process.pid):
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            raise SessionFailed(
                f"The trial did not finish within {TIMEOUT_S:.0f} seconds.", remedy="Does a file server hang?"
            ) from None
        except SessionFailed as error:
            error.add_note(f"output of bubblewrap: {last_output_of(output)}")
            raise
        finally:
            left.close()
            right.close()
            for one in pinned:
                one.close()
        output.seek(0)
        return probe_report(output.read().decode(errors="replace"))


def _with_a_home(plan: Plan, folder: Path) -> Plan:
    """Return the plan with a temporary home: a trial's mounts must not create folders in a person's own."""
    home = folder / "home"
    for mount in plan.mounts:
        if mount.target != ".":
            (home / mount.target.split("/")[0]).mkdir(exist_ok=True)
    if os.geteuid() == 0:
        for path in (home, *home.iterdir()):
            os.chown(path, plan.account.uid, plan.account.gid)
    own = Mount(folder, home, ".", writable=True)  # type: ignore[arg-type]  # a Path is a PurePosixPath here
    return replace(plan, mounts=(own, *without_home(plan).mounts))
