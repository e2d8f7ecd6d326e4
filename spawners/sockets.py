"""Sessions that are reached over socket files of the hub's own machine, whatever isolates them.

Neither a sandbox nor a container of ours has a network. Each session has one folder on the hub's machine: with the
socket that the proxy connects to, the generated files, and the folder of sockets that is mounted inside.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from urllib.parse import quote

from jupyterhub.app import JupyterHub
from jupyterhub.proxy import ConfigurableHTTPProxy
from traitlets import TraitError
from traitlets.config import Config

from daas_hub.errors import ConfigurationError, DaasError
from daas_hub.launch import Plan
from daas_hub.spawners.concurrent_starts import ConcurrentStartsMixin
from daas_hub.spawners.earlier_sessions import ShareOfSocket, earlier_sockets_dir
from daas_hub.spawners.egress import Egress, EgressRoute, egress_routes
from daas_hub.spawners.guest_layout import API_DIR
from daas_hub.spawners.hub_api_socket import SOCKET, HubAPISocket, session_routes


def host_of_socket(path: Path) -> str:
    """Return a socket's path as the host of a URL, with capital letters escaped: a host is read in lower case."""
    return "".join(f"%{ord(one):X}" if one.isascii() and one.isupper() else quote(one, safe="") for one in str(path))


def proxy_problems(config: Config) -> list[DaasError]:
    """Return the problem of another proxy than configurable-http-proxy: it would show an error for every session."""
    wanted = config.JupyterHub.get("proxy_class")
    if wanted is None:
        return []
    try:
        found = JupyterHub.class_traits()["proxy_class"].validate(None, wanted)
    except (ImportError, TraitError):
        # the hub says it
        return []
    if issubclass(found, ConfigurableHTTPProxy):
        return []
    return [
        ConfigurationError(
            "JupyterHub.proxy_class",
            wanted,
            "does not connect to socket files, which are the addresses of sandboxes and containers",
            remedy='Use "daas", or run sessions on Kubernetes.',
        )
    ]


class SocketSessionMixin(ConcurrentStartsMixin):
    """A session with socket files, in its own folder below `runtime_dir`."""

    _egress: Egress | None = None
    _hub_api: HubAPISocket | ShareOfSocket | None = None

    @classmethod
    def startup_problems(cls, config: Config) -> list[DaasError]:
        """Add a proxy that does not connect to socket files (see `ProposalSessionMixin.startup_problems`)."""
        return [*super().startup_problems(config), *proxy_problems(config)]

    # -- its files ---------------------------------------------------------------------------------------------------

    @property
    def session_dir(self) -> Path:
        """The session's folder on the hub's machine; the session sees only `sockets_dir` and its identity files."""
        return Path(self.runtime_dir) / "sessions" / self.key

    @property
    def sockets_dir(self) -> Path:
        """The folder of sockets that is mounted into the session."""
        return earlier_sockets_dir(self.session_dir) or self.session_dir / "sockets"

    @property
    def address(self) -> str:
        """The URL at which the proxy and the hub connect to the session."""
        return "http+unix://" + host_of_socket(self.session_dir / "http.sock")

    @property
    def api_dir(self) -> Path:
        """The folder with the session's socket of the hub's API, mounted into the session."""
        return self.session_dir / "api"

    def open_sockets(self, plan: Plan) -> None:
        """Open the hub's API for this session, and its egress: the addresses that its application may connect to."""
        self.close_sockets()
        owner = self.socket_owner(plan)
        self._open_hub_api(owner)
        self._egress = Egress.opened(self.sockets_dir, plan.application.egress, owner=owner)

    def close_sockets(self) -> None:
        """Close what `open_sockets` opened."""
        if self._hub_api is not None:
            self._hub_api.close()
            self._hub_api = None
        if self._egress is not None:
            self._egress.close()
            self._egress = None

    def socket_owner(self, plan: Plan) -> int | None:
        """Return the only uid that may connect to this session's sockets; None where their folder is protected."""
        return None

    def _open_hub_api(self, owner: int | None = None) -> None:
        application = getattr(JupyterHub.instance(), "tornado_application", None)
        if application is not None:
            routes = session_routes(self.hub.base_url, self.user.escaped_name, self.hub_api_routes)
            self._hub_api = HubAPISocket(self.api_dir, application, routes, f"session {self._log_name}", owner=owner)

    def _open_shared_hub_api(self) -> None:
        application = getattr(JupyterHub.instance(), "tornado_application", None)
        if application is not None:
            routes = session_routes(self.hub.base_url, "*", self.hub_api_routes)
            self._hub_api = ShareOfSocket(Path(self.runtime_dir), application, routes)

    def keep_sockets_open(self) -> None:
        """Reopen this session's sockets of API and egress after a restart of the hub; called by `poll`.

        It does not raise: a full disk must not look like the end of a session.
        """
        try:
            if self._hub_api is None and self.api_dir.is_dir():
                self._open_hub_api()
            elif self._hub_api is None and earlier_sockets_dir(self.session_dir) is not None:
                self._open_shared_hub_api()
            if self._egress is None and self.sockets_dir.is_dir():
                self._egress = Egress.reopened(self.sockets_dir)
        except (OSError, DaasError) as problem:
            self.log.error("%s: sockets of the session cannot be opened: %s", self._log_name, problem)

    @property
    def hub_api_url(self) -> str:
        """The hub's REST API behind the socket file."""
        return "http+unix://" + quote(f"{API_DIR}/{SOCKET}", safe="") + f"{self.hub.base_url}api"

    def egress_of(self, plan: Plan) -> Sequence[EgressRoute]:
        """Return a loopback port for each address that the application may connect to."""
        return egress_routes(plan.application.egress)
