"""A real SAML identity provider for tests: Debian's SimpleSAMLphp, with a configuration of its own.

It has three people, whose password is "secret": anna with Umbrella's EAAHash, ben without it, two with two values.
"""

from __future__ import annotations

import re
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from html import unescape
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import requests

from tests.not_tried import missing

CONFIG = Path(__file__).with_name("simplesamlphp")
PHP, PAGES = Path("/usr/bin/php"), Path("/usr/share/simplesamlphp/www")
#: What is installed, for a machine where it is not.
PACKAGES = ("simplesamlphp", "php-cli", "php-xml", "php-mbstring")
ISSUER = "https://umbrellaid.org/idp/shibboleth"
HASH = "b0744680-2aa3-4b12-8627-95d23e5e4af9"


def require_simplesamlphp(for_tests_of: str) -> None:
    """Skip where it is not installed."""
    if not PHP.exists() or not PAGES.exists():
        missing(for_tests_of, f"one of {', '.join(PACKAGES)} is not installed")


@dataclass(frozen=True)
class SimpleSAMLphp:
    """One in a folder, which is new, and on a port of 127.0.0.1."""

    folder: Path
    port: int

    @property
    def address(self) -> str:
        """Where its pages are: on another host than a portal at localhost, so that no cookie is for both."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def metadata(self) -> str:
        """The address of its metadata."""
        return f"{self.address}/saml2/idp/metadata.php"

    @property
    def argv(self) -> list[str]:
        """Return the command that runs it."""
        sessions = f"session.save_path={self.folder}/sessions"
        command = [str(PHP), "-d", sessions, "-S", self.address.removeprefix("http://"), "-t", str(PAGES)]
        return ["env", f"SIMPLESAMLPHP_CONFIG_DIR={self.folder}", *command]

    def write(self, services: Mapping[str, Mapping[str, str]]) -> None:
        """Write its configuration.

        Args:
            services: the service providers that it knows: endpoints by entity id.
        """
        for name in ("", "sessions", "cert", "log", "data", "tmp", "metadata"):
            (self.folder / name).mkdir(mode=0o700)
        make_key(self.folder / "cert" / "idp.pem", self.folder / "cert" / "idp.crt")
        values = {"@IDP@": self.address, "@FOLDER@": str(self.folder), "@HASH@": HASH, "@ISSUER@": ISSUER}
        for name in ("config.php", "authsources.php", "saml20-idp-hosted.php"):
            text = (CONFIG / name).read_text()
            for old, new in values.items():
                text = text.replace(old, new)
            (self.folder / ("metadata" if name.startswith("saml20") else "") / name).write_text(text)
        lines = ["<?php"]
        for entity, endpoints in services.items():
            pairs = ", ".join(f"'{name}' => '{address}'" for name, address in endpoints.items())
            lines.append(f"$metadata['{entity}'] = [{pairs}];")
        (self.folder / "metadata" / "saml20-sp-remote.php").write_text("\n".join(lines))


def sign_in(session: requests.Session, page: requests.Response, name: str, home: str) -> requests.Response:
    """Send the forms between here and the page of a site as a browser without scripts does; return that page.

    Args:
        home: the site's origin.
    """
    for _ in range(8):
        if urlsplit(page.url).netloc == urlsplit(home).netloc and "SAMLResponse" not in page.text:
            break
        address, fields = form_of(page)
        if "password" in fields:
            fields |= {"username": name, "password": "secret"}
        page = session.post(address, data=fields, timeout=30)
    return page


def form_of(page: requests.Response) -> tuple[str, dict[str, str]]:
    """Return where the form of a page leads, and its fields."""
    form = re.search(r"<form[^>]*>.*?</form>", page.text, re.DOTALL | re.IGNORECASE)
    assert form, f"{page.status_code} {page.url}\n{page.text[:3000]}"
    action = re.search(r'<form[^>]*action="([^"]*)"', form[0], re.IGNORECASE)
    fields = {}
    for field in re.findall(r"<input[^>]*>", form[0], re.IGNORECASE):
        named = dict(re.findall(r'(\w+)="([^"]*)"', field))
        if named.get("name"):
            fields[named["name"]] = unescape(named.get("value", ""))
    return urljoin(page.url, unescape(action[1]) if action else ""), fields


def make_key(key: Path, certificate: Path) -> None:
    """Write a key, and a certificate for it that vouches for itself."""
    files = ["-keyout", str(key), "-out", str(certificate)]
    request = ["openssl", "req", "-x509", "-days", "2", "-subj", "/CN=test", "-newkey", "rsa:2048", "-nodes"]
    subprocess.run([*request, *files], check=True, capture_output=True)
