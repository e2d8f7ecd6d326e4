"""What an engine has of this hub's sessions, whatever the hub knows of them, and how it is ended."""

from __future__ import annotations

from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.session_records import RunningSession


async def sessions_on(engine: Engine) -> list[RunningSession]:
    """Return the sessions with this hub's label, ended ones too.

    Raises:
        EngineUnreachable: they are unknown.
    """
    found: dict[str, list[tuple[str, str]]] = {}
    for kind, name, handle in await engine.all_names():
        found.setdefault(name.removesuffix("-files"), []).append((kind, handle))
    # a volume is in use until its containers are gone
    return [RunningSession(name, tuple(sorted(handles))) for name, handles in found.items()]


async def end_session(engine: Engine, one: RunningSession, grace_s: int) -> None:
    """Stop and remove a session's containers, then its volume.

    Raises:
        EngineUnreachable, aiodocker.DockerError: something of it may still be there.
    """
    for kind, handle in one.handles:
        if kind == "volume":
            await engine.remove_volume(handle)
            continue
        await engine.stop(handle, grace_s)
        await engine.remove(handle)
    engine.note_stop(one.name)
