"""A facility's portal as the pages set it up: `daas-hub init`, `daas-hub proxy`, the hub, and nginx with our block."""

from __future__ import annotations

import contextlib
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import pytest
import requests

from tests.deploy.units import confined
from tests.live_portal import Portal, free_ports, new_state
from tests.names_here import find_names_here
from tests.stand_ins.directory import make_certificates

ROOT = Path(__file__).parents[2]
BLOCK = ROOT / "deploy" / "nginx" / "daas-hub.conf"
BIN = Path(sys.prefix) / "bin"
NGINX = shutil.which("nginx", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin"]))
START_TIMEOUT_S = 60.0
FRONTS = ("nginx", "apache")

#: What nginx needs in addition to the block, as in Debian's own nginx.conf. No file of the machine is written to.
NGINX_CONF = """\
daemon off;
master_process off;
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

ACCOUNTS = """\
accounts:
  - name: alindqvist
    display_name: Anna Lindqvist
    uid: 25001
    gid: 25001
    groups: {{ma-4242: 26001}}
    logins: [{{issuer: "{issuer}", subject: anna}}]
"""
PROPOSALS = """\
proposals:
  - id: MA-4242
    title: Trace elements in Roman glass
    beamlines: [ID21]
    members: [alindqvist]
    gid: 26001
    visits: [{number: 1, beamline: ID21, start: 2026-03-09T08:00:00Z, end: 2026-03-12T08:00:00Z}]
"""


@dataclass
class Site:
    """What runs, and how a part of it is ended and started again."""

    folder: Path
    first: int
    path: str
    host: str = "localhost"
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def https(self) -> int:
        """nginx's port with TLS."""
        return self.first + 4

    @property
    def http(self) -> int:
        """nginx's port that sends browsers on."""
        return self.first + 5

    @property
    def issuer(self) -> str:
        """The identity provider."""
        return f"http://127.0.0.1:{self.first + 3}"

    @property
    def origin(self) -> str:
        """The portal's scheme, host and port."""
        return f"https://{self.host}:{self.https}"

    @property
    def authority(self) -> str:
        """The certificate that vouches for nginx."""
        return str(self.folder / "tls" / "ca.pem")

    @property
    def portal(self) -> Portal:
        """The portal as a browser reaches it."""
        return Portal(f"{self.origin}{self.path}", self.folder, self.folder / "hub.log", self.running["hub"])

    def log_tails(self, size: int = 6000) -> str:
        """Return the end of each part's log, and of nginx's error log."""
        logs = [*sorted(self.folder.glob("*.log")), *sorted(self.folder.glob("*/error.log"))]
        return "\n".join(f"--- {log.name}\n{log.read_text()[-size:]}" for log in logs if log.exists())

    #: What is started, in this order.
    order: ClassVar[tuple[str, ...]] = ("provider", "nginx", "proxy", "hub")

    def programs(self) -> dict[str, tuple[list[str], str]]:
        """Return the command of each part, and an address that it answers."""
        config = str(self.folder / "etc" / "jupyterhub_config.py")
        return {
            "provider": (
                [str(BIN / "python"), "-m", "daas_hub.demo.identity_provider", str(self.first + 3)],
                f"{self.issuer}/.well-known/openid-configuration",
            ),
            "proxy": (
                [*confined("daas-hub-proxy.service"), str(BIN / "daas-hub"), "proxy", config],
                f"http://127.0.0.1:{self.first}/_chp_healthz",
            ),
            "hub": (
                [*confined("daas-hub.service"), str(BIN / "jupyterhub"), "-f", config],
                f"{self.origin}{self.path}/hub/login",
            ),
            "nginx": ([str(NGINX), "-c", str(self.folder / "nginx" / "nginx.conf")], f"{self.origin}/"),
        }

    def write(self) -> None:
        """Write the configuration of every part."""
        write_configuration(self)
        _write_nginx(self, BLOCK.read_text())

    def start(self, name: str) -> None:
        """Start a part and wait until it answers."""
        argv, answers = self.programs()[name]
        with (self.folder / f"{name}.log").open("ab") as log:
            # as systemd gives it: nothing of the shell's environment but what the programs need themselves
            env = {key: os.environ[key] for key in ("PATH", "LANG", "HOME") if key in os.environ}
            self.running[name] = subprocess.Popen(argv, cwd="/", env=env, stdout=log, stderr=subprocess.STDOUT)
        until = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < until and self.running[name].poll() is None:
            with contextlib.suppress(requests.ConnectionError, requests.Timeout):
                # a web server alone answers 502, and the proxy 503, before there is a hub
                if requests.get(answers, timeout=30).status_code == 200 or name in FRONTS:
                    return
            time.sleep(0.1)
        raise AssertionError(f"{name} did not start:\n{self.log_tails(3000)}")

    def stop(self, name: str, number: int = signal.SIGTERM) -> None:
        """End a part's own process and nothing else, as KillMode=process does."""
        process = self.running.pop(name, None)
        if process is None:
            return
        process.send_signal(number)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@contextmanager
def running_site(path: str = "", kind: type[Site] = Site, host: str = "localhost") -> Iterator[Site]:
    """Set it up and run it.

    Args:
        path: where the portal is on its host: "" or "/daas".
        host: its name; with another one than localhost each session has a name below it.
    """
    site = kind(new_state(), free_ports(8), path, host)
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, site.folder, ignore_errors=True)
        trust = stack.enter_context(pytest.MonkeyPatch.context())
        trust.setenv("REQUESTS_CA_BUNDLE", site.authority)
        trust.delenv("CURL_CA_BUNDLE", raising=False)
        find_names_here(trust)
        site.write()
        for name in site.order:
            stack.callback(site.stop, name)
            site.start(name)
        yield site


