"""The connection of one place to its API server; opened again when its login, or its authority, was renewed."""

from __future__ import annotations

import time

from kubernetes_asyncio.client import ApiClient

from daas_hub.spawners.kubernetes.access import APIAccess
from daas_hub.spawners.kubernetes.answers import APIRefusal, ClusterUnreachable
from daas_hub.spawners.kubernetes.direct import is_direct, without_proxy

#: Seconds between two attempts with what the files have now.
RENEW_S = 5.0
_UNAUTHORIZED = 401


class Connection:
    """The library's client of one place alone, with a configuration of its own."""

    def __init__(self, access: APIAccess) -> None:
        self.access = access
        self._library: ApiClient | None = None
        self._made_at = 0.0

    async def library(self) -> ApiClient:
        """Return the library's client.

        Raises:
            ConfigurationError: a file is missing or not usable.
        """
        if self._library is None:
            self._made_at = time.monotonic()
            library = ApiClient(await self.access.configuration())
            if is_direct(library.configuration.host or "", in_cluster=self.access.is_in_cluster):
                without_proxy(library)
            self._library = library
        return self._library

    async def close(self) -> None:
        """Close its connections."""
        library, self._library = self._library, None
        if library is not None:
            await library.close()

    async def renew(self, problem: APIRefusal | ClusterUnreachable) -> bool:
        """Read the files again after a problem that they may solve; return whether to repeat the request.

        A login that was not accepted, and a server that was not trusted, have carried nothing out.
        """
        is_login = isinstance(problem, APIRefusal) and problem.status == _UNAUTHORIZED
        is_trust = isinstance(problem, ClusterUnreachable) and problem.is_about_trust
        if not (is_login or is_trust) or time.monotonic() - self._made_at < RENEW_S:
            return False
        await self.close()
        return True
