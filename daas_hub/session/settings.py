"""The settings of a session, read once from the environment that its spawner set."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from daas_hub.launch_login import VARIABLE as LOGIN_VARIABLE
from daas_hub.launch_login import ExpectedLogin
from daas_hub.lifetime import UNLIMITED, Limits
from daas_hub.origins import normalized_origin


@dataclass(frozen=True)
class DesktopApplication:
    """A program with a window."""

    name: str
    title: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict, hash=False)
    maximised: bool = True
    icon: str = ""


@dataclass(frozen=True)
class EgressRoute:
    """One allowed address: the loopback address and port inside, and the socket file that connects them."""

    address: str
    port: int
    socket: str


@dataclass(frozen=True)
class Settings:
    """All settings of `daas-session` and `daas-lab`.

    Attributes:
        callback_url: the OAuth callback that the hub registered for this session; "" for the one below `prefix`.
        prefix: path of this session in the hub's address space, with a slash at both ends.
        api_url: the hub's REST API, http:// or http+unix://.
        access_scopes: a user with one of these scopes may use this session.
        applications: desktop applications of the menu; `application` is the name of the one to start.
        egress: the addresses that this session may connect to.
        asset_keys: the files of this server's page that the portal serves, too, with the key of their contents there.
        temporary_home: whether the home is deleted with the session.
        limits: how long the session may last.
        launch_login: the login of the browser that launched it; None if it signs in at the hub.
        disk_limits: the most that some of its directories may hold, in bytes, where file systems do not show it.
        public_url: this session's address in a browser, if the hub knows its own.
    """

    prefix: str
    hub_prefix: str
    hub_host: str
    callback_url: str
    api_url: str
    user: str
    api_token: str
    client_id: str
    access_scopes: frozenset[str]
    server_name: str
    public_https: bool
    hub_version: str
    title: str
    application: str
    applications: tuple[DesktopApplication, ...]
    start_page: str
    listen_fd: int | None
    egress: tuple[EgressRoute, ...] = ()
    asset_keys: Mapping[str, str] = field(default_factory=dict)
    temporary_home: bool = False
    belongs_to: str = ""
    limits: Limits = UNLIMITED
    launch_login: ExpectedLogin | None = None
    public_url: str = ""
    disk_limits: Mapping[str, int] = field(default_factory=dict)

    @property
    def shares_hub_host(self) -> bool:
        """Return whether browsers reach this session and the hub at the same host."""
        return not self.hub_host or normalized_origin(self.hub_host) == normalized_origin(self.public_url)

    @property
    def own_application(self) -> DesktopApplication | None:
        """The application this session is for; None in a notebook session."""
        return self.named(self.application)

    def named(self, name: str) -> DesktopApplication | None:
        """Return the desktop application of this name."""
        return next((one for one in self.applications if one.name == name), None)


def read_settings(env: Mapping[str, str] = os.environ) -> Settings:
    """Read the settings.

    Raises:
        KeyError, ValueError: this process was not started by one of our spawners.
    """
    document = json.loads(env["DAAS_SESSION"])
    base = env.get("JUPYTERHUB_BASE_URL", "/")
    return Settings(
        prefix=env.get("JUPYTERHUB_SERVICE_PREFIX", "/"),
        hub_prefix=f"{base}hub/",
        hub_host=env.get("JUPYTERHUB_HOST", ""),
        callback_url=env.get("JUPYTERHUB_OAUTH_CALLBACK_URL", ""),
        api_url=env.get("JUPYTERHUB_API_URL", ""),
        user=env.get("JUPYTERHUB_USER", ""),
        api_token=env.get("JUPYTERHUB_API_TOKEN", ""),
        client_id=env.get("JUPYTERHUB_CLIENT_ID", ""),
        access_scopes=frozenset(json.loads(env.get("JUPYTERHUB_OAUTH_ACCESS_SCOPES", "[]"))),
        server_name=env.get("JUPYTERHUB_SERVER_NAME", ""),
        public_https=env.get("JUPYTERHUB_PUBLIC_URL", "").startswith("https:"),
        hub_version=env.get("DAAS_HUB_VERSION", ""),
        title=document["title"],
        application=document["application"],
        applications=tuple(_application(one) for one in document["applications"]),
        start_page=document.get("start_page", "/lab"),
        listen_fd=int(env["DAAS_LISTEN_FD"]) if "DAAS_LISTEN_FD" in env else None,
        egress=tuple(
            EgressRoute(str(one["address"]), int(one["port"]), str(one["socket"])) for one in document.get("egress", [])
        ),
        temporary_home=document.get("temporary_home", False) is True,
        # an older hub sends only the title
        belongs_to=document.get("belongs_to") or document["title"],
        limits=Limits.from_document(document.get("lifetime")),
        asset_keys=dict(document.get("assets", {})),
        launch_login=ExpectedLogin.read(env.get(LOGIN_VARIABLE, "")),
        public_url=env.get("JUPYTERHUB_PUBLIC_URL", ""),
        disk_limits={str(name): int(size) for name, size in document.get("disk_limits", {}).items()},
    )


def _application(document: dict[str, Any]) -> DesktopApplication:
    return DesktopApplication(
        name=document["name"],
        title=document["title"],
        command=tuple(document["command"]),
        environment=dict(document.get("environment", {})),
        maximised=bool(document.get("maximised", True)),
        icon=str(document.get("icon", "")),
    )
