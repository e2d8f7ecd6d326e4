"""A trial in a container (see `daas_hub.spawners.trial`)."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from daas_hub.launch import Plan
from daas_hub.spawners.docker.container_spec import (
    HUB_LABEL,
    SESSION_LABEL,
    LocalFiles,
    RemoteFiles,
    SessionFiles,
    create_body,
)
from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.docker.placed_mounts import TRIAL, PlacedMounts
from daas_hub.spawners.docker.remote.volume import REMOTE_PARTS, remove_files, send_files
from daas_hub.spawners.trial import PROBE, TIMEOUT_S, probe_report, trial_dir, without_home
from daas_hub.storage import AccountStorage


async def try_container(plan: Plan, engine: Engine, *, below: Path, read_only: tuple[Path, ...]) -> dict[str, Any]:
    """Run the probe in a container of this plan, on whichever machine the engine is; return its report.

    Args:
        below: where the hub may have directories mounted from: its runtime directory.

    Raises:
        SessionFailed, aiodocker.DockerError: the container could not be made, or the probe printed no report.
    """
    name = f"daas-{secrets.token_hex(10)}"
    is_remote = engine.address.is_remote
    with trial_dir(plan, below) as directory:
        files: SessionFiles = LocalFiles(directory, directory / "api", read_only)
        if is_remote:
            files = RemoteFiles(name, read_only)
        labels = {HUB_LABEL: engine.hub_label, SESSION_LABEL: name}
        # its home is in memory: a trial makes no directories in anybody's home
        plan = without_home(plan)
        async with _placed(
            plan, PlacedMounts(below.parent / "mounts" / f"{TRIAL}{name}", engine.address), directory
        ) as placed:
            body = create_body(plan, files, program=PROBE, labels=labels, placed=placed)
            owner = f"uid={plan.account.uid},gid={plan.account.gid}"
            body["HostConfig"]["Tmpfs"][plan.home] = f"rw,nosuid,nodev,mode=0700,{owner},size=1m"
            try:
                if is_remote:
                    await send_files(engine, name, plan.application.image or "", directory, REMOTE_PARTS)
                await engine.call(lambda docker: docker.containers.create(body, name=name))
                await engine.start(name)
                await engine.call(lambda docker: docker.containers.container(name).wait(), timeout_s=TIMEOUT_S)
                output = await engine.output(name, tail=1000)
            finally:
                try:
                    await engine.remove(name)
                finally:
                    if is_remote:
                        await remove_files(engine, name)
        return probe_report(output)


@asynccontextmanager
async def _placed(plan: Plan, mounts: PlacedMounts, directory: Path) -> AsyncIterator[Mapping[str, Path]]:
    """Mount for the engine what it cannot reach itself, until the trial is over."""
    async with AccountStorage(plan.account) as storage:
        pinned = await storage.pin([replace(one, create=False) for one in plan.mounts])
        try:
            yield await mounts.place(plan, pinned, storage, directory / "empty")
        finally:
            for one in pinned:
                one.close()
            await mounts.remove()
