"""Hubs as a browser far away reaches them: nginx with our block and TLS in front, at one end of a link."""

from __future__ import annotations

import base64
import hashlib
import os
import re
import shutil
import ssl
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from playwright.sync_api import Browser, Page

from tests.stand_ins.directory import make_certificates

from .browser import chromium
from .link import NEAR, Link
from .peer import Peer
from .portal import ROOT, Checkout, Portal
from .service import Service, free_ports

BLOCK = ROOT / "deploy" / "nginx" / "daas-hub.conf"
NGINX_CONF = """\
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{}}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/daas-hub.conf;
}}
"""
#: What the demo's configuration lacks behind a web server with TLS.
CONFIG = """\
load_subconfig({config!r})
c.JupyterHub.public_url = "{url}/"
c.UmbrellaAuthenticator.oauth_callback_url = "{url}/hub/oauth_callback"
"""


class Certificate:
    """The certificate of every front, and who vouches for it."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(mode=0o700)
        make_certificates(folder, NEAR)
        self.folder = folder
        self.authority = folder / "ca.pem"

    @property
    def context(self) -> ssl.SSLContext:
        """What a client trusts."""
        return ssl.create_default_context(cafile=str(self.authority))

    @property
    def chromium_flag(self) -> str:
        """The flag by which Chromium takes it for valid; it caches nothing from a site whose certificate is not."""
        key = x509.load_pem_x509_certificate((self.folder / "server.pem").read_bytes()).public_key()
        digest = hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()
        return f"--ignore-certificate-errors-spki-list={base64.b64encode(digest).decode()}"


class Front(Service):
    """Nginx with the block of `deploy/nginx`, or another file's."""

    name = "nginx"

    def __init__(self, state: Path, certificate: Certificate, block: Path = BLOCK) -> None:
        super().__init__(state)
        self.port, self._plain_port = free_ports(2)
        self._certificate = certificate
        self._block = block

    @property
    def url(self) -> str:
        """The address in a browser."""
        return f"https://{NEAR}:{self.port}"

    def start(self, target: int) -> None:
        """Start it in front of a hub's port."""
        replaced = (
            (r"server_name .*;", "server_name _;"),
            (r".*listen \[::\].*\n", ""),
            (r"/etc/ssl/daas-hub/fullchain\.pem", str(self._certificate.folder / "server.pem")),
            (r"/etc/ssl/daas-hub/key\.pem", str(self._certificate.folder / "server.key")),
            (r"listen 443 ", f"listen {NEAR}:{self.port} "),
            (r"listen 80;", f"listen {NEAR}:{self._plain_port};"),
            (r"127\.0\.0\.1:8000", f"127.0.0.1:{target}"),
        )
        block = self._block.read_text()
        for pattern, by in replaced:
            block = re.sub(pattern, by, block)
        (self.state / "daas-hub.conf").write_text(block)
        (self.state / "nginx.conf").write_text(NGINX_CONF.format(folder=self.state))
        self.run([_nginx(), "-c", str(self.state / "nginx.conf")], {}, self.state)


class _BehindFront:
    """A hub behind a front, which is what browsers are sent to."""

    front: Front
    url: str
    port: int

    def wait_for(self, url: str, timeout_s: float = 120) -> None:
        """Wait for the hub itself."""
        super().wait_for(url.replace(self.url, f"http://127.0.0.1:{self.port}"), timeout_s)  # type: ignore[misc]

    def stop(self) -> None:
        """End both."""
        self.front.stop()
        super().stop()  # type: ignore[misc]


class FarPortal(_BehindFront, Portal):
    """Our portal behind its front."""

    def __init__(
        self, state: Path, application: str, front: Front, *, proposal: str | None, checkout: Checkout | None = None
    ) -> None:
        super().__init__(state, application, proposal=proposal, checkout=checkout)
        self.front = front
        self.url = front.url

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start the hub with the configuration of a portal behind TLS, and its front."""
        *first, config = command
        own = self.state / "jupyterhub_config.py"
        own.write_text(CONFIG.format(config=config, url=self.url))
        super().run([*first, str(own)], environment, folder)
        self.front.start(self.port)

    def log_in(self, page: Page) -> None:
        """Log in from this end of the link: the demo's identity provider listens on loopback only."""
        form = page.request.get(f"{self.url}/hub/oauth_login")
        answer = page.request.post(form.url, form={"sub": self.user})
        if not answer.ok or not answer.url.startswith(f"{self.url}/hub/"):
            raise RuntimeError(f"{self.user} is not logged in: {answer.status} at {answer.url}")


class FarPeer(_BehindFront, Peer):
    """The stock hub behind a front of the same kind."""

    def __init__(self, state: Path, application: str, front: Front) -> None:
        super().__init__(state, application)
        self.front = front
        self.url = front.url

    def run(self, command: Sequence[str], environment: Mapping[str, str], folder: Path) -> None:
        """Start the hub, and its front."""
        super().run(command, environment, folder)
        self.front.start(self.port)


@contextmanager
def far_chromium(link: Link, certificate: Certificate, state: Path) -> Iterator[Browser]:
    """Run Chromium at the far end of the link."""
    program = state / "chromium"
    program.write_text(f'#!/bin/sh\nexec {" ".join(link.command("/usr/bin/chromium"))} "$@"\n')
    program.chmod(0o755)
    # the driver makes requests of its own
    os.environ["NODE_EXTRA_CA_CERTS"] = str(certificate.authority)
    with chromium(program, certificate.chromium_flag) as browser:
        yield browser


def _nginx() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is None:
        raise RuntimeError("nginx is not installed")
    return found
