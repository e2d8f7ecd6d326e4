"""How a session is brought onto the engine's machine and reached there: what local and remote sessions share."""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from daas_hub.spawners.docker.container_spec import SessionFiles
from daas_hub.spawners.mount_handshake import GrantedDirectory
from daas_hub.storage import AccountStorage


class SessionTransport(ABC):
    """One session's way to the engine's machine. Only `launch` must be filled in: a local session needs no more."""

    @abstractmethod
    async def launch(
        self,
        create: Callable[[SessionFiles], Awaitable[None]],
        start: Callable[[], Awaitable[None]],
        granted: Sequence[GrantedDirectory],
        environment: Mapping[str, str],
        *,
        read_only: tuple[Path, ...],
        ended: asyncio.Future[str],
        storage: AccountStorage,
    ) -> None:
        """Create and start the container, compare its mounts with those granted, hand over its environment.

        Args:
            ended: done when the session ended; then nobody waits any more.
            storage: the storage as the account sees it, for the comparison.

        Raises:
            StorageProblem: a directory is not what was granted; nothing of the session has run.
            SessionFailed: it did not come, or went away.
        """

    async def send_files(self, image: str) -> None:  # noqa: B027
        """Put the generated files where the engine finds them, by means of any image that it has.

        Raises:
            EngineUnreachable, aiodocker.DockerError: the engine does not answer, or refuses.
        """

    def keep_connected(self) -> None:  # noqa: B027
        """Keep the connection to a running session open, also after a restart of the hub."""

    def close(self) -> None:  # noqa: B027
        """End the connection, and all it carries."""

    async def remove_files(self) -> None:  # noqa: B027
        """Remove what `send_files` put there.

        Raises:
            EngineUnreachable, aiodocker.DockerError: the engine does not answer, or refuses.
        """
