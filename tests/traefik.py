"""A portal's own Traefik instead of the node proxy, by `jupyterhub-traefik-proxy` and its file provider."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from tests.not_tried import missing

#: The lines of the configuration; Traefik asks nobody outside for a newer version.
CONFIG = """
import os
from pathlib import Path
c.JupyterHub.proxy_class = "traefik_file"
_state = Path(os.environ["DAAS_DEMO_STATE"])
c.TraefikFileProviderProxy.static_config_file = str(_state / "traefik.toml")
c.TraefikFileProviderProxy.dynamic_config_file = str(_state / "traefik-rules.toml")
c.TraefikFileProviderProxy.traefik_api_url = f"http://127.0.0.1:{{int(os.environ['DAAS_DEMO_PORT']) + 3}}"
c.TraefikFileProviderProxy.traefik_env = {{"PATH": {programs!r} + ":" + os.environ["PATH"]}}
c.TraefikFileProviderProxy.extra_static_config = {{
    "global": {{"checkNewVersion": False, "sendAnonymousUsage": False}}
}}
"""


def traefik_config() -> str:
    """Return the lines of a configuration with Traefik; skip where it is not installed."""
    programs = Path(sys.prefix) / "bin"
    if importlib.util.find_spec("jupyterhub_traefik_proxy") is None or not (programs / "traefik").exists():
        missing("traefik", "jupyterhub-traefik-proxy and Traefik are not installed (make test-servers)")
    return CONFIG.format(programs=str(programs))
