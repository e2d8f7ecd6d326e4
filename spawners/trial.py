"""A trial: a session built as for a launch, with a probe inside that looks around and exits. What backends share.

`daas-hub doctor` runs it. The argv of the sandbox and the body of the create call are those of every session, so that
the probe sees what sessions see; only the program differs, and nobody is let in.
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
from daas_hub.spawners.guest_layout import identity_texts
from daas_hub.spawners.runtime_dir import write_identity_files

#: The program inside.
PROBE = "daas-probe"
#: Seconds it may take; it needs less than one where file servers answer.
TIMEOUT_S = 30.0


@contextmanager
def trial_dir(plan: Plan, below: Path | None = None) -> Iterator[Path]:
    """Make what a session has of its own: generated files, folders for its doors. It is taken away afterwards."""
    if below is not None:
        below.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="trial-", dir=below))
    try:
        folder.chmod(0o755)
        write_identity_files(folder / "identity", identity_texts(plan.account))
        for name in ("api", "sockets", "sockets/icons", "empty", "home"):
            (folder / name).mkdir()
            (folder / name).chmod(0o755)
        for mount in plan.mounts:
            if mount.target.startswith("data/"):
                (folder / "empty" / mount.target.removeprefix("data/")).mkdir()
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def without_home(plan: Plan) -> Plan:
    """Return the plan without its home: a trial leaves nothing in anybody's own."""
    return replace(plan, mounts=tuple(mount for mount in plan.mounts if mount.target != "."))


def probe_report(output: str) -> dict[str, Any]:
    """Return what the probe found, from what the session printed.

    Raises:
        SessionFailed: it printed no report.
    """
    for line in output.splitlines():
        if line.startswith(f"{PROBE} "):
            told: dict[str, Any] = json.loads(line.removeprefix(f"{PROBE} "))
            return told
    raise SessionFailed(
        f"The program in the session told nothing: {output.strip()[-300:]!r}",
        remedy=f"Is {PROBE} in the session's environment? An image must be of this version (make images).",
    )
