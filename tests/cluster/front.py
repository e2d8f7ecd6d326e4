"""What a facility has around its portal: a web server with TLS, and an identity provider behind it."""

from __future__ import annotations

import contextlib
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.cluster import GATEWAY
from tests.deploy.site import BLOCK, NGINX, NGINX_CONF
from tests.live_portal import free_ports
from tests.not_tried import missing
from tests.stand_ins.directory import make_certificates
from tests.stand_ins.openid import CertifiedProvider, start_provider

HOST = "daas.facility.org"
_PROVIDER = """
server {{
    listen {address} ssl;
    ssl_certificate {tls}/server.pem;
    ssl_certificate_key {tls}/server.key;
    location / {{
        proxy_pass http://127.0.0.1:{port};
        proxy_set_header Host $http_host;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header X-Forwarded-For $remote_addr;
    }}
}}
"""


@dataclass
class Front:
    """The web server before portal and provider.

    Attributes:
        port: at which browsers reach it on this machine.
        issuer: the provider's address, also for pods.
        authority: the certificate that vouches for both.
    """

    folder: Path
    port: int
    issuer: str
    authority: Path
    provider: CertifiedProvider


@contextlib.contextmanager
def running_front(folder: Path, *, client_secret: str) -> Iterator[Front]:
    """Run the provider; the web server is started by `serving`."""
    first = free_ports(3)
    make_certificates(folder, GATEWAY, HOST)
    issuer = f"https://{GATEWAY}:{first + 1}"
    provider = start_provider(
        "generic", portal=f"https://{HOST}", port=first + 2, issuer=issuer, client_secret=client_secret
    )
    try:
        yield Front(folder, first, issuer, folder / "ca.pem", provider)
    finally:
        provider.stop()


@contextlib.contextmanager
def serving(front: Front, upstream: str) -> Iterator[None]:
    """Run Debian's nginx with the block of docs/how-to/run-behind-a-proxy-with-tls.md before an address."""
    if NGINX is None:
        missing("nginx", "nginx is not installed")
        raise AssertionError
    folder = front.folder / "nginx"
    folder.mkdir()
    block = re.sub(r"server \{\s+listen 80;.*?\n\}\n", "", BLOCK.read_text(), flags=re.DOTALL)
    block = re.sub(r".*\[::\].*\n", "", block)
    for old, new in (
        ("listen 443 ", f"listen 127.0.0.1:{front.port} "),
        ("/etc/ssl/daas-hub/fullchain.pem", f"{front.folder}/server.pem"),
        ("/etc/ssl/daas-hub/key.pem", f"{front.folder}/server.key"),
        ("127.0.0.1:8000;", f"{upstream};"),
    ):
        assert old in block, old
        block = block.replace(old, new)
    address = front.issuer.removeprefix("https://")
    provider = _PROVIDER.format(address=address, tls=front.folder, port=front.port + 2)
    (folder / "daas-hub.conf").write_text(block + provider)
    (folder / "nginx.conf").write_text(NGINX_CONF.format(folder=folder))
    running = subprocess.Popen([NGINX, "-c", str(folder / "nginx.conf")])
    try:
        _wait_for(front.port)
        yield
    finally:
        running.terminate()
        running.wait(30)
        shutil.rmtree(folder)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 30
    while True:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
            return
        assert time.monotonic() < until, "the web server did not start"
        time.sleep(0.1)
