"""A portal behind Debian's Apache with the blocks of the page: mod_shib, shibd, and SimpleSAMLphp as identity provider.

Nothing of the machine's own configuration is changed, and no service of the machine is started.
"""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import shutil
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import requests

from tests.deploy.site import ROOT, Site, write_configuration
from tests.live_portal import Person
from tests.not_tried import missing
from tests.stand_ins.directory import make_certificates
from tests.stand_ins.identity_provider import (
    HASH,
    ISSUER,
    SimpleSAMLphp,
    make_key,
    require_simplesamlphp,
    sign_in,
)  # fmt: skip

APACHE = ROOT / "deploy" / "apache"
CONFIG = Path(__file__).with_name("shibboleth")
PROGRAMS = {"apache": "/usr/sbin/apache2", "shibd": "/usr/sbin/shibd"}
#: Modules that Debian enables by itself; the page names the others.
DEBIAN_MODULES = (
    "mpm_event", "authz_core", "authn_core", "authz_host", "authz_user", "access_compat", "alias", "env", "dir", "mime",
    "setenvif", "reqtimeout", "filter", "deflate", "negotiation", "auth_basic", "authn_file",
)  # fmt: skip

ACCOUNTS = f"""\
accounts:
  - name: alindqvist
    display_name: Anna Lindqvist
    uid: 25001
    gid: 25001
    groups: {{ma-4242: 26001}}
    logins: [{{issuer: "{ISSUER}", subject: "{HASH}"}}]
"""


def require_installed() -> None:
    """Skip where it is not installed."""
    require_simplesamlphp("shibboleth")
    files = [*map(Path, PROGRAMS.values()), Path("/usr/lib/apache2/modules/mod_shib.so")]
    if not all(file.exists() for file in files):
        missing("shibboleth", "apache2 or libapache2-mod-shib is not installed")
    if os.geteuid() != 0:
        missing("root", "Apache changes to its own user")


