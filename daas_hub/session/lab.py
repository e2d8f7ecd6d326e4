"""daas-lab: JupyterHub's notebook server on the socket that was handed over, with our desktops in its launcher."""

from __future__ import annotations

import os
from typing import Any

from jupyter_server.serverapp import ServerApp
from jupyterhub.singleuser.extension import JupyterHubSingleUser
from traitlets.config import Config

from daas_hub.session.egress import open_egress_ports
from daas_hub.session.listener import inherited_listener
from daas_hub.session.mount_handshake import shake_hands
from daas_hub.session.settings import Settings, read_settings


class SocketServerApp(ServerApp):
    """A notebook server that listens on an inherited socket, and offers the session's desktops."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        config = Config()
        config.ServerProxy.servers = desktop_servers(read_settings())
        # no question about news of another host, and no look for updates there
        config.LabApp.news_url = None
        config.LabApp.check_for_updates_class = "jupyterlab.handlers.announcements.NeverCheckForUpdate"
        self.update_config(config)

    def _find_http_port(self) -> None:
        """Nothing to find."""

    def _bind_http_server(self) -> None:
        self.http_server.add_socket(inherited_listener(int(os.environ["DAAS_LISTEN_FD"])))


def desktop_servers(settings: Settings) -> dict[str, dict[str, Any]]:
    """Return jupyter-server-proxy's configuration of the desktops: same server program, without its own login."""
    return {
        f"desktop-{one.name}": {
            "command": ["daas-session", "--embedded", "{unix_socket}", "--application", one.name],
            "unix_socket": True,
            "timeout": 30,
            "new_browser_tab": True,
            "launcher_entry": {
                "enabled": True,
                "title": one.title,
                # the launcher draws given icons in this category and in "Console" only: elsewhere a card stays blank
                "category": "Notebook",
                "icon_path": one.icon,
            },
            "absolute_url": False,
        }
        for one in settings.applications
    }


def main() -> None:
    """Run the command `daas-lab`."""
    shake_hands()
    settings = read_settings()
    open_egress_ports(settings.egress)
    os.environ["JUPYTERHUB_DEFAULT_URL"] = settings.start_page
    os.environ["JUPYTERHUB_ROOT_DIR"] = os.environ["HOME"]
    # the extension's own way to name its server; a subclass of it would be another extension
    JupyterHubSingleUser.serverapp_class = SocketServerApp
    JupyterHubSingleUser.launch_instance(argv=[])
