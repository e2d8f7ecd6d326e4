"""The address of a container engine, and whether a hub may use it."""

from __future__ import annotations

import os
import ssl
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from daas_hub.errors import ConfigurationError

TLS_PORT = 2376
CERTIFICATE_FILES = ("ca.pem", "cert.pem", "key.pem")


def default_engine() -> str:
    """Return the engine's address where none is configured."""
    return os.environ.get("DOCKER_HOST") or "unix:///var/run/docker.sock"


def default_certificates() -> str:
    """Return the directory of its certificates where none is configured; "" for none."""
    return os.environ.get("DOCKER_CERT_PATH", "")


@dataclass(frozen=True)
class Address:
    """Where an engine is, and the directory with ca.pem, cert.pem and key.pem for it ("" for none)."""

    url: str
    certificates: str = ""

    @property
    def is_remote(self) -> bool:
        """Return whether the engine is on another machine, which sees none of the hub's files."""
        return urlsplit(self.url).scheme != "unix"

    @property
    def is_ssh(self) -> bool:
        """Return whether the engine is reached over ssh."""
        return urlsplit(self.url).scheme == "ssh"

    @property
    def tls_url(self) -> str:
        """Return the address of an engine with TLS as HTTP has it."""
        url = urlsplit(self.url)
        host = f"[{url.hostname}]" if ":" in (url.hostname or "") else url.hostname
        return f"https://{host}:{url.port or TLS_PORT}"

    def tls_context(self) -> ssl.SSLContext:
        """Return a context that trusts the engine's own CA and no other, and shows the hub's certificate.

        Raises:
            OSError: a file cannot be read.
        """
        directory = Path(self.certificates)
        context = ssl.create_default_context(cafile=str(directory / "ca.pem"))
        context.load_cert_chain(directory / "cert.pem", directory / "key.pem")
        return context

    def require_safe(self) -> None:
        """Refuse an address at which anybody could start anything (AL31).

        Raises:
            ConfigurationError: plain TCP, missing certificates, or an unknown scheme.
        """
        setting = "ProposalDockerSpawner.engine"
        scheme = urlsplit(self.url).scheme
        if scheme in ("unix", "ssh"):
            return
        if scheme not in ("tcp", "https"):
            raise ConfigurationError(
                setting,
                self.url,
                "is not the address of an engine",
                remedy="Use unix:///run/docker.sock, tcp:// or ssh://.",
            )
        if not self.certificates:
            raise ConfigurationError(
                setting,
                self.url,
                "is an engine without authentication: whoever reaches the port is root on that machine",
                remedy="Give the engine TLS with client certificates and set ProposalDockerSpawner.certificates, "
                "or use ssh://.",
            )
        missing = [name for name in CERTIFICATE_FILES if not (Path(self.certificates) / name).is_file()]
        if missing:
            raise ConfigurationError(
                "ProposalDockerSpawner.certificates",
                self.certificates,
                f"lacks {', '.join(missing)}",
                remedy="Put the engine's CA, and a certificate and key for this hub, into that directory.",
            )
