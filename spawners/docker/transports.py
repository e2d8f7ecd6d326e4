"""Which way a session is brought onto its engine's machine, and reached there."""

from __future__ import annotations

from pathlib import Path

from daas_hub.spawners.docker.engine import Engine
from daas_hub.spawners.docker.local_session import LocalSession
from daas_hub.spawners.docker.session_transport import SessionTransport


def transport_of(engine: Engine, name: str, session_dir: Path, api_dir: Path) -> SessionTransport:
    """Return the transport of one session: the hub's own files, or a tunnel to another machine."""
    if not engine.address.is_remote:
        return LocalSession(session_dir, api_dir)
    # the extra daas-hub[remote]
    from daas_hub.spawners.docker.remote.session import RemoteSession

    return RemoteSession(engine, name, session_dir, api_dir)
