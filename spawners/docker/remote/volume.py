"""The generated files of a remote session: in a small volume, brought there through the engine."""

from __future__ import annotations

import asyncio
import io
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from daas_hub.spawners.docker.container_spec import HUB_LABEL, SESSION_LABEL
from daas_hub.spawners.docker.engine import Engine

#: Ending of the name of the container that carries files into a volume.
CARRIER = "-files"

#: What a remote session is given of its directory here.
REMOTE_PARTS = ("identity", "sockets/icons", "empty")


async def send_files(engine: Engine, volume: str, image: str, directory: Path, parts: Sequence[str]) -> None:
    """Put directories of this machine into a new volume of the engine.

    Args:
        image: any image the engine has: files reach a volume through a container, which is never started.
        parts: names of directories below `directory`.

    Raises:
        EngineUnreachable, aiodocker.DockerError: the engine does not answer, or refuses.
    """
    labels = {HUB_LABEL: engine.hub_label, SESSION_LABEL: volume}
    await remove_files(engine, volume)
    await engine.call(lambda docker: docker.volumes.create({"Name": volume, "Labels": labels}))
    mount = {"Type": "volume", "Source": volume, "Target": "/given", "VolumeOptions": {"NoCopy": True}}
    body: dict[str, Any] = {
        "Image": image,
        "Entrypoint": [""],
        "Cmd": ["true"],
        "Labels": labels,
        "HostConfig": {"NetworkMode": "none", "Mounts": [mount]},
    }
    carrier = f"{volume}{CARRIER}"
    await engine.remove(carrier)
    try:
        await engine.call(lambda docker: docker.containers.create(body, name=carrier))
        archive = await asyncio.to_thread(_archive, directory, parts)
        await engine.call(lambda docker: docker.containers.container(carrier).put_archive("/given", archive))
    finally:
        await engine.remove(carrier)


async def remove_files(engine: Engine, volume: str) -> None:
    """Remove such a volume; one that is already gone is no error."""
    await engine.remove_volume(volume)


def _archive(directory: Path, parts: Sequence[str]) -> bytes:
    """Return directories as one tar archive: owned by root, readable by everybody."""

    def normalised(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = "root"
        entry.mode = 0o755 if entry.isdir() else 0o644
        return entry

    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w") as archive:
        for part in parts:
            archive.add(directory / part, arcname=Path(part).name, filter=normalised)
    return packed.getvalue()