@dataclass
class ShibbolethSite(Site):
    """The same portal, with Apache in front of it."""

    order: ClassVar[tuple[str, ...]] = ("idp", "provider", "shibd", "apache", "proxy", "hub")

    @property
    def idp(self) -> SimpleSAMLphp:
        """The identity provider."""
        return SimpleSAMLphp(self.folder / "idp", self.first + 6)

    def programs(self) -> dict[str, tuple[list[str], str]]:
        """Return the command of each part, and an address that it answers."""
        folder = self.folder / "apache"
        return super().programs() | {
            "idp": (self.idp.argv, self.idp.metadata),
            "shibd": (
                [PROGRAMS["shibd"], "-F", "-f", "-c", str(folder / "shibboleth2.xml"), "-p", f"{folder}/shibd.pid"],
                "",
            ),
            "apache": ([PROGRAMS["apache"], "-DFOREGROUND", "-f", str(folder / "apache2.conf")], f"{self.origin}/"),
        }

    def start(self, name: str) -> None:
        """Start a part; shibd answers on its socket only."""
        if name != "shibd":
            super().start(name)
            return
        (self.folder / "apache" / "idp-metadata.xml").write_text(requests.get(self.idp.metadata, timeout=20).text)
        argv, _ = self.programs()[name]
        with (self.folder / "shibd.log").open("ab") as log:
            self.running[name] = subprocess.Popen(argv, cwd="/", stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + 60
        while time.monotonic() < until and self.running[name].poll() is None:
            with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as probe:
                probe.connect(str(self.folder / "apache" / "shibd.sock"))
                return
            time.sleep(0.05)
        raise AssertionError(f"shibd did not start:\n{(self.folder / 'shibd.log').read_text()[-3000:]}")

    def write(self) -> None:
        """Write the configuration of every part."""
        tls, secret = self.folder / "tls", self.folder / "proxy-secret"
        tls.mkdir(mode=0o755)
        make_certificates(tls, "localhost")
        secret.write_text(secrets.token_hex(32))
        secret.chmod(0o600)
        write_configuration(self)
        (self.folder / "etc" / "accounts.yaml").write_text(ACCOUNTS)
        options = {
            "title": "UmbrellaID", "issuer": ISSUER, "secret_file": str(secret),
            "logout_url": "/Shibboleth.sso/Logout?return={return_to}",
        }  # fmt: skip
        with (self.folder / "etc" / "jupyterhub_config.py").open("a") as config:
            config.write(f"c.UmbrellaAuthenticator.trusted_proxy = {options!r}\n")
        logout = f"{self.origin}/Shibboleth.sso/SLO/Redirect"
        consumer = f"{self.origin}/Shibboleth.sso/SAML2/POST"
        service = {"AssertionConsumerService": consumer, "SingleLogoutService": logout}
        self.idp.write({f"{self.origin}/shibboleth": service})
        self._write_apache(secret.read_text())

    def _write_apache(self, secret: str) -> None:
        """Write the blocks of the page with this site's names, ports and path; nothing else of them is changed."""
        folder, tls = self.folder / "apache", self.folder / "tls"
        folder.mkdir(mode=0o755)
        site, block = ((APACHE / name).read_text() for name in ("daas-hub.conf", "daas-hub-shibboleth.conf"))
        site = replaced(
            site,
            {
                "daas.facility.org": f"localhost:{self.https}",
                "*:80>": f"*:{self.http}>", "*:443>": f"*:{self.https}>",
                "/etc/ssl/daas-hub/fullchain.pem": str(tls / "server.pem"),
                "/etc/ssl/daas-hub/key.pem": str(tls / "server.key"), "Include /etc/apache2/": f"Include {folder}/",
            },
        )  # fmt: skip
        block = replaced(block, {"127.0.0.1:8000": f"127.0.0.1:{self.first}"})
        if self.path:
            block = replaced(
                block,
                {
                    f"ProxyPass / http://127.0.0.1:{self.first}/": f"ProxyPass {self.path}/ http://127.0.0.1:{self.first}{self.path}/",
                    'Location "/hub/proxy_login"': f'Location "{self.path}/hub/proxy_login"',
                },
            )
        enabled = re.search(r"a2enmod ([a-z_ ]+)", block)
        assert enabled, "the block names the modules that it needs"
        modules = "\n".join(load(module) for module in (*DEBIAN_MODULES, *enabled[1].split(), "socache_shmcb"))
        (folder / "daas-hub.conf").write_text(site)
        (folder / "daas-hub-shibboleth.conf").write_text(block)
        (folder / "daas-hub-secret.conf").write_text(f"Define DAAS_PROXY_SECRET {secret}\n")
        (folder / "daas-hub-secret.conf").chmod(0o600)
        shutil.copy(APACHE / "attribute-map.xml", folder)
        values = {
            "@FOLDER@": str(folder), "@MODULES@": modules, "@HTTPS@": str(self.https), "@HTTP@": str(self.http),
            "@SP@": self.origin, "@ISSUER@": ISSUER,
        }  # fmt: skip
        for name in ("apache2.conf", "shibboleth2.xml", "logger"):
            (folder / name).write_text(replaced((CONFIG / name).read_text(), values, every=False))
        make_key(folder / "sp-key.pem", folder / "sp-cert.pem")

    def sign_in(self, name: str, session: requests.Session | None = None) -> Person:
        """Sign in at the identity provider as a browser does, from the portal's address; without scripts."""
        session = session or requests.Session()
        page = session.get(f"{self.portal.url}/hub/proxy_login", params={"next": f"{self.path}/hub/home"}, timeout=30)
        return Person(self.portal, session, sign_in(session, page, name, self.origin))


def load(module: str) -> str:
    """Return the directive that loads a module of Debian's."""
    symbol = "mod_shib" if module == "shib" else f"{module}_module"
    return f"LoadModule {symbol} /usr/lib/apache2/modules/mod_{module}.so"


def replaced(text: str, values: dict[str, str], *, every: bool = True) -> str:
    """Return a text with other values; with `every`, each must be in it."""
    for old, new in values.items():
        assert old in text or not every or old.startswith("@"), old
        text = text.replace(old, new)
    return text
