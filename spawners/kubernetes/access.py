"""How the API server of one place is reached: a configuration of its own, and tokens that somebody else renews."""

from __future__ import annotations

import contextlib
import time
from dataclasses import dataclass
from pathlib import Path

from kubernetes_asyncio.client import Configuration
from kubernetes_asyncio.config import ConfigException, load_incluster_config, load_kube_config

from daas_hub.errors import ConfigurationError

#: Seconds until a token file is read again: tokens of service accounts are renewed in place.
TOKEN_AGE_S = 60.0


@dataclass(frozen=True)
class APIAccess:
    """How a place's API server is reached.

    Attributes:
        kubeconfig: a file of kubectl's; "" for `host`, or else for what every pod of the cluster has.
        context: the context of that file; "" for its current one.
        host: "https://host:port".
        ca: file with the certificates of its authority; "" for the system's.
        token_file: file with the token of a service account.
        timeout_s, retry_s: of one request, and of one with its repetitions.
    """

    kubeconfig: str = ""
    context: str = ""
    host: str = ""
    ca: str = ""
    token_file: str = ""
    timeout_s: float = 10.0
    retry_s: float = 60.0

    @property
    def is_in_cluster(self) -> bool:
        """Whether it is that of the hub's own pod."""
        return not self.kubeconfig and not self.host

    async def configuration(self) -> Configuration:
        """Return the library's configuration for this place alone.

        Raises:
            ConfigurationError: a file is missing or not usable.
        """
        configuration = Configuration()
        try:
            if self.kubeconfig:
                await load_kube_config(
                    self.kubeconfig, self.context or None, client_configuration=configuration, persist_config=False
                )
            elif self.host:
                configuration.host = self.host
                configuration.ssl_ca_cert = self.ca or None
                if self.token_file:
                    token = TokenFile(Path(self.token_file))
                    # the library asks for a token only where there is one
                    token.read(configuration)
                    configuration.refresh_api_key_hook = token.refresh
            else:
                load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]
        except (ConfigException, OSError, ValueError, KeyError, TypeError) as problem:
            raise ConfigurationError(
                "ProposalKubeSpawner.kubeconfig",
                self.kubeconfig or self.host or "(in the cluster)",
                f"cannot be used: {type(problem).__name__}",
                remedy="Set `kubeconfig`, or `k8s_api_host` with `token_file`; in a pod, give it a service account.",
            ) from problem
        return configuration


class TokenFile:
    """A token that somebody else renews."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read_at = -TOKEN_AGE_S

    def refresh(self, configuration: Configuration) -> None:
        """Put the token into a configuration; the library calls this before each request."""
        if time.monotonic() - self._read_at < TOKEN_AGE_S:
            return
        with contextlib.suppress(OSError):  # the old one may do
            self.read(configuration)

    def read(self, configuration: Configuration) -> None:
        """Read the file now.

        Raises:
            OSError: it cannot be read.
        """
        configuration.api_key["BearerToken"] = f"Bearer {self._path.read_text().strip()}"
        self._read_at = time.monotonic()
