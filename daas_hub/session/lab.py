"""`daas-lab`: JupyterHub's notebook server on an inherited socket, with the desktops in its launcher."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path
from typing import Any

import daas_hub.session.lean_imports  # noqa: F401  # before Jupyter

# isort: split
from jupyterhub.singleuser.extension import JupyterHubSingleUser
from jupyterlab.commands import get_app_dir
from jupyterlab.labapp import LabApp
from traitlets.config import Config

from daas_hub.log_redaction import redact_logs
from daas_hub.session.admitted import is_admitted
from daas_hub.session.egress import open_egress_ports
from daas_hub.session.hardening import protect_server
from daas_hub.session.lab_lifetime import LifetimeApp
from daas_hub.session.lab_login import OwnerIdentityProvider
from daas_hub.session.lazy_extensions import LazyExtensionsApp
from daas_hub.session.listener import inherited_listener
from daas_hub.session.memory_limit import memory_limit_bytes
from daas_hub.session.mount_handshake import shake_hands
from daas_hub.session.settings import Settings, read_settings

#: JupyterLab's settings as sessions have them, unless the administrator's `overrides.json` says otherwise.
OVERRIDES = Path(__file__).with_name("overrides.json")


class SocketServerApp(LifetimeApp, LazyExtensionsApp):
    """A notebook server that listens on an inherited socket, and offers the session's desktops."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        settings = read_settings()
        config = Config()
        config.ServerProxy.servers = desktop_servers(settings)
        # the title of the browser's tab; it is no setting
        LabApp.app_name = f"JupyterLab – {settings.belongs_to}"
        # no requests to other hosts for news and updates
        config.LabApp.news_url = None
        config.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
        config.LabApp.app_settings_dir = str(lab_settings(Path(get_app_dir(), "settings")))
        # jupyter-resource-usage, where it is installed: the session's limit, and not what the machine has
        config.ResourceUseDisplay.mem_limit = memory_limit_bytes()
        config.ResourceUseDisplay.show_host_usage = False
        config.ResourceUseDisplay.enable_prometheus_metrics = False
        self.update_config(config)

    def init_configurables(self) -> None:
        """Build the server's parts; the hub's extension has set its own identity provider before."""
        self.identity_provider_class = OwnerIdentityProvider
        super().init_configurables()

    def migrate_config(self) -> None:
        """Do nothing: it moves settings of IPython 3, and fails in a home that is full."""

    def _find_http_port(self) -> None:
        """Do nothing: the socket is inherited."""

    def _bind_http_server(self) -> None:
        self.http_server.add_socket(inherited_listener(int(os.environ["DAAS_LISTEN_FD"])))


def desktop_servers(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return the configuration of jupyter-server-proxy for the desktops: `daas-session` without its own login."""
    return {
        f"desktop-{one.name}": {
            "command": ["daas-session", "--embedded", "{unix_socket}", "--application", one.name],
            "unix_socket": True,
            "timeout": 30,
            "new_browser_tab": True,
            "launcher_entry": {
                "enabled": True,
                "title": one.title,
                # the launcher shows custom icons in this category and in "Console" only
                "category": "Notebook",
                "icon_path": one.icon,
            },
            "absolute_url": False,
        }
        for one in settings.applications
    }


def lab_settings(installed: Path) -> Path:
    """Return a directory of JupyterLab's settings with ours below those of the installation.

    JupyterLab reads `overrides.d/` first, then `overrides.json`, which is the administrator's.
    """
    folder = Path(tempfile.mkdtemp(prefix="daas-lab-"))
    ours = folder / "overrides.d"
    ours.mkdir()
    (ours / "00-daas-hub.json").symlink_to(OVERRIDES)
    for entry in installed.glob("*"):
        if entry.name != ours.name:
            (folder / entry.name).symlink_to(entry)
    for entry in installed.glob(f"{ours.name}/*"):
        (ours / entry.name).symlink_to(entry)
    return folder


def main() -> None:
    """Run the command `daas-lab`."""
    redact_logs()
    shake_hands()
    if not is_admitted():
        sys.exit(1)
    settings = read_settings()
    if reference := os.environ.get("DAAS_LAUNCH"):
        print(f"daas-lab: launch {reference}", flush=True)
    protect_server(settings.listen_fd)
    open_egress_ports(settings.egress)
    os.environ["JUPYTERHUB_DEFAULT_URL"] = settings.start_page
    os.environ["JUPYTERHUB_ROOT_DIR"] = os.environ["HOME"]
    # in memory: the server starts in a home that is full, so that its user can delete something
    os.environ.setdefault("JUPYTER_RUNTIME_DIR", str(Path(os.environ["XDG_RUNTIME_DIR"], "jupyter")))
    # the extension's own hook for its server class; a subclass would be another extension
    JupyterHubSingleUser.serverapp_class = SocketServerApp
    JupyterHubSingleUser.launch_instance(argv=[])
