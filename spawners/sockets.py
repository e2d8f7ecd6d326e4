"""Sessions that are reached over socket files of the hub's own machine, whatever isolates them.

Neither a sandbox nor a container of ours has a network. Each session has one folder on the hub's machine: with the
socket that the proxy connects to, the generated files, and the folder of sockets that is mounted inside.
"""

from __future__ import annotations

import os
from abc import abstractmethod
from pathlib import Path
from urllib.parse import quote

import jupyterhub
from jupyterhub.app import JupyterHub
from traitlets import List, Unicode, default

from daas_hub.errors import DaasError
from daas_hub.facility import Facility
from daas_hub.launch import Plan
from daas_hub.spawners.base import ProposalSessionMixin
from daas_hub.spawners.egress import Egress, egress_routes
from daas_hub.spawners.guest_layout import API_DIR
from daas_hub.spawners.hub_api_socket import SOCKET, HubAPISocket, session_routes
from daas_hub.spawners.runtime_dir import own_directory, session_key


class SocketSessionMixin(ProposalSessionMixin):
    """A session with socket files, in its own folder below `runtime_dir`."""

    runtime_dir = Unicode(
        config=True,
        help="""
        Absolute path of the directory for the sockets and generated files of running sessions. Keep it short: a
        socket's path has at most 107 bytes. Example: "/run/daas". Default: /run/daas-hub for root, else a directory of
        the hub's user below $XDG_RUNTIME_DIR or /tmp.
        """,
    )

    hub_api_routes = List(
        Unicode(),
        config=True,
        help="""
        Further routes of the hub's REST API that programs in sessions may use, each as "METHOD /path" below
        /hub/api, where "*" is any one segment of the path: what `server_token_scopes`, or a user's own token, is for.
        Example: ["DELETE /users/*/servers/*"]. Default: none; sessions reach only what they need themselves (login,
        activity, version).
        """,
    )

    _egress: Egress | None = None
    _hub_api: HubAPISocket | None = None

    @default("runtime_dir")
    def _runtime_dir_default(self) -> str:
        if os.geteuid() == 0:
            return "/run/daas-hub"
        own = os.environ.get("XDG_RUNTIME_DIR") or f"/tmp/daas-{os.geteuid()}"  # noqa: S108  # short, for sockets
        return str(Path(own) / "daas-hub")

    @default("poll_interval")
    def _poll_interval_default(self) -> int:
        return 5

    @abstractmethod
    async def start_session(self, plan: Plan) -> str:
        """Start the session and return its URL."""

    @property
    def key(self) -> str:
        """Unique name of this session on this machine, of fixed length."""
        return session_key(self.user.name, self.name)

    @property
    def session_dir(self) -> Path:
        """The session's folder on the hub's machine; the session sees only `sockets_dir` and its identity files."""
        return Path(self.runtime_dir) / "sessions" / self.key

    @property
    def sockets_dir(self) -> Path:
        """The folder of sockets that is mounted into the session."""
        return self.session_dir / "sockets"

    @property
    def address(self) -> str:
        """The URL at which the proxy and the hub connect to the session."""
        return "http+unix://" + quote(str(self.session_dir / "http.sock"), safe="")

    @property
    def api_dir(self) -> Path:
        """The folder with the session's socket of the hub's API, mounted into the session."""
        return self.session_dir / "api"

    def require_runtime_dir(self) -> None:
        """Check that the directory of all sessions can be used.

        Raises:
            OSError, ConfigurationError: it cannot.
        """
        own_directory(Path(self.runtime_dir))

    def open_sockets(self, plan: Plan) -> None:
        """Open the hub's API for this session, and its egress: the addresses that its application may connect to."""
        self.close_sockets()
        self._open_hub_api()
        self._egress = Egress.opened(self.sockets_dir, plan.application.egress)

    def close_sockets(self) -> None:
        """Close what `open_sockets` opened."""
        if self._hub_api is not None:
            self._hub_api.close()
            self._hub_api = None
        if self._egress is not None:
            self._egress.close()
            self._egress = None

    def _open_hub_api(self) -> None:
        application = getattr(JupyterHub.instance(), "tornado_application", None)
        if application is not None:
            routes = session_routes(self.hub.base_url, self.user.escaped_name, self.hub_api_routes)
            self._hub_api = HubAPISocket(self.api_dir, application, routes, f"session {self._log_name}")

    def keep_sockets_open(self) -> None:
        """Reopen this session's sockets of API and egress after a restart of the hub; called by `poll`.

        It does not raise: a full disk must not look like the end of a session.
        """
        try:
            if self._hub_api is None and self.api_dir.is_dir():
                self._open_hub_api()
            if self._egress is None and self.sockets_dir.is_dir():
                self._egress = Egress.reopened(self.sockets_dir)
        except (OSError, DaasError) as problem:
            self.log.error("%s: sockets of the session cannot be opened: %s", self._log_name, problem)

    def get_env(self) -> dict[str, str]:
        """Return JupyterHub's environment of the session, with the API behind the socket file."""
        env: dict[str, str] = super().get_env()
        api = "http+unix://" + quote(f"{API_DIR}/{SOCKET}", safe="") + f"{self.hub.base_url}api"
        env["JUPYTERHUB_API_URL"] = api
        env["JUPYTERHUB_ACTIVITY_URL"] = f"{api}/users/{self.user.escaped_name}/activity"
        env["JUPYTERHUB_SERVICE_URL"] = f"http://127.0.0.1:8888{env['JUPYTERHUB_SERVICE_PREFIX']}"
        if "://" in self.session_url:
            env["JUPYTERHUB_PUBLIC_URL"] = self.session_url
            env["JUPYTERHUB_OAUTH_CALLBACK_URL"] = f"{self.session_url}oauth_callback"
        return {key: str(value) for key, value in env.items() if value is not None}

    def session_environment(self, plan: Plan) -> dict[str, str]:
        """Return the whole environment of a session's programs."""
        env = self.get_env()
        env |= {str(key): str(value) for key, value in Facility.of(self.config).environment.items()}
        env |= plan.environment
        return env | {
            "HOME": plan.home,
            "USER": plan.account.name,
            "LOGNAME": plan.account.name,
            "SHELL": "/bin/bash",
            "LANG": "C.UTF-8",
            "TMPDIR": "/tmp",  # noqa: S108  # the session's own
            "XDG_RUNTIME_DIR": "/run/session",
            "DAAS_SESSION": self.session_document(plan, egress_routes(plan.application.egress)),
            "DAAS_HUB_VERSION": jupyterhub.__version__,
        }
