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
from html import unescape
from pathlib import Path
from typing import ClassVar
from urllib.parse import urlsplit

import requests

from tests.deploy.site import ROOT, Site, write_configuration
from tests.live_portal import Person
from tests.not_tried import missing
from tests.stand_ins.directory import make_certificates

APACHE = ROOT / "deploy" / "apache"
CONFIG = Path(__file__).with_name("shibboleth")
ISSUER = "https://umbrellaid.org/idp/shibboleth"
HASH = "b0744680-2aa3-4b12-8627-95d23e5e4af9"
#: What is installed, for a machine where it is not.
PACKAGES = ("apache2", "libapache2-mod-shib", "simplesamlphp", "php-cli", "php-xml", "php-mbstring")
PROGRAMS = {"apache": "/usr/sbin/apache2", "shibd": "/usr/sbin/shibd", "php": "/usr/bin/php"}
SIMPLESAMLPHP = Path("/usr/share/simplesamlphp/www")
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
    absent = [file for file in (*PROGRAMS.values(), str(SIMPLESAMLPHP)) if not Path(file).exists()]
    if absent or not Path("/usr/lib/apache2/modules/mod_shib.so").exists():
        missing("shibboleth", f"one of {', '.join(PACKAGES)} is not installed")
    if os.geteuid() != 0:
        missing("root", "Apache changes to its own user")


@dataclass
class ShibbolethSite(Site):
    """The same portal, with Apache in front of it."""

    order: ClassVar[tuple[str, ...]] = ("idp", "provider", "shibd", "apache", "proxy", "hub")

    @property
    def idp(self) -> str:
        """SimpleSAMLphp's address: another host than the portal's, so that no cookie is for both."""
        return f"http://127.0.0.1:{self.first + 6}"

    def programs(self) -> dict[str, tuple[list[str], str]]:
        """Return the command of each part, and an address that it answers."""
        folder = self.folder / "apache"
        idp = [
            "env",
            f"SIMPLESAMLPHP_CONFIG_DIR={self.folder}/idp",
            PROGRAMS["php"],
            "-d",
            "session.save_path=/nowhere",
        ]
        idp[-1] = f"session.save_path={self.folder}/idp/sessions"
        return super().programs() | {
            "idp": (
                [*idp, "-S", self.idp.removeprefix("http://"), "-t", str(SIMPLESAMLPHP)],
                f"{self.idp}/saml2/idp/metadata.php",
            ),
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
        (self.folder / "apache" / "idp-metadata.xml").write_text(
            requests.get(f"{self.idp}/saml2/idp/metadata.php", timeout=20).text
        )
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
        self._write_idp()
        self._write_apache(secret.read_text())

    def _write_idp(self) -> None:
        """Write SimpleSAMLphp's configuration, with two people: one has the attribute, one has not."""
        folder = self.folder / "idp"
        for name in ("", "sessions", "cert", "log", "data", "tmp", "metadata"):
            (folder / name).mkdir(mode=0o700)
        key = [
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            str(folder / "cert/idp.pem"),
            "-out",
            str(folder / "cert/idp.crt"),
        ]
        subprocess.run(
            ["openssl", "req", "-x509", "-days", "2", "-subj", "/CN=idp", *key], check=True, capture_output=True
        )
        values = {"@IDP@": self.idp, "@SP@": self.origin, "@FOLDER@": str(folder), "@HASH@": HASH, "@ISSUER@": ISSUER}
        for file in (CONFIG / "idp").glob("**/*.php"):
            (folder / file.relative_to(CONFIG / "idp")).write_text(replaced(file.read_text(), values))

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
        key = [
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-keyout",
            str(folder / "sp-key.pem"),
            "-out",
            str(folder / "sp-cert.pem"),
        ]
        subprocess.run(
            ["openssl", "req", "-x509", "-days", "2", "-subj", "/CN=sp", *key], check=True, capture_output=True
        )

    def sign_in(self, name: str, session: requests.Session | None = None) -> Person:
        """Sign in at the identity provider as a browser does, from the portal's address; without scripts."""
        session = session or requests.Session()
        page = session.get(f"{self.portal.url}/hub/proxy_login", params={"next": f"{self.path}/hub/home"}, timeout=30)
        return self.continue_at_idp(name, session, page)

    def continue_at_idp(self, name: str, session: requests.Session, page: requests.Response) -> Person:
        """Send the identity provider's forms until the browser is back."""
        for _ in range(6):
            if urlsplit(page.url).netloc == urlsplit(self.origin).netloc and "SAMLResponse" not in page.text:
                break
            address, fields = form_of(page)
            if "password" in fields:
                fields |= {"username": name, "password": "secret"}
            page = session.post(address, data=fields, timeout=30)
        return Person(self.portal, session, page)


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
    address = unescape(action[1]) if action else page.url
    return requests.compat.urljoin(page.url, address), fields


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