def write_configuration(site: Site) -> None:
    data, secret, etc = site.folder / "data", site.folder / "secret", site.folder / "etc"
    (data / "MA-4242" / "ID21" / "1").mkdir(parents=True)
    (data / "MA-4242" / "ID21" / "1" / "scan_0001.h5").write_text("counts")
    (site.folder / "state" / "hub").mkdir(parents=True)
    secret.write_text("not-a-secret-the-provider-is-a-demo\n")
    secret.chmod(0o600)
    answers = {
        "facility": "My Light Source", "public_url": f"{site.origin}{site.path}/", "issuer": site.issuer,
        "client_id": "daas-hub-demo", "client_secret_file": str(secret), "port": str(site.first),
        "data": f"{data}/{{proposal}}/{{beamline}}/{{number}}", "state": str(site.folder / "state"),
    }  # fmt: skip
    argv = [str(BIN / "daas-hub"), "init", str(etc)]
    argv += [part for name, answer in answers.items() for part in ("--set", f"{name}={answer}")]
    ran = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, cwd="/")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    (etc / "accounts.yaml").write_text(ACCOUNTS.format(issuer=site.issuer))
    (etc / "proposals.yaml").write_text(PROPOSALS)
    with (etc / "jupyterhub_config.py").open("a") as config:
        # the machine's own /run/daas-hub is not a test's
        config.write(f'c.SandboxSpawner.runtime_dir = "{site.folder}/run"\n')
        if site.host != "localhost":
            config.write(f"c.JupyterHub.subdomain_host = {site.origin!r}\n")


def _write_nginx(site: Site, block: str) -> None:
    """Write the block of the page with this site's names, ports and path; nothing else of it is changed."""
    folder, tls = site.folder / "nginx", site.folder / "tls"
    folder.mkdir()
    tls.mkdir(mode=0o700)
    make_certificates(tls, site.host, f"*.{site.host}")
    replaced: list[tuple[str, str | Callable[[re.Match[str]], str]]] = [
        (r"daas\.facility\.org", site.host),
        (r"/etc/ssl/daas-hub/fullchain\.pem", str(tls / "server.pem")),
        (r"/etc/ssl/daas-hub/key\.pem", str(tls / "server.key")),
        (r"(listen (?:\[::\]:)?)443 ", lambda match: f"{match[1]}{site.https} "),
        (r"(listen (?:\[::\]:)?)80;", lambda match: f"{match[1]}{site.http};"),
        (r"127\.0\.0\.1:8000", f"127.0.0.1:{site.first}"),
        (r"location / \{", f"location {site.path}/ {{"),
    ]
    for pattern, by in replaced:
        block, count = re.subn(pattern, by, block)
        assert count, pattern
    if not _has_ipv6():
        block = re.sub(r".*\[::\].*\n", "", block)
    (folder / "daas-hub.conf").write_text(block)
    (folder / "nginx.conf").write_text(NGINX_CONF.format(folder=folder))


def _has_ipv6() -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_INET6) as probe:
        probe.bind(("::1", 0))
        return True
    return False
