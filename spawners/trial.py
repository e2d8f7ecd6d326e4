"""A trial of a launch: a session that runs a probe and exits. What backends share.

`daas-hub doctor` runs it. The sandbox's arguments and the body of the create call are those of every session, so that
the probe sees what sessions see; only the program differs, and nobody can connect.
"""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from daas_hub.errors import SessionFailed
from daas_hub.launch import Plan
from daas_hub.spawners.guest_layout import identity_texts, mount_points_below
from daas_hub.spawners.runtime_dir import write_identity_files

#: The program that runs inside.
PROBE = "daas-probe"
#: Timeout in seconds; it takes less than one where file servers respond.
TIMEOUT_S = 30.0


@contextmanager
def trial_dir(plan: Plan, below: Path | None = None) -> Iterator[Path]:
    """Create the files and folders of a session; they are removed afterwards."""
    if below is not None:
        below.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="trial-", dir=below))
    try:
        folder.chmod(0o755)
        write_identity_files(folder / "identity", identity_texts(plan.account), plan.timezone)
        for name in ("api", "sockets", "sockets/icons", "empty", "home"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        for name in mount_points_below(plan):
            (folder / "empty" / name).mkdir(parents=True, exist_ok=True)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def without_home(plan: Plan) -> Plan:
    """Return the plan without its home: a trial must leave nothing in a person's home."""
    return replace(plan, mounts=tuple(mount for mount in plan.mounts if mount.target != "."))


def probe_report(output: str) -> dict[str, Any]:
    """Return the probe's report from the session's output.

    Raises:
        SessionFailed: there is no report in it.
    """
    for line in output.splitlines():
        if line.startswith(f"{PROBE} "):
            report: dict[str, Any] = json.loads(line.removeprefix(f"{PROBE} "))
            return report
    raise SessionFailed(
        f"The program in the session printed no report: {output.strip()[-300:]!r}",
        remedy=f"Is {PROBE} in the session's environment? Images must be of this version (make images).",
    )
