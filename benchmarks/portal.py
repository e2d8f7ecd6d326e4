"""Our own hub as `make demo` runs it, on free ports and a state folder of its own, with a user who launches."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from playwright.sync_api import Locator, Page

from .browser import delete_server
from .service import Service, free_ports

ROOT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Checkout:
    """A checkout of this project, and the Python of the environment it is installed in."""

    root: Path = ROOT
    python: str = sys.executable


def add_before(parser: argparse.ArgumentParser) -> None:
    """Let the command line name an older checkout that is measured in the same run."""
    help_text = "also measure this older checkout, installed in the environment of that Python"
    parser.add_argument("--before", metavar="CHECKOUT:PYTHON", type=read_checkout, help=help_text)


def read_checkout(text: str) -> Checkout:
    """Return the checkout of ``CHECKOUT:PYTHON``; ValueError unless both are there."""
    root, _, python = text.partition(":")
    checkout = Checkout(Path(root).resolve(), python)
    if not (checkout.root / "jupyterhub_config.py").is_file() or not Path(python).is_file():
        raise ValueError(text)
    return checkout


class Portal(Service):
    """A running portal; leaving the context ends it and every session in it."""

    name = "ours"

    def __init__(
        self,
        state: Path,
        application: str,
        *,
        user: str = "anna",
        proposal: str | None = None,
        checkout: Checkout | None = None,
    ) -> None:
        """Keep everything below ``state``; launches start ``application`` on ``proposal`` (the first one listed)."""
        super().__init__(state)
        self.checkout = checkout or Checkout()
        self.application = application
        self.user = user
        self.proposal = proposal
        self.catalogue = state / "applications"
        self.port = free_ports(8)[0]
        self.url = f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> Portal:
        """Start and wait until the portal and its identity provider answer."""
        self.catalogue.mkdir(mode=0o755, parents=True, exist_ok=True)
        self.run(
            [self.checkout.python, "-m", "jupyterhub", "-f", str(self.checkout.root / "jupyterhub_config.py")],
            {
                "DAAS_DEMO_PORT": str(self.port),
                "DAAS_DEMO_HOST": "127.0.0.1",
                "DAAS_DEMO_STATE": str(self.state / "demo"),
                "DAAS_DEMO_APPLICATIONS": str(self.catalogue),
            },
            self.state,
        )
        self.wait_for(f"{self.url}/hub/login")
        self.wait_for(f"http://127.0.0.1:{self.port + 1}/.well-known/openid-configuration")
        return self

    def __exit__(self, *_: object) -> None:
        """End the hub and its sessions."""
        self.stop()

    def add_to_catalogue(self, text: str) -> None:
        """Offer one more application; before the start."""
        self.catalogue.mkdir(mode=0o755, parents=True, exist_ok=True)
        (self.catalogue / "more.yaml").write_text(text)

    def log_in(self, page: Page) -> None:
        """Log in at the demo's identity provider, by what its form would send."""
        page.goto(f"{self.url}/hub/oauth_login")
        answer = page.request.post(page.url, form={"sub": self.user})
        if not answer.ok or not answer.url.startswith(f"{self.url}/hub/"):
            raise RuntimeError(f"{self.user} is not logged in: {answer.status} at {answer.url}")

    def launch_button(self, page: Page) -> Locator:
        """The application's button on the proposal's page."""
        if self.proposal is None:
            page.goto(f"{self.url}/hub/home")
            first = page.locator("a[href*='/hub/proposals/']").first.get_attribute("href") or ""
            self.proposal = first.rstrip("/").rsplit("/", 1)[-1]
        page.goto(f"{self.url}/hub/proposals/{self.proposal}")
        form = page.locator(f"form:has(input[name=application][value='{self.application}'])").first
        return form.locator("button").first

    def screen_path(self, address: str) -> str:
        """Beside the session's page."""
        return urlsplit(address).path + "rfb"

    def stop_session(self, page: Page, address: str) -> None:
        """Stop the session through the hub's API."""
        delete_server(page, address, self.url)
