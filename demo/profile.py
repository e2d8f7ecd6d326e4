"""`demo(c)`: everything the demo adds to `configure(c)`. It refuses to be reachable from anywhere but this machine."""

from __future__ import annotations

import os
import secrets
import sys
from pathlib import Path
from string import Template
from typing import Any

from daas_hub.demo.ports import FIRST, LOOPBACK, first_port, host_name
from daas_hub.operators import TOKEN, allow_commands

FOLDER = Path(__file__).parent

#: The subjects of the demo's people, as the provider's page shows them.
PEOPLE = {
    "anna": ("Anna Lindqvist", "Scientist with two proposals"),
    "ben": ("Ben Okafor", "Colleague who shares one of them"),
    "carla": ("Carla Moretti", "Scientist of the beamline ID21"),
    "dmitri": ("Dmitri Novak", "Has a valid login, but no account at this facility"),
}


def demo(c: Any, *, port: int = FIRST, state: str = "") -> None:
    """Configure the demo.

    Args:
        port: the portal's port on 127.0.0.1; the next one is the identity provider's, the next two are internal.
            The portal's name is `daas.localhost`, and each session has a name below it: browsers find every name that
            ends with `localhost` on this machine. DAAS_DEMO_HOST=127.0.0.1 puts everything under this address.
        state: absolute directory for accounts' homes and processed data; it must be reachable by every account.
    """
    port = first_port(port)
    folder = Path(os.environ.get("DAAS_DEMO_STATE", state) or _default_state())
    folder.mkdir(mode=0o755, parents=True, exist_ok=True)
    issuer = f"http://{LOOPBACK}:{port + 1}"
    _the_hub(c, port, folder)
    _the_login(c, port, issuer, folder)
    _the_facility(c, folder, issuer)
    if not os.environ.get(TOKEN):
        allow_commands(c, str(_file_of_secret(folder / "hub" / "operator_token")))
    c.JupyterHub.services = [
        *c.JupyterHub.services,
        {
            "name": "identity-provider",
            "command": [sys.executable, "-m", "daas_hub.demo.identity_provider", str(port + 1)],
            "environment": {"PYTHONUNBUFFERED": "1"},
        },
    ]


def _the_hub(c: Any, port: int, folder: Path) -> None:
    c.JupyterHub.bind_url = f"http://{LOOPBACK}:{port}"
    if host_name() != LOOPBACK:
        c.JupyterHub.subdomain_host = f"http://{host_name()}:{port}"
    c.JupyterHub.hub_bind_url = f"http://{LOOPBACK}:{port + 2}"
    c.ConfigurableHTTPProxy.api_url = f"http://{LOOPBACK}:{port + 3}"
    secret = folder / "hub"
    secret.mkdir(mode=0o700, exist_ok=True)
    c.JupyterHub.db_url = f"sqlite:///{secret}/jupyterhub.sqlite"
    c.JupyterHub.cookie_secret_file = str(secret / "cookie_secret")
    c.ConfigurableHTTPProxy.pid_file = str(secret / "proxy.pid")
    # Ctrl-C ends the demo and everything it started
    c.JupyterHub.cleanup_servers = True
    c.JupyterHub.log_level = "INFO"


def _the_login(c: Any, port: int, issuer: str, folder: Path) -> None:
    c.UmbrellaAuthenticator.oidc_issuer = issuer
    c.UmbrellaAuthenticator.client_id = "daas-hub-demo"
    c.UmbrellaAuthenticator.client_secret = "not-a-secret-the-provider-is-a-demo"  # noqa: S105
    c.UmbrellaAuthenticator.oauth_callback_url = f"http://{host_name()}:{port}/hub/oauth_callback"
    c.UmbrellaAuthenticator.login_service = "the demo's UmbrellaID"
    c.UmbrellaAuthenticator.scope = ["openid", "profile"]
    if not os.environ.get("JUPYTERHUB_CRYPT_KEY"):
        c.CryptKeeper.keys = [_kept_secret(folder / "hub" / "crypt_key")]


def _the_facility(c: Any, folder: Path, issuer: str) -> None:
    accounts = folder / "hub" / "accounts.yaml"
    accounts.write_text(Template((FOLDER / "accounts.yaml").read_text()).substitute(issuer=issuer))
    # the hub checks its address when it starts, whatever else the file says after this
    c.Facility.demo = True
    c.Facility.name = "Demo Light Source"
    c.Facility.help_text = "This is a demo: four people without passwords, on this machine only."
    c.Facility.state = str(folder)
    c.Facility.accounts = "table"
    c.Facility.accounts_file = str(accounts)
    c.Facility.proposals = "static"
    c.Facility.proposals_file = str(FOLDER / "proposals.yaml")
    more = os.environ.get("DAAS_DEMO_APPLICATIONS")
    c.Facility.catalogue = [str(FOLDER / "applications"), *([more] if more else [])]
    # real data of Debian's pymca-data, where the package put it
    c.MountRules.data_roots = ["/usr/share"]
    if os.environ.get("DAAS_DEMO_STATE"):
        c.SandboxSpawner.runtime_dir = str(folder / "run")


def _default_state() -> str:
    if os.geteuid() == 0:
        return "/var/lib/daas-hub-demo"
    return str(Path(os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state") / "daas-hub-demo")


def _kept_secret(path: Path) -> str:
    return _file_of_secret(path).read_text().strip()


def _file_of_secret(path: Path) -> Path:
    """Return a file with a random secret, which is made once."""
    if not path.exists():
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(secrets.token_hex(32))
    return path
