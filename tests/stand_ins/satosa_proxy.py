"""A real SATOSA for tests (`make test-servers` installs it), as eduTEAMS and Umbrella run one.

To the portal it is an OpenID provider, which accepts `client_secret_basic` and nothing else; people sign in at a SAML
identity provider behind it, a real SimpleSAMLphp.
"""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import requests

from tests.live_portal import free_ports
from tests.not_tried import missing
from tests.stand_ins.directory import make_certificates
from tests.stand_ins.identity_provider import SimpleSAMLphp, make_key, require_simplesamlphp

CONFIG = Path(__file__).with_name("satosa")
GUNICORN = Path(sys.prefix) / "satosa" / "bin" / "gunicorn"
CLIENT_ID, CLIENT_SECRET = "daas-hub", "not-a-secret"


@dataclass(frozen=True)
class Satosa:
    """A running one."""

    issuer: str
    folder: Path

    @property
    def authority(self) -> str:
        """The certificate that vouches for it."""
        return str(self.folder / "ca.pem")


@contextmanager
def running_satosa(folder: Path, portal: str) -> Iterator[Satosa]:
    """Run it, and the identity provider behind it, for the portal at an address."""
    require_simplesamlphp("satosa")
    if not GUNICORN.exists():
        missing("satosa", "SATOSA is not installed: make test-servers")
    port = free_ports(2)
    satosa = Satosa(f"https://localhost:{port}", folder)
    idp = SimpleSAMLphp(folder / "idp", port + 1)
    consumer = f"{satosa.issuer}/Saml2/acs/post"
    idp.write({f"{satosa.issuer}/Saml2/metadata": {"AssertionConsumerService": consumer}})
    with ExitStack() as stack:
        _run(stack, folder / "idp.log", idp.argv, idp.metadata)
        (folder / "idp.xml").write_text(requests.get(idp.metadata, timeout=20).text)
        _write(satosa, portal)
        tls = ["--certfile", str(folder / "server.pem"), "--keyfile", str(folder / "server.key")]
        argv = [str(GUNICORN), "-b", f"127.0.0.1:{port}", *tls, "satosa.wsgi:app"]
        os.environ["SATOSA_CONFIG"] = str(folder / "proxy_conf.yaml")
        stack.callback(os.environ.pop, "SATOSA_CONFIG", None)
        discovery = f"{satosa.issuer}/.well-known/openid-configuration"
        _run(stack, folder / "satosa.log", argv, discovery, verify=satosa.authority)
        yield satosa


def _write(satosa: Satosa, portal: str) -> None:
    folder = satosa.folder
    make_certificates(folder, "localhost")
    make_key(folder / "frontend.pem", folder / "frontend.crt")
    make_key(folder / "backend.pem", folder / "backend.crt")
    client = {
        "response_types": ["code"], "redirect_uris": [f"{portal}/hub/oauth_callback"], "client_secret": CLIENT_SECRET,
        "subject_type": "pairwise",
    }  # fmt: skip
    (folder / "clients.json").write_text(json.dumps({CLIENT_ID: client}))
    for file in CONFIG.glob("*.yaml"):
        text = file.read_text().replace("@BASE@", satosa.issuer).replace("@FOLDER@", str(folder))
        (folder / file.name).write_text(text)


def _run(stack: ExitStack, log: Path, argv: list[str], address: str, *, verify: str | bool = True) -> None:
    """Start a program, and wait until it answers at an address."""
    output = stack.enter_context(log.open("wb"))
    process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT, cwd="/")
    stack.callback(process.wait, 30)
    stack.callback(process.terminate)
    until = time.monotonic() + 60
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(address, timeout=30, verify=verify).status_code == 200:
                return
        time.sleep(0.1)
    raise AssertionError(f"{argv[0]} did not start:\n{log.read_text()[-3000:]}")
