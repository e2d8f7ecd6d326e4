"""A trial in a container (see `daas_hub.spawners.trial`)."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import Any

from daas_hub.launch import Plan
from daas_hub.spawners.docker.container_spec import HUB_LABEL, SESSION_LABEL, LocalFiles, RemoteFiles, create_body
from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.docker.remote.tunnel import REMOTE_PARTS, bring_files, forget_files
from daas_hub.spawners.trial import PROBE, TIMEOUT_S, probe_report, trial_dir, without_home


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
    is_far = engine.address.is_remote
    with trial_dir(plan, below) as folder:
        places = RemoteFiles(name, read_only) if is_far else LocalFiles(folder, folder / "api", read_only)
        labels = {HUB_LABEL: hub_label, SESSION_LABEL: name}
        # its home is in memory: nobody's own gets folders for a trial's mounts
        body = create_body(without_home(plan), places, program=PROBE, labels=labels)
        owner = f"uid={plan.account.uid},gid={plan.account.gid}"
        body["HostConfig"]["Tmpfs"][plan.home] = f"rw,nosuid,nodev,mode=0700,{owner},size=1m"
        try:
            if is_far:
                await bring_files(engine, name, plan.application.image or "", folder, REMOTE_PARTS)
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
        return probe_report(said.decode(errors="replace"))
